/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/names.h"

#include "base/arena.h"
#include "base/map.h"

enum { SLOTS_FIRST = 4096 };

static uint64_t secret; /* of this process; from names_ready() on */

/* Memory is slow: a slot is its number and 40 bits of its hash, and no text is looked at. 0: free. */
struct names {
        uint32_t most, n, mask;
        uint64_t *slots;
        struct slice *texts;
        size_t cap;
        struct arena *arena;
        uint64_t lost;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
        __uint128_t product = (__uint128_t)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word(const char *p)
{
        uint64_t w;
        memcpy(&w, p, sizeof w);
        return w;
}

/* Up to eight bytes, each of them in. */
static uint64_t short_word(struct slice s)
{
        uint32_t a, b;
        if (s.n >= 4) {
                memcpy(&a, s.p, 4);
                memcpy(&b, s.p + s.n - 4, 4);
                return (uint64_t)a << 32 | b;
        }
        return s.n ? (uint64_t)(uint8_t)s.p[0] << 16 | (uint64_t)(uint8_t)s.p[s.n / 2] << 8 | (uint8_t)s.p[s.n - 1] : 0;
}

/* Eight bytes a step, under a secret of this process: a third of what SipHash costs, and nobody sees a result of it. */
uint64_t names_hash(struct slice s)
{
        uint64_t h = secret ^ s.n;
        struct slice last = s;
        for (; last.n > 8; last.p += 8, last.n -= 8)
                h = mix(h ^ word(last.p), secret);
        return mix(h ^ (s.n >= 8 ? word(s.p + s.n - 8) : short_word(s)), secret);
}

void names_ready(void)
{
        if (!secret) /* others may be reading it by now */
                secret = hash_bytes(S("names")) | 1;
}

struct names *names_new(uint32_t most)
{
        struct names *n = xcalloc(1, sizeof *n);
        names_ready();
        n->most = most < NAMES_MOST ? most : NAMES_MOST;
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

static uint64_t place_of(const struct names *n, uint64_t hash)
{
        return hash & n->mask; /* the lowest bits; the highest 40 are kept */
}

static void put(struct names *n, uint64_t slot, uint64_t hash)
{
        uint64_t i = place_of(n, hash);
        while (n->slots[i])
                i = (i + 1) & n->mask;
        n->slots[i] = slot;
}

/* Of half of them the place is known no more, so all are hashed anew. */
static void grow(struct names *n)
{
        free(n->slots);
        n->mask = n->mask * 2 + 1;
        n->slots = xcalloc((size_t)n->mask + 1, sizeof *n->slots);
        for (uint32_t id = NAMES_FIRST; id < n->n; id++) {
                uint64_t hash = names_hash(n->texts[id]);
                put(n, hash >> NAMES_NUMBER_BITS << NAMES_NUMBER_BITS | id, hash);
        }
}

void names_expect(const struct names *n, uint64_t hash)
{
        __builtin_prefetch(&n->slots[place_of(n, hash)]);
}

uint32_t names_find(const struct names *n, uint64_t hash)
{
        for (uint64_t i = place_of(n, hash); n->slots[i]; i = (i + 1) & n->mask)
                if ((n->slots[i] ^ hash) >> NAMES_NUMBER_BITS == 0)
                        return (uint32_t)n->slots[i] & (NAMES_MOST - 1);
        return NAMES_NONE;
}

uint32_t names_id(struct names *n, struct slice text, uint64_t hash)
{
        uint32_t known = text.n ? names_find(n, hash) : NAMES_NONE;
        if (known || !text.n)
                return known;
        struct slice copy = n->n < n->most ? arena_dup(n->arena, text) : (struct slice){ 0 };
        if (!copy.p) {
                n->lost++;
                return NAMES_OTHERS;
        }
        n->texts = xgrow(n->texts, &n->cap, (size_t)n->n + 1, sizeof *n->texts);
        n->texts[n->n] = copy;
        put(n, hash >> NAMES_NUMBER_BITS << NAMES_NUMBER_BITS | n->n, hash);
        n->n++;
        if (n->n * 2 > n->mask)
                grow(n);
        return n->n - 1;
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
