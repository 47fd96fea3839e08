/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Adding, changing and removing mailboxes; a whole file of them: mailbox_import.c. */
#include "ledger/mailbox_put.h"
#include "ledger/bulk.h"
#include "ledger/json.h"
#include "ledger/rows.h"
#include "ledger/secrets_store.h"
#include "ledger/wire.h"

#include <errno.h>

enum { DIFFERENCES_MOST = 16384 };

static void print_mailbox(struct json *j, const char *key, const void *value)
{
        mailbox_json(j, key, value);
}

static int record(struct verb_call *c, const char *verb, struct slice why, const struct mailbox *before,
                  const struct mailbox *after)
{
        struct slice address = after ? after->address : before->address;
        int status = record_audit(c, &(struct record){ .verb = verb,
                                                       .key = address,
                                                       .why = why,
                                                       .before = record_json(c, print_mailbox, before),
                                                       .after = record_json(c, print_mailbox, after) });
        return status == 0 ? record_change(c, S("mailbox"), address) : status;
}

/* --- planning --- */

static int check_fields(struct verb_call *c, struct mailbox_change *ch)
{
        struct mailbox *v = &ch->value;
        v->name = slice_trim(v->name);
        v->suspension.reason = slice_trim(v->suspension.reason);
        int status = verb_words(c, "name", v->name, LEDGER_TEXT_MOST);
        if (status == 0)
                status = verb_words(c, "reason", v->suspension.reason, LEDGER_TEXT_MOST);
        if (status == 0)
                status = targets_check(c, "forward", v->forwards, &v->n_forwards);
        if (status == 0)
                status = senders_check(c, v->senders, &v->n_senders);
        for (size_t i = 0; status == 0 && i < MAIL_LIMIT_COUNT; i++)
                if (ch->limits[i] && !mail_limit_right((enum mail_limit)i, v->limits.v[i]))
                        status = verb_no(c, "%s: no such limit", mail_limit_name((enum mail_limit)i));
        return status;
}

static int check_new(struct verb_call *c, const struct address *address, const struct mail_rules *rules,
                     struct mailbox_plan *p)
{
        struct alias alias;
        if (address_is_role(address->local))
                return verb_no(c, "%.*s exists by itself in each domain: it can be pointed elsewhere (alias set)",
                               SLICE_ARGS(address->whole));
        if (address_is_reserved(address->local, slice_ieq(address->domain, rules->network)))
                return verb_no(c, "%.*s is reserved: point an alias of that name at somebody's mailbox instead",
                               SLICE_ARGS(address->whole));
        int status = ledger_alias(c->ledger, c->arena, address->whole, &alias);
        if (status == 0)
                return verb_no(c, "%.*s is an alias", SLICE_ARGS(address->whole));
        if (status != -ENOENT)
                return status;
        if (p->change.value.subscriber.n == 0)
                return verb_no(c, "%.*s is new: say whose it is (subscriber)", SLICE_ARGS(address->whole));
        status = subscriber_number(c->ledger, p->change.value.subscriber, &p->subscriber);
        if (status == -ENOENT)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(p->change.value.subscriber));
        if (status < 0)
                return status;
        return reuse_check(c, &(struct claim){ .address = address->whole, .subscriber = p->subscriber }, rules);
}

static int check_known(struct verb_call *c, struct mailbox_plan *p)
{
        const struct mailbox_change *ch = &p->change;
        if (ch->value.subscriber.n && !slice_eq(ch->value.subscriber, p->before.subscriber))
                return verb_no(c, "%.*s belongs to subscriber %.*s: a mailbox does not pass to another",
                               SLICE_ARGS(p->before.address), SLICE_ARGS(p->before.subscriber));
        if (ch->principal && !ch->value.principal && p->before.principal)
                return verb_no(c, "%.*s is the principal mailbox of subscriber %.*s: make another one it instead",
                               SLICE_ARGS(p->before.address), SLICE_ARGS(p->before.subscriber));
        return subscriber_number(c->ledger, p->before.subscriber, &p->subscriber);
}

static void merge(const struct verb_call *c, struct mailbox_plan *p)
{
        const struct mailbox_change *ch = &p->change;
        struct mailbox *v = &p->after;
        *v = p->before;
        v->name = ch->name ? ch->value.name : v->name;
        v->principal = ch->principal ? ch->value.principal : v->principal;
        v->keep = ch->keep ? ch->value.keep : v->keep;
        if (ch->forwards) {
                v->forwards = ch->value.forwards;
                v->n_forwards = ch->value.n_forwards;
        }
        if (ch->senders) {
                v->senders = ch->value.senders;
                v->n_senders = ch->value.n_senders;
        }
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                if (ch->limits[i])
                        v->limits.v[i] = ch->value.limits.v[i];
        struct slice reason = ch->value.suspension.reason;
        if (ch->suspension && !slice_eq(reason, v->suspension.reason))
                v->suspension = reason.n ? (struct suspension){ c->now, TIME_NEVER, 0, reason, c->author }
                                         : (struct suspension){ 0 };
}

struct addresses {
        const struct slice *all;
        size_t n;
};

/* Both are sorted. */
static void addresses_difference(struct buf *out, const char *what, struct addresses b, struct addresses a)
{
        for (size_t i = 0, k = 0; i < b.n || k < a.n;) {
                bool left = i < b.n, right = k < a.n;
                int order = !left ? 1 : !right ? -1 : strcasecmp(b.all[i].p, a.all[k].p);
                if (order == 0 && !slice_eq(b.all[i], a.all[k]))
                        bulk_difference(out, what, b.all[i], a.all[k]);
                else if (order)
                        buf_addf(out, "%s%c %s %.*s", out->n ? ", " : "", order < 0 ? '-' : '+', what,
                                 SLICE_ARGS(order < 0 ? b.all[i] : a.all[k]));
                i += order <= 0;
                k += order >= 0;
        }
}

static int compare(struct verb_call *c, struct mailbox_plan *p)
{
        autobuf out;
        const struct mailbox *b = &p->before, *a = &p->after;
        buf_init(&out, DIFFERENCES_MOST);
        bulk_difference(&out, "name", b->name, a->name);
        if (p->existed || a->principal)
                bulk_difference(&out, "principal", b->principal ? S("yes") : S("no"),
                                a->principal ? S("yes") : S("no"));
        addresses_difference(&out, "forward", (struct addresses){ b->forwards, b->n_forwards },
                             (struct addresses){ a->forwards, a->n_forwards });
        bulk_difference(&out, "keep", b->keep ? S("yes") : S("no"), a->keep ? S("yes") : S("no"));
        addresses_difference(&out, "sender", (struct addresses){ b->senders, b->n_senders },
                             (struct addresses){ a->senders, a->n_senders });
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                char x[LIMIT_TEXT_MAX], y[LIMIT_TEXT_MAX];
                enum mail_limit which = (enum mail_limit)i;
                bulk_difference(&out, mail_limit_name(which), slice_of(mail_limit_print(which, b->limits.v[i], x)),
                                slice_of(mail_limit_print(which, a->limits.v[i], y)));
        }
        bulk_difference(&out, "suspended", b->suspension.reason, a->suspension.reason);
        p->touched = !p->existed || out.n || out.full;
        p->differences = arena_dup(c->arena, buf_slice(&out));
        return p->differences.p ? 0 : -ENOMEM;
}

int mailbox_make(struct verb_call *c, enum mailbox_mode mode, const struct mail_rules *rules, struct mailbox_plan *p)
{
        struct address address;
        int status = check_fields(c, &p->change);
        if (status == 0)
                status = own_address(c, "mailbox", p->change.value.address, &address, &p->domain);
        if (status)
                return status;
        p->before = (struct mailbox){ .address = address.whole,
                                      .subscriber = p->change.value.subscriber,
                                      .keep = true,
                                      .limits = mail_limits_inherit,
                                      .subscriber_limits = mail_limits_inherit };
        status = ledger_mailbox(c->ledger, c->arena, address.whole, &p->before);
        if (status < 0 && status != -ENOENT)
                return status;
        p->existed = status == 0;
        if (p->existed && mode == MAILBOX_ADD)
                return verb_no(c, "mailbox %.*s is known already", SLICE_ARGS(address.whole));
        if (!p->existed && mode == MAILBOX_SET)
                return verb_no(c, "mailbox %.*s is not known", SLICE_ARGS(address.whole));
        status = p->existed ? check_known(c, p) : check_new(c, &address, rules, p);
        if (status)
                return status;
        merge(c, p);
        return compare(c, p);
}

/* --- storing --- */

static int principal_of(struct verb_call *c, int64_t subscriber, struct slice *ret)
{
        *ret = S("");
        struct statement *s = db_prepare(c->ledger, "SELECT address FROM mailbox WHERE subscriber = ?"
                                                    " AND principal = 1 AND removed = " SQL_NEVER);
        db_int(s, subscriber);
        while (db_row(s))
                *ret = db_get_text(s, c->arena);
        return db_done(s);
}

static int set_principal(struct verb_call *c, struct slice address, bool principal)
{
        struct statement *s =
            db_prepare(c->ledger, "UPDATE mailbox SET principal = ? WHERE address = ? AND removed = " SQL_NEVER);
        db_int(s, principal);
        db_text(s, address);
        return db_run(s);
}

/* Exactly one is: the first by itself, and another takes its place when it is said. */
static int settle_principal(struct verb_call *c, struct mailbox_plan *p, const char *verb)
{
        struct slice former;
        struct mailbox before;
        int status = principal_of(c, p->subscriber, &former);
        if (status < 0)
                return status;
        if (former.n == 0 && p->change.principal && !p->change.value.principal)
                return verb_no(c, "subscriber %.*s would have no principal mailbox", SLICE_ARGS(p->after.subscriber));
        p->after.principal = p->after.principal || former.n == 0;
        if (!p->after.principal || former.n == 0 || slice_eq(former, p->after.address))
                return 0;
        status = ledger_mailbox(c->ledger, c->arena, former, &before);
        if (status == 0)
                status = set_principal(c, former, false);
        struct mailbox after = before;
        after.principal = false;
        return status < 0 ? status : record(c, verb, S("another is the principal mailbox now"), &before, &after);
}

static void bind_fields(struct statement *s, const struct mailbox *v)
{
        db_int(s, v->principal);
        db_text(s, v->name);
        db_int(s, v->keep);
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                db_int(s, v->limits.v[i]);
        db_int(s, v->suspension.since);
        db_text(s, v->suspension.reason);
        db_text(s, v->suspension.author);
        db_int(s, v->suspension.since ? v->suspension.until : TIME_NEVER);
        db_int(s, v->suspension.since ? v->suspension.recipients : 0);
}

static int store_row(struct verb_call *c, struct mailbox_plan *p)
{
        struct mailbox *v = &p->after;
        struct statement *s = db_prepare(
            c->ledger,
            p->existed ? "UPDATE mailbox SET principal = ?, name = ?, keep = ?, quota = ?, messages_hour = ?,"
                         " messages_day = ?, recipients_hour = ?, recipients_day = ?, suspended = ?,"
                         " suspend_reason = ?, suspended_by = ?, suspended_until = ?, suspended_to = ? WHERE number = ?"
                       : "INSERT INTO mailbox(principal, name, keep, quota, messages_hour, messages_day,"
                         " recipients_hour, recipients_day, suspended, suspend_reason, suspended_by,"
                         " suspended_until, suspended_to, address, domain, subscriber, created) VALUES(?, ?, ?, ?, ?, "
                         "?, ?, ?, ?, "
                         "?, ?, ?, ?, ?, ?, ?, ?)");
        bind_fields(s, v);
        if (p->existed) {
                db_int(s, v->number);
                return db_run(s);
        }
        v->created = c->now;
        db_text(s, v->address);
        db_int(s, p->domain);
        db_int(s, p->subscriber);
        db_int(s, v->created);
        int status = db_run(s);
        v->number = sqlite3_last_insert_rowid(c->ledger->db);
        return status;
}

int mailbox_store(struct verb_call *c, struct mailbox_plan *p, const char *verb)
{
        if (!p->touched)
                return 0;
        int status = settle_principal(c, p, verb);
        if (status == 0)
                status = store_row(c, p);
        if (status == 0 && (p->change.forwards || !p->existed) &&
            !targets_eq(p->before.forwards, p->before.n_forwards, p->after.forwards, p->after.n_forwards))
                status = targets_store(c, "mailbox", p->after.number, p->after.forwards, p->after.n_forwards);
        if (status == 0 && p->change.senders &&
            !targets_eq(p->before.senders, p->before.n_senders, p->after.senders, p->after.n_senders))
                status = senders_store(c, p->after.number, p->after.senders, p->after.n_senders);
        return status ? status : record(c, verb, S(""), p->existed ? &p->before : NULL, &p->after);
}

int mailbox_route(struct verb_call *c, const struct mailbox_plan *p)
{
        if (!p->change.forwards || p->after.n_forwards == 0 || !p->touched)
                return 0;
        return route_check(c, p->after.address);
}

int verb_mailbox_put(struct verb_call *c)
{
        struct mailbox_plan p = { .touched = false };
        int64_t mode = ipc_int(c->args);
        struct mail_rules rules = wire_get_mail_rules(c->args);
        p.change = wire_get_mailbox_change(c->args, c->arena);
        if (c->args->bad || mode < MAILBOX_ADD || mode > MAILBOX_SET)
                return -EBADMSG;
        int status = mailbox_make(c, (enum mailbox_mode)mode, &rules, &p);
        if (status == 0)
                status = mailbox_store(c, &p, mode == MAILBOX_ADD ? "mailbox add" : "mailbox set");
        if (status == 0)
                status = mailbox_route(c, &p);
        return status == 0 ? route_warn_dangling(c, p.after.forwards, p.after.n_forwards) : status;
}

/* --- removing --- */

static int remove_one(struct verb_call *c, const struct mailbox *m, struct slice why)
{
        struct statement *s = db_prepare(c->ledger, "UPDATE mailbox SET removed = max(?, created) WHERE number = ?");
        db_int(s, c->now);
        db_int(s, m->number);
        int status = db_run(s);
        if (status == 0)
                status = secrets_forget(c, m->number);
        if (status == 0)
                status = record(c, "mailbox remove", why, m, NULL);
        if (status == 0)
                status = route_check_removed(c, m->address);
        return status == 0 ? route_warn_pointers(c, m->address) : status;
}

static int read_known(struct verb_call *c, struct slice text, struct mailbox *ret)
{
        struct address address;
        int status = address_parse(text, ADDRESS_OURS, c->arena, &address)
                         ? -ENOENT
                         : ledger_mailbox(c->ledger, c->arena, address.whole, ret);
        return status == -ENOENT ? verb_no(c, "mailbox %.*s is not known", SLICE_ARGS(text)) : status;
}

static int others_of(struct verb_call *c, const struct mailbox *m, size_t *n)
{
        struct mailbox *all = NULL;
        int status = ledger_mailboxes(c->ledger, c->arena,
                                      &(struct mail_query){ .subscriber = m->subscriber, .most = 2 }, &all, n);
        *n -= status == 0;
        return status;
}

int verb_mailbox_remove(struct verb_call *c)
{
        struct mailbox m;
        size_t others = 0;
        struct slice text = ipc_text(c->args), why = ipc_text(c->args);
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "reason", why, LEDGER_TEXT_MOST);
        if (status == 0)
                status = read_known(c, text, &m);
        if (status == 0 && m.principal)
                status = others_of(c, &m, &others);
        if (status == 0 && others)
                return verb_no(c,
                               "%.*s is the principal mailbox of subscriber %.*s, who has others: make one of them it"
                               " first (mailbox set --principal yes)",
                               SLICE_ARGS(m.address), SLICE_ARGS(m.subscriber));
        return status == 0 ? remove_one(c, &m, why) : status;
}

int mailboxes_remove(struct verb_call *c, int64_t subscriber, struct slice why)
{
        struct mailbox *all = NULL;
        size_t n = 0;
        struct mail_query q = { .subscriber = subscriber_id(c->ledger, c->arena, subscriber) };
        int status = ledger_mailboxes(c->ledger, c->arena, &q, &all, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                status = remove_one(c, &all[i], why);
        return status;
}

/* --- suspending --- */

static void bind_suspension(struct statement *s, const struct suspension *v)
{
        db_int(s, v->since);
        db_text(s, v->reason);
        db_text(s, v->author);
        db_int(s, v->since ? v->until : TIME_NEVER);
        db_int(s, v->since ? v->recipients : 0);
}

/* What has an end does not shorten what stands, nor soften it: a rule must not undo what a person did. */
static bool shortens(const struct suspension *stands, const struct suspension *want)
{
        if (suspension_stops(stands) && want->recipients)
                return true;
        if (stands->recipients && suspension_stops(want))
                return false;
        return want->since && want->until != TIME_NEVER && stands->since && stands->until >= want->until;
}

static int suspend_mailbox(struct verb_call *c, struct slice text, const struct suspension *want)
{
        struct mailbox before;
        int status = read_known(c, text, &before);
        if (status)
                return status;
        if (!want->since && !before.suspension.since)
                return verb_no(c, "%.*s is not suspended", SLICE_ARGS(before.address));
        if (shortens(&before.suspension, want))
                return verb_no(c, "%.*s is suspended already, for longer", SLICE_ARGS(before.address));
        struct statement *s =
            db_prepare(c->ledger, "UPDATE mailbox SET suspended = ?, suspend_reason = ?, "
                                  "suspended_by = ?, suspended_until = ?, suspended_to = ? WHERE number = ?");
        bind_suspension(s, want);
        db_int(s, before.number);
        status = db_run(s);
        struct mailbox after = before;
        after.suspension = *want;
        return status < 0 ? status
                          : record(c, want->since ? "mailbox suspend" : "mailbox resume", S(""), &before, &after);
}

static int suspend_subscriber(struct verb_call *c, struct slice id, const struct suspension *want)
{
        struct subscriber v;
        int64_t number;
        struct slice before, after = S("");
        int status = subscriber_number(c->ledger, id, &number);
        if (status == 0)
                status = ledger_subscriber(c->ledger, c->arena, id, &v);
        if (status == -ENOENT)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(id));
        if (status == 0 && !want->since && !v.suspension.since)
                return verb_no(c, "subscriber %.*s is not suspended", SLICE_ARGS(id));
        if (status == 0 && shortens(&v.suspension, want))
                return verb_no(c, "subscriber %.*s is suspended already, for longer", SLICE_ARGS(id));
        if (status == 0)
                status = subscriber_snapshot_json(c, id, &before);
        if (status < 0)
                return status;
        struct statement *s =
            db_prepare(c->ledger, "UPDATE subscriber SET suspended = ?, suspend_reason = ?, "
                                  "suspended_by = ?, suspended_until = ?, suspended_to = ? WHERE number = ?");
        bind_suspension(s, want);
        db_int(s, number);
        status = db_run(s);
        if (status == 0)
                status = subscriber_snapshot_json(c, id, &after);
        if (status == 0)
                status =
                    record_audit(c, &(struct record){ .verb = want->since ? "subscriber suspend" : "subscriber resume",
                                                      .key = id,
                                                      .before = before,
                                                      .after = after });
        if (status == 0)
                status = subscriber_changed(c, id);
        return status == 0 ? mailboxes_changed(c, number) : status;
}

int verb_mail_suspend(struct verb_call *c)
{
        bool of_subscriber = ipc_int(c->args) != 0;
        bool suspended = ipc_int(c->args) != 0;
        struct slice key = ipc_text(c->args), reason = slice_trim(ipc_text(c->args));
        int64_t until = ipc_int(c->args), recipients = ipc_int(c->args);
        if (c->args->bad || recipients < 0 || recipients > LIMIT_COUNT_MOST)
                return -EBADMSG;
        int status = verb_words(c, "reason", reason, LEDGER_TEXT_MOST);
        if (status == 0 && suspended && until <= c->now)
                status = verb_no(c, "a suspension ends later than now");
        if (status == 0 && suspended && reason.n == 0)
                status = verb_no(c, "a suspension has a reason");
        if (status)
                return status;
        struct suspension want =
            suspended ? (struct suspension){ c->now, until, recipients, reason, c->author } : (struct suspension){ 0 };
        return of_subscriber ? suspend_subscriber(c, key, &want) : suspend_mailbox(c, key, &want);
}

/* By a rule: it has an end, and lifts nothing. */
int verb_mailbox_restrain(struct verb_call *c)
{
        struct slice address = ipc_text(c->args), reason = slice_trim(ipc_text(c->args));
        int64_t until = ipc_int(c->args), recipients = ipc_int(c->args);
        if (c->args->bad || recipients < 0 || recipients > LIMIT_COUNT_MOST)
                return -EBADMSG;
        int status = verb_words(c, "reason", reason, LEDGER_TEXT_MOST);
        if (status == 0 && (reason.n == 0 || until <= c->now || until == TIME_NEVER))
                status = verb_no(c, "what a rule decides has a reason, and an end that is to come");
        struct suspension want = { c->now, until, recipients, reason, c->author };
        return status ? status : suspend_mailbox(c, address, &want);
}

static int resume_due(struct verb_call *c, const char *query, bool of_subscriber)
{
        struct rows rows = rows_of(c->ledger, c->arena, sizeof(struct slice));
        struct statement *s = db_prepare(c->ledger, query);
        db_int(s, c->now);
        while (db_row(s)) {
                struct slice *key = rows_add(&rows);
                if (key)
                        *key = db_get_text(s, c->arena);
        }
        struct slice *keys;
        size_t n;
        int status = rows_done(&rows, db_done(s), (void **)&keys, &n);
        for (size_t i = 0; status >= 0 && i < n; i++)
                status = of_subscriber ? suspend_subscriber(c, keys[i], &(struct suspension){ 0 })
                                       : suspend_mailbox(c, keys[i], &(struct suspension){ 0 });
        return status;
}

int mail_resume_due(struct verb_call *c)
{
        int status = resume_due(
            c,
            "SELECT address FROM mailbox WHERE suspended > 0 AND suspended_until <= ? AND removed = " SQL_NEVER
            " LIMIT 100",
            false);
        return status < 0 ? status
                          : resume_due(c,
                                       "SELECT id FROM subscriber WHERE suspended > 0 AND suspended_until <= ? AND "
                                       "removed = " SQL_NEVER " LIMIT 100",
                                       true);
}
