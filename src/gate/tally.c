/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/tally.h"
#include "base/map.h"
#include "policy/policy.h"

/* --- labels --- */

enum { QUARANTINE = STRATEGY_COUNT, WHERE_UNIT = 16, WHERE_CUSTOMERS = 0, WHERE_SERVER = 1, WHERE_TUNNEL = 2 };

static int where_of(struct slice group)
{
        if (slice_starts(group, S("class-")) || slice_eq(group, S("own")) || slice_eq(group, S("exempt")))
                return WHERE_CUSTOMERS;
        return slice_eq(group, S("server")) ? WHERE_SERVER : slice_eq(group, S("tunnel")) ? WHERE_TUNNEL : -1;
}

bool tally_label_parse(struct slice prefix, struct tally_label *ret)
{
        struct slice what, group = slice_cut(prefix, ' ', &what);
        if (!what.p)
                return false;
        if (slice_eq(group, S("quarantine")) && level_of(what) != LEVEL_NONE) {
                ret->code = QUARANTINE;
                return true;
        }
        int where = where_of(group);
        enum strategy strategy = strategy_of(what);
        if (where < 0 || strategy == STRATEGY_NONE)
                return false;
        ret->code = (uint8_t)(where * WHERE_UNIT + (int)strategy);
        return true;
}

struct slice tally_label_strategy(struct tally_label l)
{
        int strategy = l.code % WHERE_UNIT;
        return strategy == QUARANTINE ? S("quarantine") : slice_of(strategy_name((enum strategy)strategy));
}

struct slice tally_label_detail(struct tally_label l)
{
        int where = l.code / WHERE_UNIT;
        return where == WHERE_SERVER ? S("server") : where == WHERE_TUNNEL ? S("tunnel") : S("");
}

/* --- the table --- */

/* How many addresses of one /64 there are. */
struct net {
        uint8_t head[8];
        uint32_t hosts;
};

enum { KEY_BYTES = sizeof(struct prefix) + sizeof(struct tally_label), SEEN_BITS = 1 << 20, DOUBLINGS_MOST = 5 };

_Static_assert(offsetof(struct tally_row, label) == sizeof(struct prefix), "prefix and label are one key");

struct tally {
        struct tally_row *rows;
        struct net *nets;
        size_t n_rows, n_nets, n_pending;
        struct map by_key, by_net;
        uint8_t key[16];
        uint8_t *seen, *seen_before; /* bits by hash of the key: this minute's sources, and the last's */
};

struct tally *tally_new(const uint8_t key[16])
{
        struct tally *t = xcalloc(1, sizeof *t);
        t->rows = xcalloc(TALLY_SOURCES_MOST, sizeof *t->rows);
        t->nets = xcalloc(TALLY_SOURCES_MOST, sizeof *t->nets);
        t->seen = xcalloc(1, SEEN_BITS / 8);
        t->seen_before = xcalloc(1, SEEN_BITS / 8);
        memcpy(t->key, key, sizeof t->key);
        return t;
}

void tally_free(struct tally *t)
{
        if (!t)
                return;
        map_done(&t->by_key);
        map_done(&t->by_net);
        free(t->rows);
        free(t->nets);
        free(t->seen);
        free(t->seen_before);
        free(t);
}

static struct slice key_of(const struct tally_row *row)
{
        return (struct slice){ (const char *)row, KEY_BYTES };
}

static bool went_on(struct tally *t, struct slice key)
{
        uint64_t bit = hash_with_key(t->key, key) % SEEN_BITS;
        t->seen[bit / 8] |= (uint8_t)(1 << bit % 8);
        return t->seen_before[bit / 8] >> bit % 8 & 1;
}

static struct tally_row *row_new(struct tally *t, const struct tally_row *like)
{
        if (t->n_rows == TALLY_SOURCES_MOST)
                return NULL;
        struct tally_row *row = &t->rows[t->n_rows++];
        *row = (struct tally_row){ .prefix = like->prefix, .label = like->label };
        sketch_init(&row->hosts);
        if (went_on(t, key_of(row)))
                row->handed = DOUBLINGS_MOST;
        map_put(&t->by_key, key_of(row), row);
        return row;
}

/* Room for one address more in its /64? */
static bool net_takes(struct tally *t, const struct addr *a)
{
        if (addr_is_v4(a))
                return true;
        struct slice head = { (const char *)a->b, sizeof t->nets->head };
        struct net *net = map_find(&t->by_net, head);
        if (!net) {
                net = &t->nets[t->n_nets++]; /* never more than rows: each new one is followed by a row */
                *net = (struct net){ .hosts = 0 };
                memcpy(net->head, head.p, head.n);
                map_put(&t->by_net, (struct slice){ (const char *)net->head, sizeof net->head }, net);
        }
        if (net->hosts >= TALLY_HOSTS_MOST)
                return false;
        net->hosts++;
        return true;
}

static struct tally_row *row_of(struct tally *t, const struct tally_attempt *a)
{
        struct tally_row wanted = { .prefix = { a->source, 128 }, .label = a->label };
        struct tally_row *row = map_find(&t->by_key, key_of(&wanted));
        if (row)
                return row;
        if (t->n_rows == TALLY_SOURCES_MOST)
                return NULL;
        if (net_takes(t, &a->source))
                return row_new(t, &wanted);
        wanted.prefix = prefix_of(a->source, 64);
        row = map_find(&t->by_key, key_of(&wanted));
        return row ? row : row_new(t, &wanted);
}

bool tally_add(struct tally *t, const struct tally_attempt *a, int64_t now)
{
        struct tally_row *row = row_of(t, a);
        if (!row)
                return false;
        if (row->count++ == 0) {
                row->first = row->last = a->at;
                row->due = row->handed >= DOUBLINGS_MOST ? TIME_NEVER : now + (TALLY_SOON << row->handed);
                t->n_pending++;
        }
        row->first = a->at < row->first ? a->at : row->first;
        row->last = a->at > row->last ? a->at : row->last;
        sketch_add(&row->hosts, t->key, (struct slice){ (const char *)a->destination.b, sizeof a->destination.b });
        return true;
}

void tally_take(struct tally *t, bool all, int64_t now, bool (*call)(void *arg, const struct tally_row *row), void *arg)
{
        for (size_t i = 0; i < t->n_rows && t->n_pending; i++) {
                struct tally_row *row = &t->rows[i];
                bool due = all || row->due <= now || row->due - now > HOUR; /* a clock set back does not hide a row */
                if (!row->count || !due || (row->due == TIME_NEVER && !all))
                        continue;
                if (!call(arg, row))
                        return;
                row->count = 0;
                row->handed += row->handed < DOUBLINGS_MOST;
                t->n_pending--;
        }
}

void tally_clear(struct tally *t)
{
        map_done(&t->by_key);
        map_done(&t->by_net);
        t->n_rows = t->n_nets = t->n_pending = 0;
}

void tally_roll(struct tally *t)
{
        tally_clear(t);
        uint8_t *spare = t->seen_before;
        t->seen_before = t->seen;
        t->seen = memset(spare, 0, SEEN_BITS / 8);
}

bool tally_pending(const struct tally *t)
{
        return t->n_pending > 0;
}

size_t tally_sources(const struct tally *t)
{
        return t->n_rows;
}
