/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading mailboxes. (Adding, changing and removing them: mailbox_put.c.) */
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"

#include <errno.h>

#define MAILBOXES                                                                                                      \
        "SELECT m.number, m.address, s.id, s.class, m.name, m.principal, m.keep, m.created, " LIMITS_OF("m")           \
            SUSPENSION_OF("m") ", " LIMITS_OF("s") SUSPENSION_OF("s") " FROM mailbox m"

static struct mailbox mailbox_of_row(struct statement *s, struct arena *a)
{
        struct mailbox m = { .number = db_get_int(s) };
        m.address = db_get_text(s, a);
        m.subscriber = db_get_text(s, a);
        m.class = db_get_text(s, a);
        m.name = db_get_text(s, a);
        m.principal = db_get_int(s);
        m.keep = db_get_int(s);
        m.created = db_get_int(s);
        m.limits = limits_of_row(s);
        m.suspension = suspension_of_row(s, a);
        m.subscriber_limits = limits_of_row(s);
        m.subscriber_suspension = suspension_of_row(s, a);
        return m;
}

static int read_mailbox(struct ledger *l, struct arena *a, struct slice address, struct mailbox *ret)
{
        struct mailbox m = { .number = 0 };
        struct statement *s = db_prepare(l, MAILBOXES " JOIN subscriber s ON s.number = m.subscriber"
                                                      " WHERE m.address = ? AND m.removed = " SQL_NEVER);
        db_text(s, address);
        while (db_row(s))
                m = mailbox_of_row(s, a);
        int status = db_done(s);
        if (status == 0 && m.number == 0)
                return -ENOENT;
        if (status == 0)
                status = targets_read(l, a, "mailbox", m.number, &m.forwards, &m.n_forwards);
        if (status == 0)
                status = senders_read(l, a, m.number, &m.senders, &m.n_senders);
        if (status == 0)
                *ret = m;
        return status;
}

int ledger_mailbox(struct ledger *l, struct arena *a, struct slice address, struct mailbox *ret)
{
        bool began;
        int status = db_snapshot(l, &began);
        return status < 0 ? status : db_snapshot_end(l, began, read_mailbox(l, a, address, ret));
}

#define JOINED " CROSS JOIN subscriber s ON s.number = m.subscriber WHERE m.removed = " SQL_NEVER " AND "
#define PAGED " AND m.address > ?2 ORDER BY m.address LIMIT ?3"

static struct statement *mailboxes_query(struct ledger *l, const struct mail_query *q)
{
        struct statement *s =
            q->subscriber.n
                ? db_prepare(l, MAILBOXES JOINED "m.subscriber = (SELECT number FROM subscriber WHERE id = ?1"
                                                 " AND removed = " SQL_NEVER ")" PAGED)
            : q->domain.n ? db_prepare(l, MAILBOXES JOINED "m.domain = (SELECT number FROM domain WHERE name = ?1"
                                                           " AND removed = " SQL_NEVER ")" PAGED)
                          : db_prepare(l, MAILBOXES JOINED "?1 = ''" PAGED);
        db_text(s, q->subscriber.n ? q->subscriber : q->domain);
        db_text(s, q->after);
        db_int(s, q->most && q->most < INT64_MAX ? (int64_t)q->most : -1);
        return s;
}

static int read_mailboxes(struct ledger *l, struct arena *a, const struct mail_query *q, struct mailbox **ret,
                          size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = mailboxes_query(l, q);
        while (db_row(s)) {
                struct mailbox *m = rows_add(&rows);
                if (!m)
                        break;
                *m = mailbox_of_row(s, a);
        }
        int status = rows_done(&rows, db_done(s), (void **)ret, n);
        for (size_t i = 0; status == 0 && i < *n; i++) {
                struct mailbox *m = &(*ret)[i];
                status = targets_read(l, a, "mailbox", m->number, &m->forwards, &m->n_forwards);
                if (status == 0)
                        status = senders_read(l, a, m->number, &m->senders, &m->n_senders);
        }
        return status;
}

int ledger_mailboxes(struct ledger *l, struct arena *a, const struct mail_query *q, struct mailbox **ret, size_t *n)
{
        bool began;
        int status = db_snapshot(l, &began);
        return status < 0 ? status : db_snapshot_end(l, began, read_mailboxes(l, a, q, ret, n));
}

int mailboxes_changed(struct verb_call *c, int64_t subscriber)
{
        struct rows rows = rows_of(c->ledger, c->arena, sizeof(struct slice));
        struct slice *all = NULL;
        size_t n = 0;
        struct statement *s = db_prepare(
            c->ledger, "SELECT address FROM mailbox WHERE subscriber = ? AND removed = " SQL_NEVER " ORDER BY address");
        db_int(s, subscriber);
        while (db_row(s)) {
                struct slice *address = rows_add(&rows);
                if (!address)
                        break;
                *address = db_get_text(s, c->arena);
        }
        int status = rows_done(&rows, db_done(s), (void **)&all, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                status = record_change(c, S("mailbox"), all[i]);
        return status;
}
