/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/rings_format.h"
#include "base/time.h"

#include <math.h>

#define YEAR_2100 (INT64_C(4102444800) * SECOND)
#define LONGEST (366 * DAY)

enum { LOOKS = 20 }; /* at a slot that somebody may be writing */

/* --- the last sample ---------------------------------------------------------------------------------------------------- */

static uint32_t state_sum(const struct rings_series *s)
{
        const uint64_t state[] = { (uint64_t)s->at, s->value };
        return rings_sum(state, sizeof state);
}

int64_t rings_last(const struct rings *r, size_t series)
{
        const struct rings_series *s = rings_series_of(r, series);
        return s->sum == state_sum(s) && s->at > 0 && s->at < YEAR_2100 ? s->at : 0;
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
        return rings_series_of(r, series);
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
