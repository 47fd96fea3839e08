/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft.h"

static uint32_t lowest_bit(uint32_t mask)
{
        return mask & -mask;
}

uint32_t mark_edge(const struct policy_gate *g)
{
        return g->mark & g->mask;
}

uint32_t mark_shift(const struct policy_gate *g)
{
        return mark_edge(g) ^ lowest_bit(g->mask);
}

uint32_t mark_trap(const struct policy_gate *g)
{
        uint32_t rest = g->mask & ~lowest_bit(g->mask);
        return mark_edge(g) ^ lowest_bit(rest);
}

static bool diverts(const struct plan *p)
{
        return p->used[STRATEGY_DIVERT] || p->used[STRATEGY_TRAP];
}

bool nft_needs_nat(const struct plan *p)
{
        return p->used[STRATEGY_SHIFT] || (diverts(p) && p->policy->gate.edge == EDGE_DNAT);
}

bool nft_needs_tproxy(const struct plan *p)
{
        return diverts(p) && p->policy->gate.edge == EDGE_LOCAL;
}

bool nft_needs_routes(const struct plan *p)
{
        return diverts(p) && p->policy->gate.edge != EDGE_DNAT;
}

void nft_set_name(enum kind kind, const struct prefix *p, char letter, struct buf *out)
{
        buf_addf(out, "%s%c_%u_%c", kind_name(kind), prefix_is_v4(p) ? '4' : '6', prefix_shown_len(p), letter);
}

const struct plan_lengths *nft_lengths_for(const struct plan *p, enum kind kind)
{
        static const struct plan_lengths of_bans = { .v = { { 128, 120 }, { 128, 64, 56, 48 } }, .n = { 2, 4 } };
        return kind == KIND_BAN ? &of_bans : &p->lengths;
}

bool nft_has_set(const struct plan *p, enum kind kind, const struct prefix *prefix)
{
        return plan_lengths_has(nft_lengths_for(p, kind), prefix) &&
               (kind < KIND_OWN_OPEN || p->own[kind - KIND_OWN_OPEN]);
}

void nft_marker(const struct nft_slot *slot, struct buf *out)
{
        buf_addf(out, "generation_%lld_%016llx_%c", (long long)slot->generation, (unsigned long long)slot->hash,
                 slot->letter);
}

static bool parse_hex(struct slice digits, uint64_t *ret)
{
        if (digits.n != 16)
                return false;
        *ret = 0;
        for (size_t i = 0; i < digits.n; i++) {
                char c = digits.p[i];
                bool letter = c >= 'a' && c <= 'f';
                if (!letter && (c < '0' || c > '9'))
                        return false;
                *ret = *ret * 16 + (uint64_t)(letter ? c - 'a' + 10 : c - '0');
        }
        return true;
}

bool nft_marker_parse(struct slice name, int64_t *generation, uint64_t *hash, char *letter)
{
        struct slice rest;
        uint64_t n, h;
        if (!slice_starts(name, S("generation_")))
                return false;
        struct slice number = slice_cut(slice_from(name, 11), '_', &rest);
        struct slice digits = slice_cut(rest, '_', &rest);
        if (!slice_u64(number, INT64_MAX, &n) || !parse_hex(digits, &h) || rest.n != 1)
                return false;
        *generation = (int64_t)n;
        *hash = h;
        *letter = rest.p[0];
        return true;
}

void nft_seed_crowd(const struct policy *policy, struct crowd *crowd)
{
        struct deltas unused = { 0 };
        for (size_t i = 0; i < policy->n_servers; i++) {
                const struct policy_server *s = &policy->servers[i];
                autofree struct entry *entries = xcalloc(s->n_addresses + 1, sizeof *entries);
                autofree char *id = xasprintf("server\n%zu", i); /* no subscriber's id has a line end in it */
                for (size_t k = 0; k < s->n_addresses; k++)
                        entries[k] = (struct entry){ s->addresses[k], 1 << KIND_PEOPLE };
                crowd_set(crowd, slice_of(id), entries, s->n_addresses, TIME_NEVER, &unused);
        }
        free(unused.v);
}
