/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/plan.h"

/* --- lengths --------------------------------------------------------------------------------------------------------- */

bool plan_lengths_has(const struct plan_lengths *l, const struct prefix *p)
{
        int f = family_of(p);
        for (size_t i = 0; i < l->n[f]; i++)
                if (l->v[f][i] == p->len)
                        return true;
        return false;
}

void plan_lengths_add(struct plan_lengths *l, const struct prefix *p)
{
        int f = family_of(p);
        if (plan_lengths_has(l, p))
                return;
        if (l->n[f] == GATE_LENGTHS) {
                l->shorter[f] = true;
                if (p->len < l->v[f][GATE_LENGTHS - 1])
                        return;
                l->n[f]--;
        }
        size_t i = l->n[f]++;
        for (; i > 0 && l->v[f][i - 1] < p->len; i--)
                l->v[f][i] = l->v[f][i - 1];
        l->v[f][i] = p->len;
}

void plan_lengths_of(const struct policy *p, struct plan_lengths *ret)
{
        *ret = (struct plan_lengths){ .v = { { 128 }, { 128, 64 } }, .n = { 1, 2 } };
        uint8_t last = 128;
        for (size_t i = 0; i < p->n_prefixes; i++) {
                const struct policy_prefix *pp = &p->prefixes[i];
                if (pp->delegated == last)
                        continue;
                struct prefix as = { pp->prefix.addr, pp->delegated };
                last = pp->delegated;
                plan_lengths_add(ret, &as);
        }
}

/* --- ranges ---------------------------------------------------------------------------------------------------------- */

static void ranges_add(struct plan_ranges *r, struct addr first, struct addr last)
{
        r->v = xgrow(r->v, &r->cap, r->n + 1, sizeof *r->v);
        r->v[r->n++] = (struct plan_range){ first, last };
}

static void ranges_add_prefix(struct plan_ranges r[FAMILIES], const struct prefix *p)
{
        ranges_add(&r[family_of(p)], p->addr, addr_last(p->addr, p->len));
}

static int by_first(const void *a, const void *b)
{
        const struct plan_range *r = a, *s = b;
        return addr_cmp(&r->first, &s->first);
}

static bool follows(const struct addr *last, const struct addr *first)
{
        struct addr after = *last;
        return addr_next(&after) && addr_cmp(&after, first) == 0;
}

void plan_ranges_collapse(struct plan_ranges *r)
{
        if (r->n < 2)
                return;
        qsort(r->v, r->n, sizeof *r->v, by_first);
        size_t kept = 0;
        for (size_t i = 1; i < r->n; i++) {
                struct plan_range *into = &r->v[kept], *next = &r->v[i];
                if (addr_cmp(&next->first, &into->last) > 0 && !follows(&into->last, &next->first))
                        r->v[++kept] = *next;
                else if (addr_cmp(&next->last, &into->last) > 0)
                        into->last = next->last;
        }
        r->n = kept + 1;
}

/* --- outcomes and segments --------------------------------------------------------------------------------------------- */

static uint32_t outcome_of(struct plan *p, size_t class, enum strategy strategy)
{
        for (size_t i = 0; i < p->n_outcomes; i++)
                if (p->outcomes[i].class == class && p->outcomes[i].strategy == strategy)
                        return (uint32_t)i;
        p->outcomes = xgrow(p->outcomes, &p->cap_outcomes, p->n_outcomes + 1, sizeof *p->outcomes);
        p->outcomes[p->n_outcomes] = (struct plan_outcome){ class, strategy };
        p->used[strategy] = true;
        return (uint32_t)p->n_outcomes++;
}

static uint32_t decide(struct plan *p, size_t pool, const struct addr *addr)
{
        struct decide_query q = { .at = p->at, .pool = pool, .own_class = p->policy->n_classes, .addr = addr };
        return outcome_of(p, p->policy->pools[pool].class, policy_decide(p->policy, &q).strategy);
}

static void segment_add(struct plan *p, int family, struct addr first, struct addr last, uint32_t outcome)
{
        size_t n = p->n_segments[family];
        struct plan_segment *before = n ? &p->segments[family][n - 1] : NULL;
        if (before && before->outcome == outcome && follows(&before->last, &first)) {
                before->last = last;
                return;
        }
        p->segments[family] = xgrow(p->segments[family], &p->cap_segments[family], n + 1, sizeof *p->segments[family]);
        p->segments[family][p->n_segments[family]++] = (struct plan_segment){ first, last, outcome };
}

/* Where an outcome may change inside a pool: the addresses where some wave's prefix begins or has just ended, and what they cover. */
struct cuts {
        struct addr *v;
        size_t n, cap;
        struct plan_ranges covered;
};

static int by_addr(const void *a, const void *b)
{
        return addr_cmp(a, b);
}

static void cuts_of(const struct policy *policy, int64_t at, struct cuts *c)
{
        for (size_t w = 0; w < policy->n_waves; w++)
                for (size_t i = 0; policy->waves[w].from <= at && i < policy->waves[w].n_prefixes; i++) {
                        struct prefix x = policy->waves[w].prefixes[i];
                        struct addr after = addr_last(x.addr, x.len);
                        c->v = xgrow(c->v, &c->cap, c->n + 2, sizeof *c->v);
                        c->v[c->n++] = x.addr;
                        ranges_add(&c->covered, x.addr, addr_last(x.addr, x.len));
                        if (addr_next(&after))
                                c->v[c->n++] = after;
                }
        if (c->n)
                qsort(c->v, c->n, sizeof *c->v, by_addr);
        plan_ranges_collapse(&c->covered);
}

/* The first cut past `a`. */
static size_t cuts_after(const struct cuts *c, const struct addr *a)
{
        size_t low = 0, high = c->n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (addr_cmp(&c->v[middle], a) > 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

static bool in_some_wave(const struct plan_ranges *covered, const struct addr *a)
{
        size_t low = 0, high = covered->n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (addr_cmp(&covered->v[middle].last, a) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < covered->n && addr_cmp(&covered->v[low].first, a) <= 0;
}

/* One pool prefix, cut where waves cut it. `plain` is the pool's outcome outside of any wave's prefix. */
static void add_prefix(struct plan *p, const struct policy_prefix *pp, const struct cuts *cuts, uint32_t plain)
{
        int family = family_of(&pp->prefix);
        struct addr first = pp->prefix.addr, last = addr_last(first, pp->prefix.len);
        for (size_t i = cuts->n ? cuts_after(cuts, &first) : 0;; i++) {
                bool more = i < cuts->n && addr_cmp(&cuts->v[i], &last) <= 0;
                if (more && addr_cmp(&cuts->v[i], &first) == 0)
                        continue;
                struct addr end = last;
                if (more) {
                        end = cuts->v[i];
                        addr_previous(&end);
                }
                bool special = in_some_wave(&cuts->covered, &first);
                segment_add(p, family, first, end, special ? decide(p, pp->pool, &first) : plain);
                if (!more)
                        return;
                first = cuts->v[i];
        }
}

static void add_pools(struct plan *p)
{
        const struct policy *policy = p->policy;
        struct cuts cuts = { 0 };
        cuts_of(policy, p->at, &cuts);
        autofree uint32_t *plain = xcalloc(policy->n_pools, sizeof *plain);
        for (size_t i = 0; i < policy->n_pools; i++)
                plain[i] = decide(p, i, NULL);
        for (size_t i = 0; i < policy->n_prefixes; i++) {
                const struct policy_prefix *pp = &policy->prefixes[i];
                add_prefix(p, pp, &cuts, plain[pp->pool]);
                if (p->servers_restrict)
                        ranges_add_prefix(p->customers, &pp->prefix);
        }
        p->interfaces = xcalloc(policy->n_pools, sizeof *p->interfaces);
        for (size_t i = 0; i < policy->n_pools; i++)
                if (policy->pools[i].interface.n)
                        p->interfaces[p->n_interfaces++] =
                            (struct plan_interface){ policy->pools[i].interface, plain[i] };
        free(cuts.v);
        free(cuts.covered.v);
}

static void add_exempt(struct plan *p, const struct plan_input *in)
{
        for (size_t i = 0; i < in->policy->n_exemptions; i++) {
                const struct policy_exemption *e = &in->policy->exemptions[i];
                for (size_t k = 0; e->until >= in->at && k < e->n_prefixes; k++)
                        ranges_add_prefix(p->exempt, &e->prefixes[k]);
        }
        for (size_t i = 0; i < in->n_exempt; i++)
                ranges_add_prefix(p->exempt, &in->exempt[i]);
}

static void note_strategies(struct plan *p, const struct plan_input *in)
{
        for (size_t i = 0; i < in->policy->n_servers; i++)
                p->used[in->policy->servers[i].customers] = true;
        for (int s = 0; s < STRATEGY_COUNT; s++) {
                p->used[s] |= in->own & (1u << s);
                p->own[s] = p->used[s] || s == STRATEGY_OPEN || s == STRATEGY_OBSERVE || s == STRATEGY_BLOCK;
        }
}

struct plan *plan_new(const struct plan_input *in)
{
        struct plan *p = xcalloc(1, sizeof *p);
        *p = (struct plan){ .policy = in->policy, .at = in->at, .next_change = policy_next_change(in->policy, in->at) };
        for (size_t i = 0; i < in->policy->n_servers; i++)
                p->servers_restrict |= strategy_restricts(in->policy->servers[i].customers) ||
                                       in->policy->servers[i].customers == STRATEGY_OBSERVE;
        if (in->lengths)
                p->lengths = *in->lengths;
        else
                plan_lengths_of(in->policy, &p->lengths);
        add_pools(p);
        add_exempt(p, in);
        note_strategies(p, in);
        for (int f = 0; f < FAMILIES; f++) {
                plan_take_exact(p, f);
                plan_ranges_collapse(&p->customers[f]);
                plan_ranges_collapse(&p->exempt[f]);
        }
        return p;
}

void plan_free(struct plan *p)
{
        if (!p)
                return;
        for (int f = 0; f < FAMILIES; f++) {
                for (size_t i = 0; i < p->n_exact[f]; i++)
                        free(p->exact[f][i].v);
                free(p->segments[f]);
                free(p->customers[f].v);
                free(p->exempt[f].v);
        }
        free(p->outcomes);
        free(p->interfaces);
        free(p);
}

void plan_free_(struct plan **p)
{
        plan_free(*p);
}
