/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subscribers: reading them, taking them away, and the fact that one was told. (Adding and changing: enrol.c.) */
#include "ledger/json.h"
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"

#include <errno.h>

#define SUBSCRIBER_COLUMNS                                                                                             \
        "s.number, s.id, s.name, s.class, s.port25, s.language, s.email, s.phone, s.post, s.never_cut, "               \
        "s.created, " LIMITS_OF("s") SUSPENSION_OF("s")

static enum strategy strategy_at(int64_t n)
{
        return n >= 0 && n < STRATEGY_COUNT ? (enum strategy)n : STRATEGY_NONE;
}

struct mail_limits limits_of_row(struct statement *s)
{
        struct mail_limits l;
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                l.v[i] = db_get_int(s);
        return l;
}

struct suspension suspension_of_row(struct statement *s, struct arena *a)
{
        struct suspension v = { .since = db_get_int(s) };
        v.reason = db_get_text(s, a);
        v.author = db_get_text(s, a);
        v.until = db_get_int(s);
        v.recipients = db_get_int(s);
        return v;
}

static struct subscriber subscriber_of_row(struct statement *s, struct arena *a, int64_t *number)
{
        *number = db_get_int(s);
        struct subscriber v = { .id = db_get_text(s, a) };
        v.name = db_get_text(s, a);
        v.class = db_get_text(s, a);
        v.port25 = strategy_at(db_get_int(s));
        v.language = db_get_text(s, a);
        v.email = db_get_text(s, a);
        v.phone = db_get_text(s, a);
        v.post = db_get_text(s, a);
        v.never_cut = db_get_int(s);
        v.created = db_get_int(s);
        v.limits = limits_of_row(s);
        v.suspension = suspension_of_row(s, a);
        return v;
}

int subscriber_number(struct ledger *l, struct slice id, int64_t *ret)
{
        struct statement *s = db_prepare(l, "SELECT number FROM subscriber WHERE id = ? AND removed = " SQL_NEVER);
        db_text(s, id);
        return db_number(s, ret);
}

static int read_lines(struct ledger *l, struct arena *a, int64_t number, struct subscriber *v)
{
        struct rows rows = rows_of(l, a, sizeof(struct line));
        struct statement *s =
            db_prepare(l, "SELECT n.kind, n.value FROM holding h JOIN line n ON n.number = h.line"
                          " WHERE h.subscriber = ? AND h.end = " SQL_NEVER " ORDER BY n.kind, n.value");
        db_int(s, number);
        while (db_row(s)) {
                struct line *line = rows_add(&rows);
                if (!line)
                        break;
                line->kind = db_get_text(s, a);
                line->value = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)&v->lines, &v->n_lines);
}

static int read_leases(struct ledger *l, struct arena *a, int64_t number, struct subscriber *v)
{
        struct rows rows = rows_of(l, a, sizeof(struct lease));
        struct statement *s = db_prepare(
            l, "SELECT " LEASE_COLUMNS " FROM holding h JOIN lease l ON l.line = h.line AND l.end = " SQL_NEVER
               " JOIN line n ON n.number = h.line"
               " WHERE h.subscriber = ? AND h.end = " SQL_NEVER " ORDER BY l.address, l.length, l.start");
        db_int(s, number);
        while (db_row(s)) {
                struct lease *lease = rows_add(&rows);
                if (!lease)
                        break;
                *lease = lease_of_row(s, a);
                lease->subscriber = v->id;
        }
        return rows_done(&rows, db_done(s), (void **)&v->leases, &v->n_leases);
}

static int read_subscriber(struct ledger *l, struct arena *a, struct slice id, struct subscriber *ret)
{
        int64_t number = 0;
        struct subscriber v = { .id = { NULL, 0 } };
        struct statement *s =
            db_prepare(l, "SELECT " SUBSCRIBER_COLUMNS " FROM subscriber s WHERE s.id = ? AND s.removed = " SQL_NEVER);
        db_text(s, id);
        while (db_row(s))
                v = subscriber_of_row(s, a, &number);
        int status = db_done(s);
        if (status == 0 && number == 0)
                return -ENOENT;
        if (status == 0)
                status = read_lines(l, a, number, &v);
        if (status == 0)
                status = read_leases(l, a, number, &v);
        if (status == 0)
                *ret = v;
        return status;
}

int ledger_subscriber(struct ledger *l, struct arena *a, struct slice id, struct subscriber *ret)
{
        bool began;
        int status = db_snapshot(l, &began);
        return status < 0 ? status : db_snapshot_end(l, began, read_subscriber(l, a, id, ret));
}

/* Everybody, by number, so that lines and leases can be dealt out in one pass each. */
struct everyone {
        struct rows rows; /* of struct subscriber */
        int64_t *numbers;
        size_t numbers_cap;
};

static int read_everyone(struct everyone *e)
{
        struct ledger *l = e->rows.ledger;
        struct statement *s = db_prepare(l, "SELECT " SUBSCRIBER_COLUMNS
                                            " FROM subscriber s WHERE s.removed = " SQL_NEVER " ORDER BY s.number");
        while (db_row(s)) {
                e->numbers = xgrow(e->numbers, &e->numbers_cap, e->rows.n + 1, sizeof *e->numbers);
                size_t i = e->rows.n;
                struct subscriber *v = rows_add(&e->rows);
                if (!v)
                        break;
                *v = subscriber_of_row(s, e->rows.arena, &e->numbers[i]);
        }
        return db_done(s);
}

/* The one with this number, at or after *at; numbers come in ascending order. */
static struct subscriber *next_with(struct everyone *e, int64_t number, size_t *at)
{
        while (*at < e->rows.n && e->numbers[*at] < number)
                (*at)++;
        return *at < e->rows.n && e->numbers[*at] == number ? (struct subscriber *)e->rows.all + *at : NULL;
}

static int deal_lines(struct everyone *e)
{
        struct rows rows = rows_of(e->rows.ledger, e->rows.arena, sizeof(struct line));
        size_t at = 0, n = 0;
        struct line *all = NULL;
        struct statement *s =
            db_prepare(e->rows.ledger, "SELECT s.number, n.kind, n.value FROM subscriber s"
                                       " CROSS JOIN holding h ON h.subscriber = s.number AND h.end = " SQL_NEVER
                                       " CROSS JOIN line n ON n.number = h.line"
                                       " WHERE s.removed = " SQL_NEVER " ORDER BY s.number, n.kind, n.value");
        while (db_row(s)) {
                struct subscriber *v = next_with(e, db_get_int(s), &at);
                struct line *line = v ? rows_add(&rows) : NULL;
                if (!line)
                        break;
                line->kind = db_get_text(s, e->rows.arena);
                line->value = db_get_text(s, e->rows.arena);
                v->n_lines++;
        }
        int status = rows_done(&rows, db_done(s), (void **)&all, &n);
        for (size_t i = 0; status == 0 && i < e->rows.n; i++) {
                struct subscriber *v = (struct subscriber *)e->rows.all + i;
                v->lines = all;
                all = all ? all + v->n_lines : NULL;
        }
        return status;
}

static int deal_leases(struct everyone *e)
{
        struct rows rows = rows_of(e->rows.ledger, e->rows.arena, sizeof(struct lease));
        size_t at = 0, n = 0;
        struct lease *all = NULL;
        struct statement *s = db_prepare(
            e->rows.ledger,
            "SELECT s.number, " LEASE_COLUMNS " FROM subscriber s"
            " CROSS JOIN holding h ON h.subscriber = s.number AND h.end = " SQL_NEVER
            " CROSS JOIN lease l ON l.line = h.line AND l.end = " SQL_NEVER " CROSS JOIN line n ON n.number = h.line"
            " WHERE s.removed = " SQL_NEVER " ORDER BY s.number, l.address, l.length, l.start");
        while (db_row(s)) {
                struct subscriber *v = next_with(e, db_get_int(s), &at);
                struct lease *lease = v ? rows_add(&rows) : NULL;
                if (!lease)
                        break;
                *lease = lease_of_row(s, e->rows.arena);
                lease->subscriber = v->id;
                v->n_leases++;
        }
        int status = rows_done(&rows, db_done(s), (void **)&all, &n);
        for (size_t i = 0; status == 0 && i < e->rows.n; i++) {
                struct subscriber *v = (struct subscriber *)e->rows.all + i;
                v->leases = all;
                all = all ? all + v->n_leases : NULL;
        }
        return status;
}

static int by_id(const void *a, const void *b)
{
        return slice_cmp(((const struct subscriber *)a)->id, ((const struct subscriber *)b)->id);
}

int ledger_subscribers(struct ledger *l, struct arena *a, struct subscriber **ret, size_t *n)
{
        struct everyone e = { .rows = rows_of(l, a, sizeof **ret) };
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = read_everyone(&e);
        if (status == 0)
                status = deal_lines(&e);
        if (status == 0)
                status = deal_leases(&e);
        free(e.numbers);
        status = db_snapshot_end(l, began, rows_done(&e.rows, status, (void **)ret, n));
        if (status == 0 && *n)
                qsort(*ret, *n, sizeof **ret, by_id);
        return status;
}

static int read_page(struct ledger *l, struct arena *a, struct slice after, int64_t most, struct rows *rows)
{
        struct statement *s =
            db_prepare(l, "SELECT id FROM subscriber WHERE id > ? AND removed = " SQL_NEVER " ORDER BY id LIMIT ?");
        db_text(s, after);
        db_int(s, most);
        while (db_row(s)) {
                struct subscriber *v = rows_add(rows);
                if (!v)
                        break;
                v->id = db_get_text(s, a);
        }
        int status = db_done(s);
        for (size_t i = 0; status == 0 && i < rows->n; i++) {
                struct subscriber *v = (struct subscriber *)rows->all + i;
                status = read_subscriber(l, a, v->id, v);
        }
        return status;
}

int ledger_subscribers_page(struct ledger *l, struct arena *a, struct slice after, size_t most, struct subscriber **ret,
                            size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = read_page(l, a, after, most && most < INT64_MAX ? (int64_t)most : -1, &rows);
        return db_snapshot_end(l, began, rows_done(&rows, status, (void **)ret, n));
}

/* --- told --- */

int ledger_told(struct ledger *l, struct arena *a, struct slice subscriber, struct told **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s =
            db_prepare(l, subscriber.n ? "SELECT t.at, s.id, t.by, t.note, t.author FROM told t"
                                         " JOIN subscriber s ON s.number = t.subscriber"
                                         " WHERE s.id = ?1 AND s.removed = " SQL_NEVER " ORDER BY t.at DESC, t.id DESC"
                                       : "SELECT t.at, s.id, t.by, t.note, t.author FROM told t"
                                         " JOIN subscriber s ON s.number = t.subscriber"
                                         " WHERE ?1 = '' AND s.removed = " SQL_NEVER " ORDER BY t.at DESC, t.id DESC");
        db_text(s, subscriber);
        while (db_row(s)) {
                struct told *t = rows_add(&rows);
                if (!t)
                        break;
                t->at = db_get_int(s);
                t->subscriber = db_get_text(s, a);
                t->by = db_get_text(s, a);
                t->note = db_get_text(s, a);
                t->author = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

static int told_audit(struct verb_call *c, const struct told *t)
{
        autobuf text;
        struct json j;
        buf_init(&text, 65536);
        json_init_compact(&j, &text);
        json_object(&j, NULL);
        json_time(&j, "at", t->at);
        json_string(&j, "by", t->by);
        json_object_end(&j);
        json_done(&j);
        return record_audit(
            c, &(struct record){
                   .verb = "subscriber told", .key = t->subscriber, .why = t->note, .after = buf_slice(&text) });
}

static int told_check(struct verb_call *c, const struct told *t)
{
        static const char *const ways[] = { "email", "letter", "phone", "sms", "portal" };
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(ways); i++)
                known = known || slice_eq(t->by, slice_of(ways[i]));
        if (!known)
                return verb_no(c, "by: email, letter, phone, sms or portal");
        if (t->at < 0 || t->at > c->now + MINUTE)
                return verb_no(c, "he cannot have been told in the future");
        return verb_text(c, "note", t->note, LEDGER_TEXT_MOST);
}

int verb_told(struct verb_call *c)
{
        int64_t number;
        struct told t = { .subscriber = ipc_text(c->args) };
        t.by = ipc_text(c->args);
        t.at = ipc_int(c->args);
        t.note = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = told_check(c, &t);
        if (status)
                return status;
        status = subscriber_number(c->ledger, t.subscriber, &number);
        if (status == -ENOENT)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(t.subscriber));
        if (status < 0)
                return status;
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO told(subscriber, at, by, note, author) VALUES(?, ?, ?, ?, ?)");
        db_int(s, number);
        db_int(s, t.at);
        db_text(s, t.by);
        db_text(s, t.note);
        db_text(s, c->author);
        status = db_run(s);
        if (status == 0)
                status = told_audit(c, &t);
        return status == 0 ? subscriber_changed(c, t.subscriber) : status;
}

/* --- what the verbs share --- */

int subscriber_changed(struct verb_call *c, struct slice id)
{
        return record_change(c, S("subscriber"), id);
}

static void print_subscriber(struct json *j, const char *key, const void *value)
{
        subscriber_json(j, key, value);
}

int subscriber_snapshot_json(struct verb_call *c, struct slice id, struct slice *ret)
{
        struct subscriber v;
        *ret = (struct slice){ NULL, 0 };
        int status = read_subscriber(c->ledger, c->arena, id, &v);
        if (status < 0)
                return status == -ENOENT ? 0 : status;
        *ret = record_json(c, print_subscriber, &v);
        return 0;
}

/* --- removal --- */

static int lines_end(struct verb_call *c, int64_t number, struct slice why)
{
        struct rows rows = rows_of(c->ledger, c->arena, sizeof(int64_t));
        int64_t *lines = NULL;
        size_t n = 0;
        struct statement *s =
            db_prepare(c->ledger, "SELECT line FROM holding WHERE subscriber = ? AND end = " SQL_NEVER);
        db_int(s, number);
        while (db_row(s)) {
                int64_t *line = rows_add(&rows);
                if (!line)
                        break;
                *line = db_get_int(s);
        }
        int status = rows_done(&rows, db_done(s), (void **)&lines, &n);
        for (size_t i = 0; status == 0 && i < n; i++) {
                status = leases_end(c, lines[i], NULL, c->now, why);
                if (status >= 0)
                        status = line_take(c, lines[i], number);
        }
        return status;
}

/* His exemptions and quarantines end with him: who gets the id next starts with none. */
static int decisions_end(struct verb_call *c, int64_t number, struct slice why)
{
        struct statement *s =
            db_prepare(c->ledger, "UPDATE exemption SET removed = ?, removed_by = ?, remove_reason = ?"
                                  " WHERE subscriber = ? AND removed = 0");
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, why);
        db_int(s, number);
        int status = db_run(s);
        if (status < 0)
                return status;
        s = db_prepare(c->ledger, "UPDATE quarantine SET released = ?1, released_by = ?2, release_reason = ?3"
                                  " WHERE subscriber = ?4 AND released = 0 AND until > ?1");
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, why);
        db_int(s, number);
        status = db_run(s);
        if (status < 0)
                return status;
        s = db_prepare(c->ledger, "DELETE FROM suspicion WHERE subscriber = ?");
        db_int(s, number);
        return db_run(s);
}

int verb_subscriber_remove(struct verb_call *c)
{
        int64_t number;
        struct slice before;
        struct slice id = ipc_text(c->args), why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status)
                return status;
        status = subscriber_number(c->ledger, id, &number);
        if (status == -ENOENT)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(id));
        if (status == 0)
                status = subscriber_snapshot_json(c, id, &before);
        if (status == 0)
                status = lines_end(c, number, S("subscriber removed"));
        if (status == 0)
                status = decisions_end(c, number, S("subscriber removed"));
        if (status == 0)
                status = mailboxes_remove(c, number, S("subscriber removed"));
        if (status)
                return status;
        struct statement *s = db_prepare(c->ledger, "UPDATE subscriber SET removed = max(?, created) WHERE number = ?");
        db_int(s, c->now);
        db_int(s, number);
        status = db_run(s);
        if (status == 0)
                status = record_audit(
                    c, &(struct record){ .verb = "subscriber remove", .key = id, .why = why, .before = before });
        return status == 0 ? subscriber_changed(c, id) : status;
}
