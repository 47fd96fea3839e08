/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/tally.h"

#include "base/time.h"

enum { AT_ONCE = 16 };

struct counts_of {
        struct names *names;
        struct maillog_counts *v; /* by number */
        size_t cap;
};

struct maillog_tally {
        struct maillog_totals totals;
        struct join *join;
        struct limits *limits;
        struct limits_who whose;
        const struct batch *batch; /* being counted */
        struct counts_of who[MAILLOG_WHO_ALL];
        struct names *senders;
        struct message told[AT_ONCE];
        size_t n_told;
        uint32_t *domain_of; /* by the number of a sender */
        size_t n_domain_of, domain_cap;
        struct maillog_counts *hours;
        int64_t first_hour; /* of hours[0] */
        struct syslog_zone zone;
        struct syslog_clock clock;
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

static void expect_counts(const struct counts_of *c, uint32_t id)
{
        if (id < c->cap)
                __builtin_prefetch(&c->v[id]);
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

/* Not every server says in advance how many there are. */
static uint32_t recipients_of(const struct message *m)
{
        return m->recipients ? m->recipients : m->sent + m->bounced;
}

static void add_message(struct maillog_counts *c, const struct message *m)
{
        bool counts_now = m->arrived && m->queued && !m->again;
        c->messages += counts_now;
        c->bytes += counts_now ? m->size : 0;
        c->recipients += counts_now ? recipients_of(m) : 0;
        c->delivered += m->sent - message_handed(m);
        c->deferred += m->deferred;
        c->bounced += m->bounced;
        c->remote += m->remote != CATEGORY_NONE;
}

/* The part behind the '@' of a sender, as a number of its own. */
static uint32_t domain_of(struct maillog_tally *t, uint32_t sender)
{
        for (; t->n_domain_of <= sender; t->n_domain_of++) {
                struct slice s = names_text(t->senders, (uint32_t)t->n_domain_of);
                const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
                struct slice domain = at ? slice_from(s, (size_t)(at - s.p) + 1) : s;
                t->domain_of = xgrow(t->domain_of, &t->domain_cap, t->n_domain_of + 1, sizeof *t->domain_of);
                t->domain_of[t->n_domain_of] = names_id(t->who[MAILLOG_DOMAINS].names, domain, names_hash(domain));
        }
        return t->domain_of[sender];
}

static uint32_t subscriber_of(struct maillog_tally *t, const struct message *m)
{
        struct slice client = names_text(t->who[MAILLOG_CLIENTS].names, m->client);
        struct slice id = t->whose.subscriber(t->whose.arg, client, m->first);
        return names_id(t->who[MAILLOG_SUBSCRIBERS].names, id, names_hash(id));
}

static void count_message(struct maillog_tally *t, const struct message *m)
{
        struct maillog_totals *all = &t->totals;
        bool first = m->arrived && m->queued && !m->again;
        all->messages += first;
        all->made += m->made && m->queued && !m->again;
        all->size += first ? m->size : 0;
        all->recipients += first ? recipients_of(m) : 0;
        all->delivered += m->sent - message_handed(m);
        all->handed += message_handed(m);
        all->forwarded += m->forwarded;
        all->deferred += m->deferred;
        all->bounced += m->bounced;
        all->expired += m->expired;
        all->spam += m->spam;
        all->virus += m->virus;
        all->found[m->remote] += m->remote != CATEGORY_NONE;
        add_message(hour(t, m->first), m);
        if (first && t->whose.weighs)
                limits_weigh(t->limits,
                             &(struct limits_message){ .at = m->first,
                                                       .client = names_text(t->who[MAILLOG_CLIENTS].names, m->client),
                                                       .login = names_text(t->who[MAILLOG_LOGINS].names, m->login),
                                                       .accused = m->remote != CATEGORY_NONE,
                                                       .delivered = m->sent > 0 });
        if (m->client)
                add_message(counts(&t->who[MAILLOG_CLIENTS], m->client), m);
        if (m->login)
                add_message(counts(&t->who[MAILLOG_LOGINS], m->login), m);
        if (m->client && t->whose.subscriber)
                add_message(counts(&t->who[MAILLOG_SUBSCRIBERS], subscriber_of(t, m)), m);
        if (m->sender)
                add_message(counts(&t->who[MAILLOG_DOMAINS], domain_of(t, m->sender)), m);
}

static void count_told(struct maillog_tally *t)
{
        for (size_t i = 0; i < t->n_told; i++)
                count_message(t, &t->told[i]);
        t->n_told = 0;
}

/* Memory is slow: what is told is counted when some are together, and their counters fetched meanwhile. */
static void on_message(void *arg, const struct message *m)
{
        struct maillog_tally *t = arg;
        t->told[t->n_told++] = *m;
        expect_counts(&t->who[MAILLOG_CLIENTS], m->client);
        expect_counts(&t->who[MAILLOG_LOGINS], m->login);
        if (m->sender < t->n_domain_of)
                __builtin_prefetch(&t->domain_of[m->sender]);
        if (t->n_told == AT_ONCE)
                count_told(t);
}

/* --- lines --- */

static struct maillog_counts *counts_at(struct counts_of *c, struct slice name, uint64_t hash)
{
        return counts(c, names_id(c->names, name, hash));
}

static struct limits_fact fact_of(const struct batch *b, const struct entry *e)
{
        return (
            struct limits_fact){ .at = e->at, .category = e->category, .n = 1, .line = slice_from(b->text, e->line) };
}

/* What a message did, that is counted by limits. */
static void on_seen(void *arg, const struct message *m, const struct entry *e)
{
        struct maillog_tally *t = arg;
        uint32_t words = limits_words(e);
        if (!words && !e->category)
                return;
        struct limits_fact f = fact_of(t->batch, e);
        f.words = words;
        f.recipients = e->nrcpt;
        f.client = names_text(t->who[MAILLOG_CLIENTS].names, m->client);
        f.login = names_text(t->who[MAILLOG_LOGINS].names, m->login);
        limits_count(t->limits, &f);
}

static void on_refusal(struct maillog_tally *t, const struct batch *b, const struct entry *e)
{
        t->totals.refused++;
        t->totals.odd += e->odd;
        hour(t, e->at)->refused++;
        if (e->who.n)
                counts_at(&t->who[MAILLOG_CLIENTS], batch_text(b, e->who), e->who.hash)->refused++;
}

static void on_auth_failed(struct maillog_tally *t, const struct batch *b, const struct entry *e)
{
        hour(t, e->at)->auth_failed++;
        if (e->who.n)
                counts_at(&t->who[MAILLOG_CLIENTS], batch_text(b, e->who), e->who.hash)->auth_failed++;
        if (e->login.n)
                counts_at(&t->who[MAILLOG_LOGINS], batch_text(b, e->login), e->login.hash)->auth_failed++;
}

static void on_failure(struct maillog_tally *t, const struct batch *b, const struct entry *e)
{
        struct maillog_counts *c = counts_at(&t->who[MAILLOG_REASONS], batch_reason(b, e->login), e->login.hash);
        c->deferred += e->status == MAIL_DEFERRED;
        c->bounced += e->status != MAIL_DEFERRED;
        c->remote += e->category != CATEGORY_NONE;
}

/* A line that says something by itself. */
static void count_line(struct maillog_tally *t, const struct batch *b, const struct entry *e)
{
        struct limits_fact f = fact_of(b, e);
        f.client = batch_text(b, e->who);
        f.login = batch_text(b, e->login);
        t->totals.found[e->category] += e->category != CATEGORY_NONE;
        f.words = limits_words(e);
        if (e->refuses && e->category)
                on_refusal(t, b, e);
        else if (e->kind == MAIL_AUTH_FAILED)
                on_auth_failed(t, b, e);
        limits_count(t->limits, &f);
}

static void count_entry(struct maillog_tally *t, const struct batch *b, const struct entry *e)
{
        if (e->kind == MAIL_DELIVERY) {
                if (e->login.n)
                        on_failure(t, b, e);
        } else if (entry_says_itself(e)) {
                count_line(t, b, e);
        }
        join_event(t->join, b, e);
}

void maillog_tally_batch(struct maillog_tally *t, struct batch *b)
{
        if (b->begins_file)
                syslog_clock_init(&t->clock, t->zone, b->written);
        batch_settle(b, &t->clock);
        t->batch = b;
        batch_sums_add(&t->totals.lines, &b->sums);
        if (b->first && (!t->totals.first || b->first < t->totals.first))
                t->totals.first = b->first;
        if (b->last > t->totals.last)
                t->totals.last = b->last;
        for (size_t from = 0, n; from < b->n; from += n) {
                const struct entry *e = b->v + from;
                n = b->n - from < AT_ONCE ? b->n - from : AT_ONCE;
                for (size_t i = 0; i < n; i++)
                        join_expect(t->join, &e[i]);
                for (size_t i = 0; i < n; i++)
                        join_fetch(t->join, &e[i]);
                for (size_t i = 0; i < n; i++)
                        join_fetch_first(t->join, &e[i]);
                for (size_t i = 0; i < n; i++)
                        count_entry(t, b, &e[i]);
        }
}

/* --- its life --- */

struct maillog_tally *maillog_tally_new(const struct rules *rules, struct limits_who who, struct syslog_zone zone)
{
        struct maillog_tally *t = xcalloc(1, sizeof *t);
        t->zone = zone;
        t->senders = names_new(TALLY_NAMES);
        for (size_t i = 0; i < MAILLOG_WHO_ALL; i++)
                t->who[i].names = names_new(TALLY_NAMES);
        struct join_names names = { t->who[MAILLOG_CLIENTS].names, t->who[MAILLOG_LOGINS].names, t->senders };
        t->join = join_new(JOIN_MOST, names, (struct join_hooks){ on_message, on_seen, t });
        t->limits = limits_new(rules, who);
        t->whose = who;
        return t;
}

void maillog_tally_free_(struct maillog_tally **t)
{
        if (!*t)
                return;
        join_free((*t)->join);
        limits_free((*t)->limits);
        names_free((*t)->senders);
        for (size_t i = 0; i < MAILLOG_WHO_ALL; i++) {
                names_free((*t)->who[i].names);
                free((*t)->who[i].v);
        }
        free((*t)->domain_of);
        free((*t)->hours);
        free(*t);
}

void maillog_tally_end(struct maillog_tally *t)
{
        t->totals.under_way = join_end(t->join);
        count_told(t);
        t->totals.early = join_early(t->join);
        t->totals.names_lost = names_lost(t->senders);
        for (size_t i = 0; i < MAILLOG_WHO_ALL; i++)
                t->totals.names_lost += names_lost(t->who[i].names);
}

const struct limits *maillog_tally_limits(const struct maillog_tally *t)
{
        return t->limits;
}

const struct maillog_totals *maillog_tally_totals(const struct maillog_tally *t)
{
        return &t->totals;
}

/* --- answers --- */

static uint64_t value_of(const struct maillog_counts *c, enum maillog_by by)
{
        const uint32_t values[] = { [MAILLOG_BY_MESSAGES] = c->messages,       [MAILLOG_BY_REFUSED] = c->refused,
                                    [MAILLOG_BY_AUTH_FAILED] = c->auth_failed, [MAILLOG_BY_BOUNCED] = c->bounced,
                                    [MAILLOG_BY_DEFERRED] = c->deferred,       [MAILLOG_BY_REMOTE] = c->remote };
        return values[by];
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
