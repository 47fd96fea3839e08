/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/rings_format.h - how a file of rings lies on disk: a header, a table of series, then the slots, series by series.
 *
 *     header | RINGS_SERIES_MOST × series | ring 10 s, ring 1 min, … of series 0 | … of series 1 | …
 *
 * Numbers are those of the machine (`order` says which). What is written once has a sum that must be right; what changes with each
 * sample has one that may be wrong after a crash, and then counts as not there.
 * Owns:    what rings.h says.
 * Threads: any.
 * Limits:  the rows of rings_steps[] never change; other ones are another version. */
#pragma once

#include "graph/rings.h"

#define RINGS_MAGIC "PORTRNG"

enum { RINGS_VERSION = 1, RINGS_ORDER = 0x01020304 };

struct rings_step {
        uint32_t seconds, slots;
};
extern const struct rings_step rings_steps[RINGS_COUNT];

struct rings_header {
        char magic[8];
        uint32_t version, order, series_most, slot_bytes, slots, sum; /* slots: of all rings of a series */
};

struct rings_slot {
        uint32_t step; /* seconds since 1970 / seconds of the ring */
        uint32_t sum;
        double total, max, known;
};

struct rings_series {
        char name[RINGS_NAME_MOST + 1];
        uint32_t kind, name_sum;
        int64_t at; /* the last sample, µs; 0: none */
        uint64_t value;
        uint32_t pad, sum; /* of at and value */
};

#define RINGS_SLOTS_AT (sizeof(struct rings_header) + RINGS_SERIES_MOST * sizeof(struct rings_series))

struct rings_header rings_header_made(void);
uint32_t rings_sum(const void *p, size_t n);
uint32_t rings_slot_sum(const struct rings_slot *s);
size_t rings_slots(void); /* of one series */

struct rings {
        uint8_t *p;
        size_t n, count;
        int fd; /* -1: to read only */
        bool mapped;
};

struct rings_series *rings_series_of(const struct rings *r, size_t series);
