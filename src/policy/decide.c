/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/decide.h"

static bool holds(const size_t *v, size_t n, size_t x)
{
        for (size_t i = 0; i < n; i++)
                if (v[i] == x)
                        return true;
        return false;
}

/* The class by which waves see him: his own before that of his pool. */
static size_t class_seen(const struct policy *p, const struct decide_query *q)
{
        if (q->own_class < p->n_classes)
                return q->own_class;
        return q->pool < p->n_pools ? p->pools[q->pool].class : p->n_classes;
}

bool wave_covers(const struct policy *p, const struct policy_wave *w, const struct decide_query *q)
{
        if (w->from > q->at)
                return false;
        if (w->n_pools && !holds(w->pools, w->n_pools, q->pool))
                return false;
        if (w->n_classes && !holds(w->classes, w->n_classes, class_seen(p, q)))
                return false;
        if (w->n_prefixes == 0)
                return true;
        for (size_t i = 0; q->addr && i < w->n_prefixes; i++)
                if (prefix_has(&w->prefixes[i], q->addr))
                        return true;
        return false;
}

/* Whether the wave reaches past what shields the customer: his own class, or a port25 written in his pool. */
static bool wave_reaches(const struct policy *p, const struct policy_wave *w, const struct decide_query *q)
{
        if (q->own_class < p->n_classes)
                return holds(w->classes, w->n_classes, q->own_class);
        if (p->pools[q->pool].port25 != STRATEGY_NONE)
                return holds(w->pools, w->n_pools, q->pool);
        return true;
}

/* The length of the prefix by which it covers him, then whether it names pools, then classes. */
static unsigned narrowness(const struct policy_wave *w, const struct decide_query *q)
{
        unsigned prefix = 0;
        for (size_t i = 0; q->addr && i < w->n_prefixes; i++)
                if (w->prefixes[i].len >= prefix && prefix_has(&w->prefixes[i], q->addr))
                        prefix = w->prefixes[i].len + 1;
        return prefix << 2 | (w->n_pools ? 2 : 0) | (w->n_classes ? 1 : 0);
}

static const struct policy_wave *winning_wave(const struct policy *p, const struct decide_query *q)
{
        const struct policy_wave *best = NULL;
        for (const struct policy_wave *w = p->waves; w != p->waves + p->n_waves; w++) {
                if ((best && w->from < best->from) || !wave_reaches(p, w, q) || !wave_covers(p, w, q))
                        continue;
                if (!best || w->from > best->from || narrowness(w, q) >= narrowness(best, q))
                        best = w;
        }
        return best;
}

struct decision policy_decide(const struct policy *p, const struct decide_query *q)
{
        bool own = q->own_class < p->n_classes;
        if (!own && q->pool >= p->n_pools)
                return (struct decision){ .strategy = STRATEGY_NONE, .by = DECIDED_BY_NOTHING };
        const struct policy_wave *w = winning_wave(p, q);
        if (w)
                return (struct decision){ w->port25, DECIDED_BY_WAVE, (size_t)(w - p->waves), w->port25_place };
        if (!own && p->pools[q->pool].port25 != STRATEGY_NONE)
                return (struct decision){ p->pools[q->pool].port25, DECIDED_BY_POOL, 0,
                                          p->pools[q->pool].port25_place };
        const struct policy_class *c = &p->classes[class_seen(p, q)];
        return (struct decision){ c->port25, DECIDED_BY_CLASS, 0, c->port25_place };
}

int64_t policy_next_change(const struct policy *p, int64_t at)
{
        int64_t next = TIME_NEVER;
        for (size_t i = 0; i < p->n_waves; i++)
                if (p->waves[i].from > at && p->waves[i].from < next)
                        next = p->waves[i].from;
        for (size_t i = 0; i < p->n_exemptions; i++) /* `until` is the last instant that counts */
                if (p->exemptions[i].until >= at && p->exemptions[i].until + 1 < next)
                        next = p->exemptions[i].until + 1;
        return next;
}
