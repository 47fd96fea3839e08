/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/io.h"
#include "base/time.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

enum { PIECE = 64 << 10, RECORD = 16 << 10, ROUNDS = 4 }; /* RECORD: of TLS, RFC 8446 5.1 */

enum state { CONNECTING, HANDSHAKE, OPEN, FINISHING, LINGERING, ENDED };
enum { NO_END = -1, ANEW = -1 };

/* Callbacks run from on_event() alone, never from what a session calls: whatever a session does, it is not called before it returned. */

struct io {
        struct event event;
        struct loop *loop;
        const struct io_events *events;
        void *arg;
        SSL *ssl;
        int64_t deadline, linger;
        int64_t armed;    /* the deadline that the event has; ANEW: it must be told again */
        char *kept, *out; /* NULL while empty */
        uint32_t n_kept, n_out, cap_out;
        uint32_t n_clear; /* of the output, written before TLS was begun */
        int fd;
        uint8_t state;
        int8_t end;       /* to be told; NO_END */
        bool running : 1; /* inside on_event() */
        bool freed : 1;   /* when that returns */
        bool held : 1;    /* the session took less than it was offered */
        bool server : 1;
        bool waited : 1;     /* output had to wait: drained() is due */
        bool want_write : 1; /* TLS waits for room, whatever is asked of it */
        bool watching_write : 1;
        bool watching_read : 1;
        bool secret : 1; /* what is written is wiped when it is gone */
        bool due : 1;    /* on_event() is to be run, whatever is waited for */
};

_Static_assert(sizeof(struct io) <= 256, "an idle connection is small");

/* Shared by all: what one read gives is taken or kept before the next. */
static char piece[PIECE];

const char *io_end_name(enum io_end e)
{
#define IO_END_NAME(id, name) name,
        static const char *const names[] = { IO_ENDS(IO_END_NAME) };
        return names[e];
}

/* --- what is waited for --- */

static void on_event(evutil_socket_t fd, short what, void *arg);

static bool wants_read(const struct io *io)
{
        if (io->state == OPEN)
                return !io->held;
        return io->state == HANDSHAKE || io->state == LINGERING;
}

static bool wants_write(const struct io *io)
{
        if (io->state == CONNECTING || io->want_write)
                return true;
        return io->state == HANDSHAKE ? io->n_clear > 0 : io->state != LINGERING && io->n_out > 0;
}

/* One event serves the descriptor and the deadline: to move the deadline costs no system call. */
static void watch(struct io *io)
{
        if (io->running || io->state == ENDED)
                return;
        bool r = wants_read(io), w = wants_write(io);
        bool same = r == io->watching_read && w == io->watching_write && io->deadline == io->armed;
        if (same && io->due)
                event_active(&io->event, 0, 0);
        if (same)
                return;
        struct timeval left = { 0 }, *timeout = NULL;
        if (io->deadline) {
                int64_t us = io->deadline - time_monotonic();
                us = us < 0 ? 0 : us;
                left = (struct timeval){ us / SECOND, us % SECOND };
                timeout = &left;
        }
        if (r != io->watching_read || w != io->watching_write || !event_initialized(&io->event)) {
                if (event_initialized(&io->event))
                        event_del(&io->event);
                short what = (short)(EV_PERSIST | (r ? EV_READ : 0) | (w ? EV_WRITE : 0));
                event_assign(&io->event, loop_base(io->loop), r || w ? io->fd : -1, what, on_event, io);
                io->watching_read = r;
                io->watching_write = w;
        }
        if (!timeout)
                event_remove_timer(&io->event);
        if ((r || w || timeout) && event_add(&io->event, timeout) == -1)
                panic("event_add");
        io->armed = io->deadline;
        if (io->due) /* event_del() forgot it */
                event_active(&io->event, 0, 0);
}

/* --- birth and death --- */

static struct io *make(struct loop *l, int fd, const struct io_events *events, void *arg, enum state state)
{
        struct io *io = xcalloc(1, sizeof *io);
        io->loop = l;
        io->fd = fd;
        io->events = events;
        io->arg = arg;
        io->state = (uint8_t)state;
        io->end = NO_END;
        io->armed = ANEW;
        watch(io);
        return io;
}

struct io *io_new(struct loop *l, int fd, const struct io_events *events, void *arg)
{
        return make(l, fd, events, arg, OPEN);
}

struct io *io_connect(struct loop *l, const struct sockaddr *to, socklen_t to_length, const struct sockaddr *from,
                      socklen_t from_length, const struct io_events *events, void *arg)
{
        autoclose int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd == -1 || (from && bind(fd, from, from_length) == -1))
                return NULL;
        if (connect(fd, to, to_length) == -1 && errno != EINPROGRESS)
                return NULL;
        return make(l, take_fd(&fd), events, arg, CONNECTING);
}

static void wipe_and_free(char *p, size_t n)
{
        if (p)
                explicit_bzero(p, n);
        free(p);
}

/* A password may stand in it. */
static void drop_kept(struct io *io)
{
        wipe_and_free(take(io->kept), io->n_kept);
        io->n_kept = 0;
}

static void drop_out(struct io *io)
{
        if (io->secret)
                wipe_and_free(take(io->out), io->cap_out);
        free(take(io->out));
        io->cap_out = 0;
}

static void destroy(struct io *io)
{
        if (event_initialized(&io->event))
                event_del(&io->event);
        SSL_free(io->ssl);
        if (io->fd != -1)
                close(io->fd);
        drop_kept(io);
        drop_out(io);
        free(io);
}

void io_free(struct io *io)
{
        if (!io || io->freed)
                return;
        io->freed = true;
        if (!io->running)
                destroy(io);
}

int io_leave(struct io *io)
{
        if (io->state != OPEN || io->running || io->freed || io->due || io->ssl || io->held || io->n_kept || io->n_out)
                return -1;
        event_del(&io->event);
        int fd = io->fd;
        io->fd = -1;
        destroy(io);
        return fd;
}

/* on_event() is run soon: there is something to be told, or done. */
static void soon(struct io *io)
{
        io->due = true;
        if (!io->running) /* else when that returns */
                event_active(&io->event, 0, 0);
}

static void end(struct io *io, enum io_end why)
{
        if (io->state == ENDED)
                return;
        io->state = ENDED;
        io->end = (int8_t)why;
        soon(io);
}

/* --- output --- */

static bool cut_off(void)
{
        unsigned long error = ERR_peek_last_error();
        return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static void tls_failed(struct io *io, int result)
{
        switch (SSL_get_error(io->ssl, result)) {
        case SSL_ERROR_WANT_READ:
                break;
        case SSL_ERROR_WANT_WRITE:
                io->want_write = true;
                break;
        case SSL_ERROR_ZERO_RETURN:
                end(io, IO_CLOSED);
                break;
        case SSL_ERROR_SYSCALL:
                end(io, io->state == HANDSHAKE ? IO_TLS : IO_BROKEN);
                break;
        default:
                end(io, io->state != HANDSHAKE && cut_off() ? IO_BROKEN : IO_TLS);
        }
}

/* Bytes gone, 0: none for now (or the end has come). */
static size_t put(struct io *io, struct slice s)
{
        if (!io->ssl) {
                /* the last words and the end go in one packet */
                ssize_t n = send(io->fd, s.p, s.n, MSG_NOSIGNAL | (io->state == FINISHING ? MSG_MORE : 0));
                if (n >= 0)
                        return (size_t)n;
                if (errno != EAGAIN && errno != EINTR)
                        end(io, IO_BROKEN);
                return 0;
        }
        ERR_clear_error();
        int n = SSL_write(io->ssl, s.p, s.n > INT32_MAX ? INT32_MAX : (int)s.n);
        if (n > 0)
                return (size_t)n;
        tls_failed(io, n);
        return 0;
}

static void close_down(struct io *io)
{
        if (io->ssl)
                SSL_shutdown(io->ssl);
        shutdown(io->fd, SHUT_WR);
        io->state = LINGERING;
        io->deadline = time_monotonic() + io->linger;
}

static void flush(struct io *io)
{
        size_t gone = 0;
        if (io->state != OPEN && io->state != FINISHING)
                return;
        while (gone < io->n_out && io->state != ENDED) {
                size_t n = put(io, (struct slice){ io->out + gone, io->n_out - gone });
                if (n == 0)
                        break;
                gone += n;
        }
        io->n_out -= (uint32_t)gone;
        if (io->n_out) {
                if (gone)
                        memmove(io->out, io->out + gone, io->n_out);
                io->waited = true;
                return;
        }
        drop_out(io);
        if (io->state == FINISHING)
                close_down(io);
        else if (io->waited)
                soon(io); /* drained() is due, and nothing is waited for that would lead to it */
}

static bool deaf(const struct io *io)
{
        return io->state >= FINISHING || io->freed; /* its end is told, or on the way */
}

/* What grows in place leaves copies behind. */
static void more_room(struct io *io, size_t n)
{
        char *more = io->secret ? xmalloc(n) : xrealloc(io->out, n);
        if (io->secret) {
                memcpy(more, io->out ? io->out : "", io->n_out);
                wipe_and_free(io->out, io->cap_out);
        }
        io->out = more;
        io->cap_out = (uint32_t)n;
}

static void queue(struct io *io, struct slice s)
{
        if (io->cap_out - io->n_out < s.n)
                more_room(io, io->n_out + s.n);
        memcpy(io->out + io->n_out, s.p, s.n);
        io->n_out += (uint32_t)s.n;
}

bool io_add(struct io *io, struct slice s)
{
        if (deaf(io) || s.n == 0)
                return true;
        if (s.n > IO_BACKLOG - io->n_out)
                return false;
        queue(io, s);
        return true;
}

void io_flush(struct io *io)
{
        if (deaf(io) || io->n_out == 0)
                return;
        flush(io);
        watch(io);
}

/* Where nothing waits it goes out from where it stands; only what finds no room is copied. */
bool io_write(struct io *io, struct slice s)
{
        size_t gone = 0;
        if (deaf(io) || s.n == 0)
                return true;
        if (s.n > IO_BACKLOG - io->n_out)
                return false;
        if (io->state == OPEN && io->n_out == 0)
                gone = put(io, s);
        if (gone == s.n || io->state == ENDED)
                return true;
        queue(io, slice_from(s, gone));
        io_flush(io);
        return true;
}

size_t io_backlog(const struct io *io)
{
        return io->n_out;
}

void io_finish(struct io *io, int64_t linger)
{
        if (io->state >= FINISHING || io->freed)
                return;
        io->linger = linger;
        drop_kept(io);
        io->state = FINISHING;
        io->deadline = time_monotonic() + linger;
        flush(io);
        watch(io);
}

/* --- input --- */

static void keep(struct io *io, struct slice rest)
{
        if (rest.n > IO_KEPT_MOST)
                panic("io: %zu bytes to be kept", rest.n);
        char *copy = rest.n ? xmalloc(rest.n) : NULL;
        if (rest.n) {
                memcpy(copy, rest.p, rest.n);
                explicit_bzero((char *)rest.p, rest.n); /* where it stood is ours, and a password may be in it */
        }
        drop_kept(io);
        io->kept = copy;
        io->n_kept = (uint32_t)rest.n;
        io->held = rest.n > 0;
}

/* The session may start TLS, finish or free meanwhile: then what is left is nobody's. */
static void offer(struct io *io, struct slice all)
{
        SSL *before = io->ssl;
        size_t taken = io->events->bytes(io->arg, all);
        if (io->freed || io->state != OPEN || io->ssl != before)
                return;
        keep(io, slice_from(all, taken < all.n ? taken : all.n));
}

static ssize_t get(struct io *io)
{
        if (io->ssl) {
                ERR_clear_error();
                int n = SSL_read(io->ssl, piece, PIECE);
                if (n <= 0)
                        tls_failed(io, n);
                return n > 0 ? n : -1;
        }
        ssize_t n = recv(io->fd, piece, PIECE, 0);
        if (n == 0)
                end(io, IO_CLOSED);
        else if (n == -1 && errno != EAGAIN && errno != EINTR)
                end(io, IO_BROKEN);
        return n > 0 ? n : -1;
}

static void read_some(struct io *io)
{
        for (int i = 0; i < ROUNDS && io->state == OPEN && !io->held && !io->freed; i++) {
                ssize_t n = get(io);
                if (n <= 0)
                        return;
                offer(io, (struct slice){ piece, (size_t)n });
                if (n < (io->ssl ? RECORD : PIECE))
                        return; /* that was all: to ask again would cost a system call to hear so */
        }
}

/* TLS may hold bytes of which the descriptor knows nothing any more. */
static void read_what_tls_holds(struct io *io)
{
        while (io->state == OPEN && !io->held && !io->freed && io->ssl && SSL_pending(io->ssl) > 0)
                read_some(io);
}

static void offer_kept(struct io *io)
{
        char *kept = take(io->kept);
        size_t n = io->n_kept;
        io->n_kept = 0;
        if (n)
                offer(io, (struct slice){ kept, n });
        wipe_and_free(kept, n);
}

void io_more(struct io *io)
{
        if (io->freed || io->state != OPEN)
                return;
        io->held = false;
        soon(io);
}

/* --- connecting, TLS, lingering --- */

static void connected(struct io *io)
{
        int error = 0;
        socklen_t n = sizeof error;
        if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1 || error) {
                end(io, IO_REFUSED);
                return;
        }
        io->state = OPEN;
        if (io->events->ready)
                io->events->ready(io->arg);
}

static void shake_hands(struct io *io)
{
        io->want_write = false;
        ERR_clear_error();
        int done = io->server ? SSL_accept(io->ssl) : SSL_connect(io->ssl);
        if (done != 1) {
                tls_failed(io, done);
                return;
        }
        io->state = OPEN;
        if (io->events->ready)
                io->events->ready(io->arg);
}

size_t io_start_tls(struct io *io, struct ssl_ctx_st *ctx, bool server, const char *name)
{
        size_t thrown = io->n_kept;
        if (io->freed || io->ssl || io->state == CONNECTING)
                panic("io: TLS begins once, on a connection");
        if (io->state != OPEN)
                return 0; /* the peer went while he was told to begin: ended() says so */
        drop_kept(io);
        io->held = false;
        io->ssl = SSL_new(ctx);
        if (!io->ssl || SSL_set_fd(io->ssl, io->fd) != 1)
                panic("out of memory (TLS)");
        SSL_set_mode(io->ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
        if (name && (SSL_set_tlsext_host_name(io->ssl, name) != 1 || SSL_set1_host(io->ssl, name) != 1))
                panic("out of memory (TLS)");
        io->server = server;
        signal(SIGPIPE, SIG_IGN); /* TLS writes by itself, and has no MSG_NOSIGNAL */
        io->n_clear = io->n_out;
        io->state = HANDSHAKE;
        soon(io);
        return thrown;
}

static void hear_to_the_end(struct io *io)
{
        ssize_t n = recv(io->fd, piece, PIECE, 0);
        if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
                end(io, IO_CLOSED);
}

/* What was said in the clear before the handshake must be out before it begins. */
static bool flush_clear(struct io *io)
{
        size_t gone = 0;
        while (gone < io->n_clear) {
                ssize_t n = send(io->fd, io->out + gone, io->n_clear - gone, MSG_NOSIGNAL);
                if (n <= 0)
                        break;
                gone += (size_t)n;
        }
        io->n_clear -= (uint32_t)gone;
        io->n_out -= (uint32_t)gone;
        if (gone)
                memmove(io->out, io->out + gone, io->n_out);
        return io->n_clear == 0;
}

static void work(struct io *io, short what)
{
        bool again = io->want_write; /* what TLS could not do for want of room may have been a read */
        io->want_write = false;
        if (what & EV_WRITE)
                flush(io);
        if (io->n_kept && !io->held)
                offer_kept(io);
        if ((what & EV_READ) || again)
                read_some(io);
        read_what_tls_holds(io);
        if (!io->freed && io->waited && io->n_out == 0 && io->state == OPEN) {
                io->waited = false;
                if (io->events->drained)
                        io->events->drained(io->arg);
        }
}

static void step(struct io *io, short what)
{
        bool late = io->deadline && time_monotonic() >= io->deadline;
        if (late && io->state == OPEN && io->events->late) {
                io->deadline = 0;
                io->events->late(io->arg);
        } else if (late)
                end(io, io->state == LINGERING ? IO_CLOSED : IO_DEADLINE);
        else if (io->state == CONNECTING && (what & EV_WRITE))
                connected(io);
        else if (io->state == HANDSHAKE && flush_clear(io))
                shake_hands(io);
        else if (io->state == LINGERING && (what & EV_READ))
                hear_to_the_end(io);
        else if (io->state == FINISHING)
                flush(io);
        if (!io->freed && io->state == OPEN)
                work(io, what);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
        struct io *io = arg;
        (void)fd;
        io->running = true;
        if (io->armed)
                io->armed = ANEW; /* libevent counts from now on again */
        io->due = false;
        step(io, what);
        if (!io->freed && io->end != NO_END) {
                enum io_end why = (enum io_end)io->end;
                io->end = NO_END;
                event_del(&io->event);
                io->events->ended(io->arg, why);
        }
        io->running = false;
        if (io->freed)
                destroy(io);
        else
                watch(io);
}

void io_deadline(struct io *io, int64_t at)
{
        if (io->state >= FINISHING)
                return; /* the last one is that of io_finish() */
        io->deadline = at;
        watch(io);
}

/* --- asking --- */

const struct ssl_st *io_tls(const struct io *io)
{
        return io->ssl && io->state != HANDSHAKE ? io->ssl : NULL;
}

const char *io_why(const struct io *io)
{
        unsigned long error = ERR_peek_last_error();
        const char *text = error ? ERR_reason_error_string(error) : NULL;
        return io->ssl && text ? text : "";
}

void io_secret(struct io *io)
{
        io->secret = true;
}

int io_fd(const struct io *io)
{
        return io->fd;
}
