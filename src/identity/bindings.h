/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/bindings.h - events in, leases out: what is open, what ended, and what must be corrected.
 *
 * One machine for a file read once and for a feed followed live. It keeps the sessions that are open and those that ended a
 * short while ago (by the events' own clock), because starts get lost, stops come twice, late, or before the next start of the
 * same address, session ids are not unique, and prefixes appear only in an interim report. A session is known by
 * (source, nas, session, user) and a start that agrees within SKEW; several may share one id.
 * Rules, all of them facts of practice:
 *  - a start (or interim) on an address that another session of the same source and realm holds ends that one: "replaced";
 *    when that one gives a later sign of life it was open after all: it is opened again, and both hold the address (ambiguous);
 *  - a stop without a start is a lease from its own start (session time) to the stop; without any start: from the stop's instant
 *    less one second, counted as `startless`;
 *  - a stop or interim seen twice changes nothing; a late stop corrects an end that was presumed;
 *  - Accounting-On/Off ends all sessions of that NAS that began before it: "nas-reset";
 *  - sessions that sent interim reports and are silent for three of their intervals ended at the last: "silent" (bindings_tick);
 *  - an expiry is the end until an event says otherwise.
 * Owns:    its table; what is emitted lives until the callback returns.
 * Threads: one; no I/O, no clock.
 * Limits:  `most` sessions; past that the one longest without a sign is let go as it is and counted (`forgotten`). */
#pragma once

#include "identity/event.h"

struct bindings;

/* A lease as it is now known. `settled`: nothing to come is expected to change it. The same lease may be emitted again with
 * another end; its key is (source, nas, session, user, start, address, length), and an end of start (empty interval) takes it back. */
struct bindings_rules {
        size_t most;    /* sessions kept; 0: the default, 16 million */
        bool live;      /* emit each lease at once, when it opens and at every change; else once, when settled */
        int64_t settle; /* how long an ended session is kept for what comes late; 0: the default, 1 hour */
        void (*emit)(void *arg, const struct lease *l, bool settled);
        void *arg;
};

struct bindings_counts {
        uint64_t events, opened, ended, replaced, reopened, duplicates, startless, late, silent, nas_resets, forgotten,
            backward;
        /* backward: events whose clock jumped back by more than a day against the newest; they are believed, and counted */
};

struct bindings *bindings_new(const struct bindings_rules *r);
void bindings_free(struct bindings *b);
void bindings_free_(struct bindings **b);
#define autobindings CLEANUP(bindings_free_) struct bindings
/* What is open in the ledger already: it goes on from there. Emits nothing. */
void bindings_load(struct bindings *b, const struct lease *open);
void bindings_event(struct bindings *b, const struct event *e);
/* The clock of the feed stands at `now`: silence and settling are judged. */
void bindings_tick(struct bindings *b, int64_t now);
/* The input ended. What is open, and was seen open at `horizon` or could be, is emitted: with end TIME_NEVER where `now` is within a
 * day of the newest event (the file is of today), else with that newest event as its end, "no stop seen". */
void bindings_finish(struct bindings *b, int64_t now);
const struct bindings_counts *bindings_counts(const struct bindings *b);
size_t bindings_open(const struct bindings *b); /* sessions open now */
