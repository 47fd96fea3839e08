/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/archive_keep.h - what the keeper does with the archive: takes segments in, moves there what is over, merges, forgets.
 *
 * A segment's file stands under its name before the row that lists it is committed, and goes after the row is gone for a while: readers keep
 * a transaction for less than a second. So at every instant what is listed is there, and what is not listed is garbage, which
 * archive_sweep() takes away.
 * Owns:    as part of a writing struct ledger: segments being checked, the merge under way, files that are to go.
 * Threads: one.
 * Limits:  private to ledger/. ARCHIVE_MOVE_MOST leases move in one transaction. */
#pragma once

#include "ledger/archive.h"

enum { ARCHIVE_MOVE_MOST = 1000 };
#define ARCHIVE_LIVE_FOR (2 * DAY) /* so long what is over stays in the live table: what comes late changes it there */
#define ARCHIVE_LINGER (2 * SECOND)

struct checked {
        char *name, *path;
        struct segment *segment;
        bool whole;
};

struct doomed {
        char *path;
        int64_t since; /* by the monotonic clock */
};

struct archive_writing {
        struct checked *checks;
        size_t n_checks, checks_cap;
        struct doomed *doomed;
        size_t n_doomed, doomed_cap;
        struct forgetting *forgetting; /* what `porteiro forget` is at */
};

struct archive_writing *archive_writing(struct ledger *l); /* made where it is missing */
void archive_writing_free(struct archive_writing *w);

/* Within a transaction: lists the segment and puts its file in its place. rank 0: its own number, the newest. */
int archive_adopt(struct ledger *l, const char *path, const struct segment_info *info, int64_t rank, int64_t now);
/* Within a transaction: no longer lists it; the file goes once archive_bury() is called, ARCHIVE_LINGER after the commit. */
int archive_drop(struct ledger *l, const struct part *p);
/* Takes away the files of what was dropped; all: also those that readers may still open. Only outside of a transaction. */
void archive_bury(struct ledger *l, bool all);
bool archive_buried(const struct ledger *l);
/* Takes away every file that is not listed and that no living process holds. Not while a transaction is open. */
int archive_sweep(struct ledger *l);

/* Moves up to ARCHIVE_MOVE_MOST leases that were over before `before` into a segment. Prepares outside of a transaction, then `commit` runs
 * the rest within one: *ret gets how many. */
struct move;
int archive_move_prepare(struct ledger *l, int64_t before, struct move **ret, size_t *n);
int archive_move(struct ledger *l, struct move *m, int64_t now);
void archive_move_free(struct move *m);

/* The segments of one month, from the oldest or a newer one to the newest, become one. forget: without what ended before (0: all stays). */
struct merge_plan {
        int64_t month, forget;
        size_t first, n; /* of the month's segments, by rank */
        bool alone;      /* one only, without what a newer one corrects: that may be forgotten next */
};
/* What should be merged next: true and *ret. */
bool merge_wanted(const struct archive *a, int64_t now, struct merge_plan *ret);
/* The part at place i among those of a month; NULL past the end. */
struct part *archive_part_of(const struct archive *a, int64_t month, size_t i);
int merge_begin(struct ledger *l, const struct merge_plan *plan, struct merge **ret);
/* About `budget` leases at a time: 1 while there is more. */
int merge_step(struct ledger *l, struct merge *m, uint64_t budget);
/* Within a transaction. 1: the list has changed meanwhile, nothing was done. */
int merge_publish(struct ledger *l, struct merge *m, int64_t now);
uint64_t merge_forgotten(const struct merge *m);
int64_t merge_rank(const struct merge *m); /* of its result */
void merge_free(struct merge *m);
