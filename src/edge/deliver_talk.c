/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said in a conversation: each question of the machine answered at once. */
#include "edge/deliver_inside.h"

#include "base/log.h"
#include "edge/route.h"
#include "smtp/xtext.h"

#include <errno.h>

#define COMPLAIN_EVERY MINUTE

/* X(id, code, enhanced, English, Portuguese without accents) */
#define REFUSALS(X)                                                                                                    \
        X(UNKNOWN, 550, "5.1.1", "No such mailbox here", "Esta caixa postal nao existe aqui")                          \
        X(ELSEWHERE, 550, "5.7.1", "Not a domain of this server, and it relays to nobody",                             \
          "O dominio nao e deste servidor, que nao repassa mensagens")                                                 \
        X(FOREIGN, 550, "5.7.1", "This address is sent on to another network, which this server cannot do",            \
          "Este endereco e encaminhado a outra rede, o que este servidor nao faz")                                     \
        X(NOWHERE, 550, "5.1.1", "This address leads to no mailbox", "Este endereco nao leva a nenhuma caixa postal")  \
        X(MANY, 452, "4.5.3", "Too many mailboxes for one message", "Caixas postais demais para uma mensagem")         \
        X(FULL, 452, "4.2.2", "Mailbox full", "Caixa postal cheia")                                                    \
        X(LEDGER, 451, "4.3.0", "Cannot look addresses up now, try later",                                             \
          "Nao foi possivel consultar o endereco agora, tente mais tarde")                                             \
        X(NO_SPACE, 452, "4.3.1", "No space left, try later", "Sem espaco em disco, tente mais tarde")                 \
        X(NOT_STORED, 451, "4.3.0", "Cannot store the message now, try later",                                         \
          "Nao foi possivel gravar a mensagem agora, tente mais tarde")
#define REFUSAL_ENUM(id, code, enhanced, en, pt) REFUSAL_##id,
enum refusal { REFUSALS(REFUSAL_ENUM) REFUSAL_NONE };

static struct smtp_reply reply_of(const struct conversation *c, enum refusal id)
{
#define REFUSAL_ROW(id, code, enhanced, en, pt) { code, enhanced, { en, pt } },
        static const struct {
                unsigned code;
                const char *enhanced, *text[2];
        } rows[] = { REFUSALS(REFUSAL_ROW) };
        return (struct smtp_reply){ rows[id].code, slice_of(rows[id].enhanced),
                                    slice_of(rows[id].text[c->d->rules.language == SMTP_PORTUGUESE]) };
}

static enum refusal refusal_of(int failed)
{
        return failed == -ENOSPC || failed == -EDQUOT ? REFUSAL_NO_SPACE : REFUSAL_NOT_STORED;
}

/* REFUSAL_NONE: yes, in the usual words. */
static void answer(struct conversation *c, enum refusal id, struct buf *out)
{
        struct smtp_reply r = { .code = 0 };
        if (id != REFUSAL_NONE)
                r = reply_of(c, id);
        smtp_server_answer(&c->server, time_monotonic(), id == REFUSAL_NONE ? NULL : &r, out);
}

/* --- one line a message --- */

static void log_message(const struct conversation *c, const char *outcome, const char *why)
{
        const struct envelope *m = c->mail;
        char ref[SMTP_REF_TEXT_MAX];
        autobuf client, login, from, reason;
        buf_init(&client, LOG_VALUE_MOST * 4);
        buf_init(&login, LOG_VALUE_MOST * 4);
        buf_init(&from, LOG_VALUE_MOST * 4);
        buf_init(&reason, LOG_VALUE_MOST * 4);
        bool stored = m->file && maildir_name(m->file)[0] && !why;
        log_event("message", "id=%s outcome=%s client=%s login=%s from=%s size=%llu rcpts=%u mailboxes=%zu%s%s%s%s",
                  smtp_ref_print(c->server.id, ref), outcome, log_text(&client, slice_of(c->client)),
                  log_text(&login, slice_of(c->login)), log_text(&from, buf_slice(&m->from)),
                  (unsigned long long)m->taken, m->rcpts, m->n, stored ? " file=" : "",
                  stored ? maildir_name(m->file) : "", why ? " why=" : "", why ? log_text(&reason, slice_of(why)) : "");
}

void talk_forget(struct conversation *c, const char *outcome)
{
        struct envelope *m = take(c->mail);
        if (!m)
                return;
        if (outcome && (m->file || m->failed)) {
                c->mail = m;
                log_message(c, outcome, m->failed ? strerror(-m->failed) : NULL);
                c->mail = NULL;
        }
        maildir_drop(m->file);
        buf_done(&m->from);
        free(m->numbers);
        free(m->quotas);
        free(m);
}

void talk_done(struct conversation *c)
{
        talk_forget(c, "cut-off");
        smtp_server_done(&c->server);
        free(take(c->client));
        free(take(c->login));
}

/* --- who --- */

static void remember(char **ret, struct slice value)
{
        char text[SMTP_LINE_MOST];
        size_t n = 0;
        if (!value.p)
                return;
        free(take(*ret));
        if (value.n > sizeof text || !smtp_xtext_decode(value, text, &n) ||
            slice_eq((struct slice){ text, n }, S("[UNAVAILABLE]")))
                return;
        *ret = slice_dup((struct slice){ text, n < DELIVER_SAID_MOST ? n : DELIVER_SAID_MOST });
}

static void on_xclient(struct conversation *c, const struct smtp_event *e, struct buf *out)
{
        talk_forget(c, "reset");
        remember(&c->client, e->xclient.value[SMTP_XCLIENT_ADDR]);
        remember(&c->login, e->xclient.value[SMTP_XCLIENT_LOGIN]);
        answer(c, REFUSAL_NONE, out);
}

static void on_mail(struct conversation *c, const struct smtp_event *e, struct buf *out)
{
        talk_forget(c, "reset");
        c->mail = xcalloc(1, sizeof *c->mail);
        buf_init(&c->mail->from, SMTP_ADDRESS_MOST + 1);
        smtp_path_print(&e->mail.from, &c->mail->from);
        c->mail->declared = e->mail.size;
        answer(c, REFUSAL_NONE, out);
}

/* --- to whom --- */

static int ledger_of(struct deliver *d)
{
        return d->ledger ? 0 : ledger_open(d->o->dir, &d->ledger);
}

/* <Postmaster> is the network's own (RFC 5321 4.5.1), or that of the first domain. */
static int whole_address(struct deliver *d, const struct smtp_path *to, struct buf *ret)
{
        const struct policy *p = d->o->policy ? d->o->policy() : NULL;
        struct domain *domains = NULL;
        size_t n = 0;
        smtp_path_canonical(to, ret);
        if (to->domain.n)
                return 0;
        buf_addc(ret, '@');
        if (p && p->network.domain.n) {
                buf_add(ret, p->network.domain);
                return 0;
        }
        int status = ledger_domains(d->ledger, d->arena, &(struct mail_query){ .most = 1 }, &domains, &n);
        if (status == 0 && n)
                buf_add(ret, domains[0].name);
        return status;
}

static int look_up(struct deliver *d, const struct smtp_path *to, struct route *ret)
{
        autobuf address;
        buf_init(&address, SMTP_ADDRESS_MOST * 2);
        arena_clear(d->arena);
        int status = ledger_of(d);
        if (status == 0)
                status = whole_address(d, to, &address);
        if (status == 0)
                status =
                    route_find(d->ledger, d->arena, d->o->policy ? d->o->policy() : NULL, buf_slice(&address), ret);
        if (status == 0)
                return 0;
        int64_t now = time_monotonic();
        if (!d->complained || now - d->complained >= COMPLAIN_EVERY) {
                autobuf text;
                buf_init(&text, LOG_VALUE_MOST * 4);
                d->complained = now;
                log_event("ledger-unreadable", "error=%s",
                          log_text(&text, slice_of(d->ledger ? ledger_error(d->ledger) : strerror(-status))));
        }
        ledger_close(take(d->ledger)); /* the next one tries anew */
        return status;
}

static bool has(const struct envelope *m, int64_t number)
{
        for (size_t i = 0; i < m->n; i++)
                if (m->numbers[i] == number)
                        return true;
        return false;
}

/* Whether one of them has no room for `size` bytes more. */
static enum refusal room(struct deliver *d, const int64_t *numbers, const int64_t *quotas, size_t n, uint64_t size)
{
        for (size_t i = 0; i < n; i++) {
                bool full = false;
                if (quotas[i] == LIMIT_NONE)
                        continue;
                int failed = usage_full(&d->usage, numbers[i], quotas[i], size, time_monotonic(), &full);
                if (failed || full)
                        return failed ? refusal_of(failed) : REFUSAL_FULL;
        }
        return REFUSAL_NONE;
}

static enum refusal take_boxes(struct conversation *c, const struct route *r)
{
        struct envelope *m = c->mail;
        size_t before = m->n;
        for (size_t i = 0; i < r->n; i++) {
                if (has(m, r->boxes[i].number))
                        continue;
                if (m->n >= DELIVER_BOXES_MOST) {
                        m->n = before;
                        return REFUSAL_MANY;
                }
                m->numbers = xgrow(m->numbers, &m->cap, m->n + 1, sizeof *m->numbers);
                m->quotas = xgrow(m->quotas, &m->cap_quotas, m->n + 1, sizeof *m->quotas);
                m->quotas[m->n] = r->boxes[i].quota;
                m->numbers[m->n++] = r->boxes[i].number;
        }
        enum refusal id = room(c->d, m->numbers + before, m->quotas + before, m->n - before, m->declared);
        if (id != REFUSAL_NONE)
                m->n = before;
        return id;
}

static void log_rcpt(const struct conversation *c, const char *event, const struct smtp_path *to, const char *key,
                     struct slice value)
{
        char ref[SMTP_REF_TEXT_MAX];
        autobuf address, shown, more;
        buf_init(&address, SMTP_ADDRESS_MOST * 2);
        buf_init(&shown, LOG_VALUE_MOST * 4);
        buf_init(&more, LOG_VALUE_MOST * 4);
        smtp_path_print(to, &address);
        log_event(event, "id=%s to=%s %s=%s", smtp_ref_print(c->server.id, ref), log_text(&shown, buf_slice(&address)),
                  key, log_text(&more, value));
}

static void on_rcpt(struct conversation *c, const struct smtp_event *e, struct buf *out)
{
        static const enum refusal of[] = { [ROUTE_UNKNOWN] = REFUSAL_UNKNOWN,
                                           [ROUTE_ELSEWHERE] = REFUSAL_ELSEWHERE,
                                           [ROUTE_FOREIGN] = REFUSAL_FOREIGN,
                                           [ROUTE_NOWHERE] = REFUSAL_NOWHERE,
                                           [ROUTE_MANY] = REFUSAL_MANY };
        struct route r;
        enum refusal id = REFUSAL_UNKNOWN;
        if (!e->rcpt.to.null)
                id = look_up(c->d, &e->rcpt.to, &r) ? REFUSAL_LEDGER
                     : r.found == ROUTE_HERE        ? take_boxes(c, &r)
                                                    : of[r.found];
        if (id != REFUSAL_NONE) {
                log_rcpt(c, "rcpt-refused", &e->rcpt.to, "why", reply_of(c, id).text);
        } else {
                c->mail->rcpts++;
                if (r.foreign)
                        log_rcpt(c, "not-sent-on", &e->rcpt.to, "elsewhere", r.first_foreign);
        }
        answer(c, id, out);
}

/* --- the message --- */

static void on_data(struct conversation *c, struct buf *out)
{
        struct envelope *m = c->mail;
        autobuf head;
        buf_init(&head, SMTP_ADDRESS_MOST + 64);
        int failed = maildir_begin(&c->d->maildir, time_now(), &m->file);
        if (!failed) {
                buf_addf(&head, "Return-Path: <%.*s>\r\n", SLICE_ARGS(buf_slice(&m->from)));
                failed = maildir_write(m->file, buf_slice(&head));
        }
        m->failed = failed;
        if (failed) {
                enum refusal id = refusal_of(failed);
                talk_forget(c, "put-off");
                answer(c, id, out);
                return;
        }
        answer(c, REFUSAL_NONE, out);
}

static void on_bytes(struct conversation *c, struct slice text)
{
        struct envelope *m = c->mail;
        m->taken += text.n;
        if (m->failed)
                return;
        m->failed = maildir_write(m->file, text);
        if (m->failed)
                maildir_drop(take(m->file));
}

static void on_end(struct conversation *c, struct buf *out)
{
        struct envelope *m = c->mail;
        struct deliver *d = c->d;
        /* what was not full at RCPT may overrun by this message, but not by all that came beside it */
        enum refusal id = m->failed ? refusal_of(m->failed) : room(d, m->numbers, m->quotas, m->n, 0);
        if (id == REFUSAL_NONE) {
                m->failed = maildir_commit(m->file, m->numbers, m->n);
                id = m->failed ? refusal_of(m->failed) : REFUSAL_NONE;
        }
        if (id == REFUSAL_NONE) {
                for (size_t i = 0; i < m->n; i++)
                        usage_add(&d->usage, m->numbers[i], maildir_size(m->file));
                log_message(c, "delivered", NULL);
        } else {
                autofree char *why = slice_dup(reply_of(c, id).text);
                log_message(c, "put-off", m->failed ? strerror(-m->failed) : why);
        }
        talk_forget(c, NULL);
        answer(c, id, out);
}

static const char *fault_name(enum smtp_data_fault fault)
{
        return fault == SMTP_DATA_TOO_BIG ? "too-big" : "bare-bytes";
}

/* --- the machine --- */

static void act(struct conversation *c, const struct smtp_event *e, struct buf *out)
{
        switch (e->on) {
        case SMTP_ON_HELO:
                talk_forget(c, "reset");
                answer(c, REFUSAL_NONE, out);
                break;
        case SMTP_ON_XCLIENT:
                on_xclient(c, e, out);
                break;
        case SMTP_ON_MAIL:
                on_mail(c, e, out);
                break;
        case SMTP_ON_RCPT:
                on_rcpt(c, e, out);
                break;
        case SMTP_ON_DATA:
                on_data(c, out);
                break;
        case SMTP_ON_BYTES:
                on_bytes(c, e->text);
                break;
        case SMTP_ON_BROKEN:
                talk_forget(c, fault_name(e->fault));
                break;
        case SMTP_ON_END:
                on_end(c, out);
                break;
        case SMTP_ON_RESET:
                talk_forget(c, "reset");
                break;
        case SMTP_ON_CLOSE:
                talk_forget(c, "cut-off");
                break;
        default: /* what waits before the greeting is read after it; TLS and AUTH are not offered */
                break;
        }
}

bool talk_bytes(struct conversation *c, struct slice *in, struct buf *out)
{
        struct smtp_event e;
        while (smtp_server_next(&c->server, time_monotonic(), in, out, &e) != SMTP_ON_NOTHING)
                act(c, &e, out);
        return c->server.state != SMTP_CLOSED;
}
