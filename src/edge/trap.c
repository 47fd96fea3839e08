/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/trap.h"
#include "base/log.h"

#include <errno.h>
#include <sys/socket.h>

enum { DETAIL_MOST = 1024, DRIP_MOST = SMTP_REPLY_LINE_MOST };

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

static void drip_drop(struct drip *d)
{
        if (d && --d->users == 0)
                free(d);
}

static bool same(const struct drip *d, struct slice text, uint32_t ref_at, uint32_t ref_n)
{
        size_t rest = ref_at + ref_n;
        return d && d->n == text.n && d->ref_at == ref_at && d->ref_n == ref_n &&
               memcmp(d->text, text.p, ref_at) == 0 && memcmp(d->text + rest, text.p + rest, text.n - rest) == 0;
}

/* The one that was made last, if it fits: they come in crowds. */
static struct drip *drip_for(struct session *s, struct slice text)
{
        struct worker *w = s->worker;
        char ref[SMTP_REF_TEXT_MAX];
        uint32_t ref_n = (uint32_t)strlen(session_ref(s, ref));
        const char *at = memmem(text.p, text.n, ref, ref_n);
        uint32_t ref_at = at ? (uint32_t)(at - text.p) : 0;
        ref_n = at ? ref_n : 0;
        if (!same(w->drip, text, ref_at, ref_n)) {
                drip_drop(w->drip);
                w->drip = xmalloc(sizeof *w->drip + text.n);
                *w->drip = (struct drip){ .users = 1, .n = (uint32_t)text.n, .ref_at = ref_at, .ref_n = ref_n };
                memcpy(w->drip->text, text.p, text.n);
        }
        w->drip->users++;
        return w->drip;
}

void trap_done(struct worker *w)
{
        drip_drop(take(w->drip));
}

void trap_forget(struct session *s)
{
        list_drop(s);
        drip_drop(take(s->drip));
}

/* Whole lines of it: the answers to a thousand commands at once are not worth their memory for a day. */
static size_t dripped(const struct buf *out)
{
        size_t n = out->n < DRIP_MOST ? out->n : DRIP_MOST;
        while (n > 1 && out->p[n - 1] != '\n')
                n--;
        return n;
}

void trap_drip(struct session *s, struct buf *out)
{
        struct worker *w = s->worker;
        if (!s->trapped) { /* no room: it is told at once */
                if (!io_write(s->io, buf_slice(out)))
                        session_cut(s);
                return;
        }
        if (!io_write(s->io, (struct slice){ out->p, 1 })) {
                session_cut(s);
                return;
        }
        drip_drop(s->drip);
        s->drip = drip_for(s, (struct slice){ out->p, dripped(out) });
        s->drip_at = 1;
        io_deadline(s->io, 0);
        if (s->slot == -1)
                list_add(s, w->slot); /* its turn comes when all other slots had theirs */
}

/* False: it is gone. A peer that reads nothing for so long that a byte does not fit is told it at his next turn. */
static bool say_one(struct session *s)
{
        const struct drip *d = s->drip;
        char ref[SMTP_REF_TEXT_MAX];
        uint32_t in_ref = s->drip_at - d->ref_at;
        char c = in_ref < d->ref_n ? session_ref(s, ref)[in_ref] : d->text[s->drip_at];
        if (s->io) {
                s->drip_at++;
                return io_write(s->io, (struct slice){ &c, 1 });
        }
        ssize_t n = send(s->parked, &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        s->drip_at += n == 1;
        return n == 1 || errno == EAGAIN || errno == EINTR;
}

static void drip_one(struct session *s)
{
        if (s->smtp.state == SMTP_NEW) { /* the pause is over */
                list_drop(s);
                session_greet(s);
                return;
        }
        if (!s->drip)
                return;
        if (s->drip_at < s->drip->n && !say_one(s)) {
                session_cut(s);
                return;
        }
        if (s->drip_at < s->drip->n)
                return;
        list_drop(s);
        drip_drop(take(s->drip));
        session_unpark(s);
        io_deadline(s->io, s->smtp.deadline == TIME_NEVER ? 0 : s->smtp.deadline);
        io_more(s->io);
}

/* Those that came since the last tick are parked now, not at their first turn: memory that a crowd needs for a moment stays with us. */
void trap_tick(struct worker *w)
{
        for (struct session *s = w->drips[w->slot]; s; s = s->drip_next)
                if (s->drip)
                        session_park(s);
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
        free(take(s->helo)); /* told is told */
}

static void begin(struct session *s)
{
        struct worker *w = s->worker;
        if (w->n_trapped >= (uint64_t)w->policy->edge.trap_connections) {
                w->n.trap_full++;
                w->n_hurried++;
                s->hurried = true;
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
