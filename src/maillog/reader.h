/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/reader.h - a log file, packed or not, as pieces of whole lines.
 *
 * A plain file is read into one buffer that stays in the cache: faster than mapping it, and a file that is cut while it is read
 * does no harm. gzip (several members, too), xz and zstd are known by how they begin, not by their names; so is, packed or not, an
 * export of systemd's journal, which comes as the lines that journal.h makes of it.
 * Owns:    descriptor and buffers; a piece lives until the next call.
 * Threads: one reader, one thread.
 * Limits:  a line of 1 MB, a journal's entry of 1 MB; one that is longer is left out and counted. xz gets 256 MB of memory at the most. */
#pragma once

#include "base/slice.h"

#include <sys/types.h>

enum { MAILLOG_LINE_MOST = 1 << 20 };

struct maillog_reader;
/* "-" is standard input. 0, or -errno. */
int maillog_reader_open(const char *path, struct maillog_reader **ret);
int maillog_reader_take(int fd, struct maillog_reader **ret); /* closes it, at once where it fails */
bool maillog_reader_packed(const struct maillog_reader *r);
/* Instead of maillog_reader_next(): its bytes as they come, unpacked. 0: the end; -errno. */
ssize_t maillog_reader_bytes(struct maillog_reader *r, char *room, size_t most);
void maillog_reader_free_(struct maillog_reader **r);
#define automaillogreader __attribute__((cleanup(maillog_reader_free_))) struct maillog_reader
/* 1: *piece ends in a line end, but for the last of a file, which may be half a line. 0: the end. -errno: it cannot be read on. */
int maillog_reader_next(struct maillog_reader *r, struct slice *piece);
/* Gives the memory that the last piece lies in, and takes other memory for it (NULL and 0 at first): so nobody has to copy a piece that he keeps. */
void maillog_reader_swap(struct maillog_reader *r, char **memory, size_t *cap);
int64_t maillog_reader_written(const struct maillog_reader *r); /* µs: when the file was last written; 0: no file */
uint64_t maillog_reader_size(const struct maillog_reader *r);   /* as it lies on disk; 0: no file */
uint64_t maillog_reader_done(const struct maillog_reader *r);   /* of it */
uint64_t maillog_reader_too_long(const struct maillog_reader *r);
/* What is wrong with packed data or an export that ended too soon, or NULL: what stood before it was given. */
const char *maillog_reader_trouble(const struct maillog_reader *r);

/* For who knows where in a file he wants to read. Offsets are those of the unpacked bytes. */
bool maillog_reader_same(const struct maillog_reader *a, const struct maillog_reader *b); /* two names of one file */
/* Where the last piece began. */
uint64_t maillog_reader_offset(const struct maillog_reader *r);
/* The next piece begins there, or at the end where that is sooner. Packed data is unpacked up to there, going back from its start.
 * -ESPIPE: going back in what is no file. */
int maillog_reader_seek(struct maillog_reader *r, uint64_t to);
/* Copies up to n of the bytes that come next, without taking them; n is at most MAILLOG_LINE_MOST. How many, or -errno. */
ssize_t maillog_reader_peek(struct maillog_reader *r, char *out, size_t n);
