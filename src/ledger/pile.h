/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/pile.h - any number of leases on their way into the archive, in bounded memory.
 *
 * The importer adds leases in any order; they are sorted in runs, merged by month of their end into segments (ledger/segment.h)
 * in STATE/leases/incoming, compared with what the archive knows already, and handed to the keeper, who makes all of them part of
 * the ledger in one transaction, or none. Those for the live table come before, some at a time, so that nobody waits for them.
 * Owns:    its memory and its files until pile_commit(); pile_free() without it leaves nothing behind.
 * Threads: one.
 * Limits:  `memory` bytes (0: the default, 256 MiB) whatever the number of leases. Needs the rights of the keeper's user. */
#pragma once

#include "ledger/client.h"

struct pile;

struct pile_result {
        uint64_t added, known, corrected; /* leases: new; there already; there with another end, now set right */
        uint64_t segments;
        bool begun; /* where it failed: a part of it may be in the ledger, and all of it told again is right */
};

int pile_new(const char *dir, size_t memory, struct pile **ret, struct buf *why);
void pile_free(struct pile *p);
void pile_free_(struct pile **p);
#define autopile CLEANUP(pile_free_) struct pile
/* -ENOSPC and the like: why says which file. Leases that have not ended do not belong here: -EINVAL. */
int pile_add(struct pile *p, const struct lease *l);
/* One for the live table: it has not ended, or ended just now, or stands there already. As those of pile_commit(), but any number. */
int pile_add_live(struct pile *p, const struct lease *l);
/* Sorts and compares the rest, then asks the keeper; `open` are the leases that have not ended or ended just now, for the live table, which
 * gets them before the archive the others. dry_run: only counts. progress may be NULL; called with leases done and of how many. Once for a pile. */
int pile_commit(struct pile *p, struct client *c, const struct lease *open, size_t n_open, bool dry_run,
                void (*progress)(uint64_t done, uint64_t of), struct pile_result *ret);
const char *pile_why(const struct pile *p);
