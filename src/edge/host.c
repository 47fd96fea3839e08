/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/host.h"
#include "auth/wire.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/seccomp.h"
#include "base/time.h"
#include "edge/doors.h"
#include "edge/setup.h"
#include "edge/tls.h"
#include "guard/window.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
        COUNT_ENTRIES = 1 << 19,
        PEM_MOST = 1 << 20,
        FILTER_MOST = 64 << 10,
        SPARE_DESCRIPTORS = 300,
        STATUS_SYSTEM = 3
};

#define TICK SECOND
#define FILES_EVERY SECOND
#define STOP_PATIENCE (9 * SECOND)
#define DRAIN_PATIENCE (11 * MINUTE) /* past WORKER_DRAIN it hangs */
#define BACKOFF_MOST (30 * SECOND)

struct worker_process {
        pid_t pid; /* 0: free */
        int control;
        int64_t number, started, again, delay,
            drains; /* drains: since when; again: when to start it anew; 0: it lives */
        bool draining;
        struct watch *heard;
};

struct host {
        const struct host_options *o;
        struct loop *loop;
        struct watch *tick, *deadline;
        struct setup setup; /* listeners, counts and texts that stay the same */
        struct worker_process workers[HOST_WORKERS_MOST];
        size_t n; /* how many there should be */
        char *program, *paths[3];
        struct buf filter, certificates; /* certificates: PEM texts, wiped when they are read anew */
        struct timespec *seen,
            *looked; /* when the files of certificates were changed: of those in use, at the last look */
        int64_t files_looked;
        bool stopping, renew_due;
};

void host_wants(const struct policy *p, struct buf *out)
{
        buf_addf(out, "edge %d\n", p->edge.written);
        doors_wanted(p, out);
        for (size_t i = 0; i < p->edge.n_certificates; i++)
                buf_addf(out, "%.*s %.*s\n", SLICE_ARGS(p->edge.certificates[i].chain),
                         SLICE_ARGS(p->edge.certificates[i].key));
}

/* ---- certificates ---- */

static struct timespec changed(struct slice path)
{
        struct stat st = { 0 };
        autofree char *name = slice_dup(path);
        return stat(name, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
}

static bool read_pem(const struct policy_certificate *c, struct slice path, struct buf *out)
{
        autofree char *name = slice_dup(path);
        autobuf why;
        buf_init(&why, LOG_LINE_MOST);
        int failed = file_read(name, out);
        if (failed)
                log_event("certificate-unreadable", "name=%.*s file=%s why=\"%s\"", SLICE_ARGS(c->name),
                          log_text(&why, path), strerror(-failed));
        return !failed;
}

static void wipe(struct buf *key)
{
        if (key->p)
                explicit_bzero(key->p, key->cap);
        buf_done(key);
}

/* False: it cannot be used, and the log says why. */
static bool read_certificate(const struct policy_certificate *c, struct setup_certificate *ret)
{
        struct buf chain, key;
        autobuf why, text;
        buf_init(&chain, PEM_MOST);
        buf_init(&key, PEM_MOST);
        buf_init(&why, LOG_LINE_MOST);
        buf_init(&text, LOG_LINE_MOST);
        bool good = read_pem(c, c->chain, &chain) && read_pem(c, c->key, &key);
        *ret = (struct setup_certificate){ c->name, buf_slice(&chain), buf_slice(&key) };
        if (good && tls_check(ret, &why) != 0) {
                log_event("certificate-unusable", "name=%.*s why=%s", SLICE_ARGS(c->name),
                          log_text(&text, buf_slice(&why)));
                good = false;
        }
        if (good) {
                if (tls_is_over(ret))
                        log_event("certificate-expired", "name=%.*s", SLICE_ARGS(c->name));
                ret->name = slice_of(slice_dup(c->name)); /* outlives the generation */
                return true;
        }
        wipe(&key);
        buf_done(&chain);
        return false;
}

/* What is used now goes on: a renewal that failed must not take the door away. */
static bool keep_former(struct slice name, struct setup_certificate *all, size_t n, struct setup_certificate *ret)
{
        for (size_t i = 0; i < n; i++)
                if (all[i].chain.p && slice_eq(all[i].name, name)) {
                        log_event("certificate-kept", "name=%.*s", SLICE_ARGS(name));
                        *ret = all[i];
                        all[i] = (struct setup_certificate){ .name = S("") };
                        return true;
                }
        return false;
}

static void drop_certificates(struct setup_certificate *all, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (!all[i].chain.p)
                        continue;
                explicit_bzero((char *)all[i].key.p, all[i].key.n);
                free((char *)all[i].key.p);
                free((char *)all[i].chain.p);
                free((char *)all[i].name.p);
        }
        free(all);
}

/* When the files were changed last, two of each certificate. */
static struct timespec *look(const struct policy_edge *e)
{
        struct timespec *at = xcalloc(2 * e->n_certificates + 1, sizeof *at);
        for (size_t i = 0; i < e->n_certificates; i++) {
                at[2 * i] = changed(e->certificates[i].chain);
                at[2 * i + 1] = changed(e->certificates[i].key);
        }
        return at;
}

static void read_certificates(struct host *h)
{
        const struct policy_edge *e = &h->o->policy()->edge;
        struct setup *s = &h->setup;
        struct setup_certificate *former = take(s->certificates);
        size_t n = s->n_certificates;
        s->certificates = xcalloc(e->n_certificates + 1, sizeof *s->certificates);
        s->n_certificates = 0;
        free(h->seen);
        free(h->looked);
        h->seen = look(e);
        h->looked = look(e);
        for (size_t i = 0; i < e->n_certificates && i < SETUP_CERTIFICATES_MOST; i++) {
                struct setup_certificate *one = &s->certificates[s->n_certificates];
                if (read_certificate(&e->certificates[i], one) || keep_former(e->certificates[i].name, former, n, one))
                        s->n_certificates++;
        }
        drop_certificates(former, n);
}

/* A renewed certificate may be half written: it is taken when it stood still for one look. */
static bool certificates_changed(struct host *h)
{
        const struct policy_edge *e = &h->o->policy()->edge;
        size_t bytes = 2 * e->n_certificates * sizeof *h->seen;
        struct timespec *now = look(e);
        bool still = memcmp(now, h->looked, bytes) == 0, moved = memcmp(now, h->seen, bytes) != 0;
        free(h->looked);
        h->looked = now;
        return moved && still;
}

/* ---- starting ---- */

static int sealed(const struct buf *text)
{
        int fd = memfd_create("edge-setup", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        size_t at = 0;
        while (fd != -1 && at < text->n) {
                ssize_t n = write(fd, text->p + at, text->n - at);
                if (n <= 0) {
                        close(fd);
                        return -1;
                }
                at += (size_t)n;
        }
        if (fd != -1 && (lseek(fd, 0, SEEK_SET) == -1 ||
                         fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)) {
                close(fd);
                return -1;
        }
        return fd;
}

/* In the child: only what it needs is passed on, and it dies with us. */
NORETURN static void become(const struct host *h, int setup_fd, int control, pid_t parent)
{
        char fd_text[16];
        char *const argv[] = { (char *)"porteiro-edge", fd_text, NULL };
        char *const nothing[] = { NULL };
        sigset_t none;
        snprintf(fd_text, sizeof fd_text, "%d", setup_fd);
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
        fcntl(setup_fd, F_SETFD, 0);
        fcntl(control, F_SETFD, 0);
        fcntl(h->setup.counts, F_SETFD, 0);
        for (size_t i = 0; i < h->setup.n_listeners; i++)
                fcntl(h->setup.listeners[i].fd, F_SETFD, 0);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (getppid() == parent)
                execve(h->program, argv, nothing);
        _exit(127);
}

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
        } else {
                sigprocmask(SIG_SETMASK, &before, NULL);
        }
        errno = failed;
        return pid;
}

static void on_heard(void *arg, int what)
{
        struct worker_process *w = arg;
        char said;
        (void)what;
        if (recv(w->control, &said, 1, MSG_DONTWAIT) == 1) {
                w->delay = 0;
                return;
        }
        watch_free(take(w->heard)); /* its end is told by SIGCHLD */
}

/* More than what setup_put() needs. */
static size_t setup_room(const struct setup *s)
{
        size_t n = s->policy.n + s->filter.n + (64 << 10);
        for (size_t i = 0; i < s->n_certificates; i++)
                n += s->certificates[i].name.n + s->certificates[i].chain.n + s->certificates[i].key.n + 64;
        return n;
}

static bool spawn(struct host *h, struct worker_process *w)
{
        autobuf text;
        int ends[2];
        pid_t self = getpid(), pid = -1;
        buf_init(&text, SETUP_MOST);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
                return false;
        struct setup s = h->setup;
        s.policy = h->o->text();
        s.filter = buf_slice(&h->filter);
        s.control = ends[1];
        s.worker = w->number;
        s.workers = (int64_t)h->n;
        auth_reserve(&text, setup_room(&s)); /* what grows leaves keys behind */
        setup_put(&s, &text);
        autoclose int fd = text.full ? -1 : sealed(&text);
        explicit_bzero(text.p, text.cap);
        if (fd != -1) {
                pid = fork_without_handlers();
                if (pid == 0)
                        become(h, fd, ends[1], self);
        }
        close(ends[1]);
        if (pid == -1) {
                close(ends[0]);
                return false;
        }
        w->pid = pid;
        w->control = ends[0];
        w->started = time_monotonic();
        w->again = 0;
        w->draining = false;
        w->heard = loop_fd(h->loop, w->control, LOOP_READ, on_heard, w);
        log_event("worker-started", "worker=%lld pid=%d", (long long)w->number, (int)pid);
        return true;
}

static struct worker_process *free_place(struct host *h)
{
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++)
                if (h->workers[i].pid == 0 && h->workers[i].again == 0)
                        return &h->workers[i];
        return NULL;
}

static void start_all(struct host *h)
{
        for (size_t i = 0; i < h->n; i++) {
                struct worker_process *w = free_place(h);
                if (!w) {
                        log_event("too-many-workers", "most=%d", HOST_WORKERS_MOST);
                        return;
                }
                *w = (struct worker_process){ .number = (int64_t)i, .control = -1 };
                if (!spawn(h, w)) {
                        log_event("worker-not-started", "worker=%zu why=\"%s\"", i, strerror(errno));
                        w->again = time_monotonic() + SECOND;
                }
        }
}

static void tell(struct worker_process *w, const char *what)
{
        ssize_t n = w->pid ? send(w->control, what, 1, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        (void)n; /* who is gone need not be told */
}

/* Room for as many again; where there is none those that drain longest have had time enough. */
static bool make_room(struct host *h)
{
        size_t room = 0;
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++)
                room += h->workers[i].pid == 0;
        for (size_t i = 0; i < HOST_WORKERS_MOST && room < h->n; i++)
                if (h->workers[i].pid && h->workers[i].draining)
                        tell(&h->workers[i], "s");
        return room >= h->n;
}

/* New ones first, so that somebody accepts all the while. */
static void renew(struct host *h, const char *why)
{
        struct worker_process *old[HOST_WORKERS_MOST];
        size_t n = 0;
        h->renew_due = !make_room(h);
        if (h->renew_due)
                return;
        log_event("workers-renewed", "why=%s", why);
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++) {
                h->workers[i].again = 0;
                if (h->workers[i].pid && !h->workers[i].draining)
                        old[n++] = &h->workers[i];
        }
        start_all(h);
        for (size_t i = 0; i < n; i++) {
                old[i]->draining = true;
                old[i]->drains = time_monotonic();
                tell(old[i], "d");
        }
}

/* ---- ending ---- */

static size_t alive(const struct host *h)
{
        size_t n = 0;
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++)
                n += h->workers[i].pid != 0;
        return n;
}

static void on_deadline(void *arg)
{
        struct host *h = arg;
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++)
                if (h->workers[i].pid)
                        kill(h->workers[i].pid, SIGKILL);
        loop_stop(h->loop, 0);
}

static void stop(struct host *h)
{
        if (h->stopping)
                return;
        h->stopping = true;
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++)
                tell(&h->workers[i], "s");
        h->deadline = loop_timer(h->loop, STOP_PATIENCE, on_deadline, h);
        if (alive(h) == 0)
                loop_stop(h->loop, 0);
}

static void on_stop(void *arg)
{
        stop(arg);
}

static void buried(struct host *h, struct worker_process *w, int status)
{
        int64_t now = time_monotonic(), lived = now - w->started;
        bool crashed = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
        log_event(crashed ? "worker-died" : "worker-ended", "worker=%lld pid=%d %s=%d alive_ms=%lld",
                  (long long)w->number, (int)w->pid, WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)(lived / 1000));
        watch_free(take(w->heard));
        close(w->control);
        w->pid = 0;
        if (h->stopping || w->draining)
                return;
        w->delay = lived > MINUTE || !w->delay ? 200000 : w->delay * 2 < BACKOFF_MOST ? w->delay * 2 : BACKOFF_MOST;
        w->again = now + w->delay;
}

static void on_child(void *arg)
{
        struct host *h = arg;
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++) {
                int status;
                struct worker_process *w = &h->workers[i];
                if (w->pid && waitpid(w->pid, &status, WNOHANG) == w->pid)
                        buried(h, w, status);
        }
        if (h->stopping && alive(h) == 0)
                loop_stop(h->loop, 0);
}

/* ---- the clock ---- */

static void start_again(struct host *h, int64_t now)
{
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++) {
                struct worker_process *w = &h->workers[i];
                if (w->again && w->again <= now && !spawn(h, w))
                        w->again = now + SECOND;
        }
}

static void end_who_hangs(struct host *h, int64_t now)
{
        for (size_t i = 0; i < HOST_WORKERS_MOST; i++) {
                struct worker_process *w = &h->workers[i];
                if (!w->pid || !w->draining || now - w->drains < DRAIN_PATIENCE)
                        continue;
                log_event("worker-hangs", "worker=%lld pid=%d action=kill", (long long)w->number, (int)w->pid);
                kill(w->pid, SIGKILL);
                w->drains = now;
        }
}

static void on_tick(void *arg)
{
        struct host *h = arg;
        int64_t now = time_monotonic();
        enum host_news news = h->stopping ? HOST_SAME : h->o->news();
        if (news == HOST_OTHER_SOCKETS) {
                log_event("sockets-changed", "action=ending");
                stop(h);
        } else if (news == HOST_NEW_POLICY) {
                read_certificates(h);
                renew(h, "generation");
        } else if (!h->stopping && now - h->files_looked >= FILES_EVERY) {
                h->files_looked = now;
                if (certificates_changed(h)) {
                        read_certificates(h);
                        renew(h, "certificate");
                }
        }
        if (h->renew_due && !h->stopping)
                renew(h, "room");
        if (!h->stopping)
                start_again(h, now);
        end_who_hangs(h, now);
        watch_again(h->tick, TICK / 4);
}

/* ---- the beginning ---- */

static int fail(const char *what, const char *why)
{
        fprintf(stderr, "porteiro: edge: %s: %s\n", what, why);
        return STATUS_SYSTEM;
}

static int make_counts(struct host *h)
{
        uint8_t key[16];
        size_t bytes = window_bytes(COUNT_ENTRIES);
        int fd = memfd_create("edge-counts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        void *memory = MAP_FAILED;
        if (fd != -1 && ftruncate(fd, (off_t)bytes) == 0 &&
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
                0) /* a worker that is not ours any more */
                memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                return fail("the table of counts", strerror(errno));
        if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
                panic("no random numbers");
        window_make(memory, COUNT_ENTRIES, key);
        munmap(memory, bytes);
        h->setup.counts = fd;
        h->setup.counts_bytes = bytes;
        return 0;
}

/* As many descriptors as the system lets us have; workers inherit it. */
static void raise_descriptors(const struct policy_edge *e)
{
        struct rlimit r;
        if (getrlimit(RLIMIT_NOFILE, &r) == -1)
                return;
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
        rlim_t wanted = (rlim_t)(e->connections + e->trap_connections + SPARE_DESCRIPTORS);
        if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < wanted)
                log_event("few-descriptors",
                          "limit=%llu wanted=%llu consequence=\"the kernel's queue keeps who comes past it\"",
                          (unsigned long long)r.rlim_cur, (unsigned long long)wanted);
}

/* Beside this program: build/ or sbin/. */
static int find_program(struct host *h)
{
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n <= 0)
                return fail("/proc/self/exe", strerror(errno));
        self[n] = 0;
        char *slash = strrchr(self, '/');
        h->program = xasprintf("%.*s/porteiro-edge", (int)(slash - self), self);
        return access(h->program, X_OK) == 0 ? 0 : fail(h->program, strerror(errno));
}

static char *folder_of(struct slice path)
{
        size_t n = path.n;
        while (n > 1 && path.p[n - 1] != '/')
                n--;
        return slice_dup((struct slice){ path.p, n });
}

/* The folder it is in, and the one it leads to where it is a link, as certbot makes them. Returns how many were added. */
static size_t add_folders(struct slice path, const char **folders)
{
        size_t n = 0;
        autofree char *name = slice_dup(path);
        autofree char *real = realpath(name, NULL);
        folders[n++] = folder_of(path);
        if (real && strcmp(real, name) != 0)
                folders[n++] = folder_of(slice_of(real));
        return n;
}

static void lock_in(struct host *h)
{
        const struct policy_edge *e = &h->o->policy()->edge;
        size_t n = 0;
        const char **folders = xcalloc(4 * e->n_certificates + 1, sizeof *folders);
        for (size_t i = 0; i < e->n_certificates; i++) {
                n += add_folders(e->certificates[i].chain, folders + n);
                n += add_folders(e->certificates[i].key, folders + n);
        }
        h->o->lock_in(folders, n, h->program);
        for (size_t i = 0; i < n; i++)
                free((char *)folders[i]);
        free(folders);
}

static size_t workers_wanted(const struct policy_edge *e)
{
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        size_t n = e->workers ? (size_t)e->workers : cores > 0 ? (size_t)cores : 1;
        return n > HOST_WORKERS_MOST / 2 ? HOST_WORKERS_MOST / 2 : n;
}

static int open_all(struct host *h)
{
        const struct policy *p = h->o->policy();
        autobuf why;
        buf_init(&why, 4096);
        h->setup.counts = -1;
        int failed = find_program(h);
        if (!failed && doors_open(p, &h->setup, &why) != 0)
                failed = fail("cannot listen", buf_cstr(&why));
        failed = failed ? failed : make_counts(h);
        if (failed)
                return failed;
        buf_init(&h->filter, FILTER_MOST);
        if (seccomp_export(SANDBOX_ACCEPT | SANDBOX_NET, h->o->deadly, &h->filter) != 0)
                return fail("seccomp", "no filter of system calls can be made");
        h->paths[0] = xasprintf("%s/keeper.sock", h->o->dir);
        h->paths[1] = xasprintf("%s/auth.sock", h->o->dir);
        h->paths[2] = xasprintf("%s/deliver.sock", h->o->dir);
        h->setup.keeper_socket = slice_of(h->paths[0]);
        h->setup.auth_socket = slice_of(h->paths[1]);
        h->setup.deliver_socket = slice_of(h->paths[2]);
        h->setup.sketch_key = (struct slice){ (const char *)h->o->sketch_key, sizeof h->o->sketch_key };
        raise_descriptors(&p->edge);
        read_certificates(h);
        h->n = workers_wanted(&p->edge);
        return 0;
}

static void close_all(struct host *h)
{
        drop_certificates(h->setup.certificates, h->setup.n_certificates);
        free(h->seen);
        free(h->looked);
        free(h->program);
        for (size_t i = 0; i < COUNT_OF(h->paths); i++)
                free(h->paths[i]);
        buf_done(&h->filter);
        loop_free(h->loop);
        doors_close(&h->setup);
        if (h->setup.counts != -1)
                close(h->setup.counts);
}

/* The policy has no edge: nothing listens, and nothing is to be done until it has. */
static void on_idle(void *arg)
{
        struct host *h = arg;
        if (h->o->news() == HOST_OTHER_SOCKETS)
                loop_stop(h->loop, 0);
        watch_again(h->tick, TICK / 4);
}

int host_run(const struct host_options *o)
{
        static struct host host;
        struct host *h = &host;
        bool idle = !o->policy()->edge.written;
        *h = (struct host){ .o = o, .setup.counts = -1 };
        int failed = idle ? 0 : open_all(h);
        if (failed) {
                close_all(h);
                return failed;
        }
        lock_in(h);
        h->loop = loop_new();
        loop_signal(h->loop, SIGTERM, on_stop, h);
        loop_signal(h->loop, SIGINT, on_stop, h);
        loop_signal(h->loop, SIGCHLD, on_child, h);
        h->tick = loop_timer(h->loop, TICK / 4, idle ? on_idle : on_tick, h);
        h->files_looked = time_monotonic();
        if (idle)
                log_event("no-edge", "why=\"the policy has no edge block\"");
        else
                start_all(h);
        int status = loop_run(h->loop);
        close_all(h);
        return status;
}
