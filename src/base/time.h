/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/time.h - instants as int64 microseconds since 1970 UTC, and their text.
 *
 * Mechanisms take `now` as an argument; only drivers call time_now().
 * Owns:    the process's time zone, set once per generation by time_set_zone() (libc's TZ).
 * Threads: time_set_zone() only while one thread runs.
 * Limits:  years 1970 to 9999. TIME_NEVER stands for "no end". */
#pragma once

#include "base/buf.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define TIME_NEVER INT64_MAX

enum { TIME_TEXT_MAX = 40 };

enum time_error {
        TIME_OK,
        TIME_BAD_FORM,   /* none of the forms below */
        TIME_NO_SUCH_DAY /* 31 February, hour 25, a local time the zone skips */
};

/* What a date alone stands for. */
enum time_edge { TIME_FIRST_INSTANT, TIME_LAST_INSTANT };

int64_t time_now(void);       /* wall clock */
int64_t time_monotonic(void); /* for measuring and deadlines only */
/* "America/Sao_Paulo", looked up in the system's zone files; false (and nothing changed) where it is unknown. */
bool time_set_zone(struct slice name);
bool time_zone_known(struct slice name); /* the same, and sets nothing */
/* "2026-12-01", "2026-12-01 14:30[:05]", "2026-12-01T14:30:05[.123456]", each with optional "Z", "+02:00" or "-0300";
 * without one it is in the zone set. "now" is not known here. */
enum time_error time_parse(struct slice s, enum time_edge edge, int64_t *ret);
/* "2026-12-01 14:30:05 -0300"; TIME_NEVER prints "no end". */
const char *time_print(int64_t us, char out[TIME_TEXT_MAX]);
/* "90s", "5m", "24h", "7d", "2w", also "1h30m"; true only for 1 second to 100 years. */
bool duration_parse(struct slice s, int64_t *ret);
const char *duration_print(int64_t us, char out[TIME_TEXT_MAX]); /* "1d 2h", two units at most */
