/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/group.h - to which NFLOG group the generation in force logs, and whether another one logs elsewhere since.
 *
 * The duty sight binds its socket while it still may, and from then on cannot. So it waits here for the first generation,
 * and ends when a later one logs to another group: who started it starts it again.
 * Owns:    a reader of the ledger, opened before the process locks itself in and read through the same descriptors after.
 * Threads: one.
 * Limits:  asks the ledger at most once in GROUP_EVERY; parses a policy only when the generation changed. */
#pragma once

#include "base/time.h"

#define GROUP_EVERY (5 * SECOND)

struct group;

/* Waits until a generation is in force. `waiting` is called once where there is none yet. */
struct group *group_wait(const char *dir, void (*waiting)(void));
void group_free(struct group *g);
uint16_t group_number(const struct group *g);
/* false: the generation in force logs elsewhere now. Where the ledger cannot be read, nothing is known to have changed. */
bool group_still(struct group *g, int64_t now_monotonic);
