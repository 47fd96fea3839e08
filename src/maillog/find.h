/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/find.h - the stories of what is wanted, out of files of mail logs.
 *
 * Files are read several times, and each time few lines of them are parsed:
 *
 *     hits      lines in which something wanted stands, looked for as bytes, then asked field by field → queue ids
 *     lives     all lines of those ids → stories, and their message-ids
 *     kin       the same, with the ids of all that has one of these message-ids: what a filter gave back, or what it was before
 *
 * Where a log has an index (index.h), only the blocks that can have the keys of this reading are read, and what lies in no block.
 * Owns:    the open files, until find_free(): a log that is rotated meanwhile is still itself.
 * Threads: one at a time.
 * Limits:  FIND_IDS_MOST queue ids, those that matched last; find_more() says that there were others. */
#pragma once

#include "base/buf.h"
#include "maillog/story.h"

enum { FIND_IDS_MOST = 1 << 14 };

struct find_wish {
        struct story_wish story;
        const char *state; /* where the indexes are; NULL: none is used */
        struct syslog_zone zone;
        void (*progress)(void *arg, const char *path, double part); /* NULL: nobody wants to know */
        void *arg;
};

struct find;
struct find *find_new(const struct find_wish *wish);
void find_free_(struct find **f);
#define autofind __attribute__((cleanup(find_free_))) struct find

/* 0 or -errno; a file that is here already is not added. */
int find_add(struct find *f, const char *path);
/* All logs that have an index and are still there, under the name they had, or as NAME.1, NAME.2.gz, NAME-20261128 …; and what has that
 * name now. How many, or -errno: the indexes cannot be read. */
int find_add_indexed(struct find *f);

/* 0 or -errno; what could not be read is in find_troubles(). Returns the stories, with the end reached. */
struct stories *find_run(struct find *f);
/* A line each, without line end at the last; empty: none. */
struct slice find_troubles(const struct find *f);
bool find_incomplete(const struct find *f); /* a file was not read to its end: what is not found may be there */
bool find_more(const struct find *f);
uint64_t find_bytes(const struct find *f); /* read in all, unpacked */
