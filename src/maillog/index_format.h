/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/index_format.h - how an index lies on disk.
 *
 * Numbers are those of the machine (`order` says which). Each sum is a keyed hash of all that follows it in its header or record, so
 * nothing is believed that was not written under this installation's key.
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  INDEX_WORDS_MOST words of filter: a block of 16 MB of which every line is another sender's. */
#pragma once

#include "maillog/index.h"

#define INDEX_MAGIC "PORTIDX"

enum {
        INDEX_VERSION = 1,
        INDEX_ORDER = 0x01020304,
        INDEX_WORDS_MOST = 1 << 17,
        INDEX_LENGTH_MOST = 64 << 20,
        INDEX_BITS_EACH = 14, /* with ten probes 0.12 % false hits (Bloom 1970): a reading has dozens of keys at once */
        INDEX_PROBES = 10
};

struct index_header {
        char magic[8];
        uint32_t version, order;
        uint64_t sum, identity, path_n;
        char path[INDEX_PATH_MOST];
};

struct index_record {
        uint64_t sum, identity;
        struct index_block block;
        uint64_t words; /* how many words of filter follow */
};

uint64_t index_header_sum(const uint8_t key[INDEX_KEY], const struct index_header *h);
/* Of a record with its filter behind it. */
uint64_t index_record_sum(const uint8_t key[INDEX_KEY], const struct index_record *r);
uint64_t index_tail(const uint8_t key[INDEX_KEY], struct slice end);
void index_filter_put(uint64_t *filter, uint64_t words, uint64_t hash);
bool index_filter_has(const uint64_t *filter, uint64_t words, uint64_t hash);
/* The record at the start of `in`, which must be aligned for it: how many bytes it has; 0: it is not whole, or none. */
size_t index_record_parse(const uint8_t key[INDEX_KEY], uint64_t identity, uint64_t after, struct slice in);
