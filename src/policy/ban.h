/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/ban.h - which addresses may be banned: outsiders, and never ourselves, our customers or whom the policy spares.
 *
 * Asked three times, of the policy each goes by: by whoever wants a ban, before the keeper is asked; by the command, which says where in
 * the policy it is forbidden; and by the gate, for a policy that is newer than a ban. Behind a pool or the outside of a CGNAT are many
 * customers of our own: what they do wrong is for quarantines, which know whose it was.
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  bans are of the lengths that the kernel has sets for: hosts, /24, and /64, /56, /48. */
#pragma once

#include "policy/policy.h"

enum { BAN_LENGTHS_MOST = 4 };

/* Those of a family, longest first, in 128 bits; returns how many. */
size_t ban_lengths(bool v4, uint8_t out[BAN_LENGTHS_MOST]);
bool ban_length_right(const struct prefix *p);
#define BAN_LENGTHS_TEXT "a ban is of one address, of a /24 (IPv4), or of a /64, /56 or /48 (IPv6)"

enum ban_objection {
        BAN_NO_OBJECTION,
        BAN_LENGTH,
        BAN_SPECIAL, /* this machine itself, its link, multicast */
        BAN_POOL,
        BAN_SERVER,
        BAN_CGNAT,
        BAN_LEGACY,
        BAN_SPARED, /* by never-ban */
};

struct ban_answer {
        enum ban_objection objection;
        struct slice name;  /* of the pool, server, cgnat or listener */
        struct place place; /* in the policy; line 0: not from there */
};

struct ban_answer ban_look(const struct policy *p, const struct prefix *prefix);
bool ban_allowed(const struct policy *p, const struct prefix *prefix);
/* "is of pool londrina": for after the prefix. */
void ban_objection_print(const struct ban_answer *a, struct buf *out);
