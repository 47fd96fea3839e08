/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog try`: rules and limits on logs of the past → what they would have caught, whom they would have harmed, and since when. */
#include "cli/maillog.h"
#include "cli/maillog_files.h"
#include "cli/maillog_suspects.h"
#include "maillog/customers.h"
#include "maillog/tally.h"
#include "maillog/zone.h"

#include <stdio.h>

enum { OUT = 64 << 20, TOP_MOST = 100000, TOP_DEFAULT = 10, EXAMPLE_MOST = 300, NAME_MOST = 40 };

static const char *zone, *top;
static const struct cli_option options[] = {
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
        { .name = "top", .argument = "N", .help = "how many of each limit (default: 10; --json: all)", .value = &top },
};
const struct cli_shape maillog_try_shape = { "maillog try RULES FILE... [--zone NAME] [--top N]", options,
                                             COUNT_OF(options), 2, CLI_WORDS_MOST };

/* What a mail-rule decided. */
struct hits {
        uint64_t n;
        int64_t first;
        char *example;
};

struct limit_sums {
        uint64_t caught, stopped, harmed;
        int64_t since;
};

struct trial {
        struct cli cli;
        struct maillog_files files;
        const struct rules *rules;
        struct customers *customers;
        const struct policy *policy; /* in force, or of -c: whose addresses are customers; NULL: there is none */
        struct maillog_tally *tally;
        struct hits *hits;
        size_t top;
};

static struct slice subscriber(void *arg, struct slice client, int64_t at)
{
        const struct trial *t = arg;
        return customers_of(t->customers, client, at);
}

static const struct policy *pools(void *arg)
{
        const struct trial *t = arg;
        return t->policy;
}

static void apply(void *arg, struct batch *b)
{
        struct trial *t = arg;
        maillog_tally_batch(t->tally, b);
        for (const struct entry *e = b->v; e < b->v + b->n; e++) {
                if (!e->category || e->rule >= categories_rules(t->rules->categories))
                        continue;
                struct hits *h = &t->hits[e->rule];
                if (!h->n++) {
                        struct slice line = slice_from(b->text, e->line);
                        line.n = slice_find(line, '\n');
                        line.n = line.n < EXAMPLE_MOST ? line.n : EXAMPLE_MOST;
                        h->example = slice_dup(line);
                        h->first = e->at;
                }
        }
}

static struct limit_sums sums_of(const struct trial *t, const struct policy_mail_limit *limit)
{
        struct limit_sums s = { 0 };
        const struct limits_caught *c;
        for (size_t i = 0; (c = limits_next(maillog_tally_limits(t->tally), &i));) {
                if (c->limit != limit)
                        continue;
                s.caught++;
                s.stopped += c->stopped;
                s.harmed += c->harmed;
                if (!s.since || c->since < s.since)
                        s.since = c->since;
        }
        return s;
}

/* --- text --- */

static void print_rules(const struct trial *t, struct buf *out)
{
        const struct policy *p = t->rules->policy;
        for (size_t i = 0; i < p->n_mail_rules; i++) {
                char since[TIME_TEXT_MAX];
                const struct hits *h = &t->hits[i];
                buf_addf(out, "mail-rule \"%.*s\": ", SLICE_ARGS(p->mail_rules[i].name));
                if (!h->n) {
                        buf_addf(out, "nothing\n");
                        continue;
                }
                buf_addf(out, "%llu lines are %.*s, since %.16s, such as\n    ", (unsigned long long)h->n,
                         SLICE_ARGS(p->mail_rules[i].category), time_print(h->first, since));
                buf_add_shown(out, slice_of(h->example));
                buf_addc(out, '\n');
        }
}

static void print_caught(const struct trial *t, const struct policy_mail_limit *limit,
                         const struct limits_caught *const *v, size_t n, struct buf *out)
{
        static const char *const titles[] = {
                "who", "since", "caught", "times", "at least", "stopped", "nobody accused"
        };
        struct table *table = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0, shown = 0; i < n && shown < t->top; i++) {
                char since[TIME_TEXT_MAX], at[TIME_TEXT_MAX];
                if (v[i]->limit != limit)
                        continue;
                shown++;
                table_add_text(table, v[i]->key, NAME_MOST);
                table_add(table, "%.16s", time_print(v[i]->since, since));
                table_add(table, "%.16s", time_print(v[i]->at, at));
                table_add(table, "%llu", (unsigned long long)v[i]->times);
                table_add(table, "%llu", (unsigned long long)maillog_suspect_least(v[i]));
                table_add(table, "%llu", (unsigned long long)v[i]->stopped);
                table_add(table, "%llu", (unsigned long long)v[i]->harmed);
        }
        table_print(table, out);
}

static void print_text(const struct trial *t, struct buf *out)
{
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(t->tally), &v);
        const struct maillog_totals *all = maillog_tally_totals(t->tally);
        char from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
        if (all->first)
                buf_addf(out, "%s to %s\n", time_print(all->first, from), time_print(all->last, until));
        buf_addf(out, "%llu lines, %llu messages\n\n", (unsigned long long)all->lines.lines,
                 (unsigned long long)all->messages);
        print_rules(t, out);
        for (size_t i = 0; i < t->rules->n_limits; i++) {
                const struct policy_mail_limit *limit = t->rules->limits[i].policy;
                struct limit_sums s = sums_of(t, limit);
                buf_addf(out, "\nmail-limit \"%.*s\", by %s, then %s: ", SLICE_ARGS(limit->name),
                         mail_limit_key_name(limit->by), mail_limit_then_name(limit->then));
                if (!s.caught) {
                        buf_adds(out, "nobody\n");
                        continue;
                }
                buf_addf(out, "%llu caught, the first %.16s\n", (unsigned long long)s.caught,
                         time_print(s.since, from));
                buf_addf(out,
                         "    %llu messages came from them while it lasted; %llu of those were delivered, and nobody "
                         "accused\n",
                         (unsigned long long)s.stopped, (unsigned long long)s.harmed);
                print_caught(t, limit, v, n, out);
        }
}

/* --- JSON --- */

static void rules_json(const struct trial *t, struct json *j)
{
        const struct policy *p = t->rules->policy;
        json_array(j, "rules");
        for (size_t i = 0; i < p->n_mail_rules; i++) {
                json_object(j, NULL);
                json_string(j, "name", p->mail_rules[i].name);
                json_string(j, "category", p->mail_rules[i].category);
                json_int(j, "lines", (int64_t)t->hits[i].n);
                json_time(j, "since", t->hits[i].n ? t->hits[i].first : TIME_NEVER);
                json_string(j, "example", slice_of(t->hits[i].example));
                json_object_end(j);
        }
        json_array_end(j);
}

static void print_json(const struct trial *t, struct buf *out)
{
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(t->tally), &v);
        const struct maillog_totals *all = maillog_tally_totals(t->tally);
        struct json j;
        json_report(&j, out);
        json_time(&j, "first", all->first ? all->first : TIME_NEVER);
        json_time(&j, "last", all->first ? all->last : TIME_NEVER);
        json_int(&j, "messages", (int64_t)all->messages);
        rules_json(t, &j);
        json_array(&j, "limits");
        for (size_t i = 0; i < t->rules->n_limits; i++) {
                const struct policy_mail_limit *limit = t->rules->limits[i].policy;
                struct limit_sums s = sums_of(t, limit);
                json_object(&j, NULL);
                json_string(&j, "name", limit->name);
                json_string(&j, "by", slice_of(mail_limit_key_name(limit->by)));
                json_string(&j, "then", slice_of(mail_limit_then_name(limit->then)));
                json_int(&j, "caught", (int64_t)s.caught);
                json_int(&j, "stopped", (int64_t)s.stopped);
                json_int(&j, "harmed", (int64_t)s.harmed);
                json_time(&j, "since", s.since ? s.since : TIME_NEVER);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_array(&j, "caught");
        for (size_t i = 0; i < n; i++) {
                json_object(&j, NULL);
                maillog_suspect_json(&j, v[i]);
                json_int(&j, "stopped", (int64_t)v[i]->stopped);
                json_int(&j, "harmed", (int64_t)v[i]->harmed);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

/* --- the command --- */

static int take_arguments(struct trial *t)
{
        uint64_t n = TOP_DEFAULT;
        if (top && (!slice_u64(slice_of(top), TOP_MOST, &n) || n == 0))
                return cli_fail(EXIT_USAGE, "--top %s: a number from 1 to %d", top, TOP_MOST);
        t->top = (size_t)n;
        t->files = (struct maillog_files){ .paths = t->cli.words + 1,
                                           .n = t->cli.n_words - 1,
                                           .shows_progress = isatty(STDERR_FILENO) && !t->cli.json,
                                           .apply = apply,
                                           .arg = t };
        return EXIT_DONE;
}

static int print(const struct trial *t)
{
        autobuf out;
        buf_init(&out, OUT);
        if (t->cli.json)
                print_json(t, &out);
        else
                print_text(t, &out);
        return cli_print(&out);
}

int maillog_try_run(int argc, char **argv)
{
        struct trial t = { 0 };
        int status;
        zone = top = NULL;
        if (!cli_parse(&t.cli, &maillog_try_shape, argc, argv, &status))
                return status;
        status = take_arguments(&t);
        if (status)
                return status;
        autopolicy *policy = cli_policy_if_any(&t.cli);
        autorules *rules = maillog_rules(&t.cli, t.cli.words[0], &status);
        t.policy = policy;
        status = rules ? maillog_set_zone(&t.cli, zone) : status;
        if (status)
                return status;
        autoledger *ledger = NULL;
        t.customers = ledger_open(t.cli.state, &ledger) == 0 ? customers_new(ledger, TIME_NEVER) : NULL;
        struct limits_who who = {
                .subscriber = t.customers ? subscriber : NULL, .arg = &t, .pools = pools, .weighs = true
        };
        automaillogtally *tally = maillog_tally_new(rules, who, zone_of_process());
        size_t n_rules = categories_rules(rules->categories);
        t.rules = rules;
        t.files.categories = rules->categories;
        t.tally = tally;
        t.hits = xcalloc(n_rules + 1, sizeof *t.hits);
        status = maillog_files_read(&t.files);
        maillog_tally_end(tally);
        int printed = print(&t);
        for (size_t i = 0; i < n_rules; i++)
                free(t.hits[i].example);
        free(t.hits);
        customers_free(t.customers);
        return printed ? printed : status;
}
