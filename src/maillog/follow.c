/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/follow.h"

#include "maillog/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { PIECE = MAILLOG_FOLLOW_PIECE, BUFFER = MAILLOG_LINE_MOST + PIECE, TEXT_MOST = 256 };

struct followed {
        char *path;
        struct tail *tail;
        struct tail_place done; /* for the caller to keep */
        bool waiting;           /* for a look at what may be the file of `done` */
        bool skipping;          /* a line that is too long */
        int told;               /* errno */
        uint64_t at;            /* in the file: behind what was given */
        uint64_t skipped;       /* of the line at `at` */
        uint64_t device, inode; /* of the file the bytes in the buffer are of */
        size_t given, kept;     /* of the buffer: what was given, and half a line behind it */
        char before[TAIL_BEFORE];
        size_t before_n; /* `at` is their end */
        char *buffer;
};

struct maillog_follow {
        struct followed *files;
        size_t n, turn;
        bool had, more; /* in this round; another step is due */
        int64_t looked; /* when the last round ended; with something in it: */
        bool busy;
        struct notice *notice;
        struct maillog_follow_counts counts;
        void (*tell)(void *arg, size_t file, const char *text);
        void *arg;
};

/* --- packed files --- */

static int unpack_begin(int fd, void **ret)
{
        automaillogreader *r = NULL;
        int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        int failed = own == -1 ? -errno : maillog_reader_take(own, &r);
        if (!failed && maillog_reader_packed(r))
                *ret = take(r);
        return failed;
}

static ssize_t unpack_bytes(void *u, char *room, size_t most)
{
        return maillog_reader_bytes(u, room, most);
}

static const char *unpack_trouble(void *u)
{
        return maillog_reader_trouble(u);
}

static void unpack_end(void *u)
{
        struct maillog_reader *r = u;
        maillog_reader_free_(&r);
}

static const struct tail_unpacker unpacker = { unpack_begin, unpack_bytes, unpack_trouble, unpack_end };

/* --- what hinders --- */

static void tell(struct maillog_follow *f, const struct followed *w, const char *text)
{
        if (f->tell)
                f->tell(f->arg, (size_t)(w - f->files), text);
}

/* Once each. */
static void tell_trouble(struct maillog_follow *f, struct followed *w)
{
        char text[TEXT_MOST];
        int trouble = tail_trouble(w->tail);
        if (trouble == w->told)
                return;
        w->told = trouble;
        if (trouble == ENOENT)
                snprintf(text, sizeof text, "there is no such file; it is waited for");
        else if (trouble)
                snprintf(text, sizeof text,
                         "it, or a file it was rotated to, cannot be read: %s; tried again and again",
                         strerror(trouble));
        else
                snprintf(text, sizeof text, "it can be read");
        tell(f, w, text);
}

static void tell_damage(struct maillog_follow *f, const struct followed *w)
{
        char text[TEXT_MOST];
        const char *damage = tail_damage(w->tail);
        if (!damage)
                return;
        snprintf(text, sizeof text, "a rotated file could not be read to its end: %s", damage);
        tell(f, w, text);
}

/* --- lines --- */

static void note_before(struct followed *w, struct slice lines)
{
        if (lines.n > TAIL_BEFORE)
                lines = slice_from(lines, lines.n - TAIL_BEFORE);
        w->before_n = lines.n;
        if (lines.n)
                memcpy(w->before, lines.p, lines.n);
}

static void give(struct maillog_follow *f, struct followed *w, size_t n, struct maillog_piece *ret)
{
        struct slice lines = { w->buffer, n };
        *ret = (struct maillog_piece){ (size_t)(w - f->files), lines, w->device, w->inode, w->at };
        f->counts.bytes += n;
        w->given = n;
        w->at += n;
        note_before(w, lines);
}

/* What is left of a line that was too long goes, up to its end. Its place stays in front of it until that is seen. */
static bool skip_line(struct maillog_follow *f, struct followed *w)
{
        const char *end = memchr(w->buffer, '\n', w->kept);
        size_t gone = end ? (size_t)(end - w->buffer) + 1 : w->kept;
        w->skipped += gone;
        w->kept -= gone;
        memmove(w->buffer, w->buffer + gone, w->kept);
        if (!end)
                return false;
        f->counts.too_long++;
        w->at += w->skipped;
        w->before_n = 0;
        w->skipped = 0;
        w->skipping = false;
        return true;
}

/* n more bytes stand behind half a line. */
static bool take_lines(struct maillog_follow *f, struct followed *w, size_t n, struct maillog_piece *ret)
{
        size_t searched = w->kept;
        w->kept += n;
        if (w->kept > MAILLOG_LINE_MOST && !w->skipping)
                w->skipping = !memchr(w->buffer + searched, '\n', MAILLOG_LINE_MOST + 1 - searched);
        if (w->skipping) {
                if (!skip_line(f, w))
                        return false;
                searched = 0;
        }
        const char *end = memrchr(w->buffer + searched, '\n', w->kept - searched);
        if (!end)
                return false;
        size_t whole = (size_t)(end - w->buffer) + 1;
        w->kept -= whole;
        give(f, w, whole, ret);
        return true;
}

/* Another file begins, or this one anew. The half line before it will get no rest. */
static bool begin_anew(struct maillog_follow *f, struct followed *w, bool cut, struct maillog_piece *ret)
{
        bool half = w->kept;
        *(cut ? &f->counts.cut : &f->counts.rotated) += 1;
        f->counts.too_long += w->skipping;
        if (half)
                give(f, w, w->kept, ret);
        w->kept = w->skipped = w->before_n = 0;
        w->skipping = false;
        w->at = tail_offset(w->tail);
        return half;
}

/* False where it must be tried again. */
static bool resume(struct maillog_follow *f, struct followed *w)
{
        int found = tail_resume(w->tail, &w->done);
        tell_trouble(f, w);
        if (found < 0)
                return false;
        w->waiting = false;
        w->at = tail_offset(w->tail);
        w->before_n = tail_before(w->tail, w->at, w->before);
        if (found)
                return true;
        f->counts.gone++;
        tell(f, w, "the file it was left in is gone; what was written later is read from its beginning");
        return true;
}

static bool next_piece(struct maillog_follow *f, struct followed *w, int64_t now, struct maillog_piece *ret)
{
        enum tail_found found;
        size_t n;
        if (w->waiting && !resume(f, w))
                return false;
        if (w->given)
                memmove(w->buffer, w->buffer + w->given, w->kept);
        w->given = 0;
        while ((found = tail_read(w->tail, now, w->buffer + w->kept, PIECE, &n)) != TAIL_WAIT) {
                tell_trouble(f, w);
                tell_damage(f, w);
                if (found != TAIL_BYTES && begin_anew(f, w, found == TAIL_CUT, ret))
                        return true;
                tail_identity(w->tail, &w->device, &w->inode);
                if (found == TAIL_BYTES && take_lines(f, w, n, ret))
                        return true;
        }
        tell_trouble(f, w);
        return false;
}

/* --- many files --- */

int maillog_follow_step(struct maillog_follow *f, int64_t now, struct maillog_piece *ret)
{
        if (!f->more) { /* a round begins: what is written after this wakes again */
                notice_drain(f->notice);
                for (size_t i = 0; i < f->n; i++)
                        notice_watch(f->notice, i, f->files[i].path, tail_folder(f->files[i].tail));
        }
        f->more = true;
        for (size_t k = 0; k < f->n; k++) {
                size_t i = (f->turn + k) % f->n;
                if (!next_piece(f, &f->files[i], now, ret))
                        continue;
                f->turn = i + 1;
                f->had = true;
                return 1;
        }
        f->busy = f->had;
        f->had = f->more = false;
        f->looked = now;
        return 0;
}

int64_t maillog_follow_pause(const struct maillog_follow *f, int64_t now, bool *listen)
{
        *listen = false;
        if (f->more)
                return 0;
        int64_t at = f->looked + (f->busy ? MAILLOG_FOLLOW_BATCH : MAILLOG_FOLLOW_POLL);
        for (size_t i = 0; i < f->n; i++) {
                int64_t due = tail_due(f->files[i].tail);
                if (due && due < at) /* one that cannot be opened stays due */
                        at = due > f->looked + MAILLOG_FOLLOW_BATCH ? due : f->looked + MAILLOG_FOLLOW_BATCH;
        }
        *listen = !f->busy && f->notice;
        return at > now ? at - now : 0;
}

int maillog_follow_fd(const struct maillog_follow *f)
{
        return f->notice ? notice_fd(f->notice) : -1;
}

/* --- places --- */

void maillog_follow_done(struct maillog_follow *f, size_t file)
{
        struct followed *w = &f->files[file];
        if (!w->waiting)
                tail_place(w->tail, w->at, (struct slice){ w->before, w->before_n }, &w->done);
}

void maillog_follow_positions(const struct maillog_follow *f, struct maillog_positions *ret)
{
        ret->n = f->n;
        for (size_t i = 0; i < f->n; i++)
                ret->all[i] = (struct maillog_position){ slice_of(f->files[i].path), f->files[i].done };
}

uint64_t maillog_follow_behind(const struct maillog_follow *f, size_t file)
{
        return tail_behind(f->files[file].tail);
}

int maillog_follow_trouble(const struct maillog_follow *f, size_t file)
{
        return tail_trouble(f->files[file].tail);
}

struct maillog_follow_counts maillog_follow_counts(const struct maillog_follow *f)
{
        return f->counts;
}

/* --- opening --- */

static void open_followed(struct followed *w, const char *path, const struct maillog_positions *positions)
{
        w->path = xstrdup(path);
        w->buffer = xmalloc(BUFFER);
        w->tail = tail_new(
            &(struct tail_options){ .path = path, .grace = MAILLOG_FOLLOW_GRACE, .log = true, .unpacker = &unpacker });
        tail_place(w->tail, 0, S(""), &w->done);
        for (size_t i = 0; positions && i < positions->n; i++)
                if (slice_eq(positions->all[i].path, slice_of(path))) {
                        w->done = positions->all[i].place;
                        w->waiting = true;
                }
}

struct maillog_follow *maillog_follow_open(const struct maillog_follow_options *o)
{
        struct maillog_follow *f = xcalloc(1, sizeof *f);
        if (o->n > MAILLOG_FOLLOW_MOST)
                panic("%zu logs are to be followed", o->n);
        f->files = xcalloc(o->n ? o->n : 1, sizeof *f->files);
        f->n = o->n;
        f->tell = o->tell;
        f->arg = o->arg;
        f->notice = notice_new(o->n);
        for (size_t i = 0; i < o->n; i++)
                open_followed(&f->files[i], o->paths[i], o->positions);
        return f;
}

void maillog_follow_free(struct maillog_follow *f)
{
        if (!f)
                return;
        for (size_t i = 0; i < f->n; i++) {
                tail_free(f->files[i].tail);
                free(f->files[i].path);
                free(f->files[i].buffer);
        }
        notice_free(f->notice);
        free(f->files);
        free(f);
}
