/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/segment.h - an immutable file of leases that ended in one month, sorted by prefix and start, to be looked into by address
 * and by line.
 *
 * A look-up is one binary search and a walk over the leases that may still be open at that instant: each record knows how many
 * records before it that can be, and blocks that were all over by then are passed over whole.
 * A record may correct one of the same key (segment_key_cmp) in an older segment of its month: it then takes its place, or, where it is
 * void, only takes it away.
 * Owns:    a segment its mapping, a writer its file until it is finished.
 * Threads: one; an open segment is read only.
 * Limits:  SEGMENT_LEASES_MOST leases and 65,535 names a file: then the writer is full, and another is begun. Whatever the bytes of a file
 *          are, reading it ends in an answer or in -EUCLEAN; a file cut short while it is mapped, or a disk that fails then, is a SIGBUS. */
#pragma once

#include "ledger/ledger.h"

enum { SEGMENT_LEASES_MOST = 16 << 20 };
enum { SEGMENT_CORRECTS = 1, SEGMENT_VOID = 2 };

struct segment_info {
        uint64_t leases, corrections, bytes;
        int64_t month, first, last; /* months since 1970; the first start and the last end */
        char hash[17];              /* of its header, which has those of all parts */
};

/* A lease as it stands in the file: its texts are the mapping's, or the row's own. */
struct segment_row {
        struct lease lease;
        unsigned flags;
        char user[300];
};

struct segment;

/* Looks at the header only. hash (NULL: any): what the ledger says it must be. -EUCLEAN: damaged, `why` says what. */
int segment_open(const char *path, const char *hash, struct segment **ret, struct buf *why);
/* The same for bytes in memory, which must outlive it. */
int segment_of(struct slice bytes, struct segment **ret, struct buf *why);
void segment_free(struct segment *s);
void segment_free_(struct segment **s);
#define autosegment CLEANUP(segment_free_) struct segment
const struct segment_info *segment_info(const struct segment *s);

/* All of it: sums, order, bounds. Goes on from *at (0: the beginning) over about `budget` bytes: 1 while there is more, 0 when all is
 * right, -EUCLEAN with `why`. Its own state is in the segment: one check at a time. */
int segment_check(struct segment *s, uint64_t budget, struct buf *why);

/* Gives back the memory that holds what was read of it; what is asked for again is read again. */
void segment_release(const struct segment *s);

/* -EUCLEAN where the record cannot be read. */
int segment_read(const struct segment *s, uint64_t i, struct segment_row *ret);
/* The same without the texts: what most walks want to know first. */
int64_t segment_start(const struct segment *s, uint64_t i);
int64_t segment_end(const struct segment *s, uint64_t i);
struct prefix segment_prefix(const struct segment *s, uint64_t i);
bool segment_has_port(const struct segment *s, uint64_t i, uint16_t port); /* also where it is of all ports */
/* The first record that is not before (prefix, start), not before record `from`. Near `from` it is found fast. */
uint64_t segment_find(const struct segment *s, const struct prefix *p, int64_t start, uint64_t from);
bool segment_has_length(const struct segment *s, unsigned length);

/* Calls back for each record of this very prefix that shares time with [from, until), void ones too. What `each` answers other than 0 ends it
 * and is returned. */
int segment_stab(const struct segment *s, const struct prefix *p, int64_t from, int64_t until,
                 int (*each)(void *arg, const struct segment *s, uint64_t i), void *arg);
/* For each record whose line it is (some may only look so: compare). */
int segment_of_line(const struct segment *s, const struct line *line,
                    int (*each)(void *arg, const struct segment *s, uint64_t i), void *arg);

/* Order of the file: prefix, start, source, nas, session, user. 0: the same lease. */
int segment_key_cmp(const struct lease *a, const struct lease *b);

/* Months since 1970 of an instant (UTC), and their folder's name. */
int64_t month_of(int64_t at);
enum { MONTH_TEXT_MAX = 24 };
const char *month_print(int64_t month, char out[MONTH_TEXT_MAX]); /* "2026-11" */
/* When it begins; that of the next one is when it is over. */
int64_t month_begin(int64_t month);

/* --- writing --- */

struct segment_writer;

/* A new file, which must not be there; `most` records at the most (a bound, known before). Its owner becomes that of its folder where we
 * are root. It is locked (flock) as long as the writer lives. */
int segment_writer_new(const char *path, int64_t month, uint64_t most, struct segment_writer **ret, struct buf *why);
/* In order (segment_key_cmp). 1: it is full, this one is not in it. -errno: the system's. */
int segment_writer_add(struct segment_writer *w, const struct lease *l, unsigned flags);
/* About `budget` records' worth of work at a time: 1 while there is more, 0: whole, and on disk. */
int segment_writer_finish(struct segment_writer *w, uint64_t budget);
const struct segment_info *segment_writer_info(const struct segment_writer *w);
const char *segment_writer_path(const struct segment_writer *w);
/* keep: the file stays. Otherwise it goes. NULL is fine. */
void segment_writer_free(struct segment_writer *w, bool keep);
