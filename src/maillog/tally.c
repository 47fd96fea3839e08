/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/tally.h"

#include "base/time.h"

enum { PROGRAMS = 64, PROGRAM_MOST = 46, AT_ONCE = 16 };

/* What a program's name comes to: some 30 of them stand in all lines. */
struct program {
        char text[PROGRAM_MOST];
        uint8_t n, instance;
        enum mail_daemon daemon;
};

struct counts_of {
        struct names *names;
        struct maillog_counts *v; /* by number */
        size_t cap;
};

/* A line of Postfix on its way to the counters. */
struct pending {
        int64_t at;
        struct slice host, instance;
        struct mail_event event;
};

struct maillog_batch {
        char *text;
        size_t text_cap;
        struct pending *v;
        size_t n, cap;
};

struct maillog_tally {
        struct maillog_totals totals;
        struct join *join;
        struct counts_of who[MAILLOG_WHO_ALL];
        struct names *senders;
        struct maillog_counts *hours;
        int64_t first_hour;        /* of hours[0] */
        struct maillog_batch *own; /* of maillog_tally_add() */
        /* Of who reads, on cache lines of his own. */
        _Alignas(64) struct maillog_totals read;
        struct syslog_zone zone;
        struct syslog_clock clock;
        struct program programs[PROGRAMS];
        void (*unparsed)(void *arg, struct slice line);
        void *arg;
};

/* --- counters --- */

static struct maillog_counts *counts(struct counts_of *c, uint32_t id)
{
        size_t had = c->cap;
        if (id >= had) {
                c->v = xgrow(c->v, &c->cap, (size_t)id + 1, sizeof *c->v);
                memset(c->v + had, 0, (c->cap - had) * sizeof *c->v);
        }
        return &c->v[id];
}

static struct maillog_counts *hour(struct maillog_tally *t, int64_t at)
{
        static struct maillog_counts nowhere;
        int64_t h = at / HOUR;
        if (!t->hours) {
                t->hours = xcalloc(TALLY_HOURS, sizeof *t->hours);
                t->first_hour = h - TALLY_HOURS / 2;
        }
        if (h >= t->first_hour && h < t->first_hour + TALLY_HOURS)
                return &t->hours[h - t->first_hour];
        t->totals.hours_lost++;
        return &nowhere;
}

static void add_message(struct maillog_counts *c, const struct message *m)
{
        bool counts_now = m->arrived && m->queued && !m->again;
        c->messages += counts_now;
        c->bytes += counts_now ? m->size : 0;
        c->recipients += counts_now ? m->recipients : 0;
        c->delivered += m->handed ? 0 : m->sent;
        c->deferred += m->deferred;
        c->bounced += m->bounced;
        c->remote += m->remote != CATEGORY_NONE;
}

static void on_message(void *arg, const struct message *m)
{
        struct maillog_tally *t = arg;
        struct maillog_totals *all = &t->totals;
        bool first = m->arrived && m->queued && !m->again;
        all->messages += first;
        all->made += m->made && m->queued && !m->again;
        all->size += first ? m->size : 0;
        all->recipients += first ? m->recipients : 0;
        all->delivered += m->handed ? 0 : m->sent;
        all->handed += m->handed ? m->sent : 0;
        all->forwarded += m->forwarded;
        all->deferred += m->deferred;
        all->bounced += m->bounced;
        all->expired += m->expired;
        all->spam += m->spam;
        all->virus += m->virus;
        all->refused[m->remote] += m->remote != CATEGORY_NONE;
        add_message(hour(t, m->first), m);
        if (m->client)
                add_message(counts(&t->who[MAILLOG_CLIENTS], m->client), m);
        if (m->login)
                add_message(counts(&t->who[MAILLOG_LOGINS], m->login), m);
}

/* --- lines --- */

static const struct program *program_of(struct maillog_tally *t, struct slice name)
{
        size_t at =
            name.n ? (name.n * 7 + (uint8_t)name.p[name.n - 1] + (uint8_t)name.p[name.n / 2] * 3u) % PROGRAMS : 0;
        struct program *p = &t->programs[at];
        if (p->n == name.n && memcmp(p->text, name.p, name.n) == 0)
                return p;
        struct slice instance = { 0 };
        *p = (struct program){ .daemon =
                                   name.n && name.n <= PROGRAM_MOST ? mail_daemon_of(name, &instance) : MAIL_BY_NONE };
        if (name.n <= PROGRAM_MOST) {
                memcpy(p->text, name.p, name.n);
                p->n = (uint8_t)name.n;
                p->instance = (uint8_t)instance.n;
        }
        return p;
}

static void count_refusal(struct maillog_tally *t, const struct mail_event *e, enum category seen, int64_t at)
{
        t->totals.refused[seen]++;
        t->totals.odd += e->odd;
        hour(t, at)->refused++;
        if (e->client.address.n)
                counts(&t->who[MAILLOG_CLIENTS], names_id(t->who[MAILLOG_CLIENTS].names, e->client.address))->refused++;
}

static void count_event(struct maillog_tally *t, const struct pending *p, const struct join_key *key)
{
        const struct mail_event *e = &p->event;
        enum category seen = category_of(e);
        if (seen && (e->kind == MAIL_REJECT || e->kind == MAIL_CHECK)) {
                count_refusal(t, e, seen, p->at);
        } else if (e->kind == MAIL_AUTH_FAILED) {
                hour(t, p->at)->auth_failed++;
                counts(&t->who[MAILLOG_CLIENTS], names_id(t->who[MAILLOG_CLIENTS].names, e->client.address))
                    ->auth_failed++;
                if (e->login.n)
                        counts(&t->who[MAILLOG_LOGINS], names_id(t->who[MAILLOG_LOGINS].names, e->login))
                            ->auth_failed++;
        }
        if (key)
                join_event(t->join, key, e, seen, p->at);
}

void maillog_tally_count(struct maillog_tally *t, const struct maillog_batch *b)
{
        struct join_key keys[AT_ONCE];
        bool joins[AT_ONCE];
        for (size_t from = 0, n; from < b->n; from += n) {
                const struct pending *p = b->v + from;
                n = b->n - from < AT_ONCE ? b->n - from : AT_ONCE;
                for (size_t i = 0; i < n; i++)
                        joins[i] = join_prepare(t->join, p[i].host, p[i].instance, &p[i].event, &keys[i]);
                for (size_t i = 0; i < n; i++)
                        if (joins[i])
                                join_fetch(t->join, &keys[i]);
                for (size_t i = 0; i < n; i++)
                        count_event(t, &p[i], joins[i] ? &keys[i] : NULL);
        }
}

/* --- reading --- */

static void on_unparsed(struct maillog_tally *t, struct slice line)
{
        if (t->unparsed)
                t->unparsed(t->arg, line);
}

static void read_line(struct maillog_tally *t, struct slice line, const struct syslog_line *l, struct maillog_batch *b)
{
        const struct program *program = program_of(t, l->program);
        if (!t->read.first || l->at < t->read.first)
                t->read.first = l->at;
        if (l->at > t->read.last)
                t->read.last = l->at;
        if (program->daemon == MAIL_BY_NONE) {
                t->read.foreign++;
                return;
        }
        if (b->n == b->cap)
                b->v = xgrow(b->v, &b->cap, b->n + 1, sizeof *b->v);
        struct pending *p = &b->v[b->n];
        postfix_parse(program->daemon, l->text, &p->event);
        t->read.kinds[p->event.kind]++;
        if (p->event.kind == MAIL_UNKNOWN) {
                t->read.unknown++;
                on_unparsed(t, line);
                return;
        }
        t->read.understood++;
        p->at = l->at;
        p->host = l->host;
        p->instance = (struct slice){ l->program.p, program->instance };
        enum mail_kind kind = p->event.kind; /* all others are counted already */
        b->n += p->event.queue_id.n || kind == MAIL_REJECT || kind == MAIL_CHECK || kind == MAIL_AUTH_FAILED;
}

void maillog_tally_read(struct maillog_tally *t, struct slice piece, struct maillog_batch *ret)
{
        struct syslog_line l;
        ret->n = 0;
        if (!piece.n)
                return;
        ret->text = xgrow(ret->text, &ret->text_cap, piece.n, 1);
        memcpy(ret->text, piece.p, piece.n);
        piece.p = ret->text;
        t->read.bytes += piece.n;
        while (piece.n) {
                const char *end = memchr(piece.p, '\n', piece.n);
                struct slice line = { piece.p, end ? (size_t)(end - piece.p) : piece.n };
                piece = slice_from(piece, line.n + (end != NULL));
                t->read.lines++;
                if (syslog_parse(&t->clock, line, &l)) {
                        read_line(t, line, &l, ret);
                } else if (line.n) {
                        t->read.broken++;
                        on_unparsed(t, line);
                }
        }
}

void maillog_tally_add(struct maillog_tally *t, struct slice piece)
{
        maillog_tally_read(t, piece, t->own);
        maillog_tally_count(t, t->own);
}

uint64_t maillog_tally_lines(const struct maillog_tally *t)
{
        return t->read.lines;
}

void maillog_tally_file(struct maillog_tally *t, int64_t written)
{
        syslog_clock_init(&t->clock, t->zone, written);
}

/* --- its life --- */

struct maillog_batch *maillog_batch_new(void)
{
        return xcalloc(1, sizeof(struct maillog_batch));
}

void maillog_batch_free(struct maillog_batch *b)
{
        if (!b)
                return;
        free(b->text);
        free(b->v);
        free(b);
}

struct maillog_tally *maillog_tally_new(struct syslog_zone zone, void (*unparsed)(void *arg, struct slice line),
                                        void *arg)
{
        struct maillog_tally *t = aligned_alloc(_Alignof(struct maillog_tally), sizeof *t);
        if (!t)
                panic("out of memory (tally)");
        memset(t, 0, sizeof *t);
        t->own = maillog_batch_new();
        t->zone = zone;
        t->unparsed = unparsed;
        t->arg = arg;
        t->senders = names_new(TALLY_NAMES);
        for (size_t i = 0; i < MAILLOG_WHO_ALL; i++)
                t->who[i].names = names_new(TALLY_NAMES);
        struct join_names names = { t->who[MAILLOG_CLIENTS].names, t->who[MAILLOG_LOGINS].names, t->senders };
        t->join = join_new(JOIN_MOST, names, on_message, t);
        return t;
}

void maillog_tally_free_(struct maillog_tally **t)
{
        if (!*t)
                return;
        join_free((*t)->join);
        names_free((*t)->senders);
        for (size_t i = 0; i < MAILLOG_WHO_ALL; i++) {
                names_free((*t)->who[i].names);
                free((*t)->who[i].v);
        }
        free((*t)->hours);
        maillog_batch_free((*t)->own);
        free(*t);
}

void maillog_tally_end(struct maillog_tally *t)
{
        struct maillog_totals *all = &t->totals;
        const struct maillog_totals *read = &t->read;
        all->bytes = read->bytes;
        all->lines = read->lines;
        all->foreign = read->foreign;
        all->broken = read->broken;
        all->understood = read->understood;
        all->unknown = read->unknown;
        all->first = read->first;
        all->last = read->last;
        memcpy(all->kinds, read->kinds, sizeof all->kinds);
        t->totals.under_way = join_end(t->join);
        t->totals.early = join_early(t->join);
        t->totals.names_lost = names_lost(t->senders);
        for (size_t i = 0; i < MAILLOG_WHO_ALL; i++)
                t->totals.names_lost += names_lost(t->who[i].names);
}

const struct maillog_totals *maillog_tally_totals(const struct maillog_tally *t)
{
        return &t->totals;
}

/* --- answers --- */

static uint64_t value_of(const struct maillog_counts *c, enum maillog_by by)
{
        return by == MAILLOG_BY_MESSAGES ? c->messages : by == MAILLOG_BY_REFUSED ? c->refused : c->auth_failed;
}

/* Puts a row in its place among those found so far; equals stay in the order of their first line. */
static size_t place(struct maillog_row *rows, size_t n, size_t most, struct maillog_row row, enum maillog_by by)
{
        size_t i = n;
        while (i > 0 && value_of(&rows[i - 1].counts, by) < value_of(&row.counts, by))
                i--;
        if (i == most)
                return n;
        n += n < most;
        memmove(rows + i + 1, rows + i, (n - i - 1) * sizeof *rows);
        rows[i] = row;
        return n;
}

size_t maillog_tally_top(const struct maillog_tally *t, enum maillog_who who, enum maillog_by by,
                         struct maillog_row *rows, size_t most)
{
        const struct counts_of *c = &t->who[who];
        size_t n = 0, end = names_end(c->names);
        for (size_t i = NAMES_OTHERS; i < end && i < c->cap; i++)
                if (value_of(&c->v[i], by))
                        n = place(rows, n, most, (struct maillog_row){ names_text(c->names, (uint32_t)i), c->v[i] },
                                  by);
        return n;
}

const struct maillog_counts *maillog_tally_hour(const struct maillog_tally *t, size_t *i, int64_t *at)
{
        static const struct maillog_counts none;
        for (; t->hours && *i < TALLY_HOURS; ++*i)
                if (memcmp(&t->hours[*i], &none, sizeof none) != 0) {
                        *at = (t->first_hour + (int64_t)*i) * HOUR;
                        return &t->hours[(*i)++];
                }
        return NULL;
}
