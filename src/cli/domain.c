/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"
#include "cli/mail.h"
#include "ledger/json.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 256 << 20, OUT = 64 << 20 };

static const char *abuse, *catch_all, *reason;
#define CATCH_ALL                                                                                                      \
        {                                                                                                              \
                .name = "catch-all", .argument = "ADDRESS|refuse", .help = "where mail to unknown addresses goes",     \
                .value = &catch_all                                                                                    \
        }
static const struct cli_option add_options[] = {
        { .name = "abuse",
          .argument = "ADDRESS",
          .help = "where abuse@ and postmaster@ go (default: the network's abuse desk)",
          .value = &abuse },
        CATCH_ALL,
};
static const struct cli_option set_options[] = { CATCH_ALL };
static const struct cli_option list_options[] = { CLI_PAGE("NAME") };
static const struct cli_option remove_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "for the audit trail", .value = &reason }
};
static const struct cli_shape add_shape = { "domain add NAME [--abuse ADDRESS] [--catch-all ADDRESS|refuse]",
                                            add_options, COUNT_OF(add_options), 1, 1 };
static const struct cli_shape set_shape = { "domain set NAME --catch-all ADDRESS|refuse", set_options,
                                            COUNT_OF(set_options), 1, 1 };
static const struct cli_shape show_shape = { "domain show NAME", NULL, 0, 1, 1 };
static const struct cli_shape list_shape = { "domain list [--after NAME] [--most N]", list_options,
                                             COUNT_OF(list_options), 0, 0 };
static const struct cli_shape remove_shape = { "domain remove NAME [--reason TEXT]", remove_options,
                                               COUNT_OF(remove_options), 1, 1 };

static int put(const struct cli *cli, bool add, struct slice roles)
{
        int status;
        struct slice to = slice_of(catch_all);
        if (slice_eq(to, S("refuse")))
                to = S("");
        autoclient *c = cli_client(cli, &status);
        return c ? mail_answer(c, add ? "domain add" : "domain set",
                               client_domain(c, slice_of(cli->words[0]), add, roles, catch_all ? &to : NULL))
                 : status;
}

static int run_add(int argc, char **argv)
{
        struct cli cli;
        struct mail_rules rules;
        int status;
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        autopolicy *p = NULL;
        autoarena *a = arena_new(ARENA);
        status = mail_policy(&cli, &p, &rules);
        if (status)
                return status;
        /* The desk's own domain cannot point there by itself: the desk's address is what is being made. */
        struct slice roles = abuse ? slice_of(abuse) : p ? p->network.abuse : S(""), domain;
        slice_cut(roles, '@', &domain);
        if (!abuse && slice_ieq(domain, mail_domain(a, cli.words[0])))
                roles = S("");
        return put(&cli, true, roles);
}

static int run_set(int argc, char **argv)
{
        struct cli cli;
        int status;
        if (!cli_parse(&cli, &set_shape, argc, argv, &status))
                return status;
        if (!catch_all)
                return cli_fail(EXIT_USAGE, "domain set: --catch-all ADDRESS|refuse is missing");
        return put(&cli, false, S(""));
}

/* --- show --- */

struct shown {
        struct domain domain;
        struct alias roles[2];
        size_t n_roles;
};

static int read_shown(struct ledger *l, struct arena *a, struct slice name, struct shown *s)
{
        static const char *const names[] = { "abuse", "postmaster" };
        int status = ledger_domain(l, a, name, &s->domain);
        for (size_t i = 0; status == 0 && i < COUNT_OF(names); i++) {
                autobuf address;
                buf_init(&address, 1024);
                buf_addf(&address, "%s@%.*s", names[i], SLICE_ARGS(name));
                status = ledger_alias(l, a, buf_slice(&address), &s->roles[s->n_roles]);
                s->n_roles += status == 0;
        }
        return status;
}

static void print_shown(const struct shown *s, struct buf *out)
{
        char when[TIME_TEXT_MAX];
        show_field(out, "domain", s->domain.name);
        show_field(out, "catch-all", s->domain.catch_all.n ? s->domain.catch_all : S("(refused)"));
        for (size_t i = 0; i < s->n_roles; i++)
                show_targets(out, i ? "postmaster" : "abuse", s->roles[i].targets, s->roles[i].n_targets);
        buf_addf(out, "%-16s %lld\n%-16s %lld\n%-16s %s\n", "mailboxes", (long long)s->domain.mailboxes, "aliases",
                 (long long)s->domain.aliases, "since", time_print(s->domain.created, when));
}

static int run_show(int argc, char **argv)
{
        struct cli cli;
        struct shown s = { .n_roles = 0 };
        int status;
        if (!cli_parse(&cli, &show_shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, NULL, &status);
        if (!l)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = read_shown(l, a, mail_domain(a, cli.words[0]), &s);
        if (failed == -ENOENT)
                return cli_fail(EXIT_NO, "domain %s is not known", cli.words[0]);
        if (failed)
                return cli_ledger_failed(l, failed);
        cli_zone(&cli);
        if (cli.json) {
                struct json j;
                json_report(&j, &out);
                domain_json(&j, "domain", &s.domain);
                json_array(&j, "roles");
                for (size_t i = 0; i < s.n_roles; i++)
                        alias_json(&j, NULL, &s.roles[i]);
                json_array_end(&j);
                json_report_end(&j);
        } else
                print_shown(&s, &out);
        return cli_print(&out);
}

/* --- list, remove --- */

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        struct mail_query q = { .after = cli_after ? mail_domain(a, cli_after) : S("") };
        (void)cli;
        return cli_page(&q.most) ? ledger_domains(l, a, &q, rows, n) : 1;
}

static void print_list(const void *rows, size_t n, struct buf *out)
{
        static const char *const titles[] = { "domain", "mailboxes", "aliases", "catch-all" };
        const struct domain *all = rows;
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%.*s", SLICE_ARGS(all[i].name));
                table_add(t, "%lld", (long long)all[i].mailboxes);
                table_add(t, "%lld", (long long)all[i].aliases);
                table_add(t, "%.*s", SLICE_ARGS(all[i].catch_all.n ? all[i].catch_all : S("(refused)")));
        }
        table_print(t, out);
        cli_page_end(n, "domain", "domains", n ? all[n - 1].name : S(""), out);
}

static void row_json(struct json *j, const char *key, const void *row)
{
        domain_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = { &list_shape, "domains",  sizeof(struct domain),
                                              read_list,   print_list, row_json };
        return cli_list(&list, argc, argv);
}

static int run_remove(int argc, char **argv)
{
        static const struct mail_act act = { &remove_shape, "domain remove", &reason, false, client_domain_remove };
        return mail_act(&act, argc, argv);
}

int cmd_domain(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },          { "set", &set_shape, run_set },
                { "show", &show_shape, run_show },       { "list", &list_shape, run_list },
                { "remove", &remove_shape, run_remove },
        };
        return cli_dispatch("domain", verbs, COUNT_OF(verbs), argc, argv);
}
