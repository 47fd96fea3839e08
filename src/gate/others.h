/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/others.h - what another firewall on this box can break, found and named.
 *
 * In netfilter an earlier accept does not hinder a later hook. What hurts: a drop before our door (priority below -150), a nat or
 * tproxy of port 25, flowtables (their flows pass no hook), notrack where a shift needs tracking, and input chains that drop what
 * was diverted to sockets of this box.
 * Owns:    nothing; adds warnings.
 * Threads: one; runs `nft -j -t list ruleset` once (no elements).
 * Limits:  rules of iptables-legacy are not seen by nft; matches by xtables extensions are opaque and count as "may match". */
#pragma once

#include "gate/plan.h"

/* Adds a warning for each. Silent where nft is missing or may not be asked: apply will say so. */
void others_check(const struct plan *p, struct diags *d);
/* The same, for a ruleset given as nft's JSON. */
void others_check_ruleset(const struct plan *p, struct slice json, struct diags *d);
