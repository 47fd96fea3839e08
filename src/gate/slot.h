/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/slot.h - one generation made ready for the kernel: its policy, its plan, and the people it concerns.
 *
 * Owns:    policy, plan and crowd, until gate_slot_done(). A slot is moved with gate_slot_move(), since nft points into it.
 * Threads: one.
 * Limits:  512 MiB for the people of one reading. */
#pragma once

#include "gate/nft.h"
#include "ledger/ledger.h"

struct gate_slot {
        bool used;
        struct policy *policy;
        struct plan *plan;
        struct crowd crowd;
        struct nft_slot nft;
        size_t shared; /* leases left out: ports of an address that others share, behind a CGNAT outside this gate */
};

int gate_slot_build(struct gate_slot *s, struct ledger *l, const struct generation *g, int64_t now, struct buf *why);
void gate_slot_done(struct gate_slot *s);
void gate_slot_move(struct gate_slot *to, struct gate_slot *from);
/* Reads one person anew; what must change in the kernel is appended. */
int gate_slot_refresh(struct gate_slot *s, struct ledger *l, struct slice id, int64_t now, struct deltas *deltas);
/* Plans anew from the same policy and crowd: dates, prefix exemptions, lengths. */
int gate_slot_plan(struct gate_slot *s, struct ledger *l, int64_t now);
