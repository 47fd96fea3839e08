/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/doors.h - the listening sockets of the edge, by the policy.
 *
 * submission: each port on each address; divert and trap: where the gate hands connections over (policy gate { divert-port, trap-port }),
 * transparent, so that the socket's own address is whom the customer wanted to reach; legacy: its address.
 * Owns:    the descriptors, in the setup.
 * Threads: one.
 * Limits:  SETUP_LISTENERS_MOST. Needs CAP_NET_BIND_SERVICE and CAP_NET_ADMIN; without the latter divert and trap listen, and get nothing. */
#pragma once

#include "edge/setup.h"
#include "policy/policy.h"

/* 0, or -errno with a sentence in `why`, and nothing is open. */
int doors_open(const struct policy *p, struct setup *ret, struct buf *why);
void doors_close(struct setup *s);
/* One line a socket. */
void doors_wanted(const struct policy *p, struct buf *out);
