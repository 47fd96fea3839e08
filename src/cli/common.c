/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { GENERATION_ARENA = 96 << 20, FAILURE_MOST = 4 << 20 };

int cli_fail(enum exit_status status, const char *fmt, ...)
{
        va_list ap;
        char *text = NULL;
        autobuf out;
        buf_init(&out, FAILURE_MOST);
        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) == -1)
                panic("out of memory (message)");
        va_end(ap);
        buf_adds(&out, "porteiro: ");
        for (struct slice rest = slice_of(text); rest.n;) {
                buf_add_shown(&out, slice_cut(rest, '\n', &rest));
                buf_addc(&out, '\n');
        }
        free(text);
        fwrite(buf_cstr(&out), 1, out.n, stderr);
        return status;
}

bool cli_time(const char *what, const char *text, enum time_edge edge, int64_t *ret)
{
        struct slice s = slice_trim(slice_of(text));
        if (slice_eq(s, S("now"))) {
                *ret = time_now();
                return true;
        }
        enum time_error wrong = time_parse(s, edge, ret);
        if (wrong == TIME_NO_SUCH_DAY)
                cli_fail(EXIT_USAGE, "%s: %s: there is no such day or hour", what, text);
        else if (wrong)
                cli_fail(EXIT_USAGE, "%s: %s: no time (2026-12-01, \"2026-12-01 14:30\", 2026-12-01T14:30:05Z or now)",
                         what, text);
        return wrong == TIME_OK;
}

bool cli_since(const char *what, const char *text, int64_t *ret)
{
        int64_t ago;
        if (!duration_parse(slice_of(text), &ago))
                return cli_time(what, text, TIME_FIRST_INSTANT, ret);
        *ret = time_now() - ago;
        return true;
}

bool cli_yes_no(struct slice text, bool *ret)
{
        bool yes = slice_ieq(text, S("yes"));
        if (!yes && !slice_ieq(text, S("no")))
                return false;
        *ret = yes;
        return true;
}

int cli_print(struct buf *out)
{
        if (out->full)
                return cli_fail(EXIT_SYSTEM, "the answer is larger than the memory given to it");
        if (fwrite(buf_cstr(out), 1, out->n, stdout) != out->n || fflush(stdout) != 0)
                return cli_fail(EXIT_SYSTEM, "standard output: %s", strerror(errno));
        return EXIT_DONE;
}

/* --- the policy a command works by --- */

int cli_in_force(struct ledger *l, struct arena *a, int64_t at, struct generation *ret)
{
        int failed = ledger_generation_in_force(l, a, at, ret);
        if (failed == 0 && at == TIME_NEVER && cli_trial_lapsed(ret))
                failed = ledger_generation_before(l, a, ret);
        return failed;
}

bool cli_trial_lapsed(const struct generation *g)
{
        return g->state == GENERATION_TRIAL && g->trial_until <= time_now();
}

static void complain(const struct diags *d)
{
        autobuf text;
        buf_init(&text, 8 << 20);
        diags_print(d, &text);
        fwrite(buf_cstr(&text), 1, text.n, stderr);
}

static struct policy *load_file(const struct cli *cli, struct diags *d, bool warnings, int *status)
{
        struct policy *p = policy_load(cli->conf, d);
        if (!p || warnings)
                complain(d);
        *status = p ? EXIT_DONE : EXIT_NO;
        return p;
}

struct policy *cli_policy(const struct cli *cli, int *status)
{
        autodiags *d = diags_new();
        return load_file(cli, d, true, status);
}

/* 1: found; 0: no ledger, or none was in force; -1: told on stderr, *status is set. */
static int parse_generation(const struct cli *cli, int64_t at, struct diags *d, struct policy **ret, int *status)
{
        autoledger *l = NULL;
        autoarena *a = arena_new(GENERATION_ARENA);
        autobuf why;
        struct generation g;
        buf_init(&why, 8192);
        int failed = ledger_open_why(cli->state, &l, &why);
        if (failed == -ENOENT)
                return 0;
        if (failed == 0)
                failed = cli_in_force(l, a, at, &g);
        if (failed == -ENOENT)
                return 0;
        if (failed < 0) {
                *status = cli_fail(EXIT_SYSTEM, "%s", l ? ledger_error(l) : buf_cstr(&why));
                return -1;
        }
        char name[40];
        snprintf(name, sizeof name, "generation %lld", (long long)g.n);
        struct policy_input in = { .name = slice_of(name), .text = g.text };
        *ret = policy_parse(&in, d);
        if (*ret)
                return 1;
        complain(d);
        *status = cli_fail(EXIT_SYSTEM,
                           "%s was accepted once and is not understood now: was it written by a newer Porteiro?", name);
        return -1;
}

struct policy *cli_policy_at(const struct cli *cli, int64_t at, struct diags *sources, int *status)
{
        struct policy *p = NULL;
        if (!cli->conf_given) {
                int found = parse_generation(cli, at, sources, &p, status);
                if (found)
                        return found > 0 ? p : NULL;
        }
        return load_file(cli, sources, false, status);
}

struct policy *cli_policy_in_force(const struct cli *cli, int64_t at, int *status)
{
        autodiags *d = diags_new();
        return cli_policy_at(cli, at, d, status);
}

int cli_policy_of_people(const struct cli *cli, struct diags *sources, struct policy **ret)
{
        int status = EXIT_DONE;
        *ret = NULL;
        int found = parse_generation(cli, TIME_NEVER, sources, ret, &status);
        if (found == 0 && (cli->conf_given || access(cli->conf, R_OK) == 0))
                *ret = load_file(cli, sources, false, &status);
        return status;
}

struct policy *cli_policy_if_any(const struct cli *cli)
{
        autodiags *d = diags_new();
        autoledger *l = NULL;
        autoarena *a = arena_new(GENERATION_ARENA);
        struct generation g;
        if (ledger_open(cli->state, &l) == 0 && cli_in_force(l, a, TIME_NEVER, &g) == 0)
                return policy_parse(&(struct policy_input){ .name = S("generation"), .text = g.text }, d);
        return access(cli->conf, R_OK) == 0 ? policy_load(cli->conf, d) : NULL;
}

void cli_zone(const struct cli *cli)
{
        policy_free(cli_policy_if_any(cli));
}

/* --- the ledger --- */

struct ledger *cli_ledger(const struct cli *cli, bool *none, int *status)
{
        struct ledger *l = NULL;
        autobuf why;
        buf_init(&why, 8192);
        int failed = ledger_open_why(cli->state, &l, &why);
        *status = EXIT_DONE;
        if (none)
                *none = failed == -ENOENT;
        if (failed == -ENOENT && none) {
                fprintf(stderr, "porteiro: warning: %s: there is no ledger here yet\n", cli->state);
                return NULL;
        }
        if (failed == -ENOENT)
                *status = cli_fail(EXIT_NO, "%s: there is no ledger here yet", cli->state);
        else if (failed < 0)
                *status = cli_fail(EXIT_SYSTEM, "%s", buf_cstr(&why));
        return l;
}

int cli_ledger_failed(const struct ledger *l, int failed)
{
        const char *words = ledger_error(l);
        return cli_fail(EXIT_SYSTEM, "ledger: %s", *words ? words : strerror(-failed));
}

struct client *cli_client(const struct cli *cli, int *status)
{
        struct client *c = NULL;
        autobuf why;
        buf_init(&why, 8192);
        int failed = client_open(cli->state, &c, &why);
        *status = failed < 0 ? cli_fail(EXIT_SYSTEM, "%s", why.n ? buf_cstr(&why) : strerror(-failed)) : EXIT_DONE;
        return c;
}

int cli_answer(const struct client *c, const char *what, int answer)
{
        if (answer == 0)
                return EXIT_DONE;
        const char *reason = client_reason(c);
        return cli_fail(answer > 0 ? EXIT_NO : EXIT_SYSTEM, "%s: %s", what,
                        *reason ? reason : strerror(answer < 0 ? -answer : EINVAL));
}

bool cli_is_address(const char *text, struct prefix *ret)
{
        enum prefix_error wrong = prefix_parse(slice_of(text), ret);
        return wrong == PREFIX_OK;
}

bool cli_prefix(const char *what, const char *text, struct prefix *ret)
{
        char right[PREFIX_TEXT_MAX];
        switch (prefix_parse(slice_of(text), ret)) {
        case PREFIX_OK:
                return true;
        case PREFIX_HOST_BITS:
                cli_fail(EXIT_USAGE, "%s: %s has bits set past its length: did you mean %s?", what, text,
                         prefix_print(ret, right));
                return false;
        case PREFIX_BAD_LENGTH:
                cli_fail(EXIT_USAGE, "%s: %s: no such prefix length", what, text);
                return false;
        default:
                cli_fail(EXIT_USAGE, "%s: %s is no address or prefix", what, text);
                return false;
        }
}
