/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/record.h - a line of a log as a whole: when, where, and the event of a mail server.
 *
 * Owns:    nothing; slices point into the line.
 * Threads: one clock, one thread.
 * Limits:  those of syslog.h. A clock that is not shown every line knows less of the year and of an hour that comes twice: it is set
 *          to where the reading begins, and shown a line now and then. */
#pragma once

#include "maillog/event.h"
#include "maillog/syslog.h"

struct record {
        int64_t at;     /* µs UTC */
        uint64_t times; /* that it happened: more than one where a logger wrote it once and says how often */
        struct slice host, instance, line;
        struct mail_event event;
};

/* A line without its line end. False: it is none of a mail server. */
bool record_read(struct syslog_clock *c, struct slice line, struct record *ret);
/* What the program said, the time not being read; empty where it is no such line. Many times faster: to look at every line. */
struct slice record_text(struct slice line);
/* Reading begins in the midst of a file, where lines are of these times; 0, 0: at its start. `written`: when it was last written. */
void record_clock(struct syslog_clock *c, struct syslog_zone zone, int64_t written, int64_t first, int64_t last);
