/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of `maillog report --html`: suspects, categories, lists and hours. */
#include "base/html.h"
#include "cli/maillog_report_html.h"
#include "cli/maillog_suspects.h"

#include <stdio.h>

/* --- suspects --- */

static void cell_time(const struct page *p, int64_t at)
{
        char text[TIME_TEXT_MAX];
        buf_addf(p->out, "<td class=\"t\">%.16s</td>", time_print(at, text));
}

static void evidence(const struct page *p, const struct limits_caught *c, size_t columns)
{
        if (!c->n_lines)
                return;
        buf_addf(p->out, "<tr><td colspan=\"%zu\"><details><summary>", columns);
        html_say_number(p, HTML_EVIDENCE, c->n_lines);
        buf_adds(p->out, "</summary>");
        for (size_t i = 0; i < c->n_lines; i++) {
                buf_adds(p->out, "<pre>");
                html_add(p->out, c->lines[i]);
                buf_adds(p->out, "</pre>");
        }
        buf_adds(p->out, "</details></td></tr>\n");
}

/* "… (20 in 1h)" */
static void cell_limit(const struct page *p, const struct policy_mail_limit *l)
{
        char over[TIME_TEXT_MAX], after[HTML_NUMBER_MAX];
        buf_adds(p->out, "<td>");
        html_add(p->out, l->name);
        buf_addf(p->out, " (%s / %s)</td>", html_number(p, (uint64_t)l->after, after), duration_print(l->over, over));
}

void html_suspects(const struct page *p)
{
        static const enum html_word words[] = { HTML_WHO, HTML_LIMIT, HTML_SINCE, HTML_AT, HTML_TIMES, HTML_AT_LEAST };
        const char *titles[COUNT_OF(words)];
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(p->r->tally), &v);
        html_heading(p, "suspects", html_word(p, HTML_SUSPECTS));
        buf_addf(p->out, "<p class=\"note\">%s</p>\n", html_word(p, n ? HTML_SUSPECTS_NOTE : HTML_NOBODY));
        if (!n)
                return;
        for (size_t i = 0; i < COUNT_OF(words); i++)
                titles[i] = html_word(p, words[i]);
        html_table(p, "suspects", titles, COUNT_OF(titles), 2);
        for (size_t i = 0; i < n && i < HTML_SUSPECTS_MOST; i++) {
                html_row(p, mail_limit_key_name(v[i]->limit->by), v[i]->key);
                cell_limit(p, v[i]->limit);
                cell_time(p, v[i]->since);
                cell_time(p, v[i]->at);
                html_cell_number(p, v[i]->times);
                html_cell_number(p, maillog_suspect_least(v[i]));
                html_row_end(p);
                evidence(p, v[i], COUNT_OF(titles));
        }
        html_table_end(p);
        if (n <= HTML_SUSPECTS_MOST)
                return;
        buf_adds(p->out, "<p class=\"note\">");
        html_say_number(p, HTML_MORE, n - HTML_SUSPECTS_MOST);
        buf_adds(p->out, "</p>\n");
}

/* --- categories --- */

/* Those found, the most frequent first. */
static size_t choose_categories(const struct page *p, bool remote, size_t chosen[TALLY_CATEGORIES])
{
        const uint64_t *found = maillog_tally_totals(p->r->tally)->found;
        size_t n = 0;
        for (size_t i = CATEGORY_NONE + 1; i < categories_end(p->r->rules->categories); i++) {
                if (!found[i] || report_is_remote(p->r, i) != remote)
                        continue;
                size_t at = n++;
                for (; at > 0 && found[chosen[at - 1]] < found[i]; at--)
                        chosen[at] = chosen[at - 1];
                chosen[at] = i;
        }
        return n;
}

static void category_table(const struct page *p, const char *id, const size_t *chosen, size_t n)
{
        const char *const titles[] = { html_word(p, HTML_CATEGORY), html_word(p, HTML_MEANING),
                                       html_word(p, HTML_NUMBER) };
        html_table(p, id, titles, COUNT_OF(titles), 1);
        for (size_t i = 0; i < n; i++) {
                const char *name = categories_name(p->r->rules->categories, chosen[i]);
                const char *meaning = report_meaning(chosen[i], p->r->language);
                html_row(p, name, slice_of(name));
                html_cell(p, slice_of(*meaning ? meaning : html_word(p, HTML_OWN_RULE)));
                html_cell_number(p, maillog_tally_totals(p->r->tally)->found[chosen[i]]);
                html_row_end(p);
        }
        html_table_end(p);
}

void html_categories(const struct page *p)
{
        size_t chosen[TALLY_CATEGORIES];
        size_t n = choose_categories(p, false, chosen);
        html_heading(p, "categories", html_word(p, HTML_BY_CATEGORY));
        if (n) {
                html_bars(p, chosen, n);
                category_table(p, "categories", chosen, n);
        }
        n = choose_categories(p, true, chosen);
        if (!n)
                return;
        buf_addf(p->out, "<h3>%s</h3>\n<p class=\"note\">%s</p>\n", html_word(p, HTML_REMOTE),
                 html_word(p, HTML_REMOTE_NOTE));
        category_table(p, "remote-categories", chosen, n);
}

/* --- lists --- */

enum { COUNTERS_MOST = 16 };

static size_t people_counters(const struct page *p, const char *first, const char *titles[COUNTERS_MOST])
{
        size_t n = 0;
        titles[n++] = first;
        for (size_t i = 0; i < report_counters_n; i++)
                if (!report_counters[i].programs)
                        titles[n++] = report_counters[i].text[p->r->language];
        return n;
}

static void cells_of(const struct page *p, const struct maillog_counts *c)
{
        for (size_t i = 0; i < report_counters_n; i++)
                if (!report_counters[i].programs)
                        html_cell_number(p, report_counter_of(c, &report_counters[i]));
}

static void names(const struct page *p, const struct report_list *list, const struct maillog_row *rows, size_t n)
{
        const char *titles[COUNTERS_MOST];
        size_t columns = people_counters(p, report_who(list->who, p->r->language), titles);
        html_table(p, list->key, titles, columns, columns - 1);
        for (size_t i = 0; i < n; i++) {
                html_row(p, NULL, rows[i].name);
                cells_of(p, &rows[i].counts);
                html_row_end(p);
        }
        html_table_end(p);
}

static void reasons(const struct page *p, const struct report_list *list, const struct maillog_row *rows, size_t n)
{
        const struct report_counter *by = &report_counters[list->counter];
        const char *const titles[] = { report_who(list->who, p->r->language), by->text[p->r->language] };
        html_table(p, list->key, titles, COUNT_OF(titles), 1);
        for (size_t i = 0; i < n; i++) {
                html_row(p, NULL, rows[i].name);
                html_cell_number(p, report_counter_of(&rows[i].counts, by));
                html_row_end(p);
        }
        html_table_end(p);
}

void html_lists(const struct page *p)
{
        autofree struct maillog_row *rows = xcalloc(p->r->top, sizeof *rows);
        html_heading(p, "lists", html_word(p, HTML_LISTS));
        for (size_t i = 0; i < report_lists_n; i++) {
                const struct report_list *list = &report_lists[i];
                size_t n = report_top(p->r, list, rows);
                if (!n)
                        continue;
                buf_addf(p->out, "<h3>%s</h3>\n", list->title[p->r->language]);
                if (list->who == MAILLOG_REASONS)
                        reasons(p, list, rows, n);
                else
                        names(p, list, rows, n);
        }
}

void html_hours(const struct page *p)
{
        const char *titles[COUNTERS_MOST];
        const struct maillog_counts *c;
        size_t columns = people_counters(p, html_word(p, HTML_HOUR), titles);
        int64_t at;
        html_heading(p, "hours", html_word(p, HTML_HOURS));
        buf_addf(p->out, "<details><summary>%s</summary>\n", html_word(p, HTML_HOURS));
        html_table(p, "hours", titles, columns, columns - 1);
        for (size_t i = 0; (c = maillog_tally_hour(p->r->tally, &i, &at));) {
                char when[TIME_TEXT_MAX];
                html_row(p, NULL, (struct slice){ time_print(at, when), strlen("2026-12-01 14:30") });
                cells_of(p, c);
                html_row_end(p);
        }
        html_table_end(p);
        buf_adds(p->out, "</details>\n");
}
