/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/reign.h - the policy in force, for duties that open what it names while they still may, and whether another one rules since.
 *
 * A duty that binds a socket or opens a file before it locks itself in cannot do so afterwards. So it waits here for the
 * first generation, and ends when a later one wants something else of it: who started it starts it again.
 * Owns:    a reader of the ledger, opened before the process locks itself in and read through the same descriptors after;
 *          the policy.
 * Threads: one.
 * Limits:  asks the ledger at most once in REIGN_EVERY; parses a policy only when the generation changed. */
#pragma once

#include "base/time.h"
#include "policy/policy.h"

#define REIGN_EVERY (2 * SECOND)

struct reign;

/* Waits until a generation is in force. `waiting` is called once where there is none yet. `wants`: what the duty needs of a policy, as
 * text. */
struct reign *reign_wait(const char *dir, void (*wants)(const struct policy *p, struct buf *out),
                         void (*waiting)(void));
void reign_free(struct reign *r);
const struct policy *reign_policy(const struct reign *r);
struct slice reign_text(const struct reign *r); /* of that generation */

enum reign_news { REIGN_SAME, REIGN_NEW, REIGN_ELSE };
/* NEW: another generation rules, and reign_policy() is it now: the former one is gone; ELSE: one that wants something else of this duty. */
enum reign_news reign_follow(struct reign *r, int64_t now_monotonic);
/* false: the generation in force wants something else now; reign_policy() stays what it was. Where the ledger cannot be read, nothing is known to have changed. */
bool reign_still(struct reign *r, int64_t now_monotonic);
