/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each story is told twice: once as a file, each lease emitted when it is settled, and once live, where what is emitted is put under its
 * key as the ledger does it. Both must end with the same leases. */
#include "identity/bindings.h"

#include "base/buf.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const int64_t BASE = INT64_C(1700000000) * SECOND;

/* --- the ledger of a test: leases by key ------------------------------------------------------------------------------------- */

enum { BOOK_MOST = 4096 };

struct row {
        struct lease l;
        char texts[12][80];
        size_t told;
        bool settled;
};

struct book {
        struct row *rows;
        size_t n;
        bool once; /* the same key twice is a failure */
};

static struct slice keep(struct row *r, size_t i, struct slice s)
{
        assert_true(s.n < sizeof r->texts[i]);
        if (s.n)
                memcpy(r->texts[i], s.p, s.n);
        return (struct slice){ r->texts[i], s.n };
}

static bool same_key(const struct lease *a, const struct lease *b)
{
        return slice_eq(a->source, b->source) && slice_eq(a->nas, b->nas) && slice_eq(a->session, b->session) &&
               slice_eq(a->user, b->user) && a->start == b->start && prefix_cmp(&a->prefix, &b->prefix) == 0;
}

static void put(void *arg, const struct lease *l, bool settled)
{
        struct book *book = arg;
        size_t at = 0;
        assert_true(l->user.n && l->line.kind.n && l->source.n);
        while (at < book->n && !same_key(&book->rows[at].l, l))
                at++;
        if (l->end == l->start) {
                assert_true(at < book->n);
                book->rows[at] = book->rows[--book->n];
                struct row *moved = &book->rows[at];
                struct lease *m = &moved->l;
                struct slice *const texts[] = { &m->realm,     &m->proto,    &m->line.kind, &m->line.value, &m->source,
                                                &m->why_ended, &m->evidence, &m->nas,       &m->session,    &m->user };
                for (size_t i = 0; i < COUNT_OF(texts); i++)
                        texts[i]->p = moved->texts[i];
                return;
        }
        assert_true(l->end > l->start);
        assert_true(at < BOOK_MOST);
        if (at == book->n)
                book->rows[book->n++].told = 0;
        struct row *r = &book->rows[at];
        if (book->once && r->told)
                fail_msg("told twice: %.*s of %.*s, session %.*s, from %lld to %lld (%.*s) and %lld (%.*s)",
                         SLICE_ARGS(l->source), SLICE_ARGS(l->user), SLICE_ARGS(l->session),
                         (long long)(l->start - BASE) / 1000000, (long long)(r->l.end - BASE) / 1000000,
                         SLICE_ARGS(r->l.why_ended), (long long)(l->end - BASE) / 1000000, SLICE_ARGS(l->why_ended));
        r->told++;
        r->settled = settled;
        r->l = *l;
        struct lease *m = &r->l;
        struct slice *const texts[] = { &m->realm,     &m->proto,    &m->line.kind, &m->line.value, &m->source,
                                        &m->why_ended, &m->evidence, &m->nas,       &m->session,    &m->user };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                *texts[i] = keep(r, i, *texts[i]);
}

static int by_text(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_time(struct buf *out, int64_t t)
{
        if (t == TIME_NEVER)
                buf_adds(out, " open");
        else
                buf_addf(out, " %lld", (long long)((t - BASE) / SECOND));
}

/* "192.0.2.1 alice 100 200 User-Request", sorted. */
static void print_book(const struct book *book, struct buf *out)
{
        char **lines = xcalloc(book->n + 1, sizeof *lines);
        for (size_t i = 0; i < book->n; i++) {
                const struct lease *l = &book->rows[i].l;
                char text[PREFIX_TEXT_MAX];
                autobuf line;
                buf_init(&line, 1024);
                buf_adds(&line, prefix_print(&l->prefix, text));
                if (l->port_high)
                        buf_addf(&line, ":%u-%u", l->port_low, l->port_high);
                if (l->realm.n)
                        buf_addf(&line, "@%.*s", SLICE_ARGS(l->realm));
                buf_addf(&line, " %.*s", SLICE_ARGS(l->line.value));
                add_time(&line, l->start);
                add_time(&line, l->end);
                if (l->why_ended.n)
                        buf_addf(&line, " %.*s", SLICE_ARGS(l->why_ended));
                lines[i] = buf_take(&line);
        }
        qsort(lines, book->n, sizeof *lines, by_text);
        for (size_t i = 0; i < book->n; i++) {
                buf_addf(out, "%s\n", lines[i]);
                free(lines[i]);
        }
        free(lines);
}

/* --- events as text: TIME WORD USER SESSION HELD[,HELD...] [time=SECONDS] [expires=TIME] [nas=NAME] [realm=NAME] --------------- */

static int64_t take_number(struct slice s)
{
        uint64_t n = 0;
        assert_true(slice_u64(s, INT64_C(4000000000), &n));
        return (int64_t)n * SECOND;
}

static struct held take_one_held(struct slice text)
{
        struct held h = { 0 };
        size_t mark = slice_find(text, '#');
        if (mark < text.n) {
                struct slice proto, ports = slice_cut(slice_from(text, mark + 1), '/', &proto);
                struct slice high, low = slice_cut(ports, '-', &high);
                h.proto = proto;
                h.port_low = (uint16_t)(take_number(low) / SECOND);
                h.port_high = (uint16_t)(take_number(high) / SECOND);
                text.n = mark;
        }
        assert_int_equal(prefix_parse(text, &h.prefix), PREFIX_OK);
        return h;
}

static const struct {
        const char *word;
        enum event_kind kind;
        const char *source;
} words[] = {
        { "start", EVENT_BEGINS, "radius" }, { "interim", EVENT_HOLDS, "radius" },
        { "stop", EVENT_ENDS, "radius" },    { "on", EVENT_NAS_RESETS, "radius" },
        { "lease", EVENT_BEGINS, "dhcp" },   { "renew", EVENT_HOLDS, "dhcp" },
        { "free", EVENT_ENDS, "dhcp" },      { "allocated", EVENT_BEGINS, "cgnat" },
        { "released", EVENT_ENDS, "cgnat" }, { "is", EVENT_IS, "csv" },
};

static void take_option(struct slice option, int64_t at, struct event *e)
{
        struct slice value, name = slice_cut(option, '=', &value);
        if (slice_eq(name, S("time")))
                e->start = at - take_number(value);
        else if (slice_eq(name, S("from")))
                e->start = BASE + take_number(value);
        else if (slice_eq(name, S("expires")))
                e->expires = BASE + take_number(value);
        else if (slice_eq(name, S("nas")))
                e->nas = value;
        else if (slice_eq(name, S("realm")))
                e->realm = value;
        else
                fail_msg("option %.*s", SLICE_ARGS(option));
}

static struct slice dash(struct slice s)
{
        return slice_eq(s, S("-")) ? S("") : s;
}

static struct event take_event(struct slice line)
{
        struct slice rest, parts[12] = { 0 };
        size_t n = 0;
        for (rest = line; rest.p && n < COUNT_OF(parts); n++)
                parts[n] = slice_cut(rest, ' ', &rest);
        struct event e = {
                .at = BASE + take_number(parts[0]), .expires = TIME_NEVER, .nas = S("nas"), .evidence = S("f:1")
        };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (slice_eq(parts[1], slice_of(words[i].word))) {
                        e.kind = words[i].kind;
                        e.source = slice_of(words[i].source);
                }
        assert_true(e.source.n);
        e.user = dash(parts[2]);
        if (e.user.n)
                e.line = (struct line){ S("user"), e.user };
        e.session = dash(parts[3]);
        for (struct slice helds = dash(parts[4]); helds.n;) {
                struct slice one = slice_cut(helds, ',', &helds);
                e.held[e.n_held++] = take_one_held(one);
        }
        for (size_t i = 5; i < n; i++)
                take_option(parts[i], e.at, &e);
        return e;
}

/* --- telling a story ---------------------------------------------------------------------------------------------------------- */

static void tell(const char *story, bool live, int64_t now, struct book *book, struct bindings_counts *counts)
{
        const struct bindings_rules rules = { .live = live, .emit = put, .arg = book };
        autobindings *b = bindings_new(&rules);
        book->once = !live;
        for (struct slice rest = slice_of(story); rest.n;) {
                struct slice line = slice_cut(rest, '\n', &rest);
                struct event e = take_event(line);
                bindings_event(b, &e);
        }
        if (live)
                bindings_tick(b, bindings_newest(b));
        else
                bindings_finish(b, now ? now : bindings_newest(b));
        *counts = *bindings_counts(b);
}

static const struct fact {
        const char *name, *story, *want;
        int64_t now; /* 0: that of the last event */
} facts[] = {
        { "a session", "100 start alice s1 192.0.2.1\n200 stop alice s1 192.0.2.1 time=100\n",
          "192.0.2.1 alice 100 200 ended\n", 0 },
        { "it is open", "100 start alice s1 192.0.2.1\n", "192.0.2.1 alice 100 open\n", 0 },
        { "a lost stop is closed by the next start",
          "100 start alice s1 192.0.2.1\n500 start bob s2 192.0.2.1\n600 stop bob s2 192.0.2.1 time=100\n",
          "192.0.2.1 alice 100 500 replaced\n192.0.2.1 bob 500 600 ended\n", 0 },
        { "who was presumed dead and gives a later sign was open: both hold it",
          "100 start alice s1 192.0.2.1\n500 start bob s2 192.0.2.1\n700 interim alice s1 192.0.2.1 time=600\n",
          "192.0.2.1 alice 100 open\n192.0.2.1 bob 500 open\n", 0 },
        { "a late stop of after the next start: both held it, and no one is picked",
          "100 start alice s1 192.0.2.1\n500 start bob s2 192.0.2.1\n510 stop alice s1 192.0.2.1 time=410\n",
          "192.0.2.1 alice 100 510 ended\n192.0.2.1 bob 500 open\n", 0 },
        { "a late stop of before corrects what was presumed",
          "100 start alice s1 192.0.2.1\n500 start bob s2 192.0.2.1\n480 stop alice s1 192.0.2.1 time=380\n",
          "192.0.2.1 alice 100 480 ended\n192.0.2.1 bob 500 open\n", 0 },
        { "told twice",
          "100 start alice s1 192.0.2.1\n100 start alice s1 192.0.2.1\n105 start alice s1 192.0.2.1\n"
          "400 interim alice s1 192.0.2.1 time=300\n400 interim alice s1 192.0.2.1 time=300\n"
          "500 stop alice s1 192.0.2.1 time=400\n500 stop alice s1 192.0.2.1 time=400\n507 stop alice s1 192.0.2.1 "
          "time=407\n",
          "192.0.2.1 alice 100 500 ended\n", 0 },
        { "the stop before the start", "500 stop alice s1 192.0.2.1 time=400\n100 start alice s1 192.0.2.1\n",
          "192.0.2.1 alice 100 500 ended\n", 0 },
        { "a late start corrects one that was computed",
          "500 stop alice s1 192.0.2.1 time=397\n100 start alice s1 192.0.2.1\n", "192.0.2.1 alice 100 500 ended\n",
          0 },
        { "the interim before the start",
          "400 interim alice s1 192.0.2.1 time=298\n100 start alice s1 192.0.2.1\n500 stop alice s1 192.0.2.1 "
          "time=400\n",
          "192.0.2.1 alice 100 500 ended\n", 0 },
        { "the start was lost", "5000 interim alice s1 192.0.2.1 time=4900\n", "192.0.2.1 alice 100 open\n", 0 },
        { "a stop without any start", "5000 stop alice s1 192.0.2.1\n", "192.0.2.1 alice 4999 5000 ended\n", 0 },
        { "an id is used again by another",
          "100 start alice s1 192.0.2.1\n150 start bob s1 192.0.2.2\n200 stop alice s1 192.0.2.1 time=100\n",
          "192.0.2.1 alice 100 200 ended\n192.0.2.2 bob 150 open\n", 0 },
        { "an id is used again on another NAS",
          "100 start alice s1 192.0.2.1 nas=a\n150 start alice s1 192.0.2.2 nas=b\n200 stop alice s1 192.0.2.1 "
          "time=100 nas=a\n",
          "192.0.2.1 alice 100 200 ended\n192.0.2.2 alice 150 open\n", 0 },
        { "an id is used again by the same",
          "100 start alice s1 192.0.2.1\n200 stop alice s1 192.0.2.1 time=100\n"
          "900 start alice s1 192.0.2.2\n990 stop alice s1 192.0.2.2 time=90\n",
          "192.0.2.1 alice 100 200 ended\n192.0.2.2 alice 900 990 ended\n", 0 },
        { "an id is used again at once",
          "100 start alice s1 192.0.2.1\n110 stop alice s1 192.0.2.1 time=10\n"
          "115 start alice s1 192.0.2.1\n145 stop alice s1 192.0.2.1 time=30\n",
          "192.0.2.1 alice 100 110 ended\n192.0.2.1 alice 115 145 ended\n", 0 },
        { "a prefix that comes only in an interim belongs to the session",
          "100 start alice s1 192.0.2.1\n400 interim alice s1 192.0.2.1,2001:db8:1::/56 time=300\n",
          "192.0.2.1 alice 100 open\n2001:db8:1::/56 alice 100 open\n", 0 },
        { "unless another held it meanwhile",
          "100 start alice s1 192.0.2.1\n50 start bob s2 192.0.2.2,2001:db8:1::/56\n300 stop bob s2 - time=250\n"
          "400 interim alice s1 192.0.2.1,2001:db8:1::/56 time=300\n",
          "192.0.2.1 alice 100 open\n192.0.2.2 bob 50 300 ended\n2001:db8:1::/56 alice 300 open\n2001:db8:1::/56 bob "
          "50 300 ended\n",
          0 },
        { "and was not seen to stop: it is anybody's since his last sign",
          "50 start bob s2 192.0.2.2,2001:db8:1::/56\n100 start alice s1 192.0.2.1\n200 interim bob s2 192.0.2.2 "
          "time=150\n"
          "400 interim alice s1 192.0.2.1,2001:db8:1::/56 time=300\n",
          "192.0.2.1 alice 100 open\n192.0.2.2 bob 50 400 replaced\n2001:db8:1::/56 alice 200 open\n"
          "2001:db8:1::/56 bob 50 400 replaced\n",
          0 },
        { "a start without an address, and the address in an interim",
          "100 start alice s1 -\n130 interim alice s1 192.0.2.1 time=30\n190 stop alice s1 192.0.2.1 time=90\n",
          "192.0.2.1 alice 100 190 ended\n", 0 },
        { "the address changes within a session",
          "100 start alice s1 192.0.2.1\n400 interim alice s1 192.0.2.7 time=300\n500 stop alice s1 192.0.2.7 "
          "time=400\n",
          "192.0.2.1 alice 100 400 moved\n192.0.2.7 alice 400 500 ended\n", 0 },
        { "a report of before the change changes nothing",
          "100 start alice s1 192.0.2.1\n400 interim alice s1 192.0.2.7 time=300\n300 interim alice s1 192.0.2.1 "
          "time=200\n",
          "192.0.2.1 alice 100 400 moved\n192.0.2.7 alice 400 open\n", 0 },
        { "the NAS starts anew",
          "100 start alice s1 192.0.2.1\n110 start bob s2 192.0.2.2\n120 start carol s3 192.0.2.3 nas=other\n300 on - "
          "- -\n"
          "310 start alice s1 192.0.2.2\n",
          "192.0.2.1 alice 100 300 nas-reset\n192.0.2.2 alice 310 open\n192.0.2.2 bob 110 300 nas-reset\n"
          "192.0.2.3 carol 120 open\n",
          0 },
        { "who gives a sign after the NAS started anew was not ended by it",
          "100 start alice s1 192.0.2.1\n300 on - - -\n400 interim alice s1 192.0.2.1 time=300\n",
          "192.0.2.1 alice 100 open\n", 0 },
        { "silence",
          "100 start alice s1 192.0.2.1\n1900 interim alice s1 192.0.2.1 time=1800\n3700 interim alice s1 192.0.2.1 "
          "time=3600\n"
          "20000 start bob s2 192.0.2.2\n",
          "192.0.2.1 alice 100 3700 silent\n192.0.2.2 bob 20000 open\n", 0 },
        { "silence is over when there is a sign",
          "100 start alice s1 192.0.2.1\n1900 interim alice s1 192.0.2.1 time=1800\n3700 interim alice s1 192.0.2.1 "
          "time=3600\n"
          "10000 start bob s2 192.0.2.2\n10900 interim alice s1 192.0.2.1 time=10800\n",
          "192.0.2.1 alice 100 open\n192.0.2.2 bob 10000 open\n", 0 },
        { "interims told for another reason are no interval",
          "100 start alice s1 192.0.2.1\n102 interim alice s1 192.0.2.1 time=2\n104 interim alice s1 192.0.2.1 time=4\n"
          "86000 start bob s2 192.0.2.2\n",
          "192.0.2.1 alice 100 open\n192.0.2.2 bob 86000 open\n", 0 },
        { "a renewal moves the end",
          "100 lease mac1 - 192.0.2.1 expires=700\n400 renew mac1 - 192.0.2.1 expires=1000\n",
          "192.0.2.1 mac1 100 1000\n", 0 },
        { "told many times",
          "100 lease mac1 - 192.0.2.1 expires=700\n100 lease mac1 - 192.0.2.1 expires=700\n400 lease mac1 - 192.0.2.1 "
          "expires=1000\n"
          "400 lease mac1 - 192.0.2.1 expires=1000\n100 lease mac1 - 192.0.2.1 expires=700\n",
          "192.0.2.1 mac1 100 1000\n", 0 },
        { "expiry by the clock", "100 lease mac1 - 192.0.2.1 expires=700\n900 lease mac2 - 192.0.2.2 expires=1900\n",
          "192.0.2.1 mac1 100 700 expired\n192.0.2.2 mac2 900 1900\n", 0 },
        { "another client after the expiry",
          "100 lease mac1 - 192.0.2.1 expires=700\n900 lease mac2 - 192.0.2.1 expires=1900\n",
          "192.0.2.1 mac1 100 700 expired\n192.0.2.1 mac2 900 1900\n", 0 },
        { "another client before the expiry",
          "100 lease mac1 - 192.0.2.1 expires=700\n600 lease mac2 - 192.0.2.1 expires=1900\n",
          "192.0.2.1 mac1 100 600 replaced\n192.0.2.1 mac2 600 1900\n", 0 },
        { "a release", "100 lease mac1 - 192.0.2.1 expires=700\n300 free mac1 - 192.0.2.1\n",
          "192.0.2.1 mac1 100 300 ended\n", 0 },
        { "a release that names nobody", "100 lease mac1 - 192.0.2.1 expires=700\n300 free - - 192.0.2.1\n",
          "192.0.2.1 mac1 100 300 ended\n", 0 },
        { "released and taken again in the same second",
          "100 lease mac1 - 192.0.2.1 expires=700\n100 free mac1 - 192.0.2.1\n100 lease mac1 - 192.0.2.1 expires=700\n",
          "192.0.2.1 mac1 100 700\n", 0 },
        { "taken again after the expiry: another lease",
          "100 lease mac1 - 192.0.2.1 expires=700\n900 lease mac1 - 192.0.2.1 expires=1500\n",
          "192.0.2.1 mac1 100 700 expired\n192.0.2.1 mac1 900 1500\n", 0 },
        { "a client moves to another address: the server keeps the former until it expires",
          "100 lease mac1 - 192.0.2.1 expires=700\n300 lease mac1 - 192.0.2.9 expires=900\n",
          "192.0.2.1 mac1 100 700\n192.0.2.9 mac1 300 900\n", 0 },
        { "only the release was seen", "300 free mac1 - 192.0.2.1 from=100\n", "192.0.2.1 mac1 100 300 ended\n", 0 },
        { "gone within its first second", "300 lease mac1 - 192.0.2.1 expires=900\n300 free mac1 - 192.0.2.1\n",
          "192.0.2.1 mac1 300 301 ended\n", 0 },
        { "several in one: each its own",
          "100 lease d1 - 2001:db8::1,2001:db8:1::/56 expires=700\n300 free d1 - 2001:db8::1\n",
          "2001:db8:1::/56 d1 100 700\n2001:db8::1 d1 100 300 ended\n", 0 },
        { "port blocks, several of one subscriber",
          "100 allocated 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n"
          "200 allocated 100.64.0.1 2048-2559/tcp 203.0.113.1#2048-2559/tcp\n"
          "300 released 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n",
          "203.0.113.1:1024-1535 100.64.0.1 100 300 ended\n203.0.113.1:2048-2559 100.64.0.1 200 open\n", 0 },
        { "a lost release is closed by the next allocation",
          "100 allocated 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n"
          "900 allocated 100.64.0.2 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n"
          "1900 allocated 100.64.0.2 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n",
          "203.0.113.1:1024-1535 100.64.0.1 100 900 replaced\n203.0.113.1:1024-1535 100.64.0.2 1900 open\n"
          "203.0.113.1:1024-1535 100.64.0.2 900 1900 replaced\n",
          0 },
        { "a release that names nobody ends who holds the block",
          "100 allocated 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n"
          "900 released - 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n",
          "203.0.113.1:1024-1535 100.64.0.1 100 900 ended\n", 0 },
        { "a release whose allocation was lost, of a block that was his before",
          "100 allocated 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n"
          "200 released 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n"
          "900 released 100.64.0.1 1024-1535/tcp 203.0.113.1#1024-1535/tcp\n",
          "203.0.113.1:1024-1535 100.64.0.1 100 200 ended\n203.0.113.1:1024-1535 100.64.0.1 899 900 ended\n", 0 },
        { "realms are apart", "100 start alice s1 10.0.0.1 realm=a\n200 start bob s2 10.0.0.1 realm=b\n",
          "10.0.0.1@a alice 100 open\n10.0.0.1@b bob 200 open\n", 0 },
        { "a start told after the next one of its address",
          "500 start bob s2 192.0.2.1\n100 start alice s1 192.0.2.1\n",
          "192.0.2.1 alice 100 500 replaced\n192.0.2.1 bob 500 open\n", 0 },
        { "stamped with the start: the time of a report is the start and the session's time",
          "100 start alice s1 192.0.2.1\n100 interim alice s1 192.0.2.1 time=600\n100 stop alice s1 192.0.2.1 "
          "time=1200\n"
          "100 start alice s1 192.0.2.1\n100 interim alice s1 192.0.2.1 time=600\n100 stop alice s1 192.0.2.1 "
          "time=1200\n",
          "192.0.2.1 alice 100 1300 ended\n", 0 },
        { "stamped with the start, in disorder",
          "5100 stop alice s1 192.0.2.1 time=1200\n5100 start alice s1 192.0.2.1\n5100 interim alice s1 192.0.2.1 "
          "time=600\n",
          "192.0.2.1 alice 5100 6300 ended\n", 0 },
        { "a NAS that counts the session's time in its own way",
          "100 start alice s1 192.0.2.1\n1100 interim alice s1 192.0.2.1 time=0\n2100 interim alice s1 192.0.2.1 "
          "time=500\n"
          "3100 stop alice s1 192.0.2.1 time=3000\n",
          "192.0.2.1 alice 100 3100 ended\n", 0 },
        { "two open sessions for one address: both, where both give signs",
          "100 start alice s1 192.0.2.1\n200 start bob s2 192.0.2.1\n300 interim alice s1 192.0.2.1 time=200\n"
          "400 interim bob s2 192.0.2.1 time=200\n500 stop alice s1 192.0.2.1 time=400\n",
          "192.0.2.1 alice 100 500 ended\n192.0.2.1 bob 200 open\n", 0 },
        { "a file of long ago ends where it ends", "100 start alice s1 192.0.2.1\n900 start bob s2 192.0.2.2\n",
          "192.0.2.1 alice 100 900 no stop seen\n192.0.2.2 bob 900 901 no stop seen\n", 864000 },
        { "a stop without a name", "100 start alice s1 192.0.2.1\n200 stop - s1 192.0.2.1 time=100\n",
          "192.0.2.1 alice 100 200 ended\n", 0 },
        { "whole leases are what they say, whatever else is said",
          "100 is alice - 192.0.2.1 expires=900\n200 is bob - 192.0.2.1 expires=300\n400 is carol - 192.0.2.1\n",
          "192.0.2.1 alice 100 900\n192.0.2.1 bob 200 300\n192.0.2.1 carol 400 open\n", 0 },
        { "what names nothing", "100 start alice s1 -\n200 stop alice s1 - time=100\n300 stop bob s9 - time=5\n", "",
          0 },
        { "one wrong clock does not settle everybody",
          "100 start alice s1 192.0.2.1\n300000000 start eve s9 192.0.2.9\n200 start bob s2 192.0.2.1\n"
          "190 stop alice s1 192.0.2.1 time=90\n",
          "192.0.2.1 alice 100 190 ended\n192.0.2.1 bob 200 open\n192.0.2.9 eve 300000000 open\n", 0 },
};

static void test_facts(void **state)
{
        (void)state;
        struct book book = { .rows = xcalloc(BOOK_MOST, sizeof *book.rows) };
        int wrong = 0;
        for (size_t i = 0; i < COUNT_OF(facts); i++)
                for (int live = 0; live < 2; live++) {
                        struct bindings_counts counts;
                        autobuf got;
                        buf_init(&got, 1 << 20);
                        if (facts[i].now && live)
                                continue;
                        book.n = 0;
                        tell(facts[i].story, live, facts[i].now ? BASE + facts[i].now * SECOND : 0, &book, &counts);
                        print_book(&book, &got);
                        if (strcmp(buf_cstr(&got), facts[i].want) == 0)
                                continue;
                        wrong++;
                        print_error("%s (%s):\n%s\ninstead of\n%s\n", facts[i].name, live ? "live" : "file",
                                    buf_cstr(&got), facts[i].want);
                }
        free(book.rows);
        assert_int_equal(wrong, 0);
}

/* --- the same leases, live or from a file, whatever comes ----------------------------------------------------------------------- */

static uint64_t dice;

static unsigned roll(unsigned sides)
{
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        return (unsigned)(dice >> 11) % sides;
}

static void roll_held(struct event *e)
{
        static const char *const prefixes[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8:1::/56",
                                                "2001:db8:2::/64" };
        e->n_held = roll(3);
        for (size_t i = 0; i < e->n_held; i++) {
                e->held[i] = (struct held){ 0 };
                assert_int_equal(prefix_parse(slice_of(prefixes[roll(COUNT_OF(prefixes))]), &e->held[i].prefix),
                                 PREFIX_OK);
        }
}

/* Events of four users on two NAS and five prefixes, in disorder, with duplicates, contradictions and wrong times. */
static struct event roll_event(int64_t *clock, const struct event *former)
{
        static const char *const users[] = { "alice", "bob", "carol", "dave" };
        static const char *const sessions[] = { "s1", "s2", "", "s1" };
        if (former && roll(5) == 0)
                return *former;
        struct event e = { .kind = roll(12) ? roll(3) : EVENT_NAS_RESETS, .expires = TIME_NEVER, .evidence = S("f:1") };
        *clock += roll(400) * SECOND;
        e.at = *clock - (roll(4) ? 0 : roll(3000) * SECOND);
        e.source = roll(4) ? S("radius") : S("dhcp");
        e.nas = roll(3) ? S("n1") : S("n2");
        e.user = slice_of(users[roll(COUNT_OF(users))]);
        e.session = slice_of(sessions[roll(COUNT_OF(sessions))]);
        e.line = (struct line){ S("user"), e.user };
        if (roll(2) && e.kind != EVENT_BEGINS)
                e.start = e.at - roll(2000) * SECOND;
        if (slice_eq(e.source, S("dhcp")) && e.kind != EVENT_ENDS)
                e.expires = e.at + roll(1500) * SECOND;
        if (roll(20) == 0)
                e.user = e.line.kind = e.line.value = S("");
        roll_held(&e);
        return e;
}

static void told_live_or_from_a_file_is_the_same(void **state)
{
        (void)state;
        struct book file = { .rows = xcalloc(BOOK_MOST, sizeof *file.rows), .once = true };
        struct book live = { .rows = xcalloc(BOOK_MOST, sizeof *live.rows) };
        for (uint64_t seed = 1; seed <= 3000; seed++) {
                const struct bindings_rules rules[] = { { .emit = put, .arg = &file },
                                                        { .live = true, .emit = put, .arg = &live } };
                autobindings *a = bindings_new(&rules[0]), *b = bindings_new(&rules[1]);
                int64_t clock = BASE;
                struct event e;
                dice = seed * 0x9e3779b97f4a7c15u;
                file.n = live.n = 0;
                for (unsigned i = 0, n = 1 + roll(120); i < n; i++) {
                        e = roll_event(&clock, i ? &e : NULL);
                        bindings_event(a, &e);
                        bindings_event(b, &e);
                        if (roll(10) == 0)
                                bindings_tick(b, bindings_newest(b));
                }
                bindings_tick(a, bindings_newest(a));
                bindings_tick(b, bindings_newest(b));
                assert_int_equal(bindings_open(a), bindings_open(b));
                bindings_finish(a, bindings_newest(a));
                autobuf from_file, from_live;
                buf_init(&from_file, 1 << 20);
                buf_init(&from_live, 1 << 20);
                print_book(&file, &from_file);
                print_book(&live, &from_live);
                if (strcmp(buf_cstr(&from_file), buf_cstr(&from_live)) != 0)
                        fail_msg("seed %llu: from a file\n%s\nbut live\n%s", (unsigned long long)seed,
                                 buf_cstr(&from_file), buf_cstr(&from_live));
        }
        free(file.rows);
        free(live.rows);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_facts),
                cmocka_unit_test(told_live_or_from_a_file_is_the_same),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
