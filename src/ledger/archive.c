/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/archive_keep.h"
#include "ledger/nouns.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SIMILAR_MOST = 64 };

/* --- the list --- */

struct archive *archive_new(const char *dir)
{
        struct archive *a = xcalloc(1, sizeof *a);
        a->dir = xstrdup(dir);
        a->version = -1;
        return a;
}

static void drop_parts(struct part *parts, size_t n)
{
        for (size_t i = 0; i < n; i++)
                segment_free(parts[i].segment);
        free(parts);
}

void archive_free(struct archive *a)
{
        if (!a)
                return;
        drop_parts(a->parts, a->n);
        archive_writing_free(a->writing);
        free(a->dir);
        free(a);
}

void archive_stale(struct archive *a)
{
        if (a)
                a->version = -1;
}

static struct part part_of_row(struct statement *s)
{
        struct part p = { .id = db_get_int(s) };
        p.info.month = db_get_int(s);
        p.rank = db_get_int(s);
        p.added = db_get_int(s);
        p.info.leases = (uint64_t)db_get_int(s);
        p.info.corrections = (uint64_t)db_get_int(s);
        p.info.bytes = (uint64_t)db_get_int(s);
        p.info.first = db_get_int(s);
        p.info.last = db_get_int(s);
        struct slice hash = db_peek_text(s);
        snprintf(p.info.hash, sizeof p.info.hash, "%.*s", SLICE_ARGS(hash));
        return p;
}

/* A mapping that is known stays. */
static void keep_mapping(struct archive *a, struct part *p)
{
        for (size_t i = 0; i < a->n; i++)
                if (a->parts[i].id == p->id && strcmp(a->parts[i].info.hash, p->info.hash) == 0)
                        p->segment = take(a->parts[i].segment);
}

static int read_list(struct ledger *l)
{
        struct archive *a = l->archive;
        struct part *parts = NULL;
        size_t n = 0, cap = 0;
        struct statement *s = db_prepare(l, "SELECT id, month, rank, at, leases, corrections, bytes, first, last, hash"
                                            " FROM segment ORDER BY rank, id");
        while (db_row(s)) {
                parts = xgrow(parts, &cap, n + 1, sizeof *parts);
                parts[n++] = part_of_row(s);
        }
        int status = db_done(s);
        if (status < 0) {
                free(parts);
                return status;
        }
        for (size_t i = 0; i < n; i++)
                keep_mapping(a, &parts[i]);
        drop_parts(a->parts, a->n);
        a->parts = parts;
        a->n = n;
        return 0;
}

int archive_refresh(struct ledger *l)
{
        int64_t version;
        if (!l->archive)
                return 0;
        int status = db_number(db_prepare(l, "SELECT version FROM archive"), &version);
        if (status < 0 || version == l->archive->version)
                return status;
        status = read_list(l);
        l->archive->version = status == 0 ? version : -1;
        return status;
}

int archive_open_part(struct ledger *l, struct part *p)
{
        autobuf why;
        buf_init(&why, 4096);
        if (p->segment)
                return 0;
        autofree char *path = archive_path(l->archive->dir, p->info.month, p->id);
        int status = segment_open(path, p->info.hash, &p->segment, &why);
        if (status < 0)
                return db_fail(l, status == -ENOENT ? -EAGAIN : status, "%s", buf_cstr(&why));
        return 0;
}

bool archive_reaches(const struct ledger *l, int64_t at)
{
        for (size_t i = 0; l->archive && i < l->archive->n; i++)
                if (l->archive->parts[i].info.last > at)
                        return true;
        return false;
}

/* --- does a record still count? --- */

struct finding {
        const struct lease *key;
        struct segment_row row;
        bool found;
        int status;
};

static bool same_lease(const struct lease *a, const struct lease *b)
{
        return segment_key_cmp(a, b) == 0;
}

/* The record of this very key in one segment. */
static int find_key(struct ledger *l, struct part *p, struct finding *f)
{
        int status = archive_open_part(l, p);
        if (status < 0)
                return status;
        f->found = false;
        uint64_t n = segment_info(p->segment)->leases;
        for (uint64_t i = segment_find(p->segment, &f->key->prefix, f->key->start, 0); i < n && !f->found; i++) {
                struct prefix prefix = segment_prefix(p->segment, i);
                if (segment_start(p->segment, i) != f->key->start || prefix_cmp(&prefix, &f->key->prefix) != 0)
                        break;
                if (segment_read(p->segment, i, &f->row) < 0)
                        return db_fail(l, -EUCLEAN, "segment %lld is damaged", (long long)p->id);
                f->found = same_lease(&f->row.lease, f->key);
        }
        return 0;
}

static int in_live(struct ledger *l, const struct lease *key, bool *ret)
{
        int64_t n = 0;
        struct statement *s =
            db_prepare(l, "SELECT 1 FROM lease WHERE source = ? AND nas = ? AND session = ? AND user = ?"
                          " AND start = ? AND address = ? AND length = ?");
        db_text(s, key->source);
        db_text(s, key->nas);
        db_text(s, key->session);
        db_text(s, key->user);
        db_int(s, key->start);
        db_address(s, &key->prefix.addr);
        db_int(s, key->prefix.len);
        int status = db_number(s, &n);
        *ret = n != 0;
        return status == -ENOENT ? 0 : status;
}

int archive_corrected(struct ledger *l, const struct part *p, const struct lease *key, bool *ret)
{
        struct archive *a = l->archive;
        *ret = false;
        for (size_t i = a->n; i-- > 0 && a->parts[i].rank > p->rank && !*ret;) {
                struct part *newer = &a->parts[i];
                struct finding f = { .key = key };
                if (newer->info.month != p->info.month || newer->info.corrections == 0)
                        continue;
                int status = find_key(l, newer, &f);
                if (status < 0)
                        return status;
                *ret = f.found && f.row.flags & SEGMENT_CORRECTS;
        }
        return 0;
}

static int counts(struct ledger *l, const struct part *p, const struct segment_row *row, bool *ret)
{
        bool other = row->flags & SEGMENT_VOID || row->lease.end == row->lease.start;
        int status = other ? 0 : in_live(l, &row->lease, &other);
        if (status == 0 && !other)
                status = archive_corrected(l, p, &row->lease, &other);
        *ret = !other;
        return status;
}

int archive_has(struct ledger *l, const struct lease *key, bool *ret)
{
        struct archive *a = l->archive;
        int status = archive_refresh(l);
        *ret = false;
        for (size_t i = 0; status == 0 && a && i < a->n && !*ret; i++) {
                struct finding f = { .key = key };
                if (a->parts[i].info.first > key->start || a->parts[i].info.last < key->start)
                        continue;
                status = find_key(l, &a->parts[i], &f);
                if (status == 0 && f.found && !(f.row.flags & SEGMENT_VOID))
                        status = archive_corrected(l, &a->parts[i], key, ret), *ret = !*ret;
        }
        return status;
}

/* --- a record becomes a row, once for each subscriber of its line --- */

struct hunt {
        struct rows *rows;
        struct part *part;
        const struct asked *asked; /* what a lease must share time with */
        /* archive_inside() */
        struct slice realm;
        size_t most;
        /* archive_of_subscriber() */
        const struct line *line;
        int64_t held_from, held_until;
        struct slice subscriber;
};

/* The same lease in two months, told twice at one moment by two importers: once is enough. */
static bool seen(const struct rows *rows, const struct lease *l, struct slice subscriber)
{
        const struct lease *all = rows->all;
        for (size_t i = rows->n, most = SIMILAR_MOST; i-- > 0 && most-- > 0;)
                if (same_lease(&all[i], l) && slice_eq(all[i].subscriber, subscriber))
                        return true;
        return false;
}

static int add_row(struct rows *rows, const struct lease *l, struct slice subscriber)
{
        struct slice texts[] = { l->realm,     l->proto,    l->line.kind, l->line.value, l->source,
                                 l->why_ended, l->evidence, l->nas,       l->session,    l->user };
        if (seen(rows, l, subscriber))
                return 0;
        struct lease *row = rows_add(rows);
        for (size_t i = 0; row && i < COUNT_OF(texts); i++)
                texts[i] = texts[i].n ? arena_dup(rows->arena, texts[i]) : S("");
        if (!row)
                return 0; /* rows_done() says so */
        *row = *l;
        row->subscriber = subscriber;
        struct slice *const to[] = { &row->realm,     &row->proto,    &row->line.kind, &row->line.value, &row->source,
                                     &row->why_ended, &row->evidence, &row->nas,       &row->session,    &row->user };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                *to[i] = texts[i];
        return 0;
}

static int add_joined(struct rows *rows, const struct lease *l, const struct asked *q)
{
        struct statement *s =
            db_prepare(rows->ledger, "SELECT s.id FROM line n JOIN holding h ON h.line = n.number"
                                     " JOIN subscriber s ON s.number = h.subscriber"
                                     " WHERE n.kind = ?1 AND n.value = ?2 AND h.start < ?4 AND h.end > ?3"
                                     " ORDER BY h.start DESC");
        db_text(s, l->line.kind);
        db_text(s, l->line.value);
        db_int(s, q->from > l->start ? q->from : l->start);
        db_int(s, q->until < l->end ? q->until : l->end);
        bool any = false;
        while (db_row(s)) {
                add_row(rows, l, db_get_text(s, rows->arena));
                any = true;
        }
        int status = db_done(s);
        return status < 0 || any ? status : add_row(rows, l, S(""));
}

static int read_counting(struct hunt *h, uint64_t i, struct segment_row *row, bool *ret)
{
        if (segment_read(h->part->segment, i, row) < 0)
                return db_fail(h->rows->ledger, -EUCLEAN, "segment %lld is damaged", (long long)h->part->id);
        return counts(h->rows->ledger, h->part, row, ret);
}

/* The ports first: an outside address of a translation has a hundred thousand leases a day, of which a handful have the port. */
static int on_holder(void *arg, const struct segment *s, uint64_t i)
{
        struct hunt *h = arg;
        struct segment_row row;
        const struct lease *l = &row.lease;
        const struct asked *q = h->asked;
        bool fits;
        if (q->port && !segment_has_port(s, i, q->port))
                return 0;
        int status = read_counting(h, i, &row, &fits);
        fits = fits && (q->proto.n == 0 || l->proto.n == 0 || slice_eq(q->proto, l->proto));
        return status < 0 || !fits ? status : add_joined(h->rows, l, q);
}

int archive_holders(struct rows *rows, const struct addr *addr, const struct asked *q)
{
        struct archive *a = rows->ledger->archive;
        int status = archive_refresh(rows->ledger);
        for (size_t i = a ? a->n : 0; status == 0 && i-- > 0;) {
                struct hunt h = { .rows = rows, .part = &a->parts[i], .asked = q };
                if (h.part->info.first >= q->until || h.part->info.last <= q->from)
                        continue;
                status = archive_open_part(rows->ledger, h.part);
                for (unsigned length = 0; status == 0 && length <= 128; length++) {
                        struct prefix p = { .len = (uint8_t)length };
                        if (!segment_has_length(h.part->segment, length))
                                continue;
                        p.addr = addr_mask(*addr, length);
                        status = segment_stab(h.part->segment, &p, q->from, q->until, on_holder, &h);
                }
        }
        return status;
}

/* --- inside a prefix --- */

static int look_inside(struct hunt *h, const struct prefix *p, int64_t at)
{
        const struct segment *s = h->part->segment;
        struct prefix first = { .addr = p->addr, .len = 0 };
        struct addr last = addr_last(p->addr, p->len);
        uint64_t n = segment_info(s)->leases;
        for (uint64_t i = segment_find(s, &first, INT64_MIN, 0); i < n && h->rows->n < h->most; i++) {
                struct prefix here = segment_prefix(s, i);
                struct segment_row row;
                bool fits;
                if (addr_cmp(&here.addr, &last) > 0)
                        break;
                if (here.len <= p->len || segment_start(s, i) > at || segment_end(s, i) <= at)
                        continue;
                int status = read_counting(h, i, &row, &fits);
                if (status == 0 && fits && slice_eq(row.lease.realm, h->realm))
                        status = add_joined(h->rows, &row.lease, h->asked);
                if (status < 0)
                        return status;
        }
        return 0;
}

int archive_inside(struct rows *rows, const struct prefix *p, struct slice realm, int64_t at, size_t most)
{
        struct archive *a = rows->ledger->archive;
        struct asked q = { .from = at, .until = at + 1 };
        int status = archive_refresh(rows->ledger);
        for (size_t i = a ? a->n : 0; status == 0 && i-- > 0;) {
                struct hunt h = { .rows = rows, .part = &a->parts[i], .asked = &q, .realm = realm, .most = most };
                if (h.part->info.first > at || h.part->info.last <= at)
                        continue;
                status = archive_open_part(rows->ledger, h.part);
                if (status == 0)
                        status = look_inside(&h, p, at);
        }
        return status;
}

/* --- by line --- */

static int on_line(void *arg, const struct segment *s, uint64_t i)
{
        struct hunt *h = arg;
        struct segment_row row;
        bool fits;
        if (segment_end(s, i) <= h->asked->from || segment_start(s, i) > h->asked->until ||
            segment_end(s, i) <= h->held_from || segment_start(s, i) >= h->held_until)
                return 0;
        int status = read_counting(h, i, &row, &fits);
        if (status < 0 || !fits || !slice_eq(row.lease.line.kind, h->line->kind) ||
            !slice_eq(row.lease.line.value, h->line->value))
                return status;
        return add_row(h->rows, &row.lease, h->subscriber);
}

struct held_line {
        struct line line;
        struct slice subscriber;
        int64_t from, until;
};

static int read_lines(struct rows *lines, struct slice id, int64_t number)
{
        static const char by_id[] = "SELECT n.kind, n.value, s.id, h.start, h.end FROM subscriber s"
                                    " JOIN holding h ON h.subscriber = s.number JOIN line n ON n.number = h.line"
                                    " WHERE s.id = ?1";
        static const char by_number[] = "SELECT n.kind, n.value, s.id, h.start, h.end FROM subscriber s"
                                        " JOIN holding h ON h.subscriber = s.number JOIN line n ON n.number = h.line"
                                        " WHERE s.number = ?1";
        struct statement *s = db_prepare(lines->ledger, number ? by_number : by_id);
        if (number)
                db_int(s, number);
        else
                db_text(s, id);
        while (db_row(s)) {
                struct held_line *line = rows_add(lines);
                if (!line)
                        break;
                line->line.kind = db_get_text(s, lines->arena);
                line->line.value = db_get_text(s, lines->arena);
                line->subscriber = db_get_text(s, lines->arena);
                line->from = db_get_int(s);
                line->until = db_get_int(s);
        }
        return db_done(s);
}

int archive_of_subscriber(struct rows *rows, struct slice id, int64_t number, int64_t since, int64_t at)
{
        struct archive *a = rows->ledger->archive;
        struct rows lines = rows_of(rows->ledger, rows->arena, sizeof(struct held_line));
        struct asked q = { .from = since, .until = at };
        struct held_line *all = NULL;
        size_t n = 0;
        int status = archive_refresh(rows->ledger);
        if (status < 0 || !archive_reaches(rows->ledger, since))
                return status;
        status = rows_done(&lines, read_lines(&lines, id, number), (void **)&all, &n);
        for (size_t i = a->n; status == 0 && i-- > 0;) {
                if (a->parts[i].info.last <= since)
                        continue;
                status = archive_open_part(rows->ledger, &a->parts[i]);
                for (size_t k = 0; status == 0 && k < n; k++) {
                        if (at != TIME_NEVER && (all[k].from > at || all[k].until <= at))
                                continue;
                        struct hunt h = { .rows = rows,
                                          .part = &a->parts[i],
                                          .asked = &q,
                                          .line = &all[k].line,
                                          .held_from = all[k].from,
                                          .held_until = all[k].until,
                                          .subscriber = all[k].subscriber };
                        status = segment_of_line(a->parts[i].segment, h.line, on_line, &h);
                }
        }
        return status;
}

/* --- all of it --- */

struct cursor {
        struct part *part;
        uint64_t at;
        struct prefix prefix;
        int64_t start;
};

static bool cursor_settle(struct cursor *c, int64_t since)
{
        const struct segment *s = c->part->segment;
        uint64_t n = segment_info(s)->leases;
        while (c->at < n && segment_end(s, c->at) <= since)
                c->at++;
        c->prefix = segment_prefix(s, c->at);
        c->start = segment_start(s, c->at);
        return c->at < n;
}

static size_t least_of(const struct cursor *all, size_t n)
{
        size_t least = 0;
        for (size_t i = 1; i < n; i++) {
                int order = prefix_cmp(&all[i].prefix, &all[least].prefix);
                if (order < 0 || (order == 0 && all[i].start < all[least].start))
                        least = i;
        }
        return least;
}

int archive_walk(struct rows *rows, int64_t since, size_t most)
{
        struct archive *a = rows->ledger->archive;
        size_t n = 0, before = rows->n;
        int status = archive_refresh(rows->ledger);
        autofree struct cursor *all = xcalloc((a ? a->n : 0) + 1, sizeof *all);
        struct asked q = { .until = TIME_NEVER };
        for (size_t i = 0; status == 0 && a && i < a->n; i++) {
                if (a->parts[i].info.last <= since)
                        continue;
                status = archive_open_part(rows->ledger, &a->parts[i]);
                all[n].part = &a->parts[i];
                n += status == 0 && cursor_settle(&all[n], since);
        }
        while (status == 0 && n && rows->n - before < most && !rows->full) {
                size_t i = least_of(all, n);
                struct hunt h = { .rows = rows, .part = all[i].part };
                struct segment_row row;
                bool fits;
                status = read_counting(&h, all[i].at, &row, &fits);
                if (status == 0 && fits)
                        status = add_joined(rows, &row.lease, &q);
                all[i].at++;
                if (!cursor_settle(&all[i], since))
                        all[i] = all[--n];
        }
        return status;
}

static int each_of_part(struct ledger *l, struct part *p, bool (*wanted)(void *arg, const struct lease *lease),
                        void (*each)(void *arg, const struct lease *lease), void *arg)
{
        uint64_t n = segment_info(p->segment)->leases;
        int status = 0;
        for (uint64_t i = 0; status == 0 && i < n; i++) {
                struct segment_row row;
                bool fits = false;
                if (segment_read(p->segment, i, &row) < 0)
                        return db_fail(l, -EUCLEAN, "segment %lld is damaged", (long long)p->id);
                if (wanted(arg, &row.lease))
                        status = counts(l, p, &row, &fits);
                if (status == 0 && fits)
                        each(arg, &row.lease);
        }
        return status;
}

int archive_each(struct ledger *l, bool (*wanted)(void *arg, const struct lease *lease),
                 void (*each)(void *arg, const struct lease *lease), void *arg)
{
        struct archive *a = l->archive;
        int status = archive_refresh(l);
        /* All are opened before the first is read: by its end, what was merged meanwhile is no file any more. */
        for (size_t i = 0; status == 0 && a && i < a->n; i++)
                status = archive_open_part(l, &a->parts[i]);
        for (size_t i = 0; status == 0 && a && i < a->n; i++)
                status = each_of_part(l, &a->parts[i], wanted, each, arg);
        return status;
}

static int by_place(const void *a, const void *b)
{
        const struct lease *x = a, *y = b;
        int order = prefix_cmp(&x->prefix, &y->prefix);
        if (order || x->start != y->start)
                return order ? order : x->start < y->start ? -1 : 1;
        return slice_cmp(x->subscriber, y->subscriber);
}

void leases_sort(struct rows *rows, size_t most)
{
        if (rows->n)
                qsort(rows->all, rows->n, rows->size, by_place);
        rows->n = rows->n < most ? rows->n : most;
}

/* --- folders --- */

char *archive_incoming(const char *dir)
{
        return xasprintf("%s/leases/incoming", dir);
}

char *archive_path(const char *dir, int64_t month, int64_t id)
{
        char text[MONTH_TEXT_MAX];
        return xasprintf("%s/leases/%s/%lld.seg", dir, month_print(month, text), (long long)id);
}

int archive_folder(const char *path, const char *parent)
{
        struct stat st, like;
        if (stat(path, &st) == 0)
                return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
        int status = stat(parent, &like) == -1 ? -errno : folder_make(path, 0750);
        if (status < 0)
                return status;
        autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd == -1 || (geteuid() == 0 && fchown(fd, like.st_uid, like.st_gid) == -1))
                return -errno;
        return folder_sync(parent);
}

int archive_folders(const char *dir)
{
        autofree char *leases = xasprintf("%s/leases", dir), *incoming = archive_incoming(dir);
        int status = archive_folder(leases, dir);
        return status < 0 ? status : archive_folder(incoming, leases);
}
