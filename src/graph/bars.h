/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/bars.h - numbers side by side, as bars one below the other: SVG as a part of a page of HTML that has graph_svg_style().
 *
 * Owns:    nothing; writes into the caller's buf.
 * Threads: pure.
 * Limits:  GRAPH_BARS_MOST bars: what comes after them is not drawn. */
#pragma once

#include "base/buf.h"

enum { GRAPH_BARS_MOST = 40 };

struct graph_bar {
        struct slice name, shown; /* shown: the value, as people write it */
        double value;             /* not below 0 */
};

/* `id` as for graph_svg_part(). */
void graph_bars_part(struct slice title, const struct graph_bar *bars, size_t n, const char *id, struct buf *out);
