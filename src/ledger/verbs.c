/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA_MOST = 1 << 30, WHY_MOST = 8192, RESULTS_MOST = 32 << 20 };

static const struct row {
        uint16_t number;
        const char *name;
        int (*run)(struct verb_call *c);
} rows[] = {
#define VERB_ROW(number, name) { number, #name, verb_##name },
        VERBS(VERB_ROW)
};

static const struct row *find(uint16_t number)
{
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (rows[i].number == number)
                        return &rows[i];
        return NULL;
}

int verb_no(struct verb_call *c, const char *fmt, ...)
{
        char text[2048];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        buf_clear(c->why);
        buf_adds(c->why, text);
        return 1;
}

int verb_text(struct verb_call *c, const char *what, struct slice s, size_t most)
{
        if (s.n > most)
                return verb_no(c, "%s: %zu bytes are too long (%zu at most)", what, s.n, most);
        for (size_t i = 0; i < s.n; i++)
                if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\n' && s.p[i] != '\t') || s.p[i] == 0x7f)
                        return verb_no(c, "%s: has a control character (byte %zu)", what, i + 1);
        return 0;
}

int verb_words(struct verb_call *c, const char *what, struct slice s, size_t most)
{
        int status = verb_text(c, what, s, most);
        size_t n = slice_utf8_span(s);
        return status == 0 && n < s.n ? verb_no(c, "%s: is not plain text in UTF-8 (byte %zu)", what, n + 1) : status;
}

void verbs_reply(struct buf *reply, uint16_t verb, int status, struct slice reason)
{
        size_t start = reply->n;
        ipc_begin(reply, verb);
        ipc_put_int(reply, status);
        ipc_put_text(reply, reason);
        ipc_end(reply, start);
}

static void reply_with_results(struct buf *reply, uint16_t verb, int status, const struct verb_call *c)
{
        size_t start = reply->n;
        ipc_begin(reply, verb);
        ipc_put_int(reply, status);
        ipc_put_text(reply, status < 0 ? slice_of(ledger_error(c->ledger)) : buf_slice(c->why));
        if (status >= 0)
                buf_add(reply, buf_slice(c->results));
        ipc_end(reply, start);
}

/* Handlers may read a malformed request to its end: what they did on its zero values is taken back. */
static int run_guarded(const struct row *row, struct verb_call *c)
{
        int status = db_do(c->ledger, "SAVEPOINT verb");
        if (status < 0)
                return status;
        status = row->run(c);
        if (c->args->bad || (status >= 0 && c->args->left.n))
                status = db_fail(c->ledger, -EBADMSG, "%s: the request is malformed", row->name);
        if (!db_in_transaction(c->ledger)) /* SQLite took the whole transaction back by itself */
                return status < 0 ? status : -EIO;
        if (status == 0)
                return db_do(c->ledger, "RELEASE verb");
        db_rolled_back(c->ledger);
        autofree char *words = xstrdup(ledger_error(c->ledger));
        int back = db_do(c->ledger, "ROLLBACK TO verb");
        if (back == 0)
                back = db_do(c->ledger, "RELEASE verb");
        if (back == 0 && status < 0)
                db_fail(c->ledger, status, "%s", words);
        return back < 0 ? back : status;
}

int verbs_run(struct ledger *l, struct slice author, struct ipc_reader *frame, int64_t now, struct buf *reply)
{
        autobuf results, why;
        buf_init(&results, RESULTS_MOST);
        buf_init(&why, WHY_MOST);
        const struct row *row = find(frame->verb);
        if (!row) {
                verbs_reply(reply, frame->verb, -EOPNOTSUPP, S("the keeper does not know this verb"));
                return -EOPNOTSUPP;
        }
        autoarena *arena = arena_new(ARENA_MOST);
        struct verb_call c = { .ledger = l,
                               .author = author,
                               .now = now,
                               .args = frame,
                               .results = &results,
                               .why = &why,
                               .arena = arena };
        int status = run_guarded(row, &c);
        reply_with_results(reply, frame->verb, status, &c);
        return status;
}
