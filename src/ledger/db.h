/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/db.h - SQLite as this room uses it: prepared statements with a cursor for what goes in and one for what comes out.
 *
 *         struct statement *s = db_prepare(l, "SELECT name FROM subscriber WHERE id = ?");
 *         db_text(s, id);
 *         while (db_row(s))
 *                 name = db_get_text(s, arena);
 *         return db_done(s);
 *
 * Trouble is remembered by the statement: rows end, and db_done() says -errno; ledger_error() keeps SQLite's words.
 * Owns:    the connection and one prepared statement for each text (which must be a literal).
 * Threads: one connection, one thread; a text is not used again before its db_done().
 * Limits:  private to ledger/: SQL stands nowhere else. */
#pragma once

#include "base/map.h"
#include "ledger/ledger.h"

#include <sqlite3.h>

enum { DB_BUSY_MS = 2000 }; /* how long another program's lock is waited for */
enum { LEDGER_SCHEMA = 6 }; /* the user_version this program reads and writes */

struct ledger {
        sqlite3 *db;
        const char *name;      /* of the file, for messages */
        struct map statements; /* by their text */
        struct buf error;
        bool writer;
        int64_t wal_pages; /* in the write-ahead log after the last commit (writer only) */
        /* Of leases, as in lease_length: kept by the writer, who alone changes them; forgotten at every rollback. */
        bool lengths[129], lengths_known;
        bool empty_log, log_emptied; /* the writer is asked to empty the write-ahead log after the commit; it could */
        struct archive *archive;     /* of the leases that are over; NULL for a ledger in memory */
};

struct statement {
        struct ledger *ledger;
        sqlite3_stmt *st;
        int next_in, next_out, status;
        bool busy;
};

enum db_how { DB_READ, DB_WRITE, DB_MEMORY, DB_DERIVED /* can be made anew: no log, no flush */ };
/* Opens and sets the connection up (no schema is looked at). *ret is there also on failure, for its words; NULL: out of memory. */
int db_open(const char *path, enum db_how how, struct ledger **ret);

struct statement *db_prepare(struct ledger *l, const char *sql);
void db_text(struct statement *s, struct slice v);
void db_int(struct statement *s, int64_t v);
void db_real(struct statement *s, double v);
void db_blob(struct statement *s, struct slice v);
void db_address(struct statement *s, const struct addr *a);
void db_null(struct statement *s);
bool db_row(struct statement *s);
struct slice db_get_text(struct statement *s, struct arena *a); /* texts and blobs */
struct slice
db_peek_text(struct statement *s); /* the same without a copy: it lives until the next db_row() or db_done() */
int64_t db_get_int(struct statement *s);
double db_get_real(struct statement *s);
struct addr db_get_address(struct statement *s);
int db_done(struct statement *s);
int db_run(struct statement *s); /* to the end: db_row until none, db_done */
/* One row with one number: 0 and *ret, -ENOENT where there is no row. */
int db_number(struct statement *s, int64_t *ret);
/* A statement without arguments; several, parted by semicolons, where a schema is made. */
int db_do(struct ledger *l, const char *sql);
int db_script(struct ledger *l, const char *sql);

bool db_in_transaction(const struct ledger *l);
void db_rolled_back(struct ledger *l); /* said after a rollback: what is remembered of the database may not be so */
/* One moment of the ledger for several statements; within a transaction they do nothing. */
int db_snapshot(struct ledger *l, bool *ret_began);
int db_snapshot_end(struct ledger *l, bool began, int status);

/* Says what is wrong in our own words; returns `status`. */
int db_fail(struct ledger *l, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
