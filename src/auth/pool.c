/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/pool.h"
#include "auth/nursery.h"
#include "base/log.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

struct job {
        struct pool_ticket ticket;
        int64_t at; /* monotonic */
        bool forgotten;
        size_t login_n, password_n;
        char login[AUTH_LOGIN_MOST], password[AUTH_PASSWORD_MOST];
};

struct worker {
        struct pool *pool;
        int fd; /* -1: there is none */
        struct watch *watch;
        enum worker_state { IDLE, CHECKING, FINISHING /* answered; writes to the keeper */ } state;
        bool owed;          /* its job was not answered yet */
        int64_t serial, at; /* of its job; when that came */
        int64_t since;      /* when it was handed over */
        struct pool_ticket ticket;
};

struct pool {
        struct pool_options o;
        struct worker workers[POOL_CHECKERS_MOST];
        struct pool_counts counts;
        int64_t serial;
        size_t first, n; /* of the ring */
        bool orphaned;   /* the nursery is gone */
        struct buf frame;
        struct job ring[POOL_JOBS];
        char in[CHECKER_MESSAGE_MOST];
};

size_t pool_cores(void)
{
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        return n < 1 ? 1 : n > POOL_CHECKERS_MOST ? POOL_CHECKERS_MOST : (size_t)n;
}

/* --- jobs --- */

static struct job *job_at(struct pool *p, size_t i)
{
        return &p->ring[(p->first + i) % POOL_JOBS];
}

static void pop(struct pool *p)
{
        explicit_bzero(job_at(p, 0), sizeof(struct job));
        p->first = (p->first + 1) % POOL_JOBS;
        p->n--;
}

/* Whether the job at the head is there to be done; takes away those that are not. */
static bool has_work(struct pool *p, int64_t now)
{
        while (p->n) {
                const struct job *j = job_at(p, 0);
                if (!j->forgotten && now - j->at <= AUTH_PATIENCE)
                        return true;
                struct pool_ticket ticket = j->ticket;
                bool forgotten = j->forgotten;
                pop(p);
                if (forgotten)
                        continue;
                p->counts.late++;
                p->o.answer(p->o.arg, &ticket, NULL);
        }
        return false;
}

/* --- checkers --- */

static void lose(struct worker *w, const char *why)
{
        bool owed = w->owed;
        log_event("checker-died", "why=\"%s\" job=%s", why, owed ? "unanswered" : "none");
        watch_free(take(w->watch));
        autoclose_(&w->fd);
        w->fd = -1;
        w->state = IDLE;
        w->owed = false;
        w->pool->counts.died++;
        if (owed)
                w->pool->o.answer(w->pool->o.arg, &w->ticket, NULL);
}

static bool hand_over(struct worker *w, const struct job *j, int64_t now)
{
        struct pool *p = w->pool;
        struct auth_question q = { .verb = AUTH_CHECK,
                                   .id = ++p->serial,
                                   .login = { j->login, j->login_n },
                                   .password = { j->password, j->password_n } };
        auth_question_put(&p->frame, &q);
        ssize_t n = send(w->fd, p->frame.p, p->frame.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        bool sent = n == (ssize_t)p->frame.n;
        auth_wipe(&p->frame);
        if (!sent)
                return false;
        w->state = CHECKING;
        w->owed = true;
        w->serial = q.id;
        w->at = j->at;
        w->since = now;
        w->ticket = j->ticket;
        return true;
}

static void dispatch(struct pool *p, int64_t now)
{
        for (size_t i = 0; i < p->o.checkers && has_work(p, now); i++) {
                struct worker *w = &p->workers[i];
                if (w->fd == -1 || w->state != IDLE)
                        continue;
                if (hand_over(w, job_at(p, 0), now))
                        pop(p);
                else
                        lose(w, "takes no job");
        }
}

static void hear(struct worker *w, struct slice message)
{
        struct checker_answer a;
        struct pool *p = w->pool;
        int heard = checker_heard(message, &a);
        if (heard == 1 && w->state == FINISHING) {
                w->state = IDLE;
        } else if (heard == 0 && w->state == CHECKING && a.serial == w->serial) {
                bool owed = w->owed; /* else it was given up, and this comes too late */
                w->state = a.busy ? FINISHING : IDLE;
                w->owed = false;
                if (!owed)
                        return;
                p->counts.checked++;
                p->o.answer(p->o.arg, &w->ticket, &a);
        } else {
                lose(w, "said what it cannot say");
        }
}

static void on_checker(void *arg, int what)
{
        struct worker *w = arg;
        struct pool *p = w->pool;
        (void)what;
        ssize_t n = recv(w->fd, p->in, sizeof p->in, MSG_DONTWAIT);
        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0)
                lose(w, n == 0 ? "ended" : strerror(errno));
        else
                hear(w, (struct slice){ p->in, (size_t)n });
        dispatch(p, time_monotonic());
}

static void replace(struct worker *w)
{
        int fd = -1, failed = nursery_ask(w->pool->o.nursery, &fd);
        if (failed == -EAGAIN)
                return; /* it is busy: the next tick asks again */
        if (failed) {
                log_event("nursery-gone", "error=\"%s\"", strerror(-failed));
                w->pool->orphaned = true;
                return;
        }
        w->fd = fd;
        w->watch = loop_fd(w->pool->o.loop, fd, LOOP_READ, on_checker, w);
}

/* --- the whole --- */

struct pool *pool_new(const struct pool_options *o)
{
        struct pool *p = xcalloc(1, sizeof *p);
        p->o = *o;
        buf_init(&p->frame, AUTH_QUESTION_MOST);
        auth_reserve(&p->frame, AUTH_QUESTION_MOST);
        for (size_t i = 0; i < POOL_CHECKERS_MOST; i++)
                p->workers[i] = (struct worker){ .pool = p, .fd = -1 };
        return p;
}

void pool_free(struct pool *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < POOL_CHECKERS_MOST; i++) {
                watch_free(p->workers[i].watch);
                autoclose_(&p->workers[i].fd);
        }
        auth_wipe(&p->frame);
        buf_done(&p->frame);
        explicit_bzero(p->ring, sizeof p->ring);
        free(p);
}

bool pool_add(struct pool *p, const struct pool_ticket *t, struct slice login, struct slice password, int64_t now)
{
        if (p->n == POOL_JOBS || login.n > AUTH_LOGIN_MOST || password.n > AUTH_PASSWORD_MOST) {
                p->counts.full++;
                return false;
        }
        struct job *j = job_at(p, p->n++);
        *j = (struct job){ .ticket = *t, .at = now, .login_n = login.n, .password_n = password.n };
        if (login.n)
                memcpy(j->login, login.p, login.n);
        if (password.n)
                memcpy(j->password, password.p, password.n);
        dispatch(p, now);
        return true;
}

void pool_forget(struct pool *p, uint64_t asker)
{
        for (size_t i = 0; i < p->n; i++) {
                struct job *j = job_at(p, i);
                if (j->ticket.asker != asker)
                        continue;
                j->forgotten = true;
                explicit_bzero(j->password, sizeof j->password);
        }
}

bool pool_tick(struct pool *p, int64_t now)
{
        bool hung = false;
        for (size_t i = 0; i < p->o.checkers; i++) {
                struct worker *w = &p->workers[i];
                if (w->fd == -1)
                        replace(w);
                if (w->owed && now - w->at > AUTH_PATIENCE) {
                        p->counts.late++;
                        w->owed = false;
                        p->o.answer(p->o.arg, &w->ticket, NULL);
                }
                hung = hung || (w->state != IDLE && now - w->since > POOL_HUNG);
        }
        if (hung)
                log_event("checker-hung", "seconds=%d", (int)(POOL_HUNG / SECOND));
        dispatch(p, now);
        return !hung && !p->orphaned;
}

bool pool_idle(const struct pool *p)
{
        for (size_t i = 0; i < p->o.checkers; i++)
                if (p->workers[i].owed)
                        return false;
        return p->n == 0;
}

const struct pool_counts *pool_counts(const struct pool *p)
{
        return &p->counts;
}
