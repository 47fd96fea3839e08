/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the gate needs to know of people: one of them in microseconds, all of them in a few statements. */
#include "ledger/archive.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"

#include <errno.h>

/* Who is not simply one of his pool, at the instant ?1. */
#define PEOPLE                                                                                                         \
        "WITH p(number) AS MATERIALIZED ("                                                                             \
        "SELECT number FROM subscriber WHERE removed = " SQL_NEVER " AND (class <> '' OR port25 <> -1)"                \
        " UNION SELECT subscriber FROM exemption WHERE removed = 0 AND subscriber IS NOT NULL AND until > ?1"          \
        " UNION SELECT subscriber FROM quarantine WHERE released = 0 AND proposed = 0 AND until > ?1"                  \
        " ORDER BY 1) "

#define FIRST_TOLD "coalesce((SELECT min(t.at) FROM told t WHERE t.subscriber = s.number), " SQL_NEVER ")"

static void sooner(int64_t *next, int64_t at, int64_t now)
{
        if (at > now && at < *next)
                *next = at;
}

static enum level level_at(int64_t n)
{
        return n >= 0 && n < LEVEL_COUNT ? (enum level)n : LEVEL_NONE;
}

static struct person person_of_row(struct statement *s, struct arena *a)
{
        struct person p = { .id = db_get_text(s, a), .quarantine = LEVEL_NONE, .next_change = TIME_NEVER };
        p.class = db_get_text(s, a);
        int64_t port25 = db_get_int(s);
        p.port25 = port25 >= 0 && port25 < STRATEGY_COUNT ? (enum strategy)port25 : STRATEGY_NONE;
        p.never_cut = db_get_int(s);
        p.told = db_get_int(s);
        return p;
}

/* A lease and the holding of its line: in force where both are. False: not yet, but p knows when. */
static bool lease_in_force(struct statement *s, struct person *p, int64_t at)
{
        int64_t start = db_get_int(s), end = db_get_int(s);
        sooner(&p->next_change, start <= at ? end : start, at);
        return start <= at;
}

static void add_quarantine(struct statement *s, struct person *p, int64_t at)
{
        enum level level = level_at(db_get_int(s));
        int64_t start = db_get_int(s), until = db_get_int(s);
        sooner(&p->next_change, start <= at ? until : start, at);
        if (start <= at && level > p->quarantine)
                p->quarantine = level;
}

static void add_exemption(struct statement *s, struct person *p, int64_t at)
{
        int64_t start = db_get_int(s), until = db_get_int(s);
        sooner(&p->next_change, start <= at ? until : start, at);
        p->exempt = p->exempt || start <= at;
}

#define IN_FORCE "max(h.start, l.start), min(h.end, l.end), "

/* Nothing of it is asked where `at` is now. */
static int read_archived(struct rows *rows, int64_t number, int64_t at, struct person *p)
{
        size_t before = rows->n;
        int status = archive_of_subscriber(rows, p->id, number, at, at);
        const struct lease *all = rows->all;
        for (size_t i = before; i < rows->n; i++)
                sooner(&p->next_change, all[i].end, at);
        return status;
}

static int read_leases(struct ledger *l, int64_t number, int64_t at, struct person *p, struct arena *a)
{
        struct rows rows = rows_of(l, a, sizeof(struct lease));
        struct statement *s = db_prepare(l, "SELECT " IN_FORCE LEASE_COLUMNS
                                            " FROM holding h JOIN lease l ON l.line = h.line AND l.end > ?2"
                                            " JOIN line n ON n.number = h.line WHERE h.subscriber = ?1 AND h.end > ?2"
                                            " ORDER BY l.address, l.length, l.start");
        db_int(s, number);
        db_int(s, at);
        while (db_row(s)) {
                struct lease *lease = lease_in_force(s, p, at) ? rows_add(&rows) : NULL;
                if (!lease && rows.full)
                        break;
                if (!lease)
                        continue;
                *lease = lease_of_row(s, a);
                lease->subscriber = p->id;
        }
        int status = db_done(s);
        return rows_done(&rows, status < 0 ? status : read_archived(&rows, number, at, p), (void **)&p->leases,
                         &p->n_leases);
}

static int read_decisions(struct ledger *l, int64_t number, int64_t at, struct person *p)
{
        struct statement *s = db_prepare(
            l, "SELECT level, start, CASE released WHEN 0 THEN until ELSE min(until, released) END FROM quarantine"
               " WHERE subscriber = ?1 AND (released = 0 OR released > ?2) AND proposed = 0 AND until > ?2");
        db_int(s, number);
        db_int(s, at);
        while (db_row(s))
                add_quarantine(s, p, at);
        int status = db_done(s);
        if (status < 0)
                return status;
        s = db_prepare(l, "SELECT start, until FROM exemption WHERE subscriber = ? AND removed = 0 AND until > ?");
        db_int(s, number);
        db_int(s, at);
        while (db_row(s))
                add_exemption(s, p, at);
        return db_done(s);
}

static int read_person(struct ledger *l, struct arena *a, struct slice id, int64_t at, struct person *p)
{
        int64_t number = 0;
        struct statement *s = db_prepare(l, "SELECT s.number, s.id, s.class, s.port25, s.never_cut, " FIRST_TOLD
                                            " FROM subscriber s WHERE s.id = ? AND s.removed = " SQL_NEVER);
        db_text(s, id);
        while (db_row(s)) {
                number = db_get_int(s);
                *p = person_of_row(s, a);
        }
        int status = db_done(s);
        if (status < 0 || number == 0)
                return status;
        status = read_leases(l, number, at, p, a);
        return status < 0 ? status : read_decisions(l, number, at, p);
}

int ledger_person(struct ledger *l, struct arena *a, struct slice id, int64_t at, struct person *ret)
{
        struct person p = { .port25 = STRATEGY_NONE, .quarantine = LEVEL_NONE, .next_change = TIME_NEVER };
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = db_snapshot_end(l, began, read_person(l, a, id, at, &p));
        if (status < 0)
                return status;
        if (!p.id.p)
                p.id = arena_dup(a, id);
        *ret = p;
        return 0;
}

int ledger_people(struct ledger *l, struct arena *a, int64_t at, struct slice **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(
            l, PEOPLE "SELECT s.id FROM p JOIN subscriber s ON s.number = p.number WHERE s.removed = " SQL_NEVER
                      " ORDER BY s.id");
        db_int(s, at);
        while (db_row(s)) {
                struct slice *id = rows_add(&rows);
                if (!id)
                        break;
                *id = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

/* --- everybody at once: persons in the order of their numbers, then each kind of fact is dealt out to them --- */

struct everyone {
        struct rows rows; /* of struct person */
        int64_t *numbers;
        size_t *first; /* of each one's leases in the array of all */
        size_t numbers_cap, first_cap;
        int64_t now;
};

static int read_everyone(struct everyone *e)
{
        struct statement *s = db_prepare(e->rows.ledger, PEOPLE
                                         "SELECT s.number, s.id, s.class, s.port25, s.never_cut, " FIRST_TOLD " FROM p"
                                         " CROSS JOIN subscriber s ON s.number = p.number"
                                         " WHERE s.removed = " SQL_NEVER " ORDER BY s.number");
        db_int(s, e->now);
        while (db_row(s)) {
                struct person *p = rows_add(&e->rows);
                if (!p)
                        break;
                e->numbers = xgrow(e->numbers, &e->numbers_cap, e->rows.n, sizeof *e->numbers);
                e->first = xgrow(e->first, &e->first_cap, e->rows.n, sizeof *e->first);
                e->first[e->rows.n - 1] = 0;
                e->numbers[e->rows.n - 1] = db_get_int(s);
                *p = person_of_row(s, e->rows.arena);
        }
        return db_done(s);
}

static struct person *person_with(const struct everyone *e, int64_t number)
{
        size_t low = 0, high = e->rows.n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (e->numbers[middle] < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < e->rows.n && e->numbers[low] == number ? (struct person *)e->rows.all + low : NULL;
}

/* Texts of which there are few, and which come many times in a row. */
static struct slice few(struct statement *s, struct arena *a, struct slice *last)
{
        struct slice text = db_peek_text(s);
        if (!slice_eq(text, *last))
                *last = arena_dup(a, text);
        return *last;
}

struct lasts {
        struct slice realm, proto, kind, source;
};

#define SLIM_COLUMNS                                                                                                   \
        "l.id, l.realm, l.address, l.length, l.port_low, l.port_high, l.proto, l.start, l.end, n.kind, l.source"

static struct lease slim_of_row(struct statement *s, struct arena *a, struct lasts *last)
{
        struct lease l = { .id = db_get_int(s) };
        l.realm = few(s, a, &last->realm);
        l.prefix.addr = db_get_address(s);
        l.prefix.len = (uint8_t)db_get_int(s);
        l.port_low = (uint16_t)db_get_int(s);
        l.port_high = (uint16_t)db_get_int(s);
        l.proto = few(s, a, &last->proto);
        l.start = db_get_int(s);
        l.end = db_get_int(s);
        l.line.kind = few(s, a, &last->kind);
        l.source = few(s, a, &last->source);
        return l;
}

/* CROSS JOIN keeps the order of the loops, so that one person's leases come together without a sort. */
static int read_all_leases(struct everyone *e, struct rows *rows)
{
        struct lasts last = { .realm = S("") };
        struct statement *s =
            db_prepare(e->rows.ledger, PEOPLE "SELECT p.number, " IN_FORCE SLIM_COLUMNS " FROM p"
                                              " CROSS JOIN holding h ON h.subscriber = p.number AND h.end > ?1"
                                              " CROSS JOIN lease l ON l.line = h.line AND l.end > ?1"
                                              " CROSS JOIN line n ON n.number = h.line");
        db_int(s, e->now);
        while (!rows->full && db_row(s)) {
                struct person *p = person_with(e, db_get_int(s));
                struct lease *lease = p && lease_in_force(s, p, e->now) ? rows_add(rows) : NULL;
                if (!lease)
                        continue;
                if (p->n_leases++ == 0)
                        e->first[p - (struct person *)e->rows.all] = rows->n - 1;
                *lease = slim_of_row(s, rows->arena, &last);
                lease->subscriber = p->id;
        }
        return db_done(s);
}

static int deal_leases(struct everyone *e)
{
        struct rows rows = rows_of(e->rows.ledger, e->rows.arena, sizeof(struct lease));
        struct lease *all = NULL;
        size_t n = 0;
        int status = rows_done(&rows, read_all_leases(e, &rows), (void **)&all, &n);
        for (size_t i = 0; status == 0 && i < e->rows.n; i++)
                ((struct person *)e->rows.all)[i].leases = all ? all + e->first[i] : NULL;
        return status;
}

static int deal_decisions(struct everyone *e)
{
        struct statement *s =
            db_prepare(e->rows.ledger, "SELECT subscriber, level, start, until FROM quarantine"
                                       " WHERE released = 0 AND proposed = 0 AND until > ? ORDER BY subscriber");
        db_int(s, e->now);
        while (db_row(s)) {
                struct person *p = person_with(e, db_get_int(s));
                if (p)
                        add_quarantine(s, p, e->now);
        }
        int status = db_done(s);
        if (status < 0)
                return status;
        s = db_prepare(e->rows.ledger,
                       "SELECT subscriber, start, until FROM exemption"
                       " WHERE removed = 0 AND subscriber IS NOT NULL AND until > ? ORDER BY subscriber");
        db_int(s, e->now);
        while (db_row(s)) {
                struct person *p = person_with(e, db_get_int(s));
                if (p)
                        add_exemption(s, p, e->now);
        }
        return db_done(s);
}

int ledger_people_whole(struct ledger *l, struct arena *a, int64_t at, struct person **ret, size_t *n)
{
        struct everyone e = { .rows = rows_of(l, a, sizeof **ret), .now = at };
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = read_everyone(&e);
        if (status == 0)
                status = deal_leases(&e);
        if (status == 0)
                status = deal_decisions(&e);
        free(e.numbers);
        free(e.first);
        return db_snapshot_end(l, began, rows_done(&e.rows, status, (void **)ret, n));
}
