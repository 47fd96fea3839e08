/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/lookup.h"

#include <errno.h>
#include <stdio.h>

enum { GENERATION_ARENA = 96 << 20, REASON_MOST = 1024 };

/* --- the record --- */

int lookup_reason(const char *given, struct arena *a, struct slice *ret)
{
        char line[REASON_MOST];
        *ret = slice_trim(slice_of(given));
        if (ret->n == 0 && !given && isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
                fputs("reason (it is recorded): ", stderr);
                if (fgets(line, sizeof line, stdin))
                        *ret = arena_dup(a, slice_trim(slice_of(line)));
        }
        if (ret->n)
                return EXIT_DONE;
        return cli_fail(EXIT_USAGE, "--reason TEXT is missing: who looks up whose something was, and why, is recorded");
}

int lookup_record(struct client *c, struct slice reason, const struct lookup *all, size_t n)
{
        int answer = client_lookup(c, reason, all, n);
        if (answer == 0)
                return EXIT_DONE;
        cli_answer(c, "the look-up could not be recorded, so it is not answered", answer);
        return EXIT_SYSTEM;
}

/* --- questions --- */

enum { DATE = 10 /* "2026-12-01" */ };

/* The same clock time comes twice where clocks go back. */
static bool comes_twice(int64_t at)
{
        static const int64_t steps[] = { HOUR, HOUR / 2 };
        char first[TIME_TEXT_MAX], second[TIME_TEXT_MAX];
        time_print(at, first);
        for (size_t i = 0; i < COUNT_OF(steps); i++)
                if (strncmp(first, time_print(at + steps[i], second), sizeof "2026-12-01 14:30:05" - 1) == 0)
                        return true;
        return false;
}

const char *lookup_instant(struct slice text, int64_t now, int64_t *ret, bool *zoned)
{
        struct slice s = slice_trim(text);
        *zoned = true;
        if (slice_eq(s, S("now"))) {
                *ret = now;
                return NULL;
        }
        enum time_error wrong = time_parse(s, TIME_FIRST_INSTANT, ret);
        if (wrong == TIME_NO_SUCH_DAY)
                return "there is no such day or hour";
        if (wrong)
                return "no time (\"2026-12-01 14:30:05\", 2026-12-01T14:30:05Z, 2026-12-01T14:30:05-03:00 or now)";
        if (s.n <= DATE)
                return "a day is no instant: say the time, too";
        struct slice rest = slice_from(s, DATE);
        *zoned = slice_find(rest, 'Z') < rest.n || slice_find(rest, '+') < rest.n || slice_find(rest, '-') < rest.n;
        if (!*zoned && comes_twice(*ret))
                return "the clocks went back, so this time came twice: add the offset, such as -03:00";
        return *ret > now ? "lies in the future" : NULL;
}

/* --- policies --- */

static void add(struct lookup_policies *p, int64_t n, struct policy *policy)
{
        p->loaded = xgrow(p->loaded, &p->cap, p->n + 1, sizeof *p->loaded);
        p->loaded[p->n++] = (struct resolve_policy){ .generation = n, .policy = policy, .cgnat = cgnat_new(policy) };
}

static struct policy *parse(const struct generation *g)
{
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("generation"), .text = g->text };
        return policy_parse(&in, d);
}

static int add_generation(struct lookup_policies *p, const struct generation *g)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->loaded[i].generation == g->n)
                        return EXIT_DONE;
        struct policy *policy = parse(g);
        if (!policy)
                return cli_fail(EXIT_SYSTEM, "generation %lld was accepted once and is not understood now",
                                (long long)g->n);
        add(p, g->n, policy);
        if (p->n > 1) /* each policy sets the zone to its own */
                time_set_zone(p->loaded[0].policy->network.timezone);
        return EXIT_DONE;
}

int lookup_policies_init(struct lookup_policies *p, const struct cli *cli, struct ledger *l)
{
        *p = (struct lookup_policies){ .cli = cli, .ledger = l };
        autoarena *a = arena_new(GENERATION_ARENA);
        autodiags *d = diags_new();
        struct generation g;
        int status = EXIT_DONE;
        int failed = cli->conf_given || !l ? -ENOENT : cli_in_force(l, a, TIME_NEVER, &g);
        if (failed == 0)
                return add_generation(p, &g);
        if (failed != -ENOENT)
                return cli_ledger_failed(l, failed);
        if (!cli->conf_given && access(cli->conf, R_OK) != 0)
                return EXIT_DONE;
        struct policy *file = cli_policy_at(cli, TIME_NEVER, d, &status);
        if (file)
                add(p, 0, file);
        return status;
}

void lookup_policies_done(struct lookup_policies *p)
{
        for (size_t i = 0; i < p->n; i++) {
                cgnat_free((struct cgnat *)p->loaded[i].cgnat);
                policy_free((struct policy *)p->loaded[i].policy);
        }
        free(p->loaded);
        *p = (struct lookup_policies){ .n = 0 };
}

static void use(struct lookup_policies *p, int64_t generation, struct resolve_question *q)
{
        for (size_t i = 0; i < q->n_policies; i++)
                if (p->answer[i].generation == generation)
                        return;
        for (size_t i = 0; i < p->n; i++)
                if (p->loaded[i].generation == generation)
                        p->answer[q->n_policies++] = p->loaded[i];
}

int lookup_policies_at(struct lookup_policies *p, struct resolve_question *q)
{
        const int64_t times[] = { q->at + q->tolerance, q->at - q->tolerance };
        autoarena *a = arena_new(GENERATION_ARENA);
        struct generation g;
        q->n_policies = 0;
        q->policies = p->answer;
        if (p->n)
                use(p, p->loaded[0].generation, q);
        for (size_t i = 0; i < COUNT_OF(times) && p->ledger && !p->cli->conf_given; i++) {
                int failed = ledger_generation_in_force(p->ledger, a, times[i], &g);
                if (failed == -ENOENT)
                        continue;
                int status = failed ? cli_ledger_failed(p->ledger, failed) : add_generation(p, &g);
                if (status)
                        return status;
                use(p, g.n, q);
        }
        return EXIT_DONE;
}

int64_t lookup_tolerance(const struct lookup_policies *p)
{
        const struct policy *policy = p->n ? p->loaded[0].policy : NULL;
        int64_t most = 0;
        for (size_t i = 0; policy && i < policy->n_feeds; i++)
                if (policy->feeds[i].tolerance > most)
                        most = policy->feeds[i].tolerance;
        return policy && policy->n_feeds ? most : RESOLVE_TOLERANCE;
}
