/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/mail_export.h"
#include "base/file.h"
#include "ledger/nouns.h"
#include "policy/limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { PATH_MOST = 4096, GENERATION_ARENA = 96 << 20, CHANGES_ARENA = 256 << 20 };

struct mail_export {
        struct ledger *db; /* main is mail.db */
        char dir[PATH_MOST], path[PATH_MOST];
        bool quotas_known; /* of the policy in force */
        int64_t followed;  /* most changes have nothing to do with mail: their number is not worth a write */
};

/* A primary key without rowid: a look-up is one walk down one tree. */
static const char tables[] =
    "CREATE TABLE domain(name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mailbox("
    "  address TEXT PRIMARY KEY, folder TEXT NOT NULL, quota INTEGER NOT NULL, may_send INTEGER NOT NULL, hash TEXT "
    "NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE application(address TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(address, digest)) STRICT, "
    "WITHOUT ROWID;"
    "CREATE TABLE alias("
    "  address TEXT NOT NULL, destination TEXT NOT NULL, PRIMARY KEY(address, destination)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE sender(address TEXT NOT NULL, login TEXT NOT NULL, PRIMARY KEY(address, login)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE INDEX sender_login ON sender(login);"
    "CREATE TABLE state(change INTEGER NOT NULL) STRICT;"
    "INSERT INTO state VALUES(-1);"
    "PRAGMA user_version = 1;";

/* The folder of a mailbox has its number in it, which is never given again: who gets an address that was another's does not get the
 * other's mail. Quota 0: none. */
static const char views[] =
    "CREATE TEMP TABLE class_quota(class TEXT PRIMARY KEY, quota INTEGER NOT NULL);"
    "CREATE TEMP VIEW want_domain AS SELECT name FROM ledger.domain WHERE removed = " SQL_NEVER ";"
    "CREATE TEMP VIEW want_mailbox AS SELECT m.address, printf('%02d/%d/', m.number % 100, m.number) AS folder,"
    "  max(0, CASE WHEN m.quota <> -2 THEN m.quota WHEN s.quota <> -2 THEN s.quota"
    "    ELSE coalesce(q.quota, (SELECT quota FROM temp.class_quota WHERE class = ''), 0) END) AS quota,"
    "  (m.suspended = 0 OR m.suspended_to > 0) AND (s.suspended = 0 OR s.suspended_to > 0) AS may_send,"
    "  CASE WHEN p.hash IS NULL THEN '{CRYPT}!' WHEN substr(p.hash, 1, 1) = '{' THEN p.hash ELSE '{CRYPT}' || p.hash "
    "END AS "
    "hash"
    "  FROM ledger.mailbox m JOIN ledger.subscriber s ON s.number = m.subscriber"
    "  LEFT JOIN secrets.password p ON p.mailbox = m.number LEFT JOIN temp.class_quota q ON q.class = s.class AND "
    "q.class <> ''"
    "  WHERE m.removed = " SQL_NEVER ";"
    "CREATE TEMP VIEW want_application AS SELECT m.address, d.digest FROM ledger.mailbox m"
    "  CROSS JOIN ledger.application a ON a.mailbox = m.number AND a.removed = " SQL_NEVER
    "  CROSS JOIN secrets.application_digest d ON d.id = a.id AND d.mailbox = m.number WHERE m.removed = " SQL_NEVER ";"
    /* A mailbox leads to itself, or a catch-all would take its mail: Postfix asks for the whole domain where it finds no row. */
    "CREATE TEMP VIEW want_alias AS"
    "  SELECT m.address, m.address AS destination FROM ledger.mailbox m WHERE m.removed = " SQL_NEVER
    "    AND (m.keep OR NOT EXISTS (SELECT 1 FROM ledger.target t WHERE t.kind = 'mailbox' AND t.number = m.number))"
    "  UNION ALL SELECT m.address, t.address FROM ledger.mailbox m"
    "    CROSS JOIN ledger.target t ON t.kind = 'mailbox' AND t.number = m.number WHERE m.removed = " SQL_NEVER
    "  UNION ALL SELECT a.address, t.address FROM ledger.alias a"
    "    CROSS JOIN ledger.target t ON t.kind = 'alias' AND t.number = a.number WHERE a.removed = " SQL_NEVER
    "  UNION ALL SELECT '@' || d.name, d.catch_all FROM ledger.domain d WHERE d.removed = " SQL_NEVER
    " AND d.catch_all <> '';"
    /* Who may write under an address: its owner, and whoever an alias leads to at once. */
    "CREATE TEMP VIEW want_sender AS"
    "  SELECT w.address, w.address AS login FROM temp.want_mailbox w WHERE w.may_send"
    "  UNION ALL SELECT a.address, w.address FROM temp.want_mailbox w CROSS JOIN ledger.target t ON t.kind = 'alias' "
    "AND t.address = w.address"
    "    CROSS JOIN ledger.alias a ON a.number = t.number AND a.removed = " SQL_NEVER " WHERE w.may_send;";

/* --- opening --- */

static int say(struct buf *why, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
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

static int attach(struct ledger *db, const char *dir, const char *file, const char *sql)
{
        autofree char *path = xasprintf("%s/%s", dir, file);
        struct statement *s = db_prepare(db, sql);
        db_text(s, slice_of(path));
        return db_run(s);
}

static int64_t version(struct ledger *db)
{
        int64_t found = -1;
        return db_number(db_prepare(db, "PRAGMA main.user_version"), &found) < 0 ? -1 : found;
}

/* A new file beside it takes its place; a journal of the damaged one would be played back into it. */
static int make_anew(struct mail_export *m)
{
        autofree char *beside = xasprintf("%s.new", m->path), *journal = xasprintf("%s-journal", m->path),
                      *beside_journal = xasprintf("%s.new-journal", m->path);
        struct ledger *db = NULL;
        unlink(beside);
        unlink(beside_journal);
        int status = file_make(beside, 0640);
        if (status < 0)
                return status;
        status = db_open(beside, DB_DERIVED, &db);
        if (status == 0)
                status = db_script(db, "BEGIN IMMEDIATE");
        if (status == 0)
                status = db_script(db, tables);
        if (status == 0)
                status = db_script(db, "COMMIT");
        ledger_close(db);
        unlink(journal);
        if (status == 0 && rename(beside, m->path) == -1)
                status = -errno;
        return status;
}

static int connect_all(struct mail_export *m)
{
        int status = db_open(m->path, DB_DERIVED, &m->db);
        if (status == 0)
                sqlite3_busy_timeout(m->db->db, EXPORT_BUSY_MS);
        if (status == 0 && version(m->db) != MAIL_EXPORT_SCHEMA)
                return db_fail(m->db, -EUCLEAN, "mail.db: is not of this version");
        if (status == 0)
                status = attach(m->db, m->dir, "ledger.db", "ATTACH ? AS ledger");
        if (status == 0)
                status = attach(m->db, m->dir, "secrets/secrets.db", "ATTACH ? AS secrets");
        return status == 0 ? db_script(m->db, views) : status;
}

/* What is damaged, older or newer is made anew: nothing stands in it that does not stand in the ledger. */
static int connect_or_make(struct mail_export *m, struct buf *why)
{
        int status = access(m->path, F_OK) == 0 ? connect_all(m) : -ENOENT;
        if (status == -EUCLEAN || status == -ENOENT) {
                ledger_close(m->db);
                m->db = NULL;
                m->quotas_known = false;
                m->followed = 0;
                status = make_anew(m);
                if (status < 0)
                        return say(why, status, "%s: %s", m->path, strerror(-status));
                status = connect_all(m);
        }
        return status < 0 ? say(why, status, "%s: %s", m->path, ledger_error(m->db)) : 0;
}

static int wanted(struct ledger *l, const char *path, bool *ret)
{
        int64_t n = 0;
        *ret = access(path, F_OK) == 0;
        int status = *ret ? 0 : db_number(db_prepare(l, "SELECT EXISTS (SELECT 1 FROM domain)"), &n);
        *ret = *ret || n;
        return status;
}

int mail_export_open(const char *dir, struct ledger *l, struct mail_export **ret, struct buf *why)
{
        struct mail_export *m = xcalloc(1, sizeof *m);
        bool any = false;
        *ret = NULL;
        int status = snprintf(m->path, PATH_MOST, "%s/mail/mail.db", dir) < PATH_MOST ? 0 : -ENAMETOOLONG;
        snprintf(m->dir, PATH_MOST, "%s", dir);
        if (status == 0)
                status = wanted(l, m->path, &any);
        if (status == 0 && any) {
                autofree char *folder = xasprintf("%s/mail", dir);
                status = folder_make(folder, 0700); /* run/state.c opens it for the group of the mail server */
        }
        if (status < 0)
                say(why, status, "%s/mail: %s", dir, strerror(-status));
        else if (any)
                status = connect_or_make(m, why);
        if (status < 0 || !any)
                mail_export_close(m);
        else
                *ret = m;
        return status;
}

void mail_export_close(struct mail_export *m)
{
        if (!m)
                return;
        ledger_close(m->db);
        free(m);
}

/* --- quotas of the policy --- */

static int put_quota(struct ledger *db, struct slice class, const struct policy *p)
{
        struct limit_found found =
            mail_limit_find(MAIL_LIMIT_QUOTA, &mail_limits_inherit, &mail_limits_inherit, class, p);
        struct statement *s = db_prepare(db, "INSERT OR REPLACE INTO temp.class_quota(class, quota) VALUES(?, ?)");
        db_text(s, class);
        db_int(s, found.value);
        return db_run(s);
}

static int learn_quotas(struct mail_export *m, struct ledger *l)
{
        autoarena *a = arena_new(GENERATION_ARENA);
        autodiags *d = diags_new();
        autopolicy *p = NULL;
        struct generation g;
        int status = ledger_generation_in_force(l, a, TIME_NEVER, &g);
        if (status == 0)
                p = policy_parse(&(struct policy_input){ .name = S("generation"), .text = g.text }, d);
        if (status < 0 && status != -ENOENT)
                return status;
        status = db_do(m->db, "DELETE FROM temp.class_quota");
        if (status == 0)
                status = put_quota(m->db, S(""), p);
        for (size_t i = 0; status == 0 && p && i < p->n_classes; i++)
                status = put_quota(m->db, p->classes[i].name, p);
        m->quotas_known = status == 0;
        return status;
}

/* --- following --- */

static const char *const compare_all[] = {
#define SAME_KEY(table, key)                                                                                           \
        "DELETE FROM main." table " WHERE (" key ") IN (SELECT " key " FROM (SELECT * FROM main." table                \
        " EXCEPT SELECT * FROM temp.want_" table "))",                                                                 \
            "INSERT INTO main." table " SELECT * FROM temp.want_" table " EXCEPT SELECT * FROM main." table
        SAME_KEY("domain", "name"),
        SAME_KEY("mailbox", "address"),
        SAME_KEY("application", "address, digest"),
        SAME_KEY("alias", "address, destination"),
        SAME_KEY("sender", "address, login"),
};

/* The same for one address; rows that stay are not touched, so that a change of nothing takes no lock. */
#define ONE(table, key, where)                                                                                         \
        "DELETE FROM main." table " WHERE (" key ") IN (SELECT " key " FROM (SELECT * FROM main." table                \
        " WHERE " where " = ?1 EXCEPT SELECT * FROM temp.want_" table " WHERE " where " = ?1))",                       \
            "INSERT INTO main." table " SELECT * FROM temp.want_" table " WHERE " where                                \
            " = ?1 EXCEPT SELECT * FROM main." table " WHERE " where " = ?1"
static const char *const compare_mailbox[] = {
        ONE("mailbox", "address", "address"),
        ONE("application", "address, digest", "address"),
        ONE("alias", "address, destination", "address"),
        ONE("sender", "address, login", "login"),
};
static const char *const compare_alias[] = {
        ONE("alias", "address, destination", "address"),
        ONE("sender", "address, login", "address"),
};

static int run_each(struct ledger *db, const char *const *texts, size_t n, struct slice key)
{
        int status = 0;
        for (size_t i = 0; status == 0 && i < n; i++) {
                struct statement *s = db_prepare(db, texts[i]);
                if (key.p)
                        db_text(s, key);
                status = db_run(s);
        }
        return status;
}

enum { KEYS_ALL = 1 };

/* What came after `from`; KEYS_ALL where one of them touches everything, or they are too many or gone. */
static int read_changes(struct ledger *l, struct arena *a, int64_t from, struct change **ret, size_t *n)
{
        struct change *all = NULL;
        size_t n_all = 0, kept = 0;
        int status = ledger_changes(l, a, from, &all, &n_all);
        if (status == -ERANGE)
                return KEYS_ALL;
        for (size_t i = 0; status == 0 && i < n_all; i++) {
                if (slice_eq(all[i].kind, S("domain")) || slice_eq(all[i].kind, S("generation")))
                        return KEYS_ALL;
                if (slice_eq(all[i].kind, S("mailbox")) || slice_eq(all[i].kind, S("alias")))
                        all[kept++] = all[i];
        }
        *ret = all;
        *n = kept;
        return kept > EXPORT_KEYS_MOST ? KEYS_ALL : status;
}

static int compare(struct mail_export *m, struct ledger *l, int64_t from, bool whole)
{
        autoarena *a = arena_new(CHANGES_ARENA);
        struct change *changes = NULL;
        size_t n = 0;
        int status = whole || from < 0 ? KEYS_ALL : read_changes(l, a, from, &changes, &n);
        if (status == KEYS_ALL || (status == 0 && !m->quotas_known && n))
                if (learn_quotas(m, l) < 0)
                        return -EIO;
        if (status == KEYS_ALL)
                return run_each(m->db, compare_all, COUNT_OF(compare_all), (struct slice){ NULL, 0 });
        for (size_t i = 0; status == 0 && i < n; i++)
                status = slice_eq(changes[i].kind, S("mailbox"))
                             ? run_each(m->db, compare_mailbox, COUNT_OF(compare_mailbox), changes[i].key)
                             : run_each(m->db, compare_alias, COUNT_OF(compare_alias), changes[i].key);
        return status;
}

static int follow(struct mail_export *m, struct ledger *l, bool whole)
{
        int64_t from = -1, last = 0;
        int status = ledger_last_change(l, &last);
        if (status == 0)
                status = db_number(db_prepare(m->db, "SELECT change FROM main.state"), &from);
        from = from < m->followed && m->followed <= last ? m->followed : from;
        if (status < 0 || (from == last && !whole))
                return status;
        status = db_do(m->db, "BEGIN");
        if (status == 0)
                status = compare(m, l, from, whole);
        if (status == 0 && (sqlite3_txn_state(m->db->db, "main") == SQLITE_TXN_WRITE || whole)) {
                struct statement *s = db_prepare(m->db, "UPDATE main.state SET change = ?1 WHERE change <> ?1");
                db_int(s, last);
                status = db_run(s);
        }
        if (status == 0)
                status = db_do(m->db, "COMMIT");
        if (status == 0)
                m->followed = last;
        if (status < 0 && db_in_transaction(m->db)) {
                autofree char *words = xstrdup(ledger_error(m->db));
                db_do(m->db, "ROLLBACK");
                db_fail(m->db, status, "%s", words);
        }
        return status;
}

int mail_export_follow(struct mail_export *m, struct ledger *l, bool whole, struct buf *why)
{
        int status = follow(m, l, whole);
        if (status == -EUCLEAN) {
                ledger_close(m->db);
                m->db = NULL;
                unlink(m->path);
                status = connect_or_make(m, why);
                if (status == 0)
                        status = follow(m, l, true);
        }
        return status < 0 && m->db ? say(why, status, "%s: %s", m->path, ledger_error(m->db)) : status;
}
