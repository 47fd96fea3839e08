/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/notice.h"

#include <sys/inotify.h>

struct notice {
        int fd;
        struct {
                int now, before; /* -1: none */
        } * files;
};

struct notice *notice_new(size_t n)
{
        int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (fd == -1)
                return NULL;
        struct notice *w = xcalloc(1, sizeof *w);
        w->fd = fd;
        w->files = xcalloc(n ? n : 1, sizeof *w->files);
        for (size_t i = 0; i < n; i++)
                w->files[i].now = w->files[i].before = -1;
        return w;
}

void notice_free(struct notice *w)
{
        if (!w)
                return;
        close(w->fd);
        free(w->files);
        free(w);
}

int notice_fd(const struct notice *w)
{
        return w->fd;
}

void notice_drain(struct notice *w)
{
        char events[16 << 10];
        for (int i = 0; w && i < 64; i++)
                if (read(w->fd, events, sizeof events) <= 0)
                        return;
}

/* Asking for a file that is watched already gives the same number again. */
void notice_watch(struct notice *w, size_t i, const char *path, const char *folder)
{
        if (!w)
                return;
        inotify_add_watch(w->fd, folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
        int now = inotify_add_watch(w->fd, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
        if (now == -1 || now == w->files[i].now)
                return;
        if (w->files[i].before != -1)
                inotify_rm_watch(w->fd, w->files[i].before);
        w->files[i].before = w->files[i].now;
        w->files[i].now = now;
}
