/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/pile_sort.h - leases in any order come out in groups, each in the order of a segment, in bounded memory.
 *
 * What does not fit is written in sorted runs to one file that has no name, and merged when read.
 * Owns:    its memory and that file.
 * Threads: one.
 * Limits:  `memory` bytes; -ENOSPC and the like where the file cannot grow. */
#pragma once

#include "ledger/ledger.h"

struct sorter;

struct sorted {
        struct lease lease; /* its texts live until the next sorter_next() */
        unsigned group, flags;
};

/* folder: where the file would be made. */
struct sorter *sorter_new(const char *folder, size_t memory);
void sorter_free(struct sorter *s);
void sorter_free_(struct sorter **s);
#define autosorter CLEANUP(sorter_free_) struct sorter
int sorter_add(struct sorter *s, unsigned group, const struct lease *l, unsigned flags); /* group < 65536 */
/* Nothing more is added. */
int sorter_begin(struct sorter *s);
/* 1 and the next one; 0 at the end. Equal keys come in no order of their own. */
int sorter_next(struct sorter *s, struct sorted *ret);
uint64_t sorter_count(const struct sorter *s);
uint64_t sorter_count_of(const struct sorter *s, unsigned group);

/* One lease in one piece, for who must keep one. */
struct lease_copy {
        struct lease lease;
        char *bytes;
        size_t cap;
};
void lease_copy_set(struct lease_copy *c, const struct lease *l);
void lease_copy_done(struct lease_copy *c);
