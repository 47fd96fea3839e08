/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/prefix.h - addresses and prefixes, IPv4 and IPv6 as one kind of 16 bytes.
 *
 * IPv4 is kept mapped (::ffff:a.b.c.d), so ::ffff:192.0.2.1 and 192.0.2.1 are one key (RFC 4291 2.5.5.2).
 * Lengths count in 128 bits inside: an IPv4 /24 has len 120. Text shows the family's own length.
 * Owns:    nothing; values.
 * Threads: pure functions.
 * Limits:  no zone ids (fe80::1%eth0), no names. */
#pragma once

#include "base/slice.h"

struct addr {
        uint8_t b[16];
};

struct prefix {
        struct addr addr; /* bits past len are zero */
        uint8_t len;      /* 0..128; IPv4 is 96..128 */
};

enum { ADDR_TEXT_MAX = 46, PREFIX_TEXT_MAX = 50 };

enum prefix_error {
        PREFIX_OK,
        PREFIX_NOT_AN_ADDRESS,
        PREFIX_BAD_LENGTH, /* past 32 or 128, or no number */
        PREFIX_HOST_BITS,  /* 192.0.2.1/24: bits set past the length; *ret holds the masked prefix */
};

bool addr_parse(struct slice s, struct addr *ret);
/* "192.0.2.1:1813", "[2001:db8::1]:1813"; the port is not 0. */
bool addr_port_parse(struct slice s, struct addr *ret, uint16_t *port);
/* "192.0.2.0/24", or an address alone (/32, /128). */
enum prefix_error prefix_parse(struct slice s, struct prefix *ret);
const char *addr_print(const struct addr *a, char out[ADDR_TEXT_MAX]);       /* returns out */
const char *prefix_print(const struct prefix *p, char out[PREFIX_TEXT_MAX]); /* a host without its length */
bool addr_is_v4(const struct addr *a);
int addr_cmp(const struct addr *a, const struct addr *b);
struct addr addr_mask(struct addr a, unsigned len); /* len in 128 bits */
struct addr addr_last(struct addr a, unsigned len); /* the last address of a/len */
/* a + 1; false (and a untouched) after the very last address. */
bool addr_next(struct addr *a);
bool addr_previous(struct addr *a);
struct prefix prefix_of(struct addr a, unsigned len);
bool prefix_is_v4(const struct prefix *p);
unsigned prefix_shown_len(const struct prefix *p); /* 24 for 192.0.2.0/24 */
bool prefix_has(const struct prefix *p, const struct addr *a);
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
/* By address, then wider first. */
int prefix_cmp(const struct prefix *a, const struct prefix *b);
