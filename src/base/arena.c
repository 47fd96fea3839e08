/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <stdalign.h>

struct block {
        struct block *next;
        size_t used, size;
        alignas(max_align_t) unsigned char bytes[];
};

struct arena {
        struct block *blocks;
        size_t used, max;
        bool full;
};

enum { BLOCK_FIRST = 4096, BLOCK_MOST = 1 << 20 };

struct arena *arena_new(size_t max)
{
        struct arena *a = xcalloc(1, sizeof *a);
        a->max = max;
        return a;
}

void arena_free(struct arena *a)
{
        if (!a)
                return;
        for (struct block *b = a->blocks; b;) {
                struct block *next = b->next;
                free(b);
                b = next;
        }
        free(a);
}

void arena_free_(struct arena **a)
{
        arena_free(*a);
}

static size_t next_block_size(const struct arena *a, size_t n)
{
        size_t size = a->blocks ? a->blocks->size * 2 : BLOCK_FIRST;
        if (size > BLOCK_MOST)
                size = BLOCK_MOST;
        return size < n ? n : size;
}

static bool add_block(struct arena *a, size_t n)
{
        size_t size = next_block_size(a, n);
        if (size > a->max - a->used) {
                if (n > a->max - a->used) {
                        a->full = true;
                        return false;
                }
                size = n;
        }
        struct block *b = xmalloc(sizeof *b + size);
        *b = (struct block){ .next = a->blocks, .size = size };
        a->blocks = b;
        a->used += size;
        return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
        const size_t unit = alignof(max_align_t);
        if (a->full || n > a->max) {
                a->full = true;
                return NULL;
        }
        n = (n + unit - 1) / unit * unit;
        if (n == 0)
                n = unit;
        if ((!a->blocks || n > a->blocks->size - a->blocks->used) && !add_block(a, n))
                return NULL;
        void *p = a->blocks->bytes + a->blocks->used;
        a->blocks->used += n;
        return memset(p, 0, n);
}

struct slice arena_dup(struct arena *a, struct slice s)
{
        char *copy = arena_alloc(a, s.n + 1);
        if (!copy)
                return (struct slice){ NULL, 0 };
        if (s.n)
                memcpy(copy, s.p, s.n);
        return (struct slice){ copy, s.n };
}

void *arena_grow(struct arena *a, void *p, size_t *cap, size_t need, size_t size)
{
        if (need <= *cap)
                return p;
        size_t want = *cap ? *cap * 2 : 8;
        while (want < need)
                want *= 2;
        size_t bytes;
        if (__builtin_mul_overflow(want, size, &bytes))
                panic("size overflow");
        void *q = arena_alloc(a, bytes);
        if (q && p)
                memcpy(q, p, *cap * size);
        if (q)
                *cap = want;
        return q;
}

void arena_clear(struct arena *a)
{
        struct block *kept = a->blocks;
        for (struct block *b = kept ? kept->next : NULL; b;) {
                struct block *next = b->next;
                free(b);
                b = next;
        }
        if (kept)
                *kept = (struct block){ .size = kept->size };
        a->used = kept ? kept->size : 0;
        a->full = false;
}

bool arena_full(const struct arena *a)
{
        return a->full;
}

size_t arena_used(const struct arena *a)
{
        return a->used;
}
