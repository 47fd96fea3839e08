/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of graph/rings.h: made, mapped, made sure of, and its table of series. What the slots say is in rings.c. */
#include "graph/rings_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A little more than a day, a week, a month and a year: the picture of one begins in the midst of a slot, and a day may have 25 hours. */
const struct rings_step rings_steps[RINGS_COUNT] = {
        { 10, 9000 }, { 60, 11520 }, { 600, 4608 }, { 3600, 9600 }, { 86400, 3660 },
};

/* --- the file ------------------------------------------------------------------------------------------------------------ */

uint32_t rings_sum(const void *p, size_t n)
{
        const uint8_t *b = p;
        uint32_t h = 2166136261u;
        for (size_t i = 0; i < n; i++)
                h = (h ^ b[i]) * 16777619u;
        return h ? h : 1; /* zeros are no slot */
}

uint32_t rings_slot_sum(const struct rings_slot *s)
{
        struct rings_slot copy = *s;
        copy.sum = 0;
        return rings_sum(&copy, sizeof copy);
}

size_t rings_slots(void)
{
        size_t n = 0;
        for (size_t i = 0; i < RINGS_COUNT; i++)
                n += rings_steps[i].slots;
        return n;
}

static size_t bytes_of(size_t series)
{
        return RINGS_SLOTS_AT + series * rings_slots() * sizeof(struct rings_slot);
}

struct rings_header rings_header_made(void)
{
        struct rings_header h = { .magic = RINGS_MAGIC,
                                  .version = RINGS_VERSION,
                                  .order = RINGS_ORDER,
                                  .series_most = RINGS_SERIES_MOST,
                                  .slot_bytes = sizeof(struct rings_slot),
                                  .slots = (uint32_t)rings_slots() };
        h.sum = rings_sum(&h, offsetof(struct rings_header, sum));
        return h;
}

static struct rings_series *series_at(const struct rings *r, size_t i)
{
        return (struct rings_series *)(void *)(r->p + sizeof(struct rings_header)) + i;
}

static uint32_t name_sum(const struct rings_series *s)
{
        return rings_sum(s, offsetof(struct rings_series, name_sum));
}

static bool series_good(const struct rings_series *s)
{
        return s->name[0] && memchr(s->name, '\0', sizeof s->name) && s->kind <= RINGS_GAUGE &&
               s->name_sum == name_sum(s);
}

/* The table ends where no name stands: a series whose name never reached the disk is made again. */
static int check(struct rings *r, struct buf *why)
{
        const struct rings_header want = rings_header_made();
        struct rings_header h;
        if (r->n < RINGS_SLOTS_AT || (memcpy(&h, r->p, sizeof h), memcmp(h.magic, want.magic, sizeof h.magic) != 0)) {
                buf_adds(why, "this is no file of rings");
                return -EBADMSG;
        }
        if (memcmp(&h, &want, sizeof h) != 0) {
                buf_addf(why, "version %u, made on another kind of machine or by another version of Porteiro",
                         h.version);
                return -EBADMSG;
        }
        while (r->count < RINGS_SERIES_MOST && series_good(series_at(r, r->count)) && bytes_of(r->count + 1) <= r->n)
                r->count++;
        return 0;
}

int rings_of(struct slice bytes, struct rings **ret, struct buf *why)
{
        autorings *r = xcalloc(1, sizeof *r);
        *r = (struct rings){ .p = (uint8_t *)(uintptr_t)bytes.p, .n = bytes.n, .fd = -1 };
        int failed = check(r, why);
        if (!failed)
                *ret = take(r);
        return failed;
}

static int map(struct rings *r, int fd, int protection)
{
        struct stat st;
        if (fstat(fd, &st) == -1)
                return -errno;
        if (!S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(struct rings_header))
                return -EBADMSG;
        void *p = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        if (r->mapped)
                munmap(r->p, r->n);
        r->p = p;
        r->n = (size_t)st.st_size;
        r->mapped = true;
        return 0;
}

static int say(struct buf *why, const char *path, int failed)
{
        buf_addf(why, "%s: %s", path, failed == -EBADMSG ? "this is no file of rings" : strerror(-failed));
        return failed;
}

/* Also for what was opened just now: the reason is said with the path before it. */
static int map_checked(struct rings *r, int fd, int protection, const char *path, struct buf *why)
{
        int failed = map(r, fd, protection);
        if (failed)
                return say(why, path, failed);
        autobuf reason;
        buf_init(&reason, 256);
        failed = check(r, &reason);
        if (failed)
                buf_addf(why, "%s: %s", path, buf_cstr(&reason));
        return failed;
}

int rings_view(const char *path, struct rings **ret, struct buf *why)
{
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd == -1)
                return say(why, path, -errno);
        autorings *r = xcalloc(1, sizeof *r);
        r->fd = -1;
        int failed = map_checked(r, fd, PROT_READ, path, why);
        if (!failed)
                *ret = take(r);
        return failed;
}

/* Space is asked for before it is mapped: a full disk is an error here, not a signal at the first slot. */
static int grow(int fd, size_t size)
{
        int failed = posix_fallocate(fd, 0, (off_t)size);
        return failed ? -failed : 0;
}

/* A file that is empty, or was left so by a crash before its header was on disk, gets one. */
static int begin(int fd)
{
        const struct rings_header h = rings_header_made(), none = { .version = 0 };
        struct rings_header there = none;
        if (pread(fd, &there, sizeof there, 0) == -1)
                return -errno;
        if (memcmp(&there, &none, sizeof there) != 0)
                return 0;
        int failed = grow(fd, RINGS_SLOTS_AT);
        if (!failed && pwrite(fd, &h, sizeof h, 0) != sizeof h)
                failed = errno ? -errno : -EIO;
        return failed;
}

int rings_open(const char *path, struct rings **ret, struct buf *why)
{
        autorings *r = xcalloc(1, sizeof *r);
        r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
        if (r->fd == -1)
                return say(why, path, -errno);
        if (flock(r->fd, LOCK_EX | LOCK_NB) == -1) {
                int failed = -errno;
                buf_addf(why, "%s: %s", path,
                         failed == -EWOULDBLOCK ? "another process is writing it" : strerror(-failed));
                return failed;
        }
        int failed = begin(r->fd);
        if (failed)
                return say(why, path, failed);
        failed = map_checked(r, r->fd, PROT_READ | PROT_WRITE, path, why);
        if (!failed)
                *ret = take(r);
        return failed;
}

int rings_give(struct rings *r, uid_t user, gid_t group)
{
        return fchown(r->fd, user, group) == -1 ? -errno : 0;
}

void rings_close(struct rings *r)
{
        if (!r)
                return;
        if (r->mapped)
                munmap(r->p, r->n);
        autoclose_(&r->fd);
        free(r);
}

void rings_close_(struct rings **r)
{
        rings_close(*r);
}

/* --- series -------------------------------------------------------------------------------------------------------------- */

struct rings_series *rings_series_of(const struct rings *r, size_t series)
{
        if (series >= r->count)
                panic("series %zu of %zu", series, r->count);
        return series_at(r, series);
}

size_t rings_count(const struct rings *r)
{
        return r->count;
}

struct slice rings_name(const struct rings *r, size_t series)
{
        return slice_of(rings_series_of(r, series)->name);
}

enum rings_kind rings_kind(const struct rings *r, size_t series)
{
        return (enum rings_kind)rings_series_of(r, series)->kind;
}

int rings_series(struct rings *r, struct slice name, enum rings_kind kind, size_t *ret)
{
        if (name.n == 0 || name.n > RINGS_NAME_MOST || memchr(name.p, '\0', name.n))
                return -EINVAL;
        for (size_t i = 0; i < r->count; i++)
                if (slice_eq(name, rings_name(r, i))) {
                        *ret = i;
                        return rings_kind(r, i) == kind ? 0 : -EINVAL;
                }
        if (r->fd == -1)
                return -EROFS;
        if (r->count == RINGS_SERIES_MOST)
                return -ENOSPC;
        int failed = grow(r->fd, bytes_of(r->count + 1));
        if (!failed)
                failed = map(r, r->fd, PROT_READ | PROT_WRITE);
        if (failed)
                return failed;
        struct rings_series *s = series_at(r, r->count);
        /* a crash may have kept the slots of a series whose name it lost */
        memset(r->p + bytes_of(r->count), 0, bytes_of(1) - bytes_of(0));
        *s = (struct rings_series){ .kind = kind };
        memcpy(s->name, name.p, name.n);
        s->name_sum = name_sum(s);
        *ret = r->count++;
        return 0;
}
