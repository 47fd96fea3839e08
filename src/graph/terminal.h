/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/terminal.h - a picture in letters, one panel a series, on one axis of time.
 *
 * Columns of blocks are the mean, the shade above them reaches to the maximum. The line under a panel is broken where nothing is known:
 * so zero and unknown differ. Marks are numbered columns, with their labels below.
 * Owns:    nothing; writes into the caller's buf.
 * Threads: one at a time (libc's zone).
 * Limits:  those of picture.h; one point a column. */
#pragma once

#include "graph/picture.h"

enum { GRAPH_COLUMNS = 80, GRAPH_COLUMNS_LEAST = 40, GRAPH_COLUMNS_MOST = 400, GRAPH_GUTTER = 8 };

struct graph_terminal {
        size_t columns; /* of the terminal; the picture has GRAPH_GUTTER fewer points */
        bool ascii;     /* nothing but ASCII */
        bool colour;
};

/* After graph_measure(). */
void graph_terminal(const struct graph *g, const struct graph_terminal *t, struct buf *out);
