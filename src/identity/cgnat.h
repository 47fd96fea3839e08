/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/cgnat.h - deterministic translation (RFC 7422): who is behind an outside address and port, and where an inside
 * address comes out, by arithmetic from the policy's `cgnat` blocks alone.
 *
 * The formula. Inside addresses are numbered 0, 1, 2 … through all prefixes of `inside` in the order they are written, outside
 * addresses likewise; the first and the last of a prefix (network, broadcast) count as any other. An outside address has
 * B = ports / block blocks (whole ones: what remains at the upper end is given to nobody). Then inside address number I has block
 * I % B of outside address number I / B, that is the ports from low + (I % B) * block on. So customers fill one outside
 * address after the other. Inside addresses past the last block have none, which `check` warns of. TCP and UDP are mapped alike;
 * what has no port (ICMP) tells the outside address only.
 * A NAT that lays its blocks out otherwise must not be described by such a block: give its log to `lease import` and write
 * `mapping logged`, and nothing is computed.
 *
 * Versions of one name follow each other: each is in force from its `from` to the next one's.
 * Owns:    its tables; the policy must outlive it.
 * Threads: immutable after cgnat_new(); pure.
 * Limits:  none but the policy's. A question costs names * log(prefixes), whatever the number of hosts. */
#pragma once

#include "policy/policy.h"

struct cgnat;
struct cgnat_version;

enum cgnat_side { CGNAT_INSIDE, CGNAT_OUTSIDE };

struct cgnat *cgnat_new(const struct policy *p);
void cgnat_free(struct cgnat *c);
void cgnat_free_(struct cgnat **c);
#define autocgnat CLEANUP(cgnat_free_) struct cgnat

/* The versions that were in force at some instant of [since, until] and have the address on that side, one a call: *at begins with 0.
 * NULL: no more. There is more than one only where a version ended in between. */
const struct cgnat_version *cgnat_next(const struct cgnat *c, enum cgnat_side side, const struct addr *a, int64_t since,
                                       int64_t until, size_t *at);
/* The names whose any version, of any time, has the address inside: *ret gets the first. A policy has one at the most. */
bool cgnat_realm(const struct cgnat *c, const struct addr *inside, struct slice *ret);

const struct policy_cgnat *cgnat_block(const struct cgnat_version *v);
int64_t cgnat_until(const struct cgnat_version *v); /* when the next version began; TIME_NEVER */

struct cgnat_share {
        struct addr inside, outside;
        uint16_t port_low, port_high;
};

/* The block of an inside address: false where it has none. */
bool cgnat_outward(const struct cgnat_version *v, const struct addr *inside, struct cgnat_share *ret);
/* Who has this port of an outside address: false where nobody has. */
bool cgnat_inward(const struct cgnat_version *v, const struct addr *outside, uint16_t port, struct cgnat_share *ret);
/* How many share an outside address, and each of them from 0 on, lowest ports first. */
size_t cgnat_sharers(const struct cgnat_version *v, const struct addr *outside);
struct cgnat_share cgnat_sharer(const struct cgnat_version *v, const struct addr *outside, size_t k);
