/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/kernel.h - what stands in the kernel now, and how text gets there.
 *
 * Owns:    a view owns its names.
 * Threads: one at a time.
 * Limits:  our own table only. The big maps are never listed: names and rules are, without elements. */
#pragma once

#include "gate/netlink.h"
#include "gate/nft.h"

enum { SLOTS = 3 }; /* two that stand side by side in a trial, and one to replace either */

struct kernel_slot {
        bool present, captive;
        int64_t generation;
        uint64_t hash;
};

struct kernel_view {
        bool table, nat;
        struct kernel_slot slots[SLOTS]; /* letters a, b, c */
        char **chains, **sets;
        size_t n_chains, n_sets, cap_chains, cap_sets;
};

int kernel_look(struct netlink *n, struct kernel_view *ret);
void kernel_view_done(struct kernel_view *v);
/* Commands that delete all of a slot. */
void kernel_delete_slot(const struct kernel_view *v, char letter, struct buf *out);
/* One transaction through nft. 0; or -errno with `why` in words. Nothing changed then. */
int kernel_load(struct slice text, struct buf *why);
/* Which kernel feature is missing, tried one by one in a table that is never committed; called after kernel_load() failed. */
void kernel_explain_failure(bool tproxy, bool nat, struct buf *why);
/* A number for all our chains, rules and set definitions as they stand (no elements, no counters); 0 where there is no table. */
int kernel_fingerprint(uint64_t *ret);
