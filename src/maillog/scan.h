/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/scan.h - reading a line from left to right, piece by piece.
 *
 * Each step takes what it names from the front, or takes nothing and says so.
 * Owns:    nothing; slices point into the line.
 * Threads: pure functions.
 * Limits:  none. */
#pragma once

#include "base/slice.h"

/* The literal in front. */
static inline bool scan_take(struct slice *s, struct slice literal)
{
        if (s->n < literal.n || memcmp(s->p, literal.p, literal.n) != 0)
                return false;
        *s = (struct slice){ s->p + literal.n, s->n - literal.n };
        return true;
}

/* How many bytes stand before the first of three characters; s.n where none of them is there. Eight bytes a step. */
size_t scan_first_of(struct slice s, char a, char b, char c);
/* What stands before the literal; both are taken. */
bool scan_until(struct slice *s, struct slice literal, struct slice *ret);
/* A decimal number; false where there is none or it is too large. */
bool scan_number(struct slice *s, uint64_t *ret);
/* "554 5.7.1 ", "554-", "5.7.1 ": either may be absent, and is then left as it was. */
void scan_code(struct slice *s, uint32_t *code, struct slice *dsn);
/* "<…>": a quoted local part may hold '>' and blanks (RFC 5321 4.1.2). */
bool scan_angle(struct slice *s, struct slice *ret);
/* "name[address]", "[address]", with ":port" or without. The name has no blanks. */
struct mail_peer;
bool scan_peer(struct slice *s, struct mail_peer *ret);
