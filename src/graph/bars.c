/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/bars.h"
#include "base/html.h"

#include <math.h>

/* In pixels. Names stand to the left of LEFT, values behind the longest bar at the most. */
enum { WIDTH = 900, LEFT = 230, LONGEST = 560, ROW = 24, HEAD = 44, NAME_MOST = 28 };

/* Cut where there is no more room. */
static void add_name(struct buf *out, struct slice name)
{
        size_t shown = 0, n = 0;
        while (n < name.n && shown < NAME_MOST) {
                size_t character = slice_utf8(slice_from(name, n));
                n += character ? character : 1;
                shown++;
        }
        html_add(out, (struct slice){ name.p, n });
        if (n < name.n)
                buf_adds(out, "…");
}

static void draw_bar(const struct graph_bar *b, double highest, int y, struct buf *out)
{
        double length = highest > 0 ? fmax(b->value / highest * LONGEST, b->value > 0) : 0;
        buf_addf(out, "<text class=\"text\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 10, y + 15);
        add_name(out, b->name);
        buf_addf(out, "</text><rect class=\"key\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>", LEFT,
                 y + 3, length, ROW - 8);
        buf_addf(out, "<text class=\"text\" x=\"%.1f\" y=\"%d\">", LEFT + length + 8, y + 15);
        html_add(out, b->shown);
        buf_adds(out, "</text>\n");
}

void graph_bars_part(struct slice title, const struct graph_bar *bars, size_t n, const char *id, struct buf *out)
{
        double highest = 0;
        n = n < GRAPH_BARS_MOST ? n : GRAPH_BARS_MOST;
        for (size_t i = 0; i < n; i++)
                highest = fmax(highest, bars[i].value);
        int height = HEAD + (int)n * ROW + 8;
        buf_addf(out, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"t%s\">\n",
                 WIDTH, height, WIDTH, height, id);
        buf_addf(out, "<title id=\"t%s\">", id);
        html_add(out, title);
        buf_addf(out, "</title>\n<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
        buf_adds(out, "<text class=\"text\" x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"600\">");
        html_add(out, title);
        buf_adds(out, "</text>\n<g class=\"s0\">\n");
        for (size_t i = 0; i < n; i++)
                draw_bar(&bars[i], highest, HEAD + (int)i * ROW, out);
        buf_adds(out, "</g>\n</svg>\n");
}
