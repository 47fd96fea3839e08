/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/file.h - whole files and folders: read, made, made sure of.
 *
 * Owns:    nothing; read bytes belong to the caller.
 * Threads: any.
 * Limits:  the caller names the most bytes it will take. */
#pragma once

#include "base/buf.h"

/* Reads all of it into *out (init'ed by the caller; its max bounds the file: -EFBIG past it). "-" is standard input. */
int file_read(const char *path, struct buf *out);
/* Makes the folder with exactly this mode where it is missing; its parent must exist. 0 where it stands already. */
int folder_make(const char *path, unsigned mode);
/* Writes what the folder lists to disk. */
int folder_sync(const char *path);
/* Makes an empty file with exactly this mode where it is missing: 1 where it was made, 0 where it stood already. */
int file_make(const char *path, unsigned mode);
/* Puts `text` there whole: a new file beside it, flushed, renamed, the folder flushed. After a crash the old or the new one is there. */
int file_replace(const char *path, unsigned mode, struct slice text);
/* Takes the lock of a file for as long as the descriptor is open. -EWOULDBLOCK: held by another, *holder gets its pid (0: unknown). */
int file_lock(const char *path, unsigned mode, int *ret_fd, long *holder);
