/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report`: files of mail logs → what they add up to. */
#include "cli/maillog_files.h"
#include "cli/maillog.h"
#include "cli/maillog_suspects.h"
#include "maillog/customers.h"
#include "maillog/tally.h"
#include "maillog/zone.h"

#include <stdio.h>

enum { OUT = 64 << 20, TOP_MOST = 1000, TOP_DEFAULT = 10 };

static const char *zone, *top, *rules_file, *unparsed;
static const struct cli_option options[] = {
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
        { .name = "top", .argument = "N", .help = "how many of each list (default: 10)", .value = &top },
        { .name = "rules",
          .argument = "FILE",
          .help = "its mail-rules and mail-limits, instead of those of the policy",
          .value = &rules_file },
        { .name = "unparsed", .help = "only the lines that are not understood", .value = &unparsed },
};
const struct cli_shape maillog_report_shape = {
        "maillog report FILE... [--zone NAME] [--top N] [--rules FILE] [--unparsed]", options, COUNT_OF(options), 1, 16
};

struct report {
        struct cli cli;
        struct maillog_files files;
        const struct categories *categories;
        struct customers *customers; /* NULL: there is no ledger */
        struct maillog_tally *tally;
        size_t top;
};

static void print_unparsed(const struct batch *b)
{
        autobuf shown;
        buf_init(&shown, SIZE_MAX);
        for (size_t i = 0; i < b->n_unparsed; i++) {
                buf_add_shown(&shown, b->unparsed[i]);
                buf_addc(&shown, '\n');
        }
        fwrite(buf_cstr(&shown), 1, shown.n, stdout);
}

static struct slice subscriber(void *arg, struct slice client, int64_t at)
{
        const struct report *r = arg;
        return customers_of(r->customers, client, at);
}

static void apply(void *arg, struct batch *b)
{
        struct report *r = arg;
        print_unparsed(b);
        maillog_tally_batch(r->tally, b);
}

/* --- sums: one row for text and JSON --- */

static const struct {
        const char *key, *text;
        size_t at;
        bool always;
} sums[] = {
        { "messages", "messages received", offsetof(struct maillog_totals, messages), true },
        { "recipients", "  for so many recipients", offsetof(struct maillog_totals, recipients), true },
        { "message_bytes", "  of so many bytes", offsetof(struct maillog_totals, size), true },
        { "made", "messages made here: bounces, forwards", offsetof(struct maillog_totals, made), true },
        { "delivered", "delivered", offsetof(struct maillog_totals, delivered), true },
        { "forwarded", "forwarded", offsetof(struct maillog_totals, forwarded), true },
        { "deferred", "deferred: attempts that will be made again", offsetof(struct maillog_totals, deferred), true },
        { "bounced", "bounced", offsetof(struct maillog_totals, bounced), true },
        { "expired", "given up as too old", offsetof(struct maillog_totals, expired), true },
        { "handed", "handed to a content filter: no deliveries", offsetof(struct maillog_totals, handed), true },
        { "spam", "found to be spam by a filter", offsetof(struct maillog_totals, spam), true },
        { "virus", "found to be a virus by a filter", offsetof(struct maillog_totals, virus), true },
        { "under_way", "still on their way at the end", offsetof(struct maillog_totals, under_way), true },
        { "odd", "refusals that could be read in two ways: somebody plays tricks", offsetof(struct maillog_totals, odd),
          false },
        { "early", "messages let go too early: more are open than are kept", offsetof(struct maillog_totals, early),
          false },
        { "names_lost", "times a name came that there was no room for", offsetof(struct maillog_totals, names_lost),
          false },
        { "hours_lost", "counts in hours more than a year from the first", offsetof(struct maillog_totals, hours_lost),
          false },
};

static uint64_t sum_of(const struct maillog_totals *t, size_t i)
{
        uint64_t n;
        memcpy(&n, (const char *)t + sums[i].at, sizeof n);
        return n;
}

/* In parts of `of`, rounded down: one line that is not understood is seen. */
static double share(const struct maillog_totals *t, uint64_t of)
{
        const struct batch_sums *l = &t->lines;
        uint64_t all = l->understood + l->unknown + l->broken;
        return (double)(all ? (uint64_t)((__uint128_t)l->understood * of / all) : of) / (double)of;
}

static const struct list {
        const char *key, *title;
        enum maillog_who who;
        enum maillog_by by;
} lists[] = { { "logins", "Logins that sent most", MAILLOG_LOGINS, MAILLOG_BY_MESSAGES },
              { "clients", "Clients that sent most", MAILLOG_CLIENTS, MAILLOG_BY_MESSAGES },
              { "refused_clients", "Clients that were refused most", MAILLOG_CLIENTS, MAILLOG_BY_REFUSED },
              { "guessing_clients", "Clients with most failed logins", MAILLOG_CLIENTS, MAILLOG_BY_AUTH_FAILED },
              { "subscribers", "Subscribers that sent most", MAILLOG_SUBSCRIBERS, MAILLOG_BY_MESSAGES },
              { "domains", "Sender domains that sent most", MAILLOG_DOMAINS, MAILLOG_BY_MESSAGES },
              { "bounce_reasons", "Why deliveries bounced", MAILLOG_REASONS, MAILLOG_BY_BOUNCED },
              { "deferral_reasons", "Why deliveries were put off", MAILLOG_REASONS, MAILLOG_BY_DEFERRED },
              { "remote_refusals", "Remote servers that say we send spam", MAILLOG_REASONS, MAILLOG_BY_REMOTE } };

/* --- text --- */

static const char *const first_columns[] = { "client", "login", "subscriber", "domain", "reason" };

static void add_counts(struct table *t, const struct maillog_counts *c)
{
        const uint32_t cells[] = { c->messages, c->recipients, c->delivered,   c->deferred,
                                   c->bounced,  c->refused,    c->auth_failed, c->remote };
        for (size_t i = 0; i < COUNT_OF(cells); i++)
                table_add(t, "%u", cells[i]);
}

static struct table *counts_table(const char *first)
{
        const char *const titles[] = { first,     "messages", "recipients",  "delivered",       "deferred",
                                       "bounced", "refused",  "auth failed", "remote says spam" };
        return table_new(COUNT_OF(titles), titles);
}

static void print_suspects(const struct report *r, struct buf *out)
{
        static const char *const titles[] = { "who", "since", "of it", "at once", "limit" };
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(r->tally), &v);
        if (!n)
                return;
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n && i < r->top; i++) {
                char since[TIME_TEXT_MAX];
                table_add(t, "%.*s", SLICE_ARGS(v[i]->key));
                table_add(t, "%.16s", time_print(v[i]->since, since));
                table_add(t, "%llu", (unsigned long long)v[i]->total);
                table_add(t, "%llu", (unsigned long long)v[i]->count);
                table_add(t, "%.*s", SLICE_ARGS(v[i]->limit->name));
        }
        buf_addf(out, "\nSuspects: %zu that reached a limit\n", n);
        table_print(t, out);
}

static void print_hours(const struct report *r, struct buf *out)
{
        const struct maillog_counts *c;
        int64_t at;
        struct table *t = counts_table("hour");
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                char when[TIME_TEXT_MAX];
                table_add(t, "%.16s", time_print(at, when));
                add_counts(t, c);
        }
        buf_adds(out, "\nBy the hour\n");
        table_print(t, out);
}

static void print_categories(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        buf_addf(out, "%12llu refused\n", (unsigned long long)t->refused);
        for (size_t i = CATEGORY_NONE + 1; i < categories_end(r->categories); i++)
                if (t->found[i])
                        buf_addf(out, "%12llu   %s\n", (unsigned long long)t->found[i],
                                 categories_name(r->categories, i));
        buf_addf(out, "%12llu failed logins\n", (unsigned long long)t->lines.kinds[MAIL_AUTH_FAILED]);
}

static void print_text(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        char from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        if (t->first)
                buf_addf(out, "%s to %s\n", time_print(t->first, from), time_print(t->last, until));
        buf_addf(out, "%12llu lines, %llu bytes; %.2f %% of Postfix's lines understood",
                 (unsigned long long)t->lines.lines, (unsigned long long)t->lines.bytes, 100 * share(t, 10000));
        buf_addf(out, " (%llu not, %llu no lines of a log, %llu too long, %llu of other programs)\n\n",
                 (unsigned long long)t->lines.unknown, (unsigned long long)t->lines.broken,
                 (unsigned long long)r->files.too_long, (unsigned long long)t->lines.foreign);
        for (size_t i = 0; i < COUNT_OF(sums); i++)
                if (sums[i].always || sum_of(t, i))
                        buf_addf(out, "%12llu %s\n", (unsigned long long)sum_of(t, i), sums[i].text);
        print_categories(r, out);
        print_suspects(r, out);
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
                size_t n = maillog_tally_top(r->tally, lists[i].who, lists[i].by, rows, r->top);
                if (!n)
                        continue;
                struct table *table = counts_table(first_columns[lists[i].who]);
                for (size_t k = 0; k < n; k++) {
                        table_add(table, "%.*s", SLICE_ARGS(rows[k].name));
                        add_counts(table, &rows[k].counts);
                }
                buf_addf(out, "\n%s\n", lists[i].title);
                table_print(table, out);
        }
        print_hours(r, out);
}

/* --- JSON --- */

static void counts_json(struct json *j, const struct maillog_counts *c)
{
        json_int(j, "messages", c->messages);
        json_int(j, "recipients", c->recipients);
        json_int(j, "message_bytes", (int64_t)c->bytes);
        json_int(j, "delivered", c->delivered);
        json_int(j, "deferred", c->deferred);
        json_int(j, "bounced", c->bounced);
        json_int(j, "refused", c->refused);
        json_int(j, "auth_failed", c->auth_failed);
        json_int(j, "remote", c->remote);
        json_object_end(j);
}

static void suspects_json(struct json *j, const struct report *r)
{
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(r->tally), &v);
        json_array(j, "suspects");
        for (size_t i = 0; i < n; i++) {
                json_object(j, NULL);
                maillog_suspect_json(j, v[i]);
                json_object_end(j);
        }
        json_array_end(j);
}

static void totals_json(struct json *j, const struct report *r)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        json_object(j, "totals");
        json_int(j, "lines", (int64_t)t->lines.lines);
        json_int(j, "bytes", (int64_t)t->lines.bytes);
        json_int(j, "understood", (int64_t)t->lines.understood);
        json_int(j, "unknown", (int64_t)t->lines.unknown);
        json_int(j, "broken", (int64_t)t->lines.broken);
        json_int(j, "too_long", (int64_t)r->files.too_long);
        json_int(j, "foreign", (int64_t)t->lines.foreign);
        json_real(j, "share", share(t, 1000));
        for (size_t i = 0; i < COUNT_OF(sums); i++)
                json_int(j, sums[i].key, (int64_t)sum_of(t, i));
        json_int(j, "refused", (int64_t)t->refused);
        json_int(j, "auth_failed", (int64_t)t->lines.kinds[MAIL_AUTH_FAILED]);
        json_object_end(j);
        json_object(j, "categories");
        for (size_t i = CATEGORY_NONE + 1; i < categories_end(r->categories); i++)
                json_int(j, categories_name(r->categories, i), (int64_t)t->found[i]);
        json_object_end(j);
}

static void print_json(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        const struct maillog_counts *c;
        struct json j;
        int64_t at;
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        json_report(&j, out);
        json_time(&j, "first", t->first ? t->first : TIME_NEVER);
        json_time(&j, "last", t->first ? t->last : TIME_NEVER);
        totals_json(&j, r);
        suspects_json(&j, r);
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
                size_t n = maillog_tally_top(r->tally, lists[i].who, lists[i].by, rows, r->top);
                json_array(&j, lists[i].key);
                for (size_t k = 0; k < n; k++) {
                        json_object(&j, NULL);
                        json_string(&j, "name", rows[k].name);
                        counts_json(&j, &rows[k].counts);
                }
                json_array_end(&j);
        }
        json_array(&j, "hours");
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                json_object(&j, NULL);
                json_time(&j, "at", at);
                counts_json(&j, c);
        }
        json_array_end(&j);
        json_report_end(&j);
}

/* --- the command --- */

static int take_arguments(struct report *r)
{
        uint64_t n = TOP_DEFAULT;
        if (top && (!slice_u64(slice_of(top), TOP_MOST, &n) || n == 0))
                return cli_fail(EXIT_USAGE, "--top %s: a number from 1 to %d", top, TOP_MOST);
        r->top = (size_t)n;
        cli_zone(&r->cli);
        if (zone && !time_set_zone(slice_of(zone)))
                return cli_fail(EXIT_USAGE, "--zone %s: there is no such zone", zone);
        r->files = (struct maillog_files){ .paths = (const char *const *)r->cli.words,
                                           .n = r->cli.n_words,
                                           .keeps_unparsed = unparsed != NULL,
                                           .keeps_reasons = true,
                                           .shows_progress = isatty(STDERR_FILENO) && !r->cli.json && !unparsed,
                                           .apply = apply,
                                           .arg = r };
        return EXIT_DONE;
}

static int print(const struct report *r)
{
        autobuf out;
        buf_init(&out, OUT);
        if (r->cli.json)
                print_json(r, &out);
        else if (!unparsed)
                print_text(r, &out);
        return cli_print(&out);
}

int maillog_report_run(int argc, char **argv)
{
        struct report r = { 0 };
        int status;
        zone = top = rules_file = unparsed = NULL;
        if (!cli_parse(&r.cli, &maillog_report_shape, argc, argv, &status))
                return status;
        status = take_arguments(&r);
        if (status)
                return status;
        autorules *rules = maillog_rules(&r.cli, rules_file, &status);
        if (!rules)
                return status;
        autoledger *ledger = NULL;
        r.customers = ledger_open(r.cli.state, &ledger) == 0 ? customers_new(ledger) : NULL;
        struct limits_who who = { .subscriber = r.customers ? subscriber : NULL, .arg = &r };
        automaillogtally *tally = maillog_tally_new(rules, who, zone_of_process());
        r.files.categories = r.categories = rules->categories;
        r.tally = tally;
        status = maillog_files_read(&r.files);
        maillog_tally_end(tally);
        bool nothing = status == EXIT_SYSTEM && maillog_tally_totals(tally)->lines.lines == 0; /* told already */
        int printed = nothing ? status : print(&r);
        customers_free(r.customers);
        return printed ? printed : status;
}
