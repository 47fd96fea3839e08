/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leases: which line held which address, and when. */
#include "ledger/archive.h"
#include "ledger/json.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"
#include "ledger/wire.h"

#include <errno.h>
#include <stdio.h>

enum { LENGTHS_MOST = 129 };

struct lease lease_of_row(struct statement *s, struct arena *a)
{
        struct lease l = { .id = db_get_int(s) };
        l.realm = db_get_text(s, a);
        l.prefix.addr = db_get_address(s);
        l.prefix.len = (uint8_t)db_get_int(s);
        l.port_low = (uint16_t)db_get_int(s);
        l.port_high = (uint16_t)db_get_int(s);
        l.proto = db_get_text(s, a);
        l.start = db_get_int(s);
        l.end = db_get_int(s);
        l.line.kind = db_get_text(s, a);
        l.line.value = db_get_text(s, a);
        l.source = db_get_text(s, a);
        l.why_ended = db_get_text(s, a);
        l.evidence = db_get_text(s, a);
        l.nas = db_get_text(s, a);
        l.session = db_get_text(s, a);
        l.user = db_get_text(s, a);
        return l;
}

static int collect(struct statement *s, struct rows *rows)
{
        while (db_row(s)) {
                struct lease *l = rows_add(rows);
                if (!l)
                        break;
                *l = lease_of_row(s, rows->arena);
                l->subscriber = db_get_text(s, rows->arena);
        }
        return db_done(s);
}

/* A reader of leases runs again where a segment went away after its transaction began; within somebody else's it cannot. */
enum { ATTEMPTS = 5 };

struct question {
        struct slice subscriber;
        const struct addr *addr;
        struct asked asked;
        int64_t at, since;
        size_t most;
};

static int answer(struct rows *rows, int (*read)(struct rows *rows, const struct question *q), const struct question *q,
                  struct lease **ret, size_t *n)
{
        struct ledger *l = rows->ledger;
        int status = -EAGAIN;
        bool began = true;
        for (int i = 0; i < ATTEMPTS && status == -EAGAIN && began; i++) {
                *rows = rows_of(l, rows->arena, sizeof **ret);
                status = db_snapshot(l, &began);
                if (status == 0)
                        status = db_snapshot_end(l, began, rows_done(rows, read(rows, q), (void **)ret, n));
        }
        return status;
}

static int read_of_subscriber(struct rows *rows, const struct question *q)
{
        struct statement *s = db_prepare(
            rows->ledger,
            "SELECT " LEASE_COLUMNS
            ", s.id FROM subscriber s JOIN holding h ON h.subscriber = s.number AND h.start <= ?2 AND h.end > ?2"
            " JOIN line n ON n.number = h.line JOIN lease l ON l.line = h.line AND l.start <= ?2 AND l.end > ?2"
            " WHERE s.id = ?1");
        db_text(s, q->subscriber);
        db_int(s, q->at);
        int status = collect(s, rows);
        if (status == 0)
                status = archive_of_subscriber(rows, q->subscriber, 0, q->at, q->at);
        leases_sort(rows, SIZE_MAX);
        return status;
}

int ledger_leases_of(struct ledger *l, struct arena *a, struct slice subscriber, int64_t at, struct lease **ret,
                     size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        return answer(&rows, read_of_subscriber, &(struct question){ .subscriber = subscriber, .at = at }, ret, n);
}

static int read_list(struct rows *rows, const struct question *q)
{
        static const char of_one[] =
            "SELECT " LEASE_COLUMNS
            ", s.id FROM subscriber s JOIN holding h ON h.subscriber = s.number JOIN line n ON n.number = h.line"
            " JOIN lease l ON l.line = h.line AND l.end > ?2 AND l.start < h.end AND l.end > h.start"
            " AND l.end > l.start WHERE s.id = ?1 ORDER BY l.address, l.length, l.start LIMIT ?3";
        static const char of_all[] =
            "SELECT " LEASE_COLUMNS ", coalesce(s.id, '') FROM lease l JOIN line n ON n.number = l.line"
            " LEFT JOIN holding h ON h.line = l.line AND l.start < h.end AND l.end > h.start"
            " LEFT JOIN subscriber s ON s.number = h.subscriber"
            " WHERE ?1 = '' AND l.end > ?2 AND l.end > l.start ORDER BY l.address, l.length, l.start LIMIT ?3";
        struct statement *s = db_prepare(rows->ledger, q->subscriber.n ? of_one : of_all);
        db_text(s, q->subscriber);
        db_int(s, q->since);
        db_int(s, q->most > INT64_MAX ? INT64_MAX : (int64_t)q->most);
        int status = collect(s, rows);
        if (status == 0)
                status = q->subscriber.n ? archive_of_subscriber(rows, q->subscriber, 0, q->since, TIME_NEVER)
                                         : archive_walk(rows, q->since, q->most);
        leases_sort(rows, q->most);
        return status;
}

int ledger_lease_list(struct ledger *l, struct arena *a, struct slice subscriber, int64_t since, size_t most,
                      struct lease **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct question q = { .subscriber = subscriber, .since = since, .most = most };
        return answer(&rows, read_list, &q, ret, n);
}

static int read_lengths(struct ledger *l)
{
        struct statement *s = db_prepare(l, "SELECT length FROM lease_length");
        memset(l->lengths, 0, sizeof l->lengths);
        while (db_row(s))
                l->lengths[(size_t)db_get_int(s) % LENGTHS_MOST] = true;
        int status = db_done(s);
        l->lengths_known = status == 0 && l->writer;
        return status;
}

/* The lengths in use, longest first. */
static int lengths_in_use(struct ledger *l, uint8_t out[LENGTHS_MOST], size_t *n)
{
        int status = l->lengths_known ? 0 : read_lengths(l);
        *n = 0;
        for (size_t i = LENGTHS_MOST; i-- > 0;)
                if (l->lengths[i])
                        out[(*n)++] = (uint8_t)i;
        return status;
}

int ledger_leases_open(struct ledger *l, struct arena *a, struct slice source, int64_t at, struct lease **ret,
                       size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s =
            db_prepare(l, "SELECT " LEASE_COLUMNS
                          ", '' FROM lease l JOIN line n ON n.number = l.line WHERE l.source = ? AND l.end > ?");
        db_text(s, source);
        db_int(s, at);
        return rows_done(&rows, collect(s, &rows), (void **)ret, n);
}

/* The leases of one prefix length that cover the address and share time with [from, until). */
static int holders_of_length(struct rows *rows, const struct addr *masked, uint8_t length, const struct asked *q)
{
        struct statement *s = db_prepare(
            rows->ledger,
            "SELECT " LEASE_COLUMNS ", coalesce(s.id, '') FROM lease l JOIN line n ON n.number = l.line"
            " LEFT JOIN holding h ON h.line = l.line AND h.start < min(?4, l.end) AND h.end > max(?3, l.start)"
            " LEFT JOIN subscriber s ON s.number = h.subscriber"
            " WHERE l.address = ?1 AND l.length = ?2 AND l.end > ?3 AND l.start < ?4 AND l.end > l.start"
            " AND (?5 = 0 OR l.port_high = 0 OR ?5 BETWEEN l.port_low AND l.port_high)"
            " AND (?6 = '' OR l.proto = '' OR l.proto = ?6) ORDER BY l.start DESC, h.start DESC");
        db_address(s, masked);
        db_int(s, length);
        db_int(s, q->from);
        db_int(s, q->until);
        db_int(s, q->port);
        db_text(s, q->proto);
        return collect(s, rows);
}

/* Longest prefix first, then the latest. */
static int by_length(const void *a, const void *b)
{
        const struct lease *x = a, *y = b;
        if (x->prefix.len != y->prefix.len)
                return x->prefix.len < y->prefix.len ? 1 : -1;
        return x->start < y->start ? 1 : x->start > y->start ? -1 : slice_cmp(x->subscriber, y->subscriber);
}

static int read_holders(struct rows *rows, const struct question *q)
{
        uint8_t lengths[LENGTHS_MOST];
        size_t n_lengths = 0;
        int status = lengths_in_use(rows->ledger, lengths, &n_lengths);
        for (size_t i = 0; status == 0 && i < n_lengths; i++) {
                struct addr masked = addr_mask(*q->addr, lengths[i]);
                status = holders_of_length(rows, &masked, lengths[i], &q->asked);
        }
        if (status == 0)
                status = archive_holders(rows, q->addr, &q->asked);
        if (rows->n > 1)
                qsort(rows->all, rows->n, rows->size, by_length);
        return status;
}

int ledger_holders_between(struct ledger *l, struct arena *a, const struct addr *addr, uint16_t port,
                           struct slice proto, int64_t from, int64_t until, struct lease **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct question q = { .addr = addr, .asked = { port, proto, from, until } };
        return answer(&rows, read_holders, &q, ret, n);
}

int ledger_holders(struct ledger *l, struct arena *a, const struct addr *addr, int64_t at, struct lease **ret,
                   size_t *n)
{
        return ledger_holders_between(l, a, addr, 0, S(""), at, at < TIME_NEVER ? at + 1 : at, ret, n);
}

/* --- writing --- */

/* Another subscriber's static lease that shares addresses, ports and time with this one. Of those inside its prefix only
 * the ones without end are looked for: who is inside is found first, whoever is around him. */
struct clash {
        struct slice id;
        struct prefix prefix;
};

#define CLASH_SELECT(index)                                                                                            \
        "SELECT coalesce(s.id, ''), l.address, l.length FROM lease l INDEXED BY " index                                \
        " LEFT JOIN holding h ON h.line = l.line AND h.end = " SQL_NEVER                                               \
        " LEFT JOIN subscriber s ON s.number = h.subscriber"                                                           \
        " WHERE l.source = 'static'"                                                                                   \
        " AND l.realm = ?1 AND l.line <> ?2 AND coalesce(h.subscriber, -1) <> ?3 AND l.start < ?4"                     \
        " AND (?6 = 0 OR l.port_high = 0 OR (l.port_low <= ?6 AND l.port_high >= ?5))"

struct clash_query {
        const struct lease *lease;
        int64_t line, subscriber;
};

static void bind_clash(struct statement *s, const struct clash_query *q)
{
        db_text(s, q->lease->realm);
        db_int(s, q->line);
        db_int(s, q->subscriber);
        db_int(s, q->lease->end);
        db_int(s, q->lease->port_low);
        db_int(s, q->lease->port_high);
}

static int read_clash(struct verb_call *c, struct statement *s, struct clash *ret, bool *found)
{
        while (db_row(s)) {
                *found = true;
                ret->id = db_get_text(s, c->arena);
                ret->prefix.addr = db_get_address(s);
                ret->prefix.len = (uint8_t)db_get_int(s);
        }
        return db_done(s);
}

static int find_clash(struct verb_call *c, const struct clash_query *q, struct clash *ret, bool *found)
{
        const struct prefix *p = &q->lease->prefix;
        struct addr last = addr_last(p->addr, p->len);
        uint8_t lengths[LENGTHS_MOST];
        size_t n = 0;
        *found = false;
        struct statement *s = db_prepare(
            c->ledger, CLASH_SELECT("lease_static") " AND l.end = " SQL_NEVER
                                                    " AND l.address BETWEEN ?7 AND ?8 AND l.length >= ?9 LIMIT 1");
        bind_clash(s, q);
        db_address(s, &p->addr);
        db_address(s, &last);
        db_int(s, p->len);
        int status = read_clash(c, s, ret, found);
        if (status == 0 && !*found)
                status = lengths_in_use(c->ledger, lengths, &n);
        for (size_t i = 0; status == 0 && !*found && i < n; i++) {
                if (lengths[i] > p->len)
                        continue;
                struct addr masked = addr_mask(p->addr, lengths[i]);
                s = db_prepare(c->ledger, CLASH_SELECT("lease_address") " AND l.address = ?7 AND l.length = ?8 AND "
                                                                        "l.end > ?9 AND l.end > l.start LIMIT 1");
                bind_clash(s, q);
                db_address(s, &masked);
                db_int(s, lengths[i]);
                db_int(s, q->lease->start);
                status = read_clash(c, s, ret, found);
        }
        return status;
}

static int refuse_clash(struct verb_call *c, const struct clash_query *q)
{
        char text[PREFIX_TEXT_MAX], other[PREFIX_TEXT_MAX];
        struct clash clash = { .id = { NULL, 0 } };
        bool found;
        int status = find_clash(c, q, &clash, &found);
        if (status < 0 || !found)
                return status;
        prefix_print(&q->lease->prefix, text);
        prefix_print(&clash.prefix, other);
        if (clash.id.n == 0)
                return verb_no(c, "address %s overlaps the static lease %s of a line that is nobody's", text, other);
        return verb_no(c, "address %s overlaps %s, which is subscriber %.*s's", text, other, SLICE_ARGS(clash.id));
}

int lease_changed(struct verb_call *c, int64_t subscriber, const struct prefix *p)
{
        char text[PREFIX_TEXT_MAX];
        if (subscriber)
                return subscriber_changed(c, subscriber_id(c->ledger, c->arena, subscriber));
        return record_change(c, S("address"), slice_of(prefix_print(p, text)));
}

struct other_lease {
        int64_t id, line, start;
};

/* The other lease, not static, of the same address and ports that shares time with this one: begun before it, or the
 * first one later. */
static int find_other(struct ledger *l, const struct lease *lease, bool later, struct other_lease *ret, bool *found)
{
        struct statement *s =
            db_prepare(l, "SELECT id, line, start FROM lease WHERE address = ?1 AND length = ?2"
                          " AND end > ?7 AND end > start AND start < ?8"
                          " AND source <> 'static' AND realm = ?3 AND port_low = ?4 AND port_high = ?5 AND proto = ?6"
                          " AND (start > ?7) = ?9 ORDER BY start LIMIT 1");
        db_address(s, &lease->prefix.addr);
        db_int(s, lease->prefix.len);
        db_text(s, lease->realm);
        db_int(s, lease->port_low);
        db_int(s, lease->port_high);
        db_text(s, lease->proto);
        db_int(s, lease->start);
        db_int(s, lease->end);
        db_int(s, later);
        for (*found = false; db_row(s); *found = true)
                *ret = (struct other_lease){ db_get_int(s), db_get_int(s), db_get_int(s) };
        return db_done(s);
}

static int end_lease(struct verb_call *c, int64_t id, int64_t at, struct slice why)
{
        struct statement *s = db_prepare(c->ledger, "UPDATE lease SET end = max(?, start), why_ended = ? WHERE id = ?");
        db_int(s, at);
        db_text(s, why);
        db_int(s, id);
        return db_run(s);
}

/* A new holder of a dynamic address ends the former one, who was never seen to stop. A report that comes late, after the next
 * holder's, is itself the former one. */
static int replace(struct verb_call *c, struct lease *lease)
{
        struct other_lease other;
        bool found;
        int status = find_other(c->ledger, lease, true, &other, &found);
        if (status < 0)
                return status;
        if (found) {
                lease->end = other.start;
                lease->why_ended = S("replaced");
                return 0;
        }
        status = find_other(c->ledger, lease, false, &other, &found);
        if (status < 0 || !found)
                return status;
        int64_t owner = 0;
        status = end_lease(c, other.id, lease->start, S("replaced"));
        if (status == 0)
                status = line_holder(c->ledger, other.line, &owner);
        return status < 0 ? status : lease_changed(c, owner, &lease->prefix);
}

/* Texts are not copied: `user` must live until the statement has run. */
static void bind_lease(struct statement *s, const struct lease *lease, int64_t line, struct slice user)
{
        db_text(s, lease->realm);
        db_address(s, &lease->prefix.addr);
        db_int(s, lease->prefix.len);
        db_text(s, lease->proto);
        db_int(s, lease->port_low);
        db_int(s, lease->port_high);
        db_int(s, lease->start);
        db_int(s, lease->end);
        db_text(s, lease->why_ended);
        db_int(s, line);
        db_text(s, lease->source);
        db_text(s, lease->nas);
        db_text(s, lease->session);
        db_text(s, user);
        db_text(s, lease->evidence);
}

#define LEASE_INSERT                                                                                                   \
        "INSERT INTO lease(realm, address, length, proto, port_low, port_high, start, end, why_ended, line, source, "  \
        "nas, session, user, evidence) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"                            \
        " ON CONFLICT(source, nas, session, user, start, address, length) DO UPDATE SET "

/* `s` is LEASE_INSERT with what is set anew, and when. */
static int store_row(struct verb_call *c, struct statement *s, const struct lease *lease, int64_t line, bool *ret_new)
{
        autobuf user;
        buf_init(&user, 1024);
        line_print(&lease->line, &user);
        bind_lease(s, lease, line, lease->user.n ? lease->user : buf_slice(&user));
        int status = db_run(s);
        if (status < 0)
                return status;
        *ret_new = sqlite3_changes64(c->ledger->db) > 0;
        if (c->ledger->lengths_known && c->ledger->lengths[lease->prefix.len])
                return 0;
        c->ledger->lengths[lease->prefix.len] = true;
        s = db_prepare(c->ledger, "INSERT OR IGNORE INTO lease_length(length) VALUES(?)");
        db_int(s, lease->prefix.len);
        return db_run(s);
}

static int insert(struct verb_call *c, const struct lease *lease, int64_t line, bool *ret_new)
{
        struct statement *s = db_prepare(c->ledger, LEASE_INSERT
                                         "end = excluded.end, why_ended = excluded.why_ended WHERE end = " SQL_NEVER
                                         " AND excluded.end <> " SQL_NEVER);
        return store_row(c, s, lease, line, ret_new);
}

int lease_replace(struct verb_call *c, const struct lease *lease, int64_t line, bool *ret_new)
{
        struct statement *s = db_prepare(
            c->ledger, LEASE_INSERT "end = excluded.end, why_ended = excluded.why_ended, evidence = excluded.evidence,"
                                    " line = excluded.line, proto = excluded.proto, port_low = excluded.port_low,"
                                    " port_high = excluded.port_high, realm = excluded.realm"
                                    " WHERE end <> excluded.end OR why_ended <> excluded.why_ended OR line <> "
                                    "excluded.line OR port_high <> excluded.port_high");
        return store_row(c, s, lease, line, ret_new);
}

int lease_erase(struct verb_call *c, const struct lease *lease, int64_t line, bool *ret_gone)
{
        bool archived = false, is_new;
        struct statement *s = db_prepare(
            c->ledger, "DELETE FROM lease WHERE source = ? AND nas = ? AND session = ? AND user = ? AND start = ?"
                       " AND address = ? AND length = ?");
        db_text(s, lease->source);
        db_text(s, lease->nas);
        db_text(s, lease->session);
        db_text(s, lease->user);
        db_int(s, lease->start);
        db_address(s, &lease->prefix.addr);
        db_int(s, lease->prefix.len);
        int status = db_run(s);
        *ret_gone = status == 0 && sqlite3_changes64(c->ledger->db) > 0;
        if (status == 0)
                status = archive_has(c->ledger, lease, &archived);
        if (status < 0 || !archived)
                return status;
        /* The archive is not written: an empty interval stands before it, and goes there with the others that are over. */
        *ret_gone = true;
        return lease_replace(c, lease, line, &is_new);
}

/* Whether this very static lease is open on the line already. */
static int stands(struct ledger *l, const struct lease *lease, int64_t line, bool *ret)
{
        int64_t n = 0;
        struct statement *s = db_prepare(l, "SELECT 1 FROM lease INDEXED BY lease_address WHERE address = ? AND length "
                                            "= ? AND end = ? AND line = ? AND source = ? AND realm = ?"
                                            " AND port_low = ? AND port_high = ? LIMIT 1");
        db_address(s, &lease->prefix.addr);
        db_int(s, lease->prefix.len);
        db_int(s, lease->end);
        db_int(s, line);
        db_text(s, lease->source);
        db_text(s, lease->realm);
        db_int(s, lease->port_low);
        db_int(s, lease->port_high);
        int status = db_number(s, &n);
        *ret = n != 0;
        return status == -ENOENT ? 0 : status;
}

/* The same event of the same source told again. */
static int known(struct ledger *l, const struct lease *lease, struct slice user, bool *ret)
{
        int64_t n = 0;
        struct statement *s =
            db_prepare(l, "SELECT 1 FROM lease WHERE source = ? AND nas = ? AND session = ? AND user = ? AND start = ?"
                          " AND address = ? AND length = ?");
        db_text(s, lease->source);
        db_text(s, lease->nas);
        db_text(s, lease->session);
        db_text(s, user);
        db_int(s, lease->start);
        db_address(s, &lease->prefix.addr);
        db_int(s, lease->prefix.len);
        int status = db_number(s, &n);
        *ret = n != 0;
        return status == -ENOENT ? 0 : status;
}

int lease_store(struct verb_call *c, const struct lease *given, int64_t line, int64_t subscriber, bool *ret_new)
{
        struct lease lease = *given;
        bool is_static = slice_eq(lease.source, S("static")), there = false;
        autobuf user;
        buf_init(&user, 1024);
        line_print(&lease.line, &user);
        *ret_new = false;
        int status = is_static ? stands(c->ledger, &lease, line, &there)
                               : known(c->ledger, &lease, lease.user.n ? lease.user : buf_slice(&user), &there);
        if (status < 0 || (there && (is_static || lease.end == TIME_NEVER)))
                return status;
        if (is_static)
                status = refuse_clash(c, &(struct clash_query){ &lease, line, subscriber });
        else if (!there)
                status = replace(c, &lease);
        if (status)
                return status;
        status = insert(c, &lease, line, ret_new);
        return status < 0 || !*ret_new ? status : lease_changed(c, subscriber, &lease.prefix);
}

int leases_end(struct verb_call *c, int64_t line, const struct prefix *only, int64_t at, struct slice why)
{
        struct statement *s =
            db_prepare(c->ledger, "UPDATE lease SET end = max(?1, start), why_ended = ?2 WHERE line = ?3 AND end > ?1 "
                                  "AND (?4 IS NULL OR (address = ?4 AND length = ?5))");
        db_int(s, at);
        db_text(s, why);
        db_int(s, line);
        if (only)
                db_address(s, &only->addr);
        else
                db_null(s);
        db_int(s, only ? only->len : 0);
        int status = db_run(s);
        return status < 0 ? status : sqlite3_changes(c->ledger->db) > 0;
}

int lease_check(struct verb_call *c, struct lease *l)
{
        const char *wrong = line_canonical(&l->line, c->arena);
        if (wrong)
                return verb_no(c, "line: %s", wrong);
        if (l->source.n == 0)
                return verb_no(c, "a lease needs a source");
        if (l->start < 0 || l->end < l->start)
                return verb_no(c, "a lease must end after it starts");
        if (l->port_low > l->port_high || (l->port_high && l->port_low == 0))
                return verb_no(c, "ports %u-%u are no range", l->port_low, l->port_high);
        if (l->port_high && !slice_eq(l->proto, S("tcp")) && !slice_eq(l->proto, S("udp")) && l->proto.n)
                return verb_no(c, "protocol: tcp or udp");
        const struct slice texts[] = { l->realm, l->source, l->nas, l->session, l->user, l->why_ended, l->evidence };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                int status = verb_text(c, "lease", texts[i], LEDGER_TEXT_MOST);
                if (status)
                        return status;
        }
        return 0;
}

/* Only what a person decided is a decision: static leases stand in the audit trail, those of a server's log do not. */
static int audit_lease(struct verb_call *c, const char *verb, const struct lease *l, struct slice why)
{
        autobuf text, key;
        struct json j;
        buf_init(&text, 65536);
        buf_init(&key, PREFIX_TEXT_MAX);
        char prefix[PREFIX_TEXT_MAX];
        if (!slice_eq(l->source, S("static")))
                return 0;
        json_init_compact(&j, &text);
        lease_json(&j, NULL, l);
        json_done(&j);
        buf_adds(&key, prefix_print(&l->prefix, prefix));
        return record_audit(
            c, &(struct record){ .verb = verb, .key = buf_slice(&key), .why = why, .after = buf_slice(&text) });
}

int verb_lease_add(struct verb_call *c)
{
        int64_t line, owner;
        bool is_new = false;
        struct lease l = wire_get_lease(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = l.end == l.start ? verb_no(c, "a lease must end after it starts") : lease_check(c, &l);
        if (status == 0)
                status = line_number(c->ledger, &l.line, true, &line);
        if (status == 0)
                status = line_holder(c->ledger, line, &owner);
        if (status == 0)
                status = lease_store(c, &l, line, owner, &is_new);
        return status || !is_new ? status : audit_lease(c, "lease add", &l, S(""));
}

int verb_lease_end(struct verb_call *c)
{
        int64_t line, owner = 0;
        struct lease l = { .source = S("static") };
        char text[PREFIX_TEXT_MAX];
        l.prefix = wire_get_prefix(c->args);
        l.line = wire_get_line(c->args);
        l.end = ipc_int(c->args);
        struct slice why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        const char *wrong = line_canonical(&l.line, c->arena);
        if (wrong)
                return verb_no(c, "line: %s", wrong);
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status)
                return status;
        status = line_number(c->ledger, &l.line, false, &line);
        if (status == 0)
                status = leases_end(c, line, &l.prefix, l.end, why);
        if (status == -ENOENT || status == 0)
                return verb_no(c, "line %.*s:%.*s holds no open lease of %s", SLICE_ARGS(l.line.kind),
                               SLICE_ARGS(l.line.value), prefix_print(&l.prefix, text));
        if (status > 0)
                status = line_holder(c->ledger, line, &owner);
        if (status == 0)
                status = lease_changed(c, owner, &l.prefix);
        return status < 0 ? status : audit_lease(c, "lease end", &l, why);
}
