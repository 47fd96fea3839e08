/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/tail_inside.h - one file that is read, plain or packed, and how it is known again: between base/tail*.c.
 *
 * Owns:    the descriptor and what unpacks, until source_close().
 * Threads: as base/tail.h.
 * Limits:  as base/tail.h. */
#pragma once

#include "base/tail.h"

struct source {
        int fd; /* -1: none is open */
        const struct tail_unpacker *unpacker;
        void *packed; /* what unpacks it; NULL: it is plain */
        uint64_t device, inode, at;
        int64_t written;
        size_t head_n, before_n;
        char head[TAIL_HEAD], before[TAIL_BEFORE]; /* as they were read; `before` ends at `at` */
};

/* Regular files only. unpacker may be NULL. 0, or -errno. */
int source_open(const char *path, const struct tail_unpacker *unpacker, struct source *ret);
void source_close(struct source *s);
#define autosource CLEANUP(source_close) struct source
void source_hand_over(struct source *from, struct source *to); /* `from` is closed then; `to` must not be open */
/* Reads at s->at and leaves it there: source_took() goes on, once it is known that the file is still the same. 0: the end; -errno. */
ssize_t source_read(struct source *s, char *room, size_t most);
void source_took(struct source *s, struct slice bytes);
/* Whether what was read of it still stands there. */
bool source_same(struct source *s);
/* Goes to the place, where this is its file. */
bool source_is(struct source *s, const struct tail_place *p);
/* From the beginning, whatever stands there now; behind the hole, if it begins with one. */
void source_anew(struct source *s, bool skip_hole);
uint64_t source_left(const struct source *s);

void tail_digest(struct slice bytes, char out[TAIL_DIGEST + 1]);
