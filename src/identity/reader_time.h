/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/reader_time.h - the dates of lease files and logs as instants, fast enough for hundreds of thousands a second.
 *
 * A zone that is UTC or a number ("-03", "+0530") is exact. A name ("-03" is a number, "BRT" a name) is believed where the zone of the policy has
 * times of that name, and then also tells summer time from winter time in the hour that comes twice; any other name, or none, is read in the
 * policy's zone and said to be a guess.
 * Owns:    nothing; struct clock remembers the last quarter of an hour, because libc takes a microsecond for each.
 * Threads: the process's zone (base/time.h) must not change meanwhile.
 * Limits:  years 1970 to 9999, from the first microsecond on: no instant is 0 or before. */
#pragma once

#include "base/time.h"

struct fields {
        int year, month, day, hour, minute, second; /* month and day from 1 */
};

struct clock {
        struct fields at; /* second 0 of a quarter of an hour whose instant is known; year 0: none */
        char zone[8];
        int64_t instant;
        bool guessed;
};

enum when { WHEN_EXACT, WHEN_GUESSED /* the policy's zone stands for one that is missing or unknown */, WHEN_WRONG };

/* false for 31 February and the like. */
bool fields_utc(const struct fields *f, int64_t *ret);
enum when fields_in_zone(struct clock *c, const struct fields *f, struct slice zone, int64_t *ret);

/* "Jul 10 2024 00:00:00 UTC" (FreeRADIUS, %b %e %Y %H:%M:%S %Z), also "Wed Jul 10 00:00:00 2024" (ctime), seconds since 1970, and the forms
 * of time_parse(). */
enum when when_date(struct clock *c, struct slice s, int64_t *ret);
bool when_is_ctime(struct slice s);
/* "Jul  9 04:05:06" of a system log: of the year that brings it closest before `now` (a day ahead is still believed); or RFC 3339. *s is left
 * behind it. */
enum when when_syslog(struct clock *c, struct slice *s, int64_t now, int64_t *ret);
/* One number of `digits` digits at the front of *s, which moves behind it. */
bool when_number(struct slice *s, size_t digits, int *ret);
