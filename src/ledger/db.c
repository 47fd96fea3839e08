/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/archive.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { ERROR_MOST = 2048 };

const char *ledger_error(const struct ledger *l)
{
        return l->error.p ? l->error.p : "";
}

int db_fail(struct ledger *l, int status, const char *fmt, ...)
{
        char text[1024];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        buf_clear(&l->error);
        buf_adds(&l->error, text);
        return status;
}

/* An I/O error of SQLite's is often a full disk or a quota: the system's own number says so. */
static int io_errno(sqlite3 *db)
{
        int system = sqlite3_system_errno(db);
        return system == ENOSPC || system == EDQUOT || system == EROFS || system == EACCES ? -system : -EIO;
}

static int errno_of(sqlite3 *db, int rc)
{
        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_IOERR:
                return io_errno(db);
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_READONLY:
                return rc == SQLITE_READONLY ? -EROFS : -EBUSY; /* the others: a log that only a writer may recover */
        case SQLITE_CANTOPEN:
                return sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : -EACCES;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_TOOBIG:
                return -EMSGSIZE;
        case SQLITE_CONSTRAINT:
                return -EEXIST;
        default:
                return -EIO;
        }
}

static const char *words_of(int status)
{
        switch (status) {
        case -ENOSPC:
        case -EDQUOT:
                return "no space is left on its disk";
        case -EUCLEAN:
                return "it is damaged (move it away and put the last backup in its place)";
        case -EBUSY:
                return "another program holds it locked";
        case -EROFS:
        case -EACCES:
                return "no permission to write it";
        default:
                return NULL;
        }
}

static int fail_with(struct ledger *l, int rc)
{
        int status = errno_of(l->db, rc);
        const char *words = words_of(status);
        if (status == 0)
                return 0;
        if (words)
                return db_fail(l, status, "%s: %s: %s", l->name, words, sqlite3_errmsg(l->db));
        return db_fail(l, status, "%s: %s", l->name, sqlite3_errmsg(l->db));
}

static int count_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
        struct ledger *l = arg;
        (void)db, (void)name;
        if (pages > l->wal_pages) /* the longest log of the files attached */
                l->wal_pages = pages;
        return SQLITE_OK;
}

static const int switches[][2] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },          { SQLITE_DBCONFIG_DQS_DDL, 0 },
        { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },      { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
};

static int set_up(struct ledger *l, enum db_how how)
{
        for (size_t i = 0; i < COUNT_OF(switches); i++)
                sqlite3_db_config(l->db, switches[i][0], switches[i][1], NULL);
        sqlite3_extended_result_codes(l->db, 1);
        sqlite3_busy_timeout(l->db, DB_BUSY_MS);
        sqlite3_wal_autocheckpoint(l->db, 0); /* takes any hook away: ours comes after it */
        int status = db_do(l, "PRAGMA mmap_size = 0");
        if (status == 0)
                status =
                    db_do(l, "PRAGMA temp_store = MEMORY"); /* no file is opened after the process locked itself in */
        if (status == 0)
                status = db_do(
                    l,
                    "PRAGMA cache_size = -65536"); /* KiB at most: joins hop over all leases, and SQLite's own 2 MB make each hop a read */
        if (status == 0 && how == DB_READ)
                status = db_do(l, "PRAGMA query_only = 1");
        if (how == DB_READ || status < 0)
                return status;
        if (how == DB_DERIVED) {
                status = db_do(l, "PRAGMA synchronous = OFF");
                return status == 0 ? db_do(l, "PRAGMA journal_mode = DELETE") : status;
        }
        int keep = 1;
        sqlite3_file_control(l->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
        sqlite3_wal_hook(l->db, count_pages, l);
        status = db_do(l, "PRAGMA synchronous = FULL");
        if (status == 0)
                status = db_do(l, "PRAGMA secure_delete = ON"); /* what is erased is overwritten */
        if (status == 0)
                status = db_do(l, "PRAGMA journal_size_limit = 67108864");
        if (status == 0 && how == DB_WRITE)
                status = db_do(l, "PRAGMA journal_mode = WAL");
        return status;
}

/* Each process that opens a ledger has one thread. Refused, without harm, once SQLite is in use. */
static void set_up_library(void)
{
        sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int db_open(const char *path, enum db_how how, struct ledger **ret)
{
        set_up_library();
        struct ledger *l = xcalloc(1, sizeof *l);
        int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (how == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                    (how == DB_MEMORY ? SQLITE_OPEN_MEMORY : 0);
        buf_init(&l->error, ERROR_MOST);
        l->writer = how != DB_READ;
        l->name = how == DB_DERIVED ? "mail.db" : "ledger.db";
        *ret = l;
        int rc = sqlite3_open_v2(path, &l->db, flags, NULL);
        if (!l->db)
                panic("out of memory (database)");
        return rc == SQLITE_OK ? set_up(l, how) : fail_with(l, rc);
}

void ledger_close(struct ledger *l)
{
        if (!l)
                return;
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&l->statements, &i));) {
                struct statement *s = e->value;
                sqlite3_finalize(s->st);
                free(s);
        }
        map_done(&l->statements);
        archive_free(l->archive);
        sqlite3_close(l->db);
        buf_done(&l->error);
        free(l);
}

void ledger_close_(struct ledger **l)
{
        ledger_close(*l);
}

struct statement *db_prepare(struct ledger *l, const char *sql)
{
        struct slice key = slice_of(sql);
        struct statement *s = map_find(&l->statements, key);
        if (!s) {
                s = xcalloc(1, sizeof *s);
                s->ledger = l;
                map_put(&l->statements, key, s);
        }
        if (s->busy)
                panic("statement used twice at once: %s", sql);
        s->busy = true;
        s->next_in = 1;
        s->status = 0;
        if (!s->st) {
                int rc = sqlite3_prepare_v3(l->db, sql, (int)key.n, SQLITE_PREPARE_PERSISTENT, &s->st, NULL);
                if (rc == SQLITE_ERROR || rc == SQLITE_MISUSE)
                        panic("%s: %s", sqlite3_errmsg(l->db), sql);
                s->status = fail_with(l, rc);
        }
        return s;
}

static void bound(struct statement *s, int rc)
{
        if (rc == SQLITE_RANGE || rc == SQLITE_MISUSE)
                panic("argument %d: %s", s->next_in, sqlite3_sql(s->st));
        if (rc != SQLITE_OK && s->status == 0)
                s->status = fail_with(s->ledger, rc);
        s->next_in++;
}

/* Bytes are not copied: they live until db_done(). */
void db_text(struct statement *s, struct slice v)
{
        if (s->st)
                bound(s, sqlite3_bind_text64(s->st, s->next_in, v.p ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_blob(struct statement *s, struct slice v)
{
        if (s->st)
                bound(s, sqlite3_bind_blob64(s->st, s->next_in, v.p ? v.p : "", v.n, SQLITE_STATIC));
}

void db_address(struct statement *s, const struct addr *a)
{
        if (s->st)
                bound(s, sqlite3_bind_blob(s->st, s->next_in, a->b, sizeof a->b, SQLITE_TRANSIENT));
}

void db_int(struct statement *s, int64_t v)
{
        if (s->st)
                bound(s, sqlite3_bind_int64(s->st, s->next_in, v));
}

void db_real(struct statement *s, double v)
{
        if (s->st)
                bound(s, sqlite3_bind_double(s->st, s->next_in, v));
}

void db_null(struct statement *s)
{
        if (s->st)
                bound(s, sqlite3_bind_null(s->st, s->next_in));
}

bool db_row(struct statement *s)
{
        if (s->status < 0 || !s->st)
                return false;
        int rc = sqlite3_step(s->st);
        s->next_out = 0;
        if (rc == SQLITE_ROW)
                return true;
        if (rc != SQLITE_DONE)
                s->status = fail_with(s->ledger, rc);
        return false;
}

struct slice db_peek_text(struct statement *s)
{
        int column = s->next_out++;
        const void *p = sqlite3_column_blob(s->st, column);
        int n = sqlite3_column_bytes(s->st, column);
        return p && n > 0 ? (struct slice){ p, (size_t)n } : S("");
}

struct slice db_get_text(struct statement *s, struct arena *a)
{
        struct slice text = db_peek_text(s);
        if (text.n == 0)
                return text;
        struct slice v = arena_dup(a, text);
        if (!v.p && s->status == 0)
                s->status = db_fail(s->ledger, -ENOMEM, "the answer is larger than the memory given to it");
        return v;
}

int64_t db_get_int(struct statement *s)
{
        return sqlite3_column_int64(s->st, s->next_out++);
}

double db_get_real(struct statement *s)
{
        return sqlite3_column_double(s->st, s->next_out++);
}

struct addr db_get_address(struct statement *s)
{
        struct addr a = { { 0 } };
        int column = s->next_out++;
        const void *p = sqlite3_column_blob(s->st, column);
        if (p && sqlite3_column_bytes(s->st, column) == (int)sizeof a.b)
                memcpy(a.b, p, sizeof a.b);
        return a;
}

int db_done(struct statement *s)
{
        if (!s->busy)
                panic("statement ended twice");
        s->busy = false;
        if (s->st) {
                sqlite3_reset(s->st);
                sqlite3_clear_bindings(s->st);
        }
        return s->status;
}

int db_run(struct statement *s)
{
        while (db_row(s))
                ;
        return db_done(s);
}

int db_number(struct statement *s, int64_t *ret)
{
        int64_t n = 0;
        bool any = db_row(s);
        if (any)
                n = db_get_int(s);
        int status = db_done(s);
        if (status < 0)
                return status;
        if (!any)
                return -ENOENT;
        *ret = n;
        return 0;
}

int db_do(struct ledger *l, const char *sql)
{
        return db_run(db_prepare(l, sql));
}

int db_script(struct ledger *l, const char *sql)
{
        while (*sql) {
                sqlite3_stmt *st = NULL;
                int rc = sqlite3_prepare_v2(l->db, sql, -1, &st, &sql);
                if (rc == SQLITE_ERROR)
                        panic("schema: %s", sqlite3_errmsg(l->db));
                if (rc == SQLITE_OK && st)
                        while ((rc = sqlite3_step(st)) == SQLITE_ROW)
                                ;
                int status = rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : fail_with(l, rc);
                sqlite3_finalize(st);
                if (status < 0)
                        return status;
        }
        return 0;
}

bool db_in_transaction(const struct ledger *l)
{
        return !sqlite3_get_autocommit(l->db);
}

void db_rolled_back(struct ledger *l)
{
        l->lengths_known = false;
        archive_stale(l->archive);
}

int db_snapshot(struct ledger *l, bool *ret_began)
{
        *ret_began = !db_in_transaction(l);
        return *ret_began ? db_do(l, "BEGIN") : 0;
}

int db_snapshot_end(struct ledger *l, bool began, int status)
{
        if (!began || !db_in_transaction(l))
                return status;
        int end = db_do(l, "COMMIT");
        return status < 0 ? status : end;
}
