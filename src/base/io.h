/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/io.h - one stream connection, plain or TLS: bytes in, bytes out, a deadline, an end.
 *
 *     struct io *io = io_new(loop, fd, &events, session);   // or io_connect()
 *     io_write(io, reply);  io_deadline(io, time_monotonic() + 5 * MINUTE);
 *     static size_t on_bytes(void *session, struct slice all);  // returns how many it took
 *
 * What is not taken is kept, and reading stops until io_more(): that is how a session that waits for an answer holds its peer back.
 * TLS begins where the session says so; what was read before it is thrown away, for nothing of it may be taken for a
 * command after it. The end of a TLS stream without close_notify is an error, as a cut cable is.
 * Owns:    the descriptor and the TLS state; what is kept of input and output. Not the session.
 * Threads: those of its loop. Every function may be called inside every callback, io_free() too: after it none is called.
 * Limits:  IO_KEPT_MOST bytes of input kept, `backlog` bytes of output (io_write() says no past it). An idle plain connection costs
 *          sizeof(struct io) and no buffers. */
#pragma once

#include "base/loop.h"
#include "base/slice.h"

#include <sys/socket.h>

struct io;
struct ssl_ctx_st;
struct ssl_st;

enum { IO_KEPT_MOST = 64 << 10, IO_BACKLOG = 256 << 10 };

#define IO_ENDS(X)                                                                                                     \
        X(CLOSED, "closed")     /* the peer said so: end of file, close_notify */                                      \
        X(BROKEN, "broken")     /* reset, or an end without close_notify */                                            \
        X(TLS, "tls")           /* the handshake or a record failed: io_why() */                                       \
        X(DEADLINE, "deadline") /* what was waited for did not come in time */                                         \
        X(REFUSED, "refused")   /* io_connect() found nobody */
#define IO_END_ENUM(id, name) IO_##id,
enum io_end { IO_ENDS(IO_END_ENUM) };
const char *io_end_name(enum io_end e);

struct io_events {
        size_t (*bytes)(void *arg, struct slice all); /* how many of them were taken */
        void (*ready)(void *arg);                     /* connected, or the TLS handshake is done; may be NULL */
        void (*drained)(void *arg);                   /* all output is written; may be NULL */
        void (*ended)(void *arg, enum io_end why);    /* nothing will come or go any more: free it */
        void (*late)(void *arg);                      /* the deadline passed: last words can be said; NULL: it ends */
};

/* An accepted, non-blocking socket. */
struct io *io_new(struct loop *l, int fd, const struct io_events *events, void *arg);
/* NULL with errno where not even a beginning is possible; else ready() or ended(IO_REFUSED) follows. `from` may be NULL. */
struct io *io_connect(struct loop *l, const struct sockaddr *to, socklen_t to_length, const struct sockaddr *from,
                      socklen_t from_length, const struct io_events *events, void *arg);
/* Frees it and leaves its descriptor to the caller, who may come back with io_new(); -1, and nothing happens, where it still has something
 * to do: input or output is kept, TLS is on, its end is near, or one of its callbacks runs. */
int io_leave(struct io *io);
void io_free(struct io *io); /* at once; output that was not written is lost. NULL is fine */

/* False, and nothing is added, where it would not fit into the backlog: the peer does not read. */
bool io_write(struct io *io, struct slice s);
/* The same, but it waits for io_flush(), or for more: pieces that belong together go out in one system call. */
bool io_add(struct io *io, struct slice s);
void io_flush(struct io *io);
size_t io_backlog(const struct io *io);
/* Offers again what was not taken, and reads on. */
void io_more(struct io *io);
/* late() or ended(IO_DEADLINE) at this instant of time_monotonic(); 0: none. During a handshake it ends. */
void io_deadline(struct io *io, int64_t at);
/* Nothing more is read as input. What is written goes out, then the peer gets `linger` µs to close (a close with input unread would take
 * our last words from him); ended() follows. */
void io_finish(struct io *io, int64_t linger);

/* From now on TLS; how many bytes of input were thrown away. name: of the peer, to be asked for and checked (client), or NULL. */
size_t io_start_tls(struct io *io, struct ssl_ctx_st *ctx, bool server, const char *name);
const struct ssl_st *io_tls(const struct io *io); /* NULL while there is none */
const char *io_why(const struct io *io);          /* of the last TLS error, for a log line; "" */
int io_fd(const struct io *io);
/* What is written from now on is wiped when it has gone out. (What is kept of input always is; what was taken is the taker's to wipe.) */
void io_secret(struct io *io);
