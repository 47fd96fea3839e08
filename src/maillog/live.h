/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/live.h - logs that are followed: what is counted of them over time, and who reaches a limit.
 *
 * Lines go in, file by file in their order; counts come out for steps of LIVE_STEP, with how much of a step was watched, so that
 * what was not watched is not zero. Each count is told once, lines that come late as late ones.
 * Owns:    its tables.
 * Threads: one; knows the clock from its caller.
 * Limits:  LIVE_SLOTS steps wait to be told; then the oldest are told early. LIVE_NAMES clients, logins and senders at a time: when they are
 *          full, those of messages under way are kept and the rest forgotten. A message that began before the first line is known in part. */
#pragma once

#include "maillog/limits.h"
#include "maillog/syslog.h"

#define LIVE_COUNTS(X)                                                                                                 \
        X(RECEIVED, "received")                                                                                        \
        X(SENT, "sent")                                                                                                \
        X(DEFERRED, "deferred")                                                                                        \
        X(BOUNCED, "bounced")                                                                                          \
        X(REJECTED, "rejected")                                                                                        \
        X(AUTH_FAILED, "auth-failed")                                                                                  \
        X(SPAM, "spam")                                                                                                \
        X(VIRUS, "virus")
#define LIVE_COUNT_ENUM(id, name) LIVE_##id,
enum live_count { LIVE_COUNTS(LIVE_COUNT_ENUM) LIVE_COUNTS_ALL };

enum { LIVE_FILES_MOST = 64, LIVE_SLOTS = 1024, LIVE_NAMES = 1 << 19, LIVE_SERIES = LIVE_COUNTS_ALL + 128 };
#define LIVE_STEP (10 * INT64_C(1000000))

struct live_options {
        const struct rules *rules; /* they outlive it */
        struct limits_who who;
        /* `n` of a series in [from, to), all of which was watched; what comes late is of a stretch that may have been told before, and may
         * end after now. Numbers below LIVE_COUNTS_ALL are those above, then follow categories. */
        void (*count)(void *arg, size_t series, int64_t from, int64_t to, uint64_t n);
        /* Every line with what it was read as; may be NULL. */
        void (*line)(void *arg, size_t file, const struct batch *b);
        void *arg;
};

struct live;
struct live *live_new(const struct live_options *o);
void live_free(struct live *l); /* NULL is fine */
/* Whole lines of a file; written: when it was written last (µs), for the year of its times. A line that says it is of later is taken as of then:
 * who has a clock that is wrong is not kept away until next year, and what comes meanwhile is not late. */
void live_take(struct live *l, size_t file, struct syslog_zone zone, struct slice lines, int64_t written);
/* All that was written until `at` was read: tells what is counted up to then. */
void live_tell(struct live *l, int64_t at);
/* The same where there is more to be read: up to the youngest line. What is counted of later steps is told as late: their time is told when it
 * is over. */
void live_tell_read(struct live *l);
/* All messages are told, also those under way: before the last live_tell(). */
void live_end(struct live *l);
const char *live_series(const struct live *l,
                        size_t series); /* "received", "rejected/rbl" …; NULL: past the last one */
struct batch_sums live_sums(const struct live *l);
