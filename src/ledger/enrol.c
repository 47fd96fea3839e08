/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Adding and changing one subscriber; a whole file of them: import.c. */
#include "ledger/bulk.h"
#include "ledger/enrol.h"
#include "ledger/mail_nouns.h"
#include "ledger/json.h"
#include "ledger/wire.h"

#include <errno.h>
#include <stdio.h>

enum { ID_MOST = 128, DIFFERENCES_MOST = 16384 };

static const char *id_wrong(struct slice id)
{
        struct prefix p;
        if (id.n == 0)
                return "is empty";
        if (id.n > ID_MOST)
                return "has more than 128 bytes";
        if (slice_utf8_span(id) < id.n)
                return "is not plain text in UTF-8";
        if (slice_trim(id).n != id.n)
                return "has blanks at its ends";
        for (size_t i = 0; i < id.n; i++)
                if ((unsigned char)id.p[i] < 0x20 || id.p[i] == 0x7f)
                        return "has a control character";
        if (prefix_parse(id, &p) != PREFIX_NOT_AN_ADDRESS)
                return "looks like an address, and commands take either";
        return NULL;
}

static int check_fields(struct verb_call *c, const struct subscriber *v)
{
        const struct {
                const char *what;
                struct slice s;
        } texts[] = { { "name", v->name },   { "class", v->class }, { "language", v->language },
                      { "email", v->email }, { "phone", v->phone }, { "post", v->post } };
        const char *wrong = id_wrong(v->id);
        if (wrong)
                return verb_no(c, "id %s", wrong);
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                int status = verb_words(c, texts[i].what, texts[i].s, LEDGER_TEXT_MOST);
                if (status)
                        return status;
        }
        return 0;
}

static int check_lines(struct verb_call *c, struct line *all, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const char *wrong = line_canonical(&all[i], c->arena);
                if (wrong)
                        return verb_no(c, "line %.*s:%.*s: %s", SLICE_ARGS(all[i].kind), SLICE_ARGS(all[i].value),
                                       wrong);
                int status = verb_words(c, "line", all[i].value, LEDGER_TEXT_MOST);
                if (status)
                        return status;
        }
        return 0;
}

static bool has_line(const struct line *all, size_t n, const struct line *one)
{
        for (size_t i = 0; i < n; i++)
                if (line_eq(&all[i], one))
                        return true;
        return false;
}

static bool has_prefix(const struct prefix *all, size_t n, const struct prefix *one)
{
        for (size_t i = 0; i < n; i++)
                if (prefix_cmp(&all[i], one) == 0)
                        return true;
        return false;
}

/* The line that carries his fixed addresses: it comes and goes with them. */
static struct line own_line(struct slice id)
{
        return (struct line){ S("static"), id };
}

/* The prefixes that --address gave: static, whole, of the Internet, without end. */
static struct prefix *own_addresses(struct verb_call *c, const struct subscriber *v, size_t *n)
{
        struct line own = own_line(v->id);
        struct prefix *all = arena_alloc(c->arena, v->n_leases * sizeof *all);
        *n = 0;
        for (size_t i = 0; all && i < v->n_leases; i++) {
                const struct lease *l = &v->leases[i];
                if (slice_eq(l->source, S("static")) && line_eq(&l->line, &own) && l->realm.n == 0 && l->port_high == 0)
                        all[(*n)++] = l->prefix;
        }
        return all;
}

/* PUT: what stands and is not wanted goes; then, for every mode, what stands already need not come. */
static int reduce_lines(struct verb_call *c, struct enrolment *p, bool exactly)
{
        struct subscriber_change *ch = &p->change;
        const struct subscriber *b = &p->before;
        struct line own = own_line(ch->value.id), *drop = arena_alloc(c->arena, (b->n_lines + 1) * sizeof *drop);
        size_t n_drop = 0, n_add = 0;
        if (!drop)
                return -ENOMEM;
        for (size_t i = 0; i < b->n_lines; i++) {
                bool unwanted =
                    exactly && !line_eq(&b->lines[i], &own) && !has_line(ch->add_lines, ch->n_add_lines, &b->lines[i]);
                if (unwanted || has_line(ch->drop_lines, ch->n_drop_lines, &b->lines[i]))
                        drop[n_drop++] = b->lines[i];
        }
        for (size_t i = 0; !exactly && i < ch->n_drop_lines; i++)
                if (!has_line(b->lines, b->n_lines, &ch->drop_lines[i]))
                        return verb_no(c, "he has no line %.*s:%.*s", SLICE_ARGS(ch->drop_lines[i].kind),
                                       SLICE_ARGS(ch->drop_lines[i].value));
        for (size_t i = 0; i < ch->n_add_lines; i++) {
                bool stands =
                    has_line(b->lines, b->n_lines, &ch->add_lines[i]) && !has_line(drop, n_drop, &ch->add_lines[i]);
                if (!stands && !has_line(ch->add_lines, n_add, &ch->add_lines[i]))
                        ch->add_lines[n_add++] = ch->add_lines[i];
        }
        ch->drop_lines = drop;
        ch->n_drop_lines = n_drop;
        ch->n_add_lines = n_add;
        return 0;
}

static int reduce_addresses(struct verb_call *c, struct enrolment *p, bool exactly)
{
        struct subscriber_change *ch = &p->change;
        char text[PREFIX_TEXT_MAX];
        size_t n_have, n_drop = 0, n_add = 0;
        struct prefix *have = own_addresses(c, &p->before, &n_have);
        struct prefix *drop = arena_alloc(c->arena, (n_have + 1) * sizeof *drop);
        if (!have || !drop)
                return -ENOMEM;
        for (size_t i = 0; i < n_have; i++)
                if ((exactly && !has_prefix(ch->add_addresses, ch->n_add_addresses, &have[i])) ||
                    has_prefix(ch->drop_addresses, ch->n_drop_addresses, &have[i]))
                        drop[n_drop++] = have[i];
        for (size_t i = 0; !exactly && i < ch->n_drop_addresses; i++)
                if (!has_prefix(have, n_have, &ch->drop_addresses[i]))
                        return verb_no(c, "he has no fixed address %s", prefix_print(&ch->drop_addresses[i], text));
        for (size_t i = 0; i < ch->n_add_addresses; i++) {
                bool stands =
                    has_prefix(have, n_have, &ch->add_addresses[i]) && !has_prefix(drop, n_drop, &ch->add_addresses[i]);
                if (!stands && !has_prefix(ch->add_addresses, n_add, &ch->add_addresses[i]))
                        ch->add_addresses[n_add++] = ch->add_addresses[i];
        }
        ch->drop_addresses = drop;
        ch->n_drop_addresses = n_drop;
        ch->n_add_addresses = n_add;
        return 0;
}

static struct slice strategy_slice(enum strategy s)
{
        return s == STRATEGY_NONE ? S("") : slice_of(strategy_name(s));
}

static void lists_difference(struct buf *out, const struct subscriber_change *ch)
{
        char text[PREFIX_TEXT_MAX];
        for (size_t i = 0; i < ch->n_drop_lines + ch->n_add_lines; i++) {
                bool drop = i < ch->n_drop_lines;
                buf_addf(out, "%s%c ", out->n ? ", " : "", drop ? '-' : '+');
                line_print(drop ? &ch->drop_lines[i] : &ch->add_lines[i - ch->n_drop_lines], out);
        }
        for (size_t i = 0; i < ch->n_drop_addresses + ch->n_add_addresses; i++) {
                bool drop = i < ch->n_drop_addresses;
                buf_addf(
                    out, "%s%c %s", out->n ? ", " : "", drop ? '-' : '+',
                    prefix_print(drop ? &ch->drop_addresses[i] : &ch->add_addresses[i - ch->n_drop_addresses], text));
        }
}

static int compare(struct verb_call *c, struct enrolment *p)
{
        autobuf out;
        const struct subscriber *b = &p->before, *a = &p->after;
        buf_init(&out, DIFFERENCES_MOST);
        bulk_difference(&out, "name", b->name, a->name);
        bulk_difference(&out, "class", b->class, a->class);
        bulk_difference(&out, "port25", strategy_slice(b->port25), strategy_slice(a->port25));
        bulk_difference(&out, "language", b->language, a->language);
        bulk_difference(&out, "email", b->email, a->email);
        bulk_difference(&out, "phone", b->phone, a->phone);
        bulk_difference(&out, "post", b->post, a->post);
        bulk_difference(&out, "never-cut", b->never_cut ? S("yes") : S("no"), a->never_cut ? S("yes") : S("no"));
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                char x[LIMIT_TEXT_MAX], y[LIMIT_TEXT_MAX];
                enum mail_limit which = (enum mail_limit)i;
                bulk_difference(&out, mail_limit_name(which), slice_of(mail_limit_print(which, b->limits.v[i], x)),
                                slice_of(mail_limit_print(which, a->limits.v[i], y)));
        }
        lists_difference(&out, &p->change);
        p->touched = !p->existed || out.n || out.full;
        p->differences = arena_dup(c->arena, buf_slice(&out));
        return p->differences.p ? 0 : -ENOMEM;
}

static struct subscriber merged(const struct enrolment *p)
{
        const struct subscriber_change *ch = &p->change;
        struct subscriber v = p->before;
        v.id = ch->value.id;
        v.name = ch->name ? ch->value.name : v.name;
        v.class = ch->class ? ch->value.class : v.class;
        v.port25 = ch->port25 ? ch->value.port25 : v.port25;
        v.language = ch->language ? ch->value.language : v.language;
        v.email = ch->email ? ch->value.email : v.email;
        v.phone = ch->phone ? ch->value.phone : v.phone;
        v.post = ch->post ? ch->value.post : v.post;
        v.never_cut = ch->never_cut ? ch->value.never_cut : v.never_cut;
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                v.limits.v[i] = ch->limits[i] ? ch->value.limits.v[i] : v.limits.v[i];
        return v;
}

/* Blanks at the ends would be lost on the way through a file. */
static void trim_fields(struct subscriber *v)
{
        struct slice *const texts[] = { &v->name, &v->class, &v->language, &v->email, &v->phone, &v->post };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                *texts[i] = slice_trim(*texts[i]);
}

int enrol_make(struct verb_call *c, enum subscriber_mode mode, struct enrolment *p)
{
        struct slice id = p->change.value.id;
        trim_fields(&p->change.value);
        int status = check_fields(c, &p->change.value);
        for (size_t i = 0; status == 0 && i < MAIL_LIMIT_COUNT; i++)
                if (p->change.limits[i] && !mail_limit_right((enum mail_limit)i, p->change.value.limits.v[i]))
                        status = verb_no(c, "%s: no such limit", mail_limit_name((enum mail_limit)i));
        if (status == 0)
                status = check_lines(c, p->change.add_lines, p->change.n_add_lines);
        if (status == 0)
                status = check_lines(c, p->change.drop_lines, p->change.n_drop_lines);
        if (status)
                return status;
        p->before = (struct subscriber){ .port25 = STRATEGY_NONE, .limits = mail_limits_inherit };
        status = subscriber_number(c->ledger, id, &p->number);
        p->existed = status == 0;
        if (status == 0)
                status = ledger_subscriber(c->ledger, c->arena, id, &p->before);
        if (status < 0 && status != -ENOENT)
                return status;
        if (p->existed && mode == SUBSCRIBER_ADD)
                return verb_no(c, "subscriber %.*s is known already", SLICE_ARGS(id));
        if (!p->existed && mode == SUBSCRIBER_SET)
                return verb_no(c, "subscriber %.*s is not known", SLICE_ARGS(id));
        p->after = merged(p);
        status = reduce_lines(c, p, mode == SUBSCRIBER_PUT && !p->change.keep_lines);
        if (status == 0)
                status = reduce_addresses(c, p, mode == SUBSCRIBER_PUT && !p->change.keep_addresses);
        return status ? status : compare(c, p);
}

/* The first half: what goes. */
int enrol_drop(struct verb_call *c, struct enrolment *p)
{
        struct line own = own_line(p->change.value.id);
        int64_t line;
        int status = 0;
        for (size_t i = 0; status >= 0 && i < p->change.n_drop_addresses; i++) {
                status = line_number(c->ledger, &own, false, &line);
                if (status == 0)
                        status = leases_end(c, line, &p->change.drop_addresses[i], c->now, S("address taken back"));
        }
        for (size_t i = 0; status >= 0 && i < p->change.n_drop_lines; i++) {
                status = line_number(c->ledger, &p->change.drop_lines[i], false, &line);
                if (status == 0 && slice_eq(p->change.drop_lines[i].kind, S("static")))
                        status = leases_end(c, line, NULL, c->now, S("line taken back"));
                if (status >= 0)
                        status = line_take(c, line, p->number);
        }
        return status < 0 ? status : 0;
}

static void bind_fields(struct statement *s, const struct subscriber *v)
{
        db_text(s, v->name);
        db_text(s, v->class);
        db_int(s, v->port25);
        db_text(s, v->language);
        db_text(s, v->email);
        db_text(s, v->phone);
        db_text(s, v->post);
        db_int(s, v->never_cut);
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                db_int(s, v->limits.v[i]);
}

static int store_row(struct verb_call *c, struct enrolment *p)
{
        struct statement *s = db_prepare(
            c->ledger,
            p->existed
                ? "UPDATE subscriber SET name = ?, class = ?, port25 = ?, language = ?, email = ?, phone = ?,"
                  " post = ?, never_cut = ?, quota = ?, messages_hour = ?, messages_day = ?, recipients_hour = ?,"
                  " recipients_day = ? WHERE number = ?"
                : "INSERT INTO subscriber(name, class, port25, language, email, phone, post, never_cut, quota,"
                  " messages_hour, messages_day, recipients_hour, recipients_day, id, created)"
                  " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        bind_fields(s, &p->after);
        if (p->existed) {
                db_int(s, p->number);
                return db_run(s);
        }
        db_text(s, p->after.id);
        db_int(s, c->now);
        int status = db_run(s);
        p->number = sqlite3_last_insert_rowid(c->ledger->db);
        return status;
}

static struct lease own_lease(const struct verb_call *c, const struct enrolment *p, size_t i)
{
        return (struct lease){ .prefix = p->change.add_addresses[i],
                               .start = c->now,
                               .end = TIME_NEVER,
                               .line = own_line(p->change.value.id),
                               .source = S("static"),
                               .subscriber = p->change.value.id };
}

static int store_addresses(struct verb_call *c, struct enrolment *p)
{
        struct line own = own_line(p->change.value.id);
        int64_t line;
        int status = 0;
        if (p->change.n_add_addresses)
                status = line_give(c, &own, p->number, &line);
        for (size_t i = 0; status == 0 && i < p->change.n_add_addresses; i++) {
                struct lease lease = own_lease(c, p, i);
                bool is_new;
                status = lease_store(c, &lease, line, p->number, &is_new);
        }
        return status;
}

static void print_subscriber(struct json *j, const char *key, const void *value)
{
        subscriber_json(j, key, value);
}

/* What stands now, from what stood and what was changed: reading it back would cost more than writing it did. */
static int audit_plan(struct verb_call *c, const struct enrolment *p, const char *verb)
{
        const struct subscriber_change *ch = &p->change;
        struct line own = own_line(ch->value.id);
        struct subscriber v = p->after;
        v.created = p->existed ? p->before.created : c->now;
        v.lines = arena_alloc(c->arena, (p->before.n_lines + ch->n_add_lines + 1) * sizeof *v.lines);
        v.leases = arena_alloc(c->arena, (p->before.n_leases + ch->n_add_addresses) * sizeof *v.leases);
        if (!v.lines || !v.leases)
                return -ENOMEM;
        v.n_lines = v.n_leases = 0;
        for (size_t i = 0; i < p->before.n_lines; i++)
                if (!has_line(ch->drop_lines, ch->n_drop_lines, &p->before.lines[i]))
                        v.lines[v.n_lines++] = p->before.lines[i];
        for (size_t i = 0; i < ch->n_add_lines; i++)
                v.lines[v.n_lines++] = ch->add_lines[i];
        if (ch->n_add_addresses && !has_line(v.lines, v.n_lines, &own))
                v.lines[v.n_lines++] = own;
        for (size_t i = 0; i < p->before.n_leases; i++) {
                const struct lease *l = &p->before.leases[i];
                bool dropped = line_eq(&l->line, &own)
                                   ? has_prefix(ch->drop_addresses, ch->n_drop_addresses, &l->prefix)
                                   : has_line(ch->drop_lines, ch->n_drop_lines, &l->line);
                if (!dropped)
                        v.leases[v.n_leases++] = *l;
        }
        for (size_t i = 0; i < ch->n_add_addresses; i++)
                v.leases[v.n_leases++] = own_lease(c, p, i);
        return record_audit(
            c, &(struct record){ .verb = verb,
                                 .key = v.id,
                                 .before = record_json(c, print_subscriber, p->existed ? &p->before : NULL),
                                 .after = record_json(c, print_subscriber, &v) });
}

/* The second half: what comes, and the trail of it all. */
int enrol_store(struct verb_call *c, struct enrolment *p, const char *verb)
{
        int64_t line;
        if (!p->touched)
                return 0;
        int status = store_row(c, p);
        for (size_t i = 0; status == 0 && i < p->change.n_add_lines; i++)
                status = line_give(c, &p->change.add_lines[i], p->number, &line);
        if (status == 0)
                status = store_addresses(c, p);
        if (status == 0)
                status = audit_plan(c, p, verb);
        if (status == 0)
                status = subscriber_changed(c, p->after.id);
        bool mail = p->existed && (!slice_eq(p->before.class, p->after.class) ||
                                   memcmp(&p->before.limits, &p->after.limits, sizeof p->after.limits) != 0);
        return status == 0 && mail ? mailboxes_changed(c, p->number) : status;
}

int verb_subscriber_put(struct verb_call *c)
{
        static const char *const names[] = { "subscriber add", "subscriber set", "subscriber put" };
        struct enrolment p = { .number = 0 };
        int64_t mode = ipc_int(c->args);
        p.change = wire_get_subscriber_change(c->args, c->arena);
        if (c->args->bad || mode < SUBSCRIBER_ADD || mode > SUBSCRIBER_PUT)
                return -EBADMSG;
        int status = enrol_make(c, (enum subscriber_mode)mode, &p);
        if (status == 0)
                status = enrol_drop(c, &p);
        return status == 0 ? enrol_store(c, &p, names[mode]) : status;
}
