/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/child.h"
#include "cli/cli.h"
#include "gate/nft.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

static const char *at_text, *diff;
static const struct cli_option options[] = {
        { .name = "at", .argument = "TIME", .help = "as it would be at this time (default: now)", .value = &at_text },
        { .name = "diff", .help = "what would change against the generation in force now", .value = &diff },
};
static const struct cli_shape shape = { .usage = "plan [--at TIME] [--diff]",
                                        .options = options,
                                        .n_options = COUNT_OF(options) };

/* The policy alone decides: the people of the ledger are not in it, so the same input gives the same text. */
static void plan_text(const struct policy *policy, int64_t at, struct buf *out)
{
        struct plan_input in = { .policy = policy, .at = at };
        autoplan *plan = plan_new(&in);
        struct crowd crowd = { 0 };
        nft_seed_crowd(policy, &crowd);
        struct nft_slot slot = { .plan = plan, .crowd = &crowd, .letter = 'a', .hash = nft_hash(plan) };
        nft_table(&slot, out);
        nft_switch(&slot, NULL, out);
        crowd_done(&crowd);
}

static int text_file(struct slice text)
{
        int fd = memfd_create("plan", 0);
        if (fd == -1)
                return -1;
        for (size_t done = 0; done < text.n;) {
                ssize_t n = write(fd, text.p + done, text.n - done);
                if (n <= 0)
                        break;
                done += (size_t)n;
        }
        return fd;
}

static int print_diff(struct slice old, struct slice new, struct buf *out)
{
        autoclose int a = text_file(old), b = text_file(new);
        if (a == -1 || b == -1)
                return cli_fail(EXIT_SYSTEM, "plan: %s", strerror(errno));
        autofree char *path_a = xasprintf("/dev/fd/%d", a);
        autofree char *path_b = xasprintf("/dev/fd/%d", b);
        const char *argv[] = {
                "/usr/bin/diff", "-u", "--label", "in force", "--label", "planned", path_a, path_b, NULL
        };
        struct child c = { .argv = argv, .deadline_us = MINUTE, .output = out };
        int status;
        int failed = child_run(&c, &status);
        if (failed || status > 1)
                return cli_fail(EXIT_SYSTEM, "plan: /usr/bin/diff: %s", failed ? strerror(-failed) : "failed");
        return 0;
}

/* What stands now by the generation in force; none is empty. */
static int text_in_force(const struct cli *cli, struct buf *out)
{
        struct cli ledger_only = *cli;
        int status;
        autoledger *ledger = NULL;
        if (ledger_open(cli->state, &ledger) != 0)
                return 0;
        autoarena *a = arena_new(256 << 20);
        struct generation g;
        if (cli_in_force(ledger, a, TIME_NEVER, &g) != 0)
                return 0;
        ledger_only.conf_given = false;
        autopolicy *policy = cli_policy_in_force(&ledger_only, TIME_NEVER, &status);
        if (!policy)
                return status;
        plan_text(policy, time_now(), out);
        return 0;
}

static int print_text(const struct cli *cli, const char *what, int64_t at, struct buf *text)
{
        struct json j;
        autobuf out;
        buf_init(&out, 2 * (size_t)NFT_TEXT_MOST);
        if (!cli->json)
                return cli_print(text);
        json_report(&j, &out);
        json_time(&j, "at", at);
        json_string(&j, what, buf_slice(text));
        json_report_end(&j);
        return cli_print(&out);
}

int cmd_plan(int argc, char **argv)
{
        struct cli cli;
        int status;
        int64_t at = time_now();
        autobuf new, old, out;
        buf_init(&new, NFT_TEXT_MOST);
        buf_init(&old, NFT_TEXT_MOST);
        buf_init(&out, NFT_TEXT_MOST);
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        autopolicy *policy = cli_policy(&cli, &status);
        if (!policy)
                return status;
        if (at_text && !cli_time("--at", at_text, TIME_FIRST_INSTANT, &at))
                return EXIT_USAGE;
        plan_text(policy, at, &new);
        if (!diff)
                return print_text(&cli, "ruleset", at, &new);
        status = text_in_force(&cli, &old);
        if (!status)
                status = print_diff(buf_slice(&old), buf_slice(&new), &out);
        return status ? status : print_text(&cli, "difference", at, &out);
}
