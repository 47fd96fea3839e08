/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/tail_inside.h"

#include "base/rotated.h"
#include "base/time.h"

#include <errno.h>
#include <libgen.h>
#include <sys/stat.h>

struct tail {
        char *path, *folder, *name;
        int64_t grace;
        bool log;
        const struct tail_unpacker *unpacker;
        struct source s;
        int trouble;
        const char *damage;
        int64_t quiet;    /* since when it has been at its end while its successor was there; 0: it was not */
        int64_t youngest; /* when the youngest rotated file was written that stood there before anything was read */
};

static void list_rotated(const struct tail *t, uint64_t inode, struct rotated_list *l)
{
        rotated_find(l, t->folder, t->name, t->log, inode);
}

static void find_youngest(struct tail *t)
{
        autorotated l = { 0 };
        list_rotated(t, 0, &l);
        for (size_t i = 0; i + l.has_log < l.n; i++)
                if (l.all[i].written > t->youngest)
                        t->youngest = l.all[i].written;
}

struct tail *tail_new(const struct tail_options *o)
{
        struct tail *t = xcalloc(1, sizeof *t);
        autofree char *folder = xstrdup(o->path), *name = xstrdup(o->path);
        t->path = xstrdup(o->path);
        t->folder = xstrdup(dirname(folder));
        t->name = xstrdup(basename(name));
        t->grace = o->grace;
        t->log = o->log;
        t->unpacker = o->unpacker;
        t->s.fd = -1;
        if (t->log)
                find_youngest(t);
        return t;
}

void tail_free(struct tail *t)
{
        if (!t)
                return;
        source_close(&t->s);
        free(t->path);
        free(t->folder);
        free(t->name);
        free(t);
}

void tail_free_(struct tail **t)
{
        tail_free(*t);
}

/* s is emptied. */
static void move_to(struct tail *t, struct source *s)
{
        source_close(&t->s);
        source_hand_over(s, &t->s);
        t->quiet = 0;
}

/* --- which file --- */

static bool is_log(const struct rotated_list *l, size_t i)
{
        return l->has_log && i + 1 == l->n;
}

static bool is_own(const struct tail *t, const struct rotated *r)
{
        return t->s.fd != -1 && r->device == t->s.device && r->inode == t->s.inode;
}

/* -EAGAIN: it was renamed since the folder was listed. */
static int open_entry(const struct tail *t, const struct rotated_list *l, size_t i, struct source *ret)
{
        autosource s = { .fd = -1 };
        autofree char *path = xasprintf("%s/%s", t->folder, l->all[i].name);
        int failed = source_open(path, is_log(l, i) ? NULL : t->unpacker, &s);
        if (failed)
                return failed == -ENOENT ? -EAGAIN : failed;
        if (s.device != l->all[i].device || s.inode != l->all[i].inode)
                return -EAGAIN;
        source_hand_over(&s, ret);
        return 0;
}

/* Under its inode first, whatever its name; then, of a log, a copy of it, packed or not. 1, 0, or -errno. */
static int find_place(const struct tail *t, const struct tail_place *p, struct source *ret)
{
        int hindered = 0;
        autorotated l = { 0 };
        list_rotated(t, p->inode, &l);
        for (size_t k = 0; k < (t->log ? 2 : 1) * l.n; k++) {
                size_t i = k % l.n;
                bool same = l.all[i].device == p->device && l.all[i].inode == p->inode;
                if (same != (k < l.n))
                        continue;
                autosource s = { .fd = -1 };
                int failed = open_entry(t, &l, i, &s);
                if (failed && l.all[i].written >= p->written)
                        hindered = failed;
                if (failed || !source_is(&s, p))
                        continue;
                source_hand_over(&s, ret);
                return 1;
        }
        return hindered;
}

/* The oldest that may have something of what was written after `since`. 1, 0, or -errno. */
static int find_unread(const struct tail *t, int64_t since, uint64_t device, uint64_t inode, struct source *ret)
{
        autorotated l = { 0 };
        list_rotated(t, inode, &l);
        for (size_t i = 0; i < l.n; i++)
                if (l.all[i].written > since || (l.all[i].device == device && l.all[i].inode == inode)) {
                        int failed = open_entry(t, &l, i, ret);
                        return failed ? failed : 1;
                }
        return 0;
}

static bool begins_alike(const struct tail *t, const struct rotated_list *l, size_t i)
{
        autosource s = { .fd = -1 };
        return t->s.head_n && open_entry(t, l, i, &s) == 0 && s.head_n >= t->s.head_n &&
               memcmp(s.head, t->s.head, t->s.head_n) == 0;
}

/* Where in the list those begin that come after the one being read: it may have been packed meanwhile, or be gone. */
static size_t first_after(const struct tail *t, const struct rotated_list *l)
{
        size_t n = l->n - l->has_log;
        for (size_t i = 0; i < l->n; i++)
                if (is_own(t, &l->all[i]))
                        return i + 1;
        for (size_t i = n; i > 0; i--) /* it is one of the youngest */
                if (begins_alike(t, l, i - 1))
                        return i;
        for (size_t i = 0; i < n; i++)
                if (l->all[i].written > t->s.written)
                        return i;
        return n;
}

/* The next one with something in it. 1, 0, or -errno. */
static int open_next(struct tail *t, struct source *ret, bool *log)
{
        struct stat st;
        t->trouble = stat(t->path, &st) == -1 ? errno : 0;
        if (!t->trouble && st.st_dev == t->s.device && st.st_ino == t->s.inode)
                return 0;
        autorotated l = { 0 };
        if (t->log)
                list_rotated(t, t->s.inode, &l);
        else
                rotated_find(&l, t->folder, t->name, false, 0);
        for (size_t i = t->log ? first_after(t, &l) : l.n - l.has_log; i < l.n; i++)
                if (l.all[i].size) {
                        int failed = open_entry(t, &l, i, ret);
                        *log = is_log(&l, i);
                        return failed ? failed : 1;
                }
        return 0;
}

/* --- reading --- */

static void place_here(const struct tail *t, struct tail_place *ret)
{
        tail_place(t, t->s.at, (struct slice){ t->s.before, t->s.before_n }, ret);
}

static void set_trouble(struct tail *t, int failed)
{
        if (failed && failed != -EAGAIN)
                t->trouble = -failed;
}

/* Replaced by a copy that may have more, as rsync does, or packed. */
static bool go_on_in_copy(struct tail *t)
{
        struct stat st;
        struct tail_place here;
        autosource copy = { .fd = -1 };
        if (!t->log || fstat(t->s.fd, &st) == -1 || st.st_nlink > 0)
                return false;
        place_here(t, &here);
        if (!here.head_n || find_place(t, &here, &copy) <= 0)
                return false;
        move_to(t, &copy);
        return true;
}

/* TAIL_BYTES: what comes next is known. */
static enum tail_found at_end(struct tail *t, int64_t now)
{
        bool log = false;
        autosource next = { .fd = -1 };
        const char *damage = t->s.packed ? t->unpacker->trouble(t->s.packed) : NULL;
        int status = open_next(t, &next, &log);
        set_trouble(t, status < 0 ? status : 0);
        if (status <= 0) {
                t->quiet = 0;
                return TAIL_WAIT;
        }
        if (t->quiet == 0)
                t->quiet = now ? now : 1;
        /* Nobody appends to what is packed, or has two after it. */
        if (log && !t->s.packed && now - t->quiet < t->grace)
                return TAIL_WAIT;
        t->damage = damage ? damage : t->damage;
        if (go_on_in_copy(t))
                return TAIL_BYTES;
        move_to(t, &next);
        return TAIL_NEXT;
}

static enum tail_found cut(struct tail *t)
{
        struct tail_place here;
        autosource found = { .fd = -1 };
        int status = 0;
        place_here(t, &here);
        if (t->log) {
                status = find_place(t, &here, &found);
                if (status > 0) {
                        move_to(t, &found);
                        return TAIL_BYTES;
                }
                if (status == 0)
                        status = find_unread(t, here.written, here.device, here.inode, &found);
        }
        if (status < 0) {
                set_trouble(t, status);
                return TAIL_WAIT;
        }
        if (status > 0)
                move_to(t, &found);
        t->quiet = 0;
        if (!t->s.packed)
                source_anew(&t->s, t->log);
        return TAIL_CUT;
}

/* What was rotated before anybody looked, but was not there when we came, is to be read, too. */
static bool begin(struct tail *t)
{
        autosource s = { .fd = -1 };
        int status = t->log ? find_unread(t, t->youngest, 0, 0, &s) : 0;
        if (status == 0)
                status = source_open(t->path, NULL, &s);
        t->trouble = 0;
        set_trouble(t, status < 0 ? status : 0);
        if (s.fd == -1)
                return false;
        move_to(t, &s);
        return true;
}

enum tail_found tail_read(struct tail *t, int64_t now, char *room, size_t most, size_t *n)
{
        enum tail_found found = TAIL_BYTES;
        *n = 0;
        if (t->s.fd == -1 && !begin(t))
                return TAIL_WAIT;
        while (found == TAIL_BYTES) {
                ssize_t got = source_read(&t->s, room, most);
                if (got < 0 && got != -ESTALE) {
                        t->trouble = (int)-got;
                        return TAIL_WAIT;
                }
                if (got < 0 || !source_same(&t->s)) {
                        found = cut(t);
                } else if (got == 0) {
                        found = at_end(t, now);
                } else {
                        source_took(&t->s, (struct slice){ room, (size_t)got });
                        t->quiet = 0;
                        *n = (size_t)got;
                        return TAIL_BYTES;
                }
        }
        return found;
}

/* --- places --- */

int tail_resume(struct tail *t, const struct tail_place *p)
{
        autosource s = { .fd = -1 };
        struct stat st;
        bool empty = t->log && !p->head_n; /* nothing was read of it, and by nothing could it be known */
        int status = empty ? 0 : find_place(t, p, &s), found = status;
        if (status == 0 && t->log)
                status = find_unread(t, p->written, empty ? p->device : 0, empty ? p->inode : 0, &s);
        if (status == 0 && t->log && stat(t->path, &st) == -1)
                status = -errno; /* nothing is there at all: it may not be mounted yet */
        t->trouble = 0;
        set_trouble(t, status < 0 ? status : 0);
        if (status > 0)
                move_to(t, &s);
        return status < 0 ? status : found > 0 || empty;
}

void tail_place(const struct tail *t, uint64_t offset, struct slice before, struct tail_place *ret)
{
        if (before.n > TAIL_BEFORE)
                before = slice_from(before, before.n - TAIL_BEFORE);
        *ret = (struct tail_place){ .written = t->youngest };
        if (t->s.fd == -1)
                before = S("");
        else
                *ret = (struct tail_place){ t->s.device, t->s.inode, offset, t->s.written, t->s.head_n, 0, "", "" };
        ret->before_n = before.n;
        tail_digest((struct slice){ t->s.head, ret->head_n }, ret->head);
        tail_digest(before, ret->before);
}

size_t tail_before(const struct tail *t, uint64_t offset, char room[TAIL_BEFORE])
{
        if (offset == t->s.at) {
                memcpy(room, t->s.before, t->s.before_n);
                return t->s.before_n;
        }
        size_t n = offset < TAIL_BEFORE ? (size_t)offset : TAIL_BEFORE;
        ssize_t got = t->s.fd == -1 || t->s.packed ? 0 : pread(t->s.fd, room, n, (off_t)(offset - n));
        return got == (ssize_t)n ? n : 0;
}

/* --- what it says of itself --- */

const char *tail_folder(const struct tail *t)
{
        return t->folder;
}

int tail_trouble(const struct tail *t)
{
        return t->trouble;
}

const char *tail_damage(struct tail *t)
{
        return take(t->damage);
}

uint64_t tail_offset(const struct tail *t)
{
        return t->s.at;
}

void tail_identity(const struct tail *t, uint64_t *device, uint64_t *inode)
{
        *device = t->s.device;
        *inode = t->s.inode;
}

int64_t tail_due(const struct tail *t)
{
        return t->quiet ? t->quiet + t->grace : 0;
}

uint64_t tail_behind(struct tail *t)
{
        struct stat st;
        bool stands = stat(t->path, &st) == 0;
        uint64_t left = source_left(&t->s);
        if (t->s.fd == -1)
                return stands ? (uint64_t)st.st_size : 0;
        if (stands && st.st_dev == t->s.device && st.st_ino == t->s.inode)
                return left;
        autorotated l = { 0 };
        list_rotated(t, t->s.inode, &l);
        for (size_t i = t->log ? first_after(t, &l) : l.n - l.has_log; i < l.n; i++)
                left += l.all[i].size;
        return left;
}
