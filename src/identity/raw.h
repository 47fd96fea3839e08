/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/raw.h - bytes as networks send them (names, circuit ids, client ids), as text that harms nobody and loses nothing.
 *
 * UTF-8 stays as it is. Control characters, bytes that are not UTF-8, what turns the direction of text (slice_utf8), blanks at the ends, and a
 * backslash that would look like one of these escapes, become \xNN with upper case digits: two different names never become one. So a
 * binary circuit id 00 01 03 e9 reads \x00\x01\x03\xE9, and "LONDRINA\joao" stays as it was typed.
 * Owns:    nothing; what had to be changed is in the caller's arena, all else still points into the input.
 * Threads: pure.
 * Limits:  none; four bytes of text for each byte at the most. */
#pragma once

#include "base/arena.h"

/* p == NULL only where the arena is full. */
struct slice raw_text(struct slice bytes, struct arena *a);
/* "0x4f4c54", "4F4C54", "4f:4c:54", "0:1:3:e9": the bytes. false where it is none of these. */
bool raw_from_hex(struct slice text, struct arena *a, struct slice *ret);
/* What stands between quotes in a detail or lease file: \" \\ \r \n \t, and three octal digits for what is not printable. */
struct slice raw_unescape(struct slice s, struct arena *a);
/* The bytes as "4f:4c:54". */
struct slice raw_to_hex(struct slice bytes, struct arena *a);
/* A number of `n` bytes, at most four, in network order. */
uint32_t raw_number(const char *p, size_t n);
