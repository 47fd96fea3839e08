/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/test_support.h - a driver for the tests: it answers every question by what stands in it, and writes down all that happens.
 *
 *     refused: HELO refused.example; MAIL from spammer@; RCPT to nobody@; a message with "X-Refuse"; XCLIENT ADDR=0.0.0.0
 *     put off: MAIL from later@; RCPT to later@; DATA after MAIL from nodata@; a message with "X-Later"; password "later"
 *     RCPT to hangup@ is answered 421. Logins: names ending in @other.example are not asked for a password; it is "s3cret".
 * Owns:    struct a_talk: the conversation and what was written down.
 * Threads: one.
 * Limits:  for *_test.c and fuzz/ only. */
#pragma once

#include "base/time.h"
#include "smtp/server.h"

/* How the bytes arrive, and when the driver answers. */
enum a_way { AT_ONCE, BYTE_BY_BYTE, ANSWERED_LATER, WAYS };

struct a_talk {
        struct smtp_server server;
        const struct smtp_rules *rules;
        enum a_way way;
        int64_t now;
        struct buf out, said, message; /* bytes to write; replies and events so far as text; the message under way */
        struct buf from;
        bool silent; /* events are not written down */
        size_t accepted, rcpts;
};

static inline void a_talk_init(struct a_talk *t, const struct smtp_rules *rules, enum a_way way)
{
        *t = (struct a_talk){ .rules = rules, .way = way, .now = 1000 * SECOND };
        buf_init(&t->out, 1 << 20);
        buf_init(&t->said, 4 << 20);
        buf_init(&t->message, 4 << 20);
        buf_init(&t->from, 1024);
        smtp_server_init(&t->server, rules, 1, t->now);
}

static inline void a_talk_done(struct a_talk *t)
{
        smtp_server_done(&t->server);
        buf_done(&t->out);
        buf_done(&t->said);
        buf_done(&t->message);
        buf_done(&t->from);
}

/* Replies as "S: " lines. */
static inline void a_talk_flush(struct a_talk *t)
{
        struct slice line, rest = buf_slice(&t->out);
        while (rest.n) {
                size_t n = slice_find(rest, '\n');
                if (n == rest.n || n == 0 || rest.p[n - 1] != '\r')
                        panic("a reply without CRLF: %.*s", SLICE_ARGS(rest));
                line = (struct slice){ rest.p, n - 1 };
                for (size_t i = 0; i < line.n; i++)
                        if (line.p[i] < 0x20 || line.p[i] == 0x7F)
                                panic("a reply with byte %d", line.p[i]);
                if (n + 1 > SMTP_REPLY_LINE_MOST)
                        panic("a reply line of %zu bytes", n + 1);
                buf_adds(&t->said, "S: ");
                buf_add(&t->said, line);
                buf_addc(&t->said, '\n');
                rest = slice_from(rest, n + 1);
        }
        buf_clear(&t->out);
}

static inline void a_talk_text(struct a_talk *t, const char *what, struct slice text)
{
        buf_addf(&t->said, "E: %s%s", what, text.n ? " " : "");
        buf_add_escaped(&t->said, text);
        buf_addc(&t->said, '\n');
}

static inline void a_talk_write_down(struct a_talk *t, const struct smtp_event *e)
{
        static const char *const words[] = {
                [SMTP_ON_EARLY] = "early", [SMTP_ON_HELO] = "helo",     [SMTP_ON_TLS] = "tls",
                [SMTP_ON_LOGIN] = "login", [SMTP_ON_AUTH] = "auth",     [SMTP_ON_XCLIENT] = "xclient",
                [SMTP_ON_MAIL] = "mail",   [SMTP_ON_RCPT] = "rcpt",     [SMTP_ON_DATA] = "data",
                [SMTP_ON_BYTES] = "bytes", [SMTP_ON_BROKEN] = "broken", [SMTP_ON_END] = "end",
                [SMTP_ON_RESET] = "reset", [SMTP_ON_CLOSE] = "close"
        };
        static const char *const whys[] = { "quit",      "errors",   "commands", "messages",   "http",
                                            "tls-hello", "injected", "ahead",    "tls-failed", "timeout",
                                            "answer",    "flooded",  "shutdown" };
        static const char *const faults[] = { "clean", "bare-cr", "bare-lf", "nul", "too-big" };
        autobuf text;
        buf_init(&text, 4096);
        if (e->on == SMTP_ON_MAIL || e->on == SMTP_ON_RCPT)
                smtp_path_print(e->on == SMTP_ON_MAIL ? &e->mail.from : &e->rcpt.to, &text);
        else if (e->on == SMTP_ON_HELO || e->on == SMTP_ON_LOGIN || e->on == SMTP_ON_AUTH)
                buf_add(&text, e->on == SMTP_ON_HELO ? e->text : e->login);
        else if (e->on == SMTP_ON_XCLIENT)
                buf_add(&text, e->xclient.value[SMTP_XCLIENT_ADDR]);
        else if (e->on == SMTP_ON_CLOSE || e->on == SMTP_ON_BROKEN)
                buf_adds(&text, e->on == SMTP_ON_CLOSE ? whys[e->why] : faults[e->fault]);
        else if (e->on == SMTP_ON_END)
                buf_add(&text, buf_slice(&t->message));
        a_talk_text(t, e->on == SMTP_ON_HELO && e->esmtp ? "ehlo" : words[e->on], buf_slice(&text));
}

static inline bool a_talk_has(struct slice text, struct slice what)
{
        return text.n >= what.n && memmem(text.p, text.n, what.p, what.n);
}

static inline struct smtp_reply a_talk_address(const struct smtp_path *p)
{
        static const struct {
                struct slice local, enhanced, text;
                unsigned code;
        } rows[] = { { S("spammer"), S("5.7.1"), S("Not you"), 550 },
                     { S("nobody"), S("5.1.1"), S("Not here"), 550 },
                     { S("later"), S("4.2.0"), S("Later"), 451 },
                     { S("hangup"), S("4.3.2"), S("Going away"), 421 } };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (slice_eq(p->local, rows[i].local))
                        return (struct smtp_reply){ rows[i].code, rows[i].enhanced, rows[i].text };
        return (struct smtp_reply){ .code = 0 };
}

static inline struct smtp_reply a_talk_decide(struct a_talk *t, const struct smtp_event *e)
{
        const struct smtp_reply yes = { .code = 0 };
        enum smtp_language language = t->rules->language;
        switch (e->on) {
        case SMTP_ON_HELO:
                return slice_eq(e->text, S("refused.example")) ? smtp_text(SMTP_TEXT_REFUSED, language) : yes;
        case SMTP_ON_XCLIENT:
                return slice_eq(e->xclient.value[SMTP_XCLIENT_ADDR], S("0.0.0.0"))
                           ? smtp_text(SMTP_TEXT_REFUSED, language)
                           : yes;
        case SMTP_ON_LOGIN:
                return slice_ends(e->login, S("@other.example")) ? smtp_text(SMTP_TEXT_AUTH_FAILED, language) : yes;
        case SMTP_ON_AUTH:
                return slice_eq(e->password, S("s3cret"))  ? yes
                       : slice_eq(e->password, S("later")) ? smtp_text(SMTP_TEXT_AUTH_LATER, language)
                                                           : smtp_text(SMTP_TEXT_AUTH_FAILED, language);
        case SMTP_ON_MAIL:
                buf_clear(&t->from);
                buf_add(&t->from, e->mail.from.local);
                return a_talk_address(&e->mail.from);
        case SMTP_ON_RCPT:
                return a_talk_address(&e->rcpt.to);
        case SMTP_ON_DATA:
                return slice_eq(buf_slice(&t->from), S("nodata")) ? smtp_text(SMTP_TEXT_LATER, language) : yes;
        case SMTP_ON_END:
                return a_talk_has(buf_slice(&t->message), S("X-Refuse"))  ? smtp_text(SMTP_TEXT_REFUSED, language)
                       : a_talk_has(buf_slice(&t->message), S("X-Later")) ? smtp_text(SMTP_TEXT_LATER, language)
                                                                          : yes;
        default:
                return yes;
        }
}

static inline bool a_talk_is_question(enum smtp_on on)
{
        return on == SMTP_ON_HELO || on == SMTP_ON_LOGIN || on == SMTP_ON_AUTH || on == SMTP_ON_XCLIENT ||
               on == SMTP_ON_MAIL || on == SMTP_ON_RCPT || on == SMTP_ON_DATA || on == SMTP_ON_END;
}

/* What must hold whatever the client did. */
static inline void a_talk_check(const struct a_talk *t)
{
        const struct smtp_server *s = &t->server;
        if (!s->mail && s->rcpts)
                panic("recipients without MAIL");
        if (s->mail && s->state != SMTP_READY && s->state != SMTP_DATA)
                panic("a transaction in state %s", smtp_state_name(s->state));
        if (s->state == SMTP_AUTH && !s->sasl)
                panic("AUTH without an exchange");
        if (s->authenticated && !s->tls && !s->rules->auth_without_tls)
                panic("a password in clear");
}

static inline void a_talk_piece(struct a_talk *t, struct slice in)
{
        struct smtp_event e;
        while (smtp_server_next(&t->server, t->now, &in, &t->out, &e) != SMTP_ON_NOTHING) {
                a_talk_check(t);
                if (e.on == SMTP_ON_BYTES) {
                        buf_add(&t->message, e.text);
                        continue;
                }
                if (!t->silent) {
                        a_talk_flush(t);
                        a_talk_write_down(t, &e);
                }
                if (e.on == SMTP_ON_END && e.size != t->message.n)
                        panic("a message of %zu bytes counted as %llu", t->message.n, (unsigned long long)e.size);
                struct smtp_reply r = a_talk_decide(t, &e);
                if (e.on == SMTP_ON_END || e.on == SMTP_ON_BROKEN)
                        buf_clear(&t->message);
                if (e.on == SMTP_ON_END && !r.code)
                        t->accepted++;
                if (t->way == ANSWERED_LATER && a_talk_is_question(e.on)) {
                        smtp_server_hold(&t->server, &in);
                        if (smtp_server_next(&t->server, t->now, &in, &t->out, &e) != SMTP_ON_NOTHING)
                                panic("two questions at once");
                        if (smtp_server_wants_input(&t->server))
                                panic("input is wanted while a question waits");
                        smtp_server_answer(&t->server, t->now, &r, &t->out);
                } else if (a_talk_is_question(e.on)) {
                        smtp_server_answer(&t->server, t->now, &r, &t->out);
                }
                a_talk_check(t);
        }
        if (in.n)
                smtp_server_hold(&t->server, &in);
}

static inline void a_talk_feed(struct a_talk *t, struct slice in)
{
        if (t->way == BYTE_BY_BYTE && in.n)
                for (size_t i = 0; i < in.n; i++)
                        a_talk_piece(t, (struct slice){ in.p + i, 1 });
        else
                a_talk_piece(t, in);
        if (!t->silent)
                a_talk_flush(t);
}
