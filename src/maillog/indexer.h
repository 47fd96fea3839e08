/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/indexer.h - the index of a log, kept while it is followed.
 *
 * An index is of one file: when the follower goes on with another, or with the same from
 * its beginning because it was cut, the index of the one before ends and that of the next begins. What cannot be
 * written leaves a gap, which whoever searches reads himself.
 * Owns:    the index that is open.
 * Threads: one.
 * Limits:  a file shorter than INDEX_HEAD, one that is packed, and one that is not at its path any more get none. */
#pragma once

#include "maillog/follow.h"
#include "maillog/syslog.h"

struct indexer {
        const char *state, *path;
        struct syslog_zone zone;
        uint64_t device, inode, at;  /* of the file: which, and the end of what was given */
        struct index_writer *writer; /* NULL: there is none (yet) */
        struct syslog_clock clock;
        uint64_t failed; /* pieces that are in no index */
};

void indexer_piece(struct indexer *x, const struct maillog_piece *piece, int64_t written);
void indexer_end(struct indexer *x);
