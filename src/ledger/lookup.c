/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking up whose something was: the people behind a line, and the record that somebody asked. */
#include "base/map.h"
#include "ledger/archive.h"
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

/* --- lines of nobody --- */

struct seen_line {
        struct unknown_line sum;
        struct line_holder *held; /* who had it ever */
        size_t n_held;
};

struct tally {
        struct ledger *ledger;
        struct arena *arena;
        struct map lines; /* KIND:VALUE to struct seen_line */
        int status;
};

static struct seen_line *line_of(struct tally *t, const struct line *line)
{
        autobuf key;
        buf_init(&key, 1024);
        line_print(line, &key);
        struct seen_line *s = map_find(&t->lines, buf_slice(&key));
        if (s)
                return s;
        struct slice kept = arena_dup(t->arena, buf_slice(&key)), value, kind = slice_cut(kept, ':', &value);
        s = arena_alloc(t->arena, sizeof *s);
        if (!s || !kept.p)
                return NULL;
        s->sum.line = (struct line){ kind, value };
        map_put(&t->lines, kept, s);
        int status = ledger_line_holders(t->ledger, t->arena, &s->sum.line, 0, TIME_NEVER, &s->held, &s->n_held);
        t->status = t->status < 0 ? t->status : status;
        return s;
}

static bool was_nobodys(void *arg, const struct lease *lease)
{
        struct tally *t = arg;
        struct seen_line *s = slice_eq(lease->line.kind, S("inside")) ? NULL : line_of(t, &lease->line);
        for (size_t i = 0; s && i < s->n_held; i++)
                if (s->held[i].start < lease->end && s->held[i].end > lease->start)
                        return false;
        return s != NULL;
}

static void add_nobodys(void *arg, const struct lease *lease)
{
        struct tally *t = arg;
        struct seen_line *s = line_of(t, &lease->line);
        struct unknown_line *u = s ? &s->sum : NULL;
        if (!u)
                return;
        if (u->leases == 0 || lease->start < u->first)
                u->first = lease->start;
        if (u->leases == 0 || lease->end > u->last) {
                u->last = lease->end;
                u->prefix = lease->prefix;
        }
        u->leases++;
}

static int tally_live(struct tally *t)
{
        struct statement *s =
            db_prepare(t->ledger, "SELECT n.kind, n.value, l.start, l.end, l.address, l.length FROM lease l"
                                  " JOIN line n ON n.number = l.line WHERE l.end > l.start AND n.kind <> 'inside'"
                                  " AND NOT EXISTS (SELECT 1 FROM holding h WHERE h.line = l.line AND h.start < l.end"
                                  " AND h.end > l.start)");
        autoarena *a = arena_new(1 << 20);
        while (db_row(s)) {
                struct lease l = { .line.kind = db_get_text(s, a) };
                l.line.value = db_get_text(s, a);
                l.start = db_get_int(s);
                l.end = db_get_int(s);
                l.prefix.addr = db_get_address(s);
                l.prefix.len = (uint8_t)db_get_int(s);
                add_nobodys(t, &l);
                arena_clear(a);
        }
        return db_done(s);
}

static int last_first(const void *a, const void *b)
{
        const struct unknown_line *x = a, *y = b;
        if (x->last != y->last)
                return x->last < y->last ? 1 : -1;
        int order = slice_cmp(x->line.kind, y->line.kind);
        return order ? order : slice_cmp(x->line.value, y->line.value);
}

static int tally_all(struct tally *t, struct rows *rows)
{
        struct map_entry *e;
        int status = tally_live(t);
        if (status == 0)
                status = archive_each(t->ledger, was_nobodys, add_nobodys, t);
        if (status == 0)
                status = t->status ? t->status : arena_full(t->arena) ? -ENOMEM : 0;
        for (size_t i = 0; status == 0 && (e = map_next(&t->lines, &i));) {
                const struct seen_line *s = e->value;
                struct unknown_line *u = s->sum.leases ? rows_add(rows) : NULL;
                if (u)
                        *u = s->sum;
        }
        if (rows->n)
                qsort(rows->all, rows->n, sizeof(struct unknown_line), last_first);
        return status;
}

/* Runs again where a segment went away after its transaction began. */
enum { ATTEMPTS = 5 };

int ledger_unknown_lines(struct ledger *l, struct arena *a, struct unknown_line **ret, size_t *n)
{
        int status = -EAGAIN;
        bool began = true;
        for (int i = 0; i < ATTEMPTS && status == -EAGAIN && began; i++) {
                struct tally t = { .ledger = l, .arena = a };
                struct rows rows = rows_of(l, a, sizeof **ret);
                status = db_snapshot(l, &began);
                if (status == 0)
                        status = db_snapshot_end(l, began, rows_done(&rows, tally_all(&t, &rows), (void **)ret, n));
                map_done(&t.lines);
        }
        return status;
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
