/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bans: decisions against addresses outside, with author, reason, start and end. There is one in force for a prefix at most, and one that is
 * asked for again goes on: who guesses from a thousand connections at once is one row. */
#include "ledger/json.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"
#include "ledger/wire.h"
#include "policy/ban.h"

#include <errno.h>
#include <stdio.h>

#define BANS                                                                                                           \
        "SELECT id, address, length, start, until, released, reason, author, evidence, by_rule, released_by, "         \
        "release_reason FROM ban "
#define IN_FORCE "start <= ?1 AND until > ?1 AND (released = 0 OR released > ?1) "

#define EXTEND_LEAST (1 * MINUTE)

static void print_ban(struct json *j, const char *key, const void *value)
{
        ban_json(j, key, value);
}

static struct ban ban_of_row(struct statement *s, struct arena *a)
{
        struct ban b = { .id = db_get_int(s) };
        b.prefix.addr = db_get_address(s);
        b.prefix.len = (uint8_t)db_get_int(s);
        b.start = db_get_int(s);
        b.until = db_get_int(s);
        b.released = db_get_int(s);
        b.reason = db_get_text(s, a);
        b.author = db_get_text(s, a);
        b.evidence = db_get_text(s, a);
        b.by_rule = db_get_int(s) != 0;
        b.released_by = db_get_text(s, a);
        b.release_reason = db_get_text(s, a);
        return b;
}

static int collect(struct statement *s, struct rows *rows)
{
        while (db_row(s)) {
                struct ban *b = rows_add(rows);
                if (!b)
                        break;
                *b = ban_of_row(s, rows->arena);
        }
        return db_done(s);
}

int ledger_bans(struct ledger *l, struct arena *a, int64_t at, bool only_now, struct ban **ret, size_t *n)
{
        static const char *const texts[2] = { BANS "WHERE ?1 = ?1 ORDER BY id DESC",
                                              BANS "WHERE " IN_FORCE "ORDER BY id DESC" };
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, texts[only_now]);
        db_int(s, at);
        return rows_done(&rows, collect(s, &rows), (void **)ret, n);
}

static int one(struct statement *s, struct arena *a, struct ban *ret)
{
        bool found = false;
        while (db_row(s)) {
                *ret = ban_of_row(s, a);
                found = true;
        }
        int status = db_done(s);
        return status < 0 ? status : found ? 0 : -ENOENT;
}

int ledger_ban_of(struct ledger *l, struct arena *a, const struct prefix *prefix, int64_t at, struct ban *ret)
{
        struct statement *s = db_prepare(l, BANS "WHERE " IN_FORCE "AND address = ?2 AND length = ?3");
        db_int(s, at);
        db_address(s, &prefix->addr);
        db_int(s, prefix->len);
        return one(s, a, ret);
}

int ledger_bans_over(struct ledger *l, struct arena *a, const struct addr *addr, int64_t at, struct ban **ret,
                     size_t *n)
{
        uint8_t lengths[BAN_LENGTHS_MOST];
        struct rows rows = rows_of(l, a, sizeof **ret);
        size_t n_lengths = ban_lengths(addr_is_v4(addr), lengths);
        int status = 0;
        for (size_t i = 0; i < n_lengths && status == 0; i++) {
                struct ban found;
                struct prefix prefix = prefix_of(*addr, lengths[i]);
                status = ledger_ban_of(l, a, &prefix, at, &found);
                if (status == 0) {
                        struct ban *b = rows_add(&rows);
                        if (b)
                                *b = found;
                } else if (status == -ENOENT) {
                        status = 0;
                }
        }
        return rows_done(&rows, status, (void **)ret, n);
}

/* --- verbs --- */

static int check_ban(struct verb_call *c, const struct ban *b)
{
        char text[PREFIX_TEXT_MAX];
        if (b->reason.n == 0)
                return verb_no(c, "a ban needs a reason");
        if (!ban_length_right(&b->prefix))
                return verb_no(c, "%s: " BAN_LENGTHS_TEXT, prefix_print(&b->prefix, text));
        if (b->until == TIME_NEVER)
                return verb_no(c, "a ban needs an end");
        if (b->until <= c->now)
                return verb_no(c, "that ban would be over already");
        int status = verb_text(c, "reason", b->reason, LEDGER_TEXT_MOST);
        return status ? status : verb_text(c, "evidence", b->evidence, LEDGER_TEXT_MOST);
}

static int check_room(struct verb_call *c)
{
        int64_t in_force = 0;
        struct statement *s = db_prepare(c->ledger, "SELECT count(*) FROM ban WHERE released = 0 AND until > ?");
        db_int(s, c->now);
        int status = db_number(s, &in_force);
        if (status == 0 && in_force >= BANS_MOST)
                status = verb_no(c, "there are %lld bans in force, and no more than that may be", (long long)in_force);
        return status;
}

static int ban_store(struct verb_call *c, struct ban *b)
{
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO ban(address, length, start, until, reason, author, evidence, by_rule)"
                                  " VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
        db_address(s, &b->prefix.addr);
        db_int(s, b->prefix.len);
        db_int(s, b->start);
        db_int(s, b->until);
        db_text(s, b->reason);
        db_text(s, b->author);
        db_text(s, b->evidence);
        db_int(s, b->by_rule);
        int status = db_run(s);
        b->id = sqlite3_last_insert_rowid(c->ledger->db);
        return status;
}

static int note(struct verb_call *c, const struct record *r, const struct prefix *prefix)
{
        char text[PREFIX_TEXT_MAX];
        struct record with_key = *r;
        with_key.key = slice_of(prefix_print(prefix, text));
        int status = record_audit(c, &with_key);
        return status < 0 ? status : record_change(c, S("ban"), with_key.key);
}

static int answer_with(struct verb_call *c, const struct ban *b, int status)
{
        ipc_put_int(c->results, b->id);
        ipc_put_int(c->results, b->until);
        return status;
}

/* The later end wins; why the first one was is kept, and why it goes on stands in the trail. */
static int extend(struct verb_call *c, struct ban *old, const struct ban *asked)
{
        /* a guesser's connections each ask anew, some milliseconds later: that is no news */
        int64_t more = asked->by_rule && old->until < INT64_MAX - EXTEND_LEAST ? EXTEND_LEAST : 0;
        if (asked->until <= old->until + more)
                return answer_with(c, old, 0);
        struct slice before = record_json(c, print_ban, old);
        struct statement *s = db_prepare(c->ledger, "UPDATE ban SET until = ? WHERE id = ?");
        db_int(s, asked->until);
        db_int(s, old->id);
        int status = db_run(s);
        if (status < 0)
                return status;
        old->until = asked->until;
        struct record r = {
                .verb = "ban extend", .why = asked->reason, .before = before, .after = record_json(c, print_ban, old)
        };
        return answer_with(c, old, note(c, &r, &old->prefix));
}

int verb_ban_add(struct verb_call *c)
{
        struct ban old, b = { .author = c->author, .start = c->now, .prefix = wire_get_prefix(c->args) };
        b.until = ipc_int(c->args);
        b.reason = ipc_text(c->args);
        b.evidence = ipc_text(c->args);
        b.by_rule = ipc_int(c->args) != 0;
        if (c->args->bad)
                return -EBADMSG;
        int status = check_ban(c, &b);
        if (status)
                return status;
        status = ledger_ban_of(c->ledger, c->arena, &b.prefix, c->now, &old);
        if (status == 0)
                return extend(c, &old, &b);
        if (status == -ENOENT)
                status = check_room(c);
        if (status == 0)
                status = ban_store(c, &b);
        if (status)
                return status;
        struct record r = { .verb = "ban add", .why = b.reason, .after = record_json(c, print_ban, &b) };
        return answer_with(c, &b, note(c, &r, &b.prefix));
}

static int find_ban(struct verb_call *c, int64_t id, const struct prefix *prefix, struct ban *ret)
{
        if (id == 0)
                return ledger_ban_of(c->ledger, c->arena, prefix, c->now, ret);
        struct statement *s = db_prepare(c->ledger, BANS "WHERE id = ?");
        db_int(s, id);
        return one(s, c->arena, ret);
}

int verb_ban_release(struct verb_call *c)
{
        struct ban b;
        char text[PREFIX_TEXT_MAX];
        int64_t id = ipc_int(c->args);
        struct prefix prefix = wire_get_prefix(c->args);
        struct slice why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status)
                return status;
        status = find_ban(c, id, &prefix, &b);
        if (status == -ENOENT)
                return id ? verb_no(c, "there is no ban %lld", (long long)id)
                          : verb_no(c, "%s is not banned", prefix_print(&prefix, text));
        if (status < 0)
                return status;
        if (b.released || b.until <= c->now)
                return verb_no(c, "ban %lld of %s is over already", (long long)b.id, prefix_print(&b.prefix, text));
        struct slice before = record_json(c, print_ban, &b);
        struct statement *s =
            db_prepare(c->ledger, "UPDATE ban SET released = ?, released_by = ?, release_reason = ? WHERE id = ?");
        db_int(s, c->now);
        db_text(s, c->author);
        db_text(s, why);
        db_int(s, b.id);
        status = db_run(s);
        if (status < 0)
                return status;
        b.released = c->now;
        b.released_by = c->author;
        b.release_reason = why;
        return note(c,
                    &(struct record){
                        .verb = "ban release", .why = why, .before = before, .after = record_json(c, print_ban, &b) },
                    &b.prefix);
}
