/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/names.h"

#include "base/arena.h"
#include "base/map.h"

enum { SLOTS_FIRST = 4096 };

struct slot {
        uint32_t tag, id; /* id 0: free */
};

struct names {
        uint32_t most, n, mask;
        struct slot *slots;
        struct slice *texts;
        size_t cap;
        struct arena *arena;
        uint64_t lost, secret;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
        __uint128_t product = (__uint128_t)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes a step, under a secret of this process: a third of what SipHash costs, and nobody sees a result of it. */
static uint32_t tag_of(const struct names *n, struct slice s)
{
        uint64_t h = n->secret ^ s.n, w = 0;
        for (; s.n > 8; s.p += 8, s.n -= 8) {
                memcpy(&w, s.p, 8);
                h = mix(h ^ w, n->secret);
        }
        w = 0;
        memcpy(&w, s.p, s.n);
        return (uint32_t)mix(h ^ w, n->secret);
}

struct names *names_new(uint32_t most)
{
        struct names *n = xcalloc(1, sizeof *n);
        n->most = most;
        n->secret = hash_bytes(S("names")) | 1;
        n->n = NAMES_FIRST;
        n->mask = SLOTS_FIRST - 1;
        n->slots = xcalloc(SLOTS_FIRST, sizeof *n->slots);
        n->texts = xgrow(NULL, &n->cap, NAMES_FIRST, sizeof *n->texts);
        n->texts[NAMES_NONE] = S("");
        n->texts[NAMES_OTHERS] = S("(others)");
        n->arena = arena_new((size_t)most * 320); /* the longest address of RFC 5321 has 320 bytes */
        return n;
}

void names_free(struct names *n)
{
        if (!n)
                return;
        arena_free(n->arena);
        free(n->texts);
        free(n->slots);
        free(n);
}

static void put(struct slot *slots, uint32_t mask, struct slot s)
{
        uint32_t i = s.tag & mask;
        while (slots[i].id)
                i = (i + 1) & mask;
        slots[i] = s;
}

static void grow(struct names *n)
{
        uint32_t mask = n->mask * 2 + 1;
        struct slot *slots = xcalloc((size_t)mask + 1, sizeof *slots);
        for (uint32_t i = 0; i <= n->mask; i++)
                if (n->slots[i].id)
                        put(slots, mask, n->slots[i]);
        free(n->slots);
        n->slots = slots;
        n->mask = mask;
}

void names_expect(const struct names *n, struct slice text)
{
        if (text.n)
                __builtin_prefetch(&n->slots[tag_of(n, text) & n->mask]);
}

uint32_t names_id(struct names *n, struct slice text)
{
        if (!text.n)
                return NAMES_NONE;
        uint32_t tag = tag_of(n, text), i = tag & n->mask;
        for (; n->slots[i].id; i = (i + 1) & n->mask)
                if (n->slots[i].tag == tag && slice_eq(n->texts[n->slots[i].id], text))
                        return n->slots[i].id;
        struct slice copy = n->n < n->most ? arena_dup(n->arena, text) : (struct slice){ 0 };
        if (!copy.p) {
                n->lost++;
                return NAMES_OTHERS;
        }
        n->texts = xgrow(n->texts, &n->cap, (size_t)n->n + 1, sizeof *n->texts);
        n->texts[n->n] = copy;
        put(n->slots, n->mask, (struct slot){ tag, n->n });
        if (n->n * 2 > n->mask)
                grow(n);
        return n->n++;
}

struct slice names_text(const struct names *n, uint32_t id)
{
        return id < n->n ? n->texts[id] : S("");
}

uint32_t names_end(const struct names *n)
{
        return n->n;
}

uint64_t names_lost(const struct names *n)
{
        return n->lost;
}
