/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge/promise.h"

#include "base/map.h"

/* Subscriber id → his earliest told fact. */
static void index_told(const struct promise_facts *facts, struct map *ret)
{
        for (size_t i = 0; i < facts->n_told; i++) {
                const struct told *t = &facts->told[i], *old = map_find(ret, t->subscriber);
                if (!old || t->at < old->at)
                        map_put(ret, t->subscriber, (void *)t);
        }
}

static bool told_by(const struct map *told, struct slice subscriber, int64_t at)
{
        const struct told *t = map_find(told, subscriber);
        return t && t->at <= at;
}

bool promise_hinders(const struct policy *p, size_t class, const struct promise_facts *facts, struct slice subscriber,
                     int64_t at)
{
        automap told = { 0 };
        if (class >= p->n_classes || !p->classes[class].told_first)
                return false;
        index_told(facts, &told);
        return !told_by(&told, subscriber, at);
}

struct broken {
        struct buf names;
        size_t untold;
        bool *pool_known; /* pools in which some subscriber has a lease */
};

static void note_untold(struct broken *b, struct slice id)
{
        if (b->untold++ >= PROMISE_NAMES)
                return;
        buf_adds(&b->names, b->untold > 1 ? ", " : "");
        buf_add_escaped(&b->names, id);
}

/* What the wave decides for one lease (no address: wherever he will be); the class it then touches, or n_classes. */
static size_t touched_class(const struct policy *p, size_t wave, const struct subscriber *s, const struct addr *addr,
                            int64_t at, struct broken *b)
{
        size_t own = s->class.n ? policy_find_class(p, s->class) : p->n_classes;
        const struct policy_prefix *pp = addr ? policy_find_prefix(p, addr) : NULL;
        struct decide_query q = { .at = at, .pool = pp ? pp->pool : p->n_pools, .own_class = own, .addr = addr };
        if (pp)
                b->pool_known[pp->pool] = true;
        struct decision d = policy_decide(p, &q);
        if (d.by != DECIDED_BY_WAVE || d.wave != wave)
                return p->n_classes;
        return own < p->n_classes ? own : pp ? p->pools[pp->pool].class : p->n_classes;
}

static void check_subscriber(const struct policy *p, size_t wave, size_t class, const struct subscriber *s, int64_t at,
                             const struct map *told, struct broken *b)
{
        /* Who is away now comes back: his own class is touched wherever he will be. */
        bool touched = s->n_leases == 0 && touched_class(p, wave, s, NULL, at, b) == class;
        for (size_t i = 0; i < s->n_leases; i++)
                touched |= touched_class(p, wave, s, &s->leases[i].prefix.addr, at, b) == class;
        bool spared = s->port25 != STRATEGY_NONE || policy_find_exemption(p, s->id, NULL, at);
        if (touched && !spared && !told_by(told, s->id, at))
                note_untold(b, s->id);
}

static void report(const struct policy *p, size_t wave, size_t class, struct broken *b, struct diags *d)
{
        const struct policy_wave *w = &p->waves[wave];
        const struct policy_class *c = &p->classes[class];
        diag_error(d, w->place, "wave %.*s (%s) breaks the promise of class %.*s: %zu %s not told: %s%s",
                   SLICE_ARGS(w->name), strategy_name(w->port25), SLICE_ARGS(c->name), b->untold,
                   b->untold == 1 ? "customer was" : "customers were", buf_cstr(&b->names),
                   b->untold > PROMISE_NAMES ? ", …" : "");
        diag_note(d, c->promise_place, "promised here");
        diag_note(d, (struct place){ 0 }, "record it with: porteiro subscriber told ID --by letter");
}

/* A pool of the class whose customers the ledger does not know at all. */
static void report_unknown_pools(const struct policy *p, size_t wave, size_t class, int64_t at, const struct broken *b,
                                 struct diags *d)
{
        const struct policy_wave *w = &p->waves[wave];
        for (size_t i = 0; i < p->n_pools; i++) {
                struct decide_query q = { .at = at, .pool = i, .own_class = p->n_classes };
                struct decision got = policy_decide(p, &q);
                if (p->pools[i].class != class || b->pool_known[i] || got.by != DECIDED_BY_WAVE || got.wave != wave)
                        continue;
                diag_error(d, w->place,
                           "wave %.*s (%s) breaks the promise of class %.*s: the ledger knows nobody in pool %.*s, so "
                           "nobody there was told",
                           SLICE_ARGS(w->name), strategy_name(w->port25), SLICE_ARGS(p->classes[class].name),
                           SLICE_ARGS(p->pools[i].name));
                diag_note(d, p->classes[class].promise_place, "promised here");
                diag_note(d, p->pools[i].place, "the pool");
        }
}

static void check_wave(const struct policy *p, size_t wave, size_t class, const struct promise_facts *facts,
                       const struct map *told, struct diags *d)
{
        int64_t at = p->waves[wave].from > facts->now ? p->waves[wave].from : facts->now;
        struct broken b = { .pool_known = xcalloc(p->n_pools + 1, sizeof *b.pool_known) };
        buf_init(&b.names, 4096);
        for (size_t i = 0; i < facts->n_subscribers; i++)
                check_subscriber(p, wave, class, &facts->subscribers[i], at, told, &b);
        if (b.untold)
                report(p, wave, class, &b, d);
        report_unknown_pools(p, wave, class, at, &b, d);
        buf_done(&b.names);
        free(b.pool_known);
}

void promise_check(const struct policy *p, const struct promise_facts *facts, struct diags *d)
{
        automap told = { 0 };
        index_told(facts, &told);
        for (size_t w = 0; w < p->n_waves; w++)
                for (size_t c = 0; c < p->n_classes; c++)
                        if (p->classes[c].told_first && strategy_restricts(p->waves[w].port25))
                                check_wave(p, w, c, facts, &told, d);
}
