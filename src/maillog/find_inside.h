/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/find_inside.h - what find.c (what is read, and what for) and find_source.c (which files) share.
 *
 * Owns:    what find.h says.
 * Threads: one at a time.
 * Limits:  none. */
#pragma once

#include "base/time.h"
#include "maillog/find.h"
#include "maillog/index.h"
#include "maillog/literal.h"
#include "maillog/reader.h"
#include "maillog/recent.h"

struct source {
        char *path;
        struct maillog_reader *reader;
        struct index_view *view; /* NULL: all of it is read */
        int64_t first, written;  /* when its first line was written, and its last byte */
        uint64_t identity;       /* 0: none */
        bool complained;
};

struct find {
        struct find_wish wish;
        struct literal wanted[WANTED_MOST];
        struct recent *hits[WANTED_MOST], *message_ids; /* queue ids, of each that is wanted */
        struct recent *ids;                             /* one of hits[] */
        struct stories *stories;
        struct source *sources;
        size_t n_sources, cap;
        struct syslog_clock clock;
        uint8_t key[INDEX_KEY];
        bool has_key, fresh, incomplete;
        uint64_t bytes;
        struct buf troubles;
};

void find_trouble(struct find *f, const char *path, const char *what);
/* In the order in which they were written. */
void find_sort(struct find *f);
void find_source_done(struct source *s);
