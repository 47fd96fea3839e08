/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/window.h"
#include "base/map.h"
#include "base/time.h"

#include <stdatomic.h>

static const uint64_t MAGIC = 0x706f727465310001; /* the last digits: the version of the layout */

/* A slot is the second it began with (high half) and its count, in one word, so that both change together. */
struct entry {
        _Atomic uint64_t key; /* 0: free */
        _Atomic uint64_t slots[WINDOW_SLOTS];
};
_Static_assert(sizeof(struct entry) == 64, "one cache line");

struct set {
        struct entry ways[WINDOW_WAYS];
};

struct window_table {
        uint64_t magic, n_sets;
        uint8_t key[16];
        _Atomic uint64_t evicted;
        uint64_t unused[3];
        struct set sets[];
};
_Static_assert(sizeof(struct window_table) % 64 == 0, "sets begin on a cache line");

static uint32_t second_of(uint64_t slot)
{
        return (uint32_t)(slot >> 32);
}

static uint32_t count_of(uint64_t slot)
{
        return (uint32_t)slot;
}

static size_t sets_for(size_t entries)
{
        return (entries + WINDOW_WAYS - 1) / WINDOW_WAYS + (entries == 0);
}

size_t window_bytes(size_t entries)
{
        return sizeof(struct window_table) + sets_for(entries) * sizeof(struct set);
}

struct window_table *window_make(void *memory, size_t entries, const uint8_t key[16])
{
        struct window_table *t = memory;
        t->n_sets = sets_for(entries);
        memcpy(t->key, key, sizeof t->key);
        t->magic = MAGIC;
        return t;
}

struct window_table *window_join(void *memory, size_t bytes)
{
        struct window_table *t = memory;
        if (bytes < sizeof *t || t->magic != MAGIC || t->n_sets == 0 ||
            t->n_sets != (bytes - sizeof *t) / sizeof(struct set))
                return NULL;
        return t;
}

/* --- finding --- */

static uint64_t key_of(const struct window_table *t, const struct window *w)
{
        uint64_t of_name = hash_with_key(t->key, w->name);
        struct {
                uint64_t name;
                int64_t period;
                uint64_t kind;
        } all = { of_name, w->period, w->kind };
        return hash_with_key(t->key, (struct slice){ (const char *)&all, sizeof all }) | 1;
}

static struct set *set_of(const struct window_table *t, uint64_t key)
{
        return (struct set *)&t->sets[(unsigned __int128)key * t->n_sets >> 64];
}

static struct entry *find(struct set *s, uint64_t key)
{
        for (size_t i = 0; i < WINDOW_WAYS; i++)
                if (atomic_load_explicit(&s->ways[i].key, memory_order_acquire) == key)
                        return &s->ways[i];
        return NULL;
}

static uint32_t last_counted(struct entry *e)
{
        uint32_t last = 0;
        for (size_t i = 0; i < WINDOW_SLOTS; i++) {
                uint32_t second = second_of(atomic_load_explicit(&e->slots[i], memory_order_relaxed));
                last = second > last ? second : last;
        }
        return last;
}

static struct entry *choose_victim(struct set *s)
{
        struct entry *victim = &s->ways[0];
        uint32_t oldest = UINT32_MAX;
        for (size_t i = 0; i < WINDOW_WAYS; i++) {
                if (atomic_load_explicit(&s->ways[i].key, memory_order_relaxed) == 0)
                        return &s->ways[i];
                uint32_t last = last_counted(&s->ways[i]);
                if (last < oldest) {
                        oldest = last;
                        victim = &s->ways[i];
                }
        }
        return victim;
}

static struct entry *find_or_take(struct window_table *t, uint64_t key)
{
        struct set *s = set_of(t, key);
        struct entry *e = find(s, key);
        if (e)
                return e;
        e = choose_victim(s);
        uint64_t former = atomic_load_explicit(&e->key, memory_order_relaxed);
        if (!atomic_compare_exchange_strong(&e->key, &former, key))
                return former == key ? e : NULL; /* another process was faster */
        for (size_t i = 0; i < WINDOW_SLOTS; i++)
                atomic_store_explicit(&e->slots[i], 0, memory_order_relaxed);
        if (former)
                atomic_fetch_add_explicit(&t->evicted, 1, memory_order_relaxed);
        return e;
}

/* --- counting --- */

struct instant {
        uint32_t now, width, began; /* seconds; began: of the present slot */
        size_t slot;
};

static struct instant instant_of(const struct window *w, int64_t now)
{
        const int64_t slots = (WINDOW_SLOTS - 1) * SECOND;
        int64_t width = (w->period + slots - 1) / slots;
        int64_t second = now > 0 ? now / SECOND : 0;
        if (width < 1)
                width = 1;
        return (struct instant){ .now = (uint32_t)second,
                                 .width = (uint32_t)width,
                                 .began = (uint32_t)(second - second % width),
                                 .slot = (size_t)(second / width % WINDOW_SLOTS) };
}

static void count(struct entry *e, const struct instant *at, uint32_t n)
{
        _Atomic uint64_t *slot = &e->slots[at->slot];
        uint64_t old = atomic_load_explicit(slot, memory_order_relaxed), new;
        do {
                uint32_t before = second_of(old) == at->began ? count_of(old) : 0;
                new = (uint64_t)at->began << 32 | (before > UINT32_MAX - n ? UINT32_MAX : before + n);
        } while (!atomic_compare_exchange_weak(slot, &old, new));
}

/* A slot from the future is of a clock that was set back: it counts no longer than it would have. */
static uint64_t sum(struct entry *e, const struct instant *at)
{
        uint64_t total = 0;
        for (size_t i = 0; i < WINDOW_SLOTS; i++) {
                uint64_t slot = atomic_load_explicit(&e->slots[i], memory_order_relaxed);
                int64_t age = (int64_t)at->began - second_of(slot);
                int64_t reach = (int64_t)at->width * (WINDOW_SLOTS - 1);
                if (age <= reach && age >= -reach)
                        total += count_of(slot);
        }
        return total;
}

uint64_t window_add(struct window_table *t, const struct window *w, int64_t now, uint32_t n)
{
        if (n == 0)
                return window_sum(t, w, now);
        struct entry *e = find_or_take(t, key_of(t, w));
        struct instant at = instant_of(w, now);
        if (!e)
                return n;
        count(e, &at, n);
        return sum(e, &at);
}

uint64_t window_sum(const struct window_table *t, const struct window *w, int64_t now)
{
        uint64_t key = key_of(t, w);
        struct entry *e = find(set_of(t, key), key);
        struct instant at = instant_of(w, now);
        return e ? sum(e, &at) : 0;
}

/* The slot that leaves first, of those still counted: the end of its time, and what it takes along. */
static int64_t next_leaving(struct entry *e, const struct instant *at, int64_t after, uint64_t *taken)
{
        int64_t first = TIME_NEVER;
        for (size_t i = 0; i < WINDOW_SLOTS; i++) {
                uint64_t slot = atomic_load_explicit(&e->slots[i], memory_order_relaxed);
                int64_t leaves = (second_of(slot) + (int64_t)at->width * WINDOW_SLOTS) * SECOND;
                if (count_of(slot) == 0 || leaves <= after || leaves > first)
                        continue;
                *taken = count_of(slot) + (leaves == first ? *taken : 0);
                first = leaves;
        }
        return first;
}

int64_t window_room(const struct window_table *t, const struct window *w, int64_t now, uint64_t most)
{
        uint64_t key = key_of(t, w), taken = 0;
        struct entry *e = find(set_of(t, key), key);
        struct instant at = instant_of(w, now);
        uint64_t left = e ? sum(e, &at) : 0;
        int64_t when = now;
        while (left > most && (when = next_leaving(e, &at, when, &taken)) != TIME_NEVER)
                left -= taken < left ? taken : left;
        return when;
}

void window_forget(struct window_table *t, const struct window *w)
{
        uint64_t key = key_of(t, w);
        struct entry *e = find(set_of(t, key), key);
        for (size_t i = 0; e && i < WINDOW_SLOTS; i++)
                atomic_store_explicit(&e->slots[i], 0, memory_order_relaxed);
}

uint64_t window_evicted(const struct window_table *t)
{
        return atomic_load_explicit(&((struct window_table *)t)->evicted, memory_order_relaxed);
}
