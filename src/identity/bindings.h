/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/bindings.h - events in, leases out: what is open, what ended, and what must be corrected.
 *
 * One machine for a file read once and for a feed followed live. It keeps the sessions that are open and those that ended a
 * short while ago (by the events' own clock), because starts get lost, stops come twice, late, or before the next start of the
 * same address, session ids are not unique, and prefixes appear only in an interim report.
 *
 * Which session an event is of: the one of the same (source, nas, session, user) whose start agrees within a minute with the start that
 * the event tells or implies (its instant less the session's time); where it tells none, the newest that holds what it names.
 * What has an expiry, or no session id (DHCP, port blocks, CSV), is known by what it holds as well: the same client with the same
 * address, without a gap, is one lease, and a renewal moves its end.
 *
 * Rules, all of them facts of practice:
 *  - a start (or interim) on what another session of the same source and realm holds ends that one: "replaced". When that one
 *    gives a later sign of life it was open after all: it is opened again, and both hold the address (ambiguous, nobody is picked);
 *  - a start that was lost is computed from the session's time; a stop without any start is a lease of its last second (`startless`);
 *  - a prefix that comes only in an interim report is held since the session began; where another session held it meanwhile, since that
 *    one's end or last sign of life. An address that takes the place of another of its family and length is held since the report;
 *  - what is told twice changes nothing; a late stop corrects an end that was presumed, a late start one that was computed;
 *  - a stop that says "the session lasted an hour" at the very instant of its start comes from a NAS that stamps all its reports with the
 *    start: the time is the start and the hour;
 *  - Accounting-On/Off ends all sessions of that NAS that began before it and gave no later sign: "nas-reset";
 *  - sessions that sent two interim reports and are silent for three of their intervals (an hour at least) ended at the last: "silent";
 *  - an expiry is the end until an event says otherwise: "expired";
 *  - who ended within the second in which he began held the address for that second: no source counts finer.
 * One event cannot move the clock by more than a day: eight in a row can (a gap in the file, a file of last year behind one of today).
 *
 * Owns:    its table; what is emitted lives until the callback returns.
 * Threads: one; no I/O, no clock.
 * Limits:  `most` sessions, about 350 bytes each; past that the one is let go that would be settled, silent or expired next (`forgotten`).
 *          Of those who share one session id or one address the 64 newest are looked at. */
#pragma once

#include "identity/event.h"

struct bindings;

/* A lease as it is now known. `settled`: nothing to come is expected to change it. Its key is (source, nas, session, user, start, address,
 * length); an end of start (empty interval) takes it back. `id` is that of bindings_load(), 0 where it is not from there. */
struct bindings_rules {
        size_t most;    /* sessions kept; 0: the default, 4 million */
        bool live;      /* emit each lease at once, when it opens and at every change; else once, when settled */
        int64_t settle; /* how long an ended session is kept for what comes late; 0: the default, 1 hour */
        void (*emit)(void *arg, const struct lease *l, bool settled);
        void *arg;
};

struct bindings_counts {
        uint64_t events, opened, ended, replaced, reopened, duplicates, startless, late, silent, nas_resets, forgotten,
            stray,    /* ends of what nobody was seen to hold */
            backward; /* events more than a day behind the newest; they are believed, and counted */
};

struct bindings *bindings_new(const struct bindings_rules *r);
void bindings_free(struct bindings *b);
void bindings_free_(struct bindings **b);
#define autobindings CLEANUP(bindings_free_) struct bindings
/* What is open in the ledger already, or ended just now: it goes on from there. Emits nothing. */
void bindings_load(struct bindings *b, const struct lease *l);
void bindings_event(struct bindings *b, const struct event *e);
/* The clock of the feed stands at `now`: silence, expiry and settling are judged. */
void bindings_tick(struct bindings *b, int64_t now);
/* The input ended (not for live feeds). What is still open is emitted: with end TIME_NEVER where `now` is within a day of the newest event
 * (the file is of today), else with that newest event as its end, "no stop seen". */
void bindings_finish(struct bindings *b, int64_t now);
const struct bindings_counts *bindings_counts(const struct bindings *b);
size_t bindings_open(const struct bindings *b);    /* sessions open now */
int64_t bindings_newest(const struct bindings *b); /* the clock of the events; 0 before the first */
