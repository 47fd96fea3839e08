/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/worker.h - one process of the edge: its listeners, its conversations, and what they share.
 *
 *     host ── setup, descriptors ──► worker ──► conversations (session.h) ──► hops (next_hop.h) ──► MTA
 *       └── control: drain, stop ──►   ├──► asker (asker.h) ──► duty auth
 *                                      └──► facts (facts.h) ──► keeper
 *
 * Told to drain it accepts nobody any more, lets everyone finish, and ends; told to stop, or with its host gone, it lets messages under way
 * finish for WORKER_STOP and says 421 to all others.
 * Owns:    everything here.
 * Threads: one.
 * Limits:  policy edge { connections, connections-each, trap-connections }. At the first and the second a client is told to come later;
 *          past the third the trap answers at once and closes, to HURRIED_MOST at a time; those past these are told at
 *          once to come later, so that the trap takes no room from who has business here. */
#pragma once

#include "base/loop.h"
#include "base/map.h"
#include "edge/asker.h"
#include "edge/facts.h"
#include "edge/next_hop.h"
#include "edge/setup.h"
#include "edge/tls.h"
#include "guard/window.h"
#include "policy/policy.h"
#include "smtp/server.h"

enum { DRIP_SLOTS = 20, HURRIED_MOST = 100 };
#define DRIP_TICK (SECOND / 2) /* so each conversation in the trap gets a byte in 10 seconds */
#define WORKER_STOP (8 * SECOND)
#define WORKER_DRAIN (10 * MINUTE)

struct session;
struct drip;

#define WORKER_COUNTS(X)                                                                                               \
        X(accepted)                                                                                                    \
        X(refused_full)                                                                                                \
        X(refused_legacy)                                                                                              \
        X(refused_each)                                                                                                \
        X(refused_no_tls)                                                                                              \
        X(trapped)                                                                                                     \
        X(trap_full)                                                                                                   \
        X(diverted)                                                                                                    \
        X(logins)                                                                                                      \
        X(login_failures)                                                                                              \
        X(login_unavailable)                                                                                           \
        X(messages)                                                                                                    \
        X(messages_refused)                                                                                            \
        X(messages_unsure)                                                                                             \
        X(unheard)                                                                                                     \
        X(over_limit)                                                                                                  \
        X(bans)
struct worker_counts {
#define COUNT_FIELD(name) uint64_t name;
        WORKER_COUNTS(COUNT_FIELD)
};

struct worker {
        struct loop *loop;
        struct setup setup;
        struct policy *policy;
        struct tls *tls; /* NULL: no usable certificate */
        struct hops *hops;
        struct hops_rules hops_rules;
        struct policy_mta deliver; /* where the next hop is a Maildir */
        struct facts *facts;
        struct asker *asker;
        struct window_table *counts;
        uint8_t key[16], sketch_key[16];
        struct smtp_rules rules[EDGE_ROLE_COUNT], tls_rules; /* tls_rules: submission with TLS at once */
        struct slice trap_hello;
        char *texts[8]; /* what the rules point into */
        enum smtp_language language;
        int zone_minutes;
        struct session *sessions;
        size_t n_sessions, n_trapped, n_hurried; /* hurried: in the trap, past its limit */
        struct map peers;                        /* address or /64 → struct peer */
        struct session *drips[DRIP_SLOTS];
        size_t slot;
        struct drip *drip; /* the last one (trap.c) */
        struct watch *tick, *control, *listeners[SETUP_LISTENERS_MOST], *end;
        uint64_t next_id;
        struct worker_counts n, n_logged;
        int64_t counts_logged, legacy_logged;
        bool draining, stopping, full; /* full: no descriptor is left, and nobody is accepted for a tick */
};

/* Runs until it is told to end. `setup` is taken over. An exit status. */
int worker_run(struct setup *setup);
/* Its parts, for tests: all but listeners and locks; 0, or an exit status. */
int worker_open(struct worker *w, struct setup *setup);
void worker_close(struct worker *w);
/* The wall clock, for facts and counts. */
int64_t worker_now(void);
