/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/pile_sort.h"
#include "ledger/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
        TEXTS = 10,
        GROUPS = 65536,
        BUFFER_LEAST = 64 << 10,
        BUFFER_MOST = 1 << 20,
        CHUNK = 1 << 20,
        PIECES_LEAST = 1 << 20
};

/* A lease in one piece; its texts follow. */
struct packed {
        uint32_t size;
        uint16_t group;
        uint8_t length, flags;
        uint16_t port_low, port_high, texts[TEXTS];
        int64_t start, end;
        struct addr address;
};
_Static_assert(sizeof(struct packed) == 64, "no holes");

/* What decides nearly every comparison: group, address, length, the upper bits of the start. */
struct entry {
        uint64_t key[3];
        uint64_t at; /* in the bytes */
};

struct run {
        uint64_t at, end; /* what is still to be read of the file */
        char *buffer;
        size_t n, used, cap;
        struct entry head;
        const struct packed *packed;
};

struct sorter {
        char *folder;
        size_t memory, bytes_cap, entries_cap, n_bytes, n_entries, next;
        char *bytes;
        struct entry *entries;
        int fd;
        uint64_t file_size, count;
        uint64_t *counts; /* by group */
        struct run *runs; /* a heap once they are read */
        size_t n_runs, runs_cap, live;
        bool advance; /* the run on top has been given out */
};

static void texts_of(struct lease *l, struct slice *out[TEXTS])
{
        struct slice *const all[TEXTS] = { &l->realm, &l->proto,   &l->line.kind, &l->line.value, &l->source,
                                           &l->nas,   &l->session, &l->user,      &l->why_ended,  &l->evidence };
        memcpy(out, all, sizeof all);
}

static size_t packed_size(const struct lease *l)
{
        struct lease copy = *l;
        struct slice *texts[TEXTS];
        size_t n = sizeof(struct packed);
        texts_of(&copy, texts);
        for (size_t i = 0; i < TEXTS; i++)
                n += texts[i]->n;
        return (n + 7) / 8 * 8;
}

static void pack(char *out, size_t size, unsigned group, const struct lease *l, unsigned flags)
{
        struct lease copy = *l;
        struct slice *texts[TEXTS];
        struct packed p = { .size = (uint32_t)size,
                            .group = (uint16_t)group,
                            .length = l->prefix.len,
                            .flags = (uint8_t)flags,
                            .port_low = l->port_low,
                            .port_high = l->port_high,
                            .start = l->start,
                            .end = l->end,
                            .address = l->prefix.addr };
        char *to = out + sizeof p;
        texts_of(&copy, texts);
        for (size_t i = 0; i < TEXTS; i++) {
                p.texts[i] = (uint16_t)texts[i]->n;
                if (texts[i]->n)
                        memcpy(to, texts[i]->p, texts[i]->n);
                to += texts[i]->n;
        }
        memcpy(out, &p, sizeof p);
}

static void unpack(const struct packed *p, struct lease *l)
{
        struct slice *texts[TEXTS];
        const char *from = (const char *)(p + 1);
        *l = (struct lease){ .prefix = { p->address, p->length },
                             .port_low = p->port_low,
                             .port_high = p->port_high,
                             .start = p->start,
                             .end = p->end };
        texts_of(l, texts);
        for (size_t i = 0; i < TEXTS; i++) {
                *texts[i] = (struct slice){ from, p->texts[i] };
                from += p->texts[i];
        }
}

static uint64_t eight(const uint8_t *p)
{
        uint64_t v = 0;
        for (size_t i = 0; i < 8; i++)
                v = v << 8 | p[i];
        return v;
}

static struct entry entry_of(const struct packed *p, uint64_t at)
{
        const uint8_t *a = p->address.b;
        uint64_t late = (uint64_t)p->start >> 16, most = (UINT64_C(1) << 40) - 1;
        return (struct entry){ { (uint64_t)p->group << 48 | eight(a) >> 16, eight(a + 6),
                                 (uint64_t)a[14] << 56 | (uint64_t)a[15] << 48 | (uint64_t)p->length << 40 |
                                     (late < most ? late : most) },
                               at };
}

static int entry_cmp(const struct entry *a, const struct packed *x, const struct entry *b, const struct packed *y)
{
        for (size_t i = 0; i < COUNT_OF(a->key); i++)
                if (a->key[i] != b->key[i])
                        return a->key[i] < b->key[i] ? -1 : 1;
        struct lease l, m;
        unpack(x, &l);
        unpack(y, &m);
        return segment_key_cmp(&l, &m);
}

/* --- adding --- */

struct sorter *sorter_new(const char *folder, size_t memory)
{
        struct sorter *s = xcalloc(1, sizeof *s);
        s->folder = xstrdup(folder);
        s->fd = -1;
        s->memory = memory > PIECES_LEAST ? memory : PIECES_LEAST;
        s->bytes_cap = s->memory / 2;
        s->entries_cap = s->memory / 4 / sizeof *s->entries; /* and as much again while sorting */
        s->bytes = xmalloc(s->bytes_cap);
        s->entries = xmalloc(s->entries_cap * sizeof *s->entries);
        s->counts = xcalloc(GROUPS, sizeof *s->counts);
        return s;
}

void sorter_free(struct sorter *s)
{
        if (!s)
                return;
        for (size_t i = 0; i < s->n_runs; i++)
                free(s->runs[i].buffer);
        free(s->runs);
        free(s->bytes);
        free(s->entries);
        free(s->counts);
        free(s->folder);
        autoclose_(&s->fd);
        free(s);
}

void sorter_free_(struct sorter **s)
{
        sorter_free(*s);
}

static int by_entry(const void *a, const void *b, void *arg)
{
        const struct entry *x = a, *y = b;
        const char *bytes = arg;
        return entry_cmp(x, (const void *)(bytes + x->at), y, (const void *)(bytes + y->at));
}

static void sort_entries(struct sorter *s)
{
        if (s->n_entries)
                qsort_r(s->entries, s->n_entries, sizeof *s->entries, by_entry, s->bytes);
}

static int append(struct sorter *s, const char *p, size_t n)
{
        while (n) {
                ssize_t some = pwrite(s->fd, p, n, (off_t)s->file_size);
                if (some == -1 && errno != EINTR)
                        return -errno;
                if (some > 0) {
                        s->file_size += (uint64_t)some;
                        p += some;
                        n -= (size_t)some;
                }
        }
        return 0;
}

static int make_file(struct sorter *s)
{
        autofree char *path = xasprintf("%s/run-XXXXXX", s->folder);
        s->fd = mkostemp(path, O_CLOEXEC);
        if (s->fd == -1 || unlink(path) == -1)
                return -errno;
        return 0;
}

/* What is in memory becomes a run in the file. */
static int spill(struct sorter *s)
{
        autofree char *chunk = xmalloc(CHUNK);
        size_t n = 0;
        int status = s->fd == -1 ? make_file(s) : 0;
        s->runs = xgrow(s->runs, &s->runs_cap, s->n_runs + 1, sizeof *s->runs);
        s->runs[s->n_runs] = (struct run){ .at = s->file_size };
        sort_entries(s);
        for (size_t i = 0; status == 0 && i < s->n_entries; i++) {
                const struct packed *p = (const void *)(s->bytes + s->entries[i].at);
                if (CHUNK - n < p->size) {
                        status = append(s, chunk, n);
                        n = 0;
                }
                memcpy(chunk + n, p, p->size);
                n += p->size;
        }
        if (status == 0)
                status = append(s, chunk, n);
        s->runs[s->n_runs++].end = s->file_size;
        s->n_entries = s->n_bytes = 0;
        return status;
}

int sorter_add(struct sorter *s, unsigned group, const struct lease *l, unsigned flags)
{
        size_t size = packed_size(l);
        int status = 0;
        if (size > BUFFER_LEAST)
                return -EMSGSIZE;
        if (s->n_bytes + size > s->bytes_cap || s->n_entries == s->entries_cap)
                status = spill(s);
        if (status < 0)
                return status;
        pack(s->bytes + s->n_bytes, size, group, l, flags);
        s->entries[s->n_entries++] = entry_of((const void *)(s->bytes + s->n_bytes), s->n_bytes);
        s->n_bytes += size;
        s->counts[group]++;
        s->count++;
        return 0;
}

uint64_t sorter_count(const struct sorter *s)
{
        return s->count;
}

uint64_t sorter_count_of(const struct sorter *s, unsigned group)
{
        return s->counts[group];
}

/* --- merging --- */

/* The next lease of a run becomes its head: 1; 0 at its end. */
static int run_next(struct sorter *s, struct run *r)
{
        size_t left = r->n - r->used;
        const struct packed *p = (const void *)(r->buffer + r->used);
        if (left < sizeof *p || left < p->size) {
                memmove(r->buffer, p, left);
                r->n = left;
                r->used = 0;
                uint64_t rest = r->end - r->at;
                size_t some = rest < r->cap - left ? (size_t)rest : r->cap - left;
                while (some) {
                        ssize_t n = pread(s->fd, r->buffer + r->n, some, (off_t)r->at);
                        if (n == 0 || (n == -1 && errno != EINTR))
                                return n == 0 ? -EIO : -errno;
                        if (n > 0) {
                                r->at += (uint64_t)n;
                                r->n += (size_t)n;
                                some -= (size_t)n;
                        }
                }
                p = (const void *)r->buffer;
        }
        if (r->n == r->used)
                return 0;
        r->packed = p;
        r->head = entry_of(p, 0);
        r->used += p->size;
        return 1;
}

static bool run_before(const struct run *a, const struct run *b)
{
        return entry_cmp(&a->head, a->packed, &b->head, b->packed) < 0;
}

static void sink(struct sorter *s, size_t i)
{
        for (;;) {
                size_t least = i, left = 2 * i + 1;
                for (size_t k = left; k < left + 2 && k < s->live; k++)
                        if (run_before(&s->runs[k], &s->runs[least]))
                                least = k;
                if (least == i)
                        return;
                struct run other = s->runs[i];
                s->runs[i] = s->runs[least];
                s->runs[least] = other;
                i = least;
        }
}

int sorter_begin(struct sorter *s)
{
        if (s->n_runs == 0) {
                sort_entries(s);
                return 0;
        }
        int status = s->n_entries ? spill(s) : 0;
        free(take(s->bytes));
        free(take(s->entries));
        size_t cap = s->memory / 2 / s->n_runs;
        cap = cap < BUFFER_LEAST ? BUFFER_LEAST : cap > BUFFER_MOST ? BUFFER_MOST : cap / 8 * 8;
        for (size_t i = 0; status >= 0 && i < s->n_runs; i++) {
                s->runs[i].buffer = xmalloc(cap);
                s->runs[i].cap = cap;
                status = run_next(s, &s->runs[i]);
        }
        s->live = s->n_runs;
        for (size_t i = s->live / 2; status >= 0 && i-- > 0;)
                sink(s, i);
        return status < 0 ? status : 0;
}

static const struct packed *next_in_memory(struct sorter *s)
{
        return s->next < s->n_entries ? (const void *)(s->bytes + s->entries[s->next++].at) : NULL;
}

static int next_of_runs(struct sorter *s, const struct packed **ret)
{
        if (s->advance) {
                int status = run_next(s, &s->runs[0]);
                if (status < 0)
                        return status;
                if (status == 0) {
                        struct run done = s->runs[0];
                        s->runs[0] = s->runs[--s->live];
                        s->runs[s->live] = done;
                }
                sink(s, 0);
        }
        s->advance = s->live > 0;
        *ret = s->live ? s->runs[0].packed : NULL;
        return 0;
}

int sorter_next(struct sorter *s, struct sorted *ret)
{
        const struct packed *p = NULL;
        int status = 0;
        if (s->n_runs)
                status = next_of_runs(s, &p);
        else
                p = next_in_memory(s);
        if (status < 0 || !p)
                return status;
        unpack(p, &ret->lease);
        ret->group = p->group;
        ret->flags = p->flags;
        return 1;
}

/* --- one --- */

void lease_copy_set(struct lease_copy *c, const struct lease *l)
{
        size_t size = packed_size(l);
        if (size > c->cap) {
                c->bytes = xrealloc(c->bytes, size * 2);
                c->cap = size * 2;
        }
        pack(c->bytes, size, 0, l, 0);
        unpack((const void *)c->bytes, &c->lease);
}

void lease_copy_done(struct lease_copy *c)
{
        free(c->bytes);
        *c = (struct lease_copy){ 0 };
}
