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

enum { MAILLOG_LINE_MOST = 1 << 20 };

struct maillog_reader;
/* "-" is standard input. 0, or -errno. */
int maillog_reader_open(const char *path, struct maillog_reader **ret);
void maillog_reader_free_(struct maillog_reader **r);
#define automaillogreader __attribute__((cleanup(maillog_reader_free_))) struct maillog_reader
/* 1: *piece ends in a line end, but for the last of a file, which may be half a line. 0: the end. -errno: it cannot be read on. */
int maillog_reader_next(struct maillog_reader *r, struct slice *piece);
int64_t maillog_reader_written(const struct maillog_reader *r); /* µs: when the file was last written; 0: no file */
uint64_t maillog_reader_size(const struct maillog_reader *r);   /* as it lies on disk; 0: no file */
uint64_t maillog_reader_done(const struct maillog_reader *r);   /* of it */
uint64_t maillog_reader_too_long(const struct maillog_reader *r);
/* What is wrong with packed data or an export that ended too soon, or NULL: what stood before it was given. */
const char *maillog_reader_trouble(const struct maillog_reader *r);
