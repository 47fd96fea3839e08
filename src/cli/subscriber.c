/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"
#include "cli/mail.h"
#include "cli/subscriber.h"
#include "ledger/json.h"
#include "ledger/line.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20 };

/* --- add, set --- */

static const char *name, *class, *port25, *language, *email, *phone, *post, *never_cut;
static const char *lines[CLI_VALUES_MOST], *addresses[CLI_VALUES_MOST], *drop_lines[CLI_VALUES_MOST],
    *drop_addresses[CLI_VALUES_MOST], *limits[CLI_VALUES_MOST];
static size_t n_lines, n_addresses, n_drop_lines, n_drop_addresses, n_limits;

#define FIELDS                                                                                                         \
        { .name = "name", .argument = "TEXT", .help = "the customer's name", .value = &name },                         \
            { .name = "class", .argument = "CLASS", .help = "his own class; none: his pool's", .value = &class },      \
            { .name = "port25",                                                                                        \
              .argument = "STRATEGY",                                                                                  \
              .help = "his own strategy; none: his class's",                                                           \
              .value = &port25 },                                                                                      \
            { .name = "language", .argument = "TAG", .help = "for notices: pt-BR, en", .value = &language },           \
            { .name = "email", .argument = "ADDRESS", .help = "where notices go", .value = &email },                   \
            { .name = "phone", .argument = "NUMBER", .help = "", .value = &phone },                                    \
            { .name = "post", .argument = "TEXT", .help = "postal address", .value = &post },                          \
            { .name = "never-cut",                                                                                     \
              .argument = "yes|no",                                                                                    \
              .help = "no quarantine without a second person",                                                         \
              .value = &never_cut },                                                                                   \
            { .name = "line",                                                                                          \
              .argument = "KIND:VALUE",                                                                                \
              .help = "user, circuit, remote, mac, duid, vlan, static, inside; repeatable",                            \
              .values = lines,                                                                                         \
              .n_values = &n_lines },                                                                                  \
            { .name = "limit",                                                                                         \
              .argument = "NAME=VALUE",                                                                                \
              .help = "of each of his mailboxes: see mailbox add; repeatable",                                         \
              .values = limits,                                                                                        \
              .n_values = &n_limits },                                                                                 \
        {                                                                                                              \
                .name = "address", .argument = "PREFIX", .help = "a fixed address; repeatable", .values = addresses,   \
                .n_values = &n_addresses                                                                               \
        }

static const struct cli_option add_options[] = { FIELDS };
static const struct cli_option set_options[] = {
        FIELDS,
        { .name = "drop-line",
          .argument = "KIND:VALUE",
          .help = "no longer his; repeatable",
          .values = drop_lines,
          .n_values = &n_drop_lines },
        { .name = "drop-address",
          .argument = "PREFIX",
          .help = "no longer his; repeatable",
          .values = drop_addresses,
          .n_values = &n_drop_addresses },
};
static const struct cli_shape add_shape = {
        "subscriber add ID [--class CLASS] [--line KIND:VALUE]... [--address PREFIX]... [...]", add_options,
        COUNT_OF(add_options), 1, 1
};
static const struct cli_shape set_shape = {
        "subscriber set ID [...] [--drop-line KIND:VALUE]... [--drop-address PREFIX]...", set_options,
        COUNT_OF(set_options), 1, 1
};

const char *subscriber_class_wrong(const struct policy *p, struct slice wanted, struct buf *text)
{
        size_t least = 3, near = p ? p->n_classes : 0;
        if (!p || wanted.n == 0 || policy_find_class(p, wanted) < p->n_classes)
                return NULL;
        for (size_t i = 0; i < p->n_classes; i++) {
                size_t n = slice_distance(wanted, p->classes[i].name, least);
                if (n < least) {
                        least = n;
                        near = i;
                }
        }
        buf_clear(text);
        buf_addf(text, "class %.*s: the policy has no such class", SLICE_ARGS(wanted));
        if (near < p->n_classes)
                buf_addf(text, ": did you mean %.*s?", SLICE_ARGS(p->classes[near].name));
        return buf_cstr(text);
}

static int take_class(const struct cli *cli, struct subscriber_change *c)
{
        autobuf text;
        buf_init(&text, 1024);
        if (!class)
                return EXIT_DONE;
        c->class = true;
        c->value.class = slice_eq(slice_of(class), S("none")) ? S("") : slice_of(class);
        if (c->value.class.n == 0)
                return EXIT_DONE;
        autodiags *d = diags_new();
        struct policy *p;
        int status = cli_policy_of_people(cli, d, &p);
        if (status)
                return status;
        if (!p)
                fprintf(stderr, "porteiro: warning: class %s is not checked: no policy is in force yet\n", class);
        const char *wrong = subscriber_class_wrong(p, c->value.class, &text);
        policy_free(p);
        return wrong ? cli_fail(EXIT_NO, "%s", wrong) : EXIT_DONE;
}

static int take_lists(struct subscriber_change *c, struct arena *a)
{
        struct {
                const char *const *texts;
                size_t n;
                struct line **ret;
                size_t *ret_n;
        } kinds[] = { { lines, n_lines, &c->add_lines, &c->n_add_lines },
                      { drop_lines, n_drop_lines, &c->drop_lines, &c->n_drop_lines } };
        struct {
                const char *const *texts;
                size_t n;
                struct prefix **ret;
                size_t *ret_n;
        } prefixes[] = { { addresses, n_addresses, &c->add_addresses, &c->n_add_addresses },
                         { drop_addresses, n_drop_addresses, &c->drop_addresses, &c->n_drop_addresses } };
        for (size_t k = 0; k < 2; k++) {
                *kinds[k].ret = arena_alloc(a, (kinds[k].n + 1) * sizeof(struct line));
                for (size_t i = 0; i < kinds[k].n; i++) {
                        const char *wrong = line_parse(slice_of(kinds[k].texts[i]), a, &(*kinds[k].ret)[i]);
                        if (wrong)
                                return cli_fail(EXIT_USAGE, "--line: %s: %s", kinds[k].texts[i], wrong);
                }
                *kinds[k].ret_n = kinds[k].n;
                *prefixes[k].ret = arena_alloc(a, (prefixes[k].n + 1) * sizeof(struct prefix));
                for (size_t i = 0; i < prefixes[k].n; i++)
                        if (!cli_prefix("--address", prefixes[k].texts[i], &(*prefixes[k].ret)[i]))
                                return EXIT_USAGE;
                *prefixes[k].ret_n = prefixes[k].n;
        }
        return EXIT_DONE;
}

static void take_text(const char *given, struct slice *value, bool *set)
{
        if (!given)
                return;
        *value = slice_of(given);
        *set = true;
}

static int take_fields(const struct cli *cli, struct subscriber_change *c, struct arena *a)
{
        take_text(name, &c->value.name, &c->name);
        take_text(language, &c->value.language, &c->language);
        take_text(email, &c->value.email, &c->email);
        take_text(phone, &c->value.phone, &c->phone);
        take_text(post, &c->value.post, &c->post);
        if (port25) {
                c->port25 = true;
                c->value.port25 = strategy_of(slice_of(port25));
                if (c->value.port25 == STRATEGY_NONE && strcmp(port25, "none") != 0)
                        return cli_fail(EXIT_USAGE, "--port25: %s: open, observe, shift, divert, trap, block or none",
                                        port25);
        }
        if (never_cut && !cli_yes_no(slice_of(never_cut), &c->value.never_cut))
                return cli_fail(EXIT_USAGE, "--never-cut: %s: yes or no", never_cut);
        c->never_cut = never_cut != NULL;
        if (!mail_take_limits(limits, n_limits, &c->value.limits, c->limits))
                return EXIT_USAGE;
        int status = take_lists(c, a);
        return status ? status : take_class(cli, c);
}

static int write_one(int argc, char **argv, const struct cli_shape *shape, enum subscriber_mode mode)
{
        struct cli cli;
        int status;
        if (!cli_parse(&cli, shape, argc, argv, &status))
                return status;
        autoarena *a = arena_new(ARENA);
        struct subscriber_change change = { .value = { .id = slice_of(cli.words[0]), .port25 = STRATEGY_NONE } };
        status = take_fields(&cli, &change, a);
        if (status)
                return status;
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "subscriber", client_subscriber(c, &change, mode)) : status;
}

static int run_add(int argc, char **argv)
{
        return write_one(argc, argv, &add_shape, SUBSCRIBER_ADD);
}

static int run_set(int argc, char **argv)
{
        return write_one(argc, argv, &set_shape, SUBSCRIBER_SET);
}

/* --- show --- */

static const struct cli_shape show_shape = { "subscriber show ID", NULL, 0, 1, 1 };

struct shown {
        struct subscriber subscriber;
        struct quarantine *quarantines;
        struct exemption *exemptions; /* of everybody */
        struct told *told;
        struct mailbox *mailboxes;
        size_t n_quarantines, n_exemptions, n_told, n_mailboxes;
};

static int read_shown(struct ledger *l, struct arena *a, struct slice id, struct shown *s)
{
        int status = ledger_subscriber(l, a, id, &s->subscriber);
        if (status == 0)
                status = ledger_quarantines(l, a, id, 0, false, &s->quarantines, &s->n_quarantines);
        if (status == 0)
                status = ledger_exemptions(l, a, &s->exemptions, &s->n_exemptions);
        if (status == 0)
                status =
                    ledger_mailboxes(l, a, &(struct mail_query){ .subscriber = id }, &s->mailboxes, &s->n_mailboxes);
        return status ? status : ledger_told(l, a, id, &s->told, &s->n_told);
}

static void print_lease(const struct lease *l, struct buf *out)
{
        char prefix[PREFIX_TEXT_MAX], start[TIME_TEXT_MAX];
        buf_addf(out, "%-16s %s", "address", prefix_print(&l->prefix, prefix));
        if (l->port_high)
                buf_addf(out, " ports %u-%u", l->port_low, l->port_high);
        buf_adds(out, ", ");
        buf_add_shown(out, l->source);
        buf_addf(out, ", since %s on ", time_print(l->start, start));
        buf_add_shown(out, l->line.kind);
        buf_addc(out, ':');
        buf_add_shown(out, l->line.value);
        buf_addc(out, '\n');
}

static void print_decisions(const struct shown *s, struct buf *out)
{
        char text[TIME_TEXT_MAX];
        int64_t now = time_now();
        for (size_t i = 0; i < s->n_told; i++) {
                buf_addf(out, "%-16s %s by ", "told", time_print(s->told[i].at, text));
                buf_add_shown(out, s->told[i].by);
                if (s->told[i].note.n)
                        buf_adds(out, ": ");
                buf_add_shown(out, s->told[i].note);
                buf_addc(out, '\n');
        }
        for (size_t i = 0; i < s->n_exemptions; i++) {
                const struct exemption *e = &s->exemptions[i];
                if (!slice_eq(e->subscriber, s->subscriber.id) || e->removed || e->until <= now)
                        continue;
                buf_addf(out, "%-16s number %lld until %s: ", "exempt", (long long)e->id, time_print(e->until, text));
                buf_add_shown(out, e->reason);
                buf_addc(out, '\n');
        }
        for (size_t i = 0; i < s->n_quarantines; i++) {
                const struct quarantine *q = &s->quarantines[i];
                if (q->released || q->until <= now)
                        continue;
                buf_addf(out, "%-16s number %lld %s, level %s, until %s: ", "quarantine", (long long)q->id,
                         q->proposed ? "proposed" : "in force", level_name(q->level), time_print(q->until, text));
                buf_add_shown(out, q->reason);
                buf_addc(out, '\n');
        }
}

static void print_mail(const struct shown *s, struct buf *out)
{
        autobuf text;
        buf_init(&text, 1024);
        mail_limits_print(&s->subscriber.limits, &text);
        show_field(out, "limits", buf_slice(&text));
        show_suspension(out, "suspended", &s->subscriber.suspension);
        for (size_t i = 0; i < s->n_mailboxes; i++) {
                buf_clear(&text);
                buf_addf(&text, "%.*s%s%s", SLICE_ARGS(s->mailboxes[i].address),
                         s->mailboxes[i].principal ? ", principal" : "",
                         suspension_stops(&s->mailboxes[i].suspension) ? ", suspended"
                         : s->mailboxes[i].suspension.since            ? ", limited"
                                                                       : "");
                show_field(out, "mailbox", buf_slice(&text));
        }
}

static void print_shown(const struct shown *s, struct buf *out)
{
        const struct subscriber *v = &s->subscriber;
        show_field(out, "subscriber", v->id);
        show_field(out, "name", v->name);
        show_field(out, "class", v->class.n ? v->class : S("(his pool's)"));
        if (v->port25 != STRATEGY_NONE)
                show_field(out, "port25", slice_of(strategy_name(v->port25)));
        show_field(out, "language", v->language);
        show_field(out, "email", v->email);
        show_field(out, "phone", v->phone);
        show_field(out, "post", v->post);
        if (v->never_cut)
                show_field(out, "never-cut", S("yes"));
        for (size_t i = 0; i < v->n_lines; i++) {
                autobuf text;
                buf_init(&text, 1024);
                line_print(&v->lines[i], &text);
                show_field(out, "line", buf_slice(&text));
        }
        for (size_t i = 0; i < v->n_leases; i++)
                print_lease(&v->leases[i], out);
        print_mail(s, out);
        print_decisions(s, out);
}

static void shown_json(const struct shown *s, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        subscriber_json(&j, "subscriber", &s->subscriber);
        json_array(&j, "mailboxes");
        for (size_t i = 0; i < s->n_mailboxes; i++)
                mailbox_json(&j, NULL, &s->mailboxes[i]);
        json_array_end(&j);
        json_array(&j, "quarantines");
        for (size_t i = 0; i < s->n_quarantines; i++)
                quarantine_json(&j, NULL, &s->quarantines[i]);
        json_array_end(&j);
        json_array(&j, "exemptions");
        for (size_t i = 0; i < s->n_exemptions; i++)
                if (slice_eq(s->exemptions[i].subscriber, s->subscriber.id))
                        exemption_json(&j, NULL, &s->exemptions[i]);
        json_array_end(&j);
        json_array(&j, "told");
        for (size_t i = 0; i < s->n_told; i++) {
                json_object(&j, NULL);
                json_time(&j, "at", s->told[i].at);
                json_string(&j, "by", s->told[i].by);
                json_string(&j, "note", s->told[i].note);
                json_string(&j, "author", s->told[i].author);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

static int run_show(int argc, char **argv)
{
        struct cli cli;
        int status;
        if (!cli_parse(&cli, &show_shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, NULL, &status);
        if (!l)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        struct shown s = { .n_told = 0 };
        int failed = read_shown(l, a, slice_of(cli.words[0]), &s);
        if (failed == -ENOENT)
                return cli_fail(EXIT_NO, "subscriber %s is not known", cli.words[0]);
        if (failed)
                return cli_ledger_failed(l, failed);
        cli_zone(&cli);
        if (cli.json)
                shown_json(&s, &out);
        else
                print_shown(&s, &out);
        return cli_print(&out);
}

/* --- list --- */

static const struct cli_option list_options[] = { CLI_PAGE("ID") };
static const struct cli_shape list_shape = { "subscriber list [--after ID] [--most N]", list_options,
                                             COUNT_OF(list_options), 0, 0 };

static void add_prefixes(struct table *t, const struct subscriber *v)
{
        enum { SHOWN = 3 };
        autobuf text;
        char prefix[PREFIX_TEXT_MAX];
        buf_init(&text, 4096);
        for (size_t i = 0; i < v->n_leases && i < SHOWN; i++)
                buf_addf(&text, "%s%s", i ? " " : "", prefix_print(&v->leases[i].prefix, prefix));
        if (v->n_leases > SHOWN)
                buf_addf(&text, " and %zu more", v->n_leases - SHOWN);
        table_add(t, "%s", buf_cstr(&text));
}

static void print_list(const void *rows, size_t n, struct buf *out)
{
        static const char *const titles[] = { "subscriber", "name",  "class",        "port25",
                                              "never-cut",  "lines", "addresses now" };
        const struct subscriber *all = rows;
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%.*s", SLICE_ARGS(all[i].id));
                table_add(t, "%.*s", SLICE_ARGS(all[i].name));
                table_add(t, "%.*s", SLICE_ARGS(all[i].class));
                table_add(t, "%s", all[i].port25 == STRATEGY_NONE ? "" : strategy_name(all[i].port25));
                table_add(t, "%s", all[i].never_cut ? "yes" : "");
                table_add(t, "%zu", all[i].n_lines);
                add_prefixes(t, &all[i]);
        }
        table_print(t, out);
        cli_page_end(n, "subscriber", "subscribers", n ? all[n - 1].id : S(""), out);
}

static int read_list(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n)
{
        size_t most;
        (void)cli;
        if (!cli_page(&most))
                return 1;
        return cli_after || most ? ledger_subscribers_page(l, a, slice_of(cli_after), most, rows, n)
                                 : ledger_subscribers(l, a, rows, n);
}

static void row_json(struct json *j, const char *key, const void *row)
{
        subscriber_json(j, key, row);
}

static int run_list(int argc, char **argv)
{
        static const struct cli_list list = { &list_shape, "subscribers", sizeof(struct subscriber),
                                              read_list,   print_list,    row_json };
        return cli_list(&list, argc, argv);
}

/* --- remove, suspend, told --- */

static const char *reason, *by, *at, *note;
static const struct cli_option remove_options[] = {
        { .name = "reason", .argument = "TEXT", .help = "for the audit trail", .value = &reason }
};
static const struct cli_shape remove_shape = { "subscriber remove ID [--reason TEXT]", remove_options,
                                               COUNT_OF(remove_options), 1, 1 };
static const struct cli_option told_options[] = {
        { .name = "by", .argument = "email|letter|phone|sms|portal", .help = "how he was told", .value = &by },
        { .name = "at", .argument = "TIME", .help = "when (default: now)", .value = &at },
        { .name = "note", .argument = "TEXT", .help = "what he was told, or by whom", .value = &note },
};
static const struct cli_shape told_shape = {
        "subscriber told ID --by email|letter|phone|sms|portal [--at TIME] [--note TEXT]", told_options,
        COUNT_OF(told_options), 1, 1
};

static const struct cli_shape suspend_shape = { "subscriber suspend ID --reason TEXT [--for DURATION] [--to N]",
                                                mail_suspend_options, MAIL_SUSPEND_OPTIONS, 1, 1 };
static const struct cli_shape resume_shape = { "subscriber resume ID", NULL, 0, 1, 1 };

static int run_remove(int argc, char **argv)
{
        static const struct mail_act act = { &remove_shape, "subscriber remove", &reason, false,
                                             client_subscriber_remove };
        return mail_act(&act, argc, argv);
}

static int run_suspend(int argc, char **argv)
{
        static const struct mail_suspend s = { &suspend_shape, "subscriber suspend", client_subscriber_suspend_until };
        return mail_suspend(&s, argc, argv);
}

static int run_resume(int argc, char **argv)
{
        static const struct mail_act act = { &resume_shape, "subscriber resume", &reason, false,
                                             client_subscriber_suspend };
        return mail_act(&act, argc, argv);
}

static int run_told(int argc, char **argv)
{
        struct cli cli;
        int64_t when = time_now();
        int status;
        if (!cli_parse(&cli, &told_shape, argc, argv, &status))
                return status;
        if (!by)
                return cli_fail(EXIT_USAGE, "subscriber told: --by email|letter|phone|sms|portal is missing");
        cli_zone(&cli);
        if (at && !cli_time("--at", at, TIME_FIRST_INSTANT, &when))
                return EXIT_USAGE;
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "subscriber told",
                              client_told(c, slice_of(cli.words[0]), slice_of(by), when, slice_of(note)))
                 : status;
}

int cmd_subscriber(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },
                { "set", &set_shape, run_set },
                { "show", &show_shape, run_show },
                { "list", &list_shape, run_list },
                { "remove", &remove_shape, run_remove },
                { "suspend", &suspend_shape, run_suspend },
                { "resume", &resume_shape, run_resume },
                { "told", &told_shape, run_told },
                { "import", &subscriber_import_shape, subscriber_import },
                { "export", &subscriber_export_shape, subscriber_export },
        };
        return cli_dispatch("subscriber", verbs, COUNT_OF(verbs), argc, argv);
}
