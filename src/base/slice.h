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
static inline bool slice_eq(struct slice a, struct slice b)
{
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool slice_ieq(struct slice a, struct slice b); /* ASCII case folded */
int slice_cmp(struct slice a, struct slice b);  /* bytes, shorter first */
static inline bool slice_starts(struct slice s, struct slice with)
{
        return s.n >= with.n && (with.n == 0 || memcmp(s.p, with.p, with.n) == 0);
}
bool slice_ends(struct slice s, struct slice with);
struct slice slice_trim(struct slice s); /* spaces and tabs, CR, LF at both ends */
static inline struct slice slice_from(struct slice s, size_t at)
{
        if (at > s.n)
                panic("slice_from: %zu of %zu", at, s.n);
        return (struct slice){ at ? s.p + at : s.p, s.n - at };
}
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
