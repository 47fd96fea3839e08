/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/decide.h - which strategy the policy gives, and which line decided.
 *
 * The one place where precedence lives: the gate compiles from it, `explain` prints it, the judge checks promises with
 * it.
 *   1. An interface pool beats a prefix pool (the caller finds the pool).
 *   2. Of the waves that cover the customer at `at`, the one with the latest `from` wins, ties go to the narrower
 *      (the longer prefix, then pool before class; then the later in the file).
 *   3. A port25 written in the pool yields only to waves that name that pool.
 *   4. Else the class's port25.
 *   5. A subscriber's own class shields him from the pool's port25 and from waves that do not name his class.
 * Exemptions, own strategies and quarantines stand above this and are the caller's.
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  none. */
#pragma once

#include "policy/policy.h"

enum decided_by { DECIDED_BY_NOTHING, DECIDED_BY_WAVE, DECIDED_BY_POOL, DECIDED_BY_CLASS };

struct decision {
        enum strategy strategy; /* STRATEGY_NONE: no pool, no class: not a customer of ours */
        enum decided_by by;
        size_t wave;        /* where by == DECIDED_BY_WAVE */
        struct place place; /* the line that decided */
};

struct decide_query {
        int64_t at;
        size_t pool;             /* index, or n_pools where in none */
        size_t own_class;        /* index, or n_classes where the subscriber has none of his own */
        const struct addr *addr; /* NULL: waves with prefixes do not cover */
};

bool wave_covers(const struct policy *p, const struct policy_wave *w, const struct decide_query *q);
struct decision policy_decide(const struct policy *p, const struct decide_query *q);
/* The next instant after `at` when some decision may change (wave begins, exemption ends); TIME_NEVER where none. */
int64_t policy_next_change(const struct policy *p, int64_t at);
