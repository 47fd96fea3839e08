/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/map.h"

#include <sys/random.h>

static uint64_t rotate(uint64_t x, int n)
{
        return (x << n) | (x >> (64 - n));
}

static void sip_round(uint64_t v[4])
{
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
}

/* SipHash (Aumasson, Bernstein 2012) with one compression and three finalisation rounds. */
uint64_t hash_with_key(const uint8_t key[16], struct slice s)
{
        uint64_t k[2];
        memcpy(k, key, 16);
        uint64_t v[4] = { k[0] ^ 0x736f6d6570736575u, k[1] ^ 0x646f72616e646f6du, k[0] ^ 0x6c7967656e657261u,
                          k[1] ^ 0x7465646279746573u };
        uint64_t last = (uint64_t)s.n << 56;
        size_t whole = s.n / 8 * 8;
        for (size_t i = 0; i < whole; i += 8) {
                uint64_t m;
                memcpy(&m, s.p + i, 8);
                v[3] ^= m;
                sip_round(v);
                v[0] ^= m;
        }
        for (size_t i = whole; i < s.n; i++)
                last |= (uint64_t)(uint8_t)s.p[i] << (8 * (i - whole));
        v[3] ^= last;
        sip_round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        for (int i = 0; i < 3; i++)
                sip_round(v);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(struct slice s)
{
        static uint8_t key[16];
        static bool made;
        if (!made) {
                if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
                        panic("no random numbers");
                made = true;
        }
        return hash_with_key(key, s);
}

void map_done(struct map *m)
{
        free(m->entries);
        *m = (struct map){ 0 };
}

static struct map_entry *place_of(const struct map *m, struct slice key, uint64_t hash)
{
        for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
                struct map_entry *e = &m->entries[i];
                if (!e->value || (e->hash == hash && slice_eq(e->key, key)))
                        return e;
        }
}

void *map_find(const struct map *m, struct slice key)
{
        return m->cap ? place_of(m, key, hash_bytes(key))->value : NULL;
}

static void grow(struct map *m)
{
        struct map bigger = { .cap = m->cap ? m->cap * 2 : 16, .n = m->n };
        bigger.entries = xcalloc(bigger.cap, sizeof *bigger.entries);
        for (size_t i = 0; i < m->cap; i++)
                if (m->entries[i].value)
                        *place_of(&bigger, m->entries[i].key, m->entries[i].hash) = m->entries[i];
        free(m->entries);
        *m = bigger;
}

void *map_put(struct map *m, struct slice key, void *value)
{
        if (!value)
                panic("map_put: NULL");
        if ((m->n + 1) * 4 > m->cap * 3)
                grow(m);
        uint64_t hash = hash_bytes(key);
        struct map_entry *e = place_of(m, key, hash);
        void *former = e->value;
        m->n += !former;
        *e = (struct map_entry){ .key = key, .value = value, .hash = hash };
        return former;
}

/* Entries after the freed place move up, so that no look-up stops early (Knuth 6.4, algorithm R). */
static void close_gap(struct map *m, size_t hole)
{
        for (size_t i = (hole + 1) & (m->cap - 1); m->entries[i].value; i = (i + 1) & (m->cap - 1)) {
                size_t home = m->entries[i].hash & (m->cap - 1);
                if (((i - home) & (m->cap - 1)) < ((i - hole) & (m->cap - 1)))
                        continue;
                m->entries[hole] = m->entries[i];
                m->entries[i] = (struct map_entry){ 0 };
                hole = i;
        }
}

void *map_drop(struct map *m, struct slice key)
{
        if (!m->cap)
                return NULL;
        struct map_entry *e = place_of(m, key, hash_bytes(key));
        void *value = e->value;
        if (!value)
                return NULL;
        *e = (struct map_entry){ 0 };
        m->n--;
        close_gap(m, (size_t)(e - m->entries));
        return value;
}

struct map_entry *map_next(const struct map *m, size_t *i)
{
        while (*i < m->cap) {
                struct map_entry *e = &m->entries[(*i)++];
                if (e->value)
                        return e;
        }
        return NULL;
}
