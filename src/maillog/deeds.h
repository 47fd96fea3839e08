/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/deeds.h - what follows when a limit is reached: a sighting, a ban or a suspension, written by the keeper.
 *
 * What waits is written when the keeper is there; where he does not answer, he is left alone for a while, several times what that took, and lines
 * are read meanwhile. A deed whose time is over by then is left. Nobody is banned who is no outsider by the policy
 * (policy/ban.h), and no mailbox of a subscriber who is never cut is suspended: such a limit only reports.
 * Owns:    copies of what waits, its connection to the keeper, a reader of the ledger.
 * Threads: one; calls to the keeper block until it committed, or for DEEDS_PATIENCE.
 * Limits:  DEEDS_MOST wait; more are counted as lost. They come again where what led to them goes on. */
#pragma once

#include "maillog/limits.h"

enum { DEEDS_MOST = 1000, DEEDS_PATIENCE = 5, DEEDS_PAUSE = 2 /* seconds */ };

struct deeds;
struct deeds *deeds_new(const char *dir);
void deeds_free(struct deeds *d); /* NULL is fine */
/* Logs it, and has it wait where something is to be done. */
void deeds_add(struct deeds *d, const struct limits_caught *c);
/* True: none waits any more. */
bool deeds_do(struct deeds *d, const struct policy *p, int64_t now);
