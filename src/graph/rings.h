/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/rings.h - what was counted, from seconds to years, in a file that does not grow with time.
 *
 * A file holds several named series. Each has a ring of slots for every step of RINGS below: 10 s for a day up to 1 day for ten
 * years. A slot knows the sum, the highest value of any 10 s in it, and for how many seconds anything was known: so a mean is over
 * what was known, a burst stays visible in the year, and what was not measured is not zero. Slots are steps of UTC since 1970: no
 * daylight saving, and a slot says of which step it is, so what is left of the round before is never taken for now.
 *
 * Own file versus librrd: librrd maps 48 shared objects (cairo, pango, glib) and takes one file a series. Own file versus tables in
 * the ledger: a sample every ten seconds would be a commit to disk every ten seconds, for numbers on which nothing is decided.
 *
 * A kernel that dies may lose the last half minute, never the file: each slot carries its own sum, and one that was torn reads as
 * unknown, as does one that another process is just writing (it is looked at again first).
 * Owns:    the mapping of a file and, where it was opened to write, its lock. rings_of() borrows the bytes, which begin where a uint64_t may.
 * Threads: one at a time; one process writes a file, any number read it.
 * Limits:  RINGS_SERIES_MOST series of 1.2 MB each; they are never taken away. Times from 1970 to 2100. */
#pragma once

#include "base/buf.h"

#include <sys/types.h>

enum { RINGS_SERIES_MOST = 64, RINGS_NAME_MOST = 79, RINGS_COUNT = 5 };

/* Events, shown per time; or a level, such as a length of a queue. */
enum rings_kind { RINGS_RATE, RINGS_GAUGE };

struct rings;

/* Where a measured number is silent for longer than this, the time between is unknown (µs). */
#define RINGS_SILENCE (INT64_C(300) * 1000000)

/* To write: made where missing, mode 0640. 0 or -errno with the reason in `why`; -EWOULDBLOCK: another process writes it. */
int rings_open(const char *path, struct rings **ret, struct buf *why);
int rings_view(const char *path, struct rings **ret, struct buf *why); /* to read */
int rings_of(struct slice bytes, struct rings **ret, struct buf *why); /* to read, from memory */
/* To another user, as root: 0 or -errno. Of the file that is open, whatever the path leads to by now. */
int rings_give(struct rings *r, uid_t user, gid_t group);
void rings_close(struct rings *r);
void rings_close_(struct rings **r);
#define autorings CLEANUP(rings_close_) struct rings

size_t rings_count(const struct rings *r);
struct slice rings_name(const struct rings *r, size_t series);
enum rings_kind rings_kind(const struct rings *r, size_t series);
/* When the series was written last; 0: never. */
int64_t rings_last(const struct rings *r, size_t series);
/* The series of this name, made where it is missing. -ENOSPC: there are RINGS_SERIES_MOST; -EINVAL: an empty or too long name, or one of
 * another kind. */
int rings_series(struct rings *r, struct slice name, enum rings_kind kind, size_t *ret);

/* A number that only grows, as it stands now. The first one only says where to count from; so does one that is smaller than the last
 * (it was reset: how much was counted before and after nobody knows), one after RINGS_SILENCE, and one from before the last (the
 * clock went back). */
void rings_counter(struct rings *r, size_t series, int64_t now, uint64_t value);
/* A level as it stands now: it holds for the time since the last one. */
void rings_gauge(struct rings *r, size_t series, int64_t now, double value);
/* `n` events in [from, to), a stretch that was watched as a whole, a year at most: told once. What was known before is not counted twice.
 * from == to: events that come late, for time that was told of already. */
void rings_add(struct rings *r, size_t series, int64_t from, int64_t to, double n, int64_t now);

/* One point of a picture: rates are per second. mean and max are NaN where nothing is known. */
struct rings_point {
        double mean, max, sum, known; /* known: seconds */
};

/* [from, to) in `n` points of equal length, from the coarsest ring with four slots a point, or a coarser one where that does not reach back to
 * `from`. Returns the seconds of its step. */
int64_t rings_read(const struct rings *r, size_t series, int64_t from, int64_t to, size_t n,
                   struct rings_point *points);
