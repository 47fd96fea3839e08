/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/tail_inside.h"

#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { PIECE = 64 << 10 };

static ssize_t read_at(int fd, char *room, size_t most, uint64_t at)
{
        ssize_t got;
        do
                got = pread(fd, room, most, (off_t)at);
        while (got == -1 && errno == EINTR);
        return got == -1 ? -errno : got;
}

static int64_t written(const struct stat *st)
{
        int64_t at = st->st_mtim.tv_sec * SECOND + st->st_mtim.tv_nsec / 1000;
        return at > 0 ? at : 0;
}

/* --- open --- */

static ssize_t read_head(struct source *s)
{
        if (!s->packed)
                return read_at(s->fd, s->head, TAIL_HEAD, 0);
        size_t n = 0;
        ssize_t got = 1;
        while (n < TAIL_HEAD && (got = s->unpacker->bytes(s->packed, s->head + n, TAIL_HEAD - n)) > 0)
                n += (size_t)got;
        return got < 0 ? got : (ssize_t)n;
}

int source_open(const char *path, const struct tail_unpacker *unpacker, struct source *ret)
{
        struct stat st;
        autosource s = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), .unpacker = unpacker };
        if (s.fd == -1 || fstat(s.fd, &st) == -1)
                return -errno;
        if (!S_ISREG(st.st_mode)) /* a pipe or a device would block, or never end */
                return -EINVAL;
        int failed = unpacker ? unpacker->begin(s.fd, &s.packed) : 0;
        if (failed)
                return failed;
        ssize_t got = read_head(&s);
        if (got < 0)
                return (int)got;
        s.head_n = (size_t)got;
        s.device = st.st_dev;
        s.inode = st.st_ino;
        s.written = written(&st);
        source_hand_over(&s, ret);
        return 0;
}

void source_hand_over(struct source *from, struct source *to)
{
        *to = *from;
        from->fd = -1;
        from->packed = NULL;
}

void source_close(struct source *s)
{
        autoclose_(&s->fd);
        s->fd = -1;
        if (s->packed)
                s->unpacker->end(take(s->packed));
}

/* --- read --- */

ssize_t source_read(struct source *s, char *room, size_t most)
{
        if (!s->packed)
                return read_at(s->fd, room, most, s->at);
        if (s->at >= s->head_n)
                return s->unpacker->bytes(s->packed, room, most);
        size_t n = s->head_n - s->at < most ? s->head_n - s->at : most;
        memcpy(room, s->head + s->at, n);
        return (ssize_t)n;
}

void source_took(struct source *s, struct slice bytes)
{
        s->at += bytes.n;
        if (bytes.n > TAIL_BEFORE)
                bytes = slice_from(bytes, bytes.n - TAIL_BEFORE);
        size_t kept = TAIL_BEFORE - bytes.n < s->before_n ? TAIL_BEFORE - bytes.n : s->before_n;
        memmove(s->before, s->before + s->before_n - kept, kept);
        memcpy(s->before + kept, bytes.p, bytes.n);
        s->before_n = kept + bytes.n;
}

/* One call for what is compared and what is kept: a file may be cut between two. */
static bool head_same(struct source *s)
{
        char head[TAIL_HEAD];
        ssize_t got = read_at(s->fd, head, sizeof head, 0);
        if (got < (ssize_t)s->head_n || memcmp(head, s->head, s->head_n) != 0)
                return false;
        memcpy(s->head, head, (size_t)got);
        s->head_n = (size_t)got;
        return true;
}

bool source_same(struct source *s)
{
        struct stat st;
        char before[TAIL_BEFORE];
        if (s->packed)
                return true;
        if (fstat(s->fd, &st) == -1 || (uint64_t)st.st_size < s->at || !head_same(s))
                return false;
        ssize_t got = read_at(s->fd, before, s->before_n, s->at - s->before_n);
        if (got != (ssize_t)s->before_n || memcmp(before, s->before, s->before_n) != 0)
                return false;
        s->written = written(&st);
        return true;
}

uint64_t source_left(const struct source *s)
{
        struct stat st;
        if (s->fd == -1 || fstat(s->fd, &st) == -1)
                return 0;
        uint64_t size = (uint64_t)st.st_size, done = s->packed ? 0 : s->at;
        return size > done ? size - done : 0;
}

/* --- elsewhere in it --- */

static bool seek_packed(struct source *s, uint64_t offset)
{
        autofree char *room = xmalloc(PIECE);
        while (s->at < offset) {
                ssize_t got = source_read(s, room, offset - s->at < PIECE ? offset - s->at : PIECE);
                if (got <= 0)
                        return false;
                source_took(s, (struct slice){ room, (size_t)got });
        }
        return true;
}

static bool seek_plain(struct source *s, uint64_t offset)
{
        size_t n = offset < TAIL_BEFORE ? (size_t)offset : TAIL_BEFORE;
        if (read_at(s->fd, s->before, n, offset - n) != (ssize_t)n)
                return false;
        s->at = offset;
        s->before_n = n;
        return true;
}

static bool has_digest(struct slice bytes, const char want[TAIL_DIGEST + 1])
{
        char digest[TAIL_DIGEST + 1];
        tail_digest(bytes, digest);
        return memcmp(digest, want, TAIL_DIGEST) == 0;
}

bool source_is(struct source *s, const struct tail_place *p)
{
        if (p->head_n > s->head_n || !has_digest((struct slice){ s->head, p->head_n }, p->head))
                return false;
        if (s->packed ? !seek_packed(s, p->offset) : !seek_plain(s, p->offset))
                return false;
        return p->before_n <= s->before_n &&
               has_digest((struct slice){ s->before + s->before_n - p->before_n, p->before_n }, p->before);
}

/* The rest of the block in which the data begins is zeros, too. */
static uint64_t behind_hole(int fd)
{
        char room[PIECE];
        off_t data = lseek(fd, 0, SEEK_DATA);
        uint64_t at = data > 0 ? (uint64_t)data : 0;
        ssize_t got = read_at(fd, room, sizeof room, at), zeros = 0;
        while (zeros < got && room[zeros] == '\0')
                zeros++;
        return at + (uint64_t)zeros;
}

void source_anew(struct source *s, bool skip_hole)
{
        ssize_t got = read_at(s->fd, s->head, TAIL_HEAD, 0);
        s->head_n = got > 0 ? (size_t)got : 0;
        s->before_n = 0;
        s->at = skip_hole && s->head_n && s->head[0] == '\0' ? behind_hole(s->fd) : 0;
}
