/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/keeper.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "ledger/rights.h"
#include "ledger/upkeep.h"
#include "ledger/verbs.h"
#include "ledger/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define WAIT_FOR_COMMAND (2 * SECOND)
#define EXPORT_AFTER (SECOND / 5) /* changes that come together are one commit of mail.db */
#define EXPORT_AGAIN SECOND

enum { PIECE = 65536, RECEIVE_ROUNDS = 16, UNREAD_MOST = 1 << 20 };

struct connection {
        struct keeper *keeper;
        struct connection *next, *previous;
        int fd;
        struct watch *watch;
        uid_t uid;
        char author[AUTHOR_MOST];
        struct buf in, out;
        struct buf held; /* replies that wait for the commit */
        uint16_t *verbs; /* of the replies held, in order */
        size_t n_verbs, verbs_cap;
        int64_t half_since; /* 0: no half frame stands in `in` */
        int64_t notice;     /* a change number not yet put into `out`; 0: none */
        bool listening;
        bool gone; /* closed; freed after the next commit, for what it asked belongs to the group */
};

struct keeper {
        struct writer *writer;
        struct rights rights;
        struct loop *loop;
        int fd;
        char path[4096];
        struct watch *accept, *commit, *export, *half, *work, *term, *interrupt;
        struct upkeep *upkeep;
        struct connection *connections;
        size_t n_connections, n_group;
        bool turning;        /* the commit is on its way, after all that is ready in this turn of the loop */
        int64_t told;        /* the last change listeners heard of */
        bool exporting;      /* its timer is set */
        bool export_failed;  /* and that was logged */
        bool exported_whole; /* once since the start */
};

static void turn(struct keeper *k)
{
        if (!k->turning)
                watch_again(k->commit, 0);
        k->turning = true;
}

/* --- connections --- */

static void leave(struct connection *c)
{
        if (c->gone)
                return;
        c->gone = true;
        watch_free(c->watch);
        c->watch = NULL;
        autoclose_(&c->fd);
        turn(c->keeper);
}

static void refuse(struct connection *c, const char *event)
{
        autobuf author;
        buf_init(&author, 512);
        log_event(event, "author=%s", log_text(&author, slice_of(c->author)));
        leave(c);
}

static void reap(struct connection *c)
{
        struct keeper *k = c->keeper;
        if (c->previous)
                c->previous->next = c->next;
        else
                k->connections = c->next;
        if (c->next)
                c->next->previous = c->previous;
        k->n_connections--;
        buf_done(&c->in);
        buf_done(&c->out);
        buf_done(&c->held);
        free(c->verbs);
        free(c);
}

static void add_notice(struct connection *c)
{
        size_t start = c->out.n;
        ipc_begin(&c->out, VERB_notice);
        ipc_put_int(&c->out, c->notice);
        ipc_end(&c->out, start);
        c->notice = 0;
}

static void drop_head(struct buf *b, struct slice left)
{
        if (left.n && left.p != b->p)
                memmove(b->p, left.p, left.n);
        b->n = left.n;
}

static void flush(struct connection *c)
{
        if (c->out.full) {
                refuse(c, "keeper-reader-too-slow");
                return;
        }
        /* One notice is enough for a reader who has not read the former one. */
        if (c->notice && c->out.n == 0)
                add_notice(c);
        struct slice left = buf_slice(&c->out);
        while (left.n) {
                ssize_t n = send(c->fd, left.p, left.n, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n >= 0) {
                        left = slice_from(left, (size_t)n);
                } else if (errno == EAGAIN) {
                        break;
                } else if (errno != EINTR) {
                        leave(c);
                        return;
                }
        }
        drop_head(&c->out, left);
        watch_set(c->watch, (c->out.n < UNREAD_MOST ? LOOP_READ : 0) | (c->out.n || c->notice ? LOOP_WRITE : 0));
}

/* --- requests --- */

static void run_frame(struct connection *c, struct ipc_reader *frame)
{
        struct keeper *k = c->keeper;
        c->verbs = xgrow(c->verbs, &c->verbs_cap, c->n_verbs + 1, sizeof *c->verbs);
        c->verbs[c->n_verbs++] = frame->verb;
        if (!rights_allow(&k->rights, c->uid, frame->verb)) {
                log_event("verb-refused", "uid=%u verb=%u", (unsigned)c->uid, frame->verb);
                verbs_reply(&c->held, frame->verb, -EPERM, S("this user's duty may not ask for that"));
        } else if (frame->verb == VERB_listen) {
                c->listening = true;
                verbs_reply(&c->held, frame->verb, 0, S(""));
        } else {
                writer_run(k->writer, slice_of(c->author), frame, &c->held);
        }
        if (c->held.full) /* the answer can no longer be told whole */
                c->out.full = true;
        k->n_group++;
        turn(k);
}

/* All whole frames in `in`, as far as the group has room. */
static void run_frames(struct connection *c)
{
        struct ipc_reader frame;
        struct slice left = buf_slice(&c->in);
        bool some = false;
        int64_t n;
        while ((n = ipc_frame(left, &frame)) > 0 && c->keeper->n_group < KEEPER_GROUP_MOST) {
                left = slice_from(left, (size_t)n);
                run_frame(c, &frame);
                some = true;
        }
        if (n < 0) {
                refuse(c, "keeper-bad-frame");
                return;
        }
        drop_head(&c->in, left);
        if (left.n == 0 && c->in.cap > PIECE)
                buf_done(&c->in);
        if (n > 0 || c->in.n == 0)
                c->half_since = 0;
        else if (some || c->half_since == 0)
                c->half_since = time_monotonic();
        if (c->half_since)
                watch_again(c->keeper->half, SECOND);
}

static size_t bytes_held(const struct keeper *k)
{
        size_t n = 0;
        for (const struct connection *c = k->connections; c; c = c->next)
                n += c->in.cap;
        return n;
}

static void receive(struct connection *c)
{
        char piece[PIECE];
        bool end = false;
        for (int i = 0; i < RECEIVE_ROUNDS; i++) {
                ssize_t n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);
                end = n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
                if (n <= 0)
                        break;
                buf_add(&c->in, (struct slice){ piece, (size_t)n });
                if (c->in.full || (c->in.n > PIECE && bytes_held(c->keeper) > KEEPER_BYTES_MOST)) {
                        refuse(c, "keeper-memory-full");
                        return;
                }
        }
        run_frames(c); /* also what he sent before he left */
        if (end)
                leave(c);
}

static void on_connection(void *arg, int what)
{
        struct connection *c = arg;
        if (what & LOOP_WRITE)
                flush(c);
        if ((what & LOOP_READ) && !c->gone)
                receive(c);
}

static void on_half(void *arg)
{
        struct keeper *k = arg;
        int64_t now = time_monotonic();
        bool any = false;
        for (struct connection *c = k->connections; c; c = c->next) {
                if (!c->gone && c->half_since && now - c->half_since > KEEPER_HALF_FRAME)
                        refuse(c, "keeper-frame-too-slow");
                any = any || (!c->gone && c->half_since);
        }
        if (any)
                watch_again(k->half, SECOND);
}

/* --- mail.db --- */

static void on_export(void *arg)
{
        struct keeper *k = arg;
        autobuf why, shown;
        buf_init(&why, 8192);
        buf_init(&shown, 1024);
        k->exporting = false;
        int status = writer_export(k->writer, !k->exported_whole, &why);
        k->exported_whole = k->exported_whole || status == 0;
        if (status < 0 && !k->export_failed)
                log_event("mail-export-failed", "errno=%d reason=%s", -status, log_text(&shown, buf_slice(&why)));
        if (status == 0 && k->export_failed)
                log_event("mail-export-again", "change=%lld", (long long)k->told);
        k->export_failed = status < 0;
        if (status < 0) {
                watch_again(k->export, EXPORT_AGAIN);
                k->exporting = true;
        }
}

static void export_soon(struct keeper *k)
{
        if (!k->exporting)
                watch_again(k->export, EXPORT_AFTER);
        k->exporting = true;
}

/* --- the group --- */

static void release_replies(struct connection *c, int status, struct slice reason)
{
        if (status == 0)
                buf_add(&c->out, buf_slice(&c->held));
        for (size_t i = 0; status < 0 && i < c->n_verbs; i++)
                verbs_reply(&c->out, c->verbs[i], status, reason);
        buf_clear(&c->held);
        c->n_verbs = 0;
}

static int commit(struct keeper *k, struct buf *reason)
{
        autobuf shown;
        buf_init(&shown, 1024);
        k->n_group = 0;
        int status = writer_commit(k->writer);
        if (status < 0) {
                buf_adds(reason, writer_error(k->writer));
                log_event("commit-failed", "errno=%d reason=%s", -status, log_text(&shown, buf_slice(reason)));
        }
        return status;
}

static void on_commit(void *arg)
{
        struct keeper *k = arg;
        autobuf reason;
        buf_init(&reason, 4096);
        k->turning = false;
        int status = commit(k, &reason);
        int64_t last = writer_last_change(k->writer);
        if (last != k->told)
                export_soon(k);
        for (struct connection *c = k->connections, *next; c; c = next) {
                next = c->next;
                release_replies(c, status, buf_slice(&reason));
                if (!c->gone && c->listening && last != k->told)
                        c->notice = last;
                if (!c->gone && (c->out.n || c->notice || c->out.full))
                        flush(c);
                if (c->gone)
                        reap(c);
        }
        k->told = last;
        /* What the group had no room for begins the next one. */
        for (struct connection *c = k->connections; c; c = c->next)
                if (!c->gone && c->in.n)
                        run_frames(c);
}

/* Its transactions are its own: what was asked until now is answered first. */
static void on_work(void *arg)
{
        struct keeper *k = arg;
        on_commit(k);
        watch_again(k->work, upkeep_step(k->upkeep, time_now()));
}

/* --- start and stop --- */

static void on_accept(void *arg, int what)
{
        struct keeper *k = arg;
        struct ucred peer;
        socklen_t n = sizeof peer;
        (void)what;
        autoclose int fd = accept4(k->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd == -1 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == -1)
                return;
        if (k->n_connections >= KEEPER_CONNECTIONS_MOST) {
                log_event("keeper-connections-full", "most=%d uid=%u", KEEPER_CONNECTIONS_MOST, (unsigned)peer.uid);
                return;
        }
        struct connection *c = xcalloc(1, sizeof *c);
        *c = (struct connection){ .keeper = k, .next = k->connections, .fd = take_fd(&fd), .uid = peer.uid };
        if (k->connections)
                k->connections->previous = c;
        k->connections = c;
        k->n_connections++;
        buf_init(&c->in, IPC_FRAME_MOST + 2 * PIECE);
        buf_init(&c->out, KEEPER_REPLIES_MOST);
        buf_init(&c->held, KEEPER_REPLIES_MOST);
        author_print(peer.uid, c->author);
        c->watch = loop_fd(k->loop, c->fd, LOOP_READ, on_connection, c);
}

static int say(struct buf *why, int status, const char *path)
{
        buf_clear(why);
        buf_addf(why, "%s: %s", path, strerror(-status));
        return status;
}

/* The lock is ours: a socket that stands there is a dead keeper's. A long name is reached through the folder's descriptor. */
static int listen_at(struct keeper *k, const char *dir, struct buf *why)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        autoclose int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd == -1 || folder == -1 || snprintf(k->path, sizeof k->path, "%s/keeper.sock", dir) >= (int)sizeof k->path)
                return say(why, errno ? -errno : -ENAMETOOLONG, dir);
        if (snprintf(at.sun_path, sizeof at.sun_path, "%s", k->path) >= (int)sizeof at.sun_path)
                snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/keeper.sock", folder);
        if (unlink(k->path) == -1 && errno != ENOENT)
                return say(why, -errno, k->path);
        mode_t before = umask(0117);
        int bound = bind(fd, (struct sockaddr *)&at, sizeof at);
        int status = -errno;
        umask(before);
        if (bound == -1 || listen(fd, 128) == -1)
                return say(why, bound == -1 ? status : -errno, k->path);
        k->fd = take_fd(&fd);
        return 0;
}

static void on_signal(void *arg)
{
        loop_stop(((struct keeper *)arg)->loop, 0);
}

static void serve(struct keeper *k)
{
        k->loop = loop_new();
        k->told = writer_last_change(k->writer);
        k->accept = loop_fd(k->loop, k->fd, LOOP_READ, on_accept, k);
        k->commit = loop_timer(k->loop, 0, on_commit, k);
        k->turning = true;
        k->export = loop_timer(k->loop, EXPORT_AFTER, on_export, k);
        k->exporting = true;
        k->half = loop_timer(k->loop, SECOND, on_half, k);
        k->upkeep = upkeep_new(k->writer);
        k->work = loop_timer(k->loop, UPKEEP_FIRST, on_work, k);
        k->term = loop_signal(k->loop, SIGTERM, on_signal, k);
        k->interrupt = loop_signal(k->loop, SIGINT, on_signal, k);
        log_event("keeper-ready", "change=%lld", (long long)k->told);
        notify("READY=1");
        loop_run(k->loop);
        notify("STOPPING=1");
        /* What was asked before the signal is still answered. */
        on_commit(k);
        on_export(k);
        for (struct connection *c = k->connections, *next; c; c = next) {
                next = c->next;
                leave(c);
                reap(c);
        }
        unlink(k->path);
        upkeep_free(k->upkeep);
        loop_free(k->loop);
        log_event("keeper-stopped", "change=%lld", (long long)k->told);
}

/* A command may be the keeper for its moment: it is waited for. */
static int open_writer(const char *dir, struct writer **ret, struct buf *why)
{
        int64_t deadline = time_monotonic() + WAIT_FOR_COMMAND;
        int status;
        while ((status = writer_open(dir, ret, why)) == -EBUSY && time_monotonic() < deadline)
                usleep(10000);
        return status;
}

int keeper_run(const char *dir, int (*lock_in)(void *arg, struct buf *why), void *arg, struct buf *why)
{
        struct keeper *k = xcalloc(1, sizeof *k);
        k->fd = -1;
        rights_init(&k->rights);
        int status = open_writer(dir, &k->writer, why);
        if (status == 0)
                status = listen_at(k, dir, why);
        if (status == 0 && lock_in)
                status = lock_in(arg, why);
        if (status == 0)
                serve(k);
        else if (k->fd != -1)
                unlink(k->path);
        autoclose_(&k->fd);
        writer_close(k->writer);
        free(k);
        return status;
}
