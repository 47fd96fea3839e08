/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/tail.h - the bytes of a file that grows, is rotated, cut, or written anew, each once and in order.
 *
 * A file is told from another by device, inode, a digest of its first bytes and one of those before the place: inodes come
 * again, a file that was cut may already be longer than before, and a packed copy has an inode of its own. One that was renamed
 * away is read until it has been at its end for `grace` while its successor had something in it: who writes needs a moment to notice.
 *
 * Of a log (`log` is set) the files it was rotated to are read too (base/rotated.h), unpacked where that is needed: what is behind the
 * place in the file it is of, then the younger ones, then the log. So nothing is missed however often it was rotated. A log that was
 * cut is looked for in a copy of it, for copytruncate makes one; what is written between its copy and its cut
 * is in neither, and no reader can find it. A hole at the beginning of what was cut (the writer does not append, but
 * goes on at its old offset) is passed over.
 * Where the file of a place is gone altogether, those written after the place was taken are read from their beginning.
 * Owns:    one descriptor, at times a few more for a moment; what unpacks.
 * Threads: one; reads files, never blocks on a pipe; knows the clock from its caller.
 * Limits:  TAIL_HEAD and TAIL_BEFORE bytes tell a file. Without `log`: one that is rotated twice between two calls is not seen in between. A packed
 *          file is unpacked anew up to the place. Where the folder cannot be listed, only the path itself is known.
 *
 * Asking again and again versus inotify: a look costs a few system calls, works on every file system, and needs no
 * second way for the events that inotify loses. Who wants to sleep longer watches besides, and calls this. */
#pragma once

#include "base/buf.h"

#include <sys/types.h>

enum { TAIL_HEAD = 1024, TAIL_BEFORE = 256, TAIL_DIGEST = 16, TAIL_PLACE_MOST = 256 };

/* Where somebody stands, to be kept and found again. */
struct tail_place {
        uint64_t device, inode, offset; /* of what was packed: as unpacked */
        int64_t written;                /* µs: the last write known of then */
        uint64_t head_n, before_n;      /* how many bytes the digests are of */
        char head[TAIL_DIGEST + 1], before[TAIL_DIGEST + 1];
};

struct tail_unpacker {
        /* *ret is left alone where the file is not packed; the descriptor stays the caller's. 0, or -errno. */
        int (*begin)(int fd, void **ret);
        ssize_t (*bytes)(void *u, char *room, size_t most); /* 0: the end; -errno */
        const char *(*trouble)(void *u);                    /* what was wrong with it, or NULL */
        void (*end)(void *u);
};

struct tail_options {
        const char *path;
        int64_t grace; /* µs */
        bool log;
        const struct tail_unpacker *unpacker; /* NULL: packed files are not known */
};

struct tail;

enum tail_found {
        TAIL_WAIT,  /* nothing new, or no file yet: tail_trouble() says which */
        TAIL_BYTES, /* *n more of the same file, or of a copy of it */
        TAIL_NEXT,  /* another file from its beginning: the one before was read to its end */
        TAIL_CUT    /* from the beginning: what was read is no longer there */
};

struct tail *tail_new(const struct tail_options *o);
void tail_free(struct tail *t);
void tail_free_(struct tail **t);
#define autotail CLEANUP(tail_free_) struct tail

enum tail_found tail_read(struct tail *t, int64_t now_monotonic, char *room, size_t most, size_t *n);
const char *tail_folder(const struct tail *t);
/* errno of the last look: 0, ENOENT (it is waited for), EACCES … */
int tail_trouble(const struct tail *t);
const char *tail_damage(struct tail *t); /* of packed data, told once; NULL */
uint64_t tail_offset(const struct tail *t);
void tail_identity(const struct tail *t, uint64_t *device, uint64_t *inode); /* of the file being read */
/* When something is due without anybody writing: 0: nothing. */
int64_t tail_due(const struct tail *t);
/* Bytes not read yet, of all files that come; packed ones as they lie on disk. */
uint64_t tail_behind(struct tail *t);

/* The place in the file being read, at an offset that was read already; `before`: the bytes in front of it, as many as are at hand. */
void tail_place(const struct tail *t, uint64_t offset, struct slice before, struct tail_place *ret);
/* Before the first tail_read(), or again after a failure: goes on from a place. 1: it was found. 0: it was not; a log goes on with what was written
 * later, other files from their beginning. -errno: something that may be it cannot be looked at. */
int tail_resume(struct tail *t, const struct tail_place *p);
/* The bytes in front of an offset, for tail_place(), where they can still be had: how many. */
size_t tail_before(const struct tail *t, uint64_t offset, char room[TAIL_BEFORE]);

/* As one line of text without its end. */
void tail_place_print(const struct tail_place *p, struct buf *out);
/* *rest gets what follows. False: this is no place. */
bool tail_place_parse(struct slice text, struct tail_place *ret, struct slice *rest);
