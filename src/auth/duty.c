/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/duty.h"
#include "auth/pool.h"
#include "base/log.h"
#include "ledger/address.h"
#include "ledger/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { STATUS_SYSTEM = 3, IN = 2 * AUTH_QUESTION_MOST, ARENA = 1 << 20 };
#define EDGE_USER "porteiro-edge"
#define ASK_STILL SECOND
/* How long the last checks are waited for at the end. */
#define LAST_PATIENCE (2 * SECOND)

struct asker {
        struct duty *duty;
        uint64_t serial;
        int fd;
        struct watch *watch;
        struct buf out;
        bool gone; /* to be freed when nobody works with it any more */
        size_t n;
        char in[IN];
};

struct duty {
        const struct auth_options *o;
        struct loop *loop;
        struct watch *accept, *tick;
        struct pool *pool;
        struct ledger *ledger; /* NULL: not open */
        struct arena *arena;
        struct asker *askers[AUTH_ASKERS_MOST];
        uint64_t serial;
        int fd;
        uid_t edge;
        bool edge_known, ending;
        int status;
        int64_t end_by, asked_still, complained;
        uint64_t verdicts[AUTH_VERDICT_COUNT], domains, refused;
        struct auth_reply reply; /* the one being made */
};

/* --- askers --- */

static void hang_up(struct asker *a)
{
        if (a->gone)
                return;
        a->gone = true;
        watch_free(take(a->watch));
        autoclose_(&a->fd);
        explicit_bzero(a->in, sizeof a->in);
        pool_forget(a->duty->pool, a->serial);
}

static void refuse(struct asker *a, const char *event)
{
        log_event(event, "asker=%llu", (unsigned long long)a->serial);
        a->duty->refused++;
        hang_up(a);
}

static void reap(struct duty *d)
{
        for (size_t i = 0; i < AUTH_ASKERS_MOST; i++) {
                struct asker *a = d->askers[i];
                if (!a || !a->gone)
                        continue;
                buf_done(&a->out);
                free(a);
                d->askers[i] = NULL;
        }
}

static struct asker *find(struct duty *d, uint64_t serial)
{
        for (size_t i = 0; i < AUTH_ASKERS_MOST; i++)
                if (d->askers[i] && d->askers[i]->serial == serial && !d->askers[i]->gone)
                        return d->askers[i];
        return NULL;
}

static void flush(struct asker *a)
{
        struct slice left = buf_slice(&a->out);
        while (left.n) {
                ssize_t n = send(a->fd, left.p, left.n, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n == -1 && errno == EINTR)
                        continue;
                if (n == -1 && errno == EAGAIN)
                        break;
                if (n == -1) {
                        hang_up(a);
                        return;
                }
                left = slice_from(left, (size_t)n);
        }
        size_t was = a->out.n;
        if (left.n && left.n != was)
                memmove(a->out.p, left.p, left.n);
        a->out.n = left.n;
        watch_set(a->watch, LOOP_READ | (left.n ? LOOP_WRITE : 0));
}

/* d->reply, to the one who asked, if he is still there. */
static void tell(struct duty *d, uint64_t asker)
{
        struct asker *a = find(d, asker);
        d->verdicts[d->reply.verdict]++;
        if (!a)
                return;
        auth_reply_put(&a->out, &d->reply);
        if (a->out.full)
                refuse(a, "asker-too-slow");
        else
                flush(a);
}

/* --- passwords --- */

static void tell_limits(struct duty *d, const struct checker_answer *a)
{
        for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++) {
                struct mail_limits said = mail_limits_inherit;
                said.v[checker_limit(i)] = a->limits[i];
                d->reply.limits[i] =
                    mail_limit_find(checker_limit(i), &said, &mail_limits_inherit, a->class, d->o->policy).value;
        }
        int64_t *hour = &d->reply.limits[AUTH_LIMIT_RECIPIENTS_HOUR];
        if (a->recipients_hour != LIMIT_NONE && (*hour == LIMIT_NONE || *hour > a->recipients_hour))
                *hour = a->recipients_hour;
}

static void on_answer(void *arg, const struct pool_ticket *t, const struct checker_answer *a)
{
        struct duty *d = arg;
        if (!a || auth_reply_get(a->frame, &d->reply) != (int64_t)a->frame.n)
                d->reply = (struct auth_reply){ .verdict = AUTH_VERDICT_UNAVAILABLE };
        d->reply.verb = AUTH_CHECK;
        d->reply.id = t->id;
        if (d->reply.verdict == AUTH_VERDICT_YES)
                tell_limits(d, a);
        tell(d, t->asker);
}

static void check(struct asker *a, const struct auth_question *q)
{
        struct duty *d = a->duty;
        struct pool_ticket t = { a->serial, q->id };
        if (d->ending || !pool_add(d->pool, &t, q->login, q->password, time_monotonic()))
                on_answer(d, &t, NULL);
}

/* --- domains --- */

static void complain(struct duty *d, int status)
{
        int64_t now = time_monotonic();
        if (d->complained && now - d->complained <= MINUTE)
                return;
        autobuf shown;
        buf_init(&shown, LOG_LINE_MOST);
        d->complained = now;
        log_event("ledger-unavailable", "error=%s",
                  log_text(&shown, slice_of(d->ledger ? ledger_error(d->ledger) : strerror(-status))));
}

/* status: what reading the ledger said. */
static enum auth_verdict verdict_of(struct duty *d, int status, bool yes)
{
        if (status == 0)
                return yes ? AUTH_VERDICT_YES : AUTH_VERDICT_NO;
        complain(d, status);
        ledger_close(take(d->ledger));
        return AUTH_VERDICT_UNAVAILABLE;
}

static enum auth_verdict look_up(struct duty *d, struct slice text)
{
        struct slice name;
        bool ours = false;
        arena_clear(d->arena);
        if (domain_parse(text, d->arena, &name))
                return AUTH_VERDICT_NO;
        if (slice_ieq(name, d->o->policy->network.domain))
                return AUTH_VERDICT_YES;
        int status = d->ledger ? 0 : ledger_open(d->o->dir, &d->ledger);
        if (status == 0)
                status = ledger_hosts(d->ledger, name, &ours);
        return verdict_of(d, status, ours);
}

/* --- who logged in before --- */

static void answer_sending(struct asker *a, const struct auth_question *q)
{
        struct duty *d = a->duty;
        struct mailbox m = { .number = 0 };
        arena_clear(d->arena);
        int status = d->ledger ? 0 : ledger_open(d->o->dir, &d->ledger);
        if (status == 0)
                status = ledger_mailbox(d->ledger, d->arena, q->address, &m);
        bool his = status == 0 && m.number == q->mailbox && !suspension_stops(&m.suspension) &&
                   !suspension_stops(&m.subscriber_suspension);
        enum auth_verdict verdict = verdict_of(d, status == -ENOENT ? 0 : status, his);
        d->reply = (struct auth_reply){ .verb = AUTH_SENDING, .id = q->id, .verdict = verdict };
        tell(d, a->serial);
}

static void answer_domain(struct asker *a, const struct auth_question *q)
{
        struct duty *d = a->duty;
        enum auth_verdict verdict = look_up(d, q->domain);
        d->reply = (struct auth_reply){ .verb = AUTH_DOMAIN, .id = q->id, .verdict = verdict };
        d->domains++;
        tell(d, a->serial);
}

/* --- frames --- */

static void take_frames(struct asker *a)
{
        struct auth_question q;
        size_t done = 0;
        int64_t n = 0;
        while (!a->gone && (n = auth_question_get((struct slice){ a->in + done, a->n - done }, &q)) > 0) {
                done += (size_t)n;
                if (q.verb == AUTH_DOMAIN)
                        answer_domain(a, &q);
                else if (q.verb == AUTH_SENDING)
                        answer_sending(a, &q);
                else
                        check(a, &q);
        }
        if (a->gone)
                return;
        if (n < 0) {
                refuse(a, "asker-bad-frame");
                return;
        }
        memmove(a->in, a->in + done, a->n - done);
        explicit_bzero(a->in + a->n - done, done);
        a->n -= done;
}

static void on_asker(void *arg, int what)
{
        struct asker *a = arg;
        struct duty *d = a->duty;
        if (what & LOOP_WRITE)
                flush(a);
        if ((what & LOOP_READ) && !a->gone) {
                ssize_t n = recv(a->fd, a->in + a->n, sizeof a->in - a->n, MSG_DONTWAIT);
                if (n > 0) {
                        a->n += (size_t)n;
                        take_frames(a);
                } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                        hang_up(a);
                }
        }
        reap(d);
}

static bool may_ask(const struct duty *d, uid_t uid)
{
        return uid == 0 || uid == geteuid() || (d->edge_known && uid == d->edge);
}

static void on_accept(void *arg, int what)
{
        struct duty *d = arg;
        struct ucred peer;
        socklen_t n = sizeof peer;
        size_t at = 0;
        (void)what;
        autoclose int fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd == -1 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == -1)
                return;
        while (at < AUTH_ASKERS_MOST && d->askers[at])
                at++;
        if (!may_ask(d, peer.uid) || at == AUTH_ASKERS_MOST) {
                log_event(at == AUTH_ASKERS_MOST ? "askers-full" : "asker-refused", "uid=%u most=%d",
                          (unsigned)peer.uid, AUTH_ASKERS_MOST);
                d->refused++;
                return;
        }
        struct asker *a = d->askers[at] = xcalloc(1, sizeof *a);
        a->duty = d;
        a->serial = ++d->serial;
        a->fd = take_fd(&fd);
        buf_init(&a->out, AUTH_UNREAD_MOST);
        a->watch = loop_fd(d->loop, a->fd, LOOP_READ, on_asker, a);
}

/* --- the duty --- */

static void end(struct duty *d, int status)
{
        if (d->ending)
                return;
        d->ending = true;
        d->status = status;
        d->end_by = time_monotonic() + LAST_PATIENCE;
        watch_set(d->accept, 0);
        watch_again(d->tick, 0);
}

static void on_stop(void *arg)
{
        end(arg, 0);
}

static void on_tick(void *arg)
{
        struct duty *d = arg;
        int64_t now = time_monotonic();
        if (!pool_tick(d->pool, now))
                end(d, STATUS_SYSTEM);
        if (!d->ending && d->o->still && now - d->asked_still >= ASK_STILL) {
                d->asked_still = now;
                if (!d->o->still()) {
                        log_event("policy-changed", "action=ending");
                        end(d, 0);
                }
        }
        reap(d);
        if (d->ending && (pool_idle(d->pool) || now >= d->end_by))
                loop_stop(d->loop, d->status);
        watch_again(d->tick, d->ending ? POOL_TICK / 10 : POOL_TICK);
}

/* --- opening --- */

static int fail(const char *what, int status)
{
        fprintf(stderr, "porteiro: auth: %s: %s\n", what,
                status == -EADDRINUSE ? "another duty listens there" : strerror(-status));
        return STATUS_SYSTEM;
}

/* A socket that stands there is a dead duty's, unless somebody answers. A long name is reached through the folder's descriptor. */
static int listen_at(const char *dir, int *ret)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        autofree char *path = xasprintf("%s/auth.sock", dir);
        autoclose int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        autoclose int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (folder == -1 || fd == -1 || other == -1)
                return -errno;
        if (snprintf(at.sun_path, sizeof at.sun_path, "%s", path) >= (int)sizeof at.sun_path)
                snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/auth.sock", folder);
        if (connect(other, (struct sockaddr *)&at, sizeof at) == 0 || errno == EAGAIN)
                return -EADDRINUSE;
        if (unlink(path) == -1 && errno != ENOENT)
                return -errno;
        mode_t before = umask(0117);
        int status = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : -errno;
        umask(before);
        if (status == 0 && listen(fd, AUTH_ASKERS_MOST) == -1)
                status = -errno;
        if (status == 0)
                *ret = take_fd(&fd);
        return status;
}

static void know_edge(struct duty *d)
{
        const struct passwd *pw = getpwnam(EDGE_USER);
        d->edge_known = pw && pw->pw_uid != 0;
        d->edge = d->edge_known ? pw->pw_uid : 0;
}

static int serve(struct duty *d)
{
        size_t n = pool_cores();
        d->loop = loop_new();
        d->arena = arena_new(ARENA);
        d->pool = pool_new(&(struct pool_options){
            .loop = d->loop, .nursery = d->o->nursery, .checkers = n, .answer = on_answer, .arg = d });
        if (d->o->lock_in)
                d->o->lock_in();
        loop_signal(d->loop, SIGTERM, on_stop, d);
        loop_signal(d->loop, SIGINT, on_stop, d);
        d->accept = loop_fd(d->loop, d->fd, LOOP_READ, on_accept, d);
        d->tick = loop_timer(d->loop, 0, on_tick, d);
        log_event("started", "dir=%s checkers=%zu", d->o->dir, n);
        return loop_run(d->loop);
}

static void finish(struct duty *d)
{
        const struct pool_counts *c = pool_counts(d->pool);
        log_event(
            "stopped",
            "checked=%llu yes=%llu no=%llu unavailable=%llu full=%llu late=%llu domains=%llu died=%llu refused=%llu",
            (unsigned long long)c->checked, (unsigned long long)d->verdicts[AUTH_VERDICT_YES],
            (unsigned long long)d->verdicts[AUTH_VERDICT_NO], (unsigned long long)d->verdicts[AUTH_VERDICT_UNAVAILABLE],
            (unsigned long long)c->full, (unsigned long long)c->late, (unsigned long long)d->domains,
            (unsigned long long)c->died, (unsigned long long)d->refused);
        for (size_t i = 0; i < AUTH_ASKERS_MOST; i++)
                if (d->askers[i])
                        hang_up(d->askers[i]);
        reap(d);
        pool_free(d->pool);
        loop_free(d->loop);
        ledger_close(d->ledger);
        arena_free(d->arena);
}

int auth_run(const struct auth_options *o)
{
        log_duty("auth");
        autofree struct duty *d = xcalloc(1, sizeof *d);
        d->o = o;
        autoclose int fd = -1;
        int status = listen_at(o->dir, &fd);
        if (status < 0)
                return fail("auth.sock", status);
        status = ledger_open(o->dir, &d->ledger);
        if (status < 0)
                return fail("the ledger", status);
        d->fd = fd;
        know_edge(d);
        status = serve(d);
        finish(d);
        return status;
}

static void want_limits(struct buf *out, struct slice name, const struct mail_limits *l)
{
        buf_addf(out, "%zu %.*s", name.n, SLICE_ARGS(name));
        for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++)
                buf_addf(out, " %lld", (long long)l->v[checker_limit(i)]);
        buf_addc(out, '\n');
}

void auth_wanted(const struct policy *p, struct buf *out)
{
        want_limits(out, p->network.domain, &p->mail.limits);
        for (size_t i = 0; i < p->n_classes; i++)
                want_limits(out, p->classes[i].name, &p->classes[i].limits);
}
