/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/follow.h"

#include "base/sha256.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SAMPLE = 256, DIGEST_SHOWN = 16 };

struct follow {
        char *path, *folder;
        int fd; /* -1: none is open */
        int trouble;
        uint64_t at;                   /* bytes read of it */
        char digest[DIGEST_SHOWN + 1]; /* of `at` */
        int64_t quiet; /* since when it has been at its end while its successor was there; 0: it was not */
        char heading[FOLLOW_HEADING_MOST];
};

struct follow *follow_new(const char *path)
{
        struct follow *f = xcalloc(1, sizeof *f);
        autofree char *copy = xstrdup(path);
        f->path = xstrdup(path);
        f->folder = xstrdup(dirname(copy));
        f->fd = -1;
        return f;
}

void follow_free(struct follow *f)
{
        if (!f)
                return;
        autoclose_(&f->fd);
        free(f->path);
        free(f->folder);
        free(f);
}

void follow_free_(struct follow **f)
{
        follow_free(*f);
}

const char *follow_folder(const struct follow *f)
{
        return f->folder;
}

int follow_trouble(const struct follow *f)
{
        return f->trouble;
}

/* Only a file: a pipe or a device would block, or never end. -errno. */
static int open_file(int folder, const char *path)
{
        struct stat st;
        autoclose int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd == -1 || fstat(fd, &st) == -1)
                return -errno;
        return S_ISREG(st.st_mode) ? take_fd(&fd) : -EINVAL;
}

/* Of the first bytes of the file and of the last before `at`. Where these are others now, or fewer, the digest is another. */
static void take_digest(int fd, uint64_t at, char out[DIGEST_SHOWN + 1])
{
        char sample[2 * SAMPLE], hex[SHA256_HEX + 1];
        size_t n = at < SAMPLE ? (size_t)at : SAMPLE;
        ssize_t head = pread(fd, sample, n, 0);
        ssize_t tail = pread(fd, sample + n, n, (off_t)(at - n));
        if (head != (ssize_t)n || tail != (ssize_t)n)
                memset(sample, 0, 2 * n);
        sha256_hex((struct slice){ sample, 2 * n }, hex);
        memcpy(out, hex, DIGEST_SHOWN);
        out[DIGEST_SHOWN] = '\0';
}

static bool has_digest(int fd, uint64_t at, struct slice want)
{
        char digest[DIGEST_SHOWN + 1];
        take_digest(fd, at, digest);
        return slice_eq(slice_of(digest), want);
}

static void move_to(struct follow *f, int fd, uint64_t at)
{
        if (fd != f->fd)
                autoclose_(&f->fd);
        f->fd = fd;
        f->at = at;
        f->quiet = 0;
        take_digest(fd, at, f->digest);
}

/* --- reading --- */

/* Whether another file stands under the name now, with something in it. */
static bool has_successor(struct follow *f)
{
        struct stat old, new;
        f->trouble = stat(f->path, &new) == -1 ? errno : 0;
        if (f->trouble || fstat(f->fd, &old) == -1)
                return false;
        return (old.st_dev != new.st_dev || old.st_ino != new.st_ino) && new.st_size > 0;
}

static enum follow_found at_end(struct follow *f, int64_t now)
{
        if (!has_successor(f)) {
                f->quiet = 0;
                return FOLLOW_WAIT;
        }
        if (f->quiet == 0)
                f->quiet = now ? now : 1;
        if (now - f->quiet < FOLLOW_GRACE)
                return FOLLOW_WAIT;
        int fd = open_file(AT_FDCWD, f->path);
        f->trouble = fd < 0 ? -fd : 0;
        if (fd < 0)
                return FOLLOW_WAIT;
        move_to(f, fd, 0);
        return FOLLOW_NEXT;
}

static bool begin(struct follow *f)
{
        int fd = open_file(AT_FDCWD, f->path);
        f->trouble = fd < 0 ? -fd : 0;
        if (fd >= 0)
                move_to(f, fd, 0);
        return fd >= 0;
}

enum follow_found follow_read(struct follow *f, int64_t now, char *room, size_t most, size_t *n)
{
        struct stat st;
        *n = 0;
        if (f->fd == -1 && !begin(f))
                return FOLLOW_WAIT;
        if (fstat(f->fd, &st) == -1)
                panic("fstat: %s", strerror(errno));
        if ((uint64_t)st.st_size == f->at)
                return at_end(f, now);
        if ((uint64_t)st.st_size < f->at || !has_digest(f->fd, f->at, slice_of(f->digest))) {
                move_to(f, f->fd, 0);
                return FOLLOW_CUT;
        }
        ssize_t got = pread(f->fd, room, most, (off_t)f->at);
        f->trouble = got == -1 ? errno : 0;
        if (got <= 0)
                return FOLLOW_WAIT;
        move_to(f, f->fd, f->at + (uint64_t)got);
        *n = (size_t)got;
        return FOLLOW_BYTES;
}

/* --- places --- */

void follow_place(struct follow *f, const struct reader_place *p, struct buf *out)
{
        char digest[DIGEST_SHOWN + 1];
        struct stat st;
        if (f->fd == -1 || fstat(f->fd, &st) == -1 || p->heading.n > FOLLOW_HEADING_MOST)
                return;
        take_digest(f->fd, p->offset, digest);
        buf_addf(out, "%llx %llx %llu %llu %s ", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                 (unsigned long long)p->offset, (unsigned long long)p->line, digest);
        for (size_t i = 0; i < p->heading.n; i++)
                buf_addf(out, "%02x", (unsigned char)p->heading.p[i]);
}

struct place_text {
        unsigned long long device, inode, offset, line;
        char digest[DIGEST_SHOWN + 1];
        size_t heading; /* bytes of it */
};

static int nibble(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_place(struct follow *f, struct slice text, struct place_text *ret)
{
        int end = 0;
        autofree char *copy = slice_dup(text);
        if (sscanf(copy, "%llx %llx %llu %llu %16[0-9a-f] %n", &ret->device, &ret->inode, &ret->offset, &ret->line,
                   ret->digest, &end) != 5)
                return false;
        struct slice hex = slice_of(copy + end);
        if (hex.n % 2 || hex.n / 2 > sizeof f->heading)
                return false;
        for (size_t i = 0; i < hex.n; i += 2) {
                int high = nibble(hex.p[i]), low = nibble(hex.p[i + 1]);
                if (high < 0 || low < 0)
                        return false;
                f->heading[i / 2] = (char)(high << 4 | low);
        }
        ret->heading = hex.n / 2;
        return true;
}

static bool is_of_place(int fd, const struct place_text *p)
{
        struct stat st;
        if (fstat(fd, &st) == -1 || st.st_dev != p->device || st.st_ino != p->inode)
                return false;
        return (uint64_t)st.st_size >= p->offset && has_digest(fd, p->offset, slice_of(p->digest));
}

/* It may have been renamed while nobody followed: the folder knows where to. */
static int find_renamed(const struct follow *f, const struct place_text *p)
{
        DIR *folder = opendir(f->folder);
        struct dirent *e;
        int found = -1;
        while (folder && found == -1 && (e = readdir(folder))) {
                if (e->d_ino != p->inode)
                        continue;
                int fd = open_file(dirfd(folder), e->d_name);
                if (fd >= 0 && is_of_place(fd, p))
                        found = fd;
                else if (fd >= 0)
                        close(fd);
        }
        if (folder)
                closedir(folder);
        return found;
}

bool follow_resume(struct follow *f, struct slice place, struct reader_place *ret)
{
        struct place_text p;
        if (!parse_place(f, place, &p))
                return false;
        int fd = open_file(AT_FDCWD, f->path);
        if (fd < 0 || !is_of_place(fd, &p)) {
                if (fd >= 0)
                        close(fd);
                fd = find_renamed(f, &p);
        }
        if (fd < 0)
                return false;
        move_to(f, fd, p.offset);
        *ret = (struct reader_place){ p.offset, p.line, { f->heading, p.heading } };
        return true;
}
