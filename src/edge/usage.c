/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/usage.h"
#include "edge/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct used {
        int64_t number, counted;
        uint64_t bytes;
};

void usage_done(struct usage *u)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&u->boxes, &i));)
                free(e->value);
        map_done(&u->boxes);
}

bool usage_of_name(struct slice name, uint64_t *ret)
{
        struct slice rest = name;
        size_t flags = slice_find(name, ':');
        rest.n = flags;
        while (rest.p) {
                struct slice word = slice_cut(rest, ',', &rest);
                if (slice_starts(word, S("S=")))
                        return slice_u64(slice_from(word, 2), INT64_MAX, ret);
        }
        return false;
}

/* NULL with errno where there is none. */
static DIR *list_of(int at, const char *name)
{
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *list = fd == -1 ? NULL : fdopendir(fd);
        if (fd != -1 && !list)
                close(fd);
        return list;
}

static void count_files(int at, const char *name, uint64_t *sum)
{
        DIR *list = list_of(at, name);
        struct dirent *e;
        struct stat st;
        uint64_t size;
        while (list && (e = readdir(list))) {
                if (e->d_name[0] == '.')
                        continue;
                if (usage_of_name(slice_of(e->d_name), &size))
                        *sum += size;
                else if (fstatat(dirfd(list), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
                        *sum += (uint64_t)st.st_size;
        }
        if (list)
                closedir(list);
}

/* The inbox, and the folders beside it, whose names begin with a dot (Maildir++). */
static int count(struct usage *u, int64_t number, uint64_t *ret)
{
        char path[MAILDIR_FOLDER_MAX];
        DIR *list = list_of(u->root, maildir_folder(number, path));
        struct dirent *e;
        uint64_t sum = 0;
        u->counts++;
        if (!list && errno != ENOENT)
                return -errno;
        while (list && (e = readdir(list))) {
                struct slice name = slice_of(e->d_name);
                if (slice_eq(name, S("new")) || slice_eq(name, S("cur")))
                        count_files(dirfd(list), e->d_name, &sum);
                if (e->d_name[0] != '.' || slice_eq(name, S(".")) || slice_eq(name, S("..")))
                        continue;
                autofree char *fresh = xasprintf("%s/new", e->d_name), *seen = xasprintf("%s/cur", e->d_name);
                count_files(dirfd(list), fresh, &sum);
                count_files(dirfd(list), seen, &sum);
        }
        if (list)
                closedir(list);
        *ret = sum;
        return 0;
}

static struct used *find(struct usage *u, int64_t number)
{
        return map_find(&u->boxes, (struct slice){ (const char *)&number, sizeof number });
}

static bool fits(const struct used *b, int64_t quota, uint64_t more)
{
        uint64_t most = (uint64_t)quota;
        return b->bytes < most && more <= most - b->bytes;
}

int usage_full(struct usage *u, int64_t number, int64_t quota, uint64_t more, int64_t now, bool *ret)
{
        struct used *b = find(u, number);
        bool old = !b || now - b->counted >= USAGE_FRESH || now < b->counted ||
                   (!fits(b, quota, more) && now - b->counted >= USAGE_FULL_FRESH);
        uint64_t bytes = 0;
        int failed = old ? count(u, number, &bytes) : 0;
        if (failed)
                return failed;
        if (!b) {
                b = xcalloc(1, sizeof *b);
                b->number = number;
                map_put(&u->boxes, (struct slice){ (const char *)&b->number, sizeof b->number }, b);
        }
        if (old)
                *b = (struct used){ number, now, bytes };
        *ret = !fits(b, quota, more);
        return 0;
}

void usage_add(struct usage *u, int64_t number, uint64_t bytes)
{
        struct used *b = find(u, number);
        if (b)
                b->bytes += bytes;
}
