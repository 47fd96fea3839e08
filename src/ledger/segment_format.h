/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/segment_format.h - the bytes of a segment, for who writes them and who reads them.
 *
 *     header | records, 64 bytes each | the latest end of each 64 records | postings of lines | texts | names
 *
 * A posting is 32 bits of the hash of a line (under the file's own key) above the number of a record; they are sorted. A record's text is
 * four lengths (value of the line, session, user, evidence) and the bytes. User: 0 stands for "kind:value", 1 for the value, else its
 * length + 2. Names (realms, sources, servers, reasons …) are a length of two bytes and the bytes.
 * Owns:    nothing.
 * Threads: pure.
 * Limits:  private to segment*.c; the numbers are the machine's own (`order` tells a file of another kind of machine). */
#pragma once

#include "ledger/segment.h"

#define SEGMENT_MAGIC "PORTEIRO"

enum {
        SEGMENT_VERSION = 1,
        SEGMENT_ORDER = 0x01020304,
        SEGMENT_HEADER = 4096,
        SEGMENT_BLOCK = 64,
        SEGMENT_USER_OWN = 2
};

/* X(id) in the order of the file */
#define SEGMENT_SECTIONS(X) X(RECORDS) X(BLOCKS) X(POSTINGS) X(TEXTS) X(NAMES)
#define SECTION_ENUM(id) SECTION_##id,
enum segment_section { SEGMENT_SECTIONS(SECTION_ENUM) SECTION_COUNT };

struct segment_record {
        struct addr address;
        int64_t start, end;
        uint64_t text; /* where in the texts */
        uint32_t back; /* so many before it, of the same prefix, may still be open at its start */
        uint16_t port_low, port_high;
        uint16_t realm, nas, source, why, proto, kind; /* names */
        uint8_t length, flags, spare[2];
};
_Static_assert(sizeof(struct segment_record) == 64, "one cache line");

struct segment_extent {
        uint64_t at, bytes, sum;
};

struct segment_header {
        char magic[8];
        uint32_t version, order;
        uint64_t leases, names, corrections;
        int64_t month, first, last;
        uint8_t key[16];     /* of the lines' hashes */
        uint64_t lengths[3]; /* a bit for each prefix length in use, 0 to 128 */
        struct segment_extent sections[SECTION_COUNT];
        uint64_t sum; /* of all before it */
};
_Static_assert(sizeof(struct segment_header) <= SEGMENT_HEADER, "the header has its place");

/* A running sum that finds damage; nobody's signature. */
struct segment_sum {
        uint64_t lane[4], n;
        uint8_t rest[32];
};
void segment_sum_init(struct segment_sum *s);
void segment_sum_add(struct segment_sum *s, const void *p, size_t n);
uint64_t segment_sum_end(const struct segment_sum *s);
uint64_t segment_sum_of(const void *p, size_t n);

/* "kind:value" into `out`: its length, 0 where it does not fit. */
enum { SEGMENT_LINE_MOST = 300 };
size_t segment_line_text(struct slice kind, struct slice value, char out[SEGMENT_LINE_MOST]);
uint32_t segment_line_hash(const uint8_t key[16], struct slice kind, struct slice value);
