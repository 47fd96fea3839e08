/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/svg.h - a picture as SVG that stands alone: no script, no font, no other file; light or dark as the reader's screen is.
 *
 * The line is the mean, the lighter band above it reaches to the maximum. Where nothing is known there is no line, and the ground is
 * hatched where no series knows anything. Marks are dashed lines with a label. Title and description say the same in words.
 * Owns:    nothing; writes into the caller's buf.
 * Threads: one at a time (libc's zone).
 * Limits:  those of picture.h. With GRAPH_SVG_POINTS() points any picture is under 100 KB. */
#pragma once

#include "graph/picture.h"

/* How many points suit so many series. */
#define GRAPH_SVG_POINTS(series) ((size_t)((series) <= 3 ? 410 : (series) <= 5 ? 273 : 205))

/* After graph_measure(). */
void graph_svg(const struct graph *g, struct buf *out);
/* The same as a part of a page of HTML that has graph_svg_style() once. `id` keeps apart the ids of the parts of a page. */
void graph_svg_part(const struct graph *g, const char *id, struct buf *out);
void graph_svg_style(struct buf *out);
