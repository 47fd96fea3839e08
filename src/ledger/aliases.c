/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Aliases: addresses without a mailbox, and the two that each domain has by itself. */
#include "ledger/json.h"
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"
#include "ledger/wire.h"

#include <errno.h>

#define ALIASES "SELECT x.number, x.address, x.role, x.created FROM alias x WHERE x.removed = " SQL_NEVER " AND "

static struct alias alias_of_row(struct statement *s, struct arena *a)
{
        struct alias v = { .number = db_get_int(s) };
        v.address = db_get_text(s, a);
        v.role = db_get_int(s);
        v.created = db_get_int(s);
        return v;
}

static int read_alias(struct ledger *l, struct arena *a, struct slice address, struct alias *ret)
{
        struct alias v = { .number = 0 };
        struct statement *s = db_prepare(l, ALIASES "x.address = ?");
        db_text(s, address);
        while (db_row(s))
                v = alias_of_row(s, a);
        int status = db_done(s);
        if (status == 0 && !v.number)
                return -ENOENT;
        if (status == 0)
                status = targets_read(l, a, "alias", v.number, &v.targets, &v.n_targets);
        if (status == 0)
                *ret = v;
        return status;
}

int ledger_alias(struct ledger *l, struct arena *a, struct slice address, struct alias *ret)
{
        bool began;
        int status = db_snapshot(l, &began);
        return status < 0 ? status : db_snapshot_end(l, began, read_alias(l, a, address, ret));
}

#define PAGED "x.address > ?2 ORDER BY x.address LIMIT ?3"

static int read_aliases(struct ledger *l, struct arena *a, const struct mail_query *q, struct alias **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = q->domain.n
                                  ? db_prepare(l, ALIASES "x.domain = (SELECT number FROM domain WHERE name = ?1"
                                                          " AND removed = " SQL_NEVER ") AND " PAGED)
                                  : db_prepare(l, ALIASES "?1 = '' AND " PAGED);
        db_text(s, q->domain);
        db_text(s, q->after);
        db_int(s, q->most && q->most < INT64_MAX ? (int64_t)q->most : -1);
        while (db_row(s)) {
                struct alias *v = rows_add(&rows);
                if (!v)
                        break;
                *v = alias_of_row(s, a);
        }
        int status = rows_done(&rows, db_done(s), (void **)ret, n);
        for (size_t i = 0; status == 0 && i < *n; i++)
                status = targets_read(l, a, "alias", (*ret)[i].number, &(*ret)[i].targets, &(*ret)[i].n_targets);
        return status;
}

int ledger_aliases(struct ledger *l, struct arena *a, const struct mail_query *q, struct alias **ret, size_t *n)
{
        bool began;
        int status = db_snapshot(l, &began);
        return status < 0 ? status : db_snapshot_end(l, began, read_aliases(l, a, q, ret, n));
}

/* --- writing --- */

static void print_alias(struct json *j, const char *key, const void *value)
{
        alias_json(j, key, value);
}

static int record(struct verb_call *c, const char *verb, struct slice why, const struct alias *before,
                  const struct alias *after)
{
        const struct alias *one = after ? after : before;
        struct slice address = one ? one->address : S("");
        int status = record_audit(c, &(struct record){ .verb = verb,
                                                       .key = address,
                                                       .why = why,
                                                       .before = record_json(c, print_alias, before),
                                                       .after = record_json(c, print_alias, after) });
        return status == 0 ? record_change(c, S("alias"), address) : status;
}

static int insert(struct verb_call *c, struct alias *v, int64_t domain)
{
        struct statement *s =
            db_prepare(c->ledger, "INSERT INTO alias(address, domain, role, created) VALUES(?, ?, ?, ?)");
        v->created = c->now;
        db_text(s, v->address);
        db_int(s, domain);
        db_int(s, v->role);
        db_int(s, c->now);
        int status = db_run(s);
        v->number = sqlite3_last_insert_rowid(c->ledger->db);
        return status < 0 ? status : targets_store(c, "alias", v->number, v->targets, v->n_targets);
}

static int is_mailbox(struct verb_call *c, struct slice address)
{
        int64_t number;
        struct statement *s =
            db_prepare(c->ledger, "SELECT number FROM mailbox WHERE address = ? AND removed = " SQL_NEVER);
        db_text(s, address);
        int status = db_number(s, &number);
        return status == 0         ? verb_no(c, "%.*s is a mailbox: let it forward instead", SLICE_ARGS(address))
               : status == -ENOENT ? 0
                                   : status;
}

static int add(struct verb_call *c, const struct address *address, int64_t domain, struct alias *v,
               const struct mail_rules *rules)
{
        struct alias there;
        int status = read_alias(c->ledger, c->arena, address->whole, &there);
        if (status == 0)
                return verb_no(c, "alias %.*s is known already", SLICE_ARGS(address->whole));
        if (status == -ENOENT)
                status = is_mailbox(c, address->whole);
        v->address = address->whole;
        if (status == 0)
                status = reuse_check(
                    c, &(struct claim){ .address = v->address, .targets = v->targets, .n_targets = v->n_targets },
                    rules);
        if (status == 0)
                status = insert(c, v, domain);
        return status ? status : record(c, "alias add", S(""), NULL, v);
}

static int set(struct verb_call *c, const struct address *address, struct alias *v)
{
        struct alias before;
        int status = read_alias(c->ledger, c->arena, address->whole, &before);
        if (status == -ENOENT)
                return verb_no(c, "alias %.*s is not known", SLICE_ARGS(address->whole));
        if (status < 0 || targets_eq(v->targets, v->n_targets, before.targets, before.n_targets))
                return status;
        status = targets_store(c, "alias", before.number, v->targets, v->n_targets);
        struct alias after = before;
        after.targets = v->targets;
        after.n_targets = v->n_targets;
        return status < 0 ? status : record(c, "alias set", S(""), &before, &after);
}

int verb_alias_put(struct verb_call *c)
{
        struct address address;
        struct alias v = { .number = 0 };
        int64_t domain;
        bool is_new = ipc_int(c->args) != 0;
        struct slice text = ipc_text(c->args);
        v.targets = wire_get_texts(c->args, c->arena, &v.n_targets);
        struct mail_rules rules = wire_get_mail_rules(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = own_address(c, "alias", text, &address, &domain);
        if (status == 0)
                status = targets_check(c, "target", v.targets, &v.n_targets);
        if (status == 0 && v.n_targets == 0)
                status = verb_no(c, "alias %.*s needs a target", SLICE_ARGS(address.whole));
        if (status == 0)
                status = is_new ? add(c, &address, domain, &v, &rules) : set(c, &address, &v);
        if (status == 0)
                status = route_check(c, address.whole);
        return status == 0 ? route_warn_dangling(c, v.targets, v.n_targets) : status;
}

static int remove_row(struct verb_call *c, const struct alias *v, struct slice why)
{
        struct statement *s = db_prepare(c->ledger, "UPDATE alias SET removed = max(?, created) WHERE number = ?");
        db_int(s, c->now);
        db_int(s, v->number);
        int status = db_run(s);
        return status == 0 ? record(c, "alias remove", why, v, NULL) : status;
}

int verb_alias_remove(struct verb_call *c)
{
        struct alias v;
        struct address address;
        struct slice text = ipc_text(c->args), why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status)
                return status;
        status = address_parse(text, ADDRESS_OURS, c->arena, &address)
                     ? -ENOENT
                     : read_alias(c->ledger, c->arena, address.whole, &v);
        if (status == -ENOENT)
                return verb_no(c, "alias %.*s is not known", SLICE_ARGS(text));
        if (status == 0 && v.role)
                return verb_no(c, "%.*s exists as long as its domain: it can be pointed elsewhere (alias set)",
                               SLICE_ARGS(v.address));
        if (status == 0)
                status = remove_row(c, &v, why);
        if (status == 0)
                status = route_check_removed(c, v.address);
        return status == 0 ? route_warn_pointers(c, v.address) : status;
}

/* --- the two of each domain --- */

static const char *const role_names[] = { "abuse", "postmaster" };

int roles_make(struct verb_call *c, int64_t domain, struct slice name, struct slice target)
{
        size_t n = 1;
        int status = target.n == 0
                         ? verb_no(c, "say where mail to abuse@%.*s and postmaster@%.*s goes (--abuse ADDRESS)",
                                   SLICE_ARGS(name), SLICE_ARGS(name))
                         : targets_check(c, "abuse", &target, &n);
        for (size_t i = 0; status == 0 && i < COUNT_OF(role_names); i++) {
                autobuf text;
                buf_init(&text, 1024);
                buf_addf(&text, "%s@%.*s", role_names[i], SLICE_ARGS(name));
                struct alias v = { .address = arena_dup(c->arena, buf_slice(&text)),
                                   .targets = &target,
                                   .n_targets = 1,
                                   .role = true };
                status = insert(c, &v, domain);
                if (status == 0)
                        status = record(c, "domain add", S("exists by itself"), NULL, &v);
                if (status == 0)
                        status = route_check(c, v.address);
        }
        return status == 0 ? route_warn_dangling(c, &target, 1) : status;
}

int roles_remove(struct verb_call *c, int64_t domain)
{
        struct rows rows = rows_of(c->ledger, c->arena, sizeof(struct alias));
        struct alias *all = NULL;
        size_t n = 0;
        struct statement *s = db_prepare(c->ledger, ALIASES "x.domain = ? AND x.role = 1");
        db_int(s, domain);
        while (db_row(s)) {
                struct alias *v = rows_add(&rows);
                if (!v)
                        break;
                *v = alias_of_row(s, c->arena);
        }
        int status = rows_done(&rows, db_done(s), (void **)&all, &n);
        for (size_t i = 0; status == 0 && i < n; i++) {
                status = targets_read(c->ledger, c->arena, "alias", all[i].number, &all[i].targets, &all[i].n_targets);
                if (status == 0)
                        status = remove_row(c, &all[i], S("domain removed"));
        }
        return status;
}
