/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Generations of the policy, and which of them reigned when.
 *
 * A reign is an interval; at any time at most one is open. A rollback begins a new reign of an older generation, so the past stays told as
 * it was. A trial whose time passed with nobody there to take it back is taken back here, as of the moment it ended, before anything
 * new is stored: the kernel let the former rules return by itself at that very moment. */
#include "base/sha256.h"
#include "ledger/json.h"
#include "ledger/nouns.h"
#include "ledger/rows.h"

#include <errno.h>
#include <stdio.h>

#define GENERATION_COLUMNS                                                                                             \
        "g.n, g.at, g.trial_for, g.trial_until, g.hash, g.author, g.why, g.state, "                                    \
        "EXISTS(SELECT 1 FROM reign r WHERE r.generation = g.n AND r.end = " SQL_NEVER ")"

const char *generation_state_name(enum generation_state s)
{
#define STATE_NAME(id, name) [GENERATION_##id] = name,
        static const char *const names[] = { GENERATION_STATES(STATE_NAME) };
        return (size_t)s < COUNT_OF(names) ? names[s] : "unknown";
}

static struct generation generation_of_row(struct statement *s, struct arena *a)
{
        struct generation g = { .n = db_get_int(s), .at = db_get_int(s) };
        g.trial_for = db_get_int(s);
        g.trial_until = db_get_int(s);
        g.hash = db_get_text(s, a);
        g.author = db_get_text(s, a);
        g.why = db_get_text(s, a);
        g.state = (enum generation_state)db_get_int(s);
        g.in_force = db_get_int(s);
        return g;
}

static int read_one(struct statement *s, struct arena *a, struct generation *ret)
{
        struct generation g = { .n = 0 };
        while (db_row(s)) {
                g = generation_of_row(s, a);
                g.text = db_get_text(s, a);
        }
        int status = db_done(s);
        if (status < 0)
                return status;
        if (g.n == 0)
                return -ENOENT;
        *ret = g;
        return 0;
}

int ledger_generation(struct ledger *l, struct arena *a, int64_t n, struct generation *ret)
{
        struct statement *s = db_prepare(l, "SELECT " GENERATION_COLUMNS ", g.text FROM generation g WHERE g.n = ?");
        db_int(s, n);
        return read_one(s, a, ret);
}

/* The confirmed generation whose reign began last before the reign `id`: what a rollback returns to. */
static int number_before(struct ledger *l, int64_t reign, int64_t generation, int64_t *ret)
{
        struct statement *s =
            db_prepare(l, "SELECT r.generation FROM reign r JOIN generation g ON g.n = r.generation"
                          " WHERE r.id < ? AND r.generation <> ? AND g.state = ? ORDER BY r.id DESC LIMIT 1");
        db_int(s, reign);
        db_int(s, generation);
        db_int(s, GENERATION_CONFIRMED);
        return db_number(s, ret);
}

struct reign {
        int64_t id, generation, start, trial_until;
        enum generation_state state;
};

/* The reign that covers `at`; TIME_NEVER: the open one. id 0: none. */
static int reign_at(struct ledger *l, int64_t at, struct reign *ret)
{
        *ret = (struct reign){ .id = 0 };
        struct statement *s = db_prepare(
            l, at == TIME_NEVER ? "SELECT r.id, r.generation, r.start, g.trial_until, g.state FROM reign r"
                                  " JOIN generation g ON g.n = r.generation WHERE r.end = ?1 ORDER BY r.id DESC LIMIT 1"
                                : "SELECT r.id, r.generation, r.start, g.trial_until, g.state FROM reign r"
                                  " JOIN generation g ON g.n = r.generation WHERE r.start <= ?1 AND r.end > ?1"
                                  " ORDER BY r.id DESC LIMIT 1");
        db_int(s, at);
        while (db_row(s)) {
                *ret =
                    (struct reign){ db_get_int(s), db_get_int(s), db_get_int(s), db_get_int(s), GENERATION_PREPARED };
                ret->state = (enum generation_state)db_get_int(s);
        }
        return db_done(s);
}

static int number_in_force(struct ledger *l, int64_t at, int64_t *ret)
{
        struct reign r = { .id = 0 };
        int status = reign_at(l, at, &r);
        if (status < 0)
                return status;
        if (r.id == 0)
                return -ENOENT;
        *ret = r.generation;
        if (at != TIME_NEVER && r.state == GENERATION_TRIAL && r.trial_until <= at)
                return number_before(l, r.id, r.generation, ret);
        return 0;
}

int ledger_generation_in_force(struct ledger *l, struct arena *a, int64_t at, struct generation *ret)
{
        int64_t n;
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = number_in_force(l, at, &n);
        if (status == 0)
                status = ledger_generation(l, a, n, ret);
        return db_snapshot_end(l, began, status);
}

int ledger_generation_before(struct ledger *l, struct arena *a, struct generation *ret)
{
        struct reign r = { .id = 0 };
        int64_t n;
        bool began;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = reign_at(l, TIME_NEVER, &r);
        if (status == 0)
                status = r.id ? number_before(l, r.id, r.generation, &n) : -ENOENT;
        if (status == 0)
                status = ledger_generation(l, a, n, ret);
        return db_snapshot_end(l, began, status);
}

int ledger_generation_prepared(struct ledger *l, struct arena *a, struct generation *ret)
{
        struct statement *s = db_prepare(l, "SELECT " GENERATION_COLUMNS
                                            ", g.text FROM generation g WHERE g.state = ? ORDER BY g.n DESC LIMIT 1");
        db_int(s, GENERATION_PREPARED);
        return read_one(s, a, ret);
}

int ledger_generations(struct ledger *l, struct arena *a, struct generation **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, "SELECT " GENERATION_COLUMNS " FROM generation g ORDER BY g.n");
        while (db_row(s)) {
                struct generation *g = rows_add(&rows);
                if (!g)
                        break;
                *g = generation_of_row(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

/* --- writing --- */

static int audit(struct verb_call *c, const char *verb, int64_t n, struct slice why)
{
        struct generation g;
        char key[24];
        autobuf text = { 0 };
        struct json j;
        int status = ledger_generation(c->ledger, c->arena, n, &g);
        if (status < 0)
                return status;
        snprintf(key, sizeof key, "generation %lld", (long long)n);
        buf_init(&text, 65536);
        json_init_compact(&j, &text);
        json_object(&j, NULL);
        json_int(&j, "generation", n);
        json_string(&j, "hash", g.hash);
        json_cstr(&j, "state", generation_state_name(g.state));
        json_time(&j, "trial_until", g.trial_until);
        json_object_end(&j);
        json_done(&j);
        status = record_audit(
            c, &(struct record){ .verb = verb, .key = slice_of(key), .why = why, .after = buf_slice(&text) });
        snprintf(key, sizeof key, "%lld", (long long)n);
        return status < 0 ? status : record_change(c, S("generation"), slice_of(key));
}

static int set_state(struct ledger *l, int64_t n, enum generation_state state)
{
        struct statement *s = db_prepare(l, "UPDATE generation SET state = ? WHERE n = ?");
        db_int(s, state);
        db_int(s, n);
        return db_run(s);
}

static int reign_end(struct ledger *l, const struct reign *r, int64_t at)
{
        struct statement *s = db_prepare(l, "UPDATE reign SET end = max(?, start) WHERE id = ?");
        db_int(s, at);
        db_int(s, r->id);
        return db_run(s);
}

static int reign_begin(struct ledger *l, int64_t generation, int64_t at)
{
        struct statement *s = db_prepare(l, "INSERT INTO reign(generation, start, end) VALUES(?, ?, " SQL_NEVER ")");
        db_int(s, generation);
        db_int(s, at);
        return db_run(s);
}

/* *ret_n: what reigns now, 0 for none. */
static int roll_back(struct verb_call *c, const struct reign *r, int64_t at, struct slice why, int64_t *ret_n)
{
        int64_t before = 0;
        int status = number_before(c->ledger, r->id, r->generation, &before);
        if (status == -ENOENT)
                status = 0;
        if (status == 0)
                status = reign_end(c->ledger, r, at);
        if (status == 0)
                status = set_state(c->ledger, r->generation, GENERATION_ROLLED_BACK);
        if (status == 0 && before)
                status = reign_begin(c->ledger, before, at > r->start ? at : r->start);
        if (status < 0)
                return status;
        *ret_n = before;
        return audit(c, "rollback", r->generation, why);
}

static int settle_lapsed(struct verb_call *c)
{
        struct reign r = { .id = 0 };
        int64_t n;
        int status = reign_at(c->ledger, TIME_NEVER, &r);
        if (status < 0 || r.id == 0 || r.state != GENERATION_TRIAL || r.trial_until > c->now)
                return status;
        return roll_back(c, &r, r.trial_until, S("nobody confirmed it in time"), &n);
}

static int refuse_during_trial(struct verb_call *c)
{
        struct reign r = { .id = 0 };
        char until[TIME_TEXT_MAX];
        int status = settle_lapsed(c);
        if (status == 0)
                status = reign_at(c->ledger, TIME_NEVER, &r);
        if (status < 0 || r.id == 0 || r.state != GENERATION_TRIAL)
                return status;
        return verb_no(c, "generation %lld is on trial until %s: porteiro confirm or porteiro rollback comes first",
                       (long long)r.generation, time_print(r.trial_until, until));
}

/* One that was never loaded makes room for the newer one. */
static int forget_prepared(struct verb_call *c)
{
        struct statement *s = db_prepare(
            c->ledger,
            "UPDATE generation SET state = ?, why = 'a newer generation came before it was loaded' WHERE state = ?");
        db_int(s, GENERATION_FAILED);
        db_int(s, GENERATION_PREPARED);
        return db_run(s);
}

int verb_generation_add(struct verb_call *c)
{
        char hash[SHA256_HEX + 1];
        struct slice text = ipc_text(c->args);
        int64_t trial_for = ipc_int(c->args);
        struct slice why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        if (text.n > POLICY_TEXT_MOST || trial_for < 0 || trial_for > 365 * DAY)
                return verb_no(c, "the policy or its trial is too long");
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status == 0)
                status = refuse_during_trial(c);
        if (status == 0)
                status = forget_prepared(c);
        if (status)
                return status;
        sha256_hex(text, hash);
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO generation(at, text, hash, author, why, state, trial_for, trial_until)"
                                  " VALUES(?, ?, ?, ?, ?, ?, ?, " SQL_NEVER ")");
        db_int(s, c->now);
        db_text(s, text);
        db_text(s, slice_of(hash));
        db_text(s, c->author);
        db_text(s, why);
        db_int(s, GENERATION_PREPARED);
        db_int(s, trial_for);
        status = db_run(s);
        int64_t n = sqlite3_last_insert_rowid(c->ledger->db);
        if (status == 0)
                status = audit(c, "apply", n, why);
        ipc_put_int(c->results, n);
        return status;
}

static int failed(struct verb_call *c, int64_t n, struct slice why)
{
        struct statement *s = db_prepare(c->ledger, "UPDATE generation SET state = ?, why = ? WHERE n = ?");
        db_int(s, GENERATION_FAILED);
        db_text(s, why);
        db_int(s, n);
        int status = db_run(s);
        return status < 0 ? status : audit(c, "load failed", n, why);
}

static int loaded(struct verb_call *c, int64_t n)
{
        struct reign r = { .id = 0 };
        int64_t trial_for = 0;
        struct statement *s = db_prepare(c->ledger, "SELECT trial_for FROM generation WHERE n = ?");
        db_int(s, n);
        int status = db_number(s, &trial_for);
        if (status == 0)
                status = settle_lapsed(c);
        if (status == 0)
                status = reign_at(c->ledger, TIME_NEVER, &r);
        if (status == 0 && r.id)
                status = reign_end(c->ledger, &r, c->now);
        if (status == 0)
                status = reign_begin(c->ledger, n, c->now > r.start ? c->now : r.start);
        if (status < 0)
                return status;
        s = db_prepare(c->ledger, "UPDATE generation SET state = ?, trial_until = ? WHERE n = ?");
        db_int(s, trial_for ? GENERATION_TRIAL : GENERATION_CONFIRMED);
        db_int(s, trial_for ? c->now + trial_for : TIME_NEVER);
        db_int(s, n);
        status = db_run(s);
        return status < 0 ? status : audit(c, trial_for ? "load on trial" : "load", n, S(""));
}

int verb_generation_loaded(struct verb_call *c)
{
        struct generation g;
        int64_t n = ipc_int(c->args);
        bool ok = ipc_int(c->args) != 0;
        struct slice why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        if (why.n > LEDGER_TEXT_MOST)
                why.n = LEDGER_TEXT_MOST;
        int status = ledger_generation(c->ledger, c->arena, n, &g);
        if (status == -ENOENT)
                return verb_no(c, "there is no generation %lld", (long long)n);
        if (status < 0)
                return status;
        if (g.in_force && ok)
                return 0;
        if (g.state != GENERATION_PREPARED)
                return verb_no(c, "generation %lld is %s: only a prepared one can be loaded", (long long)n,
                               generation_state_name(g.state));
        return ok ? loaded(c, n) : failed(c, n, why);
}

int verb_generation_confirm(struct verb_call *c)
{
        struct reign r = { .id = 0 };
        char until[TIME_TEXT_MAX];
        if (c->args->bad)
                return -EBADMSG;
        int status = reign_at(c->ledger, TIME_NEVER, &r);
        if (status < 0)
                return status;
        if (r.id == 0 || r.state != GENERATION_TRIAL)
                return verb_no(c, "no generation is on trial");
        if (r.trial_until <= c->now)
                return verb_no(c, "the trial of generation %lld ended at %s: the one before has returned",
                               (long long)r.generation, time_print(r.trial_until, until));
        status = set_state(c->ledger, r.generation, GENERATION_CONFIRMED);
        ipc_put_int(c->results, r.generation);
        return status < 0 ? status : audit(c, "confirm", r.generation, S(""));
}

int verb_generation_rollback(struct verb_call *c)
{
        struct reign r = { .id = 0 };
        int64_t n = 0;
        struct slice why = ipc_text(c->args);
        bool lapsed = ipc_int(c->args) != 0;
        int64_t at = ipc_int(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status == 0)
                status = reign_at(c->ledger, TIME_NEVER, &r);
        if (status)
                return status;
        if (r.id == 0)
                return verb_no(c, "no generation is in force");
        if (lapsed && (r.state != GENERATION_TRIAL || at < r.start || at > c->now))
                return verb_no(c, "generation %lld is not on a trial that ended then", (long long)r.generation);
        bool over = r.state == GENERATION_TRIAL && r.trial_until <= c->now;
        status = roll_back(c, &r, lapsed ? at : over ? r.trial_until : c->now, why, &n);
        ipc_put_int(c->results, n);
        return status;
}
