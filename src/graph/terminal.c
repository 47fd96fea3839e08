/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/terminal.h"
#include "base/time.h"

#include <math.h>
#include <stdio.h>

enum { EIGHTHS = 8, MARKS_SHOWN = 35, LABEL = 12 };

/* What a cell is drawn with: by eighths of the mean, then the shade of the maximum, and the lines around. */
struct letters {
        const char *blocks[EIGHTHS + 1], *shade, *line, *tick, *mark, *edge, *corner, *dash;
};

static const struct letters unicode = {
        { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }, "░", "─", "┬", "┊", "┤", "└", "–"
};
static const struct letters ascii = {
        { " ", "_", "_", "_", "#", "#", "#", "#", "#" }, ":", "-", "+", "|", "|", "+", "-"
};

static const char *const colours[GRAPH_SERIES_MOST] = { "36", "33", "32", "35", "34", "31", "96", "93" };

struct screen {
        const struct graph *g;
        const struct graph_terminal *t;
        const struct letters *l;
        struct buf *out;
        int rows;   /* of a panel */
        double top; /* of the panel being drawn, before scale */
        struct graph_tick ticks[GRAPH_TICKS_MOST];
        size_t n_ticks;
        const char *paint; /* what is switched on */
};

/* --- colours ------------------------------------------------------------------------------------------------------------- */

/* NULL: none. Nothing is written where the same is on already. */
static void paint(struct screen *s, const char *code)
{
        if (!s->t->colour || s->paint == code)
                return;
        if (s->paint)
                buf_adds(s->out, "\x1b[0m");
        if (code)
                buf_addf(s->out, "\x1b[%sm", code);
        s->paint = code;
}

static void end_line(struct screen *s)
{
        while (!s->out->full && s->out->n && s->out->p[s->out->n - 1] == ' ')
                s->out->n--;
        paint(s, NULL);
        buf_addc(s->out, '\n');
}

/* --- where things are ---------------------------------------------------------------------------------------------------- */

static size_t column_of(const struct graph *g, int64_t at)
{
        double column = (double)(at - g->from) / (double)(g->to - g->from) * (double)g->n_points;
        return column < 0 ? 0 : column >= (double)g->n_points ? g->n_points - 1 : (size_t)column;
}

/* The last of those that fall into the column: it is the one that holds from there on. SIZE_MAX: none. */
static size_t mark_in(const struct graph *g, size_t column)
{
        for (size_t i = g->n_marks; i-- > 0;)
                if (column_of(g, g->marks[i].at) == column)
                        return i;
        return SIZE_MAX;
}

static char mark_letter(size_t i)
{
        return i < 9 ? (char)('1' + i) : i < MARKS_SHOWN ? (char)('a' + (i - 9)) : '*';
}

static bool tick_in(const struct screen *s, size_t column)
{
        for (size_t i = 0; i < s->n_ticks; i++)
                if (column_of(s->g, s->ticks[i].at) == column)
                        return true;
        return false;
}

/* --- a panel ------------------------------------------------------------------------------------------------------------- */

/* In eighths of a row; what is more than nothing is seen. */
static int height_of(const struct screen *s, double value)
{
        double eighths = value / s->top * s->rows * EIGHTHS;
        return !(value > 0) ? 0 : eighths < 1 ? 1 : eighths > 10000 ? 10000 : (int)lround(eighths);
}

static void cell(struct screen *s, const struct graph_series *series, size_t which, int row, size_t column)
{
        const struct rings_point *p = &series->points[column];
        int under = (s->rows - 1 - row) * EIGHTHS;
        int mean = height_of(s, p->mean) - under, max = height_of(s, p->max) - under;
        if (mean > 0) {
                paint(s, colours[which]);
                buf_adds(s->out, s->l->blocks[mean > EIGHTHS ? EIGHTHS : mean]);
        } else if (max > 0) {
                paint(s, colours[which]);
                buf_adds(s->out, s->l->shade);
        } else if (mark_in(s->g, column) != SIZE_MAX) {
                paint(s, "90");
                buf_adds(s->out, s->l->mark);
        } else {
                buf_addc(s->out, ' ');
        }
}

static void gutter(struct screen *s, double value, bool labelled)
{
        char number[GRAPH_NUMBER_MAX];
        paint(s, "90");
        if (labelled)
                buf_addf(s->out, "%6s ", graph_number(value * s->g->scale, number));
        else
                buf_addf(s->out, "%7s", "");
        buf_adds(s->out, s->l->edge);
}

/* Broken where the series is unknown. */
static void base_line(struct screen *s, const struct graph_series *series)
{
        paint(s, "90");
        buf_addf(s->out, "%7s%s", "0 ", s->l->corner);
        for (size_t i = 0; i < s->g->n_points; i++) {
                size_t mark = mark_in(s->g, i);
                bool known = !isnan(series->points[i].mean);
                paint(s, mark == SIZE_MAX ? "90" : "1");
                if (mark != SIZE_MAX)
                        buf_addc(s->out, mark_letter(mark));
                else
                        buf_adds(s->out, !known ? " " : tick_in(s, i) ? s->l->tick : s->l->line);
        }
        end_line(s);
}

static const char *number_of(const struct screen *s, double value, char out[GRAPH_NUMBER_MAX])
{
        return isnan(value) ? s->l->dash : graph_number(value * s->g->scale, out);
}

/* Each panel has a scale of its own: a rare series would be flat beside a frequent one. */
static void choose_top(struct screen *s, const struct graph_series *series)
{
        double high = 0;
        for (size_t i = 0; i < s->g->n_points; i++)
                high = fmax(high, series->points[i].mean);
        s->top = fmax(high, fmin(series->max, 4 * high));
        if (!(s->top > 0))
                s->top = series->max > 0 ? series->max : 1 / s->g->scale;
        double step = graph_value_step(s->top * s->g->scale, 4);
        s->top = ceil(s->top * s->g->scale / step - 1e-9) * step / s->g->scale;
}

static void panel(struct screen *s, size_t which)
{
        const struct graph_series *series = &s->g->series[which];
        char mean[GRAPH_NUMBER_MAX], max[GRAPH_NUMBER_MAX], last[GRAPH_NUMBER_MAX];
        choose_top(s, series);
        paint(s, "1");
        buf_add_shown(s->out, series->name);
        paint(s, NULL);
        buf_addf(s->out, "  mean %s, maximum %s, last %s%s%s\n", number_of(s, series->mean, mean),
                 number_of(s, series->max, max), number_of(s, series->last, last), *s->g->unit ? " " : "", s->g->unit);
        for (int row = 0; row < s->rows; row++) {
                gutter(s, s->top, row == 0);
                for (size_t i = 0; i < s->g->n_points; i++)
                        cell(s, series, which, row, i);
                end_line(s);
        }
        base_line(s, series);
}

/* --- below the panels ---------------------------------------------------------------------------------------------------- */

static void time_axis(struct screen *s)
{
        size_t at = 0;
        paint(s, "90");
        for (size_t i = 0; i < s->n_ticks; i++) {
                size_t n = strlen(s->ticks[i].label), to = GRAPH_GUTTER + column_of(s->g, s->ticks[i].at);
                to = to > n / 2 ? to - n / 2 : 0;
                if ((at && to < at + 1) || to + n > s->t->columns)
                        continue;
                buf_addf(s->out, "%*s%s", (int)(to - at), "", s->ticks[i].label);
                at = to + n;
        }
        end_line(s);
}

static void marks(struct screen *s)
{
        char at[TIME_TEXT_MAX];
        for (size_t i = 0; i < s->g->n_marks && i < MARKS_SHOWN; i++) {
                buf_addf(s->out, "%6c  %.16s  ", mark_letter(i), time_print(s->g->marks[i].at, at));
                buf_add_shown(s->out, s->g->marks[i].label);
                buf_addc(s->out, '\n');
        }
        if (s->g->n_marks > MARKS_SHOWN)
                buf_addf(s->out, "     *  and %zu more\n", s->g->n_marks - MARKS_SHOWN);
}

void graph_terminal(const struct graph *g, const struct graph_terminal *t, struct buf *out)
{
        char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
        struct screen s = { .g = g, .t = t, .out = out, .l = t->ascii ? &ascii : &unicode };
        if (g->n_points + GRAPH_GUTTER != t->columns)
                panic("%zu points in %zu columns", g->n_points, t->columns);
        s.rows = g->n_series == 1 ? 10 : g->n_series <= 3 ? 6 : 4;
        s.n_ticks = graph_time_ticks(g, g->n_points / LABEL + 1, s.ticks);
        paint(&s, "1");
        buf_add_shown(out, g->title);
        paint(&s, NULL);
        time_print(g->to, to);
        buf_addf(out, "\n%.16s %s %.16s%s\n\n", time_print(g->from, from), s.l->dash, to,
                 to + strlen("2026-12-01 14:30:05"));
        for (size_t i = 0; i < g->n_series; i++)
                panel(&s, i);
        time_axis(&s);
        marks(&s);
}
