/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/server_verbs.c - what each command does once the table in command.h has let it pass. A handler answers, asks, or shuts. */
#include "smtp/server_inside.h"

static enum smtp_on say(struct step *t, enum smtp_text id)
{
        server_say(t->s, t->out, id);
        return SMTP_ON_NOTHING;
}

/* Says 421 and closes; `why` is ours, not "the driver said so". */
static enum smtp_on shut(struct step *t, enum smtp_text id, enum smtp_why why)
{
        server_say(t->s, t->out, id);
        server_shut(t->s, why);
        t->s->why = (uint8_t)why;
        return SMTP_ON_NOTHING;
}

/* 530 with the role's own words, which say where help is. */
static enum smtp_on say_words(struct step *t, enum smtp_text id, struct slice words)
{
        struct smtp_reply r = smtp_text(id, t->s->rules->language);
        if (words.n)
                r.text = words;
        server_put(t->s, t->out, &r);
        return SMTP_ON_NOTHING;
}

static enum smtp_on say_args(struct step *t, enum smtp_args wrong, enum smtp_text address)
{
        static const enum smtp_text texts[] = { [SMTP_ARGS_SYNTAX] = SMTP_TEXT_SYNTAX,
                                                [SMTP_ARGS_UNKNOWN] = SMTP_TEXT_PARAMETER,
                                                [SMTP_ARGS_UTF8] = SMTP_TEXT_NEEDS_UTF8 };
        return say(t, wrong == SMTP_ARGS_ADDRESS ? address : texts[wrong]);
}

/* ---- greetings ---- */

static bool is_helo_name(struct slice s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)
                        return false;
        return s.n <= SMTP_HELO_MOST;
}

/* Any name is taken, even one with blanks or in Latin-1: it is what the customer called his computer, and RFC 5321 4.1.4 lets nobody
 * be refused for it. It is evidence, never an address. */
static enum smtp_on on_helo(struct step *t, struct slice args, bool esmtp)
{
        if (!is_helo_name(args))
                return say(t, SMTP_TEXT_SYNTAX);
        server_reset(t->s);
        t->s->did |= esmtp ? SMTP_DID_EHLO : SMTP_DID_HELO;
        t->s->esmtp = esmtp;
        t->e->esmtp = esmtp;
        t->e->text = args;
        return server_ask(t, SMTP_ON_HELO);
}

static bool offers_auth(const struct smtp_server *s)
{
        return (s->rules->offers & SMTP_EXT_AUTH) && (s->tls || s->rules->auth_without_tls);
}

static void put_limits(const struct smtp_rules *r, struct buf *out)
{
        if (!(r->offers & SMTP_EXT_LIMITS) || (!r->rcpts_most && !r->messages_most))
                return;
        buf_adds(out, "250-LIMITS"); /* RFC 9422 4: values of one to six digits */
        if (r->messages_most)
                buf_addf(out, " MAILMAX=%u", r->messages_most < 999999 ? r->messages_most : 999999);
        if (r->rcpts_most)
                buf_addf(out, " RCPTMAX=%u", r->rcpts_most < 999999 ? r->rcpts_most : 999999);
        buf_adds(out, "\r\n");
}

static void put_offers(const struct smtp_server *s, struct buf *out)
{
        static const struct {
                enum smtp_extension extension;
                struct slice line;
        } plain[] = {
                { SMTP_EXT_PIPELINING, S("250-PIPELINING\r\n") },
                { SMTP_EXT_8BITMIME, S("250-8BITMIME\r\n") },
                { SMTP_EXT_SMTPUTF8, S("250-SMTPUTF8\r\n") },
                { SMTP_EXT_DSN, S("250-DSN\r\n") },
                { SMTP_EXT_HELP, S("250-HELP\r\n") },
        };
        const struct smtp_rules *r = s->rules;
        for (size_t i = 0; i < COUNT_OF(plain); i++)
                if (r->offers & plain[i].extension)
                        buf_add(out, plain[i].line);
        if (r->offers & SMTP_EXT_SIZE)
                buf_addf(out, "250-SIZE %llu\r\n", (unsigned long long)r->size_most);
        if ((r->offers & SMTP_EXT_STARTTLS) && !s->tls)
                buf_adds(out, "250-STARTTLS\r\n");
        if (offers_auth(s))
                buf_adds(out, "250-AUTH PLAIN LOGIN\r\n");
        put_limits(r, out);
        if (r->offers & SMTP_EXT_XCLIENT)
                buf_adds(out, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n");
}

static void put_helo(const struct smtp_server *s, struct buf *out)
{
        size_t at = out->n;
        buf_adds(out, "250-");
        buf_add(out, s->rules->host);
        buf_adds(out, "\r\n");
        if (s->esmtp) {
                put_offers(s, out);
                if (s->rules->offers & SMTP_EXT_ENHANCED)
                        buf_adds(out, "250-ENHANCEDSTATUSCODES\r\n");
        }
        if (out->full)
                return;
        for (size_t i = at; i + 2 < out->n; i++) /* the last line is the one that is not continued */
                if (out->p[i] == '\n')
                        at = i + 1;
        out->p[at + 3] = ' ';
}

static enum smtp_on on_starttls(struct step *t)
{
        struct smtp_server *s = t->s;
        if (t->more) {
                s->did |= SMTP_DID_INJECT;
                return shut(t, SMTP_TEXT_TLS_BEHIND, SMTP_WHY_INJECTED);
        }
        s->state = SMTP_SHAKING;
        s->authenticated = false;
        server_arm(s, t->now);
        server_say(s, t->out, SMTP_TEXT_TLS_READY);
        return SMTP_ON_TLS;
}

/* ---- AUTH ---- */

static void put_challenge(struct smtp_server *s, struct buf *out)
{
        buf_adds(out, "334 ");
        buf_add(out, smtp_sasl_challenge(s->sasl));
        buf_adds(out, "\r\n");
        s->state = SMTP_AUTH;
}

static enum smtp_on auth_result(struct step *t, enum smtp_sasl_found found)
{
        struct smtp_server *s = t->s;
        t->e->mechanism = s->sasl->mechanism;
        t->e->login = s->sasl->name;
        t->e->password = s->sasl->password;
        t->e->authzid = s->sasl->authzid;
        switch (found) {
        case SMTP_SASL_ASK:
                put_challenge(s, t->out);
                return SMTP_ON_NOTHING;
        case SMTP_SASL_NAME:
                return server_ask(t, SMTP_ON_LOGIN);
        case SMTP_SASL_WHOLE:
                return server_ask(t, SMTP_ON_AUTH);
        default:
                server_end_auth(s);
                return say(t, found == SMTP_SASL_CANCELLED ? SMTP_TEXT_AUTH_CANCELLED : SMTP_TEXT_AUTH_BAD);
        }
}

enum smtp_on server_auth_line(struct step *t, struct slice line)
{
        return auth_result(t, smtp_sasl_line(t->s->sasl, line));
}

static enum smtp_on on_auth(struct step *t, struct slice args)
{
        struct smtp_server *s = t->s;
        struct slice initial, word = slice_cut(args, ' ', &initial);
        while (initial.n && initial.p[0] == ' ')
                initial = slice_from(initial, 1);
        enum smtp_mechanism mechanism = smtp_mechanism_of(word);
        if (s->authenticated)
                return say(t, SMTP_TEXT_AUTH_TWICE);
        if (!offers_auth(s))
                return say_words(t, SMTP_TEXT_AUTH_TLS, s->rules->tls_words);
        if (mechanism == SMTP_MECHANISM_NONE)
                return say(t, SMTP_TEXT_AUTH_MECHANISM);
        s->sasl = xcalloc(1, sizeof *s->sasl);
        return auth_result(t, smtp_sasl_begin(s->sasl, mechanism, initial));
}

/* ---- a message ---- */

static enum smtp_on on_mail(struct step *t, struct slice args)
{
        struct smtp_server *s = t->s;
        const struct smtp_rules *r = s->rules;
        enum smtp_args wrong = smtp_mail_parse(args, r->offers, &t->e->mail);
        if (wrong)
                return say_args(t, wrong, SMTP_TEXT_BAD_SENDER);
        if (r->messages_most && s->messages >= r->messages_most)
                return shut(t, SMTP_TEXT_MANY_MAIL, SMTP_WHY_MESSAGES);
        if (r->size_most && t->e->mail.size > r->size_most)
                return say(t, SMTP_TEXT_TOO_BIG);
        s->utf8 = t->e->mail.utf8;
        return server_ask(t, SMTP_ON_MAIL);
}

static enum smtp_on on_rcpt(struct step *t, struct slice args)
{
        struct smtp_server *s = t->s;
        enum smtp_args wrong = smtp_rcpt_parse(args, s->rules->offers, s->utf8, &t->e->rcpt);
        if (wrong)
                return say_args(t, wrong, SMTP_TEXT_BAD_RCPT);
        if (s->rules->rcpts_most && s->rcpts >= s->rules->rcpts_most)
                return say(t, SMTP_TEXT_MANY_RCPT);
        return server_ask(t, SMTP_ON_RCPT);
}

static enum smtp_on on_data(struct step *t)
{
        t->s->ahead = t->more;
        if (t->s->rcpts == 0)
                return say(t, SMTP_TEXT_RCPT_FIRST);
        return server_ask(t, SMTP_ON_DATA);
}

static enum smtp_on on_xclient(struct step *t, struct slice args)
{
        if (smtp_xclient_parse(args, &t->e->xclient))
                return say(t, SMTP_TEXT_SYNTAX);
        return server_ask(t, SMTP_ON_XCLIENT);
}

static enum smtp_on on_rset(struct step *t)
{
        bool was = server_reset(t->s);
        server_say(t->s, t->out, SMTP_TEXT_OK);
        return was ? SMTP_ON_RESET : SMTP_ON_NOTHING;
}

static enum smtp_on on_quit(struct step *t)
{
        t->s->did |= SMTP_DID_QUIT;
        return shut(t, SMTP_TEXT_BYE, SMTP_WHY_QUIT);
}

/* ---- what may stand where ---- */

static enum smtp_on never(struct step *t, enum smtp_verb verb)
{
        if (verb == SMTP_VERB_HTTP) {
                t->s->did |= SMTP_DID_HTTP;
                return shut(t, SMTP_TEXT_HTTP, SMTP_WHY_HTTP);
        }
        if (verb == SMTP_VERB_BDAT)
                t->s->did |= SMTP_DID_BDAT;
        return say(t, verb == SMTP_VERB_OTHER ? SMTP_TEXT_UNKNOWN : SMTP_TEXT_NOT_HERE);
}

static bool is_offered(const struct smtp_server *s, enum smtp_verb verb)
{
        unsigned need = verb == SMTP_VERB_STARTTLS  ? SMTP_EXT_STARTTLS
                        : verb == SMTP_VERB_AUTH    ? SMTP_EXT_AUTH
                        : verb == SMTP_VERB_XCLIENT ? SMTP_EXT_XCLIENT
                                                    : 0;
        return !need || s->rules->offers & need;
}

/* True where the command may run; otherwise the refusal was said. */
static bool allowed(struct step *t, enum smtp_verb verb, struct slice args)
{
        const struct smtp_server *s = t->s;
        const struct smtp_rules *r = s->rules;
        unsigned needs = smtp_verb_needs(verb);
        if (!is_offered(s, verb))
                say(t, SMTP_TEXT_NOT_HERE);
        else if ((needs & SMTP_NEEDS_WORDS && !args.n) || (needs & SMTP_NEEDS_NONE && args.n))
                say(t, SMTP_TEXT_SYNTAX);
        else if (needs & SMTP_NEEDS_HELO && s->state != SMTP_READY)
                say(t, SMTP_TEXT_HELO_FIRST);
        else if (needs & SMTP_NEEDS_RIGHT && r->needs_tls && !s->tls)
                say_words(t, SMTP_TEXT_TLS_FIRST, r->tls_words);
        else if (needs & SMTP_NEEDS_RIGHT && r->needs_auth && !s->authenticated)
                say_words(t, SMTP_TEXT_AUTH_FIRST, r->auth_words);
        else if (verb == SMTP_VERB_STARTTLS && s->tls)
                say(t, SMTP_TEXT_TLS_TWICE);
        else if (needs & SMTP_NEEDS_NO_MAIL && s->mail)
                say(t, SMTP_TEXT_NESTED);
        else if (needs & SMTP_NEEDS_MAIL && !s->mail)
                say(t, SMTP_TEXT_MAIL_FIRST);
        else
                return true;
        return false;
}

static enum smtp_on run(struct step *t, enum smtp_verb verb, struct slice args)
{
        switch (verb) {
        case SMTP_VERB_EHLO:
        case SMTP_VERB_HELO:
                return on_helo(t, args, verb == SMTP_VERB_EHLO);
        case SMTP_VERB_MAIL:
                return on_mail(t, args);
        case SMTP_VERB_RCPT:
                return on_rcpt(t, args);
        case SMTP_VERB_DATA:
                return on_data(t);
        case SMTP_VERB_RSET:
                return on_rset(t);
        case SMTP_VERB_QUIT:
                return on_quit(t);
        case SMTP_VERB_VRFY: /* who is here is told to nobody (RFC 5321 7.3) */
                return say(t, SMTP_TEXT_VRFY);
        case SMTP_VERB_HELP:
                return say(t, SMTP_TEXT_HELP);
        case SMTP_VERB_STARTTLS:
                return on_starttls(t);
        case SMTP_VERB_AUTH:
                return on_auth(t, args);
        case SMTP_VERB_XCLIENT:
                return on_xclient(t, args);
        default:
                return say(t, SMTP_TEXT_OK);
        }
}

enum smtp_on server_command(struct step *t, struct slice line)
{
        struct smtp_server *s = t->s;
        struct slice args;
        enum smtp_verb verb = smtp_command_parse(line, &args);
        unsigned needs = smtp_verb_needs(verb);
        enum smtp_on on = SMTP_ON_NOTHING;
        if (t->more && (needs & SMTP_ENDS_GROUP || !(s->rules->offers & SMTP_EXT_PIPELINING)))
                s->did |= SMTP_DID_TALK_AHEAD;
        if (verb == SMTP_VERB_STARTTLS)
                s->did |= SMTP_DID_TRY_TLS;
        if (verb == SMTP_VERB_AUTH)
                s->did |= SMTP_DID_TRY_AUTH;
        if (needs & SMTP_NOT_HERE)
                return never(t, verb);
        if (allowed(t, verb, args))
                on = run(t, verb, args);
        /* what stands behind a refused DATA is a message, not commands */
        if (verb == SMTP_VERB_DATA && on == SMTP_ON_NOTHING && t->more)
                server_shut(s, SMTP_WHY_AHEAD);
        return on;
}

/* ---- answers ---- */

static void say_or(struct smtp_server *s, struct buf *out, const struct smtp_reply *r, enum smtp_text id)
{
        if (r)
                server_put(s, out, r);
        else
                server_say(s, out, id);
}

static void take_message(struct smtp_server *s, struct buf *out, const struct smtp_reply *r)
{
        server_reset(s);
        s->messages++;
        s->commands = 0;
        s->errors = 0;
        say_or(s, out, r, SMTP_TEXT_TAKEN);
}

static void begin_anew(struct smtp_server *s, struct buf *out)
{
        s->state = SMTP_NEW;
        s->authenticated = false;
        s->esmtp = false;
        smtp_server_greet(s, 0, NULL, out);
}

void server_accepted(struct smtp_server *s, enum smtp_on asked, const struct smtp_reply *r, struct buf *out)
{
        switch (asked) {
        case SMTP_ON_HELO:
                s->state = SMTP_READY;
                put_helo(s, out);
                break;
        case SMTP_ON_LOGIN:
                put_challenge(s, out);
                break;
        case SMTP_ON_AUTH:
                server_end_auth(s);
                s->authenticated = true;
                server_say(s, out, SMTP_TEXT_AUTH_OK);
                break;
        case SMTP_ON_XCLIENT:
                begin_anew(s, out);
                break;
        case SMTP_ON_MAIL:
                s->mail = true;
                say_or(s, out, r, SMTP_TEXT_SENDER_OK);
                break;
        case SMTP_ON_RCPT:
                s->rcpts++;
                say_or(s, out, r, SMTP_TEXT_RCPT_OK);
                break;
        case SMTP_ON_DATA:
                smtp_data_init(&s->data, s->rules->size_most);
                s->state = SMTP_DATA;
                server_say(s, out, SMTP_TEXT_GO_AHEAD);
                break;
        case SMTP_ON_END:
                take_message(s, out, r);
                break;
        default:
                panic("%d is no question", asked);
        }
}

void server_refused(struct smtp_server *s, enum smtp_on asked)
{
        bool ahead = s->ahead;
        if (asked == SMTP_ON_MAIL)
                s->utf8 = false;
        if (asked == SMTP_ON_LOGIN || asked == SMTP_ON_AUTH)
                server_end_auth(s);
        if (asked == SMTP_ON_DATA || asked == SMTP_ON_END)
                server_reset(s);
        if (asked == SMTP_ON_DATA && ahead)
                server_shut(s, SMTP_WHY_AHEAD);
}
