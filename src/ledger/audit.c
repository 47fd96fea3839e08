/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit trail, and the list of changes that enforcers follow. */
#include "base/json.h"
#include "ledger/rows.h"
#include "ledger/verbs.h"

#include <errno.h>

enum { CHANGES_KEPT = 200000, CHANGES_SLACK = 20000 };

/* Trimmed in strides: one bulk delete every CHANGES_SLACK rows. */
static int trim(struct ledger *l)
{
        int64_t last = sqlite3_last_insert_rowid(l->db);
        if (last % CHANGES_SLACK)
                return 0;
        struct statement *s = db_prepare(l, "DELETE FROM change WHERE n <= ?");
        db_int(s, last - CHANGES_KEPT);
        return db_run(s);
}

/* One verb often touches one key several times in a row: one row says it. */
int record_change(struct verb_call *c, struct slice kind, struct slice key)
{
        if (slice_eq(kind, c->last_kind) && slice_eq(key, c->last_key))
                return 0;
        c->last_kind = kind; /* always a literal */
        c->last_key = arena_dup(c->arena, key);
        struct statement *s = db_prepare(c->ledger, "INSERT INTO change(kind, key) VALUES(?, ?)");
        db_text(s, kind);
        db_text(s, key);
        int status = db_run(s);
        return status < 0 ? status : trim(c->ledger);
}

struct slice record_json(struct verb_call *c, void (*print)(struct json *, const char *, const void *),
                         const void *value)
{
        autobuf text;
        struct json j;
        buf_init(&text, 16 << 20);
        json_init_compact(&j, &text);
        if (value)
                print(&j, NULL, value);
        json_done(&j);
        return arena_dup(c->arena, buf_slice(&text));
}

int record_audit(struct verb_call *c, const struct record *r)
{
        struct statement *s = db_prepare(
            c->ledger, "INSERT INTO audit(at, author, verb, key, why, before, after) VALUES(?, ?, ?, ?, ?, ?, ?)");
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, slice_of(r->verb));
        db_text(s, r->key);
        db_text(s, r->why);
        db_text(s, r->before);
        db_text(s, r->after);
        return db_run(s);
}

int ledger_last_change(struct ledger *l, int64_t *ret)
{
        return db_number(db_prepare(l, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0)"),
                         ret);
}

static int read_changes(struct ledger *l, struct arena *a, int64_t after, struct change **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, "SELECT n, kind, key FROM change WHERE n > ? ORDER BY n");
        db_int(s, after);
        while (db_row(s)) {
                struct change *c = rows_add(&rows);
                if (!c)
                        break;
                *c = (struct change){ .n = db_get_int(s) };
                c->kind = db_get_text(s, a);
                c->key = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

int ledger_changes(struct ledger *l, struct arena *a, int64_t after, struct change **ret, size_t *n)
{
        int64_t oldest = 0, last = 0;
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = ledger_last_change(l, &last);
        if (status == 0)
                status = db_number(db_prepare(l, "SELECT coalesce(min(n), 0) FROM change"), &oldest);
        /* A number from another ledger's future (a restored backup) is a gap too. */
        if (status == 0 && (after > last || (after < last && after + 1 < oldest)))
                status = db_fail(l, -ERANGE, "changes before %lld are forgotten", (long long)oldest);
        if (status == 0)
                status = read_changes(l, a, after, ret, n);
        return db_snapshot_end(l, began, status);
}

int ledger_audit(struct ledger *l, struct arena *a, struct slice key, size_t most, struct audit_row **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, key.n ? "SELECT n, at, author, verb, key, why, before, after FROM audit "
                                                    "WHERE key = ?1 ORDER BY n DESC LIMIT ?2"
                                                  : "SELECT n, at, author, verb, key, why, before, after FROM audit "
                                                    "WHERE ?1 = '' ORDER BY n DESC LIMIT ?2");
        db_text(s, key);
        db_int(s, most > INT64_MAX ? INT64_MAX : (int64_t)most);
        while (db_row(s)) {
                struct audit_row *r = rows_add(&rows);
                if (!r)
                        break;
                *r = (struct audit_row){ .n = db_get_int(s), .at = db_get_int(s) };
                r->author = db_get_text(s, a);
                r->verb = db_get_text(s, a);
                r->key = db_get_text(s, a);
                r->why = db_get_text(s, a);
                r->before = db_get_text(s, a);
                r->after = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}
