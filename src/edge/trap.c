/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/trap.h"
#include "base/log.h"

enum { DETAIL_MOST = 1024 };

/* ---- dripping ---- */

static void list_add(struct session *s, size_t slot)
{
        struct session **list = &s->worker->drips[slot];
        s->slot = (int8_t)slot;
        s->drip_next = *list;
        s->drip_before = NULL;
        if (*list)
                (*list)->drip_before = s;
        *list = s;
}

static void list_drop(struct session *s)
{
        if (s->slot == -1)
                return;
        if (s->drip_before)
                s->drip_before->drip_next = s->drip_next;
        else
                s->worker->drips[s->slot] = s->drip_next;
        if (s->drip_next)
                s->drip_next->drip_before = s->drip_before;
        s->slot = -1;
}

void trap_forget(struct session *s)
{
        list_drop(s);
        free(take(s->drip_all));
}

void trap_drip(struct session *s, struct buf *out)
{
        struct worker *w = s->worker;
        if (!s->trapped) { /* no room: it is told at once */
                if (!io_write(s->io, buf_slice(out)))
                        session_free(s);
                return;
        }
        if (!io_write(s->io, (struct slice){ out->p, 1 })) {
                session_free(s);
                return;
        }
        free(s->drip_all);
        s->drip_n = (uint32_t)out->n - 1;
        s->drip_all = xmalloc(s->drip_n + 1);
        memcpy(s->drip_all, out->p + 1, s->drip_n);
        s->drip = s->drip_all;
        io_deadline(s->io, 0);
        if (s->slot == -1)
                list_add(s, w->slot); /* its turn comes when all other slots had theirs */
}

static void drip_one(struct session *s)
{
        if (s->smtp.state == SMTP_NEW) { /* the pause is over */
                list_drop(s);
                session_greet(s);
                return;
        }
        if (s->drip_n == 0)
                return;
        bool good = io_write(s->io, (struct slice){ s->drip++, 1 });
        if (!good || --s->drip_n) {
                if (!good)
                        session_free(s);
                return;
        }
        list_drop(s);
        free(take(s->drip_all));
        io_deadline(s->io, s->smtp.deadline == TIME_NEVER ? 0 : s->smtp.deadline);
        io_more(s->io);
}

void trap_tick(struct worker *w)
{
        w->slot = (w->slot + 1) % DRIP_SLOTS;
        for (struct session *s = w->drips[w->slot], *next; s; s = next) {
                next = s->drip_next;
                drip_one(s);
        }
}

/* ---- the conversation ---- */

static void tell(struct session *s)
{
        autobuf detail, where;
        buf_init(&detail, DETAIL_MOST);
        buf_init(&where, LOG_LINE_MOST);
        if (s->told)
                return;
        session_behaviour(s, &detail);
        session_fact(s, "trap", buf_slice(&detail));
        log_event("trapped", "%s %s", session_where(s, &where), buf_cstr(&detail));
}

static void begin(struct session *s)
{
        struct worker *w = s->worker;
        if (w->n_trapped >= (uint64_t)w->policy->edge.trap_connections) {
                w->n.trap_full++;
                session_greet(s);
                return;
        }
        w->n.trapped++;
        w->n_trapped++;
        s->trapped = true;
        io_write(s->io, w->trap_hello);
        list_add(s, (w->slot + 1) % DRIP_SLOTS);
}

static void on_rcpt(struct session *s, const struct smtp_event *e)
{
        if (s->rcpts < UINT16_MAX)
                s->rcpts++;
        (void)e;
        tell(s);
        struct smtp_reply r = smtp_text(SMTP_TEXT_LATER, s->worker->language);
        if (!s->trapped)
                r.code = 421;
        session_answer(s, &r);
}

static void on(struct session *s, const struct smtp_event *e)
{
        switch (e->on) {
        case SMTP_ON_HELO:
        case SMTP_ON_MAIL:
                session_answer(s, NULL);
                break;
        case SMTP_ON_RCPT:
                on_rcpt(s, e);
                break;
        case SMTP_ON_EARLY:
                tell(s);
                break;
        case SMTP_ON_CLOSE:
                tell(s);
                break;
        case SMTP_ON_LOGIN:
        case SMTP_ON_AUTH:
        case SMTP_ON_DATA:
        case SMTP_ON_XCLIENT:
        case SMTP_ON_END:
                session_answer_text(s, SMTP_TEXT_LATER);
                break;
        default:
                break;
        }
}

static void over(struct session *s)
{
        tell(s);
}

const struct role role_trap = { .begin = begin, .on = on, .over = over, .drips = true };
