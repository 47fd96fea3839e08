/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/follow.h - mail logs that grow, many at once: pieces of whole lines as they are appended, and places to go on from.
 *
 *     while (maillog_follow_step(f, now, &piece) == 1) { use(&piece); maillog_follow_done(f, piece.file); }
 *     wait = maillog_follow_pause(f, now, &listen);  // sleep that long; with `listen`, until maillog_follow_fd() is readable
 *
 * What base/tail.h says of logs holds here: renamed, cut with a copy (copytruncate), packed (gzip, xz, zstd), or several of it while
 * nobody looked, no line is left out and none comes twice. A place moves in maillog_follow_done() alone: who keeps it together
 * with what he made of the lines can be killed anywhere. Lost are, and nobody can help it: what is written
 * between the copy and the cut of copytruncate; what was cut without a copy, or removed, before it was read;
 * what is appended to a renamed file later than MAILLOG_FOLLOW_GRACE after its successor got something.
 * Half a line waits for its rest; at the end of a file that is rotated away, or cut, it is given as it is.
 * Owns:    descriptors, and a buffer of a line and a piece for each file, of which only what is used takes memory.
 * Threads: one; `now` is of time_monotonic(). A step reads one piece and blocks on nothing but the disk.
 * Limits:  MAILLOG_FOLLOW_MOST files; lines as in maillog/reader.h: longer ones are left out and counted. Appended lines are looked at
 *          MAILLOG_FOLLOW_BATCH after those before: under a steady trickle four wakes a second, each for what came meanwhile; after
 *          silence at once, where inotify knows, or else after MAILLOG_FOLLOW_POLL (network file systems, lost events). */
#pragma once

#include "maillog/position.h"
#include "maillog/reader.h"

#include "base/time.h"

enum { MAILLOG_FOLLOW_MOST = 64, MAILLOG_FOLLOW_PIECE = 256 << 10 };

#define MAILLOG_FOLLOW_GRACE (2 * SECOND)
#define MAILLOG_FOLLOW_BATCH (SECOND / 4)
#define MAILLOG_FOLLOW_POLL (2 * SECOND)

struct maillog_piece {
        size_t file;        /* which of the paths */
        struct slice lines; /* until the next step; ends in a line end, but for half a line as said above */
        uint64_t device, inode, offset;
};

#define MAILLOG_FOLLOW_COUNTS(X)                                                                                       \
        X(bytes)                                                                                                       \
        X(too_long) /* lines left out */                                                                               \
        X(rotated)  /* went on with the next file */                                                                   \
        X(cut)                                                                                                         \
        X(gone) /* places whose file was found nowhere */
#define MAILLOG_FOLLOW_COUNT(name) uint64_t name;
struct maillog_follow_counts {
        MAILLOG_FOLLOW_COUNTS(MAILLOG_FOLLOW_COUNT)
};

struct maillog_follow_options {
        const char *const *paths;
        size_t n;
        const struct maillog_positions *positions; /* a path without one is read from its beginning; may be NULL */
        void (*tell)(void *arg, size_t file,
                     const char *text); /* what hinders, when it begins and when it ends; may be NULL */
        void *arg;
};

struct maillog_follow;

struct maillog_follow *maillog_follow_open(const struct maillog_follow_options *o);
void maillog_follow_free(struct maillog_follow *f);
/* 1: *ret is a piece. 0: nothing more for now. */
int maillog_follow_step(struct maillog_follow *f, int64_t now, struct maillog_piece *ret);
/* What was given of this file so far has been dealt with. */
void maillog_follow_done(struct maillog_follow *f, size_t file);
/* Paths are the follower's. */
void maillog_follow_positions(const struct maillog_follow *f, struct maillog_positions *ret);

/* µs until the next step; 0: at once. */
int64_t maillog_follow_pause(const struct maillog_follow *f, int64_t now, bool *listen);
int maillog_follow_fd(const struct maillog_follow *f); /* of inotify; -1: there is none */

uint64_t maillog_follow_behind(const struct maillog_follow *f,
                               size_t file); /* bytes not read; packed ones as on disk */
/* errno of the last look at it, ENOENT where it is waited for; 0: it is read. */
int maillog_follow_trouble(const struct maillog_follow *f, size_t file);
struct maillog_follow_counts maillog_follow_counts(const struct maillog_follow *f);
