/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"
#include "ledger/json.h"
#include "policy/ban.h"

#include <stdio.h>

static const char *reason, *lasts, *until, *all;
static const struct cli_option add_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "why", .value = &reason },
        { .name = "for",
          .argument = "24h",
          .help = "how long (default: as the edge bans, else a day)",
          .value = &lasts },
        { .name = "until", .argument = "TIME", .help = "until when", .value = &until },
};
static const struct cli_option list_options[] = {
        { .name = "all", .help = "also those that are over", .value = &all }
};
static const struct cli_option remove_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "why", .value = &reason }
};
static const struct cli_shape add_shape = { "ban add PREFIX --reason TEXT [--for 24h | --until TIME]", add_options,
                                            COUNT_OF(add_options), 1, 1 };
static const struct cli_shape list_shape = { "ban list [--all]", list_options, COUNT_OF(list_options), 0, 0 };
static const struct cli_shape remove_shape = { "ban remove|release NUMBER|PREFIX --reason TEXT", remove_options,
                                               COUNT_OF(remove_options), 1, 1 };

/* --- add --- */

static int take_end(const struct policy *p, int64_t now, int64_t *ret)
{
        int64_t length = p && p->edge.written ? p->edge.ban_for : DAY;
        if (lasts && until)
                return cli_fail(EXIT_USAGE, "ban add: --for and --until: one of them");
        if (lasts && !duration_parse(slice_of(lasts), &length))
                return cli_fail(EXIT_USAGE, "--for: %s: no duration (90s, 5m, 24h, 7d)", lasts);
        if (until)
                return cli_time("--until", until, TIME_LAST_INSTANT, ret) ? EXIT_DONE : EXIT_USAGE;
        *ret = now + length;
        return EXIT_DONE;
}

static int refuse_own(const struct policy *p, const struct diags *sources, const struct prefix *prefix)
{
        char text[PREFIX_TEXT_MAX];
        struct ban_answer a = { .objection = BAN_NO_OBJECTION };
        if (p)
                a = ban_look(p, prefix);
        if (a.objection == BAN_NO_OBJECTION)
                return EXIT_DONE;
        autobuf words = { 0 };
        buf_init(&words, 4096);
        ban_objection_print(&a, &words);
        if (a.place.line) {
                buf_adds(&words, " (");
                place_print(sources, a.place, &words);
                buf_adds(&words, ")");
        }
        return cli_fail(EXIT_NO, "ban add: %s %s", prefix_print(prefix, text), buf_cstr(&words));
}

static int add_one(const struct cli *cli, const struct policy *p, const struct diags *sources)
{
        int64_t id, ends;
        char end[TIME_TEXT_MAX];
        struct ban b = { .reason = slice_of(reason) };
        if (!cli_prefix("ban add", cli->words[0], &b.prefix))
                return EXIT_USAGE;
        int status = take_end(p, time_now(), &b.until);
        if (status == EXIT_DONE)
                status = refuse_own(p, sources, &b.prefix);
        if (status)
                return status;
        autoclient *c = cli_client(cli, &status);
        if (!c)
                return status;
        status = cli_answer(c, "ban add", client_ban_add(c, &b, &id, &ends));
        if (status == EXIT_DONE)
                printf("ban %lld, until %s\n", (long long)id, time_print(ends, end));
        return status;
}

static int run_add(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct policy *p;
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        if (!reason || !*reason)
                return cli_fail(EXIT_USAGE, "ban add: --reason is missing");
        autodiags *sources = diags_new();
        status = cli_policy_of_people(&cli, sources, &p);
        if (status)
                return status;
        status = add_one(&cli, p, sources);
        policy_free(p);
        return status;
}

/* --- list --- */

static bool is_over(const struct ban *b, int64_t now)
{
        return b->released || b->until <= now;
}

static void print_table(const void *list, size_t n, struct buf *out)
{
        const struct ban *rows = list;
        int64_t now = time_now();
        static const char *const titles[] = { "number", "prefix", "state", "from", "until", "reason", "author" };
        char text[PREFIX_TEXT_MAX], start[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct ban *b = &rows[i];
                table_add(t, "%lld", (long long)b->id);
                table_add(t, "%s", prefix_print(&b->prefix, text));
                table_add(t, "%s", b->released ? "released" : is_over(b, now) ? "over" : "in force");
                table_add(t, "%s", time_print(b->start, start));
                table_add(t, "%s", time_print(b->released ? b->released : b->until, end));
                table_add(t, "%.*s", SLICE_ARGS(b->reason));
                table_add(t, "%.*s%s", SLICE_ARGS(b->author), b->by_rule ? " by rule" : "");
        }
        table_print(t, out);
}

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        (void)cli;
        return ledger_bans(l, a, time_now(), !all, rows, n);
}

static void row_json(struct json *j, const char *key, const void *row)
{
        ban_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = {
                &list_shape, "bans", sizeof(struct ban), read_list, print_table, row_json
        };
        return cli_list(&list, argc, argv);
}

/* --- remove --- */

static int run_remove(int argc, char **argv)
{
        struct cli cli;
        int status;
        uint64_t id = 0;
        struct prefix prefix;
        if (!cli_parse(&cli, &remove_shape, argc, argv, &status))
                return status;
        if (!reason || !*reason)
                return cli_fail(EXIT_USAGE, "ban remove: --reason is missing");
        bool number = slice_u64(slice_of(cli.words[0]), INT64_MAX, &id);
        if (!number && !cli_prefix("ban remove", cli.words[0], &prefix))
                return EXIT_USAGE;
        if (number && id == 0)
                return cli_fail(EXIT_NO, "ban remove: there is no ban 0");
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "ban remove",
                              client_ban_release(c, (int64_t)id, number ? NULL : &prefix, slice_of(reason)))
                 : status;
}

int cmd_ban(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },
                { "list", &list_shape, run_list },
                { "remove", &remove_shape, run_remove },
                { "release", &remove_shape, run_remove },
        };
        return cli_dispatch("ban", verbs, COUNT_OF(verbs), argc, argv);
}
