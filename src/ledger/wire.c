/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/wire.h"

void wire_put_prefix(struct buf *b, const struct prefix *p)
{
        char bytes[17];
        memcpy(bytes, p->addr.b, 16);
        bytes[16] = (char)p->len;
        ipc_put_text(b, (struct slice){ bytes, sizeof bytes });
}

/* Only what a prefix can be: 17 bytes, a length of at most 128, no bits past it. */
struct prefix wire_get_prefix(struct ipc_reader *r)
{
        struct slice s = ipc_text(r);
        struct addr a;
        if (s.n != 17 || (uint8_t)s.p[16] > 128) {
                r->bad = true;
                return (struct prefix){ .len = 128 };
        }
        memcpy(a.b, s.p, 16);
        struct prefix p = prefix_of(a, (uint8_t)s.p[16]);
        r->bad = r->bad || addr_cmp(&p.addr, &a) != 0;
        return p;
}

void wire_put_real(struct buf *b, double v)
{
        int64_t bits;
        memcpy(&bits, &v, sizeof bits);
        ipc_put_int(b, bits);
}

double wire_get_real(struct ipc_reader *r)
{
        int64_t bits = ipc_int(r);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!__builtin_isfinite(v)) {
                r->bad = true;
                return 0;
        }
        return v;
}

void wire_put_line(struct buf *b, const struct line *l)
{
        ipc_put_text(b, l->kind);
        ipc_put_text(b, l->value);
}

struct line wire_get_line(struct ipc_reader *r)
{
        struct line l;
        l.kind = ipc_text(r);
        l.value = ipc_text(r);
        return l;
}

static uint16_t get_16(struct ipc_reader *r)
{
        int64_t n = ipc_int(r);
        if (n < 0 || n > UINT16_MAX) {
                r->bad = true;
                return 0;
        }
        return (uint16_t)n;
}

void wire_put_lease(struct buf *b, const struct lease *l)
{
        ipc_put_text(b, l->realm);
        wire_put_prefix(b, &l->prefix);
        ipc_put_int(b, l->port_low);
        ipc_put_int(b, l->port_high);
        ipc_put_text(b, l->proto);
        ipc_put_int(b, l->start);
        ipc_put_int(b, l->end);
        wire_put_line(b, &l->line);
        ipc_put_text(b, l->source);
        ipc_put_text(b, l->why_ended);
        ipc_put_text(b, l->evidence);
        ipc_put_text(b, l->nas);
        ipc_put_text(b, l->session);
        ipc_put_text(b, l->user);
}

struct lease wire_get_lease(struct ipc_reader *r)
{
        struct lease l = { .realm = ipc_text(r) };
        l.prefix = wire_get_prefix(r);
        l.port_low = get_16(r);
        l.port_high = get_16(r);
        l.proto = ipc_text(r);
        l.start = ipc_int(r);
        l.end = ipc_int(r);
        l.line = wire_get_line(r);
        l.source = ipc_text(r);
        l.why_ended = ipc_text(r);
        l.evidence = ipc_text(r);
        l.nas = ipc_text(r);
        l.session = ipc_text(r);
        l.user = ipc_text(r);
        return l;
}

static void put_lines(struct buf *b, const struct line *all, size_t n)
{
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                wire_put_line(b, &all[i]);
}

static struct line *get_lines(struct ipc_reader *r, struct arena *a, size_t *n)
{
        *n = ipc_count(r);
        struct line *all = arena_alloc(a, *n * sizeof *all);
        if (!all) {
                r->bad = true;
                *n = 0;
        }
        for (size_t i = 0; i < *n; i++)
                all[i] = wire_get_line(r);
        return all;
}

static void put_prefixes(struct buf *b, const struct prefix *all, size_t n)
{
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                wire_put_prefix(b, &all[i]);
}

static struct prefix *get_prefixes(struct ipc_reader *r, struct arena *a, size_t *n)
{
        *n = ipc_count(r);
        struct prefix *all = arena_alloc(a, *n * sizeof *all);
        if (!all) {
                r->bad = true;
                *n = 0;
        }
        for (size_t i = 0; i < *n; i++)
                all[i] = wire_get_prefix(r);
        return all;
}

void wire_put_texts(struct buf *b, const struct slice *all, size_t n)
{
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                ipc_put_text(b, all[i]);
}

struct slice *wire_get_texts(struct ipc_reader *r, struct arena *a, size_t *n)
{
        *n = ipc_count(r);
        struct slice *all = arena_alloc(a, (*n + 1) * sizeof *all);
        if (!all) {
                r->bad = true;
                *n = 0;
        }
        for (size_t i = 0; i < *n; i++)
                all[i] = ipc_text(r);
        return all;
}

/* Those that are said, as a mask, then their numbers. */
static void put_limits(struct buf *b, const struct mail_limits *l, const bool *said)
{
        int64_t mask = 0;
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                mask |= (int64_t)said[i] << i;
        ipc_put_int(b, mask);
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                if (said[i])
                        ipc_put_int(b, l->v[i]);
}

static void get_limits(struct ipc_reader *r, struct mail_limits *l, bool *said)
{
        int64_t mask = ipc_int(r);
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                said[i] = mask >> i & 1;
                l->v[i] = said[i] ? ipc_int(r) : LIMIT_INHERIT;
        }
}

void wire_put_mail_rules(struct buf *b, const struct mail_rules *rules)
{
        ipc_put_int(b, rules->reuse_after);
        ipc_put_text(b, rules->network);
}

struct mail_rules wire_get_mail_rules(struct ipc_reader *r)
{
        struct mail_rules rules = { .reuse_after = ipc_int(r) };
        rules.network = ipc_text(r);
        r->bad = r->bad || rules.reuse_after < 0 || rules.reuse_after > 36525 * DAY;
        return rules;
}

void wire_put_mailbox_change(struct buf *b, const struct mailbox_change *c)
{
        const struct mailbox *v = &c->value;
        const bool bits[] = { c->name,       c->principal, c->forwards, c->keep,
                              c->suspension, v->principal, v->keep,     c->senders };
        int64_t mask = 0;
        for (size_t i = 0; i < COUNT_OF(bits); i++)
                mask |= (int64_t)bits[i] << i;
        ipc_put_text(b, v->address);
        ipc_put_text(b, v->subscriber);
        ipc_put_text(b, v->name);
        ipc_put_text(b, v->suspension.reason);
        ipc_put_int(b, mask);
        ipc_put_int(b, c->row);
        wire_put_texts(b, v->forwards, v->n_forwards);
        put_limits(b, &v->limits, c->limits);
        if (c->senders) /* else it is the frame that it was before there were any, and stands for the same key of an import */
                wire_put_texts(b, v->senders, v->n_senders);
}

struct mailbox_change wire_get_mailbox_change(struct ipc_reader *r, struct arena *a)
{
        struct mailbox_change c = { .row = 0 };
        struct mailbox *v = &c.value;
        bool *const bits[] = { &c.name,       &c.principal,  &c.forwards, &c.keep,
                               &c.suspension, &v->principal, &v->keep,    &c.senders };
        v->address = ipc_text(r);
        v->subscriber = ipc_text(r);
        v->name = ipc_text(r);
        v->suspension.reason = ipc_text(r);
        int64_t mask = ipc_int(r);
        for (size_t i = 0; i < COUNT_OF(bits); i++)
                *bits[i] = mask >> i & 1;
        c.row = ipc_int(r);
        v->forwards = wire_get_texts(r, a, &v->n_forwards);
        get_limits(r, &v->limits, c.limits);
        if (c.senders)
                v->senders = wire_get_texts(r, a, &v->n_senders);
        return c;
}

/* The switches as bits of one number, in this order. */
static int64_t mask_of(const struct subscriber_change *c)
{
        const bool bits[] = { c->name, c->class,     c->port25,          c->language,   c->email,         c->phone,
                              c->post, c->never_cut, c->value.never_cut, c->keep_lines, c->keep_addresses };
        int64_t mask = 0;
        for (size_t i = 0; i < COUNT_OF(bits); i++)
                mask |= (int64_t)bits[i] << i;
        return mask;
}

static void set_mask(struct subscriber_change *c, int64_t mask)
{
        bool *const bits[] = { &c->name,          &c->class, &c->port25,    &c->language,        &c->email,
                               &c->phone,         &c->post,  &c->never_cut, &c->value.never_cut, &c->keep_lines,
                               &c->keep_addresses };
        for (size_t i = 0; i < COUNT_OF(bits); i++)
                *bits[i] = mask >> i & 1;
}

void wire_put_subscriber_change(struct buf *b, const struct subscriber_change *c)
{
        const struct subscriber *v = &c->value;
        const struct slice texts[] = { v->id, v->name, v->class, v->language, v->email, v->phone, v->post };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                ipc_put_text(b, texts[i]);
        ipc_put_int(b, v->port25);
        ipc_put_int(b, mask_of(c));
        ipc_put_int(b, c->row);
        put_limits(b, &v->limits, c->limits);
        put_lines(b, c->add_lines, c->n_add_lines);
        put_lines(b, c->drop_lines, c->n_drop_lines);
        put_prefixes(b, c->add_addresses, c->n_add_addresses);
        put_prefixes(b, c->drop_addresses, c->n_drop_addresses);
}

struct subscriber_change wire_get_subscriber_change(struct ipc_reader *r, struct arena *a)
{
        struct subscriber_change c = { .row = 0 };
        struct slice *const texts[] = { &c.value.id,    &c.value.name,  &c.value.class, &c.value.language,
                                        &c.value.email, &c.value.phone, &c.value.post };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                *texts[i] = ipc_text(r);
        int64_t port25 = ipc_int(r);
        if (port25 < STRATEGY_NONE || port25 >= STRATEGY_COUNT) {
                r->bad = true;
                port25 = STRATEGY_NONE;
        }
        c.value.port25 = (enum strategy)port25;
        set_mask(&c, ipc_int(r));
        c.row = ipc_int(r);
        get_limits(r, &c.value.limits, c.limits);
        c.add_lines = get_lines(r, a, &c.n_add_lines);
        c.drop_lines = get_lines(r, a, &c.n_drop_lines);
        c.add_addresses = get_prefixes(r, a, &c.n_add_addresses);
        c.drop_addresses = get_prefixes(r, a, &c.n_drop_addresses);
        return c;
}

void wire_put_sighting(struct buf *b, const struct sighting *s)
{
        ipc_put_text(b, s->source);
        ipc_put_text(b, s->realm);
        wire_put_prefix(b, &s->prefix);
        ipc_put_int(b, s->port);
        ipc_put_int(b, s->at);
        ipc_put_int(b, s->seconds);
        ipc_put_int(b, s->count);
        ipc_put_text(b, s->strategy);
        ipc_put_text(b, s->hosts);
        ipc_put_text(b, s->detail);
}

struct sighting wire_get_sighting(struct ipc_reader *r)
{
        struct sighting s = { .source = ipc_text(r) };
        s.realm = ipc_text(r);
        s.prefix = wire_get_prefix(r);
        s.port = get_16(r);
        s.at = ipc_int(r);
        s.seconds = ipc_int(r);
        s.count = ipc_int(r);
        s.strategy = ipc_text(r);
        s.hosts = ipc_text(r);
        s.detail = ipc_text(r);
        return s;
}
