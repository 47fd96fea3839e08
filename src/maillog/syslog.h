/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/syslog.h - one line of a log file: when, on which host, which program, what it said.
 *
 * Forms: "Nov 28 13:20:02 host program[pid]: text" (RFC 3164: no year, no zone), "2026-11-28T13:20:02.5-03:00 host …" (RFC 3339),
 * each with or without <PRI>, "<22>1 2026-11-28T13:20:02Z host program pid - - text" (RFC 5424), and the files that Exim, "2026-11-28 13:20:02 text" (a year, no zone, no host), and Dovecot write by themselves,
 * "Nov 28 13:20:02 imap-login: Info: text". The year comes from the order of
 * the lines and from when the file was last written; what a local time means, from the zone of the sending host. An hour that a clock
 * set back has twice is told by order, too.
 *
 * So that pieces of a file can be read side by side, this is done in two steps: syslog_scan() reads lines of one piece in any thread, each
 * with its hour as it stands there; syslog_settle() then says what these hours are, piece by piece in order. syslog_parse() is both at once.
 * Owns:    hours, until syslog_hours_done(); slices point into the line.
 * Threads: one clock, one thread; one set of hours, one thread.
 * Limits:  lines that are more than six months apart in one file, and have no year, are taken for one year. */
#pragma once

#include "base/slice.h"

/* The instant (µs UTC) of a local time, given as seconds since 1970 as if it were UTC; `later`: of two, the second. */
struct syslog_zone {
        int64_t (*instant)(void *arg, int64_t local, bool later); /* NULL: the host's clock is UTC */
        void *arg;
};

enum { SYSLOG_HOUR_MOST = 14, SYSLOG_SECOND_MOST = 33 };

/* Lines that follow each other and stand in one hour. */
struct syslog_hour {
        int64_t at;                  /* its start, µs UTC, once it is settled */
        char text[SYSLOG_HOUR_MOST]; /* as it stands there */
        uint8_t n;
        bool settled;        /* by its own zone */
        int32_t first, last; /* the first and the last line in it: seconds */
        int64_t low, high;   /* the earliest and the latest: µs after its start */
};

struct syslog_hours {
        struct syslog_hour *v;
        size_t n, cap;
        /* What most lines begin with as the line before did: "Nov 28 13:20:02 ", or "2026-11-28T13:20:02." and the zone behind six digits. */
        char second[SYSLOG_SECOND_MOST];
        uint8_t second_n; /* 0: there is none */
        int64_t second_at;
};
void syslog_hours_clear(struct syslog_hours *h);
void syslog_hours_done(struct syslog_hours *h);

struct syslog_clock {
        struct syslog_zone zone;
        int64_t reference; /* no line is more than a day younger: when the file was last written */
        int64_t last;      /* of the line before */
        int year, month;   /* of it; 0: none yet */
        struct syslog_hour hour;
};

struct syslog_line {
        int64_t at;    /* µs UTC; from syslog_scan(): since the start of its hour */
        uint32_t hour; /* from syslog_scan(): its number */
        uint32_t pid;  /* 0: none said */
        struct slice host, program, text;
};

/* Before each file. */
void syslog_clock_init(struct syslog_clock *c, struct syslog_zone zone, int64_t reference);

/* A whole line, without its line end. False where it is none; *ret is then undefined. */
bool syslog_scan(struct syslog_hours *h, struct slice line, struct syslog_line *ret);
void syslog_settle(struct syslog_clock *c, struct syslog_hours *h);
bool syslog_parse(struct syslog_clock *c, struct slice line, struct syslog_line *ret);

#define SYSLOG_PROTOCOL S("1 ")
/* What stands behind the time of a line that has SYSLOG_PROTOCOL behind its <PRI>: all of *ret but when it was. */
bool syslog_protocol(struct slice s, struct syslog_line *ret);

enum { SYSLOG_MORE = 0 };
/* The line at the start of `in`: how many bytes it has with its line end; SYSLOG_MORE where that is not there yet;
 * the same below zero where those bytes are no line of a log. */
int64_t syslog_next(struct syslog_clock *c, struct slice in, struct syslog_line *ret);
