/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft_write.h"

#include <stdio.h>

enum { SET_LEAST = 16384 };

static const char *const type_name[FAMILIES] = { "ipv4_addr", "ipv6_addr" };

bool plan_has_exempt(const struct plan *p)
{
        return p->exempt[FAMILY4].n + p->exempt[FAMILY6].n > 0;
}

bool server_address_family(const struct policy_server *s, int family)
{
        for (size_t i = 0; i < s->n_addresses; i++)
                if (family_of(&s->addresses[i]) == family)
                        return true;
        return false;
}

bool plan_has_servers(const struct plan *p, int family)
{
        for (size_t i = 0; i < p->policy->n_servers; i++)
                if (server_address_family(&p->policy->servers[i], family))
                        return true;
        return false;
}

/* --- one element --------------------------------------------------------------------------------------------------------- */

static void add_range(struct buf *out, const struct addr *first, const struct addr *last)
{
        char text[ADDR_TEXT_MAX];
        buf_adds(out, addr_print(first, text));
        if (addr_cmp(first, last) != 0) {
                buf_addc(out, '-');
                buf_adds(out, addr_print(last, text));
        }
}

/* Elements stand one a line, so that a difference between two plans can be read. */
static void element(struct writer *w, bool *open)
{
        buf_adds(w->out,
                 *open ? ",\n                        " : "                elements = {\n                        ");
        *open = true;
}

static void elements_end(struct writer *w, bool open)
{
        buf_adds(w->out, open ? "\n                }\n        }\n" : "        }\n");
}

static void begin_set(struct writer *w, const char *name, const char *type, const char *flags)
{
        buf_addf(w->out, "        set %s_%c {\n                type %s\n%s", name, w->letter, type, flags);
}

static void ranges(struct writer *w, const char *name, int family, const struct plan_ranges *r)
{
        bool open = false;
        buf_addf(w->out, "        set %s%c_%c {\n                type %s\n                flags interval\n", name,
                 family_digit(family), w->letter, type_name[family]);
        for (size_t i = 0; i < r->n; i++) {
                element(w, &open);
                add_range(w->out, &r->v[i].first, &r->v[i].last);
        }
        elements_end(w, open);
}

/* --- the wide layer -------------------------------------------------------------------------------------------------------- */

static void outcome_chain(struct writer *w, uint32_t outcome)
{
        const struct plan_outcome *o = &w->plan->outcomes[outcome];
        struct slice class = w->plan->policy->classes[o->class].name;
        buf_addf(w->out, " : goto class_%.*s_%s_%c", SLICE_ARGS(class), strategy_name(o->strategy), w->letter);
}

static void wide_map(struct writer *w, int family)
{
        bool open = false;
        buf_addf(w->out, "        map wide%c_%c {\n                type %s : verdict\n                flags interval\n",
                 family_digit(family), w->letter, type_name[family]);
        for (size_t i = 0; i < w->plan->n_segments[family]; i++) {
                const struct plan_segment *s = &w->plan->segments[family][i];
                element(w, &open);
                add_range(w->out, &s->first, &s->last);
                outcome_chain(w, s->outcome);
        }
        elements_end(w, open);
}

/* A hash for each of the commonest lengths: looked up with the address masked. */
static void exact_maps(struct writer *w, int family)
{
        char text[ADDR_TEXT_MAX];
        for (size_t i = 0; i < w->plan->n_exact[family]; i++) {
                const struct plan_exact *e = &w->plan->exact[family][i];
                bool open = false;
                buf_addf(w->out,
                         "        map wide%c_%u_%c {\n                type %s : verdict\n                size %zu\n",
                         family_digit(family), family_len(family, e->len), w->letter, type_name[family], e->n);
                for (size_t k = 0; k < e->n; k++) {
                        element(w, &open);
                        buf_adds(w->out, addr_print(&e->v[k].addr, text));
                        outcome_chain(w, e->v[k].outcome);
                }
                elements_end(w, open);
        }
}

static void interface_map(struct writer *w)
{
        bool open = false;
        buf_addf(w->out, "        map interfaces_%c {\n                type ifname : verdict\n", w->letter);
        for (size_t i = 0; i < w->plan->n_interfaces; i++) {
                element(w, &open);
                buf_addf(w->out, "\"%.*s\"", SLICE_ARGS(w->plan->interfaces[i].name));
                outcome_chain(w, w->plan->interfaces[i].outcome);
        }
        elements_end(w, open);
}

/* Own servers: the addresses whose own packets pass, and what customers may do on their port 25. */
static void server_sets(struct writer *w, int family)
{
        const struct policy *p = w->plan->policy;
        char text[ADDR_TEXT_MAX];
        for (int pass = 0; pass < (w->plan->servers_restrict ? 2 : 1); pass++) {
                bool open = false;
                buf_addf(w->out, "        %s%c_%c {\n                type %s%s\n",
                         pass ? "map to_servers" : "set servers", family_digit(family), w->letter, type_name[family],
                         pass ? " : verdict" : "");
                for (size_t i = 0; i < p->n_servers; i++)
                        for (size_t k = 0; k < p->servers[i].n_addresses; k++) {
                                if (family_of(&p->servers[i].addresses[k]) != family)
                                        continue;
                                element(w, &open);
                                buf_adds(w->out, addr_print(&p->servers[i].addresses[k].addr, text));
                                if (pass)
                                        buf_addf(w->out, " : goto to_server_%s_%c",
                                                 strategy_name(p->servers[i].customers), w->letter);
                        }
                elements_end(w, open);
        }
}

static void reach_sets(struct writer *w)
{
        struct plan_ranges by_family[FAMILIES] = { 0 };
        const struct policy_quarantine *q = &w->plan->policy->quarantine;
        for (size_t i = 0; i < q->n_reach; i++) {
                struct plan_ranges *r = &by_family[family_of(&q->reach[i])];
                r->v = xgrow(r->v, &r->cap, r->n + 1, sizeof *r->v);
                r->v[r->n++] = (struct plan_range){ q->reach[i].addr, addr_last(q->reach[i].addr, q->reach[i].len) };
        }
        for (int f = 0; f < FAMILIES; f++) {
                plan_ranges_collapse(&by_family[f]);
                ranges(w, "reach", f, &by_family[f]);
                free(by_family[f].v);
        }
}

/* --- people ---------------------------------------------------------------------------------------------------------------- */

struct filling {
        struct writer *w;
        int family;
        unsigned len; /* in 128 bits; 0: whatever has no exact set */
        bool open;
};

static void fill(void *arg, const struct prefix *p)
{
        struct filling *f = arg;
        if (family_of(p) != f->family || (f->len ? p->len != f->len : plan_lengths_has(&f->w->plan->lengths, p)))
                return;
        struct addr last = addr_last(p->addr, p->len);
        element(f->w, &f->open);
        if (f->len)
                last = p->addr;
        add_range(f->w->out, &p->addr, &last);
}

/* A set of a given size is a plain hash, found in half the time of one that may grow; twice the room of today, and never less than
 * SET_LEAST. Should it ever be full, the kernel says so (ENFILE) and the slot is loaded anew with more. */
static size_t room_for(size_t count)
{
        size_t room = SET_LEAST;
        while (room < 2 * count)
                room *= 2;
        return room;
}

static void people_set(struct writer *w, enum kind kind, int family, unsigned len)
{
        char name[64], flags[64];
        struct filling f = { .w = w, .family = family, .len = len };
        if (len)
                snprintf(name, sizeof name, "%s%c_%u", kind_name(kind), family_digit(family), family_len(family, len));
        else
                snprintf(name, sizeof name, "%s%c_short", kind_name(kind), family_digit(family));
        snprintf(flags, sizeof flags, "                size %zu\n",
                 room_for(w->crowd ? w->crowd->counts[family][kind] : 0));
        begin_set(w, name, type_name[family],
                  len ? flags : "                flags interval\n                auto-merge\n");
        if (w->crowd && w->crowd->counts[family][kind])
                crowd_elements(w->crowd, kind, fill, &f);
        elements_end(w, f.open);
}

static void people_sets(struct writer *w, enum kind kind)
{
        const struct plan_lengths *l = nft_lengths_for(w->plan, kind);
        for (int f = 0; f < FAMILIES; f++) {
                for (size_t i = 0; i < l->n[f]; i++)
                        people_set(w, kind, f, l->v[f][i]);
                if (l->shorter[f])
                        people_set(w, kind, f, 0);
        }
}

void nft_write_captive_sets(struct writer *w)
{
        people_sets(w, KIND_CAPTIVE);
}

/* --- counters and meters, shared by all slots ---------------------------------------------------------------------------- */

static void counter(struct writer *w, const char *what, struct slice class, const char *strategy)
{
        buf_addf(w->out, "        counter %s_%.*s_%s {\n        }\n", what, SLICE_ARGS(class), strategy);
}

static void pair(struct writer *w, struct slice class, const char *strategy)
{
        counter(w, "packets", class, strategy);
        counter(w, "attempts", class, strategy);
}

static void counters(struct writer *w)
{
        const struct plan *p = w->plan;
        for (size_t i = 0; i < p->n_outcomes; i++) {
                autofree char *name =
                    xasprintf("class-%.*s", SLICE_ARGS(p->policy->classes[p->outcomes[i].class].name));
                pair(w, slice_of(name), strategy_name(p->outcomes[i].strategy));
        }
        for (enum strategy s = 0; s < STRATEGY_COUNT; s++) {
                if (p->own[s])
                        pair(w, S("own"), strategy_name(s));
                if (p->used[s])
                        pair(w, S("server"), strategy_name(s));
        }
        pair(w, S("exempt"), "open");
        for (enum level l = 0; l < LEVEL_COUNT; l++)
                pair(w, S("quarantine"), level_name(l));
        pair(w, S("tunnel"), "block");
        counter(w, "packets", S("asymmetric"), "block");
        counter(w, "packets", S("flood"), "drop");
        pair(w, S("banned"), "drop");
}

static void meters(struct writer *w)
{
        for (int f = 0; f < FAMILIES; f++)
                buf_addf(w->out,
                         "        set flood%c {\n                type %s\n                size 65535\n"
                         "                flags dynamic,timeout\n                timeout 1m\n        }\n",
                         family_digit(f), type_name[f]);
}

void nft_write_sets(struct writer *w)
{
        const struct plan *p = w->plan;
        counters(w);
        meters(w);
        for (enum kind k = 0; k < KIND_COUNT; k++) {
                bool wanted = k < KIND_OWN_OPEN || p->own[k - KIND_OWN_OPEN];
                if (wanted && (k != KIND_CAPTIVE || w->captive))
                        people_sets(w, k);
        }
        for (int f = 0; f < FAMILIES; f++) {
                wide_map(w, f);
                exact_maps(w, f);
                if (plan_has_servers(p, f))
                        server_sets(w, f);
                if (p->servers_restrict)
                        ranges(w, "customers", f, &p->customers[f]);
                if (plan_has_exempt(p))
                        ranges(w, "exempt_wide", f, &p->exempt[f]);
        }
        if (p->n_interfaces)
                interface_map(w);
        reach_sets(w);
}
