/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing an index. */
#include "maillog/index_format.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { HASHES_FIRST = 8192, FILTERED_MOST = INDEX_WORDS_MOST * 64 / INDEX_BITS_EACH };

struct index_writer {
        int fd;
        uint8_t key[INDEX_KEY];
        uint64_t identity, at; /* in the file: where the next record goes */
        uint64_t covered;
        struct index_block block; /* of the lines since the last record; length 0: there were none */
        char tail[INDEX_TAIL];
        size_t tail_n;
        uint64_t *hashes; /* open addressing; 0: free */
        size_t n_hashes, mask;
};

/* --- the file --- */

static int say(struct buf *why, const char *path, int failed)
{
        buf_addf(why, "%s: %s", path, failed == -EWOULDBLOCK ? "another process is writing it" : strerror(-failed));
        return failed;
}

static int write_header(const struct index_writer *x, const char *log)
{
        autofree struct index_header *h = xcalloc(1, sizeof *h);
        size_t n = strlen(log);
        *h = (struct index_header){ .magic = INDEX_MAGIC,
                                    .version = INDEX_VERSION,
                                    .order = INDEX_ORDER,
                                    .identity = x->identity,
                                    .path_n = n < sizeof h->path ? n : 0 };
        memcpy(h->path, log, h->path_n);
        h->sum = index_header_sum(x->key, h);
        ssize_t put = pwrite(x->fd, h, sizeof *h, 0);
        return put == (ssize_t)sizeof *h ? 0 : put == -1 ? -errno : -ENOSPC;
}

/* Where the last whole record ends; -EBADMSG: the file is no index of ours. */
static int find_end(struct index_writer *x, const char *state)
{
        autoindexview *v = NULL;
        autobuf why;
        buf_init(&why, 256);
        int failed = index_view(state, x->key, x->identity, &v, &why);
        if (failed)
                return failed;
        size_t n = index_view_count(v);
        struct index_block last = n ? index_view_block(v, n - 1) : (struct index_block){ 0 };
        x->covered = last.offset + last.length;
        x->at = index_view_end(v);
        return 0;
}

static int open_file(struct index_writer *x, const char *path)
{
        x->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
        if (x->fd == -1)
                return -errno;
        return flock(x->fd, LOCK_EX | LOCK_NB) == -1 ? -errno : 0;
}

static int begin(const char *state, const char *log, const char head[INDEX_HEAD], bool anew, struct index_writer *x,
                 struct buf *why)
{
        autofree char *folder = xasprintf("%s/maillog/index", state);
        int failed = index_key(state, true, x->key);
        if (!failed)
                failed = folder_make(folder, 0750);
        if (failed)
                return say(why, folder, failed);
        x->identity = index_identity(x->key, head);
        autofree char *path = index_path(state, x->identity);
        failed = open_file(x, path);
        if (!failed && !anew && find_end(x, state) == 0)
                return 0;
        if (!failed) { /* who has the old one mapped may go on with it */
                unlink(path);
                autoclose_(&x->fd);
                failed = open_file(x, path);
        }
        x->at = sizeof(struct index_header);
        if (!failed)
                failed = write_header(x, log);
        return failed ? say(why, path, failed) : 0;
}

static int make(const char *state, const char *log, const char head[INDEX_HEAD], bool anew, struct index_writer **ret,
                struct buf *why)
{
        autoindex *x = xcalloc(1, sizeof *x);
        x->fd = -1;
        x->mask = HASHES_FIRST - 1;
        x->hashes = xcalloc(HASHES_FIRST, sizeof *x->hashes);
        int failed = begin(state, log, head, anew, x, why);
        if (!failed)
                *ret = take(x);
        return failed;
}

int index_open(const char *state, const char *log, const char head[INDEX_HEAD], struct index_writer **ret,
               struct buf *why)
{
        return make(state, log, head, false, ret, why);
}

int index_open_new(const char *state, const char *log, const char head[INDEX_HEAD], struct index_writer **ret,
                   struct buf *why)
{
        return make(state, log, head, true, ret, why);
}

void index_close_(struct index_writer **x)
{
        struct index_writer *gone = *x;
        if (!gone)
                return;
        autoclose_(&gone->fd);
        free(gone->hashes);
        free(gone);
}

uint64_t index_covered(const struct index_writer *x)
{
        return x->covered;
}

/* --- a block --- */

static bool put(uint64_t *hashes, size_t mask, uint64_t hash)
{
        size_t i = hash & mask;
        while (hashes[i] && hashes[i] != hash)
                i = (i + 1) & mask;
        bool fresh = !hashes[i];
        hashes[i] = hash;
        return fresh;
}

static void grow(struct index_writer *x)
{
        size_t mask = x->mask * 2 + 1;
        uint64_t *wider = xcalloc(mask + 1, sizeof *wider);
        for (size_t i = 0; i <= x->mask; i++)
                if (x->hashes[i])
                        put(wider, mask, x->hashes[i]);
        free(x->hashes);
        x->hashes = wider;
        x->mask = mask;
}

static void add_hash(struct index_writer *x, uint64_t hash)
{
        x->n_hashes += put(x->hashes, x->mask, hash);
        if (x->n_hashes * 2 > x->mask)
                grow(x);
}

static void keep_tail(struct index_writer *x, struct slice line)
{
        if (line.n >= INDEX_TAIL) {
                memcpy(x->tail, line.p + line.n - INDEX_TAIL, INDEX_TAIL);
                x->tail_n = INDEX_TAIL;
                return;
        }
        size_t keep = x->tail_n + line.n > INDEX_TAIL ? INDEX_TAIL - line.n : x->tail_n;
        memmove(x->tail, x->tail + x->tail_n - keep, keep);
        memcpy(x->tail + keep, line.p, line.n);
        x->tail_n = keep + line.n;
}

static void forget_block(struct index_writer *x)
{
        memset(x->hashes, 0, (x->mask + 1) * sizeof *x->hashes);
        x->n_hashes = 0;
        x->tail_n = 0;
        x->block = (struct index_block){ 0 };
}

int index_end(struct index_writer *x)
{
        if (!x->block.length)
                return 0;
        uint64_t words = ((uint64_t)x->n_hashes * INDEX_BITS_EACH + 63) / 64;
        words = words ? words : 1;
        size_t n = sizeof(struct index_record) + words * 8;
        autofree struct index_record *r = xcalloc(1, n);
        *r = (struct index_record){ .identity = x->identity, .block = x->block, .words = words };
        for (size_t i = 0; i <= x->mask; i++)
                if (x->hashes[i])
                        index_filter_put((uint64_t *)(r + 1), words, x->hashes[i]);
        r->block.tail = index_tail(x->key, (struct slice){ x->tail, x->tail_n });
        r->sum = index_record_sum(x->key, r);
        forget_block(x);
        ssize_t put_n = pwrite(x->fd, r, n, (off_t)x->at);
        if (put_n != (ssize_t)n)
                return put_n == -1 ? -errno : -ENOSPC;
        x->at += n;
        x->covered = r->block.offset + r->block.length;
        return 0;
}

int index_add(struct index_writer *x, uint64_t offset, struct slice line, const struct mail_event *e, int64_t at)
{
        struct wanted fields[WANTED_FIELDS];
        struct index_block *b = &x->block;
        if (offset < x->covered || !line.n)
                return 0;
        bool gap = offset != b->offset + b->length,
             full = b->length + line.n > INDEX_BLOCK || x->n_hashes + WANTED_FIELDS > FILTERED_MOST;
        int failed = b->length && (gap || full) ? index_end(x) : 0;
        if (!b->length)
                b->offset = offset;
        b->length += line.n;
        keep_tail(x, line);
        size_t n = e ? wanted_fields(e, fields) : 0;
        for (size_t i = 0; i < n; i++)
                add_hash(x, wanted_hash(x->key, &fields[i]));
        if (e) {
                b->first = b->first && b->first < at ? b->first : at;
                b->last = b->last > at ? b->last : at;
        }
        return failed;
}
