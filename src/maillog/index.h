/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/index.h - which blocks of a log file can have what is searched for.
 *
 * An index is a file beside the log, to which is only ever added. For each block of about a megabyte, cut at a line end, it has a record:
 * where the block lies in the unpacked bytes, when its lines were written, and a Bloom filter of all that wanted.h finds in them. Of what is
 * not there, one block in a thousand says that it might be. Names and addresses do not stand there: what goes into the filter is hashed under
 * a key of this installation (STATE/maillog/index.key), and so are the sums that each record must have right.
 *
 *     STATE/maillog/index/HASH.index      header, path of the log | record, filter | record, filter | …
 *
 * HASH is that of the log's first INDEX_HEAD bytes, unpacked: it stays the same when the log is renamed or packed. A log that is shorter has
 * no index; it is read faster than one is opened. What lies in no record (a gap, or what came later) must be read.
 *
 * Whoever follows a log calls, for each line of it:
 *
 *     index_open(state, path, head, &x, why);                         head: the log's first INDEX_HEAD bytes
 *     index_add(x, offset, line, event, at);                          event NULL: a line of another program
 *     index_end(x);  index_close_(&x);                                when it stops, or the log is rotated
 *
 * Owns:    the file it writes, locked; what it reads is mapped.
 * Threads: one at a time. One process may write while others read: a record counts when its sum is right.
 * Limits:  numbers are those of the machine; a file of another is refused. A torn last record is not there, and written over by the next. */
#pragma once

#include "base/buf.h"
#include "maillog/wanted.h"

enum { INDEX_HEAD = 1024, INDEX_BLOCK = 1 << 20, INDEX_KEY = 16, INDEX_PATH_MOST = 4096, INDEX_TAIL = 64 };

/* The key; made where it is missing and `make` is set. 0 or -errno. */
int index_key(const char *state, bool make, uint8_t ret[INDEX_KEY]);
/* What names the index of a log that begins so. */
uint64_t index_identity(const uint8_t key[INDEX_KEY], const char head[INDEX_HEAD]);
char *index_path(const char *state, uint64_t identity); /* the caller frees */

/* --- writing --- */

struct index_writer;
/* Opens the index to go on with it, or makes it. -EWOULDBLOCK: another process writes it. */
int index_open(const char *state, const char *log, const char head[INDEX_HEAD], struct index_writer **ret,
               struct buf *why);
/* Begins anew where the log is not what the index is of. */
int index_open_new(const char *state, const char *log, const char head[INDEX_HEAD], struct index_writer **ret,
                   struct buf *why);
void index_close_(struct index_writer **x); /* a block that was not ended is left out */
#define autoindex __attribute__((cleanup(index_close_))) struct index_writer
/* Bytes of the log that have a record: nothing below is taken. */
uint64_t index_covered(const struct index_writer *x);
/* `line`, with its line end, lies at `offset`, which never goes back; a line that is left out makes a gap. Writes a record now and then: 0 or
 * -errno, and then nothing is lost but that block. */
int index_add(struct index_writer *x, uint64_t offset, struct slice line, const struct mail_event *e, int64_t at);
/* Writes the record of what came since the last. */
int index_end(struct index_writer *x);

/* --- reading --- */

struct index_block {
        uint64_t offset, length;
        int64_t first, last; /* of its lines; 0: it has none with a time */
        uint64_t tail;       /* a hash of its last INDEX_TAIL bytes */
};

struct index_view;
/* -ENOENT: there is none. -EBADMSG: it is no index, or under another key. */
int index_view(const char *state, const uint8_t key[INDEX_KEY], uint64_t identity, struct index_view **ret,
               struct buf *why);
/* The same for bytes in memory, which must stay. */
int index_view_of(const uint8_t key[INDEX_KEY], struct slice bytes, struct index_view **ret, struct buf *why);
void index_view_free_(struct index_view **v);
#define autoindexview __attribute__((cleanup(index_view_free_))) struct index_view
struct slice index_view_log(const struct index_view *v); /* the path as it was when the index was made */
size_t index_view_count(const struct index_view *v);
uint64_t index_view_end(const struct index_view *v); /* in its file: behind the last whole record */
struct index_block index_view_block(const struct index_view *v, size_t i);
/* Whether a block can have one of these (wanted_hash() under the same key). */
bool index_view_can_have(const struct index_view *v, size_t i, const uint64_t *hashes, size_t n);
/* Whether what was read is the end of that block: it is the log the index is of. At least INDEX_TAIL bytes, or all of a shorter block. */
bool index_view_ends_so(const struct index_view *v, size_t i, struct slice end);
