/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report --csv LIST`: one list, as spreadsheets read it. */
#include "base/csv.h"
#include "cli/maillog_report.h"
#include "cli/maillog_suspects.h"

#include <time.h>

/* As in JSON. */
static void add_time(struct buf *out, int64_t us)
{
        time_t at = (time_t)(us / SECOND);
        struct tm t;
        char text[TIME_TEXT_MAX];
        if (gmtime_r(&at, &t) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t))
                buf_adds(out, text);
}

static void head_counts(const char *first, struct buf *out)
{
        buf_adds(out, first);
        for (size_t i = 0; i < report_counters_n; i++)
                buf_addf(out, ",%s", report_counters[i].key);
        buf_addc(out, '\n');
}

static void add_counts(const struct maillog_counts *c, struct buf *out)
{
        for (size_t i = 0; i < report_counters_n; i++)
                buf_addf(out, ",%llu", (unsigned long long)report_counter_of(c, &report_counters[i]));
        buf_addc(out, '\n');
}

static void totals(const struct report *r, struct buf *out)
{
        buf_adds(out, "name,value\n");
        for (size_t i = 0; i < report_sums_n; i++)
                buf_addf(out, "%s,%llu\n", report_sums[i].key, (unsigned long long)report_sum_of(r, &report_sums[i]));
}

static void categories(const struct report *r, struct buf *out)
{
        buf_adds(out, "name,value\n");
        for (size_t i = CATEGORY_NONE + 1; i < categories_end(r->rules->categories); i++)
                buf_addf(out, "%s,%llu\n", categories_name(r->rules->categories, i),
                         (unsigned long long)maillog_tally_totals(r->tally)->found[i]);
}

static void hours(const struct report *r, struct buf *out)
{
        const struct maillog_counts *c;
        int64_t at;
        head_counts("at", out);
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                add_time(out, at);
                add_counts(c, out);
        }
}

static void suspect(const struct limits_caught *c, struct buf *out)
{
        csv_put_foreign(out, c->limit->name);
        buf_addf(out, ",%s,%s,", mail_limit_key_name(c->limit->by), mail_limit_then_name(c->limit->then));
        csv_put_foreign(out, c->key);
        const int64_t times[] = { c->since, c->at, c->until };
        for (size_t i = 0; i < COUNT_OF(times); i++) {
                buf_addc(out, ',');
                add_time(out, times[i]);
        }
        buf_addf(out, ",%llu,%llu,%llu", (unsigned long long)c->count, (unsigned long long)c->total,
                 (unsigned long long)c->times);
        for (size_t i = 0; i < LIMITS_LINES; i++) {
                buf_addc(out, ',');
                if (i < c->n_lines)
                        csv_put_foreign(out, c->lines[i]);
        }
        buf_addc(out, '\n');
}

static void suspects(const struct report *r, struct buf *out)
{
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(r->tally), &v);
        buf_adds(out, "limit,by,then,who,since,at,until,count,total,times");
        for (size_t i = 1; i <= LIMITS_LINES; i++)
                buf_addf(out, ",line%zu", i);
        buf_addc(out, '\n');
        for (size_t i = 0; i < n; i++)
                suspect(v[i], out);
}

static void names(const struct report *r, const struct report_list *list, struct buf *out)
{
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        size_t n = report_top(r, list, rows);
        head_counts("name", out);
        for (size_t i = 0; i < n; i++) {
                csv_put_foreign(out, rows[i].name);
                add_counts(&rows[i].counts, out);
        }
}

static const struct {
        const char *name;
        void (*print)(const struct report *r, struct buf *out);
} others[] = { { "totals", totals }, { "categories", categories }, { "hours", hours }, { "suspects", suspects } };

bool report_csv_has(struct slice list, struct buf *all)
{
        bool has = false;
        for (size_t i = 0; i < COUNT_OF(others) + report_lists_n; i++) {
                const char *name = i < COUNT_OF(others) ? others[i].name : report_lists[i - COUNT_OF(others)].csv;
                has = has || slice_eq(list, slice_of(name));
                buf_addf(all, "%s%s", i ? ", " : "", name);
        }
        return has;
}

void report_csv(const struct report *r, struct slice list, struct buf *out)
{
        for (size_t i = 0; i < COUNT_OF(others); i++)
                if (slice_eq(list, slice_of(others[i].name)))
                        others[i].print(r, out);
        for (size_t i = 0; i < report_lists_n; i++)
                if (slice_eq(list, slice_of(report_lists[i].csv)))
                        names(r, &report_lists[i], out);
}
