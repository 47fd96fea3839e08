/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/resolve_rules.h - of the leases that cover an address: which of them hold it, and how sure that is.
 *
 * Owns:    nothing.
 * Threads: pure.
 * Limits:  private to identity/resolve. */
#pragma once

#include "identity/resolve.h"

/* The instants in question, both included. */
struct span {
        int64_t since, until;
};

/* Of leases that all share time with the span, keeps in front those that were the most specific at some instant of it, and returns how many;
 * *hidden gets one of those left out, where there is one. Without a port a lease of some ports hides nobody. */
size_t rules_most_specific(struct lease *all, size_t n, const struct span *span, bool port_known, bool proto_known,
                           struct arena *a, const struct lease **hidden);
/* Nobody saw the end: it was concluded from what came after, or from silence. */
bool rules_presumed(const struct lease *l);
/* A port block of which no release was seen, long after it began. */
bool rules_stale_ports(const struct lease *l, int64_t at);
/* Private (RFC 1918, RFC 4193) or shared (RFC 6598) space: the same address may be somewhere else, too. */
bool rules_private(const struct addr *a);
