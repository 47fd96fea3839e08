/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing a segment: records and texts stream out side by side, what is kept in memory is 8 bytes a lease for the postings and the names.
 * The header is written last, so that a file which was not finished is none.
 *
 * Postings are sorted in slices: by their top bits in place (each bucket's size is known by then), then each bucket by itself. */
#include "ledger/segment_format.h"

#include "base/map.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { CHUNK = 256 << 10, BUCKETS = 4096, NAMES_MOST = UINT16_MAX, NAMES_BYTES_MOST = 16 << 20, FLUSH_EVERY = 8 << 20 };

/* One part of the file, written from its beginning to its end. */
struct out {
        struct segment_extent extent;
        struct segment_sum sum;
        uint64_t flushing; /* bytes that the system was asked to write out already */
        size_t n;
        char *chunk;
};

enum stage { STAGE_ADDING, STAGE_FLUSH, STAGE_PERMUTE, STAGE_SORT, STAGE_POSTINGS, STAGE_END, STAGE_DONE };

struct segment_writer {
        char *path;
        int fd, failed;
        uint64_t most, n;
        struct segment_header header;
        struct segment_info info;
        struct out outs[SECTION_COUNT];
        struct map names;
        struct slice *name_texts;
        size_t name_texts_cap, names_bytes;
        struct slice last[6]; /* the names of the record before, and their numbers: mostly the same again */
        uint16_t last_number[6];
        uint64_t *postings, *latest; /* a posting each record; the latest end of each block */
        size_t postings_cap, latest_cap;
        uint64_t heads[BUCKETS], bounds[BUCKETS + 1]; /* heads: counted while adding, then where each bucket stands */
        int64_t *ends;                                /* of the present prefix, from record `open_from` on */
        size_t ends_cap;
        uint64_t group_from, open_from;
        struct prefix group;
        enum stage stage;
        uint64_t at; /* within the stage */
};

static unsigned bucket_of(uint64_t posting)
{
        return (unsigned)(posting >> 52);
}
_Static_assert(BUCKETS == 1 << 12, "the top 12 bits");

/* --- the file --- */

static void out_begin(struct out *o, uint64_t at)
{
        o->extent.at = at;
        o->chunk = o->chunk ? o->chunk : xmalloc(CHUNK);
        segment_sum_init(&o->sum);
}

static int write_at(int fd, const char *p, size_t n, uint64_t at)
{
        while (n) {
                ssize_t some = pwrite(fd, p, n, (off_t)at);
                if (some == -1 && errno != EINTR)
                        return -errno;
                if (some > 0) {
                        p += some;
                        n -= (size_t)some;
                        at += (uint64_t)some;
                }
        }
        return 0;
}

static void out_flush(struct segment_writer *w, struct out *o)
{
        if (o->n && !w->failed)
                w->failed = write_at(w->fd, o->chunk, o->n, o->extent.at + o->extent.bytes);
        o->extent.bytes += o->n;
        o->n = 0;
        /* The system begins to write early, so that the flush at the end has little to wait for. */
        if (o->extent.bytes - o->flushing < FLUSH_EVERY)
                return;
        sync_file_range(w->fd, (off_t)(o->extent.at + o->flushing), (off_t)(o->extent.bytes - o->flushing),
                        SYNC_FILE_RANGE_WRITE);
        o->flushing = o->extent.bytes;
}

static void out_add(struct segment_writer *w, struct out *o, const void *data, size_t n)
{
        const char *p = data;
        if (n == 0)
                return;
        segment_sum_add(&o->sum, p, n);
        while (n) {
                size_t some = CHUNK - o->n < n ? CHUNK - o->n : n;
                memcpy(o->chunk + o->n, p, some);
                o->n += some;
                p += some;
                n -= some;
                if (o->n == CHUNK)
                        out_flush(w, o);
        }
}

static uint64_t out_end(struct segment_writer *w, struct out *o)
{
        out_flush(w, o);
        o->extent.sum = segment_sum_end(&o->sum);
        return o->extent.at + o->extent.bytes;
}

/* The owner of the folder, where we may give it away. */
static int give_to_folder(int fd, const char *path)
{
        const char *slash = strrchr(path, '/');
        autofree char *folder = slash ? slice_dup((struct slice){ path, (size_t)(slash - path) }) : xstrdup(".");
        struct stat st;
        if (geteuid() != 0)
                return 0;
        if (stat(folder, &st) == -1 || fchown(fd, st.st_uid, st.st_gid) == -1)
                return -errno;
        return 0;
}

static int make_file(struct segment_writer *w)
{
        w->fd = open(w->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (w->fd == -1)
                return -errno;
        if (flock(w->fd, LOCK_EX | LOCK_NB) == -1 || fchmod(w->fd, 0640) == -1)
                return -errno;
        return give_to_folder(w->fd, w->path);
}

static uint64_t blocks_of(uint64_t leases)
{
        return (leases + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK;
}

int segment_writer_new(const char *path, int64_t month, uint64_t most, struct segment_writer **ret, struct buf *why)
{
        struct segment_writer *w = xcalloc(1, sizeof *w);
        most = most < SEGMENT_LEASES_MOST ? most : SEGMENT_LEASES_MOST;
        w->path = xstrdup(path);
        w->most = most;
        w->header = (struct segment_header){ .magic = SEGMENT_MAGIC,
                                             .version = SEGMENT_VERSION,
                                             .order = SEGMENT_ORDER,
                                             .month = month,
                                             .first = TIME_NEVER,
                                             .last = INT64_MIN };
        int status = make_file(w);
        if (status == 0 && getrandom(w->header.key, sizeof w->header.key, 0) != sizeof w->header.key)
                status = -errno;
        if (status < 0) {
                buf_clear(why);
                buf_addf(why, "%s: %s", path, strerror(-status));
                segment_writer_free(w, status == -EEXIST);
                return status;
        }
        out_begin(&w->outs[SECTION_RECORDS], SEGMENT_HEADER);
        out_begin(&w->outs[SECTION_TEXTS],
                  SEGMENT_HEADER + most * (sizeof(struct segment_record) + 8) + blocks_of(most) * 8);
        *ret = w;
        return 0;
}

void segment_writer_free(struct segment_writer *w, bool keep)
{
        if (!w)
                return;
        if (!keep && w->fd != -1)
                unlink(w->path);
        autoclose_(&w->fd);
        for (size_t i = 0; i < SECTION_COUNT; i++)
                free(w->outs[i].chunk);
        for (size_t i = 0; i < w->names.n; i++)
                free((char *)w->name_texts[i].p);
        map_done(&w->names);
        free(w->name_texts);
        free(w->postings);
        free(w->latest);
        free(w->ends);
        free(w->path);
        free(w);
}

const struct segment_info *segment_writer_info(const struct segment_writer *w)
{
        return &w->info;
}

const char *segment_writer_path(const struct segment_writer *w)
{
        return w->path;
}

/* --- one lease --- */

/* False: no more fit. */
static bool name_number(struct segment_writer *w, size_t which, struct slice name, uint16_t *ret)
{
        if (w->last[which].p && slice_eq(name, w->last[which])) {
                *ret = w->last_number[which];
                return true;
        }
        uintptr_t found = (uintptr_t)map_find(&w->names, name);
        if (!found) {
                if (w->names.n >= NAMES_MOST || w->names_bytes + name.n + 2 > NAMES_BYTES_MOST || name.n > UINT16_MAX)
                        return false;
                w->name_texts = xgrow(w->name_texts, &w->name_texts_cap, w->names.n + 1, sizeof *w->name_texts);
                struct slice own = { slice_dup(name), name.n };
                w->name_texts[w->names.n] = own;
                w->names_bytes += name.n + 2;
                found = w->names.n + 1;
                map_put(&w->names, own, (void *)found);
        }
        w->last[which] = w->name_texts[found - 1];
        *ret = w->last_number[which] = (uint16_t)(found - 1);
        return true;
}

static size_t put_number(uint8_t *out, uint64_t v)
{
        size_t n = 0;
        for (; v >= 0x80; v >>= 7)
                out[n++] = (uint8_t)(v | 0x80);
        out[n++] = (uint8_t)v;
        return n;
}

static void add_text(struct segment_writer *w, const struct lease *l)
{
        struct out *o = &w->outs[SECTION_TEXTS];
        struct slice user = l->user, kind = l->line.kind, value = l->line.value;
        uint64_t code = SEGMENT_USER_OWN + user.n;
        uint8_t head[4 * 10];
        if (slice_eq(user, value))
                code = 1;
        else if (user.n == kind.n + 1 + value.n && slice_starts(user, kind) && user.p[kind.n] == ':' &&
                 slice_ends(user, value))
                code = 0;
        size_t n = put_number(head, value.n);
        n += put_number(head + n, l->session.n);
        n += put_number(head + n, code);
        n += put_number(head + n, l->evidence.n);
        out_add(w, o, head, n);
        out_add(w, o, value.p, value.n);
        out_add(w, o, l->session.p, l->session.n);
        out_add(w, o, user.p, code >= SEGMENT_USER_OWN ? user.n : 0);
        out_add(w, o, l->evidence.p, l->evidence.n);
}

/* How many records back may still be open at this one's start. */
static uint32_t open_before(struct segment_writer *w, const struct lease *l)
{
        if (w->n == 0 || prefix_cmp(&w->group, &l->prefix) != 0) {
                w->group = l->prefix;
                w->group_from = w->open_from = w->n;
        }
        while (w->open_from < w->n && w->ends[w->open_from - w->group_from] <= l->start)
                w->open_from++;
        w->ends = xgrow(w->ends, &w->ends_cap, w->n - w->group_from + 1, sizeof *w->ends);
        w->ends[w->n - w->group_from] = l->end;
        return (uint32_t)(w->n - w->open_from);
}

static void note(struct segment_writer *w, const struct lease *l, unsigned flags)
{
        struct segment_header *h = &w->header;
        uint64_t block = w->n / SEGMENT_BLOCK;
        uint64_t posting = (uint64_t)segment_line_hash(h->key, l->line.kind, l->line.value) << 32 | w->n;
        w->postings = xgrow(w->postings, &w->postings_cap, w->n + 1, sizeof *w->postings);
        w->postings[w->n] = posting;
        w->heads[bucket_of(posting)]++;
        w->latest = xgrow(w->latest, &w->latest_cap, block + 1, sizeof *w->latest);
        if (w->n % SEGMENT_BLOCK == 0 || (int64_t)w->latest[block] < l->end)
                w->latest[block] = (uint64_t)l->end;
        h->lengths[l->prefix.len / 64] |= UINT64_C(1) << l->prefix.len % 64;
        h->first = l->start < h->first ? l->start : h->first;
        h->last = l->end > h->last ? l->end : h->last;
        h->corrections += (flags & SEGMENT_CORRECTS) != 0;
        w->n++;
}

int segment_writer_add(struct segment_writer *w, const struct lease *l, unsigned flags)
{
        struct segment_record r = { .address = l->prefix.addr,
                                    .start = l->start,
                                    .end = l->end,
                                    .text = w->outs[SECTION_TEXTS].extent.bytes + w->outs[SECTION_TEXTS].n,
                                    .port_low = l->port_low,
                                    .port_high = l->port_high,
                                    .length = l->prefix.len,
                                    .flags = (uint8_t)flags };
        if (w->n == w->most || !name_number(w, 0, l->realm, &r.realm) || !name_number(w, 1, l->nas, &r.nas) ||
            !name_number(w, 2, l->source, &r.source) || !name_number(w, 3, l->why_ended, &r.why) ||
            !name_number(w, 4, l->proto, &r.proto) || !name_number(w, 5, l->line.kind, &r.kind))
                return 1;
        r.back = open_before(w, l);
        add_text(w, l);
        out_add(w, &w->outs[SECTION_RECORDS], &r, sizeof r);
        note(w, l, flags);
        return w->failed;
}

/* --- the end --- */

static int by_value(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
        return x < y ? -1 : x > y;
}

static void begin_buckets(struct segment_writer *w)
{
        uint64_t sum = 0;
        for (size_t i = 0; i < BUCKETS; i++) {
                uint64_t n = w->heads[i];
                w->heads[i] = w->bounds[i] = sum;
                sum += n;
        }
        w->bounds[BUCKETS] = sum;
}

/* Each posting is swapped into its bucket; one that stands right is passed. */
static bool permute(struct segment_writer *w, uint64_t budget)
{
        for (; w->at < BUCKETS; w->at++)
                while (w->heads[w->at] < w->bounds[w->at + 1]) {
                        uint64_t *here = &w->postings[w->heads[w->at]], posting = *here;
                        unsigned b = bucket_of(posting);
                        if (budget-- == 0)
                                return false;
                        *here = w->postings[w->heads[b]];
                        w->postings[w->heads[b]++] = posting;
                }
        return true;
}

static bool sort_buckets(struct segment_writer *w, uint64_t budget)
{
        while (w->at < BUCKETS) {
                uint64_t n = w->bounds[w->at + 1] - w->bounds[w->at];
                if (n > 1)
                        qsort(w->postings + w->bounds[w->at], n, sizeof *w->postings, by_value);
                w->at++;
                if (n >= budget)
                        return w->at == BUCKETS;
                budget -= n;
        }
        return true;
}

static bool write_postings(struct segment_writer *w, uint64_t budget)
{
        uint64_t some = w->n - w->at < budget * 8 ? w->n - w->at : budget * 8;
        if (some == 0)
                return true;
        out_add(w, &w->outs[SECTION_POSTINGS], w->postings + w->at, some * 8);
        w->at += some;
        return w->at == w->n;
}

/* Blocks, then postings, stand right behind the records; texts and names behind the gap that the bound was for. */
static void flush_streams(struct segment_writer *w)
{
        uint64_t end = out_end(w, &w->outs[SECTION_RECORDS]);
        out_begin(&w->outs[SECTION_BLOCKS], end);
        out_add(w, &w->outs[SECTION_BLOCKS], w->latest, blocks_of(w->n) * 8);
        out_begin(&w->outs[SECTION_POSTINGS], out_end(w, &w->outs[SECTION_BLOCKS]));
        out_begin(&w->outs[SECTION_NAMES], out_end(w, &w->outs[SECTION_TEXTS]));
        for (size_t i = 0; i < w->names.n; i++) {
                uint16_t n = (uint16_t)w->name_texts[i].n;
                out_add(w, &w->outs[SECTION_NAMES], &n, sizeof n);
                out_add(w, &w->outs[SECTION_NAMES], w->name_texts[i].p, n);
        }
        begin_buckets(w);
}

static void write_header(struct segment_writer *w)
{
        struct segment_header *h = &w->header;
        out_end(w, &w->outs[SECTION_POSTINGS]);
        uint64_t bytes = out_end(w, &w->outs[SECTION_NAMES]);
        h->leases = w->n;
        h->names = w->names.n;
        for (size_t i = 0; i < SECTION_COUNT; i++)
                h->sections[i] = w->outs[i].extent;
        h->sum = segment_sum_of(h, offsetof(struct segment_header, sum));
        char page[SEGMENT_HEADER] = { 0 };
        memcpy(page, h, sizeof *h);
        if (!w->failed)
                w->failed = write_at(w->fd, page, sizeof page, 0);
        if (!w->failed && fsync(w->fd) == -1)
                w->failed = -errno;
        w->info = (struct segment_info){ h->leases, h->corrections, bytes, h->month, h->first, h->last, "" };
        snprintf(w->info.hash, sizeof w->info.hash, "%016llx", (unsigned long long)h->sum);
}

static bool run_stage(struct segment_writer *w, uint64_t budget)
{
        switch (w->stage) {
        case STAGE_ADDING:
                return true;
        case STAGE_FLUSH:
                flush_streams(w);
                return true;
        case STAGE_PERMUTE:
                return permute(w, budget);
        case STAGE_SORT:
                return sort_buckets(w, budget);
        case STAGE_POSTINGS:
                return write_postings(w, budget);
        case STAGE_END:
        case STAGE_DONE:
                write_header(w);
        }
        return true;
}

int segment_writer_finish(struct segment_writer *w, uint64_t budget)
{
        if (w->failed || w->stage == STAGE_DONE)
                return w->failed;
        if (run_stage(w, budget)) {
                w->stage++;
                w->at = 0;
        }
        return w->failed ? w->failed : w->stage != STAGE_DONE;
}
