/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/rows.h - a growing array in an arena, for the answers of readers.
 *
 * Owns:    nothing; the array is the arena's.
 * Threads: one.
 * Limits:  private to ledger/; at the arena's ceiling rows_add() gives NULL and rows_done() -ENOMEM. */
#pragma once

#include "ledger/db.h"

struct rows {
        struct ledger *ledger;
        struct arena *arena;
        void *all;
        size_t n, cap, size;
        bool full;
};

struct rows rows_of(struct ledger *l, struct arena *a, size_t size);
void *rows_add(struct rows *r); /* the next one, all zeros */
/* Hands the array over where status is 0: returns it, or -ENOMEM. */
int rows_done(struct rows *r, int status, void **ret, size_t *n);
