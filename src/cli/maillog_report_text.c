/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report` for people, at 80 to 120 columns: names are cut, and columns of nothing but zeros are left out. */
#include "cli/maillog_report.h"
#include "cli/maillog_suspects.h"

enum { NAME_MOST = 40, REASON_MOST = 100, LIMIT_MOST = 60, COUNTERS_MOST = 16 };

static const char *title_of(const struct report_counter *c)
{
        return c->text[GRAPH_ENGLISH];
}

/* --- sums --- */

static void print_head(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        char from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
        if (t->first)
                buf_addf(out, "%s to %s\n", time_print(t->first, from), time_print(t->last, until));
        buf_addf(out, "%.2f %% of the lines of mail servers were understood\n", 100 * report_share(r, 10000));
}

static void print_sums(const struct report *r, enum report_about about, struct buf *out)
{
        bool any = false;
        for (size_t i = 0; i < report_sums_n; i++) {
                const struct report_sum *s = &report_sums[i];
                uint64_t n = report_sum_of(r, s);
                if (s->about != about || (!n && !s->always))
                        continue;
                buf_addf(out, "%s%12llu %s%s\n", any ? "" : "\n", (unsigned long long)n, s->part ? "  " : "",
                         s->text[GRAPH_ENGLISH]);
                any = true;
        }
}

static void print_categories(const struct report *r, bool remote, const char *title, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        bool any = false;
        for (size_t i = CATEGORY_NONE + 1; i < categories_end(r->rules->categories); i++) {
                if (!t->found[i] || report_is_remote(r, i) != remote)
                        continue;
                if (!any)
                        buf_addf(out, "\n%s\n", title);
                buf_addf(out, "%12llu %-14s %s\n", (unsigned long long)t->found[i],
                         categories_name(r->rules->categories, i), report_meaning(i, GRAPH_ENGLISH));
                any = true;
        }
}

/* --- lists --- */

static void print_suspects(const struct report *r, struct buf *out)
{
        static const char *const titles[] = { "who", "since", "caught", "times", "at least", "limit" };
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(r->tally), &v);
        if (!n)
                return;
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n && i < r->top; i++) {
                char since[TIME_TEXT_MAX], at[TIME_TEXT_MAX];
                table_add_text(t, v[i]->key, NAME_MOST);
                table_add(t, "%.16s", time_print(v[i]->since, since));
                table_add(t, "%.16s", time_print(v[i]->at, at));
                table_add(t, "%llu", (unsigned long long)v[i]->times);
                table_add(t, "%llu", (unsigned long long)maillog_suspect_least(v[i]));
                table_add_text(t, v[i]->limit->name, LIMIT_MOST);
        }
        buf_addf(out, "\nSuspects: %zu that reached a limit\n", n);
        table_print(t, out);
}

/* Of some rows: first what they are called by, then the counters that are not zero in all of them. */
struct counts {
        const struct report_counter *shown[COUNTERS_MOST];
        size_t n;
        struct table *table;
};

static void choose(struct counts *c, const struct maillog_counts *row)
{
        for (size_t i = 0; i < report_counters_n; i++) {
                size_t k = 0;
                while (k < c->n && c->shown[k] < &report_counters[i])
                        k++;
                if (report_counters[i].programs || !report_counter_of(row, &report_counters[i]) ||
                    (k < c->n && c->shown[k] == &report_counters[i]))
                        continue;
                memmove(c->shown + k + 1, c->shown + k, (c->n - k) * sizeof *c->shown);
                c->shown[k] = &report_counters[i];
                c->n++;
        }
}

static void begin_counts(struct counts *c, const char *first)
{
        const char *titles[COUNTERS_MOST + 1] = { first };
        for (size_t i = 0; i < c->n; i++)
                titles[i + 1] = title_of(c->shown[i]);
        c->table = table_new(c->n + 1, titles);
}

static void add_counts(struct counts *c, const struct maillog_counts *row)
{
        for (size_t i = 0; i < c->n; i++)
                table_add(c->table, "%llu", (unsigned long long)report_counter_of(row, c->shown[i]));
}

static void print_names(const struct report_list *list, const struct maillog_row *rows, size_t n, struct buf *out)
{
        struct counts c = { .n = 0 };
        for (size_t i = 0; i < n; i++)
                choose(&c, &rows[i].counts);
        begin_counts(&c, report_who(list->who, GRAPH_ENGLISH));
        for (size_t i = 0; i < n; i++) {
                table_add_text(c.table, rows[i].name, NAME_MOST);
                add_counts(&c, &rows[i].counts);
        }
        table_print(c.table, out);
}

/* A reason is long, and has one number that matters. */
static void print_reasons(const struct report_list *list, const struct maillog_row *rows, size_t n, struct buf *out)
{
        const struct report_counter *by = &report_counters[list->counter];
        const char *const titles[] = { title_of(by), report_who(list->who, GRAPH_ENGLISH) };
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%llu", (unsigned long long)report_counter_of(&rows[i].counts, by));
                table_add_text(t, rows[i].name, REASON_MOST);
        }
        table_print(t, out);
}

static void print_lists(const struct report *r, struct buf *out)
{
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        for (size_t i = 0; i < report_lists_n; i++) {
                const struct report_list *list = &report_lists[i];
                size_t n = report_top(r, list, rows);
                if (!n)
                        continue;
                buf_addf(out, "\n%s\n", list->title[GRAPH_ENGLISH]);
                if (list->who == MAILLOG_REASONS)
                        print_reasons(list, rows, n, out);
                else
                        print_names(list, rows, n, out);
        }
}

static void print_hours(const struct report *r, struct buf *out)
{
        const struct maillog_counts *row;
        struct counts c = { .n = 0 };
        int64_t at;
        for (size_t i = 0; (row = maillog_tally_hour(r->tally, &i, &at));)
                choose(&c, row);
        if (!c.n)
                return;
        begin_counts(&c, "hour");
        for (size_t i = 0; (row = maillog_tally_hour(r->tally, &i, &at));) {
                char when[TIME_TEXT_MAX];
                table_add(c.table, "%.16s", time_print(at, when));
                add_counts(&c, row);
        }
        buf_adds(out, "\nBy the hour\n");
        table_print(c.table, out);
}

void report_text(const struct report *r, struct buf *out)
{
        print_head(r, out);
        print_sums(r, REPORT_LINES, out);
        print_sums(r, REPORT_MESSAGES, out);
        print_sums(r, REPORT_REFUSALS, out);
        print_sums(r, REPORT_LIMITS, out);
        print_categories(r, false, "Why", out);
        print_categories(r, true, "What remote servers say", out);
        print_suspects(r, out);
        print_lists(r, out);
        print_hours(r, out);
}
