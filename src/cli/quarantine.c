/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"
#include "ledger/json.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 256 << 20 };

static const char *level, *reason, *lasts, *until, *approved_by, *all;
static const struct cli_option add_options[] = {
        { .name = "level", .argument = "mail|submission|captive", .help = "what is taken from him", .value = &level },
        { .name = "reason", .argument = "TEXT", .help = "why", .value = &reason },
        { .name = "for",
          .argument = "24h",
          .help = "how long (default: the policy's, else until released)",
          .value = &lasts },
        { .name = "until", .argument = "TIME", .help = "until when", .value = &until },
        { .name = "approved-by",
          .argument = "NAME",
          .help = "the second person, for who is never cut",
          .value = &approved_by },
};
static const struct cli_option list_options[] = {
        { .name = "all", .help = "also those that are over", .value = &all }
};
static const struct cli_option release_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "why", .value = &reason }
};
static const struct cli_shape add_shape = { "quarantine add SUBSCRIBER --level mail|submission|captive --reason TEXT "
                                            "[--for 24h | --until TIME] [--approved-by NAME]",
                                            add_options, COUNT_OF(add_options), 1, 1 };
static const struct cli_shape list_shape = { "quarantine list [SUBSCRIBER] [--all]", list_options,
                                             COUNT_OF(list_options), 0, 1 };
static const struct cli_shape release_shape = { "quarantine release NUMBER|SUBSCRIBER --reason TEXT", release_options,
                                                COUNT_OF(release_options), 1, 1 };

/* --- add --- */

static int take_end(const struct policy *p, int64_t now, int64_t *ret)
{
        int64_t length = p ? p->quarantine.duration : 0;
        if (lasts && until)
                return cli_fail(EXIT_USAGE, "quarantine add: --for and --until: one of them");
        if (lasts && !duration_parse(slice_of(lasts), &length))
                return cli_fail(EXIT_USAGE, "--for: %s: no duration (90s, 5m, 24h, 7d)", lasts);
        if (until)
                return cli_time("--until", until, TIME_LAST_INSTANT, ret) ? EXIT_DONE : EXIT_USAGE;
        *ret = length > 0 ? now + length : TIME_NEVER;
        return EXIT_DONE;
}

struct promised {
        const struct policy *policy;
        const struct diags *sources;
        struct ledger *ledger;
        struct arena *arena;
        struct slice id;
};

/* The class that was promised told-first, of his own or of a pool he has an address in; n_classes where none. */
static int promising_class(struct promised *q, size_t *ret)
{
        const struct policy *p = q->policy;
        struct subscriber s;
        *ret = p->n_classes;
        int failed = ledger_subscriber(q->ledger, q->arena, q->id, &s);
        if (failed)
                return failed == -ENOENT ? 0 : failed; /* the keeper says it better */
        size_t own = policy_find_class(p, s.class);
        if (own < p->n_classes) {
                *ret = p->classes[own].told_first ? own : p->n_classes;
                return 0;
        }
        for (size_t i = 0; i < s.n_leases; i++) {
                const struct policy_prefix *in = policy_find_prefix(p, &s.leases[i].prefix.addr);
                size_t class = in ? p->pools[in->pool].class : p->n_classes;
                if (class < p->n_classes && p->classes[class].told_first)
                        *ret = class;
        }
        return 0;
}

static int refuse_untold(struct promised *q)
{
        size_t class;
        struct told *told;
        size_t n = 0;
        int failed = promising_class(q, &class);
        if (failed == 0 && class < q->policy->n_classes)
                failed = ledger_told(q->ledger, q->arena, q->id, &told, &n);
        if (failed)
                return cli_ledger_failed(q->ledger, failed);
        if (class == q->policy->n_classes || n)
                return EXIT_DONE;
        autobuf place;
        buf_init(&place, 4096);
        place_print(q->sources, q->policy->classes[class].promise_place, &place);
        return cli_fail(
            EXIT_NO,
            "class %.*s was promised told-first (%s); record it with: porteiro subscriber told %.*s --by letter",
            SLICE_ARGS(q->policy->classes[class].name), buf_cstr(&place), SLICE_ARGS(q->id));
}

static int check_promise(const struct cli *cli, const struct policy *p, const struct diags *sources)
{
        bool none;
        int status;
        if (!p)
                return EXIT_DONE;
        autoledger *l = cli_ledger(cli, &none, &status);
        if (!l)
                return status;
        autoarena *a = arena_new(ARENA);
        struct promised q = { .policy = p, .sources = sources, .ledger = l, .arena = a, .id = slice_of(cli->words[0]) };
        return refuse_untold(&q);
}

static int add_one(const struct cli *cli, const struct policy *p, const struct diags *sources)
{
        int64_t id;
        char end[TIME_TEXT_MAX];
        struct quarantine q = { .subscriber = slice_of(cli->words[0]),
                                .level = level_of(slice_of(level)),
                                .reason = slice_of(reason),
                                .approved_by = slice_of(approved_by),
                                .needs_approval = p && policy_never_cut(p, slice_of(cli->words[0])) };
        if (q.level == LEVEL_NONE)
                return cli_fail(EXIT_USAGE, "--level: %s: mail, submission or captive", level);
        int status = take_end(p, time_now(), &q.until);
        if (status == EXIT_DONE)
                status = check_promise(cli, p, sources);
        if (status)
                return status;
        autoclient *c = cli_client(cli, &status);
        if (!c)
                return status;
        status = cli_answer(c, "quarantine add", client_quarantine_add(c, &q, &id));
        if (status == EXIT_DONE)
                printf("quarantine %lld, until %s\n", (long long)id,
                       q.until == TIME_NEVER ? "released" : time_print(q.until, end));
        return status;
}

static int run_add(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct policy *p;
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        if (!level || !reason || !*reason)
                return cli_fail(EXIT_USAGE, "quarantine add: --%s is missing", level ? "reason" : "level");
        autodiags *sources = diags_new();
        status = cli_policy_of_people(&cli, sources, &p);
        if (status)
                return status;
        status = add_one(&cli, p, sources);
        policy_free(p);
        return status;
}

/* --- list --- */

static const char *state_of(const struct quarantine *q, int64_t now)
{
        if (q->released)
                return q->proposed ? "dismissed" : "released";
        if (q->until <= now)
                return "over";
        return q->proposed ? "proposed" : q->start > now ? "to come" : "in force";
}

static void print_table(const void *list, size_t n, struct buf *out)
{
        const struct quarantine *rows = list;
        int64_t now = time_now();
        static const char *const titles[] = { "number", "subscriber", "level",  "state",      "from",
                                              "until",  "reason",     "author", "approved by" };
        char start[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct quarantine *q = &rows[i];
                int64_t over = q->released && q->released < q->until ? q->released : q->until;
                table_add(t, "%lld", (long long)q->id);
                table_add(t, "%.*s", SLICE_ARGS(q->subscriber));
                table_add(t, "%s", level_name(q->level));
                table_add(t, "%s", state_of(q, now));
                table_add(t, "%s", time_print(q->start, start));
                table_add(t, "%s", over == TIME_NEVER ? "released" : time_print(over, end));
                table_add(t, "%.*s", SLICE_ARGS(q->reason));
                table_add(t, "%.*s%s", SLICE_ARGS(q->author), q->by_rule ? " by rule" : "");
                table_add(t, "%.*s", SLICE_ARGS(q->approved_by));
        }
        table_print(t, out);
}

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        struct quarantine **ret = rows;
        size_t kept = 0;
        int64_t now = time_now();
        int status = ledger_quarantines(l, a, slice_of(cli->n_words ? cli->words[0] : NULL), now, false, ret, n);
        for (size_t i = 0; status == 0 && i < *n; i++)
                if (all || (!(*ret)[i].released && (*ret)[i].until > now))
                        (*ret)[kept++] = (*ret)[i];
        *n = kept;
        return status;
}

static void row_json(struct json *j, const char *key, const void *row)
{
        quarantine_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = { &list_shape, "quarantines", sizeof(struct quarantine),
                                              read_list,   print_table,   row_json };
        return cli_list(&list, argc, argv);
}

/* --- release --- */

struct released {
        const char *word;
        struct slice id; /* the word as a subscriber's id; empty where it was written #17 */
        uint64_t number; /* the word as a quarantine's number; 0 where it is none */
        int64_t *ids;    /* found */
        size_t n, cap;
        bool by_number; /* an open quarantine of somebody else has this number */
};

/* Ids are often numbers too: where both readings fit, neither is taken. */
static int choose(const struct released *r, bool known)
{
        if (r->n && r->by_number)
                return cli_fail(EXIT_NO,
                                "quarantine release: %s is a subscriber in quarantine, and also the number of "
                                "another's: write #%s for the number",
                                r->word, r->word);
        if (r->n || (r->by_number && !known))
                return EXIT_DONE;
        if (known)
                return cli_fail(EXIT_NO, "quarantine release: subscriber %s is in no quarantine%s", r->word,
                                r->by_number ? " (write # before the number of a quarantine)" : "");
        if (r->number)
                return cli_fail(EXIT_NO, "quarantine release: there is no quarantine %s that is not over", r->word);
        return cli_fail(EXIT_NO, "quarantine release: subscriber %s is not known", r->word);
}

static int find(const struct cli *cli, struct arena *a, struct released *r)
{
        struct quarantine *rows;
        struct subscriber s;
        size_t n = 0;
        int status;
        autoledger *l = cli_ledger(cli, NULL, &status);
        if (!l)
                return status;
        int failed = r->id.n ? ledger_subscriber(l, a, r->id, &s) : -ENOENT;
        bool known = failed == 0;
        if (known || failed == -ENOENT)
                failed = ledger_quarantines(l, a, S(""), 0, false, &rows, &n);
        if (failed)
                return cli_ledger_failed(l, failed);
        int64_t now = time_now();
        for (size_t i = 0; i < n; i++) {
                bool his = known && slice_eq(rows[i].subscriber, r->id);
                if (rows[i].released || rows[i].until <= now)
                        continue;
                if (his) {
                        r->ids = arena_grow(a, r->ids, &r->cap, r->n + 1, sizeof *r->ids);
                        r->ids[r->n++] = rows[i].id;
                } else if (rows[i].id == (int64_t)r->number) {
                        r->by_number = true;
                }
        }
        status = choose(r, known);
        if (status == EXIT_DONE && r->n == 0) {
                r->ids = arena_grow(a, r->ids, &r->cap, 1, sizeof *r->ids);
                r->ids[r->n++] = (int64_t)r->number;
        }
        return status;
}

static int run_release(int argc, char **argv)
{
        struct cli cli;
        int status;
        if (!cli_parse(&cli, &release_shape, argc, argv, &status))
                return status;
        if (!reason || !*reason)
                return cli_fail(EXIT_USAGE, "quarantine release: --reason is missing");
        autoarena *a = arena_new(ARENA);
        struct slice word = slice_of(cli.words[0]);
        struct released r = { .word = cli.words[0], .id = slice_starts(word, S("#")) ? S("") : word };
        if (!slice_u64(r.id.n ? word : slice_from(word, 1), INT64_MAX, &r.number) && r.id.n == 0)
                return cli_fail(EXIT_USAGE, "quarantine release: %s: is no number", r.word);
        status = find(&cli, a, &r);
        if (status)
                return status;
        autoclient *c = cli_client(&cli, &status);
        for (size_t i = 0; c && status == EXIT_DONE && i < r.n; i++)
                status = cli_answer(c, "quarantine release", client_quarantine_release(c, r.ids[i], slice_of(reason)));
        return status;
}

int cmd_quarantine(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },
                { "list", &list_shape, run_list },
                { "release", &release_shape, run_release },
        };
        return cli_dispatch("quarantine", verbs, COUNT_OF(verbs), argc, argv);
}
