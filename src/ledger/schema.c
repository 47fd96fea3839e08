/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables of ledger.db.
 *
 * Intervals are [start, end) in microseconds UTC; "no end" is the greatest 64-bit number (TIME_NEVER), so that one comparison serves both.
 * A subscriber's id is the ISP's own and may come again after a removal: everything hangs on `number`, so the history of the former
 * holder of an id is never the new one's.
 *
 * Separate secrets: nothing secret stands here. Every reader of the ledger's group sees all of ledger.db. Password hashes live in
 * secrets.db, a file of its own with its own schema version, which only the keeper and the password checkers may open. */
#include "ledger/schema.h"
#include "ledger/secrets_store.h"

#include <errno.h>

#define NEVER "9223372036854775807"

static const char first[] =
    "CREATE TABLE generation("
    "  n INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL, hash TEXT NOT NULL, author TEXT NOT NULL, why "
    "TEXT NOT NULL,"
    "  state INTEGER NOT NULL, trial_for INTEGER NOT NULL, trial_until INTEGER NOT NULL) STRICT;"
    "CREATE TABLE reign("
    "  id INTEGER PRIMARY KEY, generation INTEGER NOT NULL REFERENCES generation(n), start INTEGER NOT NULL, end "
    "INTEGER NOT NULL) STRICT;"
    "CREATE INDEX reign_start ON reign(start);"

    "CREATE TABLE subscriber("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, name TEXT NOT NULL, class TEXT NOT NULL, port25 "
    "INTEGER NOT NULL,"
    "  language TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, post TEXT NOT NULL, never_cut INTEGER NOT "
    "NULL,"
    "  created INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT " NEVER ") STRICT;"
    "CREATE UNIQUE INDEX subscriber_present ON subscriber(id) WHERE removed = " NEVER ";"
    "CREATE INDEX subscriber_id ON subscriber(id);"
    "CREATE INDEX subscriber_own ON subscriber(number) WHERE removed = " NEVER " AND (class <> '' OR port25 <> -1);"

    /* A line is a name; a holding says whose it was, and when. The first holder ever holds it from time 0 on: leases seen before the line
     * got its subscriber are his. */
    "CREATE TABLE line("
    "  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, UNIQUE(kind, value)) STRICT;"
    "CREATE TABLE holding("
    "  id INTEGER PRIMARY KEY, line INTEGER NOT NULL REFERENCES line(number), subscriber INTEGER NOT NULL REFERENCES "
    "subscriber(number),"
    "  start INTEGER NOT NULL, end INTEGER NOT NULL) STRICT;"
    "CREATE INDEX holding_line ON holding(line, end);"
    "CREATE UNIQUE INDEX holding_present ON holding(line) WHERE end = " NEVER ";"
    "CREATE INDEX holding_subscriber ON holding(subscriber, end);"

    "CREATE TABLE lease("
    "  id INTEGER PRIMARY KEY, realm TEXT NOT NULL, address BLOB NOT NULL CHECK(length(address) = 16), length INTEGER "
    "NOT NULL,"
    "  proto TEXT NOT NULL, port_low INTEGER NOT NULL, port_high INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER "
    "NOT NULL,"
    "  why_ended TEXT NOT NULL, line INTEGER NOT NULL REFERENCES line(number), source TEXT NOT NULL, nas TEXT NOT NULL,"
    "  session TEXT NOT NULL, user TEXT NOT NULL, evidence TEXT NOT NULL,"
    "  UNIQUE(source, nas, session, user, start, address, length)) STRICT;"
    "CREATE INDEX lease_address ON lease(address, length, end, start);"
    "CREATE INDEX lease_line ON lease(line, end);"
    "CREATE INDEX lease_static ON lease(address) WHERE source = 'static' AND end = " NEVER ";"
    /* A look-up masks the address to each length in use: a handful of rows. */
    "CREATE TABLE lease_length(length INTEGER PRIMARY KEY) STRICT;"

    "CREATE TABLE exemption("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, subscriber INTEGER REFERENCES subscriber(number), address BLOB, length "
    "INTEGER,"
    "  start INTEGER NOT NULL, until INTEGER NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL, author TEXT NOT NULL,"
    "  removed INTEGER NOT NULL DEFAULT 0, removed_by TEXT NOT NULL DEFAULT '', remove_reason TEXT NOT NULL DEFAULT '',"
    "  CHECK((subscriber IS NULL) <> (address IS NULL))) STRICT;"
    "CREATE INDEX exemption_subscriber ON exemption(subscriber) WHERE removed = 0;"

    "CREATE TABLE quarantine("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, subscriber INTEGER NOT NULL REFERENCES subscriber(number), level INTEGER "
    "NOT NULL,"
    "  start INTEGER NOT NULL, until INTEGER NOT NULL, released INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL, "
    "author TEXT NOT NULL,"
    "  approved_by TEXT NOT NULL, evidence TEXT NOT NULL, released_by TEXT NOT NULL DEFAULT '', release_reason TEXT "
    "NOT NULL DEFAULT '',"
    "  by_rule INTEGER NOT NULL, proposed INTEGER NOT NULL, CHECK(until > start)) STRICT;"
    "CREATE INDEX quarantine_subscriber ON quarantine(subscriber);"
    "CREATE INDEX quarantine_present ON quarantine(until) WHERE released = 0;"

    "CREATE TABLE told("
    "  id INTEGER PRIMARY KEY, subscriber INTEGER NOT NULL REFERENCES subscriber(number), at INTEGER NOT NULL, by TEXT "
    "NOT NULL,"
    "  note TEXT NOT NULL, author TEXT NOT NULL) STRICT;"
    "CREATE INDEX told_subscriber ON told(subscriber);"

    "CREATE TABLE sighting("
    "  id INTEGER PRIMARY KEY, source TEXT NOT NULL, realm TEXT NOT NULL, address BLOB NOT NULL CHECK(length(address) "
    "= 16),"
    "  length INTEGER NOT NULL, port INTEGER NOT NULL, at INTEGER NOT NULL, seconds INTEGER NOT NULL, count INTEGER "
    "NOT NULL,"
    "  strategy TEXT NOT NULL, hosts BLOB NOT NULL, detail TEXT NOT NULL) STRICT;"
    "CREATE INDEX sighting_at ON sighting(at);"
    "CREATE INDEX sighting_address ON sighting(address, at);"
    "CREATE TABLE loss(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;"
    "CREATE INDEX loss_at ON loss(at);"
    "CREATE TABLE suspicion("
    "  subscriber INTEGER PRIMARY KEY REFERENCES subscriber(number), at INTEGER NOT NULL, score REAL NOT NULL, "
    "syn_part REAL NOT NULL) STRICT;"

    "CREATE TABLE change(n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL) STRICT;"
    "CREATE TABLE audit("
    "  n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, author TEXT NOT NULL, verb TEXT NOT NULL, key TEXT "
    "NOT NULL,"
    "  why TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL) STRICT;"
    "CREATE INDEX audit_key ON audit(key);"
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); "
    "END;"
    "CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); "
    "END;";

/* Leases that are over move into segments, immutable files of one month each (ledger/segment.h); what is listed here is part of the ledger,
 * a file that is not listed is none of it. A feed keeps where it stands in the same commit as what it said. */
static const char leases[] =
    "CREATE TABLE segment("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, month INTEGER NOT NULL, rank INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  leases INTEGER NOT NULL, corrections INTEGER NOT NULL, bytes INTEGER NOT NULL, first INTEGER NOT NULL,"
    "  last INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;"
    /* Readers keep the list, and look here whether it is still so. */
    "CREATE TABLE archive(version INTEGER NOT NULL) STRICT;"
    "INSERT INTO archive VALUES(0);"
    "CREATE TRIGGER segment_added AFTER INSERT ON segment BEGIN UPDATE archive SET version = version + 1; END;"
    "CREATE TRIGGER segment_gone AFTER DELETE ON segment BEGIN UPDATE archive SET version = version + 1; END;"
    "CREATE TABLE feed(name TEXT PRIMARY KEY, position TEXT NOT NULL, at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX lease_over ON lease(end) WHERE end <> " NEVER ";";

/* Mailboxes, aliases and domains. A mailbox hangs on its number, which is never given again: its address may be, to another subscriber, once
 * the time of the policy is over; until then the row of the former one says no. What is suspended sends nothing and still receives. A limit is
 * a number, -1 none, -2 inherited (policy/limits.h). Targets are those of an alias, or the forwards of a mailbox; they stay when it is removed,
 * so that who gets an alias back can be told from who must not. */
static const char mail[] =
    "CREATE TABLE domain("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, catch_all TEXT NOT NULL COLLATE NOCASE,"
    "  created INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT " NEVER ") STRICT;"
    "CREATE UNIQUE INDEX domain_present ON domain(name) WHERE removed = " NEVER ";"
    "CREATE INDEX domain_catch_all ON domain(catch_all) WHERE removed = " NEVER " AND catch_all <> '';"

    "CREATE TABLE mailbox("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, domain INTEGER NOT NULL REFERENCES "
    "domain(number),"
    "  subscriber INTEGER NOT NULL REFERENCES subscriber(number), principal INTEGER NOT NULL, name TEXT NOT NULL,"
    "  keep INTEGER NOT NULL, quota INTEGER NOT NULL, messages_hour INTEGER NOT NULL, messages_day INTEGER NOT NULL,"
    "  recipients_hour INTEGER NOT NULL, recipients_day INTEGER NOT NULL, suspended INTEGER NOT NULL, suspend_reason "
    "TEXT NOT NULL,"
    "  suspended_by TEXT NOT NULL, created INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT " NEVER ") STRICT;"
    "CREATE UNIQUE INDEX mailbox_present ON mailbox(address) WHERE removed = " NEVER ";"
    "CREATE INDEX mailbox_removed ON mailbox(address, removed) WHERE removed <> " NEVER ";"
    "CREATE INDEX mailbox_subscriber ON mailbox(subscriber, address) WHERE removed = " NEVER ";"
    "CREATE INDEX mailbox_domain ON mailbox(domain, address) WHERE removed = " NEVER ";"

    "CREATE TABLE alias("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, domain INTEGER NOT NULL REFERENCES "
    "domain(number),"
    "  role INTEGER NOT NULL, created INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT " NEVER ") STRICT;"
    "CREATE UNIQUE INDEX alias_present ON alias(address) WHERE removed = " NEVER ";"
    "CREATE INDEX alias_removed ON alias(address, removed) WHERE removed <> " NEVER ";"
    "CREATE INDEX alias_domain ON alias(domain, address) WHERE removed = " NEVER ";"

    "CREATE TABLE target("
    "  kind TEXT NOT NULL CHECK(kind IN ('alias', 'mailbox')), number INTEGER NOT NULL, address TEXT NOT NULL COLLATE "
    "NOCASE,"
    "  PRIMARY KEY(kind, number, address)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX target_address ON target(address);"

    "ALTER TABLE subscriber ADD COLUMN quota INTEGER NOT NULL DEFAULT -2;"
    "ALTER TABLE subscriber ADD COLUMN messages_hour INTEGER NOT NULL DEFAULT -2;"
    "ALTER TABLE subscriber ADD COLUMN messages_day INTEGER NOT NULL DEFAULT -2;"
    "ALTER TABLE subscriber ADD COLUMN recipients_hour INTEGER NOT NULL DEFAULT -2;"
    "ALTER TABLE subscriber ADD COLUMN recipients_day INTEGER NOT NULL DEFAULT -2;"
    "ALTER TABLE subscriber ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE subscriber ADD COLUMN suspend_reason TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE subscriber ADD COLUMN suspended_by TEXT NOT NULL DEFAULT '';"

    /* Files that were imported under a key of the client's: the same key again is the same import, and changes nothing. */
    "CREATE TABLE import("
    "  key TEXT PRIMARY KEY, verb TEXT NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, author TEXT NOT NULL,"
    "  report TEXT NOT NULL) STRICT;";

/* What may be known of passwords; the hashes are in secrets.db (ledger/secrets.h). */
static const char passwords[] =
    "CREATE TABLE credential("
    "  mailbox INTEGER PRIMARY KEY REFERENCES mailbox(number), scheme TEXT NOT NULL, set_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE application("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, mailbox INTEGER NOT NULL REFERENCES mailbox(number), label TEXT NOT NULL,"
    "  created INTEGER NOT NULL, used INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT " NEVER ") STRICT;"
    "CREATE INDEX application_of ON application(mailbox) WHERE removed = " NEVER ";"
    "CREATE TABLE secrets_turn(n INTEGER NOT NULL) STRICT;"
    "INSERT INTO secrets_turn VALUES(0);";

/* Bans are decisions against addresses outside, as quarantines are against subscribers. Senders are addresses that a mailbox may write as besides
 * its own and those that an alias sends to it. */
static const char edge[] =
    "CREATE TABLE ban("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, address BLOB NOT NULL CHECK(length(address) = 16), length INTEGER NOT "
    "NULL,"
    "  start INTEGER NOT NULL, until INTEGER NOT NULL, released INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL,"
    "  author TEXT NOT NULL, evidence TEXT NOT NULL, by_rule INTEGER NOT NULL, released_by TEXT NOT NULL DEFAULT '',"
    "  release_reason TEXT NOT NULL DEFAULT '', CHECK(until > start)) STRICT;"
    "CREATE INDEX ban_present ON ban(until) WHERE released = 0;"
    "CREATE INDEX ban_address ON ban(address, length);"
    "CREATE TABLE sender("
    "  mailbox INTEGER NOT NULL REFERENCES mailbox(number), address TEXT NOT NULL, PRIMARY KEY(mailbox, address)) "
    "STRICT, WITHOUT ROWID;";

/* A suspension may have an end: the keeper lifts it then. It may be a limit instead: so many recipients an hour (0: none at all). */
static const char suspensions[] =
    "ALTER TABLE mailbox ADD COLUMN suspended_until INTEGER NOT NULL DEFAULT " NEVER ";"
    "ALTER TABLE subscriber ADD COLUMN suspended_until INTEGER NOT NULL DEFAULT " NEVER ";"
    "ALTER TABLE mailbox ADD COLUMN suspended_to INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE subscriber ADD COLUMN suspended_to INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX mailbox_suspended ON mailbox(suspended_until) WHERE suspended > 0;"
    "CREATE INDEX subscriber_suspended ON subscriber(suspended_until) WHERE suspended > 0;";

/* Step i makes version i + 1 of version i. A released step is never changed. */
static const struct migration {
        const char *script, *mark;
} migrations[] = {
        { first, "PRAGMA user_version = 1" }, { leases, "PRAGMA user_version = 2" },
        { mail, "PRAGMA user_version = 3" },  { passwords, "PRAGMA user_version = 4" },
        { edge, "PRAGMA user_version = 5" },  { suspensions, "PRAGMA user_version = 6" },
};

_Static_assert(COUNT_OF(migrations) == LEDGER_SCHEMA, "one step for each version");

static int version(struct ledger *l, int64_t *ret)
{
        return db_number(db_prepare(l, "PRAGMA user_version"), ret);
}

static int newer(struct ledger *l, int64_t found)
{
        return db_fail(l, -EUCLEAN,
                       "ledger.db: is of schema version %lld, made by a newer Porteiro; this one knows version %d",
                       (long long)found, LEDGER_SCHEMA);
}

int schema_check(struct ledger *l)
{
        int64_t found;
        int status = version(l, &found);
        if (status < 0)
                return status;
        if (found > LEDGER_SCHEMA)
                return newer(l, found);
        if (found == 0)
                return db_fail(l, -ENOENT, "ledger.db: nothing was written to it yet");
        if (found < LEDGER_SCHEMA)
                return db_fail(l, -EAGAIN,
                               "ledger.db: is of schema version %lld; it becomes version %d when the keeper starts",
                               (long long)found, LEDGER_SCHEMA);
        return 0;
}

static int step(struct ledger *l, const struct migration *m)
{
        int status = db_do(l, "BEGIN IMMEDIATE");
        if (status < 0)
                return status;
        status = db_script(l, m->script);
        if (status == 0)
                status = db_script(l, m->mark);
        if (status == 0)
                status = db_do(l, "COMMIT");
        if (status < 0 && db_in_transaction(l)) {
                autofree char *why = xstrdup(ledger_error(l));
                db_do(l, "ROLLBACK");
                db_fail(l, status, "%s", why);
        }
        return status;
}

int schema_migrate(struct ledger *l)
{
        int64_t found;
        int status = version(l, &found);
        if (status == 0 && found > LEDGER_SCHEMA)
                return newer(l, found);
        bool old = status == 0 && found < LEDGER_SCHEMA;
        while (status == 0 && found < LEDGER_SCHEMA)
                status = step(l, &migrations[found++]);
        /* Into the database itself, so that later checkpoints need little room, also on a disk that has none. */
        if (status == 0 && old)
                sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        return status;
}

int ledger_open_memory(struct ledger **ret)
{
        struct ledger *l;
        int status = db_open(":memory:", DB_MEMORY, &l);
        if (status == 0)
                status = schema_migrate(l);
        if (status == 0)
                status = secrets_attach(l, NULL);
        if (status < 0) {
                ledger_close(l);
                return status;
        }
        *ret = l;
        return 0;
}
