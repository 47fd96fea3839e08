/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/follow.h - between gate/gate.c (how the kernel is changed) and gate/follow.c (what the ledger wants).
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "gate/gate.h"

/* Makes these generations stand (n == 0: none): `trial` for `trial_left` µs, and `standing` after it. One nft transaction switches, or none. */
int replace_standing(struct gate *g, const struct generation *standing, const struct generation *trial,
                     int64_t trial_left, int64_t now, struct buf *why);
/* What stands now is as it ought to be. */
void gate_note_rules(struct gate *g);
int gate_fix_captive(struct gate_slot *s, struct buf *why);
void gate_last_good_write(struct gate *g, int64_t now);
void gate_last_good_forget(struct gate *g);
