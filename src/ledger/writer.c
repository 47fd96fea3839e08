/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/writer.h"
#include "ledger/archive.h"
#include "base/file.h"
#include "base/time.h"
#include "ledger/mail_export.h"
#include "ledger/schema.h"
#include "ledger/secrets_store.h"
#include "ledger/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

enum { CHECKPOINT_PAGES = 1000, PATH_MOST = 4096 };

struct writer {
        struct ledger *ledger;
        struct mail_export *mail; /* NULL: not yet, or nothing to export */
        char *dir;
        int lock;
        bool open;  /* a group is under way */
        int failed; /* -errno: the group is lost already */
        bool disk_full;
        int64_t last_change;
        struct buf error;
};

static int say(struct buf *why, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int say(struct buf *why, int status, const char *fmt, ...)
{
        char text[PATH_MOST + 1024];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        buf_clear(why);
        buf_adds(why, text);
        return status;
}

static int join(char out[PATH_MOST], const char *dir, const char *name)
{
        return snprintf(out, PATH_MOST, "%s/%s", dir, name) < PATH_MOST ? 0 : -ENAMETOOLONG;
}

static int make_folder(const char *dir, struct buf *why)
{
        int status = folder_make(dir, 0750);
        if (status == -ENOENT)
                return say(why, status, "state folder %s: the folder it should be made in does not exist", dir);
        if (status == -ENOTDIR)
                return say(why, status, "state folder %s: is no folder", dir);
        return status < 0 ? say(why, status, "state folder %s: %s", dir, strerror(-status)) : 0;
}

/* "process 4711", as the holder wrote it into the lock. */
static void holder(int fd, struct buf *out)
{
        char text[32];
        uint64_t pid;
        ssize_t n = pread(fd, text, sizeof text, 0);
        struct slice s = slice_trim((struct slice){ text, n > 0 ? (size_t)n : 0 });
        if (slice_u64(s, INT32_MAX, &pid))
                buf_addf(out, "process %llu", (unsigned long long)pid);
        else
                buf_adds(out, "another process");
}

static int take_lock(const char *path, int *ret, struct buf *why)
{
        struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        char pid[16];
        int made = file_make(path, 0640);
        if (made < 0)
                return say(why, made, "%s: %s", path, strerror(-made));
        autoclose int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd == -1)
                return say(why, -errno, "%s: %s", path, strerror(errno));
        if (fcntl(fd, F_OFD_SETLK, &range) == -1) {
                int status = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
                autobuf who;
                buf_init(&who, 64);
                holder(fd, &who);
                return say(why, status, "%s: held by %s", path, buf_cstr(&who));
        }
        int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        /* The number is only for people: a full disk must not keep anybody out. */
        if (ftruncate(fd, 0) == -1 || pwrite(fd, pid, (size_t)n, 0) != n)
                buf_clear(why);
        *ret = take_fd(&fd);
        return 0;
}

static int open_database(const char *dir, struct writer *w, struct buf *why)
{
        char path[PATH_MOST];
        int64_t settled;
        if (join(path, dir, "ledger.db") < 0)
                return say(why, -ENAMETOOLONG, "%s: the name is too long", dir);
        int status = file_make(path, 0640);
        if (status < 0)
                return say(why, status, "%s: %s", path, strerror(-status));
        if (status == 1 && (status = folder_sync(dir)) < 0)
                return say(why, status, "%s: %s", dir, strerror(-status));
        if ((status = archive_folders(dir)) < 0)
                return say(why, status, "%s/leases: %s", dir, strerror(-status));
        if (access(path, R_OK | W_OK) == -1)
                return say(why, -errno, "%s: %s", path, strerror(errno));
        status = db_open(path, DB_WRITE, &w->ledger);
        w->ledger->archive = archive_new(dir);
        if (status == 0)
                status = schema_migrate(w->ledger);
        if (status == 0)
                status = secrets_attach(w->ledger, dir);
        if (status == 0)
                status = secrets_settle(w->ledger, time_now(), &settled);
        if (status == 0)
                status = ledger_last_change(w->ledger, &w->last_change);
        return status < 0 ? say(why, status, "%s/%s", dir, ledger_error(w->ledger)) : 0;
}

int writer_open(const char *dir, struct writer **ret, struct buf *why)
{
        char path[PATH_MOST];
        struct writer *w = xcalloc(1, sizeof *w);
        w->lock = -1;
        w->dir = xstrdup(dir);
        buf_init(&w->error, 2048);
        int status = join(path, dir, "keeper.lock");
        if (status < 0)
                say(why, status, "%s: the name is too long", dir);
        if (status == 0)
                status = make_folder(dir, why);
        if (status == 0)
                status = take_lock(path, &w->lock, why);
        if (status == 0)
                status = open_database(dir, w, why);
        if (status < 0)
                writer_close(w);
        else
                *ret = w;
        return status;
}

static void take_back(struct writer *w)
{
        if (db_in_transaction(w->ledger))
                db_do(w->ledger, "ROLLBACK");
        db_rolled_back(w->ledger);
        w->open = false;
        w->failed = 0;
}

/* Passive: it waits for nobody, and what readers still need stays for the next time. */
static void checkpoint(struct writer *w)
{
        if (w->ledger->wal_pages < CHECKPOINT_PAGES)
                return;
        w->ledger->wal_pages = 0;
        sqlite3_wal_checkpoint_v2(w->ledger->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* On a full disk the log itself is what can be made smaller: its committed part goes into the database, and its file to nothing. */
static void give_back(struct writer *w)
{
        sqlite3_busy_timeout(w->ledger->db, 100);
        w->ledger->log_emptied =
            sqlite3_wal_checkpoint_v2(w->ledger->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK;
        w->ledger->empty_log = false;
        sqlite3_busy_timeout(w->ledger->db, DB_BUSY_MS);
}

void writer_close(struct writer *w)
{
        if (!w)
                return;
        if (w->ledger && w->open)
                take_back(w);
        mail_export_close(w->mail);
        ledger_close(w->ledger);
        autoclose_(&w->lock);
        free(w->dir);
        buf_done(&w->error);
        free(w);
}

struct ledger *writer_ledger(struct writer *w)
{
        return w->ledger;
}

const char *writer_error(const struct writer *w)
{
        return w->error.p ? w->error.p : "";
}

int writer_export(struct writer *w, bool whole, struct buf *why)
{
        int status = w->mail ? 0 : mail_export_open(w->dir, w->ledger, &w->mail, why);
        return status == 0 && w->mail ? mail_export_follow(w->mail, w->ledger, whole, why) : status;
}

int64_t writer_last_change(const struct writer *w)
{
        return w->last_change;
}

static void lost(struct writer *w, int status)
{
        w->failed = status;
        say(&w->error, status, "%s", ledger_error(w->ledger));
}

void writer_run(struct writer *w, struct slice author, struct ipc_reader *frame, struct buf *reply)
{
        if (!w->open) {
                int status = db_do(w->ledger, "BEGIN IMMEDIATE");
                w->open = true;
                if (status < 0)
                        lost(w, status);
        }
        if (w->failed) {
                verbs_reply(reply, frame->verb, w->failed, slice_of(writer_error(w)));
                return;
        }
        int status = verbs_run(w->ledger, author, frame, time_now(), reply);
        w->disk_full = w->disk_full || status == -ENOSPC;
        if (!db_in_transaction(w->ledger))
                lost(w, status < 0 ? status : -EIO);
}

int writer_commit(struct writer *w)
{
        if (!w->open)
                return 0;
        int status = w->failed;
        if (status == 0) {
                status = db_do(w->ledger, "COMMIT");
                if (status < 0)
                        lost(w, status);
        }
        take_back(w);
        if (w->disk_full || status == -ENOSPC || w->ledger->empty_log)
                give_back(w);
        w->disk_full = false;
        if (status < 0)
                return status;
        ledger_last_change(w->ledger, &w->last_change);
        checkpoint(w);
        return 0;
}

int writer_own(struct writer *w, int (*work)(struct ledger *l, void *arg), void *arg)
{
        if (w->open)
                panic("the group is open");
        w->open = true;
        int status = db_do(w->ledger, "BEGIN IMMEDIATE");
        if (status == 0)
                status = work(w->ledger, arg);
        if (status != 0) {
                lost(w, status);
                w->disk_full = w->disk_full || status == -ENOSPC;
        }
        int committed = writer_commit(w);
        return status != 0 ? status : committed;
}

const char *author_print(uid_t uid, char out[AUTHOR_MOST])
{
        char text[4096];
        struct passwd entry, *found = NULL;
        if (getpwuid_r(uid, &entry, text, sizeof text, &found) != 0 || !found)
                snprintf(out, AUTHOR_MOST, "(%u)", (unsigned)uid);
        else
                snprintf(out, AUTHOR_MOST, "%.64s(%u)", found->pw_name, (unsigned)uid);
        return out;
}
