/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipc.h"
#include "base/time.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { HEAD = 6, FIELD_HEAD = 5, FIELD_TEXT = 't', FIELD_INT = 'i' };

static void store_32(char *p, uint32_t n)
{
        for (int i = 0; i < 4; i++)
                p[i] = (char)(n >> (24 - 8 * i));
}

static uint32_t load_32(const char *p)
{
        uint32_t n = 0;
        for (int i = 0; i < 4; i++)
                n = n << 8 | (uint8_t)p[i];
        return n;
}

void ipc_begin(struct buf *b, uint16_t verb)
{
        char head[HEAD] = { 0, 0, 0, 0, (char)(verb >> 8), (char)verb };
        buf_add(b, (struct slice){ head, sizeof head });
}

static void put(struct buf *b, char type, struct slice bytes)
{
        char head[FIELD_HEAD] = { type };
        if (bytes.n > IPC_FRAME_MOST) {
                b->full = true;
                return;
        }
        store_32(head + 1, (uint32_t)bytes.n);
        buf_add(b, (struct slice){ head, sizeof head });
        buf_add(b, bytes);
}

void ipc_put_text(struct buf *b, struct slice s)
{
        put(b, FIELD_TEXT, s);
}

void ipc_put_int(struct buf *b, int64_t n)
{
        char bytes[8];
        store_32(bytes, (uint32_t)((uint64_t)n >> 32));
        store_32(bytes + 4, (uint32_t)(uint64_t)n);
        put(b, FIELD_INT, (struct slice){ bytes, sizeof bytes });
}

void ipc_end(struct buf *b, size_t start)
{
        if (!b->full && b->n - start > IPC_FRAME_MOST)
                b->full = true;
        if (!b->full)
                store_32(b->p + start, (uint32_t)(b->n - start - 4));
}

int64_t ipc_frame(struct slice in, struct ipc_reader *ret)
{
        if (in.n < 4)
                return 0;
        uint32_t length = load_32(in.p);
        if (length < HEAD - 4 || length > IPC_FRAME_MOST - 4)
                return -EBADMSG;
        if (in.n - 4 < length)
                return 0;
        *ret = (struct ipc_reader){ .left = { in.p + HEAD, length - (HEAD - 4) },
                                    .verb = (uint16_t)((uint8_t)in.p[4] << 8 | (uint8_t)in.p[5]) };
        return (int64_t)length + 4;
}

static struct slice get(struct ipc_reader *r, char type)
{
        if (!r->bad && r->left.n >= FIELD_HEAD && r->left.p[0] == type) {
                uint32_t n = load_32(r->left.p + 1);
                struct slice rest = slice_from(r->left, FIELD_HEAD);
                if (n <= rest.n) {
                        r->left = slice_from(rest, n);
                        return (struct slice){ rest.p, n };
                }
        }
        r->bad = true;
        return (struct slice){ NULL, 0 };
}

struct slice ipc_text(struct ipc_reader *r)
{
        return get(r, FIELD_TEXT);
}

int64_t ipc_int(struct ipc_reader *r)
{
        struct slice s = get(r, FIELD_INT);
        if (s.n == 8)
                return (int64_t)((uint64_t)load_32(s.p) << 32 | load_32(s.p + 4));
        r->bad = true;
        return 0;
}

size_t ipc_count(struct ipc_reader *r)
{
        int64_t n = ipc_int(r);
        if (n >= 0 && (uint64_t)n <= r->left.n / FIELD_HEAD)
                return (size_t)n;
        r->bad = true;
        return 0;
}

bool ipc_end_of(const struct ipc_reader *r)
{
        return !r->bad && r->left.n == 0;
}

/* 0 when `what` may be done on fd, -ETIMEDOUT past the deadline. */
static int wait_for(int fd, short what, int64_t deadline)
{
        for (;;) {
                int64_t left = deadline - time_monotonic();
                if (left < 0)
                        left = 0;
                struct pollfd p = { .fd = fd, .events = what };
                int n = poll(&p, 1, left > HOUR ? 3600000 : (int)((left + 999) / 1000));
                if (n > 0)
                        return 0;
                if (n == -1 && errno != EINTR)
                        return -errno;
                if (n == 0 && left == 0)
                        return -ETIMEDOUT;
        }
}

int ipc_send(int fd, struct slice frame, int64_t deadline)
{
        while (frame.n) {
                ssize_t n = send(fd, frame.p, frame.n, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n >= 0) {
                        frame = slice_from(frame, (size_t)n);
                        continue;
                }
                int status = errno == EAGAIN ? wait_for(fd, POLLOUT, deadline) : errno == EINTR ? 0 : -errno;
                if (status < 0)
                        return status;
        }
        return 0;
}

/* Exactly n more bytes into the buffer: what follows may belong to the next frame. */
static int receive_exactly(int fd, struct buf *into, size_t n, int64_t deadline)
{
        char piece[65536];
        while (n) {
                ssize_t got = recv(fd, piece, n < sizeof piece ? n : sizeof piece, MSG_DONTWAIT);
                if (got == 0)
                        return -ECONNRESET;
                if (got > 0) {
                        buf_add(into, (struct slice){ piece, (size_t)got });
                        n -= (size_t)got;
                        continue;
                }
                int status = errno == EAGAIN ? wait_for(fd, POLLIN, deadline) : errno == EINTR ? 0 : -errno;
                if (status < 0)
                        return status;
        }
        return into->full ? -EMSGSIZE : 0;
}

int ipc_receive(int fd, struct buf *into, struct ipc_reader *ret, int64_t deadline)
{
        buf_clear(into);
        int status = receive_exactly(fd, into, 4, deadline);
        if (status < 0)
                return status;
        uint32_t length = load_32(into->p);
        if (length < HEAD - 4 || length > IPC_FRAME_MOST - 4)
                return -EBADMSG;
        status = receive_exactly(fd, into, length, deadline);
        if (status < 0)
                return status;
        return ipc_frame(buf_slice(into), ret) > 0 ? 0 : -EBADMSG;
}
