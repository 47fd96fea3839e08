/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/nft.h - a plan as text for nft(8).
 *
 * Everything of one plan carries a slot letter at the end of its name, so that two plans can stand side by side in the one
 * table: during a trial, and inside the transaction that replaces one by the other. What outlives plans (base chains, counters,
 * flood meters) has no letter. Values are written as numbers and checked names only: nft never gets a word to look up.
 *
 *     door (filter, prerouting, -150) ─► entry_a ─► port25_a ─► person4_32_a ─► class_home_block_a ─► refuse_a
 *                                          │           └─► rest4_a ─► wide4_a ────────┘
 *                                          ├─► submit_a (465, 587), answers_a (from port 25) ─► back25_a
 *                                          │   who is no customer (the end of rest4_a, submit_a) ─► bans_a ─► banned_a
 *                                          └─► udp_a, six_a (tunnels), captive_a (while it has members)
 *
 * Owns:    nothing; writes into the caller's buf.
 * Threads: pure functions.
 * Limits:  NFT_TEXT_MOST bytes of text. */
#pragma once

#include "gate/people.h"

enum { NFT_TEXT_MOST = 512 << 20 };

#define TABLE "inet porteiro"

/* The priority of `door`: before dstnat (-100), after connection tracking (-200). */
enum { DOOR_PRIORITY = -150 };

/* Marks inside gate.mask: for the edge, for the port shift, and for the trap where the edge is reached by DNAT. */
uint32_t mark_edge(const struct policy_gate *g);
uint32_t mark_shift(const struct policy_gate *g);
uint32_t mark_trap(const struct policy_gate *g);
/* Whether the plan needs a nat chain, and so connection tracking. */
bool nft_needs_nat(const struct plan *p);
/* Whether the plan hands connections to sockets of this box, and whether marked packets need a routing table of their own. */
bool nft_needs_tproxy(const struct plan *p);
bool nft_needs_routes(const struct plan *p);

struct nft_slot {
        const struct plan *plan;
        const struct crowd *crowd; /* NULL: the sets are made empty */
        int64_t generation;
        uint64_t hash; /* nft_hash() of it */
        char letter;
        bool captive;       /* the captive chain exists */
        int64_t trial_left; /* > 0: on trial for so long from its loading on */
};

/* What identifies a plan's rules: equal hashes, equal text (but for the people). */
uint64_t nft_hash(const struct plan *p);
/* "table inet porteiro { … }" with the slot's objects, and what is shared. */
void nft_table(const struct nft_slot *slot, struct buf *out);
/* Commands that point the doors at the slot; where `trial` is given, at that while the elements of its set trial_X last (the kernel
 * drops them by itself), and then at `slot`. slot NULL: nothing is enforced after the trial. */
void nft_switch(const struct nft_slot *slot, const struct nft_slot *trial, struct buf *out);
/* Commands that make and unmake the captive chain of a slot that stands in the kernel. */
void nft_captive_begin(const struct nft_slot *slot, struct buf *out);
void nft_captive_end(const struct nft_slot *slot, struct buf *out);
/* The marker chain's name, "generation_42_5f3a…_a": what the kernel tells us of a slot. */
void nft_marker(const struct nft_slot *slot, struct buf *out);
bool nft_marker_parse(struct slice name, int64_t *generation, uint64_t *hash, char *letter);
/* Own servers join the crowd as people without anything of their own: their packets then pass before all else. */
void nft_seed_crowd(const struct policy *policy, struct crowd *crowd);
/* "mail4_32_a" */
void nft_set_name(enum kind kind, const struct prefix *p, char letter, struct buf *out);
/* The lengths of a kind's exact sets: bans have theirs, whatever the plan. */
const struct plan_lengths *nft_lengths_for(const struct plan *p, enum kind kind);
/* Whether the plan has an exact set for it. */
bool nft_has_set(const struct plan *p, enum kind kind, const struct prefix *prefix);
