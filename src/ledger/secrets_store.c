/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/secrets_store.h"
#include "base/file.h"
#include "ledger/nouns.h"
#include "ledger/secrets.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_MOST = 4096 };

static const char first[] =
    "CREATE TABLE secrets.password(mailbox INTEGER PRIMARY KEY, hash TEXT NOT NULL, set_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE secrets.application_digest(id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, digest TEXT NOT NULL) "
    "STRICT;"
    "CREATE INDEX secrets.application_of ON application_digest(mailbox, digest);"
    "CREATE TABLE secrets.secrets_turn(n INTEGER NOT NULL) STRICT;"
    "INSERT INTO secrets.secrets_turn VALUES(0);";

/* --- attaching --- */

static int make_file(struct ledger *l, const char *dir, char path[PATH_MOST])
{
        if (snprintf(path, PATH_MOST, "%s/secrets/secrets.db", dir) >= PATH_MOST)
                return db_fail(l, -ENAMETOOLONG, "%s: the name is too long", dir);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        int status = folder_make(path, 0700); /* run/state.c opens it for the group of the password checkers */
        if (status == 0) {
                *slash = '/';
                status = file_make(path, 0640);
        }
        if (status == 1) {
                *slash = '\0';
                status = folder_sync(path);
                *slash = '/';
        }
        if (status == 0 && access(path, R_OK | W_OK) == -1)
                status = -errno;
        return status < 0 ? db_fail(l, status, "%s: %s", path, strerror(-status)) : 0;
}

static int attach(struct ledger *l, const char *path)
{
        struct statement *s = db_prepare(l, "ATTACH ? AS secrets");
        db_text(s, slice_of(path));
        return db_run(s);
}

static int version(struct ledger *l, int64_t *ret)
{
        return db_number(db_prepare(l, "PRAGMA secrets.user_version"), ret);
}

static int newer(struct ledger *l, int64_t found)
{
        return db_fail(l, -EUCLEAN,
                       "secrets.db: is of schema version %lld, made by a newer Porteiro; this one knows version %d",
                       (long long)found, SECRETS_SCHEMA);
}

static int migrate(struct ledger *l)
{
        int64_t found = 0;
        int status = version(l, &found);
        if (status == 0 && found > SECRETS_SCHEMA)
                return newer(l, found);
        if (status < 0 || found == SECRETS_SCHEMA)
                return status;
        status = db_do(l, "BEGIN IMMEDIATE");
        if (status == 0)
                status = db_script(l, first);
        if (status == 0)
                status = db_script(l, "PRAGMA secrets.user_version = 1");
        if (status == 0)
                status = db_do(l, "COMMIT");
        if (status < 0 && db_in_transaction(l)) {
                autofree char *why = xstrdup(ledger_error(l));
                db_do(l, "ROLLBACK");
                db_fail(l, status, "%s", why);
        }
        return status;
}

int secrets_attach(struct ledger *l, const char *dir)
{
        static const char *const settings[] = { "PRAGMA secrets.synchronous = FULL", "PRAGMA secrets.secure_delete = 1",
                                                "PRAGMA secrets.journal_size_limit = 67108864",
                                                "PRAGMA secrets.cache_size = -8192" };
        char path[PATH_MOST] = ":memory:";
        const char *name = l->name;
        l->name = "secrets/secrets.db";
        int keep = 1, status = dir ? make_file(l, dir, path) : 0;
        if (status == 0)
                status = attach(l, path);
        if (status == 0)
                sqlite3_file_control(l->db, "secrets", SQLITE_FCNTL_PERSIST_WAL, &keep);
        for (size_t i = 0; status == 0 && i < COUNT_OF(settings); i++)
                status = db_do(l, settings[i]);
        if (status == 0 && dir)
                status = db_do(l, "PRAGMA secrets.journal_mode = WAL");
        if (status == 0)
                status = migrate(l);
        l->name = name;
        return status;
}

/* A writer must have made it ready: a reader changes nothing. */
static int attach_to_read(struct ledger *l, const char *dir)
{
        char path[PATH_MOST];
        int64_t found = 0;
        if (snprintf(path, sizeof path, "%s/secrets/secrets.db", dir) >= PATH_MOST)
                return db_fail(l, -ENAMETOOLONG, "%s: the name is too long", dir);
        if (access(path, R_OK) == -1)
                return db_fail(l, -errno, "%s: %s", path, strerror(errno));
        int status = attach(l, path);
        if (status == 0)
                status = version(l, &found);
        if (status == 0 && found > SECRETS_SCHEMA)
                return newer(l, found);
        if (status == 0 && found < SECRETS_SCHEMA)
                return db_fail(l, -EAGAIN, "%s: it becomes of this version when the keeper starts", path);
        return status;
}

int secrets_open(const char *dir, struct ledger **ret, struct buf *why)
{
        struct ledger *l = NULL;
        int status = ledger_open_why(dir, &l, why);
        if (status < 0)
                return status;
        status = attach_to_read(l, dir);
        if (status < 0) {
                buf_adds(why, ledger_error(l));
                ledger_close(l);
                return status;
        }
        *ret = l;
        return 0;
}

/* --- two files, one truth --- */

int secrets_turn(struct ledger *l)
{
        int status = db_do(l, "UPDATE main.secrets_turn SET n = n + 1");
        return status < 0 ? status : db_do(l, "UPDATE secrets.secrets_turn SET n = n + 1");
}

int secrets_forget(struct verb_call *c, int64_t mailbox)
{
        static const char *const texts[] = {
                "DELETE FROM main.credential WHERE mailbox = ?1 AND ?2",
                ("UPDATE main.application SET removed = ?2 WHERE mailbox = ?1 AND removed = " SQL_NEVER),
                "DELETE FROM secrets.password WHERE mailbox = ?1 AND ?2",
                "DELETE FROM secrets.application_digest WHERE mailbox = ?1 AND ?2"
        };
        int status = secrets_turn(c->ledger);
        for (size_t i = 0; status == 0 && i < COUNT_OF(texts); i++) {
                struct statement *s = db_prepare(c->ledger, texts[i]);
                db_int(s, mailbox);
                db_int(s, c->now);
                status = db_run(s);
        }
        return status;
}

/* The same text is used as a condition and as a count. */
#define HALF_SET                                                                                                       \
        "FROM mailbox m LEFT JOIN credential c ON c.mailbox = m.number"                                                \
        " LEFT JOIN secrets.password p ON p.mailbox = m.number"                                                        \
        " WHERE m.removed = " SQL_NEVER " AND coalesce(c.set_at, 0) <> coalesce(p.set_at, 0)"

static const char *const settling[] = {
        "INSERT INTO audit(at, author, verb, key, why, before, after) SELECT ?1, 'porteiro', 'password undone', "
        "m.address,"
        " 'a crash came before it was stored: the former one holds', '', '' " HALF_SET,
        "INSERT INTO change(kind, key) SELECT 'mailbox', m.address " HALF_SET " AND ?1",
        "INSERT OR REPLACE INTO credential(mailbox, scheme, set_at) SELECT m.number, "
        " CASE substr(p.hash, 1, 3) WHEN '$y$' THEN 'yescrypt' ELSE 'of an old system' END, p.set_at " HALF_SET
        " AND p.set_at IS NOT NULL AND ?1",
        "DELETE FROM credential WHERE ?1 AND mailbox NOT IN (SELECT mailbox FROM secrets.password)",
        "UPDATE application SET removed = ?1 WHERE removed = " SQL_NEVER
        " AND id NOT IN (SELECT id FROM secrets.application_digest)",
        /* What the ledger took away, and what hangs on no mailbox that is present. */
        "DELETE FROM secrets.application_digest WHERE ?1 AND id NOT IN (SELECT id FROM application WHERE removed "
        "= " SQL_NEVER ")",
        "DELETE FROM secrets.password WHERE ?1 AND mailbox NOT IN (SELECT number FROM mailbox WHERE removed "
        "= " SQL_NEVER ")",
        "UPDATE main.secrets_turn SET n = max(n, (SELECT n FROM secrets.secrets_turn)) WHERE ?1",
        "UPDATE secrets.secrets_turn SET n = (SELECT n FROM main.secrets_turn) WHERE ?1",
};

static int settle(struct ledger *l, int64_t now)
{
        int status = 0;
        for (size_t i = 0; status == 0 && i < COUNT_OF(settling); i++) {
                struct statement *s = db_prepare(l, settling[i]);
                db_int(s, now);
                status = db_run(s);
        }
        return status;
}

int secrets_settle(struct ledger *l, int64_t now, int64_t *ret_settled)
{
        int64_t ours = 0, theirs = 0;
        *ret_settled = 0;
        int status = db_number(db_prepare(l, "SELECT n FROM main.secrets_turn"), &ours);
        if (status == 0)
                status = db_number(db_prepare(l, "SELECT n FROM secrets.secrets_turn"), &theirs);
        if (status < 0 || ours == theirs)
                return status;
        status = db_do(l, "BEGIN IMMEDIATE");
        if (status == 0)
                status = db_number(db_prepare(l, "SELECT count(*) " HALF_SET), ret_settled);
        if (status == 0)
                status = settle(l, now);
        if (status == 0)
                return db_do(l, "COMMIT");
        if (db_in_transaction(l)) {
                autofree char *why = xstrdup(ledger_error(l));
                db_do(l, "ROLLBACK");
                db_fail(l, status, "%s", why);
        }
        return status;
}
