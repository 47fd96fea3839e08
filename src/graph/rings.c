/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/rings_format.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A little more than a day, a week, a month and a year: the picture of one begins in the midst of a slot, and a day may have 25 hours. */
const struct rings_step rings_steps[RINGS_COUNT] = {
        { 10, 9000 }, { 60, 11520 }, { 600, 4608 }, { 3600, 9600 }, { 86400, 3660 },
};

#define YEAR_2100 (INT64_C(4102444800) * SECOND)
#define LONGEST (366 * DAY)

enum { LOOKS = 20 }; /* at a slot that somebody may be writing */

struct rings {
        uint8_t *p;
        size_t n, count;
        int fd; /* -1: to read only */
        bool mapped;
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

static struct rings_series *series_of(const struct rings *r, size_t series)
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
        return slice_of(series_of(r, series)->name);
}

enum rings_kind rings_kind(const struct rings *r, size_t series)
{
        return (enum rings_kind)series_of(r, series)->kind;
}

static uint32_t state_sum(const struct rings_series *s)
{
        const uint64_t state[] = { (uint64_t)s->at, s->value };
        return rings_sum(state, sizeof state);
}

int64_t rings_last(const struct rings *r, size_t series)
{
        const struct rings_series *s = series_of(r, series);
        return s->sum == state_sum(s) && s->at > 0 && s->at < YEAR_2100 ? s->at : 0;
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

/* --- slots --------------------------------------------------------------------------------------------------------------- */

static struct rings_slot *slot_at(const struct rings *r, size_t series, size_t ring, int64_t step)
{
        size_t at = series * rings_slots();
        for (size_t i = 0; i < ring; i++)
                at += rings_steps[i].slots;
        at += (size_t)(step % rings_steps[ring].slots);
        return (struct rings_slot *)(void *)(r->p + RINGS_SLOTS_AT) + at;
}

/* The slot as it stands, if it is of this step and whole. */
static bool slot_get(const struct rings *r, size_t series, size_t ring, int64_t step, struct rings_slot *ret)
{
        const struct rings_slot *s = slot_at(r, series, ring, step);
        for (int look = 0; look < LOOKS; look++) {
                memcpy(ret, s, sizeof *ret);
                __asm__ volatile("" ::: "memory"); /* another process may have written since */
                if (ret->sum == rings_slot_sum(ret))
                        return (int64_t)ret->step == step && isfinite(ret->total) && isfinite(ret->max) &&
                               ret->known >= 0 && ret->known <= rings_steps[ring].seconds;
                if (ret->sum == 0)
                        return false;
        }
        return false;
}

/* Whether the place of this step is free for it: not taken by a later one. One from a future that did not come gives way. */
static bool slot_open(const struct rings *r, size_t series, size_t ring, int64_t step, int64_t now,
                      struct rings_slot *ret)
{
        const struct rings_slot *there = slot_at(r, series, ring, step);
        int64_t seconds = rings_steps[ring].seconds;
        if (slot_get(r, series, ring, step, ret))
                return true;
        *ret = *there;
        bool whole = ret->sum == rings_slot_sum(ret);
        if (whole && ret->step > step && ret->step * seconds * SECOND <= now)
                return false;
        *ret = (struct rings_slot){ .step = (uint32_t)step };
        return true;
}

static void slot_put(struct rings *r, size_t series, size_t ring, struct rings_slot *s)
{
        s->sum = rings_slot_sum(s);
        memcpy(slot_at(r, series, ring, s->step), s, sizeof *s);
}

/* What happened within one slot of the finest ring. */
struct piece {
        double total, known;
        int64_t at;    /* µs, where it begins */
        double high;   /* a level; rates compute theirs */
        bool is_level; /* `high` is given */
};

static double high_of(const struct piece *p, double total)
{
        return p->is_level ? p->high : total / rings_steps[0].seconds;
}

static void add_to(struct rings *r, size_t series, size_t ring, const struct piece *p, double high, int64_t now)
{
        struct rings_slot s;
        if (!slot_open(r, series, ring, p->at / SECOND / rings_steps[ring].seconds, now, &s))
                return;
        double room = rings_steps[ring].seconds - s.known, share = 1;
        if (p->known > room)
                share = room > 0 ? room / p->known : 0;
        if (p->known > 0 && share == 0)
                return;
        s.max = s.known > 0 || s.total > 0 ? fmax(s.max, high) : high;
        s.total += p->total * share;
        s.known = fmin(s.known + p->known * share, rings_steps[ring].seconds);
        slot_put(r, series, ring, &s);
}

/* The finest ring says how much of it is news; where it reaches back no more, each ring says so for itself. */
static void add_piece(struct rings *r, size_t series, struct piece p, int64_t now)
{
        struct rings_slot s;
        double high = high_of(&p, p.total);
        if (slot_open(r, series, 0, p.at / SECOND / rings_steps[0].seconds, now, &s)) {
                double room = rings_steps[0].seconds - s.known;
                if (p.known > room) {
                        p.total *= room / p.known;
                        p.known = room;
                        if (room <= 0)
                                return;
                }
                high = high_of(&p, s.total + p.total);
        }
        for (size_t ring = 0; ring < RINGS_COUNT; ring++)
                add_to(r, series, ring, &p, high, now);
}

static void add(struct rings *r, size_t series, int64_t from, int64_t to, struct piece whole, int64_t now)
{
        const int64_t step = rings_steps[0].seconds * SECOND;
        for (int64_t at = from, next; at < to; at = next) {
                next = (at / step + 1) * step;
                if (next > to)
                        next = to;
                struct piece p = whole;
                p.total *= (double)(next - at) / (double)(to - from);
                p.known = (double)(next - at) / SECOND;
                p.at = at;
                add_piece(r, series, p, now);
        }
}

/* --- samples ------------------------------------------------------------------------------------------------------------- */

static bool is_time(int64_t at)
{
        return at > 0 && at < YEAR_2100;
}

static void remember(struct rings_series *s, int64_t at, uint64_t value)
{
        s->sum = 0;
        s->at = at;
        s->value = value;
        s->sum = state_sum(s);
}

/* Whether the time since the last sample is known. */
static bool follows(int64_t last, int64_t now)
{
        return last && now > last && now - last <= RINGS_SILENCE;
}

static struct rings_series *writable(struct rings *r, size_t series)
{
        if (r->fd == -1)
                panic("written, and opened to read");
        return series_of(r, series);
}

void rings_counter(struct rings *r, size_t series, int64_t now, uint64_t value)
{
        struct rings_series *s = writable(r, series);
        int64_t last = rings_last(r, series);
        uint64_t before = s->value;
        if (!is_time(now))
                return;
        remember(s, now, value); /* first: a crash in between loses a sample, and counts none twice */
        if (follows(last, now) && value >= before)
                add(r, series, last, now, (struct piece){ .total = (double)(value - before) }, now);
}

void rings_gauge(struct rings *r, size_t series, int64_t now, double value)
{
        struct rings_series *s = writable(r, series);
        int64_t last = rings_last(r, series);
        if (!is_time(now) || !isfinite(value))
                return;
        remember(s, now, 0);
        if (follows(last, now))
                add(r, series, last, now,
                    (struct piece){ .total = value * (double)(now - last) / SECOND, .high = value, .is_level = true },
                    now);
}

void rings_add(struct rings *r, size_t series, int64_t from, int64_t to, double n, int64_t now)
{
        struct rings_series *s = writable(r, series);
        if (!is_time(from) || !is_time(to) || from > to || to > now || to - from > LONGEST || !isfinite(n) || n < 0)
                return;
        if (to > rings_last(r, series))
                remember(s, to, 0);
        if (from == to)
                add_piece(r, series, (struct piece){ .total = n, .at = from }, now);
        else
                add(r, series, from, to, (struct piece){ .total = n }, now);
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

/* The coarsest ring with four slots a point, so that the shares at its ends are small, or the finest of those that reach back so far. */
static size_t ring_for(int64_t from, int64_t newest, int64_t length)
{
        size_t ring = 0;
        while (ring + 1 < RINGS_COUNT && 4 * rings_steps[ring + 1].seconds * SECOND <= length)
                ring++;
        while (ring + 1 < RINGS_COUNT &&
               newest - from > (int64_t)(rings_steps[ring].slots - 1) * rings_steps[ring].seconds * SECOND)
                ring++;
        return ring;
}

static void read_point(const struct rings *r, size_t series, size_t ring, int64_t a, int64_t b, struct rings_point *p)
{
        const int64_t step = rings_steps[ring].seconds * SECOND;
        const int64_t last = rings_last(r, series);
        struct rings_slot s;
        *p = (struct rings_point){ .mean = NAN, .max = NAN };
        for (int64_t k = a / step; k * step < b; k++) {
                if (!slot_get(r, series, ring, k, &s) || s.known <= 0)
                        continue;
                int64_t begin = k * step, end = begin + step;
                if (last > begin && last < end)
                        end = last; /* what it has is all of the time until now */
                int64_t low = begin > a ? begin : a, high = end < b ? end : b;
                if (high <= low)
                        continue;
                double share = (double)(high - low) / (double)(end - begin);
                p->sum += s.total * share;
                p->known += s.known * share;
                if (!(s.max <= p->max))
                        p->max = s.max;
        }
        if (p->known > 0)
                p->mean = p->sum / p->known;
        if (p->known > 0 && p->max < p->mean) /* of a slot that is known in part */
                p->max = p->mean;
}

int64_t rings_read(const struct rings *r, size_t series, int64_t from, int64_t to, size_t n, struct rings_point *points)
{
        if (!is_time(from) || !is_time(to) || to <= from || n == 0)
                panic("points of no time");
        int64_t newest = rings_last(r, series);
        size_t ring = ring_for(from, newest > to ? newest : to, (to - from) / (int64_t)n);
        double length = (double)(to - from) / (double)n;
        for (size_t i = 0; i < n; i++) {
                int64_t a = from + (int64_t)((double)i * length);
                int64_t b = i + 1 < n ? from + (int64_t)((double)(i + 1) * length) : to;
                read_point(r, series, ring, a, b, &points[i]);
        }
        return rings_steps[ring].seconds;
}
