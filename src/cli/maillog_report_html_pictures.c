/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of `maillog report --html`: its pictures. */
#include "cli/maillog_report_html.h"
#include "graph/bars.h"
#include "graph/svg.h"

static const char *const drawn[] = { "messages", "refused", "bounced" };

static const struct report_counter *counter_named(const char *key)
{
        for (size_t i = 0; i < report_counters_n; i++)
                if (strcmp(report_counters[i].key, key) == 0)
                        return &report_counters[i];
        panic("there is no counter %s", key);
}

/* The first hour that has something, and the hour after the last one. */
static bool span(const struct report *r, int64_t *from, int64_t *to)
{
        int64_t at;
        *from = 0;
        for (size_t i = 0; maillog_tally_hour(r->tally, &i, &at);) {
                *from = *from ? *from : at;
                *to = at + HOUR;
        }
        return *from > 0;
}

/* Hours of a point are counted together; an hour in which nothing was logged had nothing, for the log goes on after it. */
static void fill(const struct report *r, const struct graph *g, const struct report_counter *counter, int64_t hours,
                 struct rings_point *points)
{
        const struct maillog_counts *c;
        int64_t at;
        for (size_t i = 0; i < g->n_points; i++)
                points[i] = (struct rings_point){ .known = (double)(hours * HOUR / SECOND) };
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                struct rings_point *p = &points[(at - g->from) / (hours * HOUR)];
                double n = (double)report_counter_of(c, counter), a_second = n / (double)(HOUR / SECOND);
                p->sum += n;
                p->mean = p->sum / p->known;
                p->max = p->max > a_second ? p->max : a_second;
        }
}

void html_pictures(const struct page *p)
{
        struct graph_series series[COUNT_OF(drawn)];
        int64_t from, to;
        html_heading(p, "over-time", html_word(p, HTML_OVER_TIME));
        if (!span(p->r, &from, &to))
                return;
        int64_t most = (int64_t)GRAPH_SVG_POINTS(COUNT_OF(drawn)), all = (to - from) / HOUR;
        int64_t hours = (all + most - 1) / most;
        struct graph g = { .title = slice_of(html_word(p, HTML_OVER_TIME)),
                           .kind = RINGS_RATE,
                           .per = HOUR,
                           .language = p->r->language,
                           .from = from,
                           .n_points = (size_t)((all + hours - 1) / hours),
                           .series = series,
                           .n_series = COUNT_OF(drawn) };
        g.to = from + (int64_t)g.n_points * hours * HOUR;
        autofree struct rings_point *points = xcalloc(COUNT_OF(drawn) * g.n_points, sizeof *points);
        for (size_t i = 0; i < COUNT_OF(drawn); i++) {
                const struct report_counter *counter = counter_named(drawn[i]);
                fill(p->r, &g, counter, hours, points + i * g.n_points);
                series[i] = (struct graph_series){ .name = slice_of(counter->text[p->r->language]),
                                                   .points = points + i * g.n_points };
        }
        graph_measure(&g);
        buf_adds(p->out, "<div class=\"wide\" tabindex=\"0\">\n");
        graph_svg_part(&g, "-hours", p->out);
        buf_adds(p->out, "</div>\n");
}

void html_bars(const struct page *p, const size_t *categories, size_t n)
{
        const uint64_t *found = maillog_tally_totals(p->r->tally)->found;
        struct graph_bar bars[GRAPH_BARS_MOST];
        char numbers[GRAPH_BARS_MOST][HTML_NUMBER_MAX];
        n = n < GRAPH_BARS_MOST ? n : GRAPH_BARS_MOST;
        for (size_t i = 0; i < n; i++)
                bars[i] = (struct graph_bar){ .name = slice_of(categories_name(p->r->rules->categories, categories[i])),
                                              .shown = slice_of(html_number(p, found[categories[i]], numbers[i])),
                                              .value = (double)found[categories[i]] };
        buf_adds(p->out, "<div class=\"wide\" tabindex=\"0\">\n");
        graph_bars_part(slice_of(html_word(p, HTML_BY_CATEGORY)), bars, n, "-categories", p->out);
        buf_adds(p->out, "</div>\n");
}
