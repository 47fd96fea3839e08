/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard/window.h - how often lately: counts over sliding windows, in one table of fixed size that several processes may share.
 *
 * A window of period P is kept as WINDOW_SLOTS counts of P / (WINDOW_SLOTS - 1) each, so that a sum covers between P and 7/6 P:
 * it may be a sixth too strict, it is never too lax, whatever the instant. What is counted has a name of any length; only a keyed
 * hash of it is kept.
 * Owns:    nothing: the table is the caller's memory (all zeros before window_make()), such as a mapped memfd.
 * Threads: any number of threads and processes; there is no lock that a killed one could leave held. Where two meet on a name that
 *          is new, a count may be lost; on one that is known, never.
 * Limits:  `entries` names. Where a new one finds its WINDOW_WAYS places taken, the one not counted for longest gives way, and
 *          `evicted` grows: then the table is too small for the traffic. Periods of WINDOW_PERIOD_LEAST to 400 days. */
#pragma once

#include "base/slice.h"

enum { WINDOW_SLOTS = 7, WINDOW_WAYS = 8 };
/* Where the kinds of each user of a shared table begin; 0 to 15 are anybody's who has a table for himself. */
enum { WINDOW_KINDS_GUESS = 16, WINDOW_KINDS_QUOTA = 32 };
#define WINDOW_PERIOD_LEAST (6 * INT64_C(1000000))

struct window_table;

/* What is counted: `kind` keeps names of different meaning apart (logins, prefixes, pairs); period in µs. */
struct window {
        uint8_t kind;
        int64_t period;
        struct slice name;
};

size_t window_bytes(size_t entries);
struct window_table *window_make(void *memory, size_t entries, const uint8_t key[16]);
/* The table that another process made in this memory; NULL where there is none, or not one of this size. */
struct window_table *window_join(void *memory, size_t bytes);

/* Counts `n` at `now` (µs since 1970) and returns the sum of the window, this one included. n 0 only asks. */
uint64_t window_add(struct window_table *t, const struct window *w, int64_t now, uint32_t n);
uint64_t window_sum(const struct window_table *t, const struct window *w, int64_t now);
/* The first instant, `now` or later, at which the sum is at most `most` if nothing more is counted. */
int64_t window_room(const struct window_table *t, const struct window *w, int64_t now, uint64_t most);
void window_forget(struct window_table *t, const struct window *w);
uint64_t window_evicted(const struct window_table *t);
