/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/tally.h - attempts summed by minute, source address and what was done with them.
 *
 * A source that was not seen the minute before is due within TALLY_SOON, so that people see it soon, and then at
 * doubling intervals; one that goes on is due when its minute is over. So a steady bot costs the ledger one row a
 * minute, not thirty.
 * Owns:    its table, allocated once at its full size (the kernel gives memory only to what is used, some 24 MB at
 *          most).
 * Threads: one; no I/O, no clock.
 * Limits:  TALLY_SOURCES_MOST sources; more than TALLY_HOSTS_MOST addresses of one IPv6 /64 are summed on the /64: a
 *          machine may use as many addresses as it likes, and is still one row. Full: tally_add() says so, and the
 *          caller empties it or counts a loss. */
#pragma once

#include "base/prefix.h"
#include "base/time.h"
#include "guard/sketch.h"

enum { TALLY_SOURCES_MOST = 65536, TALLY_HOSTS_MOST = 64 };
#define TALLY_SOON (1500 * INT64_C(1000))

/* What a rule says of the packets it logs: "class-home block", "own observe", "quarantine mail", "server divert",
 * "tunnel block". */
struct tally_label {
        uint8_t code;
};
bool tally_label_parse(struct slice prefix, struct tally_label *ret); /* false: no rule of ours logs this */
struct slice tally_label_strategy(struct tally_label l);              /* a strategy's name, or "quarantine" */
struct slice tally_label_detail(struct tally_label l);                /* "server", "tunnel", or empty */

struct tally_row {
        struct prefix prefix; /* an address, or a /64 */
        struct tally_label label;
        int64_t count;       /* since it was last handed out */
        int64_t first, last; /* when these were: whose they are goes by the leases of that time */
        struct sketch hosts; /* of the whole minute */
        int64_t due;
        uint8_t handed; /* how often */
};

struct tally;

struct tally *tally_new(const uint8_t key[16]); /* of the sketches */
void tally_free(struct tally *t);
/* One attempt. false: no room, and nothing was counted. */
struct tally_attempt {
        struct addr source, destination;
        struct tally_label label;
        int64_t at;
};
bool tally_add(struct tally *t, const struct tally_attempt *a, int64_t now);
/* Hands out every row with a count (all), or that is due, and sets its count to zero. call returns false to stop: that
 * row keeps its count. */
void tally_take(struct tally *t, bool all, int64_t now, bool (*call)(void *arg, const struct tally_row *row),
                void *arg);
/* A new minute: everything handed out is forgotten, but which sources there were. What was not handed out is lost: take
 * all before. */
void tally_roll(struct tally *t);
/* The same minute goes on in an empty table. */
void tally_clear(struct tally *t);
bool tally_pending(const struct tally *t); /* some row has a count */
size_t tally_sources(const struct tally *t);
