/* SPDX-License-Identifier: GPL-3.0-or-later */
/* As whom a mailbox may write, besides what is its own. */
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"

#include <errno.h>

int senders_read(struct ledger *l, struct arena *a, int64_t mailbox, struct slice **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, "SELECT address FROM sender WHERE mailbox = ? ORDER BY address");
        db_int(s, mailbox);
        while (db_row(s)) {
                struct slice *sender = rows_add(&rows);
                if (!sender)
                        break;
                *sender = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

/* "*@domain" or an address. */
static int canonical(struct verb_call *c, struct slice *sender)
{
        struct slice domain;
        if (!slice_starts(*sender, S("*@")))
                return target_canonical(c, "sender", sender);
        const char *wrong = domain_parse(slice_from(*sender, 2), c->arena, &domain);
        if (wrong)
                return verb_no(c, "sender %.*s: %s", SLICE_ARGS(*sender), wrong);
        char *whole = arena_alloc(c->arena, domain.n + 3);
        if (!whole)
                return -ENOMEM;
        memcpy(whole, "*@", 2);
        memcpy(whole + 2, domain.p, domain.n);
        *sender = (struct slice){ whole, domain.n + 2 };
        return 0;
}

int senders_check(struct verb_call *c, struct slice *all, size_t *n)
{
        if (*n > SENDERS_MOST)
                return verb_no(c, "sender: %zu addresses are too many (%d at most)", *n, SENDERS_MOST);
        for (size_t i = 0; i < *n; i++) {
                int status = canonical(c, &all[i]);
                if (status)
                        return status;
        }
        *n = targets_settle(all, *n);
        return 0;
}

int senders_store(struct verb_call *c, int64_t mailbox, const struct slice *all, size_t n)
{
        struct statement *s = db_prepare(c->ledger, "DELETE FROM sender WHERE mailbox = ?");
        db_int(s, mailbox);
        int status = db_run(s);
        for (size_t i = 0; status == 0 && i < n; i++) {
                s = db_prepare(c->ledger, "INSERT INTO sender(mailbox, address) VALUES(?, ?)");
                db_int(s, mailbox);
                db_text(s, all[i]);
                status = db_run(s);
        }
        return status;
}
