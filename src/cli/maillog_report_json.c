/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report --json`; docs/json.md has the shape. */
#include "cli/maillog_report.h"
#include "cli/maillog_suspects.h"

static void add_counts(struct json *j, const struct maillog_counts *c)
{
        for (size_t i = 0; i < report_counters_n; i++)
                json_int(j, report_counters[i].key, (int64_t)report_counter_of(c, &report_counters[i]));
}

static void add_totals(struct json *j, const struct report *r)
{
        json_object(j, "totals");
        for (size_t i = 0; i < report_sums_n; i++)
                json_int(j, report_sums[i].key, (int64_t)report_sum_of(r, &report_sums[i]));
        json_real(j, "share", report_share(r, 1000));
        json_object_end(j);
}

static void add_categories(struct json *j, const struct report *r)
{
        json_object(j, "categories");
        for (size_t i = CATEGORY_NONE + 1; i < categories_end(r->rules->categories); i++)
                json_int(j, categories_name(r->rules->categories, i),
                         (int64_t)maillog_tally_totals(r->tally)->found[i]);
        json_object_end(j);
}

static void add_suspects(struct json *j, const struct report *r)
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

static void add_lists(struct json *j, const struct report *r)
{
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        for (size_t i = 0; i < report_lists_n; i++) {
                size_t n = report_top(r, &report_lists[i], rows);
                json_array(j, report_lists[i].key);
                for (size_t k = 0; k < n; k++) {
                        json_object(j, NULL);
                        json_string(j, "name", rows[k].name);
                        add_counts(j, &rows[k].counts);
                        json_object_end(j);
                }
                json_array_end(j);
        }
}

static void add_hours(struct json *j, const struct report *r)
{
        const struct maillog_counts *c;
        int64_t at;
        json_array(j, "hours");
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                json_object(j, NULL);
                json_time(j, "at", at);
                add_counts(j, c);
                json_object_end(j);
        }
        json_array_end(j);
}

void report_json(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        struct json j;
        json_report(&j, out);
        json_time(&j, "first", t->first ? t->first : TIME_NEVER);
        json_time(&j, "last", t->first ? t->last : TIME_NEVER);
        add_totals(&j, r);
        add_categories(&j, r);
        add_suspects(&j, r);
        add_lists(&j, r);
        add_hours(&j, r);
        json_report_end(&j);
}
