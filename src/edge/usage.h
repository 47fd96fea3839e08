/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/usage.h - how many bytes a mailbox uses up, without looking at each of its messages each time.
 *
 * A mailbox is counted when somebody first asks, from the S= in the names of its files (maildir(5) of Dovecot; the file itself where a name has
 * none), all its folders together. From then on what we deliver is added. Its owner deletes, and his mail program stores, behind our back:
 * so a count is taken anew after USAGE_FRESH, and where the mailbox would be full after USAGE_FULL_FRESH.
 * Owns:    one number a mailbox that was asked for.
 * Threads: one. Counting waits for the disk.
 * Limits:  a count reads names: 100,000 messages cost some tens of milliseconds. */
#pragma once

#include "base/map.h"
#include "base/time.h"

#define USAGE_FRESH HOUR
#define USAGE_FULL_FRESH MINUTE

struct usage {
        int root; /* of the maildir folder; the caller's */
        struct map boxes;
        uint64_t counts; /* how often a mailbox was counted */
};

void usage_done(struct usage *u);
/* Whether `more` bytes do not fit into the quota any more; a mailbox that is not there yet is empty. 0 or -errno. */
int usage_full(struct usage *u, int64_t number, int64_t quota, uint64_t more, int64_t now, bool *ret);
void usage_add(struct usage *u, int64_t number, uint64_t bytes);
/* The size that a file's name tells: false where it tells none. */
bool usage_of_name(struct slice name, uint64_t *ret);
