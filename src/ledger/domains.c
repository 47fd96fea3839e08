/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Domains: whose mail is ours. */
#include "ledger/json.h"
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"
#include "ledger/wire.h"

#include <errno.h>

enum { NAMED_MOST = 5, OWN_DOMAIN_MOST = ADDRESS_MOST - sizeof "postmaster@" + 1 };

#define DOMAINS                                                                                                        \
        "SELECT d.number, d.name, d.catch_all, d.created,"                                                             \
        " (SELECT count(*) FROM mailbox m WHERE m.domain = d.number AND m.removed = " SQL_NEVER "),"                   \
        " (SELECT count(*) FROM alias x WHERE x.domain = d.number AND x.role = 0 AND x.removed = " SQL_NEVER ")"       \
        " FROM domain d WHERE d.removed = " SQL_NEVER

static struct domain domain_of_row(struct statement *s, struct arena *a)
{
        struct domain d = { .number = db_get_int(s) };
        d.name = db_get_text(s, a);
        d.catch_all = db_get_text(s, a);
        d.created = db_get_int(s);
        d.mailboxes = db_get_int(s);
        d.aliases = db_get_int(s);
        return d;
}

int ledger_domain(struct ledger *l, struct arena *a, struct slice name, struct domain *ret)
{
        struct domain d = { .number = 0 };
        struct statement *s = db_prepare(l, DOMAINS " AND d.name = ?");
        db_text(s, name);
        while (db_row(s))
                d = domain_of_row(s, a);
        int status = db_done(s);
        if (status == 0 && d.number)
                *ret = d;
        return status == 0 && !d.number ? -ENOENT : status;
}

int ledger_hosts(struct ledger *l, struct slice name, bool *ret)
{
        int64_t number;
        int status = domain_number(l, name, &number);
        if (status == 0 || status == -ENOENT)
                *ret = status == 0;
        return status == -ENOENT ? 0 : status;
}

int ledger_domains(struct ledger *l, struct arena *a, const struct mail_query *q, struct domain **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(l, DOMAINS " AND d.name > ? ORDER BY d.name LIMIT ?");
        db_text(s, q->after);
        db_int(s, q->most && q->most < INT64_MAX ? (int64_t)q->most : -1);
        while (db_row(s)) {
                struct domain *d = rows_add(&rows);
                if (!d)
                        break;
                *d = domain_of_row(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

int domain_number(struct ledger *l, struct slice name, int64_t *ret)
{
        struct statement *s = db_prepare(l, "SELECT number FROM domain WHERE name = ? AND removed = " SQL_NEVER);
        db_text(s, name);
        return db_number(s, ret);
}

int own_address(struct verb_call *c, const char *what, struct slice text, struct address *ret, int64_t *ret_domain)
{
        const char *wrong = address_parse(text, ADDRESS_OURS, c->arena, ret);
        if (wrong)
                return verb_no(c, "%s %.*s: %s", what, SLICE_ARGS(text), wrong);
        int status = domain_number(c->ledger, ret->domain, ret_domain);
        if (status == -ENOENT)
                return verb_no(c, "%.*s is none of our domains: add it first (porteiro domain add)",
                               SLICE_ARGS(ret->domain));
        return status;
}

/* --- writing --- */

static void print_domain(struct json *j, const char *key, const void *value)
{
        domain_json(j, key, value);
}

static int record(struct verb_call *c, const char *verb, struct slice why, const struct domain *before,
                  const struct domain *after)
{
        struct slice name = after ? after->name : before->name;
        int status = record_audit(c, &(struct record){ .verb = verb,
                                                       .key = name,
                                                       .why = why,
                                                       .before = record_json(c, print_domain, before),
                                                       .after = record_json(c, print_domain, after) });
        return status == 0 ? record_change(c, S("domain"), name) : status;
}

/* An unknown address within the domain would be sent to itself. */
static int must_exist_within(struct verb_call *c, const struct domain *d, struct slice address)
{
        struct slice domain;
        bool known;
        slice_cut(address, '@', &domain);
        if (!slice_eq(domain, d->name))
                return 0;
        int status = address_known(c->ledger, address, &known);
        return status == 0 && !known
                   ? verb_no(c, "there is no %.*s yet: make it first, then the catch-all", SLICE_ARGS(address))
                   : status;
}

static int set_catch_all(struct verb_call *c, struct domain *d, struct slice catch_all)
{
        size_t n = catch_all.n != 0;
        int status = targets_check(c, "catch-all", &catch_all, &n);
        if (status == 0 && n)
                status = must_exist_within(c, d, catch_all);
        if (status)
                return status;
        struct statement *s = db_prepare(c->ledger, "UPDATE domain SET catch_all = ? WHERE number = ?");
        db_text(s, catch_all);
        db_int(s, d->number);
        status = db_run(s);
        d->catch_all = catch_all;
        return status == 0 && n ? route_check(c, catch_all) : status;
}

static int make(struct verb_call *c, struct slice text, struct slice roles, struct domain *ret)
{
        struct slice name;
        const char *wrong = domain_parse(text, c->arena, &name);
        if (!wrong && name.n > OWN_DOMAIN_MOST)
                wrong = "is too long for an address in it";
        if (wrong)
                return verb_no(c, "domain %.*s: %s", SLICE_ARGS(text), wrong);
        int status = ledger_domain(c->ledger, c->arena, name, ret);
        if (status != -ENOENT)
                return status < 0 ? status : verb_no(c, "domain %.*s is known already", SLICE_ARGS(name));
        struct statement *s = db_prepare(c->ledger, "INSERT INTO domain(name, catch_all, created) VALUES(?, '', ?)");
        db_text(s, name);
        db_int(s, c->now);
        status = db_run(s);
        *ret = (struct domain){ .number = sqlite3_last_insert_rowid(c->ledger->db), .name = name, .created = c->now };
        return status < 0 ? status : roles_make(c, ret->number, name, roles);
}

static int known(struct verb_call *c, struct slice text, struct domain *ret)
{
        struct slice name;
        int status = domain_parse(text, c->arena, &name) ? -ENOENT : ledger_domain(c->ledger, c->arena, name, ret);
        return status == -ENOENT ? verb_no(c, "domain %.*s is not known", SLICE_ARGS(text)) : status;
}

int verb_domain_put(struct verb_call *c)
{
        struct domain before = { .number = 0 }, d = { .number = 0 };
        bool add = ipc_int(c->args) != 0;
        struct slice name = ipc_text(c->args), roles = ipc_text(c->args);
        bool catch_all_said = ipc_int(c->args) != 0;
        struct slice catch_all = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = add ? make(c, name, roles, &d) : known(c, name, &d);
        before = d;
        if (status == 0 && catch_all_said)
                status = set_catch_all(c, &d, catch_all);
        if (status || (!add && slice_eq(before.catch_all, d.catch_all)))
                return status;
        status = record(c, add ? "domain add" : "domain set", S(""), add ? NULL : &before, &d);
        return status == 0 && d.catch_all.n ? route_warn_dangling(c, &d.catch_all, 1) : status;
}

/* The first few of what stands in the way, and how much of it there is. */
static int name_those_within(struct verb_call *c, const struct domain *d)
{
        autobuf names;
        size_t shown = 0;
        buf_init(&names, 4096);
        struct statement *s = db_prepare(
            c->ledger,
            "SELECT address FROM mailbox WHERE domain = ?1 AND removed = " SQL_NEVER
            " UNION ALL SELECT address FROM alias WHERE domain = ?1 AND role = 0 AND removed = " SQL_NEVER " LIMIT ?2");
        db_int(s, d->number);
        db_int(s, NAMED_MOST);
        while (db_row(s)) {
                buf_adds(&names, shown++ ? ", " : "");
                buf_add(&names, db_peek_text(s));
        }
        int status = db_done(s);
        size_t n = (size_t)(d->mailboxes + d->aliases);
        if (n > shown)
                buf_addf(&names, " and %zu more", n - shown);
        return status < 0
                   ? status
                   : verb_no(c, "domain %.*s has %lld mailboxes and %lld aliases, which must go first: %s",
                             SLICE_ARGS(d->name), (long long)d->mailboxes, (long long)d->aliases, buf_cstr(&names));
}

static int warn_of_pointers(struct verb_call *c, struct slice domain)
{
        static const char *const roles[] = { "abuse", "postmaster" };
        int status = 0;
        for (size_t i = 0; status == 0 && i < COUNT_OF(roles); i++) {
                autobuf address;
                buf_init(&address, 1024);
                buf_addf(&address, "%s@%.*s", roles[i], SLICE_ARGS(domain));
                status = route_warn_pointers(c, buf_slice(&address));
        }
        return status;
}

int verb_domain_remove(struct verb_call *c)
{
        struct domain d = { .number = 0 };
        struct slice name = ipc_text(c->args), why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status == 0)
                status = known(c, name, &d);
        if (status == 0 && d.mailboxes + d.aliases)
                status = name_those_within(c, &d);
        if (status == 0)
                status = roles_remove(c, d.number);
        if (status)
                return status;
        struct statement *s = db_prepare(c->ledger, "UPDATE domain SET removed = max(?, created) WHERE number = ?");
        db_int(s, c->now);
        db_int(s, d.number);
        status = db_run(s);
        if (status == 0)
                status = record(c, "domain remove", why, &d, NULL);
        return status == 0 ? warn_of_pointers(c, d.name) : status;
}
