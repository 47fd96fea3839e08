/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/recent.h - a set of texts, each with the last time it was seen; when it is full, the longest unseen go.
 *
 * Owns:    copies of the texts, until recent_free().
 * Threads: one at a time.
 * Limits:  between `most` and twice as many; recent_lost() says whether any had to go. */
#pragma once

#include "base/slice.h"

struct recent;
struct recent *recent_new(size_t most);
void recent_free(struct recent *r); /* NULL is fine */
/* True where it is new. */
bool recent_add(struct recent *r, struct slice text, int64_t at);
bool recent_has(const struct recent *r, struct slice text);
/* Keeps the last `most`. */
void recent_trim(struct recent *r, size_t most);
size_t recent_count(const struct recent *r);
bool recent_lost(const struct recent *r);
/* Walks them, in any order: for (size_t i = 0; recent_next(r, &i, &text);) */
bool recent_next(const struct recent *r, size_t *i, struct slice *text);
