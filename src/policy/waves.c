/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/check.h"

static const struct place nowhere = { 0 };

/* All prefixes in order of address, and those of each pool: of pool i by_pool[first[i]] to by_pool[first[i + 1] - 1]. */
struct index {
        const struct policy_prefix **all, **by_pool;
        size_t *first;
        bool interfaces; /* some pool has one */
};

static void index_init(struct index *b, const struct policy *p)
{
        *b = (struct index){ .all = xcalloc(p->n_prefixes, sizeof *b->all),
                             .by_pool = xcalloc(p->n_prefixes, sizeof *b->by_pool),
                             .first = xcalloc(p->n_pools + 2, sizeof *b->first) };
        for (size_t i = 0; i < p->n_pools; i++)
                b->interfaces = b->interfaces || p->pools[i].interface.n;
        for (size_t i = 0; i < p->n_prefixes; i++) {
                b->all[i] = &p->prefixes[i];
                b->first[p->prefixes[i].pool + 2]++;
        }
        for (size_t i = 2; i < p->n_pools + 2; i++)
                b->first[i] += b->first[i - 1];
        for (size_t i = 0; i < p->n_prefixes; i++)
                b->by_pool[b->first[p->prefixes[i].pool + 1]++] = &p->prefixes[i];
}

static void index_done(struct index *b)
{
        free(b->all);
        free(b->by_pool);
        free(b->first);
}

/* Whether one of the prefixes v[low] to v[high - 1], in order and apart, holds `x` or lies in it. */
static bool any_meets(const struct policy_prefix *const *v, size_t low, size_t high, const struct prefix *x)
{
        const size_t begin = low, end = high;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (prefix_cmp(&v[middle]->prefix, x) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low > begin && prefix_covers(&v[low - 1]->prefix, x))
                return true;
        return low < end && prefix_covers(x, &v[low]->prefix);
}

/* Whether one of the wave's pools has, or may have, addresses in `x`. Behind an interface there may be any. */
static bool wave_meets(const struct policy *p, const struct index *b, const struct policy_wave *w,
                       const struct prefix *x)
{
        if (w->n_pools == 0)
                return b->interfaces || any_meets(b->all, 0, p->n_prefixes, x);
        for (size_t i = 0; i < w->n_pools; i++) {
                size_t pool = w->pools[i];
                if (pool >= p->n_pools || p->pools[pool].interface.n ||
                    any_meets(b->by_pool, b->first[pool], b->first[pool + 1], x))
                        return true;
        }
        return false;
}

static void check_prefixes(const struct policy *p, const struct index *b, const struct policy_wave *w,
                           const struct draft_wave *from, struct diags *d)
{
        char text[PREFIX_TEXT_MAX];
        size_t missed = 0;
        for (size_t i = 0; i < w->n_prefixes; i++) {
                if (wave_meets(p, b, w, &w->prefixes[i]))
                        continue;
                missed++;
                diag_warning(d, from->prefix.v[i].place, "prefix %s of wave \"%.*s\" is in %s",
                             prefix_print(&w->prefixes[i], text), SLICE_ARGS(w->name),
                             w->n_pools ? "none of its pools" : "no pool");
                for (size_t k = 0; k < w->n_pools && k < 3; k++)
                        diag_note(d, p->pools[w->pools[k]].place, "pool \"%.*s\" is declared here",
                                  SLICE_ARGS(p->pools[w->pools[k]].name));
        }
        if (missed && missed == w->n_prefixes)
                diag_warning(d, w->place, "wave \"%.*s\" covers nobody", SLICE_ARGS(w->name));
}

/* A wave of a class and of pools of other classes touches only those who have that class of their own. */
static void check_classes(const struct policy *p, const struct policy_wave *w, struct diags *d)
{
        autofree bool *named = xcalloc(p->n_classes + 1, sizeof *named);
        for (size_t i = 0; i < w->n_classes; i++)
                named[w->classes[i]] = true;
        bool unknown = named[p->n_classes];
        for (size_t i = 0; i < w->n_pools; i++)
                if (w->pools[i] == p->n_pools || named[p->pools[w->pools[i]].class])
                        unknown = true;
        if (unknown)
                return;
        diag_warning(d, w->place, "none of the pools of wave \"%.*s\" is of a class it names", SLICE_ARGS(w->name));
        diag_note(d, nowhere, "it covers only subscribers who have such a class of their own");
}

void policy_check_waves(const struct draft *draft, const struct policy *p, struct diags *d)
{
        struct index index;
        const struct draft_wave *from = draft->wave.v;
        index_init(&index, p);
        for (size_t i = 0; i < p->n_waves; i++) {
                const struct policy_wave *w = &p->waves[i];
                if (p->n_pools)
                        check_prefixes(p, &index, w, &from[i], d);
                if (w->n_pools && w->n_classes)
                        check_classes(p, w, d);
        }
        index_done(&index);
}
