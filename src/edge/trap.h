/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/trap.h - the trap: takes time and tells, and delivers nothing.
 *
 * A first half of the greeting, a pause in which who does not wait gives himself away, the second half; then every reply goes out one
 * byte in DRIP_SLOTS ticks. Recipients are answered 451, so a real server that is caught by mistake keeps its mail. No message is
 * taken. The fact is written as soon as the conversation has shown what it is, so that the judge need not wait for its end.
 * Owns:    what is left to be dripped.
 * Threads: one loop.
 * Limits:  past policy edge { trap-connections } a conversation gets its replies at once and is closed after the first recipient.
 *          While it is dripped to, a conversation costs its session and what libevent keeps of a descriptor. It is parked: nothing is
 *          read, so that a peer that closes is seen when the next byte finds nobody, after one or two turns of DRIP_SLOTS ticks. */
#pragma once

#include "edge/session.h"

/* One text for all that are told the same: their replies differ in the reference alone. */
struct drip {
        uint32_t users, n;
        uint32_t ref_at, ref_n; /* where each has his own */
        char text[];
};

/* The first byte at once, the others one by one. */
void trap_drip(struct session *s, struct buf *out);
void trap_tick(struct worker *w); /* every DRIP_TICK */
void trap_forget(struct session *s);
void trap_done(struct worker *w);
