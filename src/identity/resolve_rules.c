/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/resolve_rules.h"

/* --- the most specific --- */

struct cover {
        struct span *spans; /* apart from each other, ascending */
        size_t n;
};

static int by_since(const void *a, const void *b)
{
        const struct span *x = a, *y = b;
        return (x->since > y->since) - (x->since < y->since);
}

/* Joins what touches. */
static void cover_join(struct cover *c)
{
        size_t n = 0;
        if (c->n)
                qsort(c->spans, c->n, sizeof *c->spans, by_since);
        for (size_t i = 0; i < c->n; i++) {
                struct span *last = n ? &c->spans[n - 1] : NULL;
                if (!last || c->spans[i].since > last->until)
                        c->spans[n++] = c->spans[i];
                else if (c->spans[i].until > last->until)
                        last->until = c->spans[i].until;
        }
        c->n = n;
}

/* Half open: [since, until). */
static bool cover_hides(const struct cover *c, const struct span *s)
{
        size_t low = 0, high = c->n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (c->spans[middle].since <= s->since)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low && c->spans[low - 1].until >= s->until;
}

static struct span within(const struct lease *l, const struct span *span)
{
        return (struct span){ l->start > span->since ? l->start : span->since,
                              l->end <= span->until ? l->end : span->until + 1 };
}

static int rank(const struct lease *l)
{
        return 2 * l->prefix.len + (l->port_high != 0);
}

static int most_specific_first(const void *a, const void *b)
{
        const struct lease *x = a, *y = b;
        if (rank(x) != rank(y))
                return rank(y) - rank(x);
        return x->start != y->start ? (x->start < y->start ? 1 : -1) : 0;
}

size_t rules_most_specific(struct lease *all, size_t n, const struct span *span, bool port_known, bool proto_known,
                           struct arena *a, const struct lease **hidden)
{
        struct cover c = { .spans = arena_alloc(a, (n + 1) * sizeof *c.spans) };
        struct lease *left_out = arena_alloc(a, sizeof *left_out);
        size_t kept = 0;
        *hidden = NULL;
        if (n)
                qsort(all, n, sizeof *all, most_specific_first);
        for (size_t i = 0, next; c.spans && left_out && i < n; i = next) {
                size_t before = kept;
                for (next = i; next < n && rank(&all[next]) == rank(&all[i]); next++) {
                        struct span own = within(&all[next], span);
                        if (!cover_hides(&c, &own))
                                all[kept++] = all[next];
                        else if (!*hidden) {
                                *left_out = all[next];
                                *hidden = left_out;
                        }
                }
                for (size_t k = before; k < kept; k++)
                        if (all[k].port_high == 0 || (port_known && (proto_known || all[k].proto.n == 0)))
                                c.spans[c.n++] = within(&all[k], span);
                cover_join(&c);
        }
        return kept;
}

/* --- how sure --- */

bool rules_presumed(const struct lease *l)
{
        static const char *const words[] = { "replaced", "silent", "no stop seen", "expired" };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (slice_eq(l->why_ended, slice_of(words[i])))
                        return true;
        return false;
}

bool rules_stale_ports(const struct lease *l, int64_t at)
{
        bool unseen = l->end == TIME_NEVER || rules_presumed(l);
        return l->port_high && unseen && !slice_eq(l->source, S("static")) && at - l->start > RESOLVE_PORTS_SURE;
}

bool rules_private(const struct addr *a)
{
        static const char *const spaces[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                                              "fc00::/7" };
        struct prefix p;
        for (size_t i = 0; i < COUNT_OF(spaces); i++)
                if (prefix_parse(slice_of(spaces[i]), &p) == PREFIX_OK && prefix_has(&p, a))
                        return true;
        return false;
}
