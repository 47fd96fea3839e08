/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/rotated.h"

#include "base/time.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { NUMBER_DIGITS = 4 }; /* more than these are a date, or seconds since 1970 */

enum order { BY_NUMBER, BY_DATE, BY_TIME };

static struct slice without_packing(struct slice name)
{
        static const struct slice endings[] = { { ".gz", 3 }, { ".xz", 3 }, { ".zst", 4 } };
        for (size_t i = 0; i < COUNT_OF(endings); i++)
                if (slice_ends(name, endings[i]))
                        return (struct slice){ name.p, name.n - endings[i].n };
        return name;
}

/* What stands between or behind the parts of the log's name: "-20261201" of mail-20261201.log and of mail.log-20261201. */
static struct slice addition(struct slice log, struct slice name)
{
        if (slice_starts(name, log))
                return slice_from(name, log.n);
        const char *dot = memrchr(log.p, '.', log.n);
        if (!dot)
                return S("");
        struct slice stem = { log.p, (size_t)(dot - log.p) }, ending = slice_from(log, stem.n);
        if (name.n <= log.n || !slice_starts(name, stem) || !slice_ends(name, ending))
                return S("");
        return (struct slice){ name.p + stem.n, name.n - log.n };
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Empty where this is no name of a rotated file. */
static struct slice mark_of(struct slice log, struct slice name)
{
        struct slice a = addition(log, without_packing(name));
        if (a.n < 2 || !strchr(".-_", a.p[0]) || !is_digit(a.p[1]))
                return S("");
        for (size_t i = 1; i < a.n; i++)
                if (!is_digit(a.p[i]) && !strchr(".-_:T", a.p[i]))
                        return S("");
        return slice_from(a, 1);
}

static size_t digits(struct slice mark)
{
        size_t n = 0;
        while (n < mark.n && is_digit(mark.p[n]))
                n++;
        return n;
}

/* --- order --- */

static enum order order_of(const struct rotated_list *l)
{
        size_t numbers = 0, dates = 0;
        for (size_t i = 0; i < l->n; i++) {
                numbers += l->all[i].mark.n && digits(l->all[i].mark) <= NUMBER_DIGITS;
                dates += digits(l->all[i].mark) > NUMBER_DIGITS;
        }
        return numbers == l->n ? BY_NUMBER : dates == l->n ? BY_DATE : BY_TIME;
}

static int by_size_of_number(struct slice a, struct slice b)
{
        uint64_t m = 0, n = 0;
        slice_u64((struct slice){ a.p, digits(a) }, UINT64_MAX, &m);
        slice_u64((struct slice){ b.p, digits(b) }, UINT64_MAX, &n);
        return (m < n) - (m > n);
}

static int compare(const void *x, const void *y, void *arg)
{
        const struct rotated *a = x, *b = y;
        const enum order *order = arg;
        int by = *order == BY_NUMBER ? by_size_of_number(a->mark, b->mark)
                 : *order == BY_DATE ? slice_cmp(a->mark, b->mark)
                                     : (a->written > b->written) - (a->written < b->written);
        return by ? by : strcmp(a->name, b->name);
}

static void drop_packed_twins(struct rotated_list *l)
{
        size_t kept = 0;
        for (size_t i = 0; i < l->n; i++) {
                struct slice plain = without_packing(slice_of(l->all[i].name));
                bool twin = false;
                for (size_t k = 0; l->all[i].packed && k < l->n && !twin; k++)
                        twin = l->all[k].name && slice_eq(slice_of(l->all[k].name), plain);
                if (twin)
                        free(take(l->all[i].name));
        }
        for (size_t i = 0; i < l->n; i++)
                if (l->all[i].name)
                        l->all[kept++] = l->all[i];
        l->n = kept;
}

/* --- the folder --- */

static bool look_at(int folder, const char *name, struct rotated *ret)
{
        struct stat st;
        if (fstatat(folder, name, &st, 0) == -1 || !S_ISREG(st.st_mode))
                return false;
        *ret = (struct rotated){ .device = st.st_dev, .inode = st.st_ino, .size = (uint64_t)st.st_size };
        ret->written = st.st_mtim.tv_sec * SECOND + st.st_mtim.tv_nsec / 1000;
        return true;
}

static void add(struct rotated_list *l, const struct rotated *found, const char *name, struct slice log)
{
        l->all = xgrow(l->all, &l->cap, l->n + 1, sizeof *l->all);
        struct rotated *r = &l->all[l->n++];
        *r = *found;
        r->name = xstrdup(name);
        struct slice own = slice_of(r->name);
        r->packed = without_packing(own).n < own.n;
        r->mark = mark_of(log, own);
}

/* A link to the log itself: it stands there under a name with a date, or is being renamed right now. */
static void drop_links(struct rotated_list *l, const struct rotated *log)
{
        size_t kept = 0;
        for (size_t i = 0; i < l->n; i++)
                if (l->all[i].device == log->device && l->all[i].inode == log->inode)
                        free(l->all[i].name);
                else
                        l->all[kept++] = l->all[i];
        l->n = kept;
}

void rotated_find(struct rotated_list *l, const char *folder, const char *name, bool siblings, uint64_t inode)
{
        struct slice log = slice_of(name);
        struct dirent *e;
        struct rotated found;
        DIR *d = siblings || inode ? opendir(folder) : NULL;
        while (d && l->n < ROTATED_MOST && (e = readdir(d))) {
                bool wanted = e->d_ino == inode || (siblings && mark_of(log, slice_of(e->d_name)).n);
                if (wanted && strcmp(e->d_name, name) != 0 && look_at(dirfd(d), e->d_name, &found))
                        add(l, &found, e->d_name, log);
        }
        drop_packed_twins(l);
        enum order order = order_of(l);
        if (l->n)
                qsort_r(l->all, l->n, sizeof *l->all, compare, &order);
        autofree char *path = xasprintf("%s/%s", folder, name);
        l->has_log = look_at(AT_FDCWD, path, &found);
        if (l->has_log) {
                drop_links(l, &found);
                add(l, &found, name, log);
        }
        if (d)
                closedir(d);
}

void rotated_done(struct rotated_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                free(l->all[i].name);
        free(l->all);
        *l = (struct rotated_list){ 0 };
}
