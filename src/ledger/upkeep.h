/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/upkeep.h - what the keeper does when nobody asks: leases that are over move to the archive, segments are merged, files that
 * nothing lists any more go.
 *
 * In slices of some milliseconds, between which requests are answered.
 * Owns:    the work under way.
 * Threads: one.
 * Limits:  private to ledger/. What fails is logged and tried again later. */
#pragma once

#include "ledger/writer.h"

#include "base/time.h"

struct upkeep;

#define UPKEEP_FIRST (SECOND / 5)

struct upkeep *upkeep_new(struct writer *w);
void upkeep_free(struct upkeep *u); /* NULL is fine */
/* Whether the wall clock may be far off: nothing is forgotten by itself then. offset: wall clock minus monotonic clock at the start. */
bool upkeep_clock_doubted(struct ledger *l, int64_t now, int64_t offset);
/* One slice, with no group open: answers after how long it wants the next one. */
int64_t upkeep_step(struct upkeep *u, int64_t now);
