/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A removed address is given to nobody else for a time: whoever got it would get the mail meant for its former owner, and could have the
 * passwords sent to him that others let people reset by mail. The former owner himself may have it back. */
#include "base/time.h"
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"

#include <errno.h>

/* Who reads what is sent there: the one subscriber all these are mailboxes of, now or when they last were; 0 where it is not one. */
static int owner_of(struct verb_call *c, const struct slice *targets, size_t n, int64_t *ret)
{
        *ret = 0;
        for (size_t i = 0; i < n; i++) {
                int64_t owner = 0;
                struct statement *s = db_prepare(
                    c->ledger,
                    "SELECT subscriber FROM (SELECT subscriber, removed, number FROM mailbox WHERE address = ?1"
                    " AND removed = " SQL_NEVER " UNION ALL SELECT subscriber, removed, number FROM mailbox"
                    " WHERE address = ?1 AND removed <> " SQL_NEVER ") ORDER BY removed DESC, number DESC LIMIT 1");
                db_text(s, targets[i]);
                int status = db_number(s, &owner);
                if (status < 0 && status != -ENOENT)
                        return status;
                if (owner == 0 || (i && owner != *ret)) {
                        *ret = 0;
                        return 0;
                }
                *ret = owner;
        }
        return 0;
}

struct former {
        bool alias;
        int64_t who, removed; /* the subscriber, or the number of the alias */
};

static int read_former(struct verb_call *c, struct slice address, int64_t since, struct former **ret, size_t *n)
{
        struct rows rows = rows_of(c->ledger, c->arena, sizeof **ret);
        struct statement *s = db_prepare(
            c->ledger,
            "SELECT 0, subscriber, removed FROM mailbox WHERE address = ?1 AND removed > ?2 AND removed <> " SQL_NEVER
            " UNION ALL SELECT 1, number, removed FROM alias WHERE address = ?1 AND removed > ?2 AND removed "
            "<> " SQL_NEVER " AND role = 0 ORDER BY 3 DESC");
        db_text(s, address);
        db_int(s, since);
        while (db_row(s)) {
                struct former *f = rows_add(&rows);
                if (!f)
                        break;
                f->alias = db_get_int(s);
                f->who = db_get_int(s);
                f->removed = db_get_int(s);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

static int is_his(struct verb_call *c, const struct claim *claim, int64_t owner, const struct former *f, bool *ret)
{
        struct slice *targets = NULL;
        size_t n = 0;
        int64_t before = 0;
        *ret = !f->alias && owner == f->who;
        if (!f->alias)
                return 0;
        int status = targets_read(c->ledger, c->arena, "alias", f->who, &targets, &n);
        if (status == 0)
                status = owner_of(c, targets, n, &before);
        *ret = (owner && owner == before) ||
               (claim->n_targets && targets_eq(claim->targets, claim->n_targets, targets, n));
        return status;
}

int reuse_check(struct verb_call *c, const struct claim *claim, const struct mail_rules *rules)
{
        struct former *all = NULL;
        size_t n = 0;
        int64_t owner = claim->subscriber;
        char when[TIME_TEXT_MAX];
        int64_t since = c->now > rules->reuse_after ? c->now - rules->reuse_after : 0;
        int status = read_former(c, claim->address, since, &all, &n);
        if (status == 0 && n && !owner)
                status = owner_of(c, claim->targets, claim->n_targets, &owner);
        for (size_t i = 0; status == 0 && i < n; i++) {
                bool his;
                status = is_his(c, claim, owner, &all[i], &his);
                if (status == 0 && !his)
                        return verb_no(c, "%.*s was another's until lately: it is free from %s",
                                       SLICE_ARGS(claim->address),
                                       time_print(all[i].removed + rules->reuse_after, when));
        }
        return status;
}
