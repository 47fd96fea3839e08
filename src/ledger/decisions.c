/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exemptions and quarantines: decisions about people, with author, reason, start and end. */
#include "ledger/json.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"
#include "ledger/wire.h"

#include <errno.h>
#include <stdio.h>

static void print_exemption(struct json *j, const char *key, const void *value)
{
        exemption_json(j, key, value);
}

static void print_quarantine(struct json *j, const char *key, const void *value)
{
        quarantine_json(j, key, value);
}

/* --- exemptions --- */

#define EXEMPTIONS                                                                                                     \
        "SELECT e.id, coalesce(s.id, ''), e.address, coalesce(e.length, 128), e.start, e.until, e.owner, e.reason, "   \
        "e.author, e.removed "                                                                                         \
        "FROM exemption e LEFT JOIN subscriber s ON s.number = e.subscriber "

static struct exemption exemption_of_row(struct statement *s, struct arena *a)
{
        struct exemption e = { .id = db_get_int(s) };
        e.subscriber = db_get_text(s, a);
        e.prefix.addr = db_get_address(s);
        e.prefix.len = (uint8_t)db_get_int(s);
        e.start = db_get_int(s);
        e.until = db_get_int(s);
        e.owner = db_get_text(s, a);
        e.reason = db_get_text(s, a);
        e.author = db_get_text(s, a);
        e.removed = db_get_int(s);
        return e;
}

int ledger_exemptions(struct ledger *l, struct arena *a, struct exemption **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, EXEMPTIONS "ORDER BY e.id");
        while (db_row(s)) {
                struct exemption *e = rows_add(&rows);
                if (!e)
                        break;
                *e = exemption_of_row(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

static int exemption_changed(struct verb_call *c, const struct exemption *e)
{
        char text[PREFIX_TEXT_MAX];
        if (e->subscriber.n)
                return subscriber_changed(c, e->subscriber);
        return record_change(c, S("prefix-exemption"), slice_of(prefix_print(&e->prefix, text)));
}

static struct slice exemption_key(struct verb_call *c, const struct exemption *e)
{
        char text[PREFIX_TEXT_MAX];
        return e->subscriber.n ? e->subscriber : arena_dup(c->arena, slice_of(prefix_print(&e->prefix, text)));
}

static int check_exemption(struct verb_call *c, const struct exemption *e, int64_t *number)
{
        if (e->owner.n == 0 || e->reason.n == 0)
                return verb_no(c, "an exemption needs an owner and a reason");
        if (e->until == TIME_NEVER)
                return verb_no(c, "an exemption needs an end");
        if (e->start < 0 || e->until <= e->start || e->until <= c->now)
                return verb_no(c, "an exemption must end after it starts, and later than now");
        int status = verb_text(c, "owner", e->owner, LEDGER_TEXT_MOST);
        if (status == 0)
                status = verb_text(c, "reason", e->reason, LEDGER_TEXT_MOST);
        if (status || e->subscriber.n == 0)
                return status;
        status = subscriber_number(c->ledger, e->subscriber, number);
        return status == -ENOENT ? verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(e->subscriber)) : status;
}

static int exemption_store(struct verb_call *c, struct exemption *e, int64_t number)
{
        struct statement *s = db_prepare(
            c->ledger, "INSERT INTO exemption(subscriber, address, length, start, until, owner, reason, author)"
                       " VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
        if (e->subscriber.n) {
                db_int(s, number);
                db_null(s);
                db_null(s);
        } else {
                db_null(s);
                db_address(s, &e->prefix.addr);
                db_int(s, e->prefix.len);
        }
        db_int(s, e->start);
        db_int(s, e->until);
        db_text(s, e->owner);
        db_text(s, e->reason);
        db_text(s, c->author);
        int status = db_run(s);
        e->id = sqlite3_last_insert_rowid(c->ledger->db);
        return status;
}

int verb_exemption_add(struct verb_call *c)
{
        int64_t number = 0;
        struct exemption e = { .author = c->author, .subscriber = ipc_text(c->args) };
        e.prefix = wire_get_prefix(c->args);
        e.start = ipc_int(c->args);
        e.until = ipc_int(c->args);
        e.owner = ipc_text(c->args);
        e.reason = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        if (e.start == 0)
                e.start = c->now;
        int status = check_exemption(c, &e, &number);
        if (status == 0)
                status = exemption_store(c, &e, number);
        if (status)
                return status;
        ipc_put_int(c->results, e.id);
        struct slice after = record_json(c, print_exemption, &e);
        status = record_audit(
            c,
            &(struct record){ .verb = "exemption add", .key = exemption_key(c, &e), .why = e.reason, .after = after });
        return status < 0 ? status : exemption_changed(c, &e);
}

static int find_exemption(struct verb_call *c, int64_t id, struct exemption *ret)
{
        bool found = false;
        struct statement *s = db_prepare(c->ledger, EXEMPTIONS "WHERE e.id = ?");
        db_int(s, id);
        while (db_row(s)) {
                *ret = exemption_of_row(s, c->arena);
                found = true;
        }
        int status = db_done(s);
        return status < 0 ? status : found ? 0 : -ENOENT;
}

int verb_exemption_remove(struct verb_call *c)
{
        struct exemption e;
        int64_t id = ipc_int(c->args);
        struct slice why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status)
                return status;
        status = find_exemption(c, id, &e);
        if (status == -ENOENT || (status == 0 && e.removed))
                return verb_no(c, "there is no exemption %lld%s", (long long)id,
                               status == 0 ? " any more: it was removed" : "");
        if (status < 0)
                return status;
        struct slice before = record_json(c, print_exemption, &e);
        struct statement *s =
            db_prepare(c->ledger, "UPDATE exemption SET removed = ?, removed_by = ?, remove_reason = ? WHERE id = ?");
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, why);
        db_int(s, id);
        status = db_run(s);
        if (status == 0)
                status = record_audit(
                    c, &(struct record){
                           .verb = "exemption remove", .key = exemption_key(c, &e), .why = why, .before = before });
        return status < 0 ? status : exemption_changed(c, &e);
}

/* --- quarantines --- */

#define QUARANTINES                                                                                                    \
        "SELECT q.id, q.start, q.until, q.released, s.id, q.reason, q.author, q.approved_by, q.evidence, "             \
        "q.released_by, "                                                                                              \
        "q.release_reason, q.level, q.by_rule, q.proposed FROM quarantine q JOIN subscriber s ON s.number = "          \
        "q.subscriber "
#define IN_FORCE "q.start <= ?2 AND q.until > ?2 AND (q.released = 0 OR q.released > ?2) AND q.proposed = 0 "

static struct quarantine quarantine_of_row(struct statement *s, struct arena *a)
{
        struct quarantine q = { .id = db_get_int(s), .start = db_get_int(s) };
        q.until = db_get_int(s);
        q.released = db_get_int(s);
        q.subscriber = db_get_text(s, a);
        q.reason = db_get_text(s, a);
        q.author = db_get_text(s, a);
        q.approved_by = db_get_text(s, a);
        q.evidence = db_get_text(s, a);
        q.released_by = db_get_text(s, a);
        q.release_reason = db_get_text(s, a);
        int64_t level = db_get_int(s);
        q.level = level >= 0 && level < LEVEL_COUNT ? (enum level)level : LEVEL_NONE;
        q.by_rule = db_get_int(s);
        q.proposed = db_get_int(s);
        return q;
}

static int collect_quarantines(struct statement *s, struct rows *rows)
{
        while (db_row(s)) {
                struct quarantine *q = rows_add(rows);
                if (!q)
                        break;
                *q = quarantine_of_row(s, rows->arena);
        }
        return db_done(s);
}

int ledger_quarantines(struct ledger *l, struct arena *a, struct slice subscriber, int64_t at, bool only_now,
                       struct quarantine **ret, size_t *n)
{
        static const char *const texts[2][2] = {
                { QUARANTINES "WHERE ?1 = '' AND ?2 = ?2 ORDER BY q.id DESC",
                  QUARANTINES "WHERE ?1 = '' AND " IN_FORCE "ORDER BY q.id DESC" },
                { QUARANTINES "WHERE s.id = ?1 AND ?2 = ?2 ORDER BY q.id DESC",
                  QUARANTINES "WHERE s.id = ?1 AND " IN_FORCE "ORDER BY q.id DESC" },
        };
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, texts[subscriber.n > 0][only_now]);
        db_text(s, subscriber);
        db_int(s, at);
        return rows_done(&rows, collect_quarantines(s, &rows), (void **)ret, n);
}

/* "root(0)": root. */
static struct slice author_name(struct slice author)
{
        struct slice rest;
        return slice_trim(slice_cut(author, '(', &rest));
}

/* A second person: somebody else than the author, however he writes himself. */
static bool is_second(struct slice approver, struct slice author)
{
        approver = slice_trim(approver);
        return approver.n && !slice_ieq(author_name(approver), author_name(author)) &&
               !slice_ieq(approver, slice_trim(author));
}

static int check_never_cut(struct verb_call *c, const struct quarantine *q, int64_t number)
{
        int64_t never_cut = 0;
        struct statement *s = db_prepare(c->ledger, "SELECT never_cut FROM subscriber WHERE number = ?");
        db_int(s, number);
        int status = db_number(s, &never_cut);
        if (status < 0)
                return status;
        if (q->by_rule && slice_trim(q->approved_by).n)
                return verb_no(c, "a rule cannot say that a person approved");
        if (q->proposed || (!never_cut && !q->needs_approval) || is_second(q->approved_by, c->author))
                return 0;
        if (slice_trim(q->approved_by).n)
                return verb_no(
                    c, "subscriber %.*s is never cut without a second person: %.*s cannot approve what %.*s decides",
                    SLICE_ARGS(q->subscriber), SLICE_ARGS(q->approved_by), SLICE_ARGS(c->author));
        return verb_no(c, "subscriber %.*s is never cut without a second person's approval (--approved-by)",
                       SLICE_ARGS(q->subscriber));
}

static int check_quarantine(struct verb_call *c, const struct quarantine *q, int64_t *number)
{
        if (q->reason.n == 0)
                return verb_no(c, "a quarantine needs a reason");
        if (q->start < 0 || q->until <= q->start)
                return verb_no(c, "a quarantine must end after it starts");
        if (q->until <= c->now)
                return verb_no(c, "that quarantine would be over already");
        const struct slice texts[] = { q->reason, q->approved_by, q->evidence };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                int status = verb_text(c, "quarantine", texts[i], LEDGER_TEXT_MOST);
                if (status)
                        return status;
        }
        int status = subscriber_number(c->ledger, q->subscriber, number);
        if (status == -ENOENT)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(q->subscriber));
        return status < 0 ? status : check_never_cut(c, q, *number);
}

static int quarantine_store(struct verb_call *c, struct quarantine *q, int64_t number)
{
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO quarantine(subscriber, level, start, until, reason, author, approved_by,"
                                  " evidence, by_rule, proposed) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        db_int(s, number);
        db_int(s, q->level);
        db_int(s, q->start);
        db_int(s, q->until);
        db_text(s, q->reason);
        db_text(s, c->author);
        db_text(s, q->approved_by);
        db_text(s, q->evidence);
        db_int(s, q->by_rule);
        db_int(s, q->proposed);
        int status = db_run(s);
        q->id = sqlite3_last_insert_rowid(c->ledger->db);
        return status;
}

static bool read_quarantine(struct verb_call *c, struct quarantine *q)
{
        q->author = c->author;
        q->subscriber = ipc_text(c->args);
        int64_t level = ipc_int(c->args);
        q->start = ipc_int(c->args);
        q->until = ipc_int(c->args);
        q->reason = ipc_text(c->args);
        q->approved_by = ipc_text(c->args);
        q->evidence = ipc_text(c->args);
        q->by_rule = ipc_int(c->args) != 0;
        q->proposed = ipc_int(c->args) != 0;
        q->needs_approval = ipc_int(c->args) != 0;
        if (level < 0 || level >= LEVEL_COUNT)
                return false;
        q->level = (enum level)level;
        return !c->args->bad;
}

int verb_quarantine_add(struct verb_call *c)
{
        int64_t number;
        struct quarantine q = { .id = 0 };
        if (!read_quarantine(c, &q))
                return -EBADMSG;
        if (q.start == 0)
                q.start = c->now;
        int status = check_quarantine(c, &q, &number);
        if (status == 0)
                status = quarantine_store(c, &q, number);
        if (status)
                return status;
        ipc_put_int(c->results, q.id);
        struct slice after = record_json(c, print_quarantine, &q);
        status = record_audit(c, &(struct record){ .verb = q.proposed ? "quarantine propose" : "quarantine add",
                                                   .key = q.subscriber,
                                                   .why = q.reason,
                                                   .after = after });
        return status < 0 ? status : subscriber_changed(c, q.subscriber);
}

static int find_quarantine(struct verb_call *c, int64_t id, struct quarantine *ret)
{
        bool found = false;
        struct statement *s = db_prepare(c->ledger, QUARANTINES "WHERE q.id = ?");
        db_int(s, id);
        while (db_row(s)) {
                *ret = quarantine_of_row(s, c->arena);
                found = true;
        }
        int status = db_done(s);
        return status < 0 ? status : found ? 0 : -ENOENT;
}

int verb_quarantine_release(struct verb_call *c)
{
        struct quarantine q;
        int64_t id = ipc_int(c->args);
        struct slice why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status)
                return status;
        status = find_quarantine(c, id, &q);
        if (status == -ENOENT)
                return verb_no(c, "there is no quarantine %lld", (long long)id);
        if (status < 0)
                return status;
        if (q.released || q.until <= c->now)
                return verb_no(c, "quarantine %lld of subscriber %.*s is over already", (long long)id,
                               SLICE_ARGS(q.subscriber));
        struct slice before = record_json(c, print_quarantine, &q);
        struct statement *s = db_prepare(
            c->ledger, "UPDATE quarantine SET released = ?, released_by = ?, release_reason = ? WHERE id = ?");
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, why);
        db_int(s, id);
        status = db_run(s);
        if (status == 0)
                status = record_audit(
                    c, &(struct record){
                           .verb = "quarantine release", .key = q.subscriber, .why = why, .before = before });
        return status < 0 ? status : subscriber_changed(c, q.subscriber);
}
