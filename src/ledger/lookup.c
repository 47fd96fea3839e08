/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking up whose something was: the people behind a line, and the record that somebody asked. */
#include "ledger/client.h"
#include "ledger/json.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"

#include <errno.h>

int ledger_line_holders(struct ledger *l, struct arena *a, const struct line *line, int64_t from, int64_t until,
                        struct line_holder **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(
            l, "SELECT s.number, h.start, h.end, s.removed, s.id, s.name, s.class, s.language FROM line n"
               " JOIN holding h ON h.line = n.number AND h.start < ?4 AND h.end > ?3"
               " JOIN subscriber s ON s.number = h.subscriber WHERE n.kind = ?1 AND n.value = ?2 ORDER BY h.start");
        db_text(s, line->kind);
        db_text(s, line->value);
        db_int(s, from);
        db_int(s, until);
        while (db_row(s)) {
                struct line_holder *h = rows_add(&rows);
                if (!h)
                        break;
                *h = (struct line_holder){ db_get_int(s), db_get_int(s), db_get_int(s), db_get_int(s), .id = { 0 } };
                h->id = db_get_text(s, a);
                h->name = db_get_text(s, a);
                h->class = db_get_text(s, a);
                h->language = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

int ledger_bearers(struct ledger *l, struct arena *a, struct slice id, struct line_holder **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, "SELECT number, created, removed, name, class, language FROM subscriber"
                                            " WHERE id = ? ORDER BY number");
        db_text(s, id);
        while (db_row(s)) {
                struct line_holder *h = rows_add(&rows);
                if (!h)
                        break;
                *h = (struct line_holder){ .number = db_get_int(s), .start = db_get_int(s), .end = db_get_int(s) };
                h->removed = h->end;
                h->id = id;
                h->name = db_get_text(s, a);
                h->class = db_get_text(s, a);
                h->language = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

int ledger_unknown_lines(struct ledger *l, struct arena *a, struct unknown_line **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        /* address and length are those of the row that has the maximum: SQLite promises that for max() */
        struct statement *s =
            db_prepare(l, "SELECT n.kind, n.value, count(*), min(l.start), max(l.end), l.address, l.length"
                          " FROM lease l JOIN line n ON n.number = l.line WHERE n.kind <> 'inside' AND NOT EXISTS"
                          " (SELECT 1 FROM holding h WHERE h.line = l.line AND h.start < l.end AND h.end > l.start)"
                          " GROUP BY l.line ORDER BY max(l.end) DESC, n.kind, n.value");
        while (db_row(s)) {
                struct unknown_line *u = rows_add(&rows);
                if (!u)
                        break;
                u->line.kind = db_get_text(s, a);
                u->line.value = db_get_text(s, a);
                u->leases = db_get_int(s);
                u->first = db_get_int(s);
                u->last = db_get_int(s);
                u->prefix.addr = db_get_address(s);
                u->prefix.len = (uint8_t)db_get_int(s);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

/* --- writing --- */

enum { NAMED_MOST = 1000 };

static int check_lookup(struct verb_call *c, const struct lookup *u)
{
        const struct slice texts[] = { u->what, u->key, u->question, u->answer };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                int status = verb_text(c, "look-up", texts[i], LEDGER_TEXT_MOST);
                if (status)
                        return status;
        }
        if (u->n_subscribers > NAMED_MOST)
                return verb_no(c, "a look-up names %d subscribers at most", NAMED_MOST);
        return slice_starts(u->what, S("lease ")) ? 0 : verb_no(c, "a look-up is of leases");
}

static int record_lookup(struct verb_call *c, const struct lookup *u, struct slice why)
{
        autobuf question, answer;
        struct json j;
        buf_init(&question, 64 << 10);
        buf_init(&answer, 1 << 20);
        json_init_compact(&j, &question);
        json_object(&j, NULL);
        json_string(&j, "question", u->question);
        json_object_end(&j);
        json_done(&j);
        json_init_compact(&j, &answer);
        json_object(&j, NULL);
        json_string(&j, "answer", u->answer);
        json_array(&j, "subscribers");
        for (size_t i = 0; i < u->n_subscribers; i++)
                json_string(&j, NULL, u->subscribers[i]);
        json_array_end(&j);
        json_object_end(&j);
        json_done(&j);
        autofree char *verb = slice_dup(u->what);
        return record_audit(
            c,
            &(struct record){
                .verb = verb, .key = u->key, .why = why, .before = buf_slice(&question), .after = buf_slice(&answer) });
}

static void read_lookup(struct verb_call *c, struct lookup *u)
{
        u->what = ipc_text(c->args);
        u->key = ipc_text(c->args);
        u->question = ipc_text(c->args);
        u->answer = ipc_text(c->args);
        u->n_subscribers = ipc_count(c->args);
        u->subscribers = arena_alloc(c->arena, (u->n_subscribers + 1) * sizeof *u->subscribers);
        for (size_t i = 0; i < u->n_subscribers && u->subscribers; i++)
                u->subscribers[i] = ipc_text(c->args);
}

int verb_lookup(struct verb_call *c)
{
        struct slice why = ipc_text(c->args);
        size_t n = ipc_count(c->args);
        struct lookup *all = arena_alloc(c->arena, (n + 1) * sizeof *all);
        for (size_t i = 0; all && i < n; i++)
                read_lookup(c, &all[i]);
        if (c->args->bad)
                return -EBADMSG;
        if (arena_full(c->arena))
                return -ENOMEM;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status == 0 && slice_trim(why).n == 0)
                status = verb_no(c, "a look-up needs a reason");
        for (size_t i = 0; status == 0 && i < n; i++) {
                status = check_lookup(c, &all[i]);
                if (status == 0)
                        status = record_lookup(c, &all[i], why);
        }
        return status;
}
