/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/slice.h - text by value: a pointer and a length.
 *
 * Slices never own; bytes may contain NUL. Zero-terminated strings exist only at libc's door.
 * Owns:    nothing; a slice lives as long as what it points into.
 * Threads: pure functions.
 * Limits:  none. */
#pragma once

#include "base/base.h"

struct slice {
        const char *p;
        size_t n;
};

#define S(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
/* printf("%.*s", SLICE_ARGS(s)) */
#define SLICE_ARGS(s) ((int)(s).n), ((s).p ? (s).p : "")

struct slice slice_of(const char *cstr); /* NULL gives the empty slice */
bool slice_eq(struct slice a, struct slice b);
bool slice_ieq(struct slice a, struct slice b); /* ASCII case folded */
int slice_cmp(struct slice a, struct slice b);  /* bytes, shorter first */
bool slice_starts(struct slice s, struct slice with);
bool slice_ends(struct slice s, struct slice with);
struct slice slice_trim(struct slice s); /* spaces and tabs, CR, LF at both ends */
struct slice slice_from(struct slice s, size_t at);
/* The text before the first `sep`; *rest gets what follows (p == NULL where there was no sep). */
struct slice slice_cut(struct slice s, char sep, struct slice *rest);
size_t slice_find(struct slice s, char c); /* s.n where absent */
/* Whole slice a decimal number without sign, at most `max`: false otherwise, *ret untouched. */
bool slice_u64(struct slice s, uint64_t max, uint64_t *ret);
/* Heap copy with a final zero; the caller frees. */
char *slice_dup(struct slice s);
/* Length of the UTF-8 sequence (RFC 3629) at the start that is no ASCII, is well formed and harmless on a terminal: no C1 control,
 * nothing that turns the direction of the text. 0 where there is none. */
size_t slice_utf8(struct slice s);
/* How many bytes at the start are ASCII or such sequences. */
size_t slice_utf8_span(struct slice s);
/* Edit distance, cut off at `limit`: for "did you mean". */
size_t slice_distance(struct slice a, struct slice b, size_t limit);
