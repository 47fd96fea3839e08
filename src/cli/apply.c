/* SPDX-License-Identifier: GPL-3.0-or-later */
/* apply, confirm and rollback: a generation is stored, and whoever is the gate enforces it - the gate's duty where it runs, or this
 * command under the gate's lock. */
#include "cli/load.h"
#include "gate/gate.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 256 << 20 };

#define GATE_PATIENCE (2 * MINUTE)

/* Lets the gate act until `done` says the ledger shows what was asked for. */
static int gate_acts(const struct cli *cli, struct client **client, bool (*done)(struct ledger *l, int64_t n),
                     int64_t n, struct buf *why)
{
        struct gate gate;
        autobuf busy;
        buf_init(&busy, 4096);
        int failed = gate_open(&gate, cli->state, &busy);
        if (failed == 0) {
                gate.client = *client;
                failed = gate_follow(&gate, time_now(), why);
                gate_close(&gate);
                return failed;
        }
        if (failed != -EWOULDBLOCK) {
                buf_add(why, buf_slice(&busy));
                return failed;
        }
        /* where no keeper runs we are it for this moment, and the gate could not write its answer */
        client_close(take(*client));
        autoledger *ledger = NULL;
        int64_t deadline = time_monotonic() + GATE_PATIENCE;
        if ((failed = ledger_open_why(cli->state, &ledger, why)))
                return failed;
        while (!done(ledger, n)) {
                if (time_monotonic() > deadline) {
                        buf_adds(why, "the gate that runs did not answer within two minutes");
                        return -ETIMEDOUT;
                }
                usleep(5000);
        }
        return 0;
}

static bool is_answered(struct ledger *l, int64_t n)
{
        autoarena *a = arena_new(ARENA);
        struct generation g;
        return ledger_generation(l, a, n, &g) == 0 && g.state != GENERATION_PREPARED;
}

/* Confirming and rolling back are true once they are in the ledger; the answer waits until the kernel has followed, where it may be asked. */
static bool stands_alone(struct ledger *l, int64_t n)
{
        autonetlink *netlink = NULL;
        struct kernel_view view = { 0 };
        size_t slots = 0;
        bool stands = false;
        (void)l;
        if (netlink_open(&netlink) != 0 || kernel_look(netlink, &view) != 0)
                return true;
        for (size_t i = 0; i < SLOTS; i++) {
                slots += view.slots[i].present;
                stands |= view.slots[i].present && view.slots[i].generation == n;
        }
        bool table = view.table;
        kernel_view_done(&view);
        return n ? stands && slots == 1 : !table;
}

static int refuse_during_trial(const struct cli *cli)
{
        autoledger *ledger = NULL;
        autoarena *a = arena_new(ARENA);
        struct generation g;
        char until[TIME_TEXT_MAX];
        if (ledger_open(cli->state, &ledger) != 0 || ledger_generation_in_force(ledger, a, TIME_NEVER, &g) != 0)
                return EXIT_DONE;
        if (g.state != GENERATION_TRIAL || g.trial_until <= time_now())
                return EXIT_DONE;
        return cli_fail(EXIT_NO, "apply: generation %lld is on trial until %s: confirm it or roll it back first",
                        (long long)g.n, time_print(g.trial_until, until));
}

static int no_client(const char *what, const struct buf *why, int failed)
{
        return cli_fail(failed == 1 ? EXIT_NO : EXIT_SYSTEM, "%s: %.*s", what, SLICE_ARGS(buf_slice(why)));
}

static int print_outcome(const struct cli *cli, const char *what, int64_t n, int64_t trial_for)
{
        autobuf out;
        char text[TIME_TEXT_MAX];
        buf_init(&out, 4096);
        if (cli->json) {
                struct json j;
                json_report(&j, &out);
                json_int(&j, "generation", n);
                json_cstr(&j, "state", what);
                json_report_end(&j);
        } else if (n == 0) {
                buf_addf(&out, "no generation is in force: the door is open\n");
        } else {
                buf_addf(&out, "generation %lld is %s\n", (long long)n, what);
                if (trial_for)
                        buf_addf(&out, "it returns to the former one in %s unless you say: porteiro confirm\n",
                                 duration_print(trial_for, text));
        }
        return cli_print(&out);
}

/* --- apply ---------------------------------------------------------------------------------------------------------------------- */

static const char *confirm_text, *why_text;
static const struct cli_option apply_options[] = {
        { .name = "confirm",
          .argument = "DURATION",
          .help = "on trial: the former rules return unless confirmed within this time",
          .value = &confirm_text },
        { .name = "reason", .argument = "TEXT", .help = "why, for the audit trail", .value = &why_text },
};
static const struct cli_shape apply_shape = { .usage = "apply [-c FILE] [--confirm 5m] [--reason TEXT]",
                                              .options = apply_options,
                                              .n_options = COUNT_OF(apply_options) };

static int store_and_load(const struct cli *cli, struct slice text, int64_t trial_for)
{
        autoclient *client = NULL;
        autobuf why;
        int64_t n = 0;
        buf_init(&why, 1 << 20);
        int failed = client_open(cli->state, &client, &why);
        if (failed)
                return no_client("apply", &why, failed);
        failed = client_generation_add(client, text, trial_for, slice_of(why_text), &n);
        if (failed)
                return cli_fail(failed == 1 ? EXIT_NO : EXIT_SYSTEM, "apply: %s", client_reason(client));
        failed = gate_acts(cli, &client, is_answered, n, &why);
        autoledger *ledger = NULL;
        autoarena *a = arena_new(ARENA);
        struct generation g;
        if (!failed && (ledger_open(cli->state, &ledger) != 0 || ledger_generation(ledger, a, n, &g) != 0))
                return cli_fail(EXIT_SYSTEM, "apply: the ledger cannot be read after writing");
        if (!failed && g.state == GENERATION_FAILED)
                return cli_fail(EXIT_SYSTEM, "apply: generation %lld was refused, the former one stays: %.*s",
                                (long long)n, SLICE_ARGS(g.why));
        if (failed == -ETIMEDOUT)
                return cli_fail(EXIT_SYSTEM, "apply: generation %lld is stored, and not loaded yet: %s", (long long)n,
                                buf_cstr(&why));
        if (failed)
                return cli_fail(EXIT_SYSTEM, "apply: generation %lld was refused, the firewall is unchanged: %s",
                                (long long)n, buf_cstr(&why));
        return print_outcome(cli, trial_for ? "on trial" : "in force", n, trial_for);
}

int cmd_apply(int argc, char **argv)
{
        struct cli cli;
        struct cli_loaded l;
        int status;
        int64_t trial_for = 0;
        autobuf text;
        buf_init(&text, POLICY_TEXT_MOST + (1 << 20));
        if (!cli_parse(&cli, &apply_shape, argc, argv, &status))
                return status;
        if (confirm_text && !duration_parse(slice_of(confirm_text), &trial_for))
                return cli_fail(EXIT_USAGE, "apply: --confirm %s: not a duration such as 5m", confirm_text);
        cli_load(&cli, time_now(), &l);
        cli_load_complain(&l);
        bool right = l.policy;
        if (right)
                policy_flatten(l.diags, &text);
        cli_load_done(&l);
        if (!right)
                return EXIT_NO;
        status = refuse_during_trial(&cli);
        return status ? status : store_and_load(&cli, buf_slice(&text), trial_for);
}

/* --- confirm and rollback --------------------------------------------------------------------------------------------------------- */

static int settle(const char *what, int argc, char **argv, const struct cli_shape *shape,
                  int (*verb)(struct client *c, int64_t *n), const char *outcome)
{
        struct cli cli;
        int status;
        int64_t n = 0;
        autoclient *client = NULL;
        autobuf why;
        buf_init(&why, 1 << 20);
        if (!cli_parse(&cli, shape, argc, argv, &status))
                return status;
        int failed = client_open(cli.state, &client, &why);
        if (failed)
                return no_client(what, &why, failed);
        failed = verb(client, &n);
        if (failed)
                return cli_fail(failed == 1 ? EXIT_NO : EXIT_SYSTEM, "%s: %s", what, client_reason(client));
        failed = gate_acts(&cli, &client, stands_alone, n, &why);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "%s: the ledger has it, the kernel not yet: %s", what, buf_cstr(&why));
        return print_outcome(&cli, outcome, n, 0);
}

static int verb_confirm(struct client *c, int64_t *n)
{
        return client_generation_confirm(c, n);
}

static int verb_rollback(struct client *c, int64_t *n)
{
        return client_generation_rollback(c, why_text ? slice_of(why_text) : S("rolled back by hand"), false,
                                          time_now(), n);
}

int cmd_confirm(int argc, char **argv)
{
        static const struct cli_shape shape = { .usage = "confirm" };
        return settle("confirm", argc, argv, &shape, verb_confirm, "confirmed");
}

int cmd_rollback(int argc, char **argv)
{
        static const struct cli_option options[] = {
                { .name = "reason", .argument = "TEXT", .help = "why, for the audit trail", .value = &why_text },
        };
        static const struct cli_shape shape = { .usage = "rollback [--reason TEXT]",
                                                .options = options,
                                                .n_options = COUNT_OF(options) };
        return settle("rollback", argc, argv, &shape, verb_rollback, "in force again");
}
