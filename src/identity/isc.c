/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dhcpd.leases(5) of ISC dhcpd, for v4 (`lease`) and v6 (`ia-na`, `ia-ta`, `ia-pd`).
 *
 * The file is a journal: each block says how a lease stands now. An active one is held from `starts` (or the client's last transaction) until
 * `ends`; one that is free, released or expired was held until `ends`, and both are told, because a file that dhcpd has rewritten holds nothing
 * else of it. An abandoned address is nobody's. Times are UTC. */
#include "identity/reader_inside.h"

#include <stdio.h>

enum { WORDS_MOST = 8 };

enum token { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_SEMICOLON };

/* Up to `{`, `}` or `;`, which is `by`. */
struct statement {
        struct slice words[WORDS_MOST];
        bool quoted[WORDS_MOST];
        size_t n;
        enum token by;
};

enum binding { BINDING_HELD, BINDING_OVER, BINDING_NOBODY };

struct lease_block {
        int64_t starts, ends, cltt, tstp; /* 0: not said */
        enum binding binding;
        struct slice state; /* why it ended */
        struct slice uid;
        struct client client;
        const char *wrong;
};

struct scan {
        struct reader *r;
        struct slice left;
        unsigned depth;
        uint64_t line; /* of the record */
};

static void pass_blanks(struct slice *s)
{
        for (;;) {
                size_t n = 0;
                while (n < s->n && (s->p[n] == ' ' || s->p[n] == '\t' || s->p[n] == '\n' || s->p[n] == '\r'))
                        n++;
                *s = slice_from(*s, n);
                if (s->n == 0 || s->p[0] != '#')
                        return;
                *s = slice_from(*s, slice_find(*s, '\n'));
        }
}

/* What stands between the quotes at the front of *s, as it is written. A line ends an open quote: dhcpd writes line ends as \012. */
static struct slice take_quoted(struct slice *s)
{
        size_t n = 1;
        while (n < s->n && s->p[n] != '"' && s->p[n] != '\n')
                n += s->p[n] == '\\' && n + 1 < s->n ? 2 : 1;
        n = n < s->n ? n : s->n;
        struct slice inside = { s->p + 1, n - 1 };
        *s = slice_from(*s, n + (n < s->n && s->p[n] == '"'));
        return inside;
}

static enum token mark_of(char c)
{
        return c == '{' ? TOKEN_OPEN : c == '}' ? TOKEN_CLOSE : c == ';' ? TOKEN_SEMICOLON : TOKEN_END;
}

static enum token take_token(struct slice *s, struct slice *text)
{
        static const bool ends_word[256] = { [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['{'] = true,
                                             ['}'] = true, [';'] = true,  ['"'] = true,  ['#'] = true };
        pass_blanks(s);
        if (s->n == 0)
                return TOKEN_END;
        if (s->p[0] == '"') {
                *text = take_quoted(s);
                return TOKEN_STRING;
        }
        enum token mark = mark_of(s->p[0]);
        if (mark != TOKEN_END) {
                *s = slice_from(*s, 1);
                return mark;
        }
        size_t n = 1;
        while (n < s->n && !ends_word[(unsigned char)s->p[n]])
                n++;
        *text = (struct slice){ s->p, n };
        *s = slice_from(*s, n);
        return TOKEN_WORD;
}

static void take_statement(struct slice *s, struct statement *ret)
{
        struct slice text;
        ret->n = 0;
        while ((ret->by = take_token(s, &text)) == TOKEN_WORD || ret->by == TOKEN_STRING)
                if (ret->n < WORDS_MOST) {
                        ret->quoted[ret->n] = ret->by == TOKEN_STRING;
                        ret->words[ret->n++] = text;
                }
        for (size_t i = ret->n; i < 4; i++) { /* the most that anyone looks at */
                ret->words[i] = (struct slice){ NULL, 0 };
                ret->quoted[i] = false;
        }
}

/* From behind an open brace to behind its closing one. */
static void pass_block(struct slice *s)
{
        struct slice text;
        enum token t;
        for (unsigned depth = 1; depth && (t = take_token(s, &text)) != TOKEN_END;)
                depth += t == TOKEN_OPEN ? 1u : t == TOKEN_CLOSE ? -1u : 0u;
}

static bool word_is(const struct statement *s, size_t i, struct slice word)
{
        return slice_eq(s->words[i], word);
}

/* "4 2026/11/22 09:52:18", "epoch 1795341138", "never" */
static bool take_date(const struct statement *s, int64_t *ret)
{
        struct fields f = { 0 };
        struct slice day = s->words[2], time = s->words[3];
        uint64_t seconds;
        if (word_is(s, 1, S("never"))) {
                *ret = TIME_NEVER;
                return true;
        }
        if (word_is(s, 1, S("epoch"))) {
                bool right = slice_u64(day, INT64_C(253402300799), &seconds);
                *ret = right ? (int64_t)seconds * SECOND : 0;
                return right;
        }
        return s->n == 4 && day.n == 10 && time.n == 8 && day.p[4] == '/' && day.p[7] == '/' && time.p[2] == ':' &&
               time.p[5] == ':' && when_number(&day, 4, &f.year) && (day = slice_from(day, 1), true) &&
               when_number(&day, 2, &f.month) && (day = slice_from(day, 1), true) && when_number(&day, 2, &f.day) &&
               when_number(&time, 2, &f.hour) && (time = slice_from(time, 1), true) &&
               when_number(&time, 2, &f.minute) && (time = slice_from(time, 1), true) &&
               when_number(&time, 2, &f.second) && fields_utc(&f, ret);
}

static struct slice take_bytes(struct reader *r, const struct statement *s, size_t i)
{
        struct slice bytes;
        if (s->quoted[i])
                return raw_unescape(s->words[i], r->arena);
        return raw_from_hex(s->words[i], r->arena, &bytes) ? bytes : (struct slice){ NULL, 0 };
}

static void take_state(const struct statement *s, struct lease_block *b)
{
        static const struct {
                struct slice name;
                enum binding binding;
        } states[] = { { { "active", 6 }, BINDING_HELD },  { { "bootp", 5 }, BINDING_HELD },
                       { { "free", 4 }, BINDING_OVER },    { { "backup", 6 }, BINDING_OVER },
                       { { "expired", 7 }, BINDING_OVER }, { { "released", 8 }, BINDING_OVER },
                       { { "reset", 5 }, BINDING_OVER },   { { "abandoned", 9 }, BINDING_NOBODY } };
        for (size_t i = 0; i < COUNT_OF(states); i++)
                if (word_is(s, 2, states[i].name)) {
                        b->binding = states[i].binding;
                        b->state = states[i].name;
                        return;
                }
        b->wrong = "its binding state is unknown";
}

static void take_lease_statement(struct reader *r, const struct statement *s, struct lease_block *b)
{
        struct {
                struct slice name;
                int64_t *at;
        } dates[] = {
                { S("starts"), &b->starts }, { S("ends"), &b->ends }, { S("cltt"), &b->cltt }, { S("tstp"), &b->tstp }
        };
        for (size_t i = 0; i < COUNT_OF(dates); i++)
                if (word_is(s, 0, dates[i].name)) {
                        if (!take_date(s, dates[i].at))
                                b->wrong = "one of its dates does not exist";
                        return;
                }
        if (word_is(s, 0, S("binding")))
                take_state(s, b);
        else if (word_is(s, 0, S("hardware")))
                b->client.mac = s->words[2];
        else if (word_is(s, 0, S("uid")))
                b->uid = take_bytes(r, s, 1);
        else if (word_is(s, 0, S("option")) && word_is(s, 1, S("agent.circuit-id")))
                b->client.circuit = take_bytes(r, s, 2);
        else if (word_is(s, 0, S("option")) && word_is(s, 1, S("agent.remote-id")))
                b->client.remote = take_bytes(r, s, 2);
        else if (word_is(s, 0, S("abandoned")))
                b->binding = BINDING_NOBODY;
}

/* Behind the open brace of a lease, an iaaddr or an iaprefix. */
static void take_lease(struct scan *scan, struct lease_block *b)
{
        struct statement s;
        for (;;) {
                take_statement(&scan->left, &s);
                if (s.by == TOKEN_OPEN)
                        pass_block(&scan->left);
                else if (s.by == TOKEN_SEMICOLON)
                        take_lease_statement(scan->r, &s, b);
                else
                        return;
        }
}

/* A client id that begins with 255 holds a DUID behind its IAID (RFC 4361 6.1); one that begins with 1, a MAC. */
static void take_uid(struct reader *r, struct lease_block *b)
{
        if (b->uid.n > 5 && (unsigned char)b->uid.p[0] == 255)
                b->client.duid = raw_to_hex(slice_from(b->uid, 5), r->arena);
        else if (b->client.mac.n == 0 && b->uid.n == 7 && b->uid.p[0] == 1)
                b->client.mac = raw_to_hex(slice_from(b->uid, 1), r->arena);
}

static int64_t first_said(const int64_t *times, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (times[i] && times[i] != TIME_NEVER)
                        return times[i];
        return 0;
}

static void tell(struct scan *scan, const struct lease_block *b, struct event *e)
{
        int64_t began = first_said((int64_t[]){ b->starts, b->cltt }, 2);
        int64_t over = first_said((int64_t[]){ b->ends, b->tstp, b->cltt, b->starts }, 4);
        bool named = reader_client_line(scan->r, &b->client, &e->line);
        if (b->binding == BINDING_HELD && (!named || !began)) {
                reader_wrong(scan->r, scan->line,
                             named ? "it does not say since when" : "nothing in it names the line");
                return;
        }
        e->kind = EVENT_HOLDS;
        e->at = began;
        e->expires = b->ends ? b->ends : TIME_NEVER;
        if (b->binding == BINDING_HELD || (b->binding == BINDING_OVER && named && began && began < over))
                reader_tell(scan->r, scan->line, e);
        if (b->binding == BINDING_HELD || over == 0)
                return;
        e->kind = EVENT_ENDS;
        e->expires = TIME_NEVER;
        e->why = b->state;
        e->at = b->binding == BINDING_NOBODY && began ? began : over;
        if (b->binding == BINDING_NOBODY) {
                e->line = (struct line){ 0 };
                e->user = (struct slice){ NULL, 0 };
        }
        reader_tell(scan->r, scan->line, e);
}

/* No session: a DHCP lease is known by what it holds and who. */
static void tell_lease(struct scan *scan, struct slice what, const struct lease_block *b)
{
        struct event e = { .source = S("dhcp"), .n_held = 1 };
        enum prefix_error error = prefix_parse(what, &e.held[0].prefix);
        if (error != PREFIX_OK || b->wrong) {
                reader_wrong(scan->r, scan->line, "%s", b->wrong ? b->wrong : "its address is none");
                return;
        }
        e.user = b->client.mac.n    ? b->client.mac
                 : b->client.duid.n ? b->client.duid
                                    : raw_to_hex(b->uid, scan->r->arena);
        e.user = raw_text(e.user, scan->r->arena);
        tell(scan, b, &e);
}

/* Behind the open brace of an ia-na, ia-ta or ia-pd: `cltt`, and a block for each address or prefix. */
static void take_association(struct scan *scan, struct slice id)
{
        enum { IAID = 4 };
        struct statement s;
        struct lease_block common = { 0 };
        if (id.n > IAID)
                common.client.duid = raw_to_hex(slice_from(id, IAID), scan->r->arena);
        for (;;) {
                take_statement(&scan->left, &s);
                if (s.by == TOKEN_SEMICOLON) {
                        take_lease_statement(scan->r, &s, &common);
                } else if (s.by == TOKEN_OPEN && (word_is(&s, 0, S("iaaddr")) || word_is(&s, 0, S("iaprefix")))) {
                        struct lease_block b = common;
                        take_lease(scan, &b);
                        tell_lease(scan, s.words[1], &b);
                } else if (s.by == TOKEN_OPEN) {
                        pass_block(&scan->left);
                } else {
                        return;
                }
        }
}

static bool is_no_lease(const struct statement *s)
{
        static const char *const words[] = { "authoring-byte-order",
                                             "server-duid",
                                             "default-duid",
                                             "failover",
                                             "host",
                                             "group",
                                             "subgroup",
                                             "class",
                                             "subclass",
                                             "option",
                                             "set" };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (word_is(s, 0, slice_of(words[i])))
                        return true;
        return s->n == 0 && s->by == TOKEN_SEMICOLON;
}

void isc_record(struct reader *r, const struct record *rec)
{
        struct scan scan = { .r = r, .left = rec->text, .line = rec->line };
        struct statement s;
        pass_blanks(&scan.left);
        if (scan.left.n == 0)
                return;
        if (!rec->whole) {
                reader_wrong(r, rec->line, "the lease is cut off");
                return;
        }
        take_statement(&scan.left, &s);
        if (s.by == TOKEN_OPEN && s.n == 2 && word_is(&s, 0, S("lease"))) {
                struct lease_block b = { 0 };
                take_lease(&scan, &b);
                take_uid(r, &b);
                tell_lease(&scan, s.words[1], &b);
        } else if (s.by == TOKEN_OPEN && s.n == 2 && slice_starts(s.words[0], S("ia-"))) {
                take_association(&scan, take_bytes(r, &s, 1));
        } else if (!is_no_lease(&s)) {
                reader_wrong(r, rec->line, "this is no lease, nor anything else that dhcpd writes");
        }
}
