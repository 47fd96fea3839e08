/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/bulk.h"

#include <errno.h>
#include <stdio.h>

enum { REPORT_MOST = 30 << 20, SUM_MOST = 256 };

void bulk_difference(struct buf *out, const char *what, struct slice before, struct slice after)
{
        if (slice_eq(before, after))
                return;
        buf_addf(out, "%s%s ", out->n ? ", " : "", what);
        buf_add(out, before.n ? before : S("none"));
        buf_adds(out, " -> ");
        buf_add(out, after.n ? after : S("none"));
}

/* 0: the key is new. BULK_DONE: it was this very import. */
static int look_up(struct verb_call *c, struct bulk *b)
{
        bool found = false, same = false;
        struct statement *s = db_prepare(c->ledger, "SELECT at, author, verb, hash FROM import WHERE key = ?");
        db_text(s, b->key);
        while (db_row(s)) {
                found = true;
                b->done_at = db_get_int(s);
                b->done_by = db_get_text(s, c->arena);
                same = slice_eq(db_peek_text(s), slice_of(b->verb));
                same = slice_eq(db_peek_text(s), slice_of(b->hash)) && same;
        }
        int status = db_done(s);
        if (status < 0 || !found)
                return status;
        return same ? BULK_DONE
                    : verb_no(c, "key %.*s was used for another import: nothing was imported", SLICE_ARGS(b->key));
}

int bulk_begin(struct verb_call *c, struct bulk *b, const char *verb)
{
        *b = (struct bulk){ .verb = verb, .dry_run = ipc_int(c->args) != 0 };
        b->key = ipc_text(c->args);
        buf_init(&b->report, REPORT_MOST);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "key", b->key, IMPORT_KEY_MOST);
        if (status == 0 && b->key.n == 0)
                return 0;
        sha256_hex(c->args->left, b->hash);
        if (status == 0)
                status = look_up(c, b);
        if (status) /* the rows are done with: they were looked at as one */
                c->args->left = (struct slice){ NULL, 0 };
        return status;
}

/* As one line, whatever stands in it: who reads a report takes it by lines. */
static void add_line(struct bulk *b, struct slice text)
{
        while (text.n) {
                buf_add(&b->report, slice_cut(text, '\n', &text));
                if (text.n)
                        buf_addc(&b->report, ' ');
        }
        buf_addc(&b->report, '\n');
}

int bulk_refused(struct verb_call *c, struct bulk *b, int64_t row, int status)
{
        if (status != 1)
                return status;
        if (b->errors++ < ERRORS_TOLD_MOST) {
                if (row)
                        buf_addf(&b->report, "line %lld: ", (long long)row);
                add_line(b, buf_slice(c->why));
        }
        buf_clear(c->why);
        return 0;
}

void bulk_tell(struct bulk *b, struct slice name, bool existed, bool touched, struct slice differences)
{
        b->added += !existed;
        b->changed += existed && touched;
        if (!touched || b->report.n > REPORT_MOST - SUM_MOST - name.n - differences.n - 8)
                return;
        buf_addf(&b->report, "%c %.*s", existed ? '~' : '+', SLICE_ARGS(name));
        if (differences.n)
                buf_adds(&b->report, ": ");
        add_line(b, differences);
}

static int remember(struct verb_call *c, const struct bulk *b, struct slice sum)
{
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO import(key, verb, hash, at, author, report) VALUES(?, ?, ?, ?, ?, ?)");
        db_text(s, b->key);
        db_text(s, slice_of(b->verb));
        db_text(s, slice_of(b->hash));
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, sum);
        return db_run(s);
}

int bulk_finish(struct verb_call *c, struct bulk *b, int status)
{
        char sum[SUM_MOST];
        if (status == 0 && b->errors)
                status = verb_no(c, "%zu error%s; nothing was imported", b->errors, b->errors == 1 ? "" : "s");
        if (status == 0) {
                snprintf(sum, sizeof sum, "%zu added, %zu changed, %zu unchanged\n", b->added, b->changed,
                         b->n - b->added - b->changed);
                buf_adds(&b->report, sum);
                if (b->key.n && !b->dry_run)
                        status = remember(c, b, slice_trim(slice_of(sum)));
        }
        if (status == 0 && b->dry_run)
                status = 2;
        else if (status == BULK_DONE)
                status = 0;
        ipc_put_text(c->results, buf_slice(&b->report));
        ipc_put_int(c->results, (int64_t)b->errors);
        ipc_put_int(c->results, b->done_by.n ? b->done_at : 0);
        ipc_put_text(c->results, b->done_by);
        buf_done(&b->report);
        return status;
}
