/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose a line is, and when. */
#include "ledger/nouns.h"

#include <errno.h>

static int find_line(struct ledger *l, const struct line *line, int64_t *ret)
{
        struct statement *s = db_prepare(l, "SELECT number FROM line WHERE kind = ? AND value = ?");
        db_text(s, line->kind);
        db_text(s, line->value);
        return db_number(s, ret);
}

static int make_line(struct ledger *l, const struct line *line, int64_t *ret)
{
        struct statement *s = db_prepare(l, "INSERT INTO line(kind, value) VALUES(?, ?)");
        db_text(s, line->kind);
        db_text(s, line->value);
        int status = db_run(s);
        *ret = sqlite3_last_insert_rowid(l->db);
        return status;
}

int line_number(struct ledger *l, const struct line *line, bool make, int64_t *ret)
{
        int status = find_line(l, line, ret);
        return status == -ENOENT && make ? make_line(l, line, ret) : status;
}

int line_holder(struct ledger *l, int64_t line, int64_t *ret_subscriber)
{
        struct statement *s = db_prepare(l, "SELECT subscriber FROM holding WHERE line = ? AND end = " SQL_NEVER);
        db_int(s, line);
        int status = db_number(s, ret_subscriber);
        if (status != -ENOENT)
                return status;
        *ret_subscriber = 0;
        return 0;
}

struct slice subscriber_id(struct ledger *l, struct arena *a, int64_t number)
{
        struct slice id = { NULL, 0 };
        struct statement *s = db_prepare(l, "SELECT id FROM subscriber WHERE number = ?");
        db_int(s, number);
        while (db_row(s))
                id = db_get_text(s, a);
        db_done(s);
        return id;
}

/* From when on a new holder has the line: from ever where he is the first, from now where it was another's. */
static int held_before(struct ledger *l, int64_t line, bool *ret)
{
        int64_t n = 0;
        struct statement *s = db_prepare(l, "SELECT 1 FROM holding WHERE line = ? LIMIT 1");
        db_int(s, line);
        int status = db_number(s, &n);
        *ret = n != 0;
        return status == -ENOENT ? 0 : status;
}

static int hold(struct verb_call *c, int64_t line, int64_t subscriber, int64_t start)
{
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO holding(line, subscriber, start, end) VALUES(?, ?, ?, " SQL_NEVER ")");
        db_int(s, line);
        db_int(s, subscriber);
        db_int(s, start);
        return db_run(s);
}

int line_give(struct verb_call *c, const struct line *line, int64_t subscriber, int64_t *ret_line)
{
        int64_t holder;
        bool before;
        int status = find_line(c->ledger, line, ret_line);
        if (status == -ENOENT) {
                status = make_line(c->ledger, line, ret_line);
                return status < 0 ? status : hold(c, *ret_line, subscriber, 0);
        }
        if (status == 0)
                status = line_holder(c->ledger, *ret_line, &holder);
        if (status < 0 || holder == subscriber)
                return status;
        if (holder) {
                struct slice id = subscriber_id(c->ledger, c->arena, holder);
                return verb_no(c, "line %.*s:%.*s already belongs to subscriber %.*s", SLICE_ARGS(line->kind),
                               SLICE_ARGS(line->value), SLICE_ARGS(id));
        }
        status = held_before(c->ledger, *ret_line, &before);
        return status < 0 ? status : hold(c, *ret_line, subscriber, before ? c->now : 0);
}

/* Dynamic leases on the line go on: their addresses are nobody's from now on, which the gate must know. */
static int addresses_changed(struct verb_call *c, int64_t line)
{
        char text[PREFIX_TEXT_MAX];
        int status = 0;
        struct statement *s = db_prepare(c->ledger, "SELECT address, length FROM lease WHERE line = ? AND end > ?");
        db_int(s, line);
        db_int(s, c->now);
        while (status == 0 && db_row(s)) {
                struct prefix p = { .addr = db_get_address(s) };
                p.len = (uint8_t)db_get_int(s);
                status = record_change(c, S("address"), slice_of(prefix_print(&p, text)));
        }
        int end = db_done(s);
        return status < 0 ? status : end;
}

int line_take(struct verb_call *c, int64_t line, int64_t subscriber)
{
        struct statement *s = db_prepare(
            c->ledger, "UPDATE holding SET end = max(?, start) WHERE line = ? AND subscriber = ? AND end = " SQL_NEVER);
        db_int(s, c->now);
        db_int(s, line);
        db_int(s, subscriber);
        int status = db_run(s);
        return status < 0 ? status : addresses_changed(c, line);
}
