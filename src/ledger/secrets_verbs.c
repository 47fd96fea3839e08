/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Setting passwords. The hash comes from who asks, for making one takes longer than the keeper may think; what is stored is looked at here
 * again. The audit trail gets the names of schemes and labels, and never a hash. */
#include "ledger/address.h"
#include "ledger/bulk.h"
#include "ledger/client.h"
#include "ledger/json.h"
#include "ledger/nouns.h"
#include "ledger/secrets.h"
#include "ledger/secrets_store.h"

#include <errno.h>

struct owner {
        int64_t mailbox;
        struct slice address;
};

static int find_owner(struct verb_call *c, struct slice text, struct owner *ret)
{
        struct address address;
        const char *wrong = address_parse(text, ADDRESS_OURS, c->arena, &address);
        if (wrong)
                return verb_no(c, "mailbox %.*s: %s", SLICE_ARGS(text), wrong);
        struct statement *s =
            db_prepare(c->ledger, "SELECT number FROM mailbox WHERE address = ? AND removed = " SQL_NEVER);
        db_text(s, address.whole);
        int status = db_number(s, &ret->mailbox);
        if (status == -ENOENT)
                return verb_no(c, "there is no mailbox %.*s", SLICE_ARGS(address.whole));
        ret->address = address.whole;
        return status;
}

static int find_present(struct verb_call *c, int64_t mailbox, struct owner *ret)
{
        struct statement *s =
            db_prepare(c->ledger, "SELECT address FROM mailbox WHERE number = ? AND removed = " SQL_NEVER);
        *ret = (struct owner){ .mailbox = mailbox };
        db_int(s, mailbox);
        while (db_row(s))
                ret->address = db_get_text(s, c->arena);
        int status = db_done(s);
        return status < 0 || ret->address.n ? status : verb_no(c, "this mailbox is gone");
}

/* In the one spelling; says no where it is none. */
static int take_hash(struct verb_call *c, struct slice text, struct slice *ret, const char **scheme)
{
        struct secret_form form;
        autobuf hash;
        buf_init(&hash, SECRET_HASH_MOST + 64);
        const char *wrong = secret_form_parse(text, &form);
        if (wrong)
                return verb_no(c, "the hash %s", wrong);
        secret_form_print(&form, &hash);
        *ret = arena_dup(c->arena, buf_slice(&hash));
        *scheme = form.scheme;
        return ret->p ? 0 : db_fail(c->ledger, -ENOMEM, "no memory for a hash");
}

/* {"password":"yescrypt"}; nothing where there was none. */
static struct slice scheme_json(struct verb_call *c, struct slice scheme)
{
        struct json j;
        autobuf out;
        buf_init(&out, 1024);
        if (scheme.n == 0)
                return S("");
        json_init_compact(&j, &out);
        json_object(&j, NULL);
        json_string(&j, "password", scheme);
        json_object_end(&j);
        json_done(&j);
        return arena_dup(c->arena, buf_slice(&out));
}

/* Two different settings never carry the same instant: secrets_settle() tells them apart by it. */
static int store(struct verb_call *c, const struct owner *o, struct slice hash, const char *scheme, int64_t after)
{
        int64_t at = c->now > after ? c->now : after + 1;
        struct statement *s =
            db_prepare(c->ledger, "INSERT OR REPLACE INTO credential(mailbox, scheme, set_at) VALUES(?, ?, ?)");
        db_int(s, o->mailbox);
        db_text(s, slice_of(scheme));
        db_int(s, at);
        int status = db_run(s);
        if (status < 0)
                return status;
        s = db_prepare(c->ledger, "INSERT OR REPLACE INTO secrets.password(mailbox, hash, set_at) VALUES(?, ?, ?)");
        db_int(s, o->mailbox);
        db_text(s, hash);
        db_int(s, at);
        status = db_run(s);
        if (status == 0)
                status = secrets_turn(c->ledger);
        return status == 0 ? record_change(c, S("mailbox"), o->address) : status;
}

static int set(struct verb_call *c, const char *verb, const struct owner *o, struct slice hash, const char *scheme)
{
        struct credential before;
        int status = ledger_credential(c->ledger, c->arena, o->mailbox, &before);
        if (status == 0)
                status = store(c, o, hash, scheme, before.set_at);
        return status < 0 ? status
                          : record_audit(c, &(struct record){ .verb = verb,
                                                              .key = o->address,
                                                              .before = scheme_json(c, before.scheme),
                                                              .after = scheme_json(c, slice_of(scheme)) });
}

int verb_password_set(struct verb_call *c)
{
        struct slice address = ipc_text(c->args), text = ipc_text(c->args), hash;
        struct owner o;
        const char *scheme;
        if (c->args->bad)
                return -EBADMSG;
        int status = find_owner(c, address, &o);
        if (status == 0)
                status = take_hash(c, text, &hash, &scheme);
        return status == 0 ? set(c, "password set", &o, hash, scheme) : status;
}

/* Only while the former hash still stands: a password that was changed meanwhile is not set back. */
int verb_password_rehash(struct verb_call *c)
{
        int64_t mailbox = ipc_int(c->args);
        struct slice former = ipc_text(c->args), text = ipc_text(c->args), hash, found = { NULL, 0 };
        struct owner o;
        const char *scheme;
        if (c->args->bad)
                return -EBADMSG;
        int status = find_present(c, mailbox, &o);
        if (status == 0)
                status = take_hash(c, text, &hash, &scheme);
        if (status)
                return status;
        /* This verb is the password checkers' own: more than what it is for would be a right to set everybody's. */
        if (slice_starts(former, S(SECRET_CURRENT)) || !slice_starts(hash, S(SECRET_CURRENT)))
                return verb_no(c, "only a hash of an old system by a new one is renewed");
        struct statement *s = db_prepare(c->ledger, "SELECT hash FROM secrets.password WHERE mailbox = ?");
        db_int(s, mailbox);
        while (db_row(s))
                found = db_get_text(s, c->arena);
        status = db_done(s);
        if (status < 0)
                return status;
        if (!found.p || !slice_eq(found, former))
                return verb_no(c, "the password was changed meanwhile");
        return set(c, "password rehash", &o, hash, scheme);
}

/* --- a file of them --- */

struct password_plan {
        struct password_row row;
        struct owner owner;
        struct slice hash, former, differences;
        const char *scheme;
        struct credential before;
};

static int plan(struct verb_call *c, struct map *seen, struct password_plan *p)
{
        int status = find_owner(c, p->row.address, &p->owner);
        if (status)
                return status;
        const struct password_plan *other = map_put(seen, p->owner.address, p);
        if (other)
                return verb_no(c, "mailbox %.*s stands in line %lld already", SLICE_ARGS(p->owner.address),
                               (long long)other->row.row);
        status = take_hash(c, p->row.hash, &p->hash, &p->scheme);
        if (status == 0)
                status = ledger_credential(c->ledger, c->arena, p->owner.mailbox, &p->before);
        if (status)
                return status;
        struct statement *s = db_prepare(c->ledger, "SELECT hash FROM secrets.password WHERE mailbox = ?");
        db_int(s, p->owner.mailbox);
        while (db_row(s))
                p->former = db_get_text(s, c->arena);
        return db_done(s);
}

static int import_row(struct verb_call *c, struct bulk *b, struct password_plan *p)
{
        autobuf differences;
        buf_init(&differences, 4096);
        bool touched = !slice_eq(p->former, p->hash);
        bulk_difference(&differences, "password", p->before.scheme, touched ? slice_of(p->scheme) : p->before.scheme);
        bulk_tell(b, p->owner.address, p->former.n > 0, touched, buf_slice(&differences));
        return touched ? set(c, "password import", &p->owner, p->hash, p->scheme) : 0;
}

static int import_rows(struct verb_call *c, struct bulk *b)
{
        automap seen = { .n = 0 };
        int status = 0;
        b->n = ipc_count(c->args);
        struct password_plan *plans = arena_alloc(c->arena, b->n * sizeof *plans);
        if (!plans)
                return db_fail(c->ledger, -E2BIG, "the file is too large for one import");
        for (size_t i = 0; i < b->n && !c->args->bad; i++) {
                struct password_row *row = &plans[i].row;
                row->address = ipc_text(c->args);
                row->hash = ipc_text(c->args);
                row->row = ipc_int(c->args);
        }
        if (c->args->bad)
                return -EBADMSG;
        for (size_t i = 0; status == 0 && i < b->n; i++)
                status = bulk_refused(c, b, plans[i].row.row, plan(c, &seen, &plans[i]));
        for (size_t i = 0; status == 0 && i < b->n && b->errors == 0; i++)
                status = import_row(c, b, &plans[i]);
        return status;
}

int verb_password_import(struct verb_call *c)
{
        struct bulk b;
        int status = bulk_begin(c, &b, "password import");
        if (status == 0)
                status = import_rows(c, &b);
        return bulk_finish(c, &b, status);
}

/* --- applications --- */

static struct slice label_json(struct verb_call *c, int64_t id, struct slice label)
{
        struct json j;
        autobuf out;
        buf_init(&out, 1024);
        json_init_compact(&j, &out);
        json_object(&j, NULL);
        json_int(&j, "application", id);
        json_string(&j, "label", label);
        json_object_end(&j);
        json_done(&j);
        return arena_dup(c->arena, buf_slice(&out));
}

static bool is_digest(struct slice s)
{
        for (size_t i = 0; i < s.n; i++)
                if (!strchr("0123456789abcdef", s.p[i]) || s.p[i] == '\0')
                        return false;
        return s.n == 64;
}

static int check_label(struct verb_call *c, const struct owner *o, struct slice label)
{
        struct application *all = NULL;
        size_t n = 0;
        if (label.n == 0)
                return verb_no(c, "a label is missing: which program or device is it for?");
        int status = verb_text(c, "label", label, APPLICATION_LABEL_MOST);
        if (status == 0)
                status = ledger_applications(c->ledger, c->arena, o->mailbox, &all, &n);
        if (status == 0 && n >= PASSWORDS_OF_APPLICATIONS_MOST)
                return verb_no(c, "%.*s has %zu passwords of applications: remove those that nobody uses",
                               SLICE_ARGS(o->address), n);
        for (size_t i = 0; status == 0 && i < n; i++)
                if (slice_ieq(all[i].label, label))
                        return verb_no(c, "%.*s has a password labelled %.*s already (number %lld)",
                                       SLICE_ARGS(o->address), SLICE_ARGS(label), (long long)all[i].id);
        return status;
}

static int store_application(struct verb_call *c, const struct owner *o, struct slice label, struct slice digest,
                             int64_t *ret_id)
{
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO application(mailbox, label, created, used) VALUES(?, ?, ?, 0)");
        db_int(s, o->mailbox);
        db_text(s, label);
        db_int(s, c->now);
        int status = db_run(s);
        if (status < 0)
                return status;
        *ret_id = sqlite3_last_insert_rowid(c->ledger->db);
        s = db_prepare(c->ledger, "INSERT INTO secrets.application_digest(id, mailbox, digest) VALUES(?, ?, ?)");
        db_int(s, *ret_id);
        db_int(s, o->mailbox);
        db_text(s, digest);
        status = db_run(s);
        return status < 0 ? status : secrets_turn(c->ledger);
}

int verb_app_password_add(struct verb_call *c)
{
        struct slice address = ipc_text(c->args), label = slice_trim(ipc_text(c->args)), digest = ipc_text(c->args);
        struct owner o;
        int64_t id;
        if (c->args->bad)
                return -EBADMSG;
        int status = find_owner(c, address, &o);
        if (status == 0)
                status = check_label(c, &o, label);
        if (status == 0 && !is_digest(digest))
                status = verb_no(c, "the digest is none");
        if (status == 0)
                status = store_application(c, &o, label, digest, &id);
        if (status)
                return status;
        ipc_put_int(c->results, id);
        status = record_audit(
            c, &(struct record){ .verb = "app-password add", .key = o.address, .after = label_json(c, id, label) });
        return status == 0 ? record_change(c, S("mailbox"), o.address) : status;
}

static int drop_application(struct verb_call *c, int64_t id)
{
        struct statement *s = db_prepare(c->ledger, "UPDATE application SET removed = ? WHERE id = ?");
        db_int(s, c->now);
        db_int(s, id);
        int status = db_run(s);
        if (status < 0)
                return status;
        s = db_prepare(c->ledger, "DELETE FROM secrets.application_digest WHERE id = ?");
        db_int(s, id);
        status = db_run(s);
        return status < 0 ? status : secrets_turn(c->ledger);
}

int verb_app_password_remove(struct verb_call *c)
{
        struct slice address = ipc_text(c->args);
        int64_t id = ipc_int(c->args);
        struct application *all = NULL, *found = NULL;
        size_t n = 0;
        struct owner o;
        if (c->args->bad)
                return -EBADMSG;
        int status = find_owner(c, address, &o);
        if (status == 0)
                status = ledger_applications(c->ledger, c->arena, o.mailbox, &all, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                if (all[i].id == id)
                        found = &all[i];
        if (status == 0 && !found)
                return verb_no(c, "%.*s has no application password of number %lld", SLICE_ARGS(o.address),
                               (long long)id);
        if (status == 0)
                status = drop_application(c, id);
        if (status)
                return status;
        status = record_audit(c, &(struct record){ .verb = "app-password remove",
                                                   .key = o.address,
                                                   .before = label_json(c, id, found->label) });
        return status == 0 ? record_change(c, S("mailbox"), o.address) : status;
}

/* Told by who checks passwords, once a day at most: no decision, so not in the audit trail. */
int verb_app_password_used(struct verb_call *c)
{
        struct statement *s =
            db_prepare(c->ledger, "UPDATE application SET used = ? WHERE id = ? AND removed = " SQL_NEVER);
        int64_t id = ipc_int(c->args);
        db_int(s, c->now);
        db_int(s, id);
        return db_run(s);
}
