/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/nft_write.h - one slot being written: the words that all of gate/nft*.c write chains, rules and sets with.
 *
 * nft.c has the texts and who a packet's customer is, nft_outcome.c what happens with it, nft_tunnel.c how mail inside tunnels is found,
 * nft_sets.c the sets and maps.
 * Owns:    nothing.
 * Threads: one at a time.
 * Limits:  a rule is at most 512 bytes. */
#pragma once

#include "gate/nft.h"

struct writer {
        struct buf *out;
        const struct plan *plan;
        const struct crowd *crowd;
        char letter;
        bool captive;
};

static inline char family_digit(int family)
{
        return family == FAMILY4 ? '4' : '6';
}

static inline unsigned family_len(int family, unsigned len)
{
        return family == FAMILY4 ? len - 96 : len;
}

/* Which end of the packet is the customer: the source on the way out, the destination on the way back. */
struct nft_side {
        const char *field[FAMILIES];
        const char *prefix; /* of chain names */
};

extern const struct nft_side nft_going, nft_coming;

#define SYN "tcp flags & (fin|syn|rst|ack) == syn"
/* A source counts only where the route back to it leaves by the interface it came in: anything else is spoofed. */
#define NOT_SPOOFED "fib saddr . iif oif != 0"
#define SPOOFED "fib saddr . iif oif 0"

/* "chain NAME_a {", one line of it, and its end. */
void nft_chain(struct writer *w, const char *name);
void nft_rule(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void nft_end(struct writer *w);
/* "ip saddr & 255.255.255.248"; hosts need no mask. */
const char *nft_masked(const char *field, int family, unsigned len, char out[128]);

/* "32", "56" or "short": the part of the names of sets and chains that tells a length. */
struct nft_length {
        int family;
        unsigned len; /* 0: the interval sets of the shorter ones */
        char text[8];
};

/* Each length with sets, longest first, the short ones last. Returns how many. */
size_t nft_lengths_of(const struct plan *p, struct nft_length out[FAMILIES * (GATE_LENGTHS + 1)]);
/* "ip saddr & … @mail4_32_a" */
const char *nft_in_set(struct writer *w, const struct nft_side *side, const char *kind, const struct nft_length *l,
                       char out[256]);
/* In every length of bans of the family: found, jump to the chain that asks where to. */
void nft_each_ban_jump(struct writer *w, int family);
/* In every length: found in the kind's set, go to the chain. */
void nft_each_length_goto(struct writer *w, const struct nft_side *side, enum kind kind, const char *target);

/* All sets, maps, counters and meters of the slot; the captive sets alone. */
void nft_write_sets(struct writer *w);
void nft_write_captive_sets(struct writer *w);
/* Where a packet ends: refusals, one chain for each outcome, quarantines, own servers. */
void nft_write_outcomes(struct writer *w);
void nft_write_servers(struct writer *w);
/* Port 25 inside Teredo, 6to4 and 6in4, where the policy blocks it. */
void nft_write_tunnels(struct writer *w);

bool plan_has_exempt(const struct plan *p);
bool plan_has_servers(const struct plan *p, int family);
bool server_address_family(const struct policy_server *s, int family);
