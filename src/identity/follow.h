/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/follow.h - the bytes of a file that grows, is rotated, cut, or written anew, each once and in order.
 *
 * A file is told from another by device, inode and a digest of its first bytes and of those before the place: inodes come
 * again, and a file that was cut may already be longer than before. One that was renamed away is read until it has been at
 * its end for FOLLOW_GRACE while its successor had something in it: who writes needs a moment to notice.
 * Owns:    one descriptor, at times a second one for a moment.
 * Threads: one; reads files, never blocks on a pipe; knows the clock from its caller.
 * Limits:  a file rotated twice between two calls: the one in between is not seen. FOLLOW_HEADING_MOST bytes of heading are kept in a
 *          place; with more the file is read from its beginning after a restart.
 *
 * Asking again and again versus inotify: a look costs two system calls ten times a second, works on every file system, and needs no
 * second way for the events that inotify loses. */
#pragma once

#include "identity/reader.h"

enum { FOLLOW_HEADING_MOST = 1500 };

#define FOLLOW_GRACE SECOND

struct follow;

enum follow_found {
        FOLLOW_WAIT,  /* nothing new, or no file yet: follow_trouble() says which */
        FOLLOW_BYTES, /* *n more of the same file */
        FOLLOW_NEXT,  /* another file from its beginning: the one before was read to its end */
        FOLLOW_CUT    /* the same name from its beginning: what was read of it is no longer there */
};

struct follow *follow_new(const char *path);
void follow_free(struct follow *f);
void follow_free_(struct follow **f);
#define autofollow CLEANUP(follow_free_) struct follow

enum follow_found follow_read(struct follow *f, int64_t now_monotonic, char *room, size_t most, size_t *n);
const char *follow_folder(const struct follow *f);
/* errno of the last look: 0, ENOENT (it is waited for), EACCES … */
int follow_trouble(const struct follow *f);

/* The place a reader stands at in the file being read, as one line of text. */
void follow_place(struct follow *f, const struct reader_place *p, struct buf *out);
/* Before the first follow_read(): goes on from a place. true: it was found, under its name or renamed in the same folder, and *ret is for the
 * reader (its heading is kept by `f`). false: it was not; the file is read from its beginning. */
bool follow_resume(struct follow *f, struct slice place, struct reader_place *ret);
