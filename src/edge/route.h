/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/route.h - which mailboxes an address of ours leads to, when no MTA stands behind that would know.
 *
 * Aliases (the roles of a domain among them), forwards and catch-alls are followed, each address once, ROUTE_STEPS_MOST steps far
 * (ledger/mail.h). The ledger refuses loops when they are written; here they just lead nowhere.
 *
 * WHAT ARRIVES VERSUS WHAT SHOULD GO ON. A forward to an address elsewhere has nobody to carry it. Where the way leads to a mailbox of ours, too,
 * the mail is taken for that one, and `foreign` counts what was left out, so that it can be told; where it leads to no mailbox it is refused.
 * Suspended mailboxes receive like others: suspension is about sending.
 * Owns:    results live in the arena the caller gives.
 * Threads: one ledger, one thread.
 * Limits:  ROUTE_PLACES_MOST addresses on the way. */
#pragma once

#include "ledger/mail.h"

enum { ROUTE_PLACES_MOST = 1000 };

enum route_found {
        ROUTE_HERE,      /* at least one mailbox */
        ROUTE_UNKNOWN,   /* a domain of ours, and nobody there */
        ROUTE_ELSEWHERE, /* no domain of ours */
        ROUTE_FOREIGN,   /* only to addresses elsewhere */
        ROUTE_NOWHERE,   /* of ours, but its aliases and forwards end in nothing, or go round */
        ROUTE_MANY,      /* more than ROUTE_PLACES_MOST */
};

struct route_box {
        int64_t number;
        int64_t quota; /* bytes or LIMIT_NONE */
        struct slice address;
};

struct route {
        enum route_found found;
        struct route_box *boxes;
        size_t n;
        size_t foreign, nobody; /* ends of the way that are elsewhere, that are nobody's */
        struct slice first_foreign;
};

/* policy: for quotas, may be NULL. 0 or -errno. */
int route_find(struct ledger *l, struct arena *a, const struct policy *policy, struct slice address, struct route *ret);
