/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/maildir.h"
#include "base/file.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, PATH_ROOM = MAILDIR_FOLDER_MAX + MAILDIR_NAME_MAX + 8 };

/* What we know of a mailbox's folders since the start. */
struct box {
        int64_t number;
        bool safe;  /* they are there, and on disk */
        bool swept; /* of copies that were never finished */
};

struct maildir_message {
        struct maildir *m;
        int fd;
        bool staged;   /* it is in tmp/ */
        int failed;    /* -errno of the first write that failed: nothing comes after it */
        uint64_t size; /* on disk, with LF */
        uint64_t crlf; /* as it came, with CRLF */
        size_t n;      /* in `piece` */
        char base[96]; /* unique; what follows it is known at the end */
        char name[MAILDIR_NAME_MAX];
        char piece[MAILDIR_PIECE];
};

/* --- the system calls that change something --- */

/* True where a test lets the call fail; errno says how. */
static bool stopped(const struct maildir *m, const char *call)
{
        int error = m->hook.before ? m->hook.before(m->hook.arg, call) : 0;
        if (error)
                errno = error;
        return error != 0;
}

static int make_folder(const struct maildir *m, const char *path)
{
        if (!stopped(m, "mkdir") && mkdirat(m->root, path, FOLDER_MODE) == 0)
                return 0;
        return errno == EEXIST ? 0 : -errno;
}

static int sync_fd(const struct maildir *m, int fd)
{
        return stopped(m, "fsync") || fsync(fd) == -1 ? -errno : 0;
}

static int sync_folder(const struct maildir *m, const char *path)
{
        autoclose int fd = openat(m->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd == -1 ? -errno : sync_fd(m, fd);
}

static int make_file(const struct maildir *m, const char *path, int *ret)
{
        int fd = stopped(m, "open")
                     ? -1
                     : openat(m->root, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        if (fd == -1)
                return -errno;
        *ret = fd;
        return 0;
}

static int write_all(const struct maildir *m, int fd, struct slice s)
{
        while (s.n) {
                ssize_t n = stopped(m, "write") ? -1 : write(fd, s.p, s.n);
                if (n == -1 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        s = slice_from(s, (size_t)n);
        }
        return 0;
}

static void remove_file(const struct maildir *m, const char *path)
{
        if (!stopped(m, "unlink"))
                unlinkat(m->root, path, 0);
}

/* --- the folder --- */

const char *maildir_folder(int64_t number, char out[MAILDIR_FOLDER_MAX])
{
        snprintf(out, MAILDIR_FOLDER_MAX, "%02lld/%lld/Maildir", (long long)(number % 100), (long long)number);
        return out;
}

/* Files in a folder: those with this in front of their names, and older than this (0: all). */
static void sweep(const struct maildir *m, const char *path, const char *prefix, int64_t older_than)
{
        int fd = openat(m->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *list = fd == -1 ? NULL : fdopendir(fd);
        struct dirent *e;
        struct stat st;
        while (list && (e = readdir(list))) {
                if (!slice_starts(slice_of(e->d_name), slice_of(prefix)) ||
                    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode))
                        continue;
                if (!older_than || st.st_mtime * SECOND < older_than)
                        unlinkat(fd, e->d_name, 0);
        }
        if (list)
                closedir(list);
        else if (fd != -1)
                close(fd);
}

/* Characters that mean something in names: maildir(5), and the comma before S=. */
static void read_host(struct maildir *m)
{
        char host[64] = "";
        size_t at = 0;
        if (gethostname(host, sizeof host - 1) == -1 || !host[0])
                snprintf(host, sizeof host, "localhost");
        for (size_t i = 0; host[i] && at + 1 < sizeof m->host; i++) {
                char c = host[i];
                bool plain =
                    (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
                m->host[at++] = plain ? c : '_';
        }
        m->host[at] = 0;
}

static int say(struct buf *why, int failed, const char *path, long holder)
{
        if (failed == -EWOULDBLOCK)
                buf_addf(why, "%s: another process (pid %ld) delivers there", path, holder);
        else
                buf_addf(why, "%s: %s", path, strerror(-failed));
        return failed;
}

int maildir_open(struct maildir *m, const char *path, const struct maildir_hook *hook, struct buf *why)
{
        struct stat st;
        long holder = 0;
        autofree char *lock = xasprintf("%s/lock", path);
        *m = (struct maildir){ .root = -1, .lock = -1 };
        if (stat(path, &st) == -1 && mkdir(path, FOLDER_MODE) == -1)
                return say(why, -errno, path, 0);
        m->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int failed = m->root == -1 ? -errno : file_lock(lock, FILE_MODE, &m->lock, &holder);
        if (!failed)
                failed = make_folder(m, "tmp");
        if (failed) {
                maildir_done(m);
                return say(why, failed, path, holder);
        }
        read_host(m);
        sweep(m, "tmp", "", 0);
        m->hook = hook ? *hook : (struct maildir_hook){ NULL, NULL };
        return 0;
}

void maildir_done(struct maildir *m)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&m->boxes, &i));)
                free(e->value);
        map_done(&m->boxes);
        autoclose_(&m->lock);
        autoclose_(&m->root);
        m->root = m->lock = -1;
}

static struct box *box_of(struct maildir *m, int64_t number)
{
        struct slice key = { (const char *)&number, sizeof number };
        struct box *b = map_find(&m->boxes, key);
        if (b)
                return b;
        b = xcalloc(1, sizeof *b);
        b->number = number;
        map_put(&m->boxes, (struct slice){ (const char *)&b->number, sizeof b->number }, b);
        return b;
}

/* The folders, and what lists each of them on disk. One that stood already may have been made by who died before he could flush it. */
static int make_box(struct maildir *m, struct box *b)
{
        char folder[MAILDIR_FOLDER_MAX], path[PATH_ROOM];
        maildir_folder(b->number, folder);
        int failed = 0;
        for (char *slash = strchr(folder, '/'); !failed && slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                failed = make_folder(m, folder);
                *slash = '/';
        }
        static const char *const leaves[] = { "", "/tmp", "/cur", "/new" };
        for (size_t i = 0; !failed && i < COUNT_OF(leaves); i++) {
                snprintf(path, sizeof path, "%s%s", folder, leaves[i]);
                failed = make_folder(m, path);
        }
        if (!failed)
                failed = sync_folder(m, ".");
        for (char *slash = strchr(folder, '/'); !failed && slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                failed = sync_folder(m, folder);
                *slash = '/';
        }
        if (!failed)
                failed = sync_folder(m, folder);
        b->safe = !failed;
        return failed;
}

/* --- a message --- */

int maildir_begin(struct maildir *m, int64_t now, struct maildir_message **ret)
{
        char path[PATH_ROOM];
        struct maildir_message *w = xcalloc(1, sizeof *w);
        w->m = m;
        w->fd = -1;
        snprintf(w->base, sizeof w->base, "%lld.M%lldP%ldQ%llu", (long long)(now / SECOND), (long long)(now % SECOND),
                 (long)getpid(), (unsigned long long)++m->count);
        snprintf(path, sizeof path, "tmp/%s", w->base);
        int failed = make_file(m, path, &w->fd);
        if (failed) {
                free(w);
                return failed;
        }
        w->staged = true;
        *ret = w;
        return 0;
}

static void unstage(struct maildir_message *w)
{
        char path[PATH_ROOM];
        snprintf(path, sizeof path, "tmp/%s", w->base);
        if (w->staged)
                remove_file(w->m, path);
        w->staged = false;
}

void maildir_drop(struct maildir_message *w)
{
        if (!w)
                return;
        unstage(w);
        if (w->fd != -1)
                close(w->fd);
        free(w);
}

static int flush(struct maildir_message *w)
{
        int failed = write_all(w->m, w->fd, (struct slice){ w->piece, w->n });
        w->n = 0;
        if (!failed)
                return 0;
        w->failed = failed;
        unstage(w); /* a full disk has its room back at once */
        autoclose_(&w->fd);
        w->fd = -1;
        return failed;
}

/* Every CR stands before an LF: smtp/data lets no other pass. */
int maildir_write(struct maildir_message *w, struct slice text)
{
        while (text.n && !w->failed) {
                size_t n = slice_find(text, '\r');
                size_t skip = n < text.n;
                if (n > MAILDIR_PIECE - w->n) {
                        n = MAILDIR_PIECE - w->n;
                        skip = 0;
                }
                memcpy(w->piece + w->n, text.p, n);
                w->n += n;
                w->size += n;
                w->crlf += n + skip;
                text = slice_from(text, n + skip);
                if (w->n == MAILDIR_PIECE)
                        flush(w);
        }
        return w->failed;
}

uint64_t maildir_size(const struct maildir_message *w)
{
        return w->size;
}

const char *maildir_name(const struct maildir_message *w)
{
        return w->name;
}

/* --- into the mailboxes --- */

static void path_in_new(const struct maildir_message *w, int64_t number, const char *before, char out[PATH_ROOM])
{
        char folder[MAILDIR_FOLDER_MAX];
        snprintf(out, PATH_ROOM, "%s/new/%s%s", maildir_folder(number, folder), before, w->name);
}

static int copy_bytes(struct maildir_message *w, int to)
{
        off_t at = 0;
        for (;;) {
                ssize_t n = pread(w->fd, w->piece, sizeof w->piece, at);
                if (n == -1 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n == 0 ? sync_fd(w->m, to) : -errno;
                int failed = write_all(w->m, to, (struct slice){ w->piece, (size_t)n });
                if (failed)
                        return failed;
                at += n;
        }
}

static int copy_into(struct maildir_message *w, struct box *b)
{
        char hidden[PATH_ROOM], shown[PATH_ROOM], folder[MAILDIR_FOLDER_MAX], path[PATH_ROOM];
        path_in_new(w, b->number, ".", hidden);
        path_in_new(w, b->number, "", shown);
        snprintf(path, sizeof path, "%s/new", maildir_folder(b->number, folder));
        if (!b->swept)
                sweep(w->m, path, ".", time_now() - MAILDIR_OLD_HOURS * HOUR);
        b->swept = true;
        autoclose int fd = -1;
        int failed = make_file(w->m, hidden, &fd);
        if (failed)
                return failed;
        failed = copy_bytes(w, fd);
        if (!failed && (stopped(w->m, "rename") || renameat(w->m->root, hidden, w->m->root, shown) == -1))
                failed = -errno;
        if (failed)
                remove_file(w->m, hidden);
        return failed;
}

static int link_into(struct maildir_message *w, int64_t number)
{
        char from[PATH_ROOM], to[PATH_ROOM];
        snprintf(from, sizeof from, "tmp/%s", w->base);
        path_in_new(w, number, "", to);
        return stopped(w->m, "link") || linkat(w->m->root, from, w->m->root, to, 0) == -1 ? -errno : 0;
}

static bool no_link_possible(int failed)
{
        return failed == -EXDEV || failed == -EPERM || failed == -EMLINK || failed == -EOPNOTSUPP || failed == -ENOSYS;
}

static int put_into(struct maildir_message *w, int64_t number)
{
        struct box *b = box_of(w->m, number);
        int failed = b->safe ? 0 : make_box(w->m, b);
        if (failed)
                return failed;
        failed = link_into(w, number);
        if (failed == -ENOENT) { /* somebody removed its folder */
                failed = make_box(w->m, b);
                failed = failed ? failed : link_into(w, number);
        }
        return no_link_possible(failed) ? copy_into(w, b) : failed;
}

static int sync_new(struct maildir_message *w, int64_t number)
{
        char folder[MAILDIR_FOLDER_MAX], path[PATH_ROOM];
        snprintf(path, sizeof path, "%s/new", maildir_folder(number, folder));
        return sync_folder(w->m, path);
}

static void take_back(struct maildir_message *w, const int64_t *numbers, size_t n)
{
        char path[PATH_ROOM];
        for (size_t i = 0; i < n; i++) {
                path_in_new(w, numbers[i], "", path);
                remove_file(w->m, path);
        }
}

int maildir_commit(struct maildir_message *w, const int64_t *numbers, size_t n)
{
        size_t put = 0;
        int failed = w->failed ? w->failed : flush(w);
        if (!failed)
                failed = sync_fd(w->m, w->fd);
        snprintf(w->name, sizeof w->name, "%s.%s,S=%llu,W=%llu", w->base, w->m->host, (unsigned long long)w->size,
                 (unsigned long long)w->crlf);
        while (!failed && put < n) {
                failed = put_into(w, numbers[put]);
                put += !failed;
        }
        for (size_t i = 0; !failed && i < n; i++)
                failed = sync_new(w, numbers[i]);
        if (failed)
                take_back(w, numbers, put);
        unstage(w);
        return failed;
}
