/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The duty: its socket, its connections, the clock. What is said is in deliver_talk.c. */
#include "edge/deliver_inside.h"

#include "base/log.h"
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
        STATUS_SYSTEM = 3,
        QUEUE = 128,
        LOOK_UP_ARENA = 16 << 20,
        OUT_MOST = IO_BACKLOG,
        COMMANDS_MOST = 2000,
        ERRORS_MOST = 500
};

#define COMMAND_WAIT (5 * MINUTE) /* RFC 5321 4.5.3.2.7 */
#define DATA_WAIT (3 * MINUTE)    /* RFC 5321 4.5.3.2.5, for each SMTP_DATA_STEP */
#define LINGER (2 * SECOND)
#define STOP_PATIENCE (3 * SECOND)

/* --- a connection --- */

static void leave(struct conversation *c)
{
        struct deliver *d = c->d;
        *(c->before ? &c->before->next : &d->all) = c->next;
        if (c->next)
                c->next->before = c->before;
        d->n--;
        talk_done(c);
        io_free(c->io);
        free(c);
        if (d->stopping && !d->all)
                loop_stop(d->loop, 0);
}

/* Writes what is to be said, and ends it where there is nothing more to say. False: the conversation is gone. */
static bool say(struct conversation *c, struct buf *out)
{
        if (out->full || !io_write(c->io, buf_slice(out))) { /* he does not read */
                leave(c);
                return false;
        }
        if (c->server.state == SMTP_CLOSED) {
                io_finish(c->io, LINGER);
                return true;
        }
        io_deadline(c->io, c->server.deadline == TIME_NEVER ? 0 : c->server.deadline);
        return true;
}

static size_t on_bytes(void *arg, struct slice all)
{
        struct conversation *c = arg;
        struct slice in = all;
        autobuf out;
        buf_init(&out, OUT_MOST);
        talk_bytes(c, &in, &out);
        say(c, &out);
        return all.n;
}

static void on_late(void *arg)
{
        struct conversation *c = arg;
        autobuf out;
        buf_init(&out, OUT_MOST);
        smtp_server_timeout(&c->server, &out);
        say(c, &out);
}

static void on_ended(void *arg, enum io_end why)
{
        (void)why;
        leave(arg);
}

static const struct io_events events = { .bytes = on_bytes, .late = on_late, .ended = on_ended };

static void begin(struct deliver *d, int fd)
{
        struct conversation *c = xcalloc(1, sizeof *c);
        int64_t now = time_monotonic();
        autobuf out;
        buf_init(&out, OUT_MOST);
        c->d = d;
        c->next = d->all;
        if (d->all)
                d->all->before = c;
        d->all = c;
        d->n++;
        smtp_server_init(&c->server, &d->rules, ++d->last_id, now);
        c->io = io_new(d->loop, fd, &events, c);
        smtp_server_greet(&c->server, now, NULL, &out);
        say(c, &out);
}

/* --- the socket --- */

static void turn_away(int fd)
{
        static const char words[] = "421 4.3.2 Too many connections, try later\r\n";
        send(fd, words, sizeof words - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(fd);
}

static void on_connection(void *arg, int what)
{
        struct deliver *d = arg;
        (void)what;
        unsigned most = d->o->connections_most ? d->o->connections_most : DELIVER_CONNECTIONS_MOST;
        for (int i = 0; i < QUEUE; i++) {
                int fd = accept4(d->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd == -1) {
                        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
                                return;
                        d->paused = true; /* no descriptors: the next tick looks again */
                        watch_set(d->listener, 0);
                        return;
                }
                if (d->n >= most)
                        turn_away(fd);
                else
                        begin(d, fd);
        }
}

static int fail(const char *what, int failed)
{
        fprintf(stderr, "porteiro: deliver: %s: %s\n", what, strerror(-failed));
        return STATUS_SYSTEM;
}

/* The group of the duties may connect: nobody else gets to it. */
static int open_socket(struct deliver *d)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        autofree char *path = xasprintf("%s/deliver.sock", d->o->dir);
        autoclose int folder = open(d->o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd == -1 || folder == -1)
                return -errno;
        if (snprintf(at.sun_path, sizeof at.sun_path, "%s", path) >= (int)sizeof at.sun_path)
                snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/deliver.sock", folder);
        if (unlink(path) == -1 && errno != ENOENT)
                return -errno;
        mode_t before = umask(0117);
        int failed = bind(fd, (struct sockaddr *)&at, sizeof at) == -1 ? -errno : 0;
        umask(before);
        if (!failed && listen(fd, QUEUE) == -1)
                failed = -errno;
        if (!failed)
                d->socket = take_fd(&fd);
        return failed;
}

/* --- the clock, and the end --- */

/* Who is in the middle of a message has not been told anything, and sends it again. */
static void stop(struct deliver *d)
{
        if (d->stopping)
                return;
        d->stopping = time_monotonic();
        watch_free(take(d->listener));
        for (struct conversation *c = d->all, *next; c; c = next) {
                autobuf out;
                buf_init(&out, OUT_MOST);
                next = c->next;
                smtp_server_stop(&c->server, &out);
                say(c, &out);
        }
        if (!d->all)
                loop_stop(d->loop, 0);
}

static void on_signal(void *arg)
{
        stop(arg);
}

static void on_tick(void *arg)
{
        struct deliver *d = arg;
        if (d->paused && d->listener)
                watch_set(d->listener, LOOP_READ);
        d->paused = false;
        if (!d->stopping && d->o->still && !d->o->still()) {
                log_event("starting-anew", "why=\"another generation\"");
                stop(d);
        }
        if (d->stopping && time_monotonic() - d->stopping >= STOP_PATIENCE)
                loop_stop(d->loop, 0);
        watch_again(d->tick, SECOND);
}

static void run_loop(struct deliver *d)
{
        struct watch *term = loop_signal(d->loop, SIGTERM, on_signal, d);
        struct watch *interrupt = loop_signal(d->loop, SIGINT, on_signal, d);
        d->tick = loop_timer(d->loop, SECOND, on_tick, d);
        loop_run(d->loop);
        watch_free(term);
        watch_free(interrupt);
        watch_free(d->tick);
        while (d->all)
                leave(d->all);
}

/* --- the duty --- */

static void set_rules(struct deliver *d)
{
        const struct policy *p = d->o->policy ? d->o->policy() : NULL;
        d->rules = (struct smtp_rules){
                .host = slice_of(d->maildir.host),
                .language = p && slice_starts(p->network.language, S("pt")) ? SMTP_PORTUGUESE : SMTP_ENGLISH,
                .offers = SMTP_EXT_PIPELINING | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_SIZE |
                          SMTP_EXT_ENHANCED | SMTP_EXT_XCLIENT,
                .size_most = d->o->size_most ? d->o->size_most : DELIVER_SIZE_MOST,
                .rcpts_most = d->o->rcpts_most ? d->o->rcpts_most : DELIVER_RCPTS_MOST,
                .commands_most = COMMANDS_MOST,
                .errors_most = ERRORS_MOST,
                .command_wait = d->o->command_wait ? d->o->command_wait : COMMAND_WAIT,
                .data_wait = DATA_WAIT,
        };
}

static int serve(struct deliver *d)
{
        autobuf why, text;
        buf_init(&why, 4096);
        buf_init(&text, LOG_VALUE_MOST * 4);
        if (maildir_open(&d->maildir, d->o->maildir, d->o->hook, &why) != 0) {
                fprintf(stderr, "porteiro: deliver: %s\n", buf_cstr(&why));
                return STATUS_SYSTEM;
        }
        int failed = ledger_open(d->o->dir, &d->ledger);
        if (failed && failed != -ENOENT)
                return fail("the ledger", failed);
        failed = open_socket(d);
        if (failed)
                return fail("deliver.sock", failed);
        if (getrandom(&d->last_id, sizeof d->last_id, 0) != sizeof d->last_id)
                panic("no random numbers");
        d->usage.root = d->maildir.root;
        d->arena = arena_new(LOOK_UP_ARENA);
        set_rules(d);
        d->listener = loop_fd(d->loop, d->socket, LOOP_READ, on_connection, d);
        if (d->o->lock_in)
                d->o->lock_in(d->o->maildir);
        log_event("started", "maildir=%s size-most=%llu", log_text(&text, slice_of(d->o->maildir)),
                  (unsigned long long)d->rules.size_most);
        run_loop(d);
        return 0;
}

static int wait_idle(struct deliver *d)
{
        if (d->o->lock_in)
                d->o->lock_in(NULL);
        log_event("waiting", "for=\"a generation that delivers to a maildir\"");
        run_loop(d);
        return 0;
}

int deliver_run(const struct deliver_options *o)
{
        autofree struct deliver *d = xcalloc(1, sizeof *d);
        log_duty("deliver");
        d->o = o;
        d->socket = d->maildir.root = d->maildir.lock = -1;
        d->loop = loop_new();
        int status = o->maildir ? serve(d) : wait_idle(d);
        watch_free(d->listener);
        autoclose_(&d->socket);
        usage_done(&d->usage);
        maildir_done(&d->maildir);
        ledger_close(d->ledger);
        arena_free(d->arena);
        loop_free(d->loop);
        log_event("stopped", "status=%d", status);
        return status;
}
