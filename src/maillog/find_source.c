/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files are read, and which index belongs to which. */
#include "maillog/find_inside.h"

#include "base/map.h"

#include <dirent.h>
#include <errno.h>

void find_source_done(struct source *s)
{
        maillog_reader_free_(&s->reader);
        index_view_free_(&s->view);
        free(s->path);
}

static void source_done_(struct source *s)
{
        find_source_done(s);
}

/* --- one file --- */

static int64_t first_time(struct find *f, struct slice head, int64_t written)
{
        struct syslog_line l;
        record_clock(&f->clock, f->wish.zone, written, 0, 0);
        while (head.n) {
                struct slice line = slice_cut(head, '\n', &head);
                if (syslog_parse(&f->clock, line, &l))
                        return l.at;
        }
        return written;
}

static bool ends_so(struct source *s, size_t i)
{
        char end[INDEX_TAIL];
        struct index_block b = index_view_block(s->view, i);
        size_t n = b.length < INDEX_TAIL ? (size_t)b.length : INDEX_TAIL;
        return maillog_reader_seek(s->reader, b.offset + b.length - n) == 0 &&
               maillog_reader_peek(s->reader, end, n) == (ssize_t)n &&
               index_view_ends_so(s->view, i, (struct slice){ end, n });
}

/* A file that only begins like the log must not be read by its index: the ends of some blocks are compared. Packed, only of the first. */
static bool agrees(struct source *s)
{
        size_t n = index_view_count(s->view);
        if (!n)
                return true;
        bool packed = maillog_reader_packed(s->reader);
        return ends_so(s, 0) && (packed || (ends_so(s, n / 2) && ends_so(s, n - 1)));
}

static void find_index(struct find *f, struct source *s)
{
        autobuf why;
        buf_init(&why, 8192);
        int failed = index_view(f->wish.state, f->key, s->identity, &s->view, &why);
        if (failed && failed != -ENOENT && why.n)
                find_trouble(f, s->path, buf_cstr(&why));
        if (s->view && !agrees(s)) {
                find_trouble(f, s->path, "its index is of another file that begins like it: all of it is read");
                index_view_free_(&s->view);
                s->view = NULL;
        }
}

static int open_source(struct find *f, const char *path, struct source *ret)
{
        char head[INDEX_HEAD];
        ret->path = xstrdup(path);
        int failed = maillog_reader_open(path, &ret->reader);
        if (failed)
                return failed;
        ssize_t n = maillog_reader_peek(ret->reader, head, sizeof head);
        if (n < 0)
                return (int)n;
        ret->written = maillog_reader_written(ret->reader);
        ret->first = first_time(f, (struct slice){ head, (size_t)n }, ret->written);
        if (n == INDEX_HEAD && f->has_key) {
                ret->identity = index_identity(f->key, head);
                find_index(f, ret);
        }
        return 0;
}

static bool is_here(const struct find *f, const struct source *s, bool by_identity)
{
        for (size_t i = 0; i < f->n_sources; i++)
                if (maillog_reader_same(f->sources[i].reader, s->reader) ||
                    (by_identity && s->identity && f->sources[i].identity == s->identity))
                        return true;
        return false;
}

static void add(struct find *f, struct source *s)
{
        f->sources = xgrow(f->sources, &f->cap, f->n_sources + 1, sizeof *f->sources);
        f->sources[f->n_sources++] = *s;
        *s = (struct source){ 0 };
}

int find_add(struct find *f, const char *path)
{
        __attribute__((cleanup(source_done_))) struct source s = { 0 };
        int failed = open_source(f, path, &s);
        if (!failed && !is_here(f, &s, false))
                add(f, &s);
        return failed;
}

static int by_first_line(const void *a, const void *b)
{
        const struct source *x = a, *y = b;
        return (x->first > y->first) - (x->first < y->first);
}

void find_sort(struct find *f)
{
        if (f->n_sources)
                qsort(f->sources, f->n_sources, sizeof *f->sources, by_first_line);
}

/* --- all that have an index --- */

/* "mail.log" of "mail.log.2.gz" and "mail.log-20261128": what logrotate puts behind a name. */
static struct slice without_rotation(struct slice s)
{
        static const struct slice packed[] = { S(".gz"), S(".xz"), S(".zst") };
        for (size_t i = 0; i < COUNT_OF(packed); i++)
                if (slice_ends(s, packed[i]))
                        s.n -= packed[i].n;
        size_t n = s.n;
        while (n && (unsigned)(s.p[n - 1] - '0') < 10)
                n--;
        bool rotated = n > 1 && n < s.n && (s.p[n - 1] == '.' || s.p[n - 1] == '-');
        return rotated ? (struct slice){ s.p, n - 1 } : s;
}

static void add_relative(struct find *f, const char *path, bool itself)
{
        __attribute__((cleanup(source_done_))) struct source s = { 0 };
        int failed = open_source(f, path, &s);
        if (failed && itself) {
                find_trouble(f, path, strerror(-failed));
                f->incomplete = true;
        }
        if (!failed && (s.view || itself) && !is_here(f, &s, true))
                add(f, &s);
}

/* `path`, and of what is left of it after a rotation, all that has an index. */
static void add_family(struct find *f, const char *path)
{
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
        autofree char *folder = slash ? slice_dup((struct slice){ path, (size_t)(slash - path) + 1 }) : xstrdup("./");
        struct slice stem = without_rotation(slice_of(base));
        DIR *d = opendir(folder);
        for (const struct dirent *e; d && (e = readdir(d));) {
                autofree char *name = xasprintf("%s%s", folder, e->d_name);
                if (slice_starts(slice_of(e->d_name), stem))
                        add_relative(f, name, strcmp(e->d_name, base) == 0);
        }
        if (d)
                closedir(d);
}

/* The path in an index of that name; NULL: it is none that can be read. */
static char *log_of(struct find *f, const char *name)
{
        autoindexview *v = NULL;
        autobuf why;
        char *end;
        buf_init(&why, 8192);
        unsigned long long identity = strtoull(name, &end, 16);
        if (end != name + 16 || strcmp(end, ".index") != 0)
                return NULL;
        if (index_view(f->wish.state, f->key, identity, &v, &why) == 0)
                return slice_dup(index_view_log(v));
        if (why.n)
                find_trouble(f, name, buf_cstr(&why));
        return NULL;
}

int find_add_indexed(struct find *f)
{
        autofree char *folder = xasprintf("%s/maillog/index", f->wish.state);
        automap seen = { 0 };
        DIR *d = f->has_key ? opendir(folder) : NULL;
        if (!d)
                return f->has_key ? -errno : -ENOENT;
        for (const struct dirent *e; (e = readdir(d));) {
                char *path = log_of(f, e->d_name);
                if (path && *path && !map_find(&seen, slice_of(path))) {
                        map_put(&seen, slice_of(path), path);
                        add_family(f, path);
                } else {
                        free(path);
                }
        }
        closedir(d);
        const struct map_entry *e;
        for (size_t i = 0; (e = map_next(&seen, &i));)
                free(e->value);
        return (int)f->n_sources;
}
