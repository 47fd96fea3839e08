/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/route.h - the policy routing that TPROXY and an edge on another box need: one rule and one route a family and mark.
 *
 * What we make carries our protocol number, so it is found again whatever the policy said when it was made, and nothing else
 * is ever touched.
 * Owns:    nothing; one short-lived rtnetlink socket a call.
 * Threads: one at a time.
 * Limits:  ROUTES_MOST wishes. */
#pragma once

#include "policy/policy.h"

enum { ROUTES_MOST = 8, ROUTE_PROTOCOL = 225 };

struct route_wish {
        bool v6;
        uint32_t mark, mask, table;
        bool local;  /* to sockets of this box; else by way of `via` */
        bool sealed; /* nowhere, where the way by `via` is gone; beside a wish for that one */
        struct addr via;
};

/* Makes rules and routes be exactly these: what is missing is added first, then what is left over goes. 0 or -errno. */
int routes_set(const struct route_wish *wishes, size_t n);
/* What is missing of them is added, as far as it can be, and nothing is looked up: the kernel forgets a route when its
 * link goes down. */
void routes_mend(const struct route_wish *wishes, size_t n);
