/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/syslog.h - one line of a log file: when, on which host, which program, what it said.
 *
 * Two forms: "Nov 28 13:20:02 host program[pid]: text" (RFC 3164: no year, no zone) and "2026-11-28T13:20:02.5-03:00 host …" (RFC 3339),
 * each with or without <PRI>. The year comes from the order of the lines and from when the file was last written; what a local time
 * means, from the zone of the sending host. An hour that a clock set back has twice is told by order, too.
 * Owns:    nothing; slices point into the line.
 * Threads: one clock, one thread.
 * Limits:  lines that are more than six months apart in one file, and have no year, are taken for one year. */
#pragma once

#include "base/slice.h"

/* The instant (µs UTC) of a local time, given as seconds since 1970 as if it were UTC; `later`: of two, the second. */
struct syslog_zone {
        int64_t (*instant)(void *arg, int64_t local, bool later); /* NULL: the host's clock is UTC */
        void *arg;
};

struct syslog_clock {
        struct syslog_zone zone;
        int64_t reference; /* no line is more than a day younger: when the file was last written */
        int64_t last;      /* of the line before */
        int year, month;   /* of it; 0: none yet */
        char hour[16];     /* what the cache is of: the text up to the hour */
        size_t hour_n;
        int64_t hour_at;
};

struct syslog_line {
        int64_t at; /* µs UTC */
        struct slice host, program, text;
        uint32_t pid; /* 0: none said */
};

/* Before each file. */
void syslog_clock_init(struct syslog_clock *c, struct syslog_zone zone, int64_t reference);

/* A whole line, without its line end. False where it is none; *ret is then undefined. */
bool syslog_parse(struct syslog_clock *c, struct slice line, struct syslog_line *ret);

enum { SYSLOG_MORE = 0 };
/* The line at the start of `in`: how many bytes it has with its line end; SYSLOG_MORE where that is not there yet;
 * the same below zero where those bytes are no line of a log. */
int64_t syslog_next(struct syslog_clock *c, struct slice in, struct syslog_line *ret);
