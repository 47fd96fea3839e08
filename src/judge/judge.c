/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge/judge.h"
#include "base/log.h"
#include "judge/promise.h"
#include "judge/rules.h"

#include <errno.h>

enum { ARENA = 512 << 20 };

#define FIRST_WINDOW (6 * HOUR)
/* Scores under this are forgotten. */
#define NOTHING_LEFT 0.001

void judge_init(struct judge *j, const char *dir)
{
        *j = (struct judge){ .dir = dir };
}

static void forget_all(struct judge *j)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&j->dossiers, &i));) {
                dossier_done(e->value);
                free(e->value);
        }
        map_done(&j->dossiers);
}

void judge_done(struct judge *j)
{
        forget_all(j);
        ledger_close(j->ledger);
        client_close(j->writer);
        policy_free(j->policy);
        *j = (struct judge){ .dir = j->dir };
}

static int unreadable(struct judge *j, int status, struct buf *why)
{
        if (status < 0)
                buf_addf(why, "the ledger could not be read: %s", ledger_error(j->ledger));
        return status;
}

/* --- dossiers --- */

static struct dossier *dossier_of(struct judge *j, struct slice id, bool *made)
{
        struct dossier *d = map_find(&j->dossiers, id);
        *made = !d;
        if (d)
                return d;
        d = xcalloc(1, sizeof *d);
        dossier_init(d, id);
        map_put(&j->dossiers, (struct slice){ d->id, id.n }, d);
        return d;
}

static struct slice id_of(const struct dossier *d)
{
        return slice_of(d->id);
}

/* When his last quarantine that is over ended, or a proposal was dismissed. */
static int64_t ended_of(const struct quarantine *q, int64_t now)
{
        int64_t end = q->released ? q->released : q->until;
        if (q->proposed && !q->released)
                return 0;
        return end <= now ? end : 0;
}

static int read_forgiven(struct judge *j, struct dossier *d, int64_t now)
{
        autoarena *a = arena_new(ARENA);
        struct quarantine *all = NULL;
        size_t n = 0;
        int status = ledger_quarantines(j->ledger, a, id_of(d), now, false, &all, &n);
        d->forgiven = 0;
        for (size_t i = 0; status == 0 && i < n; i++)
                if (ended_of(&all[i], now) > d->forgiven)
                        d->forgiven = ended_of(&all[i], now);
        return status;
}

/* His sightings, read anew; what is stored later than what was followed comes by itself. */
static int reread(struct judge *j, struct dossier *d, int64_t now)
{
        autoarena *a = arena_new(ARENA);
        struct sighting *all = NULL;
        size_t n = 0;
        int status = read_forgiven(j, d, now);
        if (status < 0)
                return status;
        dossier_clear(d);
        status = ledger_sightings(j->ledger, a, id_of(d), suspicion_since(j->policy->suspicion.half_life, now),
                                  TIME_NEVER, SIZE_MAX, &all, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                if (all[i].id <= j->last_sighting)
                        dossier_add(d, &j->policy->suspicion, &all[i], now);
        return status;
}

/* --- judging one --- */

struct facts {
        struct arena *arena;
        struct person person;
        struct rules_facts rules;
        int64_t next; /* when the clock changes one of them */
};

static void sooner(int64_t *next, int64_t at, int64_t now)
{
        if (at > now && at < *next)
                *next = at;
}

static int read_quarantines(struct judge *j, const struct dossier *d, int64_t now, struct facts *f)
{
        struct quarantine *all = NULL;
        size_t n = 0;
        int status = ledger_quarantines(j->ledger, f->arena, id_of(d), now, false, &all, &n);
        for (size_t i = 0; status == 0 && i < n; i++) {
                const struct quarantine *q = &all[i];
                int64_t ended = ended_of(q, now);
                if (ended > f->rules.ended)
                        f->rules.ended = ended;
                if (q->released || q->until <= now)
                        continue;
                sooner(&f->next, q->until, now);
                sooner(&f->next, q->start, now);
                enum level *level = q->proposed ? &f->rules.proposed : &f->rules.present;
                if (q->level > *level && (q->proposed || q->start <= now))
                        *level = q->level;
        }
        return status;
}

static bool in_force(const struct exemption *e, int64_t now)
{
        return !e->removed && e->start <= now && e->until > now;
}

/* By subscriber or by an address he holds, by policy or ledger. */
static int read_exemptions(struct judge *j, int64_t now, struct facts *f)
{
        const struct person *p = &f->person;
        struct exemption *all = NULL;
        size_t n = 0;
        f->rules.exempt = p->exempt || policy_find_exemption(j->policy, p->id, NULL, now);
        int status = ledger_exemptions(j->ledger, f->arena, &all, &n);
        for (size_t k = 0; status == 0 && k < p->n_leases; k++) {
                const struct prefix *held = &p->leases[k].prefix;
                f->rules.exempt = f->rules.exempt || policy_find_exemption(j->policy, S(""), &held->addr, now);
                for (size_t i = 0; i < n; i++)
                        if (!all[i].subscriber.n && in_force(&all[i], now) && prefix_covers(&all[i].prefix, held))
                                f->rules.exempt = true;
        }
        return status;
}

static int read_promise(struct judge *j, int64_t now, struct facts *f)
{
        const struct policy *p = j->policy;
        struct told *told = NULL;
        struct promise_facts facts = { .now = now };
        int status = ledger_told(j->ledger, f->arena, f->person.id, &told, &facts.n_told);
        facts.told = told;
        if (status < 0)
                return status;
        size_t own = f->person.class.n ? policy_find_class(p, f->person.class) : p->n_classes;
        f->rules.promised = promise_hinders(p, own, &facts, f->person.id, now);
        for (size_t i = 0; own == p->n_classes && i < f->person.n_leases; i++) {
                const struct policy_prefix *pp = policy_find_prefix(p, &f->person.leases[i].prefix.addr);
                if (pp && promise_hinders(p, p->pools[pp->pool].class, &facts, f->person.id, now))
                        f->rules.promised = true;
        }
        return 0;
}

static int read_facts(struct judge *j, const struct dossier *d, int64_t now, struct facts *f)
{
        f->rules = (struct rules_facts){ .present = LEVEL_NONE, .proposed = LEVEL_NONE };
        f->next = policy_next_change(j->policy, now);
        int status = ledger_person(j->ledger, f->arena, id_of(d), now, &f->person);
        if (status == 0)
                status = read_quarantines(j, d, now, f);
        if (status == 0)
                status = read_exemptions(j, now, f);
        if (status == 0)
                status = read_promise(j, now, f);
        sooner(&f->next, f->person.next_change, now);
        f->rules.never_cut = f->person.never_cut || policy_never_cut(j->policy, f->person.id);
        return status;
}

/* --- writing --- */

static int written(struct judge *j, int status, const char *what, struct buf *why)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        if (status == 1) /* a person was faster: the answer is part of the ledger we follow */
                log_event("refused", "what=%s why=%s", what, log_text(&text, slice_of(client_reason(j->writer))));
        if (status >= 0)
                return 0;
        buf_addf(why, "%s could not be written: %s", what, client_reason(j->writer));
        client_close(take(j->writer));
        return status;
}

static int writer_ready(struct judge *j, struct buf *why)
{
        return j->writer ? 0 : client_join(j->dir, &j->writer, why);
}

static int tell_suspicion(struct judge *j, struct dossier *d, int64_t now, struct buf *why)
{
        double after = j->policy->quarantine.after, score = suspicion_score(&d->sum, after);
        if (!dossier_moved(d, &j->policy->suspicion, score, after, now))
                return 0;
        struct suspicion s = {
                .subscriber = id_of(d), .at = now, .score = score, .syn_part = suspicion_syn_part(&d->sum, after)
        };
        int status = writer_ready(j, why);
        if (status == 0)
                status = written(j, client_suspicion_set(j->writer, &s), "suspicion", why);
        if (status == 0) {
                d->known = s;
                d->known.subscriber = (struct slice){ NULL, 0 };
        }
        return status;
}

static int act(struct judge *j, struct dossier *d, const struct rules_verdict *v, int64_t now, struct buf *why)
{
        const struct policy_quarantine *rule = &j->policy->quarantine;
        bool proposed = v->action == RULES_PROPOSE;
        autobuf reason, evidence, text;
        int64_t id = 0;
        buf_init(&reason, LEDGER_TEXT_MOST);
        buf_init(&evidence, LEDGER_TEXT_MOST);
        buf_init(&text, LOG_LINE_MOST);
        buf_addf(&reason, "suspicion %.1f reached %g points", suspicion_score(&d->sum, rule->after), rule->after);
        if (proposed)
                buf_addf(&reason, "; only proposed: %s", rules_reason_words(v->reason));
        dossier_evidence(d, &evidence);
        struct quarantine q = { .subscriber = id_of(d),
                                .level = rule->level,
                                .start = now,
                                .until = now,
                                .reason = buf_slice(&reason),
                                .evidence = buf_slice(&evidence),
                                .by_rule = true,
                                .proposed = proposed };
        if (__builtin_add_overflow(now, rule->duration, &q.until))
                q.until = TIME_NEVER;
        int status = writer_ready(j, why);
        if (status == 0)
                status =
                    written(j, client_quarantine_add(j->writer, &q, &id), proposed ? "proposal" : "quarantine", why);
        if (status == 0 && id)
                log_event(proposed ? "proposed" : "quarantined", "subscriber=%s level=%s number=%lld",
                          log_text(&text, q.subscriber), level_name(q.level), (long long)id);
        return status;
}

/* The suspicion is told to the ledger; where it is high, or a quarantine's end is awaited, all facts are looked up and the rules asked. */
static int judge_one(struct judge *j, struct dossier *d, int64_t now, struct buf *why)
{
        double after = j->policy->quarantine.after;
        suspicion_fade(&d->sum, j->policy->suspicion.half_life, now);
        if (d->look_at > now && !rules_reached(suspicion_score(&d->sum, after), after))
                return tell_suspicion(j, d, now, why);
        autoarena *a = arena_new(ARENA);
        struct facts f = { .arena = a };
        int status = unreadable(j, read_facts(j, d, now, &f), why);
        if (status == 0 && f.rules.ended > d->forgiven)
                status = unreadable(j, reread(j, d, now), why);
        if (status == 0)
                status = tell_suspicion(j, d, now, why);
        if (status < 0)
                return status;
        f.rules.score = suspicion_score(&d->sum, after);
        struct rules_verdict v = rules_judge(&f.rules, &j->policy->quarantine, now);
        d->look_at = rules_reached(f.rules.score, after) || f.rules.present != LEVEL_NONE ? f.next : TIME_NEVER;
        sooner(&d->look_at, v.again, now);
        return v.action == RULES_NOTHING ? 0 : act(j, d, &v, now, why);
}

/* --- everything --- */

static int read_policy(struct judge *j, struct buf *why)
{
        autoarena *a = arena_new(ARENA);
        autodiags *diags = diags_new();
        struct generation g;
        policy_free(take(j->policy));
        int status = ledger_generation_in_force(j->ledger, a, TIME_NEVER, &g);
        if (status == -ENOENT)
                return 0;
        if (status < 0)
                return unreadable(j, status, why);
        struct policy_input in = { .name = S("generation"), .text = g.text };
        j->policy = policy_parse(&in, diags);
        if (j->policy)
                return 0;
        buf_addf(why, "generation %lld in the ledger is not a policy this program understands", (long long)g.n);
        return -EUCLEAN;
}

/* Whose last quarantine ended when: before the sightings are added. */
static int read_all_forgiven(struct judge *j, int64_t now, struct buf *why)
{
        autoarena *a = arena_new(ARENA);
        struct quarantine *all = NULL;
        size_t n = 0;
        bool made;
        int status = ledger_quarantines(j->ledger, a, S(""), now, false, &all, &n);
        for (size_t i = 0; status == 0 && i < n; i++) {
                struct dossier *d = dossier_of(j, all[i].subscriber, &made);
                if (ended_of(&all[i], now) > d->forgiven)
                        d->forgiven = ended_of(&all[i], now);
        }
        return unreadable(j, status, why);
}

static int read_all_suspicions(struct judge *j, struct buf *why)
{
        autoarena *a = arena_new(ARENA);
        struct suspicion *all = NULL;
        size_t n = 0;
        bool made;
        int status = ledger_suspicions(j->ledger, a, &all, &n);
        for (size_t i = 0; status == 0 && i < n; i++) {
                struct dossier *d = dossier_of(j, all[i].subscriber, &made);
                d->known = all[i];
                d->known.subscriber = (struct slice){ NULL, 0 };
        }
        return unreadable(j, status, why);
}

/* One window of sightings; *more where there were too many for it. */
static int read_window(struct judge *j, int64_t since, int64_t until, int64_t now, bool *more)
{
        autoarena *a = arena_new(ARENA);
        struct sighting *all = NULL;
        size_t n = 0;
        bool made;
        int status = ledger_sightings(j->ledger, a, S(""), since, until, JUDGE_ROWS, &all, &n);
        *more = n == JUDGE_ROWS && until - since > SECOND;
        for (size_t i = 0; status == 0 && !*more && i < n; i++)
                if (all[i].holders == 1 && all[i].id <= j->last_sighting)
                        dossier_add(dossier_of(j, all[i].subscriber, &made), &j->policy->suspicion, &all[i], now);
        return status;
}

/* Newest first, in windows as long as memory allows. A clock that was set back leaves facts of the future: the ledger
 * takes them up to a day ahead. */
static int read_all_sightings(struct judge *j, int64_t now, struct buf *why)
{
        int64_t since = suspicion_since(j->policy->suspicion.half_life, now), until = now + DAY + 1;
        int64_t length = FIRST_WINDOW;
        int status = 0;
        while (status == 0 && until > since) {
                int64_t begin = until - length > since ? until - length : since;
                bool more = false;
                status = read_window(j, begin, until, now, &more);
                if (more)
                        length = length / 4 > SECOND ? length / 4 : SECOND;
                else {
                        until = begin;
                        length *= 2;
                }
        }
        return unreadable(j, status, why);
}

static int judge_all(struct judge *j, int64_t now, bool only_due, struct buf *why)
{
        struct map_entry *e;
        int status = 0;
        for (size_t i = 0; status == 0 && (e = map_next(&j->dossiers, &i));) {
                struct dossier *d = e->value;
                if (!only_due || d->look_at <= now)
                        status = judge_one(j, d, now, why);
        }
        return status;
}

static int read_everything(struct judge *j, int64_t now, struct buf *why)
{
        struct map_entry *e;
        forget_all(j);
        int status = unreadable(j, ledger_last_change(j->ledger, &j->last_change), why);
        if (status == 0)
                status = unreadable(j, ledger_last_sighting(j->ledger, &j->last_sighting), why);
        if (status == 0)
                status = read_policy(j, why);
        if (status < 0 || !j->policy)
                return status;
        status = read_all_forgiven(j, now, why);
        if (status == 0)
                status = read_all_suspicions(j, why);
        if (status == 0)
                status = read_all_sightings(j, now, why);
        for (size_t i = 0; (e = map_next(&j->dossiers, &i));)
                ((struct dossier *)e->value)->look_at = now; /* each is looked at in full once */
        return status < 0 ? status : judge_all(j, now, false, why);
}

/* --- what changed --- */

struct news {
        struct map ids; /* subscribers to be judged again; true: to be read again first */
        bool everything, sightings;
        size_t n_reread;
};

static char reread_too, judge_only; /* their addresses are the values of the map */

static void sort_news(const struct change *all, size_t n, struct news *news)
{
        for (size_t i = 0; i < n; i++) {
                news->everything |=
                    slice_eq(all[i].kind, S("generation")) || slice_eq(all[i].kind, S("prefix-exemption"));
                news->sightings |= slice_eq(all[i].kind, S("sighting"));
                if (slice_eq(all[i].kind, S("subscriber")) && !map_put(&news->ids, all[i].key, &reread_too))
                        news->n_reread++;
        }
        news->everything |= news->n_reread > JUDGE_REREAD_MOST;
}

/* New sightings go to their dossiers. */
static int follow_sightings(struct judge *j, struct arena *a, int64_t now, struct news *news)
{
        for (;;) {
                autoarena *page = arena_new(ARENA);
                struct sighting *all = NULL;
                size_t n = 0;
                int status = ledger_sightings_after(j->ledger, page, j->last_sighting, JUDGE_ROWS, &all, &n);
                for (size_t i = 0; status == 0 && i < n; i++) {
                        j->last_sighting = all[i].id;
                        if (all[i].holders != 1)
                                continue;
                        bool made;
                        struct dossier *d = dossier_of(j, all[i].subscriber, &made);
                        if (made && (status = read_forgiven(j, d, now)) < 0)
                                break;
                        dossier_add(d, &j->policy->suspicion, &all[i], now);
                        if (!map_find(&news->ids, id_of(d)))
                                map_put(&news->ids, arena_dup(a, id_of(d)), &judge_only);
                }
                if (status < 0 || n < JUDGE_ROWS)
                        return status;
        }
}

static int judge_news(struct judge *j, struct news *news, int64_t now, struct buf *why)
{
        struct map_entry *e;
        int status = 0;
        bool made;
        for (size_t i = 0; status == 0 && (e = map_next(&news->ids, &i));) {
                struct dossier *d = dossier_of(j, e->key, &made);
                if (e->value == &reread_too) {
                        status = unreadable(j, reread(j, d, now), why);
                        d->look_at = now;
                }
                if (status == 0)
                        status = judge_one(j, d, now, why);
        }
        return status;
}

static int follow_changes(struct judge *j, int64_t now, struct buf *why)
{
        autoarena *a = arena_new(ARENA);
        struct change *all = NULL;
        struct news news = { .n_reread = 0 };
        size_t n = 0;
        int status = ledger_changes(j->ledger, a, j->last_change, &all, &n);
        if (status == -ERANGE)
                return read_everything(j, now, why);
        if (status < 0)
                return unreadable(j, status, why);
        sort_news(all, n, &news);
        if (news.everything)
                status = read_everything(j, now, why);
        else if (j->policy) {
                int64_t last = n ? all[n - 1].n : j->last_change;
                status = news.sightings ? unreadable(j, follow_sightings(j, a, now, &news), why) : 0;
                if (status == 0)
                        status = judge_news(j, &news, now, why);
                j->last_change = last;
        }
        map_done(&news.ids);
        return status;
}

/* --- the outside --- */

static bool nothing_left(const struct judge *j, const struct dossier *d, int64_t now)
{
        int64_t half_life = j->policy->suspicion.half_life;
        double known = suspicion_faded(d->known.score, now - d->known.at, half_life);
        double score = suspicion_faded(d->sum.hard + d->sum.syn, now - d->sum.at, half_life);
        return known < NOTHING_LEFT && score < NOTHING_LEFT && d->look_at == TIME_NEVER;
}

/* A few of those of whom nothing is left leave. */
static void sweep(struct judge *j, int64_t now)
{
        struct slice gone[64];
        struct map_entry *e;
        size_t n = 0;
        for (size_t i = 0; n < COUNT_OF(gone) && (e = map_next(&j->dossiers, &i));)
                if (nothing_left(j, e->value, now))
                        gone[n++] = e->key;
        for (size_t i = 0; i < n; i++) {
                struct dossier *d = map_drop(&j->dossiers, gone[i]);
                dossier_done(d);
                free(d);
        }
}

int judge_follow(struct judge *j, int64_t now, struct buf *why)
{
        int status = j->ledger ? 0 : ledger_open_why(j->dir, &j->ledger, why);
        if (status < 0)
                return status;
        status = j->settled ? follow_changes(j, now, why) : read_everything(j, now, why);
        if (status == 0 && j->policy)
                status = judge_all(j, now, true, why);
        j->settled = status == 0;
        if (j->policy)
                sweep(j, now);
        if (status == -EUCLEAN || status == -EIO)
                ledger_close(take(j->ledger));
        return status;
}

int64_t judge_next(const struct judge *j)
{
        int64_t next = TIME_NEVER;
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&j->dossiers, &i));)
                if (((const struct dossier *)e->value)->look_at < next)
                        next = ((const struct dossier *)e->value)->look_at;
        return next;
}
