/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/map.h - a hash table from bytes to a pointer.
 *
 * Keys are slices that must outlive the entry (they are not copied). The hash is keyed (SipHash-1-3
 * with a random key per process), so hostile keys cannot choose their bucket.
 * Owns:    its buckets; neither keys nor values.
 * Threads: one at a time.
 * Limits:  2^31 entries; grows by doubling at 3/4 full. */
#pragma once

#include "base/slice.h"

struct map_entry {
        struct slice key;
        void *value; /* NULL marks a free place */
        uint64_t hash;
};

struct map {
        struct map_entry *entries;
        size_t n, cap;
};

uint64_t hash_bytes(struct slice s); /* keyed, differs from process to process */
/* SipHash-1-3 under a key of the caller's: stable between processes. */
uint64_t hash_with_key(const uint8_t key[16], struct slice s);

void map_done(struct map *m); /* a map of zeros is an empty map */
#define automap CLEANUP(map_done) struct map
void *map_find(const struct map *m, struct slice key); /* NULL where absent */
/* Puts or replaces; the value must not be NULL. Returns the former value or NULL. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_drop(struct map *m, struct slice key); /* returns the value, NULL where absent */
/* Walk: for (size_t i = 0; (e = map_next(m, &i));) - no put or drop meanwhile. */
struct map_entry *map_next(const struct map *m, size_t *i);
