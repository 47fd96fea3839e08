/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/customers.h"

#include "base/time.h"
#include "maillog/names.h"

enum { ARENA = 1 << 20 };

struct answer {
        int64_t start, end; /* it holds in [start, end) */
        uint32_t subscriber;
};

struct customers {
        struct ledger *ledger;
        int64_t believed;
        struct names *clients, *subscribers;
        struct answer *answers; /* by number of the client */
        size_t cap;
        struct arena *arena;
};

struct customers *customers_new(struct ledger *l, int64_t believed)
{
        struct customers *c = xcalloc(1, sizeof *c);
        c->ledger = l;
        c->believed = believed;
        c->clients = names_new(CUSTOMERS_MOST);
        c->subscribers = names_new(NAMES_MOST);
        c->arena = arena_new(ARENA);
        return c;
}

void customers_free(struct customers *c)
{
        if (!c)
                return;
        names_free(c->clients);
        names_free(c->subscribers);
        arena_free(c->arena);
        free(c->answers);
        free(c);
}

/* The one lease that is meant: the narrowest of the Internet, if it stands alone. */
static const struct lease *only_one(const struct lease *v, size_t n)
{
        const struct lease *found = NULL;
        for (size_t i = 0; i < n; i++) {
                if (v[i].realm.n)
                        continue;
                if (found && v[i].prefix.len < found->prefix.len)
                        break;
                if (found && !slice_eq(found->subscriber, v[i].subscriber))
                        return NULL;
                found = &v[i];
        }
        return found;
}

static struct answer ask(struct customers *c, struct slice client, int64_t at)
{
        int64_t until = c->believed < TIME_NEVER - at ? at + c->believed : TIME_NEVER, hour = at - at % HOUR;
        struct answer none = { .start = hour, .end = until < hour + HOUR ? until : hour + HOUR };
        struct addr a;
        struct lease *leases;
        size_t n;
        arena_clear(c->arena);
        if (!addr_parse(client, &a) || ledger_holders(c->ledger, c->arena, &a, at, &leases, &n))
                return none;
        const struct lease *l = only_one(leases, n);
        if (!l || !l->subscriber.n)
                return none;
        return (struct answer){ l->start, l->end == TIME_NEVER ? until : l->end,
                                names_id(c->subscribers, l->subscriber, names_hash(l->subscriber)) };
}

static void start_anew(struct customers *c)
{
        names_free(c->clients);
        c->clients = names_new(CUSTOMERS_MOST);
        memset(c->answers, 0, c->cap * sizeof *c->answers);
}

struct slice customers_of(struct customers *c, struct slice client, int64_t at)
{
        if (!client.n)
                return S("");
        if (names_end(c->clients) == CUSTOMERS_MOST)
                start_anew(c);
        uint32_t id = names_id(c->clients, client, names_hash(client));
        if (id == NAMES_OTHERS)
                return S("");
        size_t had = c->cap;
        if (id >= had) {
                c->answers = xgrow(c->answers, &c->cap, (size_t)id + 1, sizeof *c->answers);
                memset(c->answers + had, 0, (c->cap - had) * sizeof *c->answers);
        }
        struct answer *known = &c->answers[id];
        if (at < known->start || at >= known->end)
                *known = ask(c, client, at);
        return names_text(c->subscribers, known->subscriber);
}
