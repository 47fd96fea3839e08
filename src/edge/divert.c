/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/divert.c - who was on the way to port 25 elsewhere: shows the badge, or goes away with words that help.
 *
 * The rules of the machine do nearly all of it: mail only after a login, a login only under TLS, 530 with the role's own words for the
 * others. What is left: a fact of every conversation that ends without a login, and the dated exception of who may log in in clear. */
#include "base/log.h"
#include "edge/carry.h"
#include "edge/login.h"
#include "edge/session.h"

enum { DETAIL_MOST = 1024 };

static void carry_begin(struct session *s)
{
        if (!s->listener->tls) {
                session_greet(s);
                return;
        }
        io_deadline(s->io, time_monotonic() + s->smtp.rules->command_wait);
        io_start_tls(s->io, tls_server(s->worker->tls), true, NULL);
}

static void on_mail_event(struct session *s, const struct smtp_event *e)
{
        switch (e->on) {
        case SMTP_ON_MAIL:
                carry_mail(s, &e->mail);
                break;
        case SMTP_ON_RCPT:
                carry_rcpt(s, &e->rcpt);
                break;
        case SMTP_ON_DATA:
                carry_data(s);
                break;
        case SMTP_ON_BYTES:
                carry_bytes(s, e->text);
                break;
        case SMTP_ON_END:
                carry_end(s, e->size);
                break;
        default: /* RESET, BROKEN, CLOSE: the envelope is over */
                carry_drop(s);
        }
}

static void carry_on(struct session *s, const struct smtp_event *e)
{
        switch (e->on) {
        case SMTP_ON_EARLY:
                break;
        case SMTP_ON_HELO:
                carry_drop(s);
                session_answer(s, NULL);
                break;
        case SMTP_ON_LOGIN:
                login_name(s, e);
                break;
        case SMTP_ON_AUTH:
                login_check(s, e);
                break;
        case SMTP_ON_XCLIENT:
                session_answer_text(s, SMTP_TEXT_REFUSED);
                break;
        default:
                on_mail_event(s, e);
        }
}

static void nothing(struct session *s)
{
        (void)s;
}

const struct role role_carry = { .begin = carry_begin, .on = carry_on, .over = nothing };

static void divert_begin(struct session *s)
{
        s->worker->n.diverted++;
        carry_begin(s);
}

static void divert_over(struct session *s)
{
        autobuf detail, where;
        buf_init(&detail, DETAIL_MOST);
        buf_init(&where, LOG_LINE_MOST);
        if (s->told || s->account)
                return;
        session_behaviour(s, &detail);
        session_fact(s, "divert", buf_slice(&detail));
        log_event("diverted", "%s %s", session_where(s, &where), buf_cstr(&detail));
}

/* Logged, so that the list of who still does it can be read: `login` has tls=no. */
const struct role role_divert = { .begin = divert_begin, .on = carry_on, .over = divert_over };
