/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/picture.h - what a picture shows, and what all pictures need: totals, a unit, ticks at round numbers and round hours.
 *
 * Time ticks are in the zone set by time_set_zone(): midnights are local ones, so a day of 23 or 25 hours is as wide as it was long.
 * Owns:    nothing; points, names and labels are the caller's.
 * Threads: one at a time (libc's zone).
 * Limits:  GRAPH_SERIES_MOST series of one kind, GRAPH_MARKS_MOST marks, GRAPH_POINTS_MOST points. */
#pragma once

#include "graph/rings.h"
#include "graph/words.h"

enum {
        GRAPH_SERIES_MOST = 8,
        GRAPH_MARKS_MOST = 200,
        GRAPH_POINTS_MOST = 1000,
        GRAPH_TICKS_MOST = 24,
        GRAPH_NUMBER_MAX = 24
};

struct graph_series {
        struct slice name;
        const struct rings_point *points;
        double mean, max, last; /* by graph_measure(); NaN where nothing is known */
};

/* What changed: a generation was applied, a wave began. */
struct graph_mark {
        int64_t at;
        struct slice label;
};

struct graph {
        struct slice title;
        enum rings_kind kind;
        int64_t from, to;
        size_t n_points;
        struct graph_series *series;
        size_t n_series;
        struct graph_mark *marks;
        size_t n_marks;
        bool stacked; /* areas one upon the other, instead of lines */
        int64_t per;  /* rates are shown per second, minute or hour (µs); 0: as suits them */
        enum graph_language language;
        /* by graph_measure(): */
        double scale;     /* values are shown times this */
        const char *unit; /* "per minute"; "" for levels */
        double top;       /* of the value axis, before scale: a burst over four times the highest mean is cut */
        double burst;     /* the highest value of all where that is over the top; 0: none is */
};

/* Fills what is "by graph_measure()", and puts the marks in order. */
void graph_measure(struct graph *g);

/* "0", "0.25", "12", "1.5k", "3.2M"; "–" for NaN. */
const char *graph_number(double value, char out[GRAPH_NUMBER_MAX]);

struct graph_tick {
        int64_t at;
        bool strong; /* a day, or a year, begins */
        char label[24];
};
/* At most `most` ticks of its time, at round local ones. Returns how many. */
size_t graph_time_ticks(const struct graph *g, size_t most, struct graph_tick ticks[GRAPH_TICKS_MOST]);
/* The distance of ticks from 0 to `top`, 1, 2 or 5 times a power of ten, so that there are at most `most`. */
double graph_value_step(double top, size_t most);
/* Whether no series knows anything of this point. */
bool graph_unknown(const struct graph *g, size_t point);
