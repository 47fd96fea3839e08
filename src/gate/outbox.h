/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/outbox.h - sightings on their way to the keeper.
 *
 * First in, first out; what the keeper took is dropped, what it did not take waits.
 * Owns:    its rows.
 * Threads: one; no I/O, no clock.
 * Limits:  OUTBOX_MOST rows (some 45 MB at the very most); full: outbox_put() says so, and the caller counts a loss. */
#pragma once

#include "gate/tally.h"
#include "ledger/ledger.h"

enum { OUTBOX_MOST = 2 * TALLY_SOURCES_MOST, OUTBOX_BATCH = 4096 };

struct outbox_row {
        struct prefix prefix;
        struct tally_label label;
        uint16_t n_hosts;
        int64_t at, seconds, count;
        char *hosts;
};

struct outbox {
        struct outbox_row *rows;
        size_t n, cap;
};

void outbox_done(struct outbox *o);
bool outbox_put(struct outbox *o, const struct tally_row *row);
/* The oldest rows as sightings, at most OUTBOX_BATCH; they point into the outbox until the next change of it. */
size_t outbox_batch(const struct outbox *o, struct sighting out[OUTBOX_BATCH]);
/* The oldest n are gone; returns how many attempts they counted. */
int64_t outbox_drop(struct outbox *o, size_t n);
