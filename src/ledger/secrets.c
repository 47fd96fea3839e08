/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading what is known of passwords, and for who checks them, the hashes. (Setting them: secrets_verbs.c.) */
#include "ledger/secrets.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"

#include <errno.h>

int ledger_credential(struct ledger *l, struct arena *a, int64_t mailbox, struct credential *ret)
{
        struct credential v = { .scheme = S("") };
        struct statement *s = db_prepare(l, "SELECT scheme, set_at FROM credential WHERE mailbox = ?");
        db_int(s, mailbox);
        while (db_row(s)) {
                v.scheme = db_get_text(s, a);
                v.set_at = db_get_int(s);
        }
        int status = db_done(s);
        if (status == 0)
                *ret = v;
        return status;
}

int ledger_applications(struct ledger *l, struct arena *a, int64_t mailbox, struct application **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s =
            db_prepare(l, "SELECT id, created, used, label FROM application WHERE mailbox = ? AND removed = " SQL_NEVER
                          " ORDER BY id");
        db_int(s, mailbox);
        while (db_row(s)) {
                struct application *v = rows_add(&rows);
                if (!v)
                        break;
                *v = (struct application){ .id = db_get_int(s), .created = db_get_int(s), .used = db_get_int(s) };
                v->label = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

static int read_login(struct ledger *l, struct arena *a, struct slice login, struct secret *v)
{
        struct statement *s = db_prepare(
            l,
            "SELECT m.number, m.address, (m.suspended AND m.suspended_to = 0) OR (s.suspended AND s.suspended_to = 0)"
            " FROM mailbox m"
            " JOIN subscriber s ON s.number = m.subscriber WHERE m.address = lower(?) AND m.removed = " SQL_NEVER);
        db_text(s, login);
        while (db_row(s)) {
                v->mailbox = db_get_int(s);
                v->address = db_get_text(s, a);
                v->suspended = db_get_int(s);
        }
        int status = db_done(s);
        if (status < 0)
                return status;
        s = db_prepare(l, "SELECT hash FROM secrets.password WHERE mailbox = ?");
        db_int(s, v->mailbox);
        while (db_row(s))
                v->hash = db_get_text(s, a);
        return db_done(s);
}

int secrets_of_login(struct ledger *l, struct arena *a, struct slice login, struct secret *ret)
{
        struct secret v = { .address = S(""), .hash = S("") };
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = db_snapshot_end(l, began, read_login(l, a, login, &v));
        if (status == 0)
                *ret = v;
        return status;
}

int secrets_application(struct ledger *l, int64_t mailbox, struct slice digest, int64_t *ret_id, int64_t *ret_used)
{
        struct statement *s =
            db_prepare(l, "SELECT a.id, a.used FROM secrets.application_digest d JOIN application a ON a.id = d.id"
                          " AND a.mailbox = d.mailbox WHERE d.mailbox = ? AND d.digest = ? AND a.removed = " SQL_NEVER);
        bool any = false;
        db_int(s, mailbox);
        db_text(s, digest);
        while (db_row(s)) {
                any = true;
                *ret_id = db_get_int(s);
                *ret_used = db_get_int(s);
        }
        int status = db_done(s);
        return status < 0 ? status : any ? 0 : -ENOENT;
}
