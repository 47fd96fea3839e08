/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/arena.h - memory that belongs to one lifetime and goes with it.
 *
 * Allocate freely, drop all at once: a policy generation, a report, a request.
 * Owns:    everything allocated from it.
 * Threads: one at a time.
 * Limits:  `max` bytes; at the ceiling arena_alloc() returns NULL and arena_full() is true for good. */
#pragma once

#include "base/slice.h"

struct arena;

struct arena *arena_new(size_t max);
void arena_free(struct arena *a); /* NULL is fine */
void arena_free_(struct arena **a);
#define autoarena CLEANUP(arena_free_) struct arena
/* Zeroed, aligned for any type. NULL only at the ceiling. */
void *arena_alloc(struct arena *a, size_t n);
/* A copy that ends in a zero byte (not counted in n). */
struct slice arena_dup(struct arena *a, struct slice s);
/* An array that doubles inside the arena; the old copy stays until the end. NULL at the ceiling. */
void *arena_grow(struct arena *a, void *p, size_t *cap, size_t need, size_t size);
/* All of it is free again, for the next of many short lifetimes; the memory stays, as far as it is one block. */
void arena_clear(struct arena *a);
bool arena_full(const struct arena *a);
size_t arena_used(const struct arena *a);
