/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"
#include "ledger/json.h"

#include <stdio.h>

static const char *until, *owner, *reason, *all;
static const struct cli_option add_options[] = {
        { .name = "until",
          .argument = "DATE",
          .help = "its last day (or instant); there is none without end",
          .value = &until },
        { .name = "owner", .argument = "WHO", .help = "who answers for it", .value = &owner },
        { .name = "reason", .argument = "TEXT", .help = "why", .value = &reason },
};
static const struct cli_option list_options[] = {
        { .name = "all", .help = "also those that are over or removed", .value = &all }
};
static const struct cli_option remove_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "why", .value = &reason }
};
static const struct cli_shape add_shape = { "exemption add SUBSCRIBER|PREFIX --until DATE --owner WHO --reason TEXT",
                                            add_options, COUNT_OF(add_options), 1, 1 };
static const struct cli_shape list_shape = { "exemption list [--all]", list_options, COUNT_OF(list_options), 0, 0 };
static const struct cli_shape remove_shape = { "exemption remove NUMBER --reason TEXT", remove_options,
                                               COUNT_OF(remove_options), 1, 1 };

/* A word with a slash, or that is an address, must be a right prefix; any other is a subscriber's id. */
static bool take_whom(const char *word, struct exemption *e)
{
        if (prefix_parse(slice_of(word), &e->prefix) != PREFIX_NOT_AN_ADDRESS)
                return cli_prefix("exemption add", word, &e->prefix);
        e->prefix = (struct prefix){ .len = 128 };
        e->subscriber = slice_of(word);
        return true;
}

static int run_add(int argc, char **argv)
{
        struct cli cli;
        int status;
        int64_t id;
        struct exemption e = { .start = 0 };
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        if (!until || !owner || !reason)
                return cli_fail(EXIT_USAGE, "exemption add: --%s is missing",
                                !until   ? "until"
                                : !owner ? "owner"
                                         : "reason");
        cli_zone(&cli);
        if (!cli_time("--until", until, TIME_LAST_INSTANT, &e.until) || !take_whom(cli.words[0], &e))
                return EXIT_USAGE;
        e.owner = slice_of(owner);
        e.reason = slice_of(reason);
        autoclient *c = cli_client(&cli, &status);
        if (!c)
                return status;
        status = cli_answer(c, "exemption add", client_exemption_add(c, &e, &id));
        if (status == EXIT_DONE)
                printf("exemption %lld\n", (long long)id);
        return status;
}

static const char *state_of(const struct exemption *e, int64_t now)
{
        return e->removed ? "removed" : e->until <= now ? "over" : e->start > now ? "to come" : "in force";
}

static void print_table(const void *list, size_t n, struct buf *out)
{
        const struct exemption *rows = list;
        int64_t now = time_now();
        static const char *const titles[] = { "number", "for", "until", "state", "owner", "reason", "author" };
        char text[PREFIX_TEXT_MAX], end[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct exemption *e = &rows[i];
                table_add(t, "%lld", (long long)e->id);
                if (e->subscriber.n)
                        table_add(t, "%.*s", SLICE_ARGS(e->subscriber));
                else
                        table_add(t, "%s", prefix_print(&e->prefix, text));
                table_add(t, "%s", time_print(e->until, end));
                table_add(t, "%s", state_of(e, now));
                table_add(t, "%.*s", SLICE_ARGS(e->owner));
                table_add(t, "%.*s", SLICE_ARGS(e->reason));
                table_add(t, "%.*s", SLICE_ARGS(e->author));
        }
        table_print(t, out);
}

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        struct exemption **ret = rows;
        size_t kept = 0;
        int64_t now = time_now();
        (void)cli;
        int status = ledger_exemptions(l, a, ret, n);
        for (size_t i = 0; status == 0 && i < *n; i++)
                if (all || (!(*ret)[i].removed && (*ret)[i].until > now))
                        (*ret)[kept++] = (*ret)[i];
        *n = kept;
        return status;
}

static void row_json(struct json *j, const char *key, const void *row)
{
        exemption_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = { &list_shape, "exemptions", sizeof(struct exemption),
                                              read_list,   print_table,  row_json };
        return cli_list(&list, argc, argv);
}

static int run_remove(int argc, char **argv)
{
        struct cli cli;
        int status;
        uint64_t id;
        if (!cli_parse(&cli, &remove_shape, argc, argv, &status))
                return status;
        if (!reason || !*reason)
                return cli_fail(EXIT_USAGE, "exemption remove: --reason is missing");
        if (!slice_u64(slice_of(cli.words[0]), INT64_MAX, &id))
                return cli_fail(EXIT_USAGE, "exemption remove: %s: is no number (see exemption list)", cli.words[0]);
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "exemption remove", client_exemption_remove(c, (int64_t)id, slice_of(reason)))
                 : status;
}

int cmd_exemption(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },
                { "list", &list_shape, run_list },
                { "remove", &remove_shape, run_remove },
        };
        return cli_dispatch("exemption", verbs, COUNT_OF(verbs), argc, argv);
}
