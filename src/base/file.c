/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int read_all(int fd, struct buf *out)
{
        char piece[65536];
        for (;;) {
                ssize_t n = read(fd, piece, sizeof piece);
                if (n == -1 && errno == EINTR)
                        continue;
                if (n == -1)
                        return -errno;
                if (n == 0)
                        return 0;
                buf_add(out, (struct slice){ piece, (size_t)n });
                if (out->full)
                        return -EFBIG;
        }
}

int file_read(const char *path, struct buf *out)
{
        if (strcmp(path, "-") == 0)
                return read_all(STDIN_FILENO, out);
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd == -1)
                return -errno;
        return read_all(fd, out);
}

int folder_make(const char *path, unsigned mode)
{
        if (mkdir(path, (mode_t)mode) == 0)
                return chmod(path, (mode_t)mode) == -1 ? -errno : 0;
        if (errno != EEXIST)
                return -errno;
        struct stat st;
        if (stat(path, &st) == -1)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int folder_sync(const char *path)
{
        autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd == -1 || fsync(fd) == -1)
                return -errno;
        return 0;
}

int file_make(const char *path, unsigned mode)
{
        autoclose int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
        if (fd == -1)
                return errno == EEXIST ? 0 : -errno;
        return fchmod(fd, (mode_t)mode) == -1 ? -errno : 1;
}

static int write_all(int fd, struct slice text)
{
        while (text.n) {
                ssize_t n = write(fd, text.p, text.n);
                if (n == -1 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        text = slice_from(text, (size_t)n);
        }
        return fsync(fd) == -1 ? -errno : 0;
}

int file_replace(const char *path, unsigned mode, struct slice text)
{
        autofree char *beside = xasprintf("%s.new", path);
        autoclose int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
        if (fd == -1)
                return -errno;
        int failed = fchmod(fd, (mode_t)mode) == -1 ? -errno : write_all(fd, text);
        if (!failed && rename(beside, path) == -1)
                failed = -errno;
        if (failed) {
                unlink(beside);
                return failed;
        }
        const char *slash = strrchr(path, '/');
        autofree char *folder =
            slash ? slice_dup((struct slice){ path, (size_t)(slash - path) + (slash == path) }) : xstrdup(".");
        return folder_sync(folder);
}

/* The holder's pid is told by the kernel (F_GETLK): nothing written in the file could be trusted after a crash. */
int file_lock(const char *path, unsigned mode, int *ret_fd, long *holder)
{
        autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        *holder = 0;
        if (fd == -1)
                return -errno;
        if (fcntl(fd, F_SETLK, &lock) == 0) {
                *ret_fd = take_fd(&fd);
                return 0;
        }
        if (errno != EAGAIN && errno != EACCES)
                return -errno;
        if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
                *holder = lock.l_pid;
        return -EWOULDBLOCK;
}
