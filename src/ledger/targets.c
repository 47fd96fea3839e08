/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where an alias, or the forwards of a mailbox, lead. */
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"

#include <errno.h>

int targets_read(struct ledger *l, struct arena *a, const char *kind, int64_t number, struct slice **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s =
            db_prepare(l, "SELECT address FROM target WHERE kind = ? AND number = ? ORDER BY address");
        db_text(s, slice_of(kind));
        db_int(s, number);
        while (db_row(s)) {
                struct slice *target = rows_add(&rows);
                if (!target)
                        break;
                *target = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

static int by_address(const void *a, const void *b)
{
        struct slice x = *(const struct slice *)a, y = *(const struct slice *)b;
        int order = strncasecmp(x.p, y.p, x.n < y.n ? x.n : y.n);
        return order ? order : x.n < y.n ? -1 : x.n > y.n;
}

int target_canonical(struct verb_call *c, const char *what, struct slice *target)
{
        struct address a;
        int64_t domain;
        const char *wrong = address_parse(*target, ADDRESS_ANY, c->arena, &a);
        int status = wrong ? 0 : domain_number(c->ledger, a.domain, &domain);
        if (status == 0 && !wrong)
                wrong = address_parse(*target, ADDRESS_OURS, c->arena, &a);
        if (wrong)
                return verb_no(c, "%s %.*s: %s", what, SLICE_ARGS(*target), wrong);
        *target = a.whole;
        return status == -ENOENT ? 0 : status;
}

size_t targets_settle(struct slice *all, size_t n)
{
        size_t kept = 0;
        if (n)
                qsort(all, n, sizeof *all, by_address);
        for (size_t i = 0; i < n; i++)
                if (kept == 0 || !slice_ieq(all[kept - 1], all[i]))
                        all[kept++] = all[i];
        return kept;
}

int targets_check(struct verb_call *c, const char *what, struct slice *all, size_t *n)
{
        if (*n > TARGETS_MOST)
                return verb_no(c, "%s: %zu addresses are too many (%d at most)", what, *n, TARGETS_MOST);
        for (size_t i = 0; i < *n; i++) {
                int status = target_canonical(c, what, &all[i]);
                if (status)
                        return status;
        }
        *n = targets_settle(all, *n);
        return 0;
}

int targets_store(struct verb_call *c, const char *kind, int64_t number, const struct slice *all, size_t n)
{
        struct statement *s = db_prepare(c->ledger, "DELETE FROM target WHERE kind = ? AND number = ?");
        db_text(s, slice_of(kind));
        db_int(s, number);
        int status = db_run(s);
        for (size_t i = 0; status == 0 && i < n; i++) {
                s = db_prepare(c->ledger, "INSERT INTO target(kind, number, address) VALUES(?, ?, ?)");
                db_text(s, slice_of(kind));
                db_int(s, number);
                db_text(s, all[i]);
                status = db_run(s);
        }
        return status;
}

bool targets_eq(const struct slice *a, size_t n_a, const struct slice *b, size_t n_b)
{
        if (n_a != n_b)
                return false;
        for (size_t i = 0; i < n_a; i++)
                if (!slice_eq(a[i], b[i]))
                        return false;
        return true;
}
