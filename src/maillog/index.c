/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading an index, and what both sides share. */
#include "maillog/index_format.h"

#include "base/file.h"
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

/* --- the key and the names --- */

static int read_key(const char *path, uint8_t key[INDEX_KEY])
{
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd == -1)
                return -errno;
        return read(fd, key, INDEX_KEY) == INDEX_KEY ? 0 : -EUCLEAN;
}

/* Whole before it has its name: of two who make it, one does. */
static int make_key(const char *path)
{
        uint8_t key[INDEX_KEY];
        autofree char *fresh = xasprintf("%s.%d", path, (int)getpid());
        if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
                panic("no random numbers");
        autoclose int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd == -1)
                return -errno;
        bool made = write(fd, key, sizeof key) == (ssize_t)sizeof key && fsync(fd) == 0 && link(fresh, path) == 0;
        int failed = made || errno == EEXIST ? 0 : -errno;
        unlink(fresh);
        return failed;
}

int index_key(const char *state, bool make, uint8_t ret[INDEX_KEY])
{
        autofree char *folder = xasprintf("%s/maillog", state), *path = xasprintf("%s/maillog/index.key", state);
        int failed = read_key(path, ret);
        if (failed != -ENOENT || !make)
                return failed;
        failed = folder_make(state, 0750); /* run/state.h gives it to whom it is for */
        if (!failed)
                failed = folder_make(folder, 0750);
        if (!failed)
                failed = make_key(path);
        return failed ? failed : read_key(path, ret);
}

uint64_t index_identity(const uint8_t key[INDEX_KEY], const char head[INDEX_HEAD])
{
        return hash_with_key(key, (struct slice){ head, INDEX_HEAD });
}

char *index_path(const char *state, uint64_t identity)
{
        return xasprintf("%s/maillog/index/%016llx.index", state, (unsigned long long)identity);
}

/* --- the format --- */

uint64_t index_header_sum(const uint8_t key[INDEX_KEY], const struct index_header *h)
{
        size_t from = offsetof(struct index_header, identity);
        return hash_with_key(key, (struct slice){ (const char *)h + from, sizeof *h - from });
}

uint64_t index_record_sum(const uint8_t key[INDEX_KEY], const struct index_record *r)
{
        size_t from = offsetof(struct index_record, identity);
        return hash_with_key(key, (struct slice){ (const char *)r + from, sizeof *r - from + r->words * 8 });
}

uint64_t index_tail(const uint8_t key[INDEX_KEY], struct slice end)
{
        return hash_with_key(key, end.n > INDEX_TAIL ? slice_from(end, end.n - INDEX_TAIL) : end);
}

/* Two halves of one hash make all probes (Kirsch and Mitzenmacher 2006). */
static uint64_t probe(uint64_t words, uint64_t hash, uint32_t i)
{
        uint32_t mixed = (uint32_t)hash + i * ((uint32_t)(hash >> 32) | 1);
        return (uint64_t)mixed * (words * 64) >> 32;
}

void index_filter_put(uint64_t *filter, uint64_t words, uint64_t hash)
{
        for (uint32_t i = 0; i < INDEX_PROBES; i++) {
                uint64_t bit = probe(words, hash, i);
                filter[bit / 64] |= UINT64_C(1) << bit % 64;
        }
}

bool index_filter_has(const uint64_t *filter, uint64_t words, uint64_t hash)
{
        for (uint32_t i = 0; i < INDEX_PROBES; i++) {
                uint64_t bit = probe(words, hash, i);
                if (!(filter[bit / 64] >> bit % 64 & 1))
                        return false;
        }
        return true;
}

size_t index_record_parse(const uint8_t key[INDEX_KEY], uint64_t identity, uint64_t after, struct slice in)
{
        const struct index_record *r = (const void *)in.p;
        if (in.n < sizeof *r || r->words == 0 || r->words > INDEX_WORDS_MOST || in.n - sizeof *r < r->words * 8 ||
            r->identity != identity || r->block.length == 0 || r->block.length > INDEX_LENGTH_MOST ||
            r->block.offset < after || r->block.offset > INT64_MAX - INDEX_LENGTH_MOST ||
            r->sum != index_record_sum(key, r))
                return 0;
        return sizeof *r + r->words * 8;
}

/* --- a file that is read --- */

struct index_view {
        uint8_t key[INDEX_KEY];
        const char *p;
        size_t n;
        bool mapped;
        struct slice log;
        const struct index_record **records;
        size_t n_records, cap;
        uint64_t end;
};

static int check(struct index_view *v, struct buf *why)
{
        const struct index_header *h = (const void *)v->p;
        if (v->n < sizeof *h || memcmp(h->magic, INDEX_MAGIC, sizeof h->magic) != 0) {
                buf_adds(why, "this is no index");
                return -EBADMSG;
        }
        if (h->version != INDEX_VERSION || h->order != INDEX_ORDER || h->path_n > sizeof h->path ||
            h->sum != index_header_sum(v->key, h)) {
                buf_adds(why, "an index under another key, of another machine or another version of Porteiro");
                return -EBADMSG;
        }
        v->log = (struct slice){ h->path, h->path_n };
        uint64_t after = 0;
        v->end = sizeof *h;
        for (size_t at = sizeof *h, n;
             (n = index_record_parse(v->key, h->identity, after, (struct slice){ v->p + at, v->n - at })); at += n) {
                const struct index_record *r = (const void *)(v->p + at);
                v->records = xgrow(v->records, &v->cap, v->n_records + 1, sizeof(struct index_record *));
                v->records[v->n_records++] = r;
                after = r->block.offset + r->block.length;
                v->end = at + n;
        }
        return 0;
}

int index_view_of(const uint8_t key[INDEX_KEY], struct slice bytes, struct index_view **ret, struct buf *why)
{
        autoindexview *v = xcalloc(1, sizeof *v);
        memcpy(v->key, key, INDEX_KEY);
        v->p = bytes.p;
        v->n = bytes.n;
        int failed = check(v, why);
        if (!failed)
                *ret = take(v);
        return failed;
}

int index_view(const char *state, const uint8_t key[INDEX_KEY], uint64_t identity, struct index_view **ret,
               struct buf *why)
{
        autofree char *path = index_path(state, identity);
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        struct stat st;
        autobuf reason;
        buf_init(&reason, 256);
        if (fd == -1 || fstat(fd, &st) == -1)
                return -errno;
        autoindexview *v = xcalloc(1, sizeof *v);
        memcpy(v->key, key, INDEX_KEY);
        if (S_ISREG(st.st_mode) && st.st_size > 0) { /* a writer never makes it shorter */
                void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
                if (p == MAP_FAILED)
                        return -errno;
                v->p = p;
                v->n = (size_t)st.st_size;
                v->mapped = true;
        }
        int failed = check(v, &reason);
        if (!failed && ((const struct index_header *)(const void *)v->p)->identity != identity) {
                buf_adds(&reason, "an index of another log");
                failed = -EBADMSG;
        }
        if (failed)
                buf_addf(why, "%s: %s", path, buf_cstr(&reason));
        else
                *ret = take(v);
        return failed;
}

void index_view_free_(struct index_view **v)
{
        struct index_view *gone = *v;
        if (!gone)
                return;
        if (gone->mapped)
                munmap((void *)(uintptr_t)gone->p, gone->n);
        free(gone->records);
        free(gone);
}

struct slice index_view_log(const struct index_view *v)
{
        return v->log;
}

size_t index_view_count(const struct index_view *v)
{
        return v->n_records;
}

uint64_t index_view_end(const struct index_view *v)
{
        return v->end;
}

struct index_block index_view_block(const struct index_view *v, size_t i)
{
        return v->records[i]->block;
}

bool index_view_can_have(const struct index_view *v, size_t i, const uint64_t *hashes, size_t n)
{
        const struct index_record *r = v->records[i];
        const uint64_t *filter = (const uint64_t *)(r + 1);
        for (size_t k = 0; k < n; k++)
                if (index_filter_has(filter, r->words, hashes[k]))
                        return true;
        return false;
}

bool index_view_ends_so(const struct index_view *v, size_t i, struct slice end)
{
        return v->records[i]->block.tail == index_tail(v->key, end);
}
