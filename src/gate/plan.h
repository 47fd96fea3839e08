/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/plan.h - what a policy means for the kernel at one instant, before any text or netlink.
 *
 * Pure: the same policy, instant and extras give the same plan. Pools are cut where waves begin and end, neighbours with the
 * same outcome are joined, so the wide layer holds no more intervals than the policy has differences; the commonest prefix lengths
 * go to hash maps.
 * Owns:    its arrays; the policy is only looked at and must outlive it.
 * Threads: one at a time; no I/O, no clock.
 * Limits:  GATE_LENGTHS exact prefix lengths a family; shorter ones are kept in interval sets (`short`). */
#pragma once

#include "policy/decide.h"

enum { GATE_LENGTHS = 6, FAMILY4 = 0, FAMILY6 = 1, FAMILIES = 2, EXACT_LENGTHS = 4, EXACT_LEAST = 256 };

/* One pair of class and strategy: a chain and two counters in the kernel. */
struct plan_outcome {
        size_t class;
        enum strategy strategy;
};

struct plan_segment {
        struct addr first, last;
        uint32_t outcome;
};

struct plan_range {
        struct addr first, last;
};

struct plan_ranges {
        struct plan_range *v;
        size_t n, cap;
};

/* The prefixes of one length that so many have that they get a hash map of their own. */
struct plan_host {
        struct addr addr;
        uint32_t outcome;
};

struct plan_exact {
        uint8_t len; /* in 128 bits */
        struct plan_host *v;
        size_t n, cap;
};

struct plan_interface {
        struct slice name;
        uint32_t outcome;
};

/* Prefix lengths with an exact set each, longest first, in 128 bits. */
struct plan_lengths {
        uint8_t v[FAMILIES][GATE_LENGTHS];
        size_t n[FAMILIES];
        bool shorter[FAMILIES]; /* some entry is shorter than all of these */
};

struct plan_input {
        const struct policy *policy;
        int64_t at;
        const struct prefix *exempt; /* by the ledger, added to the policy's */
        size_t n_exempt;
        const struct plan_lengths *lengths; /* NULL: those of the policy alone */
        unsigned own;                       /* strategies that some person has of his own: bits 1 << STRATEGY_… */
};

struct plan {
        const struct policy *policy;
        int64_t at, next_change;
        struct plan_outcome *outcomes;
        size_t n_outcomes, cap_outcomes;
        struct plan_exact exact[FAMILIES][EXACT_LENGTHS];
        size_t n_exact[FAMILIES];
        struct plan_segment *segments[FAMILIES]; /* what is not in `exact` */
        size_t n_segments[FAMILIES], cap_segments[FAMILIES];
        struct plan_ranges customers[FAMILIES]; /* all pools; only where a server restricts customers */
        struct plan_ranges exempt[FAMILIES];
        struct plan_interface *interfaces;
        size_t n_interfaces;
        struct plan_lengths lengths;
        bool servers_restrict;
        bool used[STRATEGY_COUNT]; /* strategies that some pool, server or person has */
        bool own
            [STRATEGY_COUNT]; /* sets for people's own: open, observe and block always, others where the plan uses them */
};

struct plan *plan_new(const struct plan_input *in);
void plan_free(struct plan *p);
void plan_free_(struct plan **p);
#define autoplan CLEANUP(plan_free_) struct plan

/* The lengths a policy delegates, with hosts and /64 always among them. */
void plan_lengths_of(const struct policy *p, struct plan_lengths *ret);
/* Adds one more; where there is no room the shortest falls out and `shorter` is set. */
void plan_lengths_add(struct plan_lengths *l, const struct prefix *p);
bool plan_lengths_has(const struct plan_lengths *l, const struct prefix *p);
/* Moves the prefixes of the commonest lengths out of the segments, where it is worth it (gate/exact.c). */
void plan_take_exact(struct plan *p, int family);
/* Sorts and joins what touches or overlaps. */
void plan_ranges_collapse(struct plan_ranges *r);

static inline int family_of(const struct prefix *p)
{
        return prefix_is_v4(p) ? FAMILY4 : FAMILY6;
}
