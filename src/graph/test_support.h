/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/test_support.h - pictures to draw in tests, and what tests/graph/ holds of them.
 *
 * A new case is a row of cases[]: run the test with PORTEIRO_GOLDEN=write, and look at the picture before you keep it.
 * Owns:    the points and series of the picture made last.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "base/file.h"
#include "base/time.h"
#include "graph/picture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { GOLDEN_MOST = 1 << 20 };

static struct rings_point support_points[GRAPH_SERIES_MOST][GRAPH_POINTS_MOST];
static struct graph_series support_series[GRAPH_SERIES_MOST];
static struct graph_mark support_marks[GRAPH_MARKS_MOST];

/* Always the same, and a little ragged. */
static double support_ragged(size_t i, size_t series)
{
        uint64_t x = (i + 1) * 2654435761u + series * 40503u;
        x ^= x >> 13;
        x *= 0x5bd1e995u;
        return (double)(x >> 15 & 1023) / 1023;
}

/* Days and nights; a gap after three fifths; one burst. Values are per second. */
static void support_fill(struct graph *g, size_t series, double size)
{
        double seconds = (double)(g->to - g->from) / SECOND / (double)g->n_points;
        for (size_t i = 0; i < g->n_points; i++) {
                double at = (double)i / (double)g->n_points, share = at * (double)(g->to - g->from) / DAY;
                struct rings_point *p = &support_points[series][i];
                bool gap = at > 0.60 && at<0.66, fallen = at> 0.8;
                double mean =
                    size * (1.1 - cos(share * 6.283)) * (0.8 + 0.4 * support_ragged(i, series)) * (fallen ? 0.1 : 1);
                double burst = i == g->n_points / 4 ? 9 : 1 + support_ragged(i, series + 50) * 0.8;
                *p = (struct rings_point){ mean, mean * burst, mean * seconds, seconds };
                if (gap)
                        *p = (struct rings_point){ NAN, NAN, 0, 0 };
        }
        support_series[series].points = support_points[series];
}

static void support_mark(struct graph *g, double share, const char *label)
{
        support_marks[g->n_marks++] =
            (struct graph_mark){ g->from + (int64_t)(share * (double)(g->to - g->from)), slice_of(label) };
}

static void support_common(struct graph *g, const char *title, const char *from, const char *to)
{
        g->title = slice_of(title);
        g->series = support_series;
        g->marks = support_marks;
        assert_int_equal(time_parse(slice_of(from), TIME_FIRST_INSTANT, &g->from), TIME_OK);
        assert_int_equal(time_parse(slice_of(to), TIME_FIRST_INSTANT, &g->to), TIME_OK);
}

/* In Lisbon this day had 25 hours. */
static void case_long_day(struct graph *g)
{
        assert_true(time_set_zone(S("Europe/Lisbon")));
        support_common(g, "Port 25, a day of 25 hours", "2026-10-25", "2026-10-26");
        g->n_series = 1;
        support_fill(g, 0, 2);
        support_series[0].name = S("attempts/home/block");
        support_mark(g, 0.78, "generation 12");
}

static void case_year(struct graph *g)
{
        assert_true(time_set_zone(S("America/Sao_Paulo")));
        support_common(g, "Port 25, a year", "2026-02-10", "2027-02-10");
        static const char *const names[] = { "attempts/home/observe", "attempts/home/block", "attempts/plus/shift",
                                             "attempts/business/open", "attempts/quarantine/mail" };
        g->n_series = COUNT_OF(names);
        for (size_t i = 0; i < COUNT_OF(names); i++) {
                support_fill(g, i, 0.02 / (double)(i + 1));
                support_series[i].name = slice_of(names[i]);
        }
        support_mark(g, 0.20, "generation 1");
        support_mark(g, 0.21, "generation 2");
        support_mark(g, 0.5, "wave londrina: block");
        support_mark(g, 0.79, "wave all: block");
        support_mark(g, 0.98, "generation 3, taken back");
}

static void case_stacked(struct graph *g)
{
        case_year(g);
        g->title = S("Port 25, a year, one upon the other");
        g->stacked = true;
}

/* Nothing but zero, and nothing at all. */
static void case_nothing(struct graph *g)
{
        assert_true(time_set_zone(S("UTC")));
        support_common(g, "Nothing", "2026-11-01", "2026-11-08");
        g->n_series = 2;
        for (size_t i = 0; i < g->n_points; i++) {
                support_points[0][i] = (struct rings_point){ 0, 0, 0, 60 };
                support_points[1][i] = (struct rings_point){ NAN, NAN, 0, 0 };
        }
        support_series[0] = (struct graph_series){ .name = S("zero"), .points = support_points[0] };
        support_series[1] = (struct graph_series){ .name = S("unknown"), .points = support_points[1] };
}

static void case_hostile(struct graph *g)
{
        assert_true(time_set_zone(S("UTC")));
        support_common(g, "<script>alert(1)</script> & \"'\x1b[31m \xff \xe2\x80\xae", "2026-11-01 10:00",
                       "2026-11-01 11:00");
        g->n_series = 1;
        support_fill(g, 0, 1e9);
        support_series[0].name = S("</text><script>alert('a')</script>]]>\x01\x02\n and a name that is much, much "
                                   "longer than any room there is for it");
        for (int i = 0; i < 60; i++)
                support_mark(g, 0.5 + i * 0.008, "<b onload=x>mark</b>&amp;");
}

static const struct support_case {
        const char *name;
        void (*make)(struct graph *g);
} cases[] = { { "long-day", case_long_day },
              { "year", case_year },
              { "stacked", case_stacked },
              { "nothing", case_nothing },
              { "hostile", case_hostile } };

static struct graph support_make(const struct support_case *c, size_t n_points)
{
        struct graph g = { .n_points = n_points };
        c->make(&g);
        graph_measure(&g);
        return g;
}

/* tests/graph/NAME.SUFFIX holds just this. */
static void support_golden(const char *name, const char *suffix, struct buf *got)
{
        autobuf want;
        autofree char *path = xasprintf("tests/graph/%s.%s", name, suffix);
        const char *how = getenv("PORTEIRO_GOLDEN");
        buf_init(&want, GOLDEN_MOST);
        assert_false(got->full);
        if (how && strcmp(how, "write") == 0)
                assert_int_equal(file_replace(path, 0644, buf_slice(got)), 0);
        assert_int_equal(file_read(path, &want), 0);
        if (!slice_eq(buf_slice(got), buf_slice(&want)))
                fail_msg("%s: another picture:\n%.3000s", path, buf_cstr(got));
}
