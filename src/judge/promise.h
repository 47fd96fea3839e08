/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge/promise.h - does a policy keep what classes were promised?
 *
 * `promise told-first`: before anything is taken from a customer of the class, he was told. A wave that would shift, divert, trap or
 * block such customers is a mistake until a `told` fact stands for each of them that is not later than the wave's beginning.
 * Owns:    nothing; adds to the caller's diagnostics.
 * Threads: pure.
 * Limits:  PROMISE_NAMES subscribers are named in a message, the rest counted. */
#pragma once

#include "ledger/ledger.h"
#include "policy/decide.h"

enum { PROMISE_NAMES = 5 };

struct promise_facts {
        const struct subscriber *subscribers;
        size_t n_subscribers;
        const struct told *told;
        size_t n_told;
        int64_t now;
};

/* One error for each wave and class with somebody untold, or with a pool in which nobody is known and so nobody can have been told. */
void promise_check(const struct policy *p, const struct promise_facts *facts, struct diags *d);
/* Whether this class's promise hinders a restriction of this subscriber at `at`. */
bool promise_hinders(const struct policy *p, size_t class, const struct promise_facts *facts, struct slice subscriber,
                     int64_t at);
