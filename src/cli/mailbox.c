/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/mailbox.h"
#include "cli/list.h"
#include "cli/mail.h"
#include "cli/password.h"
#include "ledger/json.h"
#include "ledger/secrets.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 256 << 20, OUT = 64 << 20 };

/* --- add, set --- */

static const char *subscriber, *name, *principal, *keep, *domain, *reason;
static const char *forwards[CLI_VALUES_MOST], *senders[CLI_VALUES_MOST], *limits[CLI_VALUES_MOST];
static size_t n_forwards, n_senders, n_limits;

#define FIELDS                                                                                                         \
        { .name = "name", .argument = "TEXT", .help = "whose it is, for people", .value = &name },                     \
            { .name = "principal",                                                                                     \
              .argument = "yes|no",                                                                                    \
              .help = "the subscriber's main login (his first one is, until another is)",                              \
              .value = &principal },                                                                                   \
            { .name = "forward",                                                                                       \
              .argument = "ADDRESS",                                                                                   \
              .help = "mail also goes there; repeatable; none: nowhere",                                               \
              .values = forwards,                                                                                      \
              .n_values = &n_forwards },                                                                               \
            { .name = "keep",                                                                                          \
              .argument = "yes|no",                                                                                    \
              .help = "a copy of what is forwarded stays here (default: yes)",                                         \
              .value = &keep },                                                                                        \
            { .name = "sender",                                                                                        \
              .argument = "ADDRESS",                                                                                   \
              .help = "he may also write as this one; *@DOMAIN: as anybody there; repeatable; none: no other",         \
              .values = senders,                                                                                       \
              .n_values = &n_senders },                                                                                \
        {                                                                                                              \
                .name = "limit", .argument = "NAME=VALUE",                                                             \
                .help = "quota, messages-hour, messages-day, recipients-hour, recipients-day: a number, none or "      \
                        "inherit; repeatable",                                                                         \
                .values = limits, .n_values = &n_limits                                                                \
        }

static const struct cli_option add_options[] = {
        { .name = "subscriber", .argument = "ID", .help = "whose it is", .value = &subscriber }, FIELDS
};
static const struct cli_option set_options[] = { FIELDS };
static const struct cli_shape add_shape = {
        "mailbox add ADDRESS --subscriber ID [--name TEXT] [--limit NAME=VALUE]... [...]", add_options,
        COUNT_OF(add_options), 1, 1
};
static const struct cli_shape set_shape = { "mailbox set ADDRESS [--forward ADDRESS]... [--keep yes|no] [...]",
                                            set_options, COUNT_OF(set_options), 1, 1 };

static bool take_yes_no(const char *option, const char *given, bool *value, bool *set)
{
        if (given && !cli_yes_no(slice_of(given), value)) {
                cli_fail(EXIT_USAGE, "--%s: %s: yes or no", option, given);
                return false;
        }
        *set = given != NULL;
        return true;
}

static int write_one(int argc, char **argv, const struct cli_shape *shape, enum mailbox_mode mode)
{
        struct cli cli;
        struct mail_rules rules;
        int status;
        if (!cli_parse(&cli, shape, argc, argv, &status))
                return status;
        if (mode == MAILBOX_ADD && !subscriber)
                return cli_fail(EXIT_USAGE, "mailbox add: --subscriber ID is missing");
        autoarena *a = arena_new(ARENA);
        autopolicy *p = NULL;
        struct mailbox_change c = { .name = name != NULL, .forwards = n_forwards != 0, .senders = n_senders != 0 };
        c.value.address = slice_of(cli.words[0]);
        c.value.subscriber = slice_of(subscriber);
        c.value.name = slice_of(name);
        if (!take_yes_no("principal", principal, &c.value.principal, &c.principal) ||
            !take_yes_no("keep", keep, &c.value.keep, &c.keep) ||
            !mail_take_limits(limits, n_limits, &c.value.limits, c.limits))
                return EXIT_USAGE;
        c.value.forwards = mail_addresses(a, forwards, &n_forwards);
        c.value.n_forwards = n_forwards;
        c.value.senders = mail_addresses(a, senders, &n_senders);
        c.value.n_senders = n_senders;
        status = mail_policy(&cli, &p, &rules);
        if (status)
                return status;
        autoclient *client = cli_client(&cli, &status);
        return client ? mail_answer(client, "mailbox", client_mailbox(client, &c, mode, &rules)) : status;
}

static int run_add(int argc, char **argv)
{
        return write_one(argc, argv, &add_shape, MAILBOX_ADD);
}

static int run_set(int argc, char **argv)
{
        return write_one(argc, argv, &set_shape, MAILBOX_SET);
}

/* --- show --- */

static const struct cli_shape show_shape = { "mailbox show ADDRESS", NULL, 0, 1, 1 };

struct shown {
        struct mailbox mailbox;
        struct credential password;
        struct pointer *pointers;
        size_t n_pointers, n_applications;
        struct limit_found limits[MAIL_LIMIT_COUNT];
        struct policy *policy;
        struct diags *sources; /* of the policy, for places in it */
};

static void find_limits(struct shown *s)
{
        const struct mailbox *m = &s->mailbox;
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                s->limits[i] =
                    mail_limit_find((enum mail_limit)i, &m->limits, &m->subscriber_limits, m->class, s->policy);
}

/* "class home, porteiro.conf:12:5" */
static void limit_origin(const struct shown *s, enum mail_limit which, struct buf *out)
{
        const struct limit_found *f = &s->limits[which];
        buf_adds(out, limit_source_name(f->source));
        if (f->source == LIMIT_SOURCE_CLASS)
                buf_addf(out, " %.*s", SLICE_ARGS(s->mailbox.class));
        if (f->source == LIMIT_SOURCE_SUBSCRIBER)
                buf_addf(out, " %.*s", SLICE_ARGS(s->mailbox.subscriber));
        if (f->source == LIMIT_SOURCE_POLICY && !f->place.line)
                buf_adds(out, ", by default");
        if (f->place.line) {
                buf_adds(out, ", ");
                place_print(s->sources, f->place, out);
        }
}

/* "yescrypt, set 2026-11-24 10:52:49 -0300; 2 of applications": never what it is. */
static void show_password(const struct shown *s, struct buf *out)
{
        autobuf words;
        char text[TIME_TEXT_MAX];
        buf_init(&words, 1024);
        if (s->password.scheme.n)
                buf_addf(&words, "%.*s, set %s", SLICE_ARGS(s->password.scheme), time_print(s->password.set_at, text));
        else
                buf_adds(&words, "none");
        if (s->n_applications)
                buf_addf(&words, "; %zu of applications", s->n_applications);
        show_field(out, "password", buf_slice(&words));
}

static void password_json(const struct shown *s, struct json *j)
{
        if (s->password.scheme.n) {
                json_object(j, "password");
                json_string(j, "scheme", s->password.scheme);
                json_time(j, "set", s->password.set_at);
                json_object_end(j);
        } else
                json_null(j, "password");
        json_int(j, "applications", (int64_t)s->n_applications);
}

static void print_shown(const struct shown *s, struct buf *out)
{
        const struct mailbox *m = &s->mailbox;
        char text[TIME_TEXT_MAX], value[LIMIT_TEXT_MAX];
        show_field(out, "mailbox", m->address);
        show_field(out, "subscriber", m->subscriber);
        show_field(out, "name", m->name);
        show_field(out, "principal", m->principal ? S("yes") : S("no"));
        show_targets(out, "forward", m->forwards, m->n_forwards);
        if (m->n_forwards)
                show_field(out, "keep", m->keep ? S("yes") : S("no"));
        show_targets(out, "sender", m->senders, m->n_senders);
        show_field(out, "since", slice_of(time_print(m->created, text)));
        show_password(s, out);
        show_suspension(out, "suspended", &m->suspension);
        show_suspension(out, "subscriber suspended", &m->subscriber_suspension);
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                enum mail_limit which = (enum mail_limit)i;
                autobuf origin;
                buf_init(&origin, 8192);
                limit_origin(s, which, &origin);
                buf_addf(out, "%-16s %s (", mail_limit_name(which), mail_limit_print(which, s->limits[i].value, value));
                buf_add_shown(out, buf_slice(&origin));
                buf_adds(out, ")\n");
        }
        show_pointers(out, s->pointers, s->n_pointers);
}

static void shown_json(const struct shown *s, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        mailbox_json(&j, "mailbox", &s->mailbox);
        suspension_json(&j, "subscriber_suspended", &s->mailbox.subscriber_suspension);
        json_bool(&j, "may_send",
                  !suspension_stops(&s->mailbox.suspension) && !suspension_stops(&s->mailbox.subscriber_suspension));
        password_json(s, &j);
        json_object(&j, "effective");
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                autobuf origin;
                buf_init(&origin, 8192);
                limit_origin(s, (enum mail_limit)i, &origin);
                json_object(&j, limit_key((enum mail_limit)i));
                if (s->limits[i].value == LIMIT_NONE)
                        json_cstr(&j, "value", "none");
                else
                        json_int(&j, "value", s->limits[i].value);
                json_cstr(&j, "from", limit_source_name(s->limits[i].source));
                json_string(&j, "origin", buf_slice(&origin));
                json_object_end(&j);
        }
        json_object_end(&j);
        pointers_json(&j, "pointers", s->pointers, s->n_pointers);
        json_report_end(&j);
}

static int show(const struct cli *cli, struct shown *s, struct buf *out)
{
        int status;
        autoledger *l = cli_ledger(cli, NULL, &status);
        if (!l)
                return status;
        autoarena *a = arena_new(ARENA);
        struct application *applications;
        struct slice address = mail_address(a, cli->words[0]);
        int failed = ledger_mailbox(l, a, address, &s->mailbox);
        if (failed == -ENOENT)
                return cli_fail(EXIT_NO, "mailbox %s is not known", cli->words[0]);
        if (failed == 0)
                failed = ledger_points_to(l, a, address, &s->pointers, &s->n_pointers);
        if (failed == 0)
                failed = ledger_credential(l, a, s->mailbox.number, &s->password);
        if (failed == 0)
                failed = ledger_applications(l, a, s->mailbox.number, &applications, &s->n_applications);
        if (failed)
                return cli_ledger_failed(l, failed);
        find_limits(s);
        struct generation g;
        if (s->policy && cli_in_force(l, a, TIME_NEVER, &g) == -ENOENT)
                fprintf(stderr,
                        "porteiro: warning: no policy is in force yet: mail servers are told of its limits after"
                        " porteiro apply\n");
        if (cli->json)
                shown_json(s, out);
        else
                print_shown(s, out);
        return cli_print(out);
}

static int run_show(int argc, char **argv)
{
        struct cli cli;
        int status;
        if (!cli_parse(&cli, &show_shape, argc, argv, &status))
                return status;
        autodiags *d = diags_new();
        autobuf out;
        buf_init(&out, OUT);
        struct shown s = { .sources = d };
        status = cli_policy_of_people(&cli, d, &s.policy);
        if (status == EXIT_DONE)
                status = show(&cli, &s, &out);
        policy_free(s.policy);
        return status;
}

/* --- list --- */

static const struct cli_option list_options[] = {
        { .name = "subscriber", .argument = "ID", .help = "only his", .value = &subscriber },
        { .name = "domain", .argument = "NAME", .help = "only those in this domain", .value = &domain },
        CLI_PAGE("ADDRESS"),
};
static const struct cli_shape list_shape = {
        "mailbox list [--subscriber ID | --domain NAME] [--after ADDRESS] [--most N]", list_options,
        COUNT_OF(list_options), 0, 0
};

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        struct mail_query q = { .subscriber = slice_of(subscriber),
                                .domain = domain ? mail_domain(a, domain) : S(""),
                                .after = cli_after ? mail_address(a, cli_after) : S("") };
        (void)cli;
        if (subscriber && domain) {
                cli_fail(EXIT_USAGE, "mailbox list: --subscriber or --domain, not both");
                return 1;
        }
        return cli_page(&q.most) ? ledger_mailboxes(l, a, &q, rows, n) : 1;
}

static void print_list(const void *rows, size_t n, struct buf *out)
{
        static const char *const titles[] = { "mailbox", "subscriber", "principal", "name", "forwards", "suspended" };
        const struct mailbox *all = rows;
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct mailbox *m = &all[i];
                table_add(t, "%.*s", SLICE_ARGS(m->address));
                table_add(t, "%.*s", SLICE_ARGS(m->subscriber));
                table_add(t, "%s", m->principal ? "yes" : "");
                table_add(t, "%.*s", SLICE_ARGS(m->name));
                table_add(t, "%.*s%s", SLICE_ARGS(m->n_forwards ? m->forwards[0] : S("")),
                          m->n_forwards > 1 ? " ..." : "");
                table_add(t, "%s",
                          suspension_stops(&m->suspension)              ? "yes"
                          : suspension_stops(&m->subscriber_suspension) ? "with its subscriber"
                          : m->suspension.since                         ? "limited"
                          : m->subscriber_suspension.since              ? "limited with its subscriber"
                                                                        : "");
        }
        table_print(t, out);
        cli_page_end(n, "mailbox", "mailboxes", n ? all[n - 1].address : S(""), out);
}

static void row_json(struct json *j, const char *key, const void *row)
{
        mailbox_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = { &list_shape, "mailboxes", sizeof(struct mailbox),
                                              read_list,   print_list,  row_json };
        return cli_list(&list, argc, argv);
}

/* --- remove, suspend, resume --- */

static const struct cli_option reason_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "for the audit trail", .value = &reason }
};
static const struct cli_shape remove_shape = { "mailbox remove ADDRESS [--reason TEXT]", reason_options,
                                               COUNT_OF(reason_options), 1, 1 };
static const struct cli_shape suspend_shape = { "mailbox suspend ADDRESS --reason TEXT [--for DURATION] [--to N]",
                                                mail_suspend_options, MAIL_SUSPEND_OPTIONS, 1, 1 };
static const struct cli_shape resume_shape = { "mailbox resume ADDRESS", NULL, 0, 1, 1 };

static int run_remove(int argc, char **argv)
{
        static const struct mail_act act = { &remove_shape, "mailbox remove", &reason, false, client_mailbox_remove };
        return mail_act(&act, argc, argv);
}

static int run_suspend(int argc, char **argv)
{
        static const struct mail_suspend s = { &suspend_shape, "mailbox suspend", client_mailbox_suspend_until };
        return mail_suspend(&s, argc, argv);
}

static int run_resume(int argc, char **argv)
{
        static const struct mail_act act = { &resume_shape, "mailbox resume", &reason, false, client_mailbox_suspend };
        return mail_act(&act, argc, argv);
}

int cmd_mailbox(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },
                { "set", &set_shape, run_set },
                { "show", &show_shape, run_show },
                { "list", &list_shape, run_list },
                { "remove", &remove_shape, run_remove },
                { "suspend", &suspend_shape, run_suspend },
                { "resume", &resume_shape, run_resume },
                { "import", &mailbox_import_shape, mailbox_import },
                { "export", &mailbox_export_shape, mailbox_export },
                { "password", &password_shape, run_password },
                { "check-password", &check_password_shape, run_check_password },
                { "passwords", &passwords_shape, run_passwords },
                { "app-password", &app_password_shape, run_app_password },
        };
        return cli_dispatch("mailbox", verbs, COUNT_OF(verbs), argc, argv);
}
