/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts: sightings joined with the leases of their instant, losses, and the suspicion drawn from them. */
#include "ledger/archive.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"
#include "ledger/wire.h"

#include <errno.h>
#include <stdio.h>

enum { HOSTS_MOST = 1024, HOLDERS_MOST = 1000 };

#define SIGHTING_COLUMNS                                                                                               \
        "g.id, g.source, g.realm, g.address, g.length, g.port, g.at, g.seconds, g.count, g.strategy, g.hosts, "        \
        "g.detail"

static struct sighting sighting_of_row(struct statement *s, struct arena *a)
{
        struct sighting g = { .id = db_get_int(s) };
        g.source = db_get_text(s, a);
        g.realm = db_get_text(s, a);
        g.prefix.addr = db_get_address(s);
        g.prefix.len = (uint8_t)db_get_int(s);
        g.port = (uint16_t)db_get_int(s);
        g.at = db_get_int(s);
        g.seconds = db_get_int(s);
        g.count = db_get_int(s);
        g.strategy = db_get_text(s, a);
        g.hosts = db_get_text(s, a);
        g.detail = db_get_text(s, a);
        return g;
}

/* Who can have been it: the subscribers of the leases that hold the whole prefix then; where none does, of those inside it. */
struct holders {
        struct slice first;
        size_t n;
        bool nobodys; /* a lease of a line without subscriber: somebody more */
};

static void add_holder(struct holders *h, struct slice id)
{
        if (id.n == 0)
                h->nobodys = true;
        else if (h->n == 0) {
                h->first = id;
                h->n = 1;
        } else if (!slice_eq(h->first, id))
                h->n++; /* counted by lease beyond the second: "more" is all that is asked */
}

static bool realm_fits(const struct lease *l, const struct sighting *g)
{
        bool port_fits = l->port_high == 0 || g->port == 0 || (g->port >= l->port_low && g->port <= l->port_high);
        return slice_eq(l->realm, g->realm) && port_fits;
}

static int holders_outside(struct ledger *l, struct arena *a, const struct sighting *g, struct holders *h)
{
        struct lease *leases;
        size_t n;
        int status = ledger_holders(l, a, &g->prefix.addr, g->at, &leases, &n);
        unsigned longest = 0;
        for (size_t i = 0; status == 0 && i < n; i++) {
                if (leases[i].prefix.len > g->prefix.len || !realm_fits(&leases[i], g))
                        continue;
                /* The longest prefix is the holder; a shorter one around it is the line it was routed to. */
                if (leases[i].prefix.len < longest && h->n)
                        break;
                longest = leases[i].prefix.len;
                add_holder(h, leases[i].subscriber);
        }
        return status;
}

/* Once each, wherever his leases stand. */
static void add_once(struct holders *h, struct map *seen, struct slice id)
{
        if (!map_put(seen, id, h))
                add_holder(h, id);
}

static int holders_live(struct ledger *l, struct arena *a, const struct sighting *g, struct holders *h,
                        struct map *seen)
{
        struct addr last = addr_last(g->prefix.addr, g->prefix.len);
        struct statement *s =
            db_prepare(l, "SELECT DISTINCT coalesce(s.id, '') FROM lease l"
                          " LEFT JOIN holding h ON h.line = l.line AND h.start <= ?3 AND h.end > ?3"
                          " LEFT JOIN subscriber s ON s.number = h.subscriber"
                          " WHERE l.address BETWEEN ?1 AND ?2 AND l.length > ?4 AND l.start <= ?3 AND l.end > ?3"
                          " AND l.realm = ?5 LIMIT ?6");
        db_address(s, &g->prefix.addr);
        db_address(s, &last);
        db_int(s, g->at);
        db_int(s, g->prefix.len);
        db_text(s, g->realm);
        db_int(s, HOLDERS_MOST);
        while (db_row(s))
                add_once(h, seen, db_get_text(s, a));
        return db_done(s);
}

static int holders_archived(struct ledger *l, struct arena *a, const struct sighting *g, struct holders *h,
                            struct map *seen)
{
        struct rows rows = rows_of(l, a, sizeof(struct lease));
        struct lease *leases = NULL;
        size_t n = 0;
        int status = archive_inside(&rows, &g->prefix, g->realm, g->at, HOLDERS_MOST);
        status = rows_done(&rows, status, (void **)&leases, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                add_once(h, seen, leases[i].subscriber);
        return status;
}

static int holders_inside(struct ledger *l, struct arena *a, const struct sighting *g, struct holders *h)
{
        automap seen = { .n = 0 };
        int status = holders_live(l, a, g, h, &seen);
        return status < 0 ? status : holders_archived(l, a, g, h, &seen);
}

static int join(struct ledger *l, struct arena *a, struct sighting *g)
{
        struct holders h = { .n = 0 };
        int status = holders_outside(l, a, g, &h);
        if (status == 0 && h.n == 0 && !h.nobodys && g->prefix.len < 128)
                status = holders_inside(l, a, g, &h);
        g->holders = h.n + (h.n && h.nobodys);
        g->subscriber = g->holders == 1 ? h.first : (struct slice){ NULL, 0 };
        return status;
}

struct span {
        int64_t since, until;
        size_t most;
};

/* Everybody's, newest first. */
static int read_all(struct rows *rows, const struct span *span)
{
        struct statement *s =
            db_prepare(rows->ledger, "SELECT " SIGHTING_COLUMNS " FROM sighting g WHERE g.at >= ? AND g.at < ?"
                                     " ORDER BY g.at DESC, g.id DESC LIMIT ?");
        db_int(s, span->since);
        db_int(s, span->until);
        db_int(s, (int64_t)span->most);
        int status = 0;
        while (status == 0 && db_row(s)) {
                struct sighting *g = rows_add(rows);
                if (!g)
                        break;
                *g = sighting_of_row(s, rows->arena);
                status = join(rows->ledger, rows->arena, g);
        }
        int end = db_done(s);
        return status < 0 ? status : end;
}

/* One's: the sightings within his leases, and the wider ones (a /64) around them; each then joined as any other. */
static int read_within(struct rows *rows, const struct lease *lease, const struct span *span, struct slice subscriber)
{
        struct addr first = addr_mask(lease->prefix.addr,
                                      lease->prefix.len > 64 && !prefix_is_v4(&lease->prefix) ? 64 : lease->prefix.len);
        struct addr last = addr_last(lease->prefix.addr, lease->prefix.len);
        struct statement *s =
            db_prepare(rows->ledger, "SELECT " SIGHTING_COLUMNS
                                     " FROM sighting g INDEXED BY sighting_address WHERE g.address BETWEEN ?1 AND ?2"
                                     " AND g.at >= ?3 AND g.at < ?4 ORDER BY g.at DESC LIMIT ?5");
        db_address(s, &first);
        db_address(s, &last);
        db_int(s, lease->start > span->since ? lease->start : span->since);
        db_int(s, lease->end < span->until ? lease->end : span->until);
        db_int(s, (int64_t)span->most);
        int status = 0;
        while (status == 0 && db_row(s)) {
                struct sighting g = sighting_of_row(s, rows->arena);
                status = join(rows->ledger, rows->arena, &g);
                if (status < 0 || !slice_eq(g.subscriber, subscriber))
                        continue;
                struct sighting *row = rows_add(rows);
                if (!row)
                        break;
                *row = g;
        }
        int end = db_done(s);
        return status < 0 ? status : end;
}

static int newest_first(const void *a, const void *b)
{
        const struct sighting *x = a, *y = b;
        if (x->at != y->at)
                return x->at < y->at ? 1 : -1;
        return x->id < y->id ? 1 : x->id > y->id ? -1 : 0;
}

/* Leases that overlap show one sighting twice. */
static void unique(struct rows *rows, size_t most)
{
        struct sighting *all = rows->all;
        size_t n = 0;
        if (rows->n)
                qsort(all, rows->n, sizeof *all, newest_first);
        for (size_t i = 0; i < rows->n && n < most; i++)
                if (n == 0 || all[n - 1].id != all[i].id)
                        all[n++] = all[i];
        rows->n = n;
}

static int read_of(struct rows *rows, struct slice subscriber, const struct span *span)
{
        struct lease *leases;
        size_t n;
        int status = ledger_lease_list(rows->ledger, rows->arena, subscriber, span->since, SIZE_MAX, &leases, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                if (leases[i].start < span->until)
                        status = read_within(rows, &leases[i], span, subscriber);
        unique(rows, span->most);
        return status;
}

int ledger_sightings(struct ledger *l, struct arena *a, struct slice subscriber, int64_t since, int64_t until,
                     size_t most, struct sighting **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct span span = { since, until, most < INT64_MAX ? most : INT64_MAX };
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = subscriber.n ? read_of(&rows, subscriber, &span) : read_all(&rows, &span);
        return db_snapshot_end(l, began, rows_done(&rows, status, (void **)ret, n));
}

int ledger_sightings_after(struct ledger *l, struct arena *a, int64_t id, size_t most, struct sighting **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        struct statement *s =
            db_prepare(l, "SELECT " SIGHTING_COLUMNS " FROM sighting g WHERE g.id > ? ORDER BY g.id LIMIT ?");
        db_int(s, id);
        db_int(s, most < INT64_MAX ? (int64_t)most : INT64_MAX);
        while (status == 0 && db_row(s)) {
                struct sighting *g = rows_add(&rows);
                if (!g)
                        break;
                *g = sighting_of_row(s, a);
                status = join(l, a, g);
        }
        int end = db_done(s);
        return db_snapshot_end(l, began, rows_done(&rows, status < 0 ? status : end, (void **)ret, n));
}

int ledger_last_sighting(struct ledger *l, int64_t *ret)
{
        return db_number(db_prepare(l, "SELECT coalesce(max(id), 0) FROM sighting"), ret);
}

int ledger_losses(struct ledger *l, struct arena *a, int64_t since, struct loss **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s =
            db_prepare(l, "SELECT at / 60000000 * 60000000, sum(count) FROM loss WHERE at >= ? GROUP BY 1 ORDER BY 1");
        db_int(s, since);
        while (db_row(s)) {
                struct loss *loss = rows_add(&rows);
                if (!loss)
                        break;
                *loss = (struct loss){ db_get_int(s), db_get_int(s) };
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

int ledger_suspicions(struct ledger *l, struct arena *a, struct suspicion **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(
            l, "SELECT s.id, u.at, u.score, u.syn_part FROM suspicion u JOIN subscriber s ON s.number = u.subscriber"
               " WHERE s.removed = " SQL_NEVER " ORDER BY u.score DESC, s.id");
        while (db_row(s)) {
                struct suspicion *u = rows_add(&rows);
                if (!u)
                        break;
                u->subscriber = db_get_text(s, a);
                u->at = db_get_int(s);
                u->score = db_get_real(s);
                u->syn_part = db_get_real(s);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

/* --- writing --- */

static int check_sighting(struct verb_call *c, const struct sighting *g)
{
        if (g->source.n == 0)
                return verb_no(c, "a sighting needs a source");
        if (g->at < 0 || g->at > c->now + DAY || g->seconds < 0 || g->count < 1)
                return verb_no(c, "a sighting needs a time that has been and a count of at least one");
        if (g->hosts.n > HOSTS_MOST)
                return verb_no(c, "hosts: %zu bytes are no sketch", g->hosts.n);
        /* What a peer said is a fact, whatever its bytes; who shows it escapes it. */
        if (g->detail.n > LEDGER_TEXT_MOST)
                return verb_no(c, "detail: %zu bytes are too long (%d at most)", g->detail.n, LEDGER_TEXT_MOST);
        const struct slice texts[] = { g->source, g->realm, g->strategy };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                int status = verb_text(c, "sighting", texts[i], LEDGER_TEXT_MOST);
                if (status)
                        return status;
        }
        return 0;
}

static int sighting_store(struct verb_call *c, const struct sighting *g)
{
        struct statement *s = db_prepare(
            c->ledger, "INSERT INTO sighting(source, realm, address, length, port, at, seconds, count, strategy,"
                       " hosts, detail) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        db_text(s, g->source);
        db_text(s, g->realm);
        db_address(s, &g->prefix.addr);
        db_int(s, g->prefix.len);
        db_int(s, g->port);
        db_int(s, g->at);
        db_int(s, g->seconds);
        db_int(s, g->count);
        db_text(s, g->strategy);
        db_blob(s, g->hosts);
        db_text(s, g->detail);
        return db_run(s);
}

/* One change row for each address of a batch. */
static int sighting_changed(struct verb_call *c, struct map *seen, const struct sighting *g)
{
        char text[PREFIX_TEXT_MAX];
        struct slice key = arena_dup(c->arena, slice_of(prefix_print(&g->prefix, text)));
        if (!key.p || map_put(seen, key, seen))
                return 0;
        return record_change(c, S("sighting"), key);
}

static int loss_store(struct verb_call *c, int64_t count, int64_t at)
{
        if (count <= 0)
                return 0;
        struct statement *s = db_prepare(c->ledger, "INSERT INTO loss(at, count) VALUES(?, ?)");
        db_int(s, at);
        db_int(s, count);
        return db_run(s);
}

int verb_sightings_add(struct verb_call *c)
{
        automap seen = { .n = 0 };
        int64_t lost = ipc_int(c->args), lost_at = ipc_int(c->args);
        size_t n = ipc_count(c->args);
        int status = 0;
        for (size_t i = 0; status == 0 && i < n; i++) {
                struct sighting g = wire_get_sighting(c->args);
                if (c->args->bad)
                        return -EBADMSG;
                status = check_sighting(c, &g);
                if (status == 0)
                        status = sighting_store(c, &g);
                if (status == 0)
                        status = sighting_changed(c, &seen, &g);
        }
        return status == 0 ? loss_store(c, lost, lost_at) : status;
}

int verb_suspicion_set(struct verb_call *c)
{
        int64_t number;
        struct suspicion u = { .subscriber = ipc_text(c->args) };
        u.at = ipc_int(c->args);
        u.score = wire_get_real(c->args);
        u.syn_part = wire_get_real(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = subscriber_number(c->ledger, u.subscriber, &number);
        if (status == -ENOENT)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(u.subscriber));
        if (status < 0)
                return status;
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO suspicion(subscriber, at, score, syn_part) VALUES(?, ?, ?, ?)"
                                  " ON CONFLICT(subscriber) DO UPDATE SET at = excluded.at, score = excluded.score,"
                                  " syn_part = excluded.syn_part");
        db_int(s, number);
        db_int(s, u.at);
        db_real(s, u.score);
        db_real(s, u.syn_part);
        status = db_run(s);
        return status < 0 ? status : record_change(c, S("suspicion"), u.subscriber);
}
