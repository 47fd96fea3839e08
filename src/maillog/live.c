/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/live.h"
#include "maillog/join.h"

#include "base/time.h"

#include <stdio.h>

enum { LIVE_FULL = LIVE_NAMES / 4 * 3 };

struct slot {
        int64_t step; /* time by LIVE_STEP */
        uint32_t n[LIVE_SERIES];
};

struct live {
        struct live_options o;
        struct batch_common common;
        struct batch *batch;
        struct join *join;
        struct join_names names;
        struct limits *limits;
        struct file {
                bool begun;
                struct syslog_clock clock;
        } files[LIVE_FILES_MOST];
        struct slot *slots; /* by step, ascending */
        size_t n_slots, at; /* at: the one counted in last */
        int64_t watched;    /* all before it is told; 0: nothing yet */
        uint32_t full_at;   /* so many names */
        struct batch_sums sums;
        char series[LIVE_SERIES][64];
};

/* --- counting --- */

static void tell_slot(struct live *l, struct slot *s, int64_t from, int64_t to)
{
        for (size_t i = 0; i < LIVE_SERIES; i++)
                if (s->n[i] || (from < to && i < LIVE_COUNTS_ALL))
                        l->o.count(l->o.arg, i, from, to, s->n[i]);
        memset(s->n, 0, sizeof s->n);
}

/* Of time that was told of, will be when it is over, or of a category, of which no time is told but where it has something: that step is
 * known now. */
static void tell_late(struct live *l, struct slot *s)
{
        int64_t start = s->step * LIVE_STEP;
        for (size_t i = 0; i < LIVE_SERIES; i++)
                if (s->n[i])
                        l->o.count(l->o.arg, i, start, start + LIVE_STEP, s->n[i]);
        memset(s->n, 0, sizeof s->n);
}

/* Time without a line is known, too: nothing came. */
static void tell_nothing(struct live *l, int64_t from, int64_t to)
{
        for (size_t i = 0; i < LIVE_COUNTS_ALL && from < to; i++)
                l->o.count(l->o.arg, i, from, to, 0);
}

/* All there is; what is of time that is over, or not yet, as late. */
static void tell_until(struct live *l, int64_t until)
{
        if (!l->watched)
                l->watched = l->n_slots ? l->slots[0].step * LIVE_STEP : until;
        for (struct slot *s = l->slots; s < l->slots + l->n_slots; s++) {
                int64_t start = s->step * LIVE_STEP, end = start + LIVE_STEP;
                if (start > l->watched && start < until) {
                        tell_nothing(l, l->watched, start);
                        l->watched = start;
                }
                int64_t to = end < until ? end : until;
                if (end > l->watched && start <= l->watched && to > l->watched) {
                        tell_slot(l, s, l->watched, to);
                        l->watched = to;
                } else {
                        tell_late(l, s);
                }
        }
        tell_nothing(l, l->watched, until);
        l->watched = until > l->watched ? until : l->watched;
        l->n_slots = l->at = 0;
}

void live_end(struct live *l)
{
        join_end(l->join);
}

void live_tell(struct live *l, int64_t at)
{
        join_pass(l->join, at);
        tell_until(l, at);
}

void live_tell_read(struct live *l)
{
        if (l->n_slots)
                tell_until(l, l->slots[l->n_slots - 1].step * LIVE_STEP);
}

static struct slot *slot_at(struct live *l, int64_t at)
{
        int64_t step = at / LIVE_STEP;
        if (l->at < l->n_slots && l->slots[l->at].step == step)
                return &l->slots[l->at];
        size_t i = l->n_slots;
        while (i > 0 && l->slots[i - 1].step > step)
                i--;
        if (i > 0 && l->slots[i - 1].step == step) {
                l->at = i - 1;
                return &l->slots[i - 1];
        }
        if (l->n_slots == LIVE_SLOTS) {
                tell_until(l, l->slots[LIVE_SLOTS - 1].step * LIVE_STEP);
                return slot_at(l, at);
        }
        memmove(l->slots + i + 1, l->slots + i, (l->n_slots - i) * sizeof *l->slots);
        l->slots[i] = (struct slot){ .step = step };
        l->n_slots++;
        l->at = i;
        return &l->slots[i];
}

static void count(struct live *l, int64_t at, size_t series, uint32_t n)
{
        if (n && series < LIVE_SERIES)
                slot_at(l, at)->n[series] += n;
}

/* --- what lines say --- */

static struct limits_fact fact_of(const struct live *l, const struct entry *e)
{
        return (struct limits_fact){
                .at = e->at, .category = e->category, .n = 1, .line = slice_from(l->batch->text, e->line)
        };
}

static void on_seen(void *arg, const struct message *m, const struct entry *e)
{
        struct live *l = arg;
        struct limits_fact f = fact_of(l, e);
        bool queued = e->kind == MAIL_QUEUED;
        f.words = limits_words(e);
        f.recipients = e->nrcpt;
        f.client = names_text(l->names.clients, m->client);
        f.login = names_text(l->names.logins, m->login);
        count(l, e->at, LIVE_RECEIVED, queued && m->arrived);
        count(l, e->at, LIVE_DEFERRED, e->status == MAIL_DEFERRED);
        count(l, e->at, LIVE_BOUNCED, e->status == MAIL_BOUNCED || e->status == MAIL_STATUS_EXPIRED);
        count(l, e->at, LIVE_COUNTS_ALL + e->category, e->category != CATEGORY_NONE);
        if (f.words || f.category)
                limits_count(l->limits, &f);
}

/* What a filter was handed is known only at the end. */
static void on_told(void *arg, const struct message *m)
{
        struct live *l = arg;
        count(l, m->last, LIVE_SENT, m->sent - message_handed(m));
        count(l, m->last, LIVE_SPAM, m->spam);
        count(l, m->last, LIVE_VIRUS, m->virus);
}

static void on_line(struct live *l, const struct entry *e)
{
        struct limits_fact f = fact_of(l, e);
        bool refused = e->refuses && e->category;
        f.words = limits_words(e);
        f.client = batch_text(l->batch, e->who);
        f.login = batch_text(l->batch, e->login);
        count(l, e->at, LIVE_REJECTED, refused);
        count(l, e->at, LIVE_AUTH_FAILED, e->kind == MAIL_AUTH_FAILED);
        count(l, e->at, LIVE_COUNTS_ALL + e->category, e->category != CATEGORY_NONE);
        limits_count(l->limits, &f);
}

/* The names of messages under way go into new tables. */
static void renew_names(struct live *l)
{
        struct join_names old = l->names;
        l->names = (struct join_names){ names_new(LIVE_NAMES), names_new(LIVE_NAMES), names_new(LIVE_NAMES) };
        join_rename(l->join, l->names);
        names_free(old.clients);
        names_free(old.logins);
        names_free(old.senders);
        uint32_t kept = names_end(l->names.clients);
        kept = names_end(l->names.senders) > kept ? names_end(l->names.senders) : kept;
        l->full_at = kept + LIVE_NAMES / 8 > LIVE_FULL ? kept + LIVE_NAMES / 8 : LIVE_FULL;
}

/* Where messages under way alone nearly fill them, it is of use only after a while. */
static bool are_full(const struct live *l, const struct names *n)
{
        return names_end(n) >= l->full_at;
}

void live_take(struct live *l, size_t file, struct syslog_zone zone, struct slice lines, int64_t written)
{
        struct file *f = &l->files[file % LIVE_FILES_MOST];
        if (!f->begun)
                syslog_clock_init(&f->clock, zone, written);
        f->begun = true;
        f->clock.reference = written;
        batch_take(l->batch, lines);
        batch_read(l->batch);
        batch_settle(l->batch, &f->clock);
        batch_sums_add(&l->sums, &l->batch->sums);
        for (struct entry *e = l->batch->v; e < l->batch->v + l->batch->n; e++)
                e->at = e->at < written ? e->at : written;
        for (const struct entry *e = l->batch->v; e < l->batch->v + l->batch->n; e++) {
                if (entry_says_itself(e))
                        on_line(l, e);
                join_event(l->join, l->batch, e);
        }
        if (l->o.line)
                l->o.line(l->o.arg, file, l->batch);
        if (are_full(l, l->names.clients) || are_full(l, l->names.logins) || are_full(l, l->names.senders))
                renew_names(l);
        limits_tidy(l->limits, written);
}

/* --- its life --- */

const char *live_series(const struct live *l, size_t series)
{
        return series < LIVE_COUNTS_ALL + categories_end(l->o.rules->categories) ? l->series[series] : NULL;
}

struct batch_sums live_sums(const struct live *l)
{
        return l->sums;
}

struct live *live_new(const struct live_options *o)
{
#define NAME(id, name) name,
        static const char *const counts[] = { LIVE_COUNTS(NAME) };
        struct live *l = xcalloc(1, sizeof *l);
        l->o = *o;
        batch_common_init(&l->common, o->rules->categories);
        l->batch = batch_new(&l->common);
        l->names = (struct join_names){ names_new(LIVE_NAMES), names_new(LIVE_NAMES), names_new(LIVE_NAMES) };
        l->join = join_new(JOIN_MOST, l->names, (struct join_hooks){ on_told, on_seen, l });
        l->full_at = LIVE_FULL;
        l->limits = limits_new(o->rules, o->who);
        l->slots = xcalloc(LIVE_SLOTS, sizeof *l->slots);
        for (size_t i = 0; i < LIVE_SERIES; i++)
                snprintf(l->series[i], sizeof l->series[i], "%s%s", i < LIVE_COUNTS_ALL ? "" : "category/",
                         i < LIVE_COUNTS_ALL ? counts[i] : categories_name(o->rules->categories, i - LIVE_COUNTS_ALL));
        return l;
}

void live_free(struct live *l)
{
        if (!l)
                return;
        join_free(l->join);
        limits_free(l->limits);
        names_free(l->names.clients);
        names_free(l->names.logins);
        names_free(l->names.senders);
        batch_free(l->batch);
        batch_common_done(&l->common);
        free(l->slots);
        free(l);
}
