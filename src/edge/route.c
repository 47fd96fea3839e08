/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/route.h"
#include "ledger/address.h"

#include <errno.h>

struct place_on {
        struct slice address;
        unsigned steps;
};

struct walk {
        struct ledger *l;
        struct arena *a;
        const struct policy *policy;
        struct map seen;
        struct place_on *places;
        size_t n, cap, cap_boxes;
        bool many;
        struct route *r;
};

static int put(struct walk *w, struct slice address, unsigned steps)
{
        struct address ours;
        struct slice one = address_parse(address, ADDRESS_OURS, w->a, &ours) ? arena_dup(w->a, address) : ours.whole;
        if (!one.p)
                return -ENOMEM;
        if (steps > ROUTE_STEPS_MOST || map_put(&w->seen, one, w))
                return 0;
        if (w->n >= ROUTE_PLACES_MOST) {
                w->many = true;
                return 0;
        }
        w->places = arena_grow(w->a, w->places, &w->cap, w->n + 1, sizeof *w->places);
        if (!w->places)
                return -ENOMEM;
        w->places[w->n++] = (struct place_on){ one, steps };
        return 0;
}

static int put_all(struct walk *w, const struct slice *all, size_t n, unsigned steps)
{
        int status = 0;
        for (size_t i = 0; status == 0 && i < n; i++)
                status = put(w, all[i], steps);
        return status;
}

static int add_box(struct walk *w, const struct mailbox *m)
{
        struct route *r = w->r;
        struct limit_found quota =
            mail_limit_find(MAIL_LIMIT_QUOTA, &m->limits, &m->subscriber_limits, m->class, w->policy);
        r->boxes = arena_grow(w->a, r->boxes, &w->cap_boxes, r->n + 1, sizeof *r->boxes);
        if (!r->boxes)
                return -ENOMEM;
        r->boxes[r->n++] = (struct route_box){ m->number, quota.value, m->address };
        return 0;
}

/* Nobody has the address: the catch-all of its domain, or the end of this way. */
static int beyond(struct walk *w, struct place_on p)
{
        struct slice domain;
        struct address any;
        struct domain d;
        slice_cut(p.address, '@', &domain);
        if (!address_parse(p.address, ADDRESS_ANY, w->a, &any))
                domain = any.domain;
        int status = ledger_domain(w->l, w->a, domain, &d);
        if (status == -ENOENT) {
                if (w->r->foreign++ == 0)
                        w->r->first_foreign = p.address;
                return 0;
        }
        if (status)
                return status;
        if (d.catch_all.n)
                return put(w, d.catch_all, p.steps + 1);
        w->r->nobody++;
        return 0;
}

static int step(struct walk *w, struct place_on p)
{
        struct alias alias;
        struct mailbox m;
        int status = ledger_alias(w->l, w->a, p.address, &alias);
        if (status == 0)
                return put_all(w, alias.targets, alias.n_targets, p.steps + 1);
        if (status == -ENOENT)
                status = ledger_mailbox(w->l, w->a, p.address, &m);
        if (status == -ENOENT)
                return beyond(w, p);
        if (status)
                return status;
        if (m.n_forwards == 0 || m.keep)
                status = add_box(w, &m);
        return status ? status : put_all(w, m.forwards, m.n_forwards, p.steps + 1);
}

static enum route_found judge(const struct walk *w)
{
        const struct route *r = w->r;
        if (w->many)
                return ROUTE_MANY;
        if (r->n)
                return ROUTE_HERE;
        if (w->n == 1 && r->foreign)
                return ROUTE_ELSEWHERE;
        if (w->n == 1 && r->nobody)
                return ROUTE_UNKNOWN;
        return r->foreign ? ROUTE_FOREIGN : ROUTE_NOWHERE;
}

int route_find(struct ledger *l, struct arena *a, const struct policy *policy, struct slice address, struct route *ret)
{
        struct walk w = { .l = l, .a = a, .policy = policy, .r = ret };
        *ret = (struct route){ .found = ROUTE_UNKNOWN };
        int status = put(&w, address, 0);
        for (size_t i = 0; status == 0 && !w.many && i < w.n; i++)
                status = step(&w, w.places[i]);
        map_done(&w.seen);
        ret->found = judge(&w);
        return status;
}
