/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"
#include "cli/mail.h"
#include "ledger/json.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 256 << 20, OUT = 64 << 20 };

static const char *to[CLI_VALUES_MOST], *domain, *reason;
static size_t n_to;
static const struct cli_option put_options[] = {
        { .name = "to", .argument = "ADDRESS", .help = "where it leads; repeatable", .values = to, .n_values = &n_to },
};
static const struct cli_option list_options[] = {
        { .name = "domain", .argument = "NAME", .help = "only those in this domain", .value = &domain },
        CLI_PAGE("ADDRESS"),
};
static const struct cli_option remove_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "for the audit trail", .value = &reason }
};
static const struct cli_shape add_shape = { "alias add ADDRESS --to ADDRESS...", put_options, COUNT_OF(put_options), 1,
                                            1 };
static const struct cli_shape set_shape = { "alias set ADDRESS --to ADDRESS...", put_options, COUNT_OF(put_options), 1,
                                            1 };
static const struct cli_shape show_shape = { "alias show ADDRESS", NULL, 0, 1, 1 };
static const struct cli_shape list_shape = { "alias list [--domain NAME] [--after ADDRESS] [--most N]", list_options,
                                             COUNT_OF(list_options), 0, 0 };
static const struct cli_shape remove_shape = { "alias remove ADDRESS [--reason TEXT]", remove_options,
                                               COUNT_OF(remove_options), 1, 1 };

static int put(int argc, char **argv, const struct cli_shape *shape, bool add)
{
        struct cli cli;
        struct mail_rules rules;
        int status;
        if (!cli_parse(&cli, shape, argc, argv, &status))
                return status;
        if (n_to == 0)
                return cli_fail(EXIT_USAGE, "alias: --to ADDRESS is missing");
        autopolicy *p = NULL;
        autoarena *a = arena_new(ARENA);
        status = mail_policy(&cli, &p, &rules);
        if (status)
                return status;
        autoclient *c = cli_client(&cli, &status);
        if (!c)
                return status;
        struct slice *targets = mail_addresses(a, to, &n_to);
        return mail_answer(c, "alias", client_alias(c, slice_of(cli.words[0]), targets, n_to, add, &rules));
}

static int run_add(int argc, char **argv)
{
        return put(argc, argv, &add_shape, true);
}

static int run_set(int argc, char **argv)
{
        return put(argc, argv, &set_shape, false);
}

/* --- show --- */

static void print_shown(const struct alias *v, const struct pointer *pointers, size_t n, struct buf *out)
{
        char when[TIME_TEXT_MAX];
        show_field(out, "alias", v->address);
        show_targets(out, "to", v->targets, v->n_targets);
        if (v->role)
                show_field(out, "role", S("exists as long as its domain"));
        show_field(out, "since", slice_of(time_print(v->created, when)));
        show_pointers(out, pointers, n);
}

static int run_show(int argc, char **argv)
{
        struct cli cli;
        struct alias v;
        struct pointer *pointers = NULL;
        size_t n = 0;
        int status;
        if (!cli_parse(&cli, &show_shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, NULL, &status);
        if (!l)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = ledger_alias(l, a, mail_address(a, cli.words[0]), &v);
        if (failed == -ENOENT)
                return cli_fail(EXIT_NO, "alias %s is not known", cli.words[0]);
        if (failed == 0)
                failed = ledger_points_to(l, a, v.address, &pointers, &n);
        if (failed)
                return cli_ledger_failed(l, failed);
        cli_zone(&cli);
        if (cli.json) {
                struct json j;
                json_report(&j, &out);
                alias_json(&j, "alias", &v);
                pointers_json(&j, "pointers", pointers, n);
                json_report_end(&j);
        } else
                print_shown(&v, pointers, n, &out);
        return cli_print(&out);
}

/* --- list, remove --- */

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        struct mail_query q = { .domain = domain ? mail_domain(a, domain) : S(""),
                                .after = cli_after ? mail_address(a, cli_after) : S("") };
        (void)cli;
        return cli_page(&q.most) ? ledger_aliases(l, a, &q, rows, n) : 1;
}

static void print_list(const void *rows, size_t n, struct buf *out)
{
        static const char *const titles[] = { "alias", "to", "" };
        const struct alias *all = rows;
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%.*s", SLICE_ARGS(all[i].address));
                table_add(t, "%.*s", SLICE_ARGS(all[i].n_targets ? all[i].targets[0] : S("")));
                if (all[i].n_targets > 1)
                        table_add(t, "and %zu more", all[i].n_targets - 1);
                else
                        table_add(t, "%s", "");
        }
        table_print(t, out);
        cli_page_end(n, "alias", "aliases", n ? all[n - 1].address : S(""), out);
}

static void row_json(struct json *j, const char *key, const void *row)
{
        alias_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = { &list_shape, "aliases",  sizeof(struct alias),
                                              read_list,   print_list, row_json };
        return cli_list(&list, argc, argv);
}

static int run_remove(int argc, char **argv)
{
        static const struct mail_act act = { &remove_shape, "alias remove", &reason, false, client_alias_remove };
        return mail_act(&act, argc, argv);
}

int cmd_alias(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },          { "set", &set_shape, run_set },
                { "show", &show_shape, run_show },       { "list", &list_shape, run_list },
                { "remove", &remove_shape, run_remove },
        };
        return cli_dispatch("alias", verbs, COUNT_OF(verbs), argc, argv);
}
