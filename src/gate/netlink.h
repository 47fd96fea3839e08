/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/netlink.h - the fast way into the kernel: elements of plain sets, names of what stands there, counters.
 *
 * Owns:    one netlink socket.
 * Threads: one at a time; each call waits for the kernel's answer.
 * Limits:  elements of exact sets only (no intervals): a prefix goes to the set of its own length, never into another
 *          (practice: a /24 put into a set of hosts by netlink is silently one host). */
#pragma once

#include "gate/people.h"

struct netlink;

int netlink_open(struct netlink **ret); /* -errno */
void netlink_close(struct netlink *n);
void netlink_close_(struct netlink **n);
#define autonetlink CLEANUP(netlink_close_) struct netlink

/* All of them in one transaction, into the sets of this slot letter: all or nothing. 0 or -errno (-ENOENT: a set or an element is missing). */
int netlink_change(struct netlink *n, char letter, const struct delta *deltas, size_t count);
/* Empties every set of these kinds in the slot and fills it with what the crowd has, in one transaction. */
struct nft_slot;
int netlink_fill(struct netlink *n, const struct nft_slot *slot);

/* Whether the kernel has this element in the slot's set: asked for the one, never listed. */
bool netlink_has(struct netlink *n, char letter, enum kind kind, const struct prefix *p);

enum object { OBJECT_CHAIN, OBJECT_SET };
/* Names of all chains or sets of our table; none where there is no table. */
int netlink_names(struct netlink *n, enum object what, void (*call)(void *arg, struct slice name), void *arg);
struct counter_value {
        struct slice name;
        uint64_t packets, bytes;
};
int netlink_counters(struct netlink *n, void (*call)(void *arg, const struct counter_value *c), void *arg);
/* The number of the ruleset's generation: whoever changes anything raises it. */
int netlink_ruleset_number(struct netlink *n, uint32_t *ret);
