/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"
#include "smtp/server_inside.h"

struct smtp_held {
        size_t n, at;
        char bytes[];
};

#define STATE_NAME(id) #id,
const char *smtp_state_name(enum smtp_state state)
{
        static const char *const names[] = { SMTP_STATES(STATE_NAME) };
        return names[state];
}

void smtp_server_init(struct smtp_server *s, const struct smtp_rules *rules, uint64_t id, int64_t now)
{
        *s = (struct smtp_server){ .rules = rules, .id = id, .state = SMTP_NEW, .deadline = TIME_NEVER };
        s->ends = rules->conversation_wait ? now + rules->conversation_wait : TIME_NEVER;
}

static void drop_held(struct smtp_server *s)
{
        if (s->held)
                explicit_bzero(s->held->bytes, s->held->n); /* a password may have stood here */
        free(s->held);
        s->held = NULL;
}

void smtp_server_done(struct smtp_server *s)
{
        drop_held(s);
        smtp_line_done(&s->line);
        server_end_auth(s);
}

/* ---- what the verbs use ---- */

void server_shut(struct smtp_server *s, enum smtp_why why)
{
        if (s->state == SMTP_CLOSED)
                return;
        server_reset(s);
        server_end_auth(s);
        s->state = SMTP_CLOSED;
        s->asked = SMTP_ON_NOTHING;
        s->why = (uint8_t)why;
        s->deadline = TIME_NEVER;
}

void server_put(struct smtp_server *s, struct buf *out, const struct smtp_reply *r)
{
        smtp_reply_put(out, r, s->id);
        if (r->code == 421)
                server_shut(s, SMTP_WHY_ANSWER);
        if (r->code < 500 || s->state == SMTP_CLOSED)
                return;
        s->errors++;
        if (s->rules->errors_most && s->errors >= s->rules->errors_most) {
                struct smtp_reply last = smtp_text(SMTP_TEXT_MANY_ERRORS, s->rules->language);
                smtp_reply_put(out, &last, s->id);
                server_shut(s, SMTP_WHY_ERRORS);
        }
}

void server_say(struct smtp_server *s, struct buf *out, enum smtp_text id)
{
        struct smtp_reply r = smtp_text(id, s->rules->language);
        server_put(s, out, &r);
}

bool server_reset(struct smtp_server *s)
{
        bool was = s->mail;
        s->mail = false;
        s->utf8 = false;
        s->ahead = false;
        s->rcpts = 0;
        return was;
}

void server_end_auth(struct smtp_server *s)
{
        if (s->sasl)
                smtp_sasl_done(s->sasl);
        free(s->sasl);
        s->sasl = NULL;
        if (s->state == SMTP_AUTH)
                s->state = SMTP_READY;
}

void server_arm(struct smtp_server *s, int64_t now)
{
        int64_t wait = s->state == SMTP_DATA ? s->rules->data_wait : s->rules->command_wait;
        s->deadline = wait ? now + wait : TIME_NEVER;
        if (s->state != SMTP_DATA && s->ends < s->deadline)
                s->deadline = s->ends;
}

enum smtp_on server_ask(struct step *t, enum smtp_on on)
{
        t->s->asked = (uint8_t)on;
        t->s->deadline = TIME_NEVER;
        return on;
}

/* ---- input ---- */

static enum smtp_on data_step(struct step *t, struct slice *in)
{
        struct smtp_server *s = t->s;
        uint64_t before = s->data.size;
        enum smtp_data_found found = smtp_data_next(&s->data, in, &t->e->text);
        if (s->data.size / SMTP_DATA_STEP != before / SMTP_DATA_STEP)
                server_arm(s, t->now);
        switch (found) {
        case SMTP_DATA_MORE:
                return SMTP_ON_NOTHING;
        case SMTP_DATA_BYTES:
                return SMTP_ON_BYTES;
        case SMTP_DATA_BROKEN:
                t->e->fault = s->data.fault;
                return SMTP_ON_BROKEN;
        case SMTP_DATA_END:
                break;
        }
        s->state = SMTP_READY;
        if (s->data.fault == SMTP_DATA_CLEAN) {
                t->e->size = s->data.size;
                return server_ask(t, SMTP_ON_END);
        }
        server_reset(s);
        server_say(s, t->out, s->data.fault == SMTP_DATA_TOO_BIG ? SMTP_TEXT_TOO_BIG : SMTP_TEXT_BARE_BYTES);
        server_arm(s, t->now);
        return SMTP_ON_NOTHING;
}

static bool may_log_in(const struct smtp_server *s)
{
        return (s->rules->offers & SMTP_EXT_AUTH) && !s->authenticated;
}

/* A line that is none. */
static void refuse_line(struct step *t, enum smtp_line_found found)
{
        struct smtp_server *s = t->s;
        bool authing = s->state == SMTP_AUTH;
        server_end_auth(s);
        if (found == SMTP_LINE_LONG) {
                server_say(s, t->out, authing ? SMTP_TEXT_AUTH_LONG : SMTP_TEXT_LONG);
                return;
        }
        s->did |= SMTP_DID_BARE;
        server_say(s, t->out, SMTP_TEXT_BARE);
}

static enum smtp_on line_step(struct step *t, struct slice *in, bool held_behind)
{
        struct smtp_server *s = t->s;
        struct slice line;
        uint32_t most = s->rules->line_most ? s->rules->line_most : SMTP_LINE_MOST;
        if (may_log_in(s) && most < SMTP_LINE_AUTH_MOST)
                most = SMTP_LINE_AUTH_MOST;
        bool first = s->state == SMTP_FRESH && s->commands == 0 && smtp_line_fresh(&s->line);
        if (first && !s->tls && in->p[0] == 0x16) { /* a TLS record: handshake */
                s->did |= SMTP_DID_TLS_HELLO;
                server_say(s, t->out, SMTP_TEXT_TLS_HELLO);
                s->why = SMTP_WHY_TLS_HELLO;
                return SMTP_ON_NOTHING;
        }
        enum smtp_line_found found = smtp_line_next(&s->line, in, most, &line);
        if (found == SMTP_LINE_MORE)
                return SMTP_ON_NOTHING;
        server_arm(s, t->now);
        t->more = in->n || held_behind;
        s->commands++;
        if (s->rules->commands_most && s->commands > s->rules->commands_most) {
                server_say(s, t->out, SMTP_TEXT_MANY_COMMANDS);
                s->why = SMTP_WHY_COMMANDS;
                return SMTP_ON_NOTHING;
        }
        if (found != SMTP_LINE) {
                refuse_line(t, found);
                return SMTP_ON_NOTHING;
        }
        return s->state == SMTP_AUTH ? server_auth_line(t, line) : server_command(t, line);
}

static enum smtp_on one_step(struct step *t, struct slice *in, bool held_behind)
{
        struct smtp_server *s = t->s;
        bool told = s->did & SMTP_DID_TALK_EARLY;
        switch ((enum smtp_state)s->state) {
        case SMTP_NEW:
                s->did |= SMTP_DID_TALK_EARLY;
                return told ? SMTP_ON_NOTHING : SMTP_ON_EARLY;
        case SMTP_SHAKING: /* text where the handshake was due */
                s->did |= SMTP_DID_INJECT;
                server_shut(s, SMTP_WHY_INJECTED);
                return SMTP_ON_NOTHING;
        case SMTP_DATA:
                return data_step(t, in);
        default:
                return line_step(t, in, held_behind);
        }
}

static enum smtp_on closed(struct smtp_server *s, struct slice *in, struct smtp_event *e)
{
        *in = slice_from(*in, in->n);
        drop_held(s);
        smtp_line_done(&s->line);
        if (s->told_close)
                return SMTP_ON_NOTHING;
        s->told_close = true;
        e->why = s->why;
        return SMTP_ON_CLOSE;
}

enum smtp_on smtp_server_next(struct smtp_server *s, int64_t now, struct slice *in, struct buf *out,
                              struct smtp_event *ret)
{
        struct step t = { .s = s, .now = now, .out = out, .e = ret };
        enum smtp_on on = SMTP_ON_NOTHING;
        *ret = (struct smtp_event){ .on = SMTP_ON_NOTHING };
        if (s->asked)
                return SMTP_ON_NOTHING;
        while (on == SMTP_ON_NOTHING && s->state != SMTP_CLOSED) {
                if (s->held && s->held->at == s->held->n)
                        drop_held(s);
                struct slice held = s->held ? (struct slice){ s->held->bytes + s->held->at, s->held->n - s->held->at }
                                            : (struct slice){ NULL, 0 };
                struct slice *from = s->held ? &held : in;
                if (from->n == 0)
                        break;
                size_t before = from->n;
                on = one_step(&t, from, from == &held && in->n);
                if (s->held)
                        s->held->at += before - held.n;
                if (s->state == SMTP_NEW)
                        break;
        }
        if (s->state == SMTP_CLOSED && on == SMTP_ON_NOTHING)
                on = closed(s, in, ret);
        if (on == SMTP_ON_NOTHING && s->line.given)
                smtp_line_done(&s->line);
        ret->on = on;
        return on;
}

void smtp_server_hold(struct smtp_server *s, struct slice *in)
{
        size_t old = s->held ? s->held->n - s->held->at : 0, n = old + in->n;
        if (in->n == 0 || s->state == SMTP_CLOSED)
                return;
        if (n > SMTP_HELD_MOST || s->state == SMTP_SHAKING) {
                s->did |= s->state == SMTP_SHAKING ? SMTP_DID_INJECT : 0;
                server_shut(s, s->state == SMTP_SHAKING ? SMTP_WHY_INJECTED : SMTP_WHY_FLOODED);
                return;
        }
        struct smtp_held *h = xmalloc(sizeof *h + n);
        *h = (struct smtp_held){ .n = n };
        if (old)
                memcpy(h->bytes, s->held->bytes + s->held->at, old);
        memcpy(h->bytes + old, in->p, in->n);
        drop_held(s);
        s->held = h;
        *in = slice_from(*in, in->n);
}

bool smtp_server_wants_input(const struct smtp_server *s)
{
        return !s->asked && s->state != SMTP_CLOSED && s->state != SMTP_SHAKING &&
               !(s->held && s->held->at < s->held->n);
}

/* ---- the driver's side ---- */

void smtp_server_greet(struct smtp_server *s, int64_t now, const struct smtp_reply *r, struct buf *out)
{
        if (s->state != SMTP_NEW)
                panic("greeted twice");
        s->state = SMTP_FRESH;
        server_arm(s, now);
        if (r && r->code >= 400) {
                smtp_reply_put(out, r, s->id);
                server_shut(s, SMTP_WHY_ANSWER);
                return;
        }
        buf_adds(out, "220 ");
        buf_add(out, s->rules->host);
        buf_adds(out, " ESMTP\r\n");
}

void smtp_server_answer(struct smtp_server *s, int64_t now, const struct smtp_reply *r, struct buf *out)
{
        enum smtp_on asked = s->asked;
        if (s->state == SMTP_CLOSED)
                return; /* it was ended while the driver thought */
        if (!asked)
                panic("an answer that nobody asked for");
        s->asked = SMTP_ON_NOTHING;
        if (!r || r->code < 300) {
                server_accepted(s, asked, r && r->code ? r : NULL, out);
        } else {
                server_put(s, out, r);
                server_refused(s, asked);
        }
        if (s->state != SMTP_CLOSED)
                server_arm(s, now);
}

void smtp_server_answer_text(struct smtp_server *s, int64_t now, enum smtp_text id, struct buf *out)
{
        struct smtp_reply r = smtp_text(id, s->rules->language);
        smtp_server_answer(s, now, &r, out);
}

void smtp_server_tls(struct smtp_server *s, int64_t now, bool good)
{
        if (s->state == SMTP_CLOSED)
                return;
        if (!good) {
                server_shut(s, SMTP_WHY_TLS_FAILED);
                return;
        }
        drop_held(s);
        smtp_line_done(&s->line);
        s->tls = true;
        s->esmtp = false;
        if (s->state == SMTP_SHAKING)
                s->state = SMTP_FRESH;
        server_arm(s, now);
}

void smtp_server_timeout(struct smtp_server *s, struct buf *out)
{
        if (s->state == SMTP_CLOSED)
                return;
        if (s->state != SMTP_SHAKING)
                server_say(s, out, SMTP_TEXT_TIMEOUT);
        server_shut(s, SMTP_WHY_TIMEOUT);
        s->why = SMTP_WHY_TIMEOUT;
}

void smtp_server_stop(struct smtp_server *s, struct buf *out)
{
        if (s->state == SMTP_CLOSED)
                return;
        if (s->state != SMTP_SHAKING)
                server_say(s, out, SMTP_TEXT_SHUTDOWN);
        server_shut(s, SMTP_WHY_SHUTDOWN);
        s->why = SMTP_WHY_SHUTDOWN;
}
