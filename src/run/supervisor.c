/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/supervisor.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "run/duties.h"
#include "run/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct run;

struct ward {
        struct run *run;
        const struct duty_row *row;
        pid_t pid; /* 0: not alive */
        int fd;    /* what it tells us */
        struct watch *heard, *again;
        int64_t started, delay;
        bool ready, told_to_stop;
};

struct run {
        const char *dir;
        struct loop *loop;
        struct watch *patience, *deadline, *pulse;
        struct ward wards[DUTIES_MOST];
        size_t n;
        int64_t began;
        bool others_started, announced, stopping;
};

int64_t backoff_after(int64_t former, int64_t alive)
{
        if (former == 0 || alive >= BACKOFF_FORGET)
                return BACKOFF_FIRST;
        return former * 2 > BACKOFF_MOST ? BACKOFF_MOST : former * 2;
}

/* --- starting --- */

/* In the child: only what it needs is passed on, and it dies with us. */
NORETURN static void become(const struct ward *w, int told_fd, pid_t supervisor)
{
        char fd_text[16], pid_text[16];
        snprintf(fd_text, sizeof fd_text, "%d", told_fd);
        snprintf(pid_text, sizeof pid_text, "%d", (int)supervisor);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        fcntl(told_fd, F_SETFD, 0);
        if (getppid() == supervisor && setenv(NOTIFY_FD_VARIABLE, fd_text, 1) == 0 &&
            setenv(SUPERVISOR_VARIABLE, pid_text, 1) == 0)
                execl("/proc/self/exe", "porteiro", "duty", w->row->name, "--state", w->run->dir, (char *)NULL);
        _exit(127);
}

/* Until exec the child has our handlers, and a SIGTERM they took there would be lost: it waits until they are gone. */
static pid_t fork_without_handlers(void)
{
        sigset_t all, before;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = fork();
        int failed = errno;
        if (pid == 0) {
                signal(SIGTERM, SIG_DFL);
                signal(SIGINT, SIG_DFL);
                signal(SIGCHLD, SIG_DFL);
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        errno = failed;
        return pid;
}

static void on_heard(void *arg, int what);
static void on_again(void *arg);

static void start(struct ward *w)
{
        int ends[2];
        pid_t self = getpid();
        w->started = time_monotonic();
        w->ready = false;
        pid_t pid = -1;
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0) {
                pid = fork_without_handlers();
                if (pid == 0)
                        become(w, ends[1], self);
                int failed = errno;
                close(ends[1]);
                if (pid == -1)
                        close(ends[0]);
                errno = failed;
        }
        if (pid == -1) {
                w->delay = backoff_after(w->delay, 0);
                log_event("duty-not-started", "name=%s error=\"%s\" again_ms=%lld", w->row->name, strerror(errno),
                          (long long)(w->delay / 1000));
                watch_again(w->again, w->delay);
                return;
        }
        w->pid = pid;
        w->fd = ends[0];
        w->heard = loop_fd(w->run->loop, w->fd, LOOP_READ, on_heard, w);
        log_event("duty-started", "name=%s pid=%d", w->row->name, (int)pid);
}

static void start_others(struct run *r)
{
        if (r->others_started || r->stopping)
                return;
        r->others_started = true;
        for (size_t i = 1; i < r->n; i++)
                start(&r->wards[i]);
}

/* --- being ready --- */

static void announce(struct run *r, bool all)
{
        autobuf text;
        buf_init(&text, 1024);
        buf_adds(&text, "READY=1\nSTATUS=");
        buf_adds(&text, all ? "all duties are ready" : "not ready yet:");
        for (size_t i = 0; i < r->n && !all; i++)
                if (!r->wards[i].ready)
                        buf_addf(&text, " %s", r->wards[i].row->name);
        if (!r->announced || all)
                notify(buf_cstr(&text));
        if (!r->announced)
                log_event("run-ready", "all=%s ms=%lld", all ? "yes" : "no",
                          (long long)((time_monotonic() - r->began) / 1000));
        r->announced = true;
}

static void on_heard(void *arg, int what)
{
        struct ward *w = arg;
        char said[256];
        (void)what;
        ssize_t n = recv(w->fd, said, sizeof said, MSG_DONTWAIT);
        if (n <= 0 || w->ready || !slice_starts((struct slice){ said, (size_t)n }, S("READY=1")))
                return;
        w->ready = true;
        log_event("duty-ready", "name=%s pid=%d ms=%lld", w->row->name, (int)w->pid,
                  (long long)((time_monotonic() - w->started) / 1000));
        if (w == &w->run->wards[0])
                start_others(w->run);
        bool all = true;
        for (size_t i = 0; i < w->run->n; i++)
                all = all && w->run->wards[i].ready;
        if (all && !w->run->stopping)
                announce(w->run, true);
}

static void on_patience(void *arg)
{
        struct run *r = arg;
        if (!r->others_started) {
                log_event("keeper-not-ready", "action=starting-the-others");
                start_others(r);
                watch_again(r->patience, READY_PATIENCE - KEEPER_PATIENCE);
        } else if (!r->announced && !r->stopping) {
                announce(r, false);
        }
}

/* systemd ends us where we stop saying this. */
static void on_pulse(void *arg)
{
        struct run *r = arg;
        notify("WATCHDOG=1");
        watch_again(r->pulse, notify_watchdog());
}

/* --- ending --- */

/* The last started first; each when the one before is gone. */
static void stop_next(struct run *r)
{
        for (size_t i = r->n; i-- > 0;) {
                struct ward *w = &r->wards[i];
                if (w->pid == 0)
                        continue;
                if (!w->told_to_stop)
                        kill(w->pid, SIGTERM);
                w->told_to_stop = true;
                return;
        }
        log_event("run-stopped", "ms=%lld", (long long)((time_monotonic() - r->began) / 1000));
        loop_stop(r->loop, 0);
}

static void on_deadline(void *arg)
{
        struct run *r = arg;
        for (size_t i = 0; i < r->n; i++)
                if (r->wards[i].pid) {
                        log_event("duty-killed", "name=%s pid=%d", r->wards[i].row->name, (int)r->wards[i].pid);
                        kill(r->wards[i].pid, SIGKILL);
                }
}

static void on_stop(void *arg)
{
        struct run *r = arg;
        if (r->stopping)
                return;
        r->stopping = true;
        r->began = time_monotonic();
        notify("STOPPING=1");
        log_event("run-stopping", "seconds=%d", (int)(STOP_PATIENCE / SECOND));
        r->deadline = loop_timer(r->loop, STOP_PATIENCE, on_deadline, r);
        stop_next(r);
}

static void buried(struct ward *w, int status)
{
        int64_t alive = time_monotonic() - w->started;
        w->pid = 0;
        w->ready = false;
        watch_free(take(w->heard));
        autoclose_(&w->fd);
        w->fd = -1;
        if (w->run->stopping)
                return;
        w->delay = backoff_after(w->delay, alive);
        log_event("duty-died", "name=%s %s=%d alive_ms=%lld again_ms=%lld", w->row->name,
                  WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)(alive / 1000),
                  (long long)(w->delay / 1000));
        watch_again(w->again, w->delay);
        if (w == &w->run->wards[0])
                start_others(w->run);
}

static void on_child(void *arg)
{
        struct run *r = arg;
        for (size_t i = 0; i < r->n; i++) {
                int status;
                if (r->wards[i].pid && waitpid(r->wards[i].pid, &status, WNOHANG) == r->wards[i].pid)
                        buried(&r->wards[i], status);
        }
        if (r->stopping)
                stop_next(r);
}

static void on_again(void *arg)
{
        struct ward *w = arg;
        if (!w->run->stopping && w->pid == 0)
                start(w);
}

/* --- the whole --- */

static bool among(const char *const *only, const char *name)
{
        for (; only && *only; only++)
                if (strcmp(*only, name) == 0)
                        return true;
        return !only;
}

static void supervise(struct run *r, const char *const *only)
{
        r->loop = loop_new();
        r->began = time_monotonic();
        loop_signal(r->loop, SIGTERM, on_stop, r);
        loop_signal(r->loop, SIGINT, on_stop, r);
        loop_signal(r->loop, SIGCHLD, on_child, r);
        for (size_t i = 0; i < n_duties; i++) {
                if (!among(only, duties[i].name))
                        continue;
                struct ward *w = &r->wards[r->n++];
                *w = (struct ward){ .run = r, .row = &duties[i], .fd = -1 };
                w->again = loop_timer(r->loop, TIME_NEVER, on_again, w);
        }
        r->patience = loop_timer(r->loop, KEEPER_PATIENCE, on_patience, r);
        if (notify_watchdog())
                r->pulse = loop_timer(r->loop, 0, on_pulse, r);
        start(&r->wards[0]);
        loop_run(r->loop);
        loop_free(r->loop);
}

int supervisor_run(const char *dir, const char *const *only, struct buf *why)
{
        struct run r = { .dir = dir };
        autofree char *path = xasprintf("%s/run.lock", dir);
        autoclose int lock = -1;
        long holder = 0;
        if (n_duties > DUTIES_MOST)
                panic("more duties than a supervisor can have");
        log_duty("run");
        int failed = state_prepare(dir, why);
        if (failed)
                return failed;
        failed = file_lock(path, 0600, &lock, &holder);
        if (failed == -EWOULDBLOCK)
                buf_addf(why, "another supervisor (pid %ld) runs with the state folder %s", holder, dir);
        else if (failed)
                buf_addf(why, "%s: %s", path, strerror(-failed));
        if (failed)
                return failed;
        notify_open();
        if (geteuid() == 0 && !duty_own_users())
                log_event("no-own-users", "duties=stay-root-without-capabilities group=" DUTY_GROUP);
        supervise(&r, only);
        return 0;
}
