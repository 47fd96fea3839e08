/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/client.h"

#include "base/time.h"
#include "smtp/xtext.h"

enum { DATA_MINUTES = 3 }; /* for each piece of a message (RFC 5321 4.5.3.2.5) */

#define STATE_NAME(id) #id,
const char *smtp_client_state_name(enum smtp_client_state state)
{
        static const char *const names[] = { SMTP_CLIENT_STATES(STATE_NAME) };
        return names[state];
}

#define OUTCOME_NAME(id, name) name,
const char *smtp_outcome_name(enum smtp_outcome outcome)
{
        static const char *const names[] = { SMTP_OUTCOMES(OUTCOME_NAME) };
        return names[outcome];
}

/* ---- what waits for a reply ---- */

static enum smtp_sent waits_first(const struct smtp_client *c)
{
        return c->queue[c->first];
}

/* The deadline is that of the command whose reply is due next. */
static void arm(struct smtp_client *c, int64_t now)
{
#define WAIT_ROW(id, minutes) [SMTP_SENT_##id] = minutes,
        static const uint8_t minutes[] = { SMTP_CLIENT_COMMANDS(WAIT_ROW) };
        if (c->state == SMTP_CLIENT_SHAKING)
                c->deadline = now + minutes[SMTP_SENT_STARTTLS] * MINUTE;
        else if (c->waiting)
                c->deadline = now + minutes[waits_first(c)] * MINUTE;
        else
                c->deadline = c->state == SMTP_CLIENT_DATA ? now + DATA_MINUTES * MINUTE : TIME_NEVER;
}

static void push(struct smtp_client *c, int64_t now, enum smtp_sent command)
{
        c->queue[(c->first + c->waiting) % SMTP_CLIENT_QUEUE] = (uint8_t)command;
        if (c->waiting++ == 0)
                arm(c, now);
}

static enum smtp_sent pop(struct smtp_client *c)
{
        enum smtp_sent command = waits_first(c);
        c->first = (c->first + 1) % SMTP_CLIENT_QUEUE;
        c->waiting--;
        return command;
}

static bool waits_for(const struct smtp_client *c, enum smtp_sent command)
{
        for (unsigned i = 0; i < c->waiting; i++)
                if (c->queue[(c->first + i) % SMTP_CLIENT_QUEUE] == command)
                        return true;
        return false;
}

static void go(struct smtp_client *c, enum smtp_outcome outcome)
{
        if (c->state == SMTP_CLIENT_GONE)
                return;
        c->state = SMTP_CLIENT_GONE;
        c->outcome = (uint8_t)outcome;
        c->deadline = TIME_NEVER;
}

void smtp_client_init(struct smtp_client *c, const struct smtp_client_rules *rules, int64_t now)
{
        *c = (struct smtp_client){ .rules = rules, .state = SMTP_CLIENT_GREETING };
        smtp_reader_init(&c->reader);
        push(c, now, SMTP_SENT_GREETING);
}

void smtp_client_done(struct smtp_client *c)
{
        smtp_reader_done(&c->reader);
}

/* ---- hello ---- */

static void say_hello(struct smtp_client *c, int64_t now, enum smtp_sent command, struct buf *out)
{
        c->offers = 0;
        c->xclient = 0;
        c->size_most = 0;
        c->rcpts_most = 0;
        c->state = SMTP_CLIENT_HELLO;
        buf_adds(out, command == SMTP_SENT_EHLO ? "EHLO " : "HELO ");
        buf_add(out, c->rules->helo);
        buf_adds(out, "\r\n");
        push(c, now, command);
}

static void read_values(struct smtp_client *c, enum smtp_extension extension, struct slice values)
{
        while (values.p) {
                struct slice number, word = slice_cut(values, ' ', &values);
                struct slice key = slice_cut(word, '=', &number);
                uint64_t n = 0;
                if (extension == SMTP_EXT_SIZE)
                        slice_u64(word, UINT64_MAX, &c->size_most);
                if (extension == SMTP_EXT_LIMITS && slice_ieq(key, S("RCPTMAX")) && slice_u64(number, 999999, &n))
                        c->rcpts_most = (uint32_t)n;
                for (size_t a = 0; extension == SMTP_EXT_XCLIENT && a < SMTP_XCLIENT_COUNT; a++)
                        if (slice_ieq(word, slice_of(smtp_xclient_name(a))))
                                c->xclient |= 1u << a;
        }
}

/* The lines behind the first: a keyword and its values each. */
static void read_offers(struct smtp_client *c, struct slice text)
{
        static const struct {
                struct slice keyword;
                enum smtp_extension extension;
        } rows[] = {
                { S("PIPELINING"), SMTP_EXT_PIPELINING },
                { S("8BITMIME"), SMTP_EXT_8BITMIME },
                { S("SIZE"), SMTP_EXT_SIZE },
                { S("SMTPUTF8"), SMTP_EXT_SMTPUTF8 },
                { S("DSN"), SMTP_EXT_DSN },
                { S("STARTTLS"), SMTP_EXT_STARTTLS },
                { S("AUTH"), SMTP_EXT_AUTH },
                { S("LIMITS"), SMTP_EXT_LIMITS },
                { S("ENHANCEDSTATUSCODES"), SMTP_EXT_ENHANCED },
                { S("XCLIENT"), SMTP_EXT_XCLIENT },
        };
        slice_cut(text, '\n', &text);
        while (text.p) {
                struct slice values, line = slice_cut(text, '\n', &text);
                struct slice keyword = slice_cut(line, ' ', &values);
                for (size_t i = 0; i < COUNT_OF(rows); i++)
                        if (slice_ieq(keyword, rows[i].keyword)) {
                                c->offers |= rows[i].extension;
                                read_values(c, rows[i].extension, values);
                        }
        }
}

static enum smtp_client_on become_ready(struct smtp_client *c)
{
        c->state = SMTP_CLIENT_READY;
        c->asked = c->answered = c->accepted = 0;
        c->unasked = false;
        return SMTP_CLIENT_ON_READY;
}

/* ---- replies ---- */

/* One call of smtp_client_next(). */
struct step {
        struct smtp_client *c;
        int64_t now;
        struct buf *out;
        struct smtp_client_event *e;
        bool more; /* bytes stand behind this reply */
};

static enum smtp_client_on on_greeting(struct step *t, unsigned code)
{
        if (code == 220)
                say_hello(t->c, t->now, SMTP_SENT_EHLO, t->out);
        else
                go(t->c, SMTP_OUTCOME_GREETING);
        return SMTP_CLIENT_ON_NOTHING;
}

static enum smtp_client_on on_hello(struct step *t, enum smtp_sent command, unsigned code)
{
        struct smtp_client *c = t->c;
        if (code != 250) {
                if (command == SMTP_SENT_EHLO && code >= 500 && !c->tls)
                        say_hello(c, t->now, SMTP_SENT_HELO, t->out);
                else
                        go(c, SMTP_OUTCOME_HELO);
                return SMTP_CLIENT_ON_NOTHING;
        }
        if (command == SMTP_SENT_EHLO)
                read_offers(c, t->e->reply.text);
        if (c->tls || c->rules->tls == SMTP_TLS_NEVER)
                return become_ready(c);
        if (c->offers & SMTP_EXT_STARTTLS) {
                buf_adds(t->out, "STARTTLS\r\n");
                push(c, t->now, SMTP_SENT_STARTTLS);
                return SMTP_CLIENT_ON_NOTHING;
        }
        if (c->rules->tls == SMTP_TLS_MAY)
                return become_ready(c);
        go(c, SMTP_OUTCOME_NO_TLS);
        return SMTP_CLIENT_ON_NOTHING;
}

static enum smtp_client_on on_starttls(struct step *t, unsigned code)
{
        struct smtp_client *c = t->c;
        if (t->more) {
                go(c, SMTP_OUTCOME_INJECTED);
                return SMTP_CLIENT_ON_NOTHING;
        }
        if (code == 220) {
                c->state = SMTP_CLIENT_SHAKING;
                return SMTP_CLIENT_ON_TLS;
        }
        if (c->rules->tls == SMTP_TLS_MAY)
                return become_ready(c);
        go(c, SMTP_OUTCOME_TLS_REFUSED);
        return SMTP_CLIENT_ON_NOTHING;
}

static enum smtp_client_on on_xclient(struct step *t, unsigned code)
{
        if (code == 220)
                say_hello(t->c, t->now, SMTP_SENT_EHLO, t->out);
        else
                go(t->c, SMTP_OUTCOME_XCLIENT);
        return SMTP_CLIENT_ON_NOTHING;
}

static enum smtp_client_on on_data(struct step *t, unsigned code)
{
        struct smtp_client *c = t->c;
        if (code != 354) {
                c->state = SMTP_CLIENT_SPOILT;
                if (code < 400) /* neither "go ahead" nor a refusal */
                        go(c, SMTP_OUTCOME_UNEXPECTED);
                return code < 400 ? SMTP_CLIENT_ON_NOTHING : SMTP_CLIENT_ON_REPLY;
        }
        c->frame = (struct smtp_frame){ .state = 0 };
        if (c->accepted) {
                c->state = SMTP_CLIENT_DATA;
                return SMTP_CLIENT_ON_REPLY;
        }
        /* DATA went out before it was known that nobody is left: an empty message to nobody ends it (RFC 2920 3.1) */
        c->unasked = true;
        c->state = SMTP_CLIENT_ENDING;
        buf_add(t->out, smtp_frame_end(&c->frame));
        push(c, t->now, SMTP_SENT_DOT);
        return SMTP_CLIENT_ON_NOTHING;
}

static enum smtp_client_on on_dot(struct step *t)
{
        struct smtp_client *c = t->c;
        if (c->unasked) { /* whatever is said of it, it was no message */
                t->e->command = SMTP_SENT_DATA;
                if (t->e->reply.code < 400)
                        t->e->reply = smtp_text(SMTP_TEXT_RCPT_FIRST, SMTP_ENGLISH);
        }
        become_ready(c);
        return SMTP_CLIENT_ON_REPLY;
}

static enum smtp_client_on on_reply(struct step *t, enum smtp_sent command)
{
        struct smtp_client *c = t->c;
        unsigned code = t->e->reply.code;
        switch (command) {
        case SMTP_SENT_GREETING:
                return on_greeting(t, code);
        case SMTP_SENT_EHLO:
        case SMTP_SENT_HELO:
                return on_hello(t, command, code);
        case SMTP_SENT_STARTTLS:
                return on_starttls(t, code);
        case SMTP_SENT_XCLIENT:
                return on_xclient(t, code);
        case SMTP_SENT_MAIL:
                if (code >= 300 && c->state == SMTP_CLIENT_ENVELOPE)
                        c->state = SMTP_CLIENT_SPOILT;
                return SMTP_CLIENT_ON_REPLY;
        case SMTP_SENT_RCPT:
                t->e->index = c->answered++;
                c->accepted += code < 300;
                return SMTP_CLIENT_ON_REPLY;
        case SMTP_SENT_DATA:
                return on_data(t, code);
        case SMTP_SENT_DOT:
                return on_dot(t);
        case SMTP_SENT_RSET:
                if (code < 300)
                        return become_ready(c);
                go(c, SMTP_OUTCOME_RSET);
                return SMTP_CLIENT_ON_NOTHING;
        default:
                go(c, SMTP_OUTCOME_QUIT);
                return SMTP_CLIENT_ON_NOTHING;
        }
}

/* A whole reply was read. */
static enum smtp_client_on take_reply(struct step *t)
{
        struct smtp_client *c = t->c;
        t->e->reply = c->reader.reply;
        if (c->state == SMTP_CLIENT_QUITTING ||
            (t->e->reply.code == 421 && (!c->waiting || waits_first(c) != SMTP_SENT_GREETING))) {
                go(c, c->state == SMTP_CLIENT_QUITTING ? SMTP_OUTCOME_QUIT : SMTP_OUTCOME_HANGUP);
                return SMTP_CLIENT_ON_NOTHING;
        }
        bool halfway = t->e->reply.code / 100 == 3; /* 354 answers DATA, and nothing else */
        if (c->waiting == 0 || c->early || (halfway && waits_first(c) != SMTP_SENT_DATA)) {
                go(c, SMTP_OUTCOME_UNEXPECTED);
                return SMTP_CLIENT_ON_NOTHING;
        }
        t->e->command = pop(c);
        c->early = t->more && c->waiting == 0;
        enum smtp_client_on on = on_reply(t, t->e->command);
        if (c->state != SMTP_CLIENT_GONE)
                arm(c, t->now);
        return on;
}

enum smtp_client_on smtp_client_next(struct smtp_client *c, int64_t now, struct slice *in, struct buf *out,
                                     struct smtp_client_event *ret)
{
        enum smtp_client_on on = SMTP_CLIENT_ON_NOTHING;
        struct step t = { .c = c, .now = now, .out = out, .e = ret };
        *ret = (struct smtp_client_event){ .on = SMTP_CLIENT_ON_NOTHING };
        while (on == SMTP_CLIENT_ON_NOTHING && c->state != SMTP_CLIENT_GONE && in->n) {
                if (c->state == SMTP_CLIENT_SHAKING) {
                        go(c, SMTP_OUTCOME_INJECTED);
                        break;
                }
                enum smtp_read found = smtp_reader_next(&c->reader, in);
                t.more = in->n > 0;
                if (found == SMTP_READ_JUNK)
                        go(c, SMTP_OUTCOME_JUNK);
                else if (found == SMTP_READ_REPLY)
                        on = take_reply(&t);
        }
        if (c->state == SMTP_CLIENT_GONE && on == SMTP_CLIENT_ON_NOTHING && !c->told) {
                c->told = true;
                on = SMTP_CLIENT_ON_GONE;
                ret->outcome = c->outcome;
                ret->unsure = !c->unasked && waits_for(c, SMTP_SENT_DOT) && c->outcome != SMTP_OUTCOME_HANGUP;
        }
        if (c->state == SMTP_CLIENT_GONE)
                *in = slice_from(*in, in->n);
        ret->on = on;
        return on;
}

/* ---- what the driver asks for ---- */

void smtp_client_tls(struct smtp_client *c, int64_t now, bool good, struct buf *out)
{
        if (c->state != SMTP_CLIENT_SHAKING)
                return;
        if (!good) {
                go(c, SMTP_OUTCOME_TLS_FAILED);
                return;
        }
        c->tls = true;
        say_hello(c, now, SMTP_SENT_EHLO, out); /* what was offered in clear is forgotten (RFC 3207 4.2) */
}

enum smtp_can smtp_client_identify(struct smtp_client *c, int64_t now, const struct slice value[SMTP_XCLIENT_COUNT],
                                   struct buf *out)
{
        autobuf text;
        buf_init(&text, SMTP_HELO_MOST);
        unsigned must = 1u << SMTP_XCLIENT_ADDR | (value[SMTP_XCLIENT_LOGIN].n ? 1u << SMTP_XCLIENT_LOGIN : 0);
        if (c->state != SMTP_CLIENT_READY)
                return SMTP_CANNOT_NOW;
        if ((c->xclient & must) != must)
                return SMTP_CANNOT_XCLIENT;
        for (int writes = 0; writes < 2; writes++) { /* first only to see that all of it fits */
                if (writes)
                        buf_adds(out, "XCLIENT");
                for (enum smtp_xclient_attribute a = 0; a < SMTP_XCLIENT_COUNT; a++) {
                        /* Postfix knows no "unavailable" for PROTO; all others are told, lest the last client's stay */
                        if (!(c->xclient & 1u << a) || (a == SMTP_XCLIENT_PROTO && !value[a].n))
                                continue;
                        buf_clear(&text);
                        smtp_xtext_put(&text, value[a].n ? value[a] : S("[UNAVAILABLE]"));
                        if (text.full && a == SMTP_XCLIENT_LOGIN)
                                return SMTP_CANNOT_XCLIENT;
                        if (writes)
                                buf_addf(out, " %s=%s", smtp_xclient_name(a),
                                         text.full ? "[UNAVAILABLE]" : buf_cstr(&text));
                }
        }
        buf_adds(out, "\r\n");
        c->state = SMTP_CLIENT_HELLO;
        push(c, now, SMTP_SENT_XCLIENT);
        return SMTP_CAN;
}

bool smtp_client_may_send(const struct smtp_client *c)
{
        return c->waiting == 0 || (c->offers & SMTP_EXT_PIPELINING && c->waiting < SMTP_CLIENT_QUEUE);
}

static void put_path(struct buf *out, const char *verb, const struct smtp_path *p)
{
        buf_adds(out, verb);
        buf_addc(out, '<');
        smtp_path_print(p, out);
        buf_addc(out, '>');
}

static void put_value(struct buf *out, const char *key, struct slice value)
{
        if (value.p) {
                buf_adds(out, key);
                buf_add(out, value);
        }
}

enum smtp_can smtp_client_mail(struct smtp_client *c, int64_t now, const struct smtp_mail *m, struct buf *out)
{
        if (c->state != SMTP_CLIENT_READY)
                return SMTP_CANNOT_NOW;
        if (m->body == SMTP_BODY_8BITMIME && !(c->offers & SMTP_EXT_8BITMIME))
                return SMTP_CANNOT_8BITMIME;
        if ((m->utf8 || m->from.utf8) && !(c->offers & SMTP_EXT_SMTPUTF8))
                return SMTP_CANNOT_SMTPUTF8;
        if (c->size_most && m->size > c->size_most)
                return SMTP_CANNOT_SIZE;
        put_path(out, "MAIL FROM:", &m->from);
        if (m->size && c->offers & SMTP_EXT_SIZE)
                buf_addf(out, " SIZE=%llu", (unsigned long long)m->size);
        if (m->body && c->offers & SMTP_EXT_8BITMIME)
                buf_adds(out, m->body == SMTP_BODY_7BIT ? " BODY=7BIT" : " BODY=8BITMIME");
        if (m->utf8)
                buf_adds(out, " SMTPUTF8");
        if (m->ret && c->offers & SMTP_EXT_DSN)
                buf_adds(out, m->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
        if (c->offers & SMTP_EXT_DSN)
                put_value(out, " ENVID=", m->envid);
        if (c->offers & SMTP_EXT_AUTH)
                put_value(out, " AUTH=", m->auth);
        buf_adds(out, "\r\n");
        c->state = SMTP_CLIENT_ENVELOPE;
        push(c, now, SMTP_SENT_MAIL);
        return SMTP_CAN;
}

static void put_notify(struct buf *out, unsigned notify)
{
        static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
        const char *before = " NOTIFY=";
        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (notify & 1u << i) {
                        buf_addf(out, "%s%s", before, names[i]);
                        before = ",";
                }
}

enum smtp_can smtp_client_rcpt(struct smtp_client *c, int64_t now, const struct smtp_rcpt *r, struct buf *out)
{
        if (c->state != SMTP_CLIENT_ENVELOPE || !smtp_client_may_send(c) || waits_for(c, SMTP_SENT_DATA))
                return SMTP_CANNOT_NOW;
        if (r->to.utf8 && !(c->offers & SMTP_EXT_SMTPUTF8))
                return SMTP_CANNOT_SMTPUTF8;
        put_path(out, "RCPT TO:", &r->to);
        if (c->offers & SMTP_EXT_DSN) {
                put_notify(out, r->notify);
                put_value(out, " ORCPT=", r->orcpt);
        }
        buf_adds(out, "\r\n");
        c->asked++;
        push(c, now, SMTP_SENT_RCPT);
        return SMTP_CAN;
}

enum smtp_can smtp_client_data(struct smtp_client *c, int64_t now, struct buf *out)
{
        bool hopeless = c->asked == c->answered && !c->accepted;
        if (c->state != SMTP_CLIENT_ENVELOPE || !smtp_client_may_send(c) || hopeless || waits_for(c, SMTP_SENT_DATA))
                return SMTP_CANNOT_NOW;
        buf_adds(out, "DATA\r\n");
        push(c, now, SMTP_SENT_DATA);
        return SMTP_CAN;
}

bool smtp_client_bytes(struct smtp_client *c, int64_t now, struct slice in, struct buf *out)
{
        struct slice span;
        if (c->state != SMTP_CLIENT_DATA)
                return false;
        while (smtp_frame_next(&c->frame, &in, &span))
                buf_add(out, span);
        if (c->frame.bad)
                go(c, SMTP_OUTCOME_BARE);
        else
                arm(c, now);
        return !c->frame.bad;
}

bool smtp_client_end(struct smtp_client *c, int64_t now, struct buf *out)
{
        struct slice end = smtp_frame_end(&c->frame);
        if (c->state != SMTP_CLIENT_DATA)
                return false;
        if (end.n == 0) {
                go(c, SMTP_OUTCOME_BARE);
                return false;
        }
        buf_add(out, end);
        c->state = SMTP_CLIENT_ENDING;
        push(c, now, SMTP_SENT_DOT);
        return true;
}

enum smtp_can smtp_client_reset(struct smtp_client *c, int64_t now, struct buf *out)
{
        bool good = c->state == SMTP_CLIENT_READY || c->state == SMTP_CLIENT_ENVELOPE || c->state == SMTP_CLIENT_SPOILT;
        if (!good || waits_for(c, SMTP_SENT_DATA) || !smtp_client_may_send(c))
                return SMTP_CANNOT_NOW;
        buf_adds(out, "RSET\r\n");
        c->state = SMTP_CLIENT_RESETTING;
        push(c, now, SMTP_SENT_RSET);
        return SMTP_CAN;
}

void smtp_client_quit(struct smtp_client *c, int64_t now, struct buf *out)
{
        bool in_message = c->state == SMTP_CLIENT_DATA || c->state == SMTP_CLIENT_ENDING;
        if (c->state == SMTP_CLIENT_GONE || c->state == SMTP_CLIENT_QUITTING)
                return;
        if (in_message || c->state == SMTP_CLIENT_SHAKING || !smtp_client_may_send(c)) {
                go(c, SMTP_OUTCOME_QUIT);
                return;
        }
        buf_adds(out, "QUIT\r\n");
        c->state = SMTP_CLIENT_QUITTING;
        push(c, now, SMTP_SENT_QUIT);
}

void smtp_client_closed(struct smtp_client *c)
{
        go(c, c->state == SMTP_CLIENT_QUITTING ? SMTP_OUTCOME_QUIT : SMTP_OUTCOME_CLOSED);
}

void smtp_client_timeout(struct smtp_client *c)
{
        go(c, c->state == SMTP_CLIENT_QUITTING ? SMTP_OUTCOME_QUIT : SMTP_OUTCOME_TIMEOUT);
}
