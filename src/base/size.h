/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/size.h - numbers of bytes, and their text: "2G", "500M", "1024".
 *
 * K, M, G and T are powers of 1024. What is printed reads back as the same number.
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  SIZE_BYTES_MOST, a petabyte. */
#pragma once

#include "base/slice.h"

#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define TIB (INT64_C(1) << 40)
#define SIZE_BYTES_MOST (INT64_C(1) << 50)

enum { SIZE_TEXT_MAX = 24 };

bool size_parse(struct slice s, int64_t *ret);                  /* false, and *ret untouched, where it is none */
const char *size_print(int64_t bytes, char out[SIZE_TEXT_MAX]); /* in the largest unit that says it exactly */
