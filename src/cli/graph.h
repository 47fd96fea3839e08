/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/graph.h - the parts of `porteiro graph`: what is in the files of rings, what is marked, and the sampler.
 *
 * Owns:    struct graph_set its series and their points, until graph_set_done(); marks live in the caller's arena.
 * Threads: one.
 * Limits:  GRAPH_FILES_MOST files; GRAPH_MARKS_MOST marks, the latest. */
#pragma once

#include "cli/cli.h"
#include "graph/picture.h"

enum { GRAPH_FILES_MOST = 64 };

/* One series of one file, named FILE/SERIES. */
struct graph_found {
        char *name;
        enum rings_kind kind;
        struct rings_point *points;
        double sum;
};

struct graph_set {
        int64_t from, to;
        size_t n_points;
        struct graph_found *v; /* most events first */
        size_t n, cap, files;
};

/* Every series of STATE/graph/ and STATE/maillog/ that one of the patterns names, all where there is none. Returns an exit status; says what was wrong. */
int graph_set_read(struct graph_set *set, const char *state, const char *const *patterns, size_t n_patterns);
void graph_set_done(struct graph_set *set);
#define autograph CLEANUP(graph_set_done) struct graph_set

/* Generations that were applied or taken back, and waves that began, in [from, to). */
size_t graph_marks(const struct cli *cli, const struct policy *p, int64_t from, int64_t to, struct arena *a,
                   struct graph_mark marks[GRAPH_MARKS_MOST]);

int cmd_graph_sample(int argc, char **argv);
