/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wide layer in two forms. An interval map costs a walk down a tree of all its bounds: 0.6 µs a packet with 100,000 prefixes, ten
 * times what a hash costs. So the few prefix lengths that most prefixes have get a hash map each, and the interval map keeps the
 * rest, which is then small. Nothing overlaps, so their order does not matter. */
#include "gate/plan.h"

static unsigned trailing_zeros(const struct addr *a)
{
        for (unsigned i = 16; i-- > 0;)
                if (a->b[i])
                        return (15 - i) * 8 + (unsigned)__builtin_ctz(a->b[i]);
        return 128;
}

/* The largest prefix that begins at `first` and does not go past `last`. */
static unsigned widest(const struct addr *first, const struct addr *last, unsigned least)
{
        unsigned zeros = trailing_zeros(first), len = zeros > 128 - least ? least : 128 - zeros;
        for (; len < 128; len++) {
                struct addr tail = addr_last(*first, len);
                if (addr_cmp(&tail, last) <= 0)
                        break;
        }
        return len;
}

static void each_prefix(const struct plan_segment *s, unsigned least,
                        void (*call)(void *arg, const struct prefix *p, uint32_t outcome), void *arg)
{
        for (struct addr first = s->first;;) {
                struct prefix p = { first, (uint8_t)widest(&first, &s->last, least) };
                call(arg, &p, s->outcome);
                first = addr_last(first, p.len);
                if (addr_cmp(&first, &s->last) == 0 || !addr_next(&first))
                        return;
        }
}

static void count(void *arg, const struct prefix *p, uint32_t outcome)
{
        (void)outcome;
        ((size_t *)arg)[p->len]++;
}

struct sorting {
        struct plan *plan;
        int family;
        struct plan_segment *rest;
        size_t n_rest, cap_rest;
};

static void keep_segment(struct sorting *to, const struct prefix *p, uint32_t outcome)
{
        struct addr last = addr_last(p->addr, p->len);
        struct plan_segment *before = to->n_rest ? &to->rest[to->n_rest - 1] : NULL;
        struct addr next = before ? before->last : p->addr;
        if (before && before->outcome == outcome && addr_next(&next) && addr_cmp(&next, &p->addr) == 0) {
                before->last = last;
                return;
        }
        to->rest = xgrow(to->rest, &to->cap_rest, to->n_rest + 1, sizeof *to->rest);
        to->rest[to->n_rest++] = (struct plan_segment){ p->addr, last, outcome };
}

static void sort_out(void *arg, const struct prefix *p, uint32_t outcome)
{
        struct sorting *to = arg;
        for (size_t i = 0; i < to->plan->n_exact[to->family]; i++) {
                struct plan_exact *e = &to->plan->exact[to->family][i];
                if (e->len != p->len)
                        continue;
                e->v = xgrow(e->v, &e->cap, e->n + 1, sizeof *e->v);
                e->v[e->n++] = (struct plan_host){ p->addr, outcome };
                return;
        }
        keep_segment(to, p, outcome);
}

/* The lengths with most prefixes, where they have enough to be worth a look-up of their own. */
static void choose_lengths(struct plan *p, int family, const size_t counts[129])
{
        while (p->n_exact[family] < EXACT_LENGTHS) {
                unsigned best = 0;
                for (unsigned len = 1; len <= 128; len++) {
                        bool taken = false;
                        for (size_t i = 0; i < p->n_exact[family]; i++)
                                taken |= p->exact[family][i].len == len;
                        if (!taken && counts[len] > counts[best])
                                best = len;
                }
                if (counts[best] < EXACT_LEAST)
                        return;
                p->exact[family][p->n_exact[family]++].len = (uint8_t)best;
        }
}

void plan_take_exact(struct plan *p, int family)
{
        size_t counts[129] = { 0 };
        unsigned least = family == FAMILY4 ? 96 : 0;
        if (p->n_segments[family] < EXACT_LEAST)
                return;
        for (size_t i = 0; i < p->n_segments[family]; i++)
                each_prefix(&p->segments[family][i], least, count, counts);
        choose_lengths(p, family, counts);
        struct sorting to = { .plan = p, .family = family };
        for (size_t i = 0; i < p->n_segments[family]; i++)
                each_prefix(&p->segments[family][i], least, sort_out, &to);
        free(p->segments[family]);
        p->segments[family] = to.rest;
        p->n_segments[family] = to.n_rest;
        p->cap_segments[family] = to.cap_rest;
}
