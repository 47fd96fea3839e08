/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/crew.h - pieces of a log read side by side, and taken in order.
 *
 * Whoever is free gets the next piece and reads it into a batch. One of them, always the same, takes the batches whose turn it is before he
 * reads another: what is taken is put into tables that are large, and stay in the cache of one processor. So order costs nothing as long as
 * taking is no more than one processor's share of the work.
 * Owns:    threads and batches, while crew_run() runs.
 * Threads: `workers`, the caller's among them, who is the one that calls apply(). next() is called by one at a time.
 * Limits:  CREW_MOST workers, CREW_BATCHES batches each. */
#pragma once

#include "maillog/batch.h"

enum { CREW_MOST = 64, CREW_BATCHES = 4 };

struct crew {
        struct batch_common *common;
        size_t workers;
        bool (*next)(void *arg, struct batch *b);  /* batch_take()s the next piece; false: there is none */
        void (*apply)(void *arg, struct batch *b); /* in the order of next() */
        void *arg;
};

void crew_run(const struct crew *c);
