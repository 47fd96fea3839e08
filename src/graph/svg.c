/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/svg.h"
#include "base/html.h"
#include "base/time.h"

#include <math.h>
#include <stdio.h>

/* In pixels. Lines are drawn in tenths of them, in whole numbers, relative to the point before: that is what keeps a year small. */
enum {
        WIDTH = 900,
        LEFT = 62,
        PLOT_WIDTH = 820,
        PLOT_HEIGHT = 240,
        HEAD = 50,     /* title and unit */
        MARK_ROW = 15, /* of the labels of marks, above the plot */
        MARK_ROWS = 4, /* at the most */
        AXIS = 30,     /* of time, below the plot */
        LEGEND_ROW = 20,
        LETTER = 7, /* about, at 11 px */
        FINE = 10,
        SHOWN_MOST = 60 /* characters of a name or a label */
};

static const char style[] =
    "<style>svg{font:12px system-ui,sans-serif}.ground{fill:#fff}.text{fill:#1c2530}.dim{fill:#5b6673}"
    ".grid{stroke:#e3e7ec}.grid2{stroke:#c3cad3}.axis{stroke:#8b95a1}.hatch{stroke:#d3d9e0}"
    ".mark{stroke:#1c2530;stroke-dasharray:4 3;stroke-opacity:.65}"
    ".line{fill:none;stroke:currentColor;stroke-width:16;stroke-linejoin:round;stroke-linecap:round}"
    ".band{fill:currentColor;fill-opacity:.2}.area{fill:currentColor;fill-opacity:.8}.key{fill:currentColor}"
    ".s0{color:#0072b2}.s1{color:#d55e00}.s2{color:#008c66}.s3{color:#b5538a}"
    ".s4{color:#b07d00}.s5{color:#3b9bd0}.s6{color:#6f4fc0}.s7{color:#7a6a45}"
    "@media (prefers-color-scheme:dark){.ground{fill:#12171d}.text{fill:#e6ebf1}.dim{fill:#9aa6b3}"
    ".grid{stroke:#252d36}.grid2{stroke:#3d4854}.axis{stroke:#6b7783}.hatch{stroke:#303a45}.mark{stroke:#e6ebf1}"
    ".s0{color:#4aa8e0}.s1{color:#ff8a45}.s2{color:#2fc79a}.s3{color:#e58fc0}"
    ".s4{color:#e6b43c}.s5{color:#8ccdf2}.s6{color:#a98df0}.s7{color:#c0ad80}}</style>\n";

struct drawing {
        const struct graph *g;
        const char *id; /* stands behind all ids */
        bool alone;     /* no part of a page */
        struct buf *out;
        double top;                     /* of the value axis: a tick */
        double step;                    /* between ticks; both times scale */
        int plot_y;                     /* where the plot begins */
        int rows;                       /* of labels of marks */
        double *base;                   /* stacked: what the areas below add up to */
        int mark_row[GRAPH_MARKS_MOST]; /* -1: there was no room for the label */
};

/* --- text ---------------------------------------------------------------------------------------------------------------- */

/* What stands in no XML, or turns the direction of the text, becomes a question mark. */
static void add_text(struct buf *out, struct slice s)
{
        for (size_t shown = 0; s.n && shown < SHOWN_MOST; shown++) {
                size_t n = html_add_character(out, s);
                if (!n)
                        buf_addc(out, '?');
                s = slice_from(s, n ? n : 1);
        }
        if (s.n)
                buf_adds(out, "…");
}

static size_t letters(struct slice s)
{
        size_t n = 0;
        for (size_t i = 0; i < s.n; i++)
                n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
        return n < SHOWN_MOST ? n : SHOWN_MOST;
}

static const char *shown(const struct graph *g, double value, char out[GRAPH_NUMBER_MAX])
{
        graph_number(value * g->scale, out);
        if (g->language == GRAPH_PORTUGUESE && strchr(out, '.'))
                *strchr(out, '.') = ',';
        return out;
}

static const char *word(const struct drawing *d, enum graph_word w)
{
        return graph_word(d->g->language, w);
}

/* What a reader hears who does not see the picture. */
static void describe(const struct drawing *d)
{
        const struct graph *g = d->g;
        char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX], mean[GRAPH_NUMBER_MAX], max[GRAPH_NUMBER_MAX], last[GRAPH_NUMBER_MAX];
        size_t unknown = 0;
        for (size_t i = 0; i < g->n_points; i++)
                unknown += graph_unknown(g, i);
        buf_addf(d->out, "<desc id=\"d%s\">%s %s %s %s", d->id, word(d, GRAPH_FROM), time_print(g->from, a),
                 word(d, GRAPH_TO), time_print(g->to, b));
        for (size_t i = 0; i < g->n_series; i++) {
                const struct graph_series *s = &g->series[i];
                buf_adds(d->out, "; ");
                add_text(d->out, s->name);
                buf_addf(d->out, ": %s %s, %s %s, %s %s", word(d, GRAPH_MEAN), shown(g, s->mean, mean),
                         word(d, GRAPH_MAXIMUM), shown(g, s->max, max), word(d, GRAPH_LAST), shown(g, s->last, last));
                buf_addf(d->out, "%s%s", *g->unit ? " " : "", g->unit);
        }
        if (unknown)
                buf_addf(d->out, "; %s %.3g%%", word(d, GRAPH_UNKNOWN), 100.0 * (double)unknown / (double)g->n_points);
        for (size_t i = 0; i < g->n_marks; i++) {
                buf_addf(d->out, "; %s: ", time_print(g->marks[i].at, a));
                add_text(d->out, g->marks[i].label);
        }
        buf_adds(d->out, ".</desc>\n");
}

/* --- where things are ---------------------------------------------------------------------------------------------------- */

static double x_of(const struct graph *g, int64_t at)
{
        return (double)(at - g->from) / (double)(g->to - g->from) * PLOT_WIDTH;
}

static long fine_x(const struct graph *g, double point)
{
        return lround(point / (double)g->n_points * PLOT_WIDTH * FINE);
}

/* From the top of the plot; what is above it is cut there by the clip, a little beyond. */
static long fine_y(const struct drawing *d, double value)
{
        double share = value * d->g->scale / d->top;
        return lround((1 - fmin(fmax(share, -0.1), 1.1)) * PLOT_HEIGHT * FINE);
}

/* Labels go to the first row where the one before has ended; to the left of their line where the picture ends. */
static void place_marks(struct drawing *d)
{
        double ends[MARK_ROWS] = { -1000, -1000, -1000, -1000 };
        for (size_t i = 0; i < d->g->n_marks; i++) {
                double at = x_of(d->g, d->g->marks[i].at), width = (double)letters(d->g->marks[i].label) * LETTER + 10;
                double begin = at + width > PLOT_WIDTH ? at - width : at;
                int row = 0;
                while (row < MARK_ROWS && begin < ends[row])
                        row++;
                d->mark_row[i] = row < MARK_ROWS ? row : -1;
                if (row == MARK_ROWS)
                        continue;
                ends[row] = begin + width;
                if (row + 1 > d->rows)
                        d->rows = row + 1;
        }
}

/* --- the ground ---------------------------------------------------------------------------------------------------------- */

static void value_axis(const struct drawing *d)
{
        char number[GRAPH_NUMBER_MAX];
        for (double v = 0; v < d->top + d->step / 2; v += d->step) {
                double y = (1 - v / d->top) * PLOT_HEIGHT;
                if (v > 0)
                        buf_addf(d->out, "<path class=\"grid\" d=\"M0 %.1fH%d\"/>", y, PLOT_WIDTH);
                buf_addf(d->out, "<text class=\"dim\" x=\"-8\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", y + 4,
                         shown(d->g, v / d->g->scale, number));
        }
}

static void time_axis(const struct drawing *d)
{
        struct graph_tick ticks[GRAPH_TICKS_MOST];
        size_t n = graph_time_ticks(d->g, 13, ticks);
        for (size_t i = 0; i < n; i++) {
                double x = x_of(d->g, ticks[i].at);
                buf_addf(d->out, "<path class=\"grid%s\" d=\"M%.1f 0V%d\"/>", ticks[i].strong ? "2" : "", x,
                         PLOT_HEIGHT + 4);
                buf_addf(d->out, "<text class=\"%s\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
                         ticks[i].strong ? "text" : "dim", x, PLOT_HEIGHT + 18, x > PLOT_WIDTH - 12 ? "end" : "middle",
                         ticks[i].label);
        }
}

static void hatch_unknown(const struct drawing *d)
{
        for (size_t i = 0, end; i < d->g->n_points; i = end + 1) {
                for (end = i; end < d->g->n_points && graph_unknown(d->g, end); end++)
                        ;
                if (end > i)
                        buf_addf(d->out,
                                 "<rect x=\"%.1f\" width=\"%.1f\" height=\"%d\" "
                                 "fill=\"url(#u%s)\"><title>%s</title></rect>\n",
                                 (double)fine_x(d->g, (double)i) / FINE,
                                 (double)(fine_x(d->g, (double)end) - fine_x(d->g, (double)i)) / FINE, PLOT_HEIGHT,
                                 d->id, word(d, GRAPH_NO_DATA));
        }
}

/* --- series -------------------------------------------------------------------------------------------------------------- */

/* Writes a path in relative steps. */
struct pen {
        struct buf *out;
        long x, y;
        bool steps; /* an "l" is open */
};

static void pen_move(struct pen *p, long x, long y)
{
        buf_addf(p->out, "M%ld %ld", x, y);
        *p = (struct pen){ p->out, x, y, false };
}

static void pen_line(struct pen *p, long x, long y)
{
        long dx = x - p->x, dy = y - p->y;
        if (!p->steps)
                buf_addc(p->out, 'l');
        buf_addf(p->out, "%s%ld%s%ld", p->steps && dx >= 0 ? " " : "", dx, dy >= 0 ? " " : "", dy);
        *p = (struct pen){ p->out, x, y, true };
}

static bool known(const struct graph_series *s, size_t i)
{
        return !isnan(s->points[i].mean);
}

/* The end of the stretch that begins at i and is known without a gap. */
static size_t stretch(const struct graph *g, const struct graph_series *s, size_t i)
{
        while (i < g->n_points && known(s, i))
                i++;
        return i;
}

/* A point stands for its stretch of time: it is drawn in the middle, and the first and the last reach to their ends. */
static long middle(const struct graph *g, size_t i)
{
        return fine_x(g, (double)i + 0.5);
}

static void mean_line(const struct drawing *d, const struct graph_series *s)
{
        const struct graph *g = d->g;
        struct pen pen = { .out = d->out };
        buf_adds(d->out, "<path class=\"line\" d=\"");
        for (size_t i = 0, end; i < g->n_points; i = end + 1) {
                end = stretch(g, s, i);
                if (end == i)
                        continue;
                pen_move(&pen, fine_x(g, (double)i), fine_y(d, s->points[i].mean));
                for (size_t k = i; k < end; k++)
                        pen_line(&pen, middle(g, k), fine_y(d, s->points[k].mean));
                pen_line(&pen, fine_x(g, (double)end), fine_y(d, s->points[end - 1].mean));
        }
        buf_adds(d->out, "\"/>\n");
}

/* Between `low` and `high` of each point, both in the measure of the value axis. */
static void area(const struct drawing *d, const struct graph_series *s, const char *class, const double *low,
                 const double *high)
{
        const struct graph *g = d->g;
        struct pen pen = { .out = d->out };
        buf_addf(d->out, "<path class=\"%s\" d=\"", class);
        for (size_t i = 0, end; i < g->n_points; i = end + 1) {
                end = stretch(g, s, i);
                if (end == i)
                        continue;
                pen_move(&pen, fine_x(g, (double)i), fine_y(d, high[i]));
                for (size_t k = i; k < end; k++)
                        pen_line(&pen, middle(g, k), fine_y(d, high[k]));
                pen_line(&pen, fine_x(g, (double)end), fine_y(d, high[end - 1]));
                pen_line(&pen, fine_x(g, (double)end), fine_y(d, low[end - 1]));
                for (size_t k = end; k-- > i;)
                        pen_line(&pen, middle(g, k), fine_y(d, low[k]));
                pen_line(&pen, fine_x(g, (double)i), fine_y(d, low[i]));
                buf_addc(d->out, 'z');
        }
        buf_adds(d->out, "\"/>\n");
}

static void draw_series(const struct drawing *d, size_t which, bool bands)
{
        const struct graph *g = d->g;
        const struct graph_series *s = &g->series[which];
        double low[GRAPH_POINTS_MOST], high[GRAPH_POINTS_MOST];
        for (size_t i = 0; i < g->n_points; i++) {
                low[i] = g->stacked ? d->base[i] : s->points[i].mean;
                high[i] = g->stacked ? d->base[i] + (known(s, i) ? s->points[i].mean : 0) : s->points[i].max;
                if (g->stacked)
                        d->base[i] = high[i];
        }
        buf_addf(d->out, "<g class=\"s%zu\">", which);
        if (g->stacked || bands)
                area(d, s, g->stacked ? "area" : "band", low, high);
        else
                mean_line(d, s);
        buf_adds(d->out, "</g>\n");
}

/* Bands first: no band lies on a line. */
static void draw_all(struct drawing *d)
{
        double base[GRAPH_POINTS_MOST] = { 0 };
        d->base = base;
        buf_addf(d->out, "<g clip-path=\"url(#c%s)\"><g transform=\"scale(%g)\">\n", d->id, 1.0 / FINE);
        for (size_t i = 0; i < d->g->n_series; i++)
                draw_series(d, i, true);
        for (size_t i = 0; i < d->g->n_series && !d->g->stacked; i++)
                draw_series(d, i, false);
        buf_adds(d->out, "</g></g>\n");
        d->base = NULL;
}

/* --- marks, legend ------------------------------------------------------------------------------------------------------- */

static void draw_marks(const struct drawing *d)
{
        char at[TIME_TEXT_MAX];
        for (size_t i = 0; i < d->g->n_marks; i++) {
                const struct graph_mark *m = &d->g->marks[i];
                double x = x_of(d->g, m->at);
                int row = d->mark_row[i], up = row < 0 ? 0 : (d->rows - row) * MARK_ROW;
                bool left = x + (double)letters(m->label) * LETTER + 10 > PLOT_WIDTH;
                buf_addf(d->out, "<g><title>%s: ", time_print(m->at, at));
                add_text(d->out, m->label);
                buf_addf(d->out, "</title><path class=\"mark\" d=\"M%.1f %dV%d\"/>", x, -up, PLOT_HEIGHT);
                if (row >= 0) {
                        buf_addf(d->out, "<text class=\"text\" font-size=\"11\" x=\"%.1f\" y=\"%d\"%s>",
                                 left ? x - 4 : x + 4, 10 - up, left ? " text-anchor=\"end\"" : "");
                        add_text(d->out, m->label);
                        buf_adds(d->out, "</text>");
                }
                buf_adds(d->out, "</g>\n");
        }
}

static void legend_number(const struct drawing *d, int x, int y, double value)
{
        char number[GRAPH_NUMBER_MAX];
        buf_addf(d->out, "<text class=\"text\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", x, y,
                 shown(d->g, value, number));
}

static void legend(const struct drawing *d)
{
        enum { MEAN = 560, MAX = 660, LAST = 760 };
        int y = PLOT_HEIGHT + AXIS + 22;
        buf_addf(d->out,
                 "<g class=\"dim\" text-anchor=\"end\"><text x=\"%d\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\">"
                 "%s</text><text x=\"%d\" y=\"%d\">%s</text></g>\n",
                 MEAN, y, word(d, GRAPH_MEAN), MAX, y, word(d, GRAPH_MAXIMUM), LAST, y, word(d, GRAPH_LAST));
        for (size_t i = 0; i < d->g->n_series; i++) {
                const struct graph_series *s = &d->g->series[i];
                y += LEGEND_ROW;
                buf_addf(d->out,
                         "<g class=\"s%zu\"><rect class=\"key\" y=\"%d\" width=\"14\" height=\"10\" rx=\"2\"/></g>", i,
                         y - 9);
                buf_addf(d->out, "<text class=\"text\" x=\"22\" y=\"%d\">", y);
                add_text(d->out, s->name);
                buf_adds(d->out, "</text>");
                legend_number(d, MEAN, y, s->mean);
                legend_number(d, MAX, y, s->max);
                legend_number(d, LAST, y, s->last);
                buf_addc(d->out, '\n');
        }
}

/* --- all of it ----------------------------------------------------------------------------------------------------------- */

static void open_svg(const struct drawing *d, int height)
{
        buf_addf(d->out, "<svg%s viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" ",
                 d->alone ? " xmlns=\"http://www.w3.org/2000/svg\"" : "", WIDTH, height, WIDTH, height);
        buf_addf(d->out, "aria-labelledby=\"t%s d%s\">\n<title id=\"t%s\">", d->id, d->id, d->id);
        add_text(d->out, d->g->title);
        buf_adds(d->out, "</title>\n");
        describe(d);
        if (d->alone)
                graph_svg_style(d->out);
        buf_addf(d->out,
                 "<defs><clipPath id=\"c%s\"><rect y=\"-1\" width=\"%d\" height=\"%d\"/></clipPath>"
                 "<pattern id=\"u%s\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
                 "patternTransform=\"rotate(45)\">"
                 "<path class=\"hatch\" d=\"M0 0V6\"/></pattern></defs>\n",
                 d->id, PLOT_WIDTH, PLOT_HEIGHT + 2, d->id);
}

static void head(const struct drawing *d)
{
        const struct graph *g = d->g;
        char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX], number[GRAPH_NUMBER_MAX];
        int height = d->plot_y + PLOT_HEIGHT + AXIS + 36 + (int)g->n_series * LEGEND_ROW;
        open_svg(d, height);
        buf_addf(d->out,
                 "<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n"
                 "<text class=\"text\" x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"600\">",
                 WIDTH, height);
        add_text(d->out, g->title);
        time_print(g->to, b);
        buf_addf(d->out, "</text>\n<text class=\"dim\" x=\"%d\" y=\"24\" text-anchor=\"end\">%.16s – %.16s%s</text>\n",
                 LEFT + PLOT_WIDTH, time_print(g->from, a), b, b + strlen("2026-12-01 14:30:05"));
        buf_addf(d->out, "<text class=\"dim\" x=\"16\" y=\"43\">%s</text>\n",
                 *g->unit ? g->unit : word(d, GRAPH_LEVEL));
        if (g->burst * g->scale > d->top)
                buf_addf(d->out, "<text class=\"dim\" x=\"%d\" y=\"43\" text-anchor=\"end\">%s %s</text>\n",
                         LEFT + PLOT_WIDTH, word(d, GRAPH_CUT), shown(g, g->burst, number));
}

static void draw(struct drawing d)
{
        const struct graph *g = d.g;
        d.step = graph_value_step(g->top * g->scale, 5);
        d.top = ceil(g->top * g->scale / d.step - 1e-9) * d.step;
        place_marks(&d);
        d.plot_y = HEAD + 8 + d.rows * MARK_ROW;
        head(&d);
        buf_addf(d.out, "<g transform=\"translate(%d %d)\">\n", LEFT, d.plot_y);
        hatch_unknown(&d);
        value_axis(&d);
        time_axis(&d);
        draw_all(&d);
        buf_addf(d.out, "<path class=\"axis\" d=\"M0 %dH%d\"/>\n", PLOT_HEIGHT, PLOT_WIDTH);
        draw_marks(&d);
        legend(&d);
        buf_adds(d.out, "</g>\n</svg>\n");
}

void graph_svg_style(struct buf *out)
{
        buf_adds(out, style);
}

void graph_svg(const struct graph *g, struct buf *out)
{
        draw((struct drawing){ .g = g, .out = out, .id = "", .alone = true });
}

void graph_svg_part(const struct graph *g, const char *id, struct buf *out)
{
        draw((struct drawing){ .g = g, .out = out, .id = id });
}
