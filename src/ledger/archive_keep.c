/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/archive_forget.h"
#include "ledger/nouns.h"
#include "ledger/pile_private.h"
#include "ledger/wire.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { CHECK_BYTES = 4 << 20, CHECKS_MOST = 4096, MOVE_MEMORY = 8 << 20, LIVE_SLICE = 250 };

struct archive_writing *archive_writing(struct ledger *l)
{
        if (!l->archive->writing)
                l->archive->writing = xcalloc(1, sizeof *l->archive->writing);
        return l->archive->writing;
}

static void drop_check(struct archive_writing *w, size_t i)
{
        segment_free(w->checks[i].segment);
        free(w->checks[i].name);
        free(w->checks[i].path);
        w->checks[i] = w->checks[--w->n_checks];
}

void archive_writing_free(struct archive_writing *w)
{
        if (!w)
                return;
        while (w->n_checks)
                drop_check(w, 0);
        for (size_t i = 0; i < w->n_doomed; i++)
                free(w->doomed[i].path);
        forget_free(w->forgetting);
        free(w->checks);
        free(w->doomed);
        free(w);
}

/* --- in and out of the list --- */

static int put_file(struct ledger *l, const char *path, int64_t month, int64_t id)
{
        char text[MONTH_TEXT_MAX];
        autofree char *leases = xasprintf("%s/leases", l->archive->dir);
        autofree char *folder = xasprintf("%s/%s", leases, month_print(month, text));
        autofree char *to = archive_path(l->archive->dir, month, id);
        int status = archive_folder(folder, leases);
        if (status == 0 && rename(path, to) == -1)
                status = -errno;
        if (status == 0)
                status = folder_sync(folder);
        return status < 0 ? db_fail(l, status, "%s: %s", to, strerror(-status)) : 0;
}

int archive_adopt(struct ledger *l, const char *path, const struct segment_info *info, int64_t rank, int64_t now)
{
        struct statement *s =
            db_prepare(l, "INSERT INTO segment(month, rank, at, leases, corrections, bytes, first, last, hash)"
                          " VALUES(?, coalesce(nullif(?, 0), (SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence"
                          " WHERE name = 'segment')), ?, ?, ?, ?, ?, ?, ?)");
        db_int(s, info->month);
        db_int(s, rank);
        db_int(s, now);
        db_int(s, (int64_t)info->leases);
        db_int(s, (int64_t)info->corrections);
        db_int(s, (int64_t)info->bytes);
        db_int(s, info->first);
        db_int(s, info->last);
        db_text(s, slice_of(info->hash));
        int status = db_run(s);
        return status < 0 ? status : put_file(l, path, info->month, sqlite3_last_insert_rowid(l->db));
}

int archive_drop(struct ledger *l, const struct part *p)
{
        struct archive_writing *w = archive_writing(l);
        struct statement *s = db_prepare(l, "DELETE FROM segment WHERE id = ?");
        db_int(s, p->id);
        int status = db_run(s);
        if (status < 0)
                return status;
        w->doomed = xgrow(w->doomed, &w->doomed_cap, w->n_doomed + 1, sizeof *w->doomed);
        w->doomed[w->n_doomed++] =
            (struct doomed){ archive_path(l->archive->dir, p->info.month, p->id), time_monotonic() };
        return 0;
}

/* Whether the list still has it: the transaction that dropped it may have been taken back. */
static int is_listed(struct ledger *l, const char *path, bool *ret)
{
        const char *name = strrchr(path, '/') + 1;
        uint64_t id;
        int64_t n = 0;
        struct slice number = slice_cut(slice_of(name), '.', &(struct slice){ NULL, 0 });
        *ret = false;
        if (!slice_u64(number, INT64_MAX, &id))
                return 0;
        struct statement *s = db_prepare(l, "SELECT month FROM segment WHERE id = ?");
        db_int(s, (int64_t)id);
        int status = db_number(s, &n);
        if (status == 0) {
                autofree char *listed = archive_path(l->archive->dir, n, (int64_t)id);
                *ret = strcmp(listed, path) == 0;
        }
        return status == -ENOENT ? 0 : status;
}

void archive_bury(struct ledger *l, bool all)
{
        struct archive_writing *w = l->archive->writing;
        int64_t now = time_monotonic();
        for (size_t i = w ? w->n_doomed : 0; i-- > 0;) {
                bool listed = false;
                struct doomed *d = &w->doomed[i];
                if (!all && now - d->since < ARCHIVE_LINGER)
                        continue;
                if (is_listed(l, d->path, &listed) < 0)
                        continue;
                if (!listed)
                        unlink(d->path);
                free(d->path);
                *d = w->doomed[--w->n_doomed];
        }
}

bool archive_buried(const struct ledger *l)
{
        return !l->archive->writing || l->archive->writing->n_doomed == 0;
}

/* A pile that lives holds its files locked. */
static bool is_held(const char *path)
{
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1;
}

static int sweep_folder(struct ledger *l, const char *folder)
{
        DIR *list = opendir(folder);
        int status = 0;
        struct dirent *e;
        while (list && status == 0 && (e = readdir(list))) {
                autofree char *path = xasprintf("%s/%s", folder, e->d_name);
                struct stat st;
                bool listed;
                if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode))
                        continue;
                status = is_listed(l, path, &listed);
                if (status == 0 && !listed && !is_held(path))
                        unlink(path);
        }
        if (list)
                closedir(list);
        return status;
}

int archive_sweep(struct ledger *l)
{
        autofree char *leases = xasprintf("%s/leases", l->archive->dir);
        DIR *list = opendir(leases);
        struct dirent *e;
        int status = 0;
        while (list && status == 0 && (e = readdir(list))) {
                autofree char *folder = xasprintf("%s/%s", leases, e->d_name);
                if (e->d_name[0] == '.')
                        continue;
                status = sweep_folder(l, folder);
                if (strcmp(e->d_name, "incoming") != 0)
                        rmdir(folder); /* where nothing is in it; the next one makes it anew */
        }
        if (list)
                closedir(list);
        return status;
}

/* --- the verbs of an import --- */

/* Those whose file went away with the importer. */
static void drop_orphans(struct archive_writing *w)
{
        for (size_t i = w->n_checks; i-- > 0;)
                if (access(w->checks[i].path, F_OK) == -1)
                        drop_check(w, i);
}

static struct checked *check_named(struct archive_writing *w, struct slice name)
{
        for (size_t i = 0; i < w->n_checks; i++)
                if (slice_eq(slice_of(w->checks[i].name), name))
                        return &w->checks[i];
        return NULL;
}

static int check_new(struct verb_call *c, struct slice name, struct checked **ret)
{
        struct archive_writing *w = archive_writing(c->ledger);
        autofree char *incoming = archive_incoming(c->ledger->archive->dir);
        struct segment *s = NULL;
        autobuf why;
        buf_init(&why, 4096);
        drop_orphans(w);
        if (name.n == 0 || name.n > 100 || slice_find(name, '/') < name.n || slice_find(name, '\0') < name.n ||
            w->n_checks == CHECKS_MOST)
                return verb_no(c, "this is no name of a segment");
        autofree char *text = slice_dup(name);
        autofree char *path = xasprintf("%s/%s", incoming, text);
        int status = segment_open(path, NULL, &s, &why);
        if (status < 0)
                return verb_no(c, "%s", buf_cstr(&why));
        w->checks = xgrow(w->checks, &w->checks_cap, w->n_checks + 1, sizeof *w->checks);
        *ret = &w->checks[w->n_checks++];
        **ret = (struct checked){ .name = take(text), .path = take(path), .segment = s };
        return 0;
}

int verb_segments_check(struct verb_call *c)
{
        struct slice name = ipc_text(c->args);
        autobuf why;
        buf_init(&why, 1024);
        if (c->args->bad || !c->ledger->archive)
                return -EBADMSG;
        struct checked *k = check_named(archive_writing(c->ledger), name);
        int status = k ? 0 : check_new(c, name, &k);
        if (status)
                return status;
        int more = k->whole ? 0 : segment_check(k->segment, CHECK_BYTES, &why);
        if (more < 0)
                return verb_no(c, "%s %s", k->path, buf_cstr(&why));
        k->whole = more == 0;
        ipc_put_int(c->results, more);
        return 0;
}

static int adopt_named(struct verb_call *c, struct slice name)
{
        struct archive_writing *w = archive_writing(c->ledger);
        struct checked *k = check_named(w, name);
        if (!k || !k->whole || segment_info(k->segment)->month < 0)
                return verb_no(c, "segment %.*s was not looked through", SLICE_ARGS(name));
        int status = archive_adopt(c->ledger, k->path, segment_info(k->segment), 0, c->now);
        if (status == 0)
                drop_check(w, (size_t)(k - w->checks));
        return status;
}

/* A part of it at a time: a transaction for all that is open in a network would keep everybody waiting. */
int verb_segments_live(struct verb_call *c)
{
        struct slice name = ipc_text(c->args);
        int64_t from = ipc_int(c->args);
        struct segment_row row;
        bool changed;
        int status = 0;
        if (c->args->bad || from < 0 || !c->ledger->archive)
                return -EBADMSG;
        struct checked *k = check_named(archive_writing(c->ledger), name);
        if (!k || !k->whole || segment_info(k->segment)->month >= 0)
                return verb_no(c, "segment %.*s was not looked through", SLICE_ARGS(name));
        int64_t n = (int64_t)segment_info(k->segment)->leases, until = n - from < LIVE_SLICE ? n : from + LIVE_SLICE;
        for (; status == 0 && from < until; from++) {
                status = segment_read(k->segment, (uint64_t)from, &row);
                if (status == 0)
                        status = feed_put(c, &row.lease, &changed);
        }
        ipc_put_int(c->results, from < n ? from : 0);
        return status;
}

int verb_segments_add(struct verb_call *c)
{
        size_t n = ipc_count(c->args);
        int status = c->ledger->archive ? 0 : -EBADMSG;
        for (size_t i = 0; status == 0 && i < n; i++) {
                struct slice name = ipc_text(c->args);
                status = c->args->bad ? -EBADMSG : adopt_named(c, name);
        }
        return status;
}

/* --- moving --- */

struct move {
        struct pile *pile;
        int64_t ids[ARCHIVE_MOVE_MOST];
        size_t n;
};

static int read_over(struct ledger *l, int64_t before, struct move *m)
{
        autoarena *a = arena_new(64 << 20);
        struct statement *s = db_prepare(l, "SELECT " LEASE_COLUMNS " FROM lease l JOIN line n ON n.number = l.line"
                                            " WHERE l.end <> " SQL_NEVER " AND l.end < ? AND l.source <> 'static'"
                                            " ORDER BY l.end LIMIT ?");
        db_int(s, before);
        db_int(s, ARCHIVE_MOVE_MOST);
        int status = 0;
        while (status == 0 && m->n < ARCHIVE_MOVE_MOST && db_row(s)) {
                struct lease lease = lease_of_row(s, a);
                int added = pile_add(m->pile, &lease);
                if (added == 0)
                        m->ids[m->n++] = lease.id;
                else if (added != -EINVAL) /* what no segment can hold stays where it is */
                        status = db_fail(l, added, "%s", pile_why(m->pile));
        }
        int end = db_done(s);
        return status < 0 ? status : end;
}

int archive_move_prepare(struct ledger *l, int64_t before, struct move **ret, size_t *n)
{
        struct move *m = xcalloc(1, sizeof *m);
        struct pile_result result;
        autobuf why;
        buf_init(&why, 4096);
        int status = pile_new(l->archive->dir, MOVE_MEMORY, &m->pile, &why);
        if (status < 0)
                db_fail(l, status, "%s", buf_cstr(&why));
        if (status == 0) {
                pile_overrules(m->pile);
                status = read_over(l, before, m);
        }
        if (status == 0 && m->n && (status = pile_write(m->pile, l, &result)) < 0)
                db_fail(l, status, "%s", pile_why(m->pile));
        *n = m->n;
        if (status < 0 || m->n == 0)
                archive_move_free(m);
        else
                *ret = m;
        return status;
}

int archive_move(struct ledger *l, struct move *m, int64_t now)
{
        int status = 0;
        for (size_t i = 0; status == 0 && i < pile_files(m->pile); i++) {
                const struct segment_info *info;
                const char *path = pile_file(m->pile, i, &info);
                status = archive_adopt(l, path, info, 0, now);
        }
        for (size_t i = 0; status == 0 && i < m->n; i++) {
                struct statement *s = db_prepare(l, "DELETE FROM lease WHERE id = ?");
                db_int(s, m->ids[i]);
                status = db_run(s);
        }
        return status;
}

void archive_move_free(struct move *m)
{
        if (!m)
                return;
        pile_free(m->pile);
        free(m);
}
