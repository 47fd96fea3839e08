/* SPDX-License-Identifier: GPL-3.0-or-later */
/* impact: who used port 25 in the last 30 days and will meet the wave: the people to tell first.
 *
 * --json: {"version": 1, "wave", "from", "port25", "days": 30,
 *   "subscribers": [{"subscriber", "name", "class", "attempts", "conversations", "days_active", "hosts", "last_seen", "language",
 *                    "email", "phone", "post", "told": time or null, "spared": null or why the wave changes nothing for him}],
 *   "addresses": [{"address", "holders", "class", "attempts", "conversations", "days_active", "hosts", "last_seen", "spared"}],
 *   "total": {"subscribers", "addresses", "attempts", "spared", "lost"}}
 * Attempts are what the kernel logged; conversations are what the divert and the trap had. `hosts` is an estimate. Addresses are those
 * nobody is known to have held (holders 0), or which several may have (2 and more). */
#include "cli/cli.h"
#include "guard/sketch.h"
#include "ledger/ledger.h"
#include "policy/decide.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { ARENA = 1 << 30, OUT = 512 << 20, ROWS_MOST = 500000, DAYS = 30 };

static const struct cli_shape shape = { .usage = "impact WAVE [-c FILE]", .words_least = 1, .words_most = 1 };

/* One subscriber, or one address of nobody known. */
struct party {
        struct slice id; /* the subscriber's, or the address in text */
        bool known;
        size_t holders;
        struct prefix last_prefix;
        int64_t attempts, conversations, last;
        uint64_t days; /* a bit for each day, today is the lowest */
        struct sketch hosts;
        struct subscriber subscriber; /* where known */
        int64_t told;                 /* 0: never */
        struct slice class;
        bool covered;
        const char *spared; /* NULL: the wave is what decides */
};

struct impact {
        const struct policy *policy;
        const struct policy_wave *wave;
        struct ledger *ledger;
        struct arena *arena;
        int64_t now, lost;
        struct map by_id;
        struct party **all;
        size_t n, cap;
};

/* --- what they did --- */

static int64_t day_of(int64_t at)
{
        time_t seconds = (time_t)(at / SECOND);
        struct tm t = { 0 };
        localtime_r(&seconds, &t);
        return (seconds + t.tm_gmtoff) / 86400;
}

static struct party *party_of(struct impact *m, const struct sighting *s)
{
        char key[PREFIX_TEXT_MAX + 4096], text[PREFIX_TEXT_MAX];
        bool known = s->holders == 1;
        /* a subscriber's id may look like an address */
        int n = known ? snprintf(key, sizeof key, "s%.*s", SLICE_ARGS(s->subscriber))
                      : snprintf(key, sizeof key, "a%s", prefix_print(&s->prefix, text));
        struct slice id = { key, (size_t)n < sizeof key ? (size_t)n : sizeof key - 1 };
        struct party *p = map_find(&m->by_id, id);
        if (p)
                return p;
        p = arena_alloc(m->arena, sizeof *p);
        id = arena_dup(m->arena, id);
        struct party **all = arena_grow(m->arena, m->all, &m->cap, m->n + 1, sizeof(struct party *));
        if (!p || !id.p || !all)
                return NULL;
        m->all = all;
        m->all[m->n++] = p;
        *p = (struct party){ .id = slice_from(id, 1), .known = known };
        map_put(&m->by_id, id, p);
        return p;
}

static bool add_sighting(struct impact *m, const struct sighting *s, int64_t today)
{
        bool attempt = slice_eq(s->source, S("kernel"));
        if (!attempt && !slice_eq(s->source, S("divert")) && !slice_eq(s->source, S("trap")))
                return true; /* what others say of him is no use of port 25 */
        struct party *p = party_of(m, s);
        if (!p)
                return false;
        int64_t *count = attempt ? &p->attempts : &p->conversations, day = today - day_of(s->at),
                end = s->at + s->seconds * SECOND;
        if (__builtin_add_overflow(*count, s->count, count))
                *count = INT64_MAX;
        p->days |= UINT64_C(1) << (day < 0 ? 0 : day > 63 ? 63 : day);
        sketch_merge(&p->hosts, s->hosts);
        if (s->holders > p->holders)
                p->holders = s->holders;
        if (end > p->last) {
                p->last = end > m->now ? m->now : end;
                p->last_prefix = s->prefix;
        }
        return true;
}

/* Day by day, so that memory holds one day's rows. */
static int read_sightings(struct impact *m)
{
        int64_t today = day_of(m->now);
        struct loss *losses = NULL;
        size_t n_losses = 0;
        int failed = ledger_losses(m->ledger, m->arena, m->now - DAYS * DAY, &losses, &n_losses);
        for (size_t i = 0; !failed && i < n_losses; i++)
                m->lost += losses[i].count;
        for (int day = 0; !failed && day < DAYS; day++) {
                autoarena *a = arena_new(ARENA);
                struct sighting *all = NULL;
                size_t n = 0;
                int64_t since = m->now - (day + 1) * DAY, until = day ? m->now - day * DAY : TIME_NEVER;
                failed = ledger_sightings(m->ledger, a, S(""), since, until, ROWS_MOST, &all, &n);
                for (size_t i = 0; !failed && i < n; i++)
                        if (!add_sighting(m, &all[i], today))
                                failed = -ENOMEM;
        }
        return failed;
}

/* --- whether the wave meets them --- */

static const char *other_decider(const struct impact *m, const struct decision *d, const struct decide_query *q)
{
        if (d->by == DECIDED_BY_WAVE)
                return d->wave == (size_t)(m->wave - m->policy->waves) ? NULL : "another wave decides";
        return q->own_class < m->policy->n_classes ? "own class" : "the pool's port25";
}

/* Looks at one address: a single one that the wave decides for is enough. */
static void look_at(struct impact *m, struct party *p, const struct addr *addr)
{
        const struct policy *policy = m->policy;
        const struct policy_prefix *pp = policy_find_prefix(policy, addr);
        size_t own = p->subscriber.class.n ? policy_find_class(policy, p->subscriber.class) : policy->n_classes;
        struct decide_query q = { .at = m->wave->from > m->now ? m->wave->from : m->now,
                                  .pool = pp ? pp->pool : policy->n_pools,
                                  .own_class = own,
                                  .addr = addr };
        if ((!pp && own == policy->n_classes) || !wave_covers(policy, m->wave, &q))
                return;
        struct decision d = policy_decide(policy, &q);
        const char *spared = other_decider(m, &d, &q);
        if (!spared && policy_find_exemption(policy, S(""), addr, q.at))
                spared = "exempt";
        if (!p->covered || !spared)
                p->spared = spared;
        if (!p->covered)
                p->class = policy->classes[own < policy->n_classes ? own : policy->pools[pp->pool].class].name;
        p->covered = true;
}

static int look_at_subscriber(struct impact *m, struct party *p)
{
        struct person person;
        int64_t at = m->wave->from > m->now ? m->wave->from : m->now;
        int failed = ledger_subscriber(m->ledger, m->arena, p->id, &p->subscriber);
        if (failed == -ENOENT)
                return 0; /* he left */
        if (!failed)
                failed = ledger_person(m->ledger, m->arena, p->id, at, &person);
        if (failed)
                return failed;
        for (size_t i = 0; i < p->subscriber.n_leases; i++)
                look_at(m, p, &p->subscriber.leases[i].prefix.addr);
        if (p->subscriber.n_leases == 0)
                look_at(m, p, &p->last_prefix.addr);
        if (p->subscriber.port25 != STRATEGY_NONE)
                p->spared = "own strategy";
        if (person.exempt || policy_find_exemption(m->policy, p->id, NULL, at))
                p->spared = "exempt";
        return 0;
}

static int read_told(struct impact *m)
{
        struct told *all = NULL;
        size_t n = 0;
        char key[4096];
        int failed = ledger_told(m->ledger, m->arena, S(""), &all, &n);
        for (size_t i = 0; !failed && i < n; i++) {
                int length = snprintf(key, sizeof key, "s%.*s", SLICE_ARGS(all[i].subscriber));
                struct party *p =
                    (size_t)length < sizeof key ? map_find(&m->by_id, (struct slice){ key, (size_t)length }) : NULL;
                if (p && all[i].at > p->told)
                        p->told = all[i].at;
        }
        return failed;
}

/* Who will notice first, then who used it most. */
static int by_use(const void *a, const void *b)
{
        const struct party *x = *(struct party *const *)a, *y = *(struct party *const *)b;
        if (x->known != y->known)
                return x->known ? -1 : 1;
        if (!x->spared != !y->spared)
                return x->spared ? 1 : -1;
        if (x->attempts != y->attempts)
                return x->attempts < y->attempts ? 1 : -1;
        if (x->conversations != y->conversations)
                return x->conversations < y->conversations ? 1 : -1;
        return slice_cmp(x->id, y->id);
}

static int measure(struct impact *m)
{
        size_t kept = 0;
        int failed = read_sightings(m);
        for (size_t i = 0; !failed && i < m->n; i++) {
                if (m->all[i]->known)
                        failed = look_at_subscriber(m, m->all[i]);
                else
                        look_at(m, m->all[i], &m->all[i]->last_prefix.addr);
        }
        if (!failed)
                failed = read_told(m);
        if (failed)
                return failed;
        for (size_t i = 0; i < m->n; i++)
                if (m->all[i]->covered)
                        m->all[kept++] = m->all[i];
        m->n = kept;
        if (kept)
                qsort(m->all, kept, sizeof(struct party *), by_use);
        return 0;
}

/* --- printing --- */

struct total {
        size_t subscribers, addresses, spared;
        int64_t attempts;
};

static struct total total_of(const struct impact *m)
{
        struct total t = { 0 };
        for (size_t i = 0; i < m->n; i++) {
                const struct party *p = m->all[i];
                *(p->known ? &t.subscribers : &t.addresses) += 1;
                t.spared += p->spared != NULL;
                if (__builtin_add_overflow(t.attempts, p->attempts, &t.attempts))
                        t.attempts = INT64_MAX;
        }
        return t;
}

static struct slice contact_of(const struct subscriber *s)
{
        return s->email.n ? s->email : s->phone.n ? s->phone : s->post;
}

static void print_party(struct table *t, const struct party *p)
{
        char when[TIME_TEXT_MAX];
        table_add(t, "%.*s", SLICE_ARGS(p->id));
        if (p->known)
                table_add(t, "%.*s", SLICE_ARGS(p->subscriber.name));
        else
                table_add(t, "%s", p->holders ? "(several may hold it)" : "(nobody known)");
        table_add(t, "%.*s", SLICE_ARGS(p->class));
        table_add(t, "%lld", (long long)p->attempts);
        table_add(t, "%lld", (long long)p->conversations);
        table_add(t, "%d", __builtin_popcountll(p->days));
        table_add(t, "%llu", (unsigned long long)sketch_count(&p->hosts));
        table_add(t, "%s", time_print(p->last, when));
        struct slice contact = contact_of(&p->subscriber);
        table_add(t, "%.*s", SLICE_ARGS(contact));
        table_add(t, "%s", !p->known ? "" : p->told ? time_print(p->told, when) : "no");
        table_add(t, "%s", p->spared ? p->spared : "");
}

static void print_table(const struct impact *m, struct buf *out)
{
        static const char *const titles[] = { "subscriber", "name",      "class",   "attempts", "conversations", "days",
                                              "hosts≈",     "last seen", "contact", "told",     "not touched" };
        char when[TIME_TEXT_MAX];
        struct total sum = total_of(m);
        struct table *t = table_new(COUNT_OF(titles), titles);
        buf_addf(out, "wave %.*s: %s from %s; who used port 25 in the last %d days:\n\n", SLICE_ARGS(m->wave->name),
                 strategy_name(m->wave->port25), time_print(m->wave->from, when), DAYS);
        for (size_t i = 0; i < m->n; i++)
                print_party(t, m->all[i]);
        table_print(t, out);
        buf_addf(out, "\n%zu subscriber%s and %zu unknown address%s, %lld attempt%s", sum.subscribers,
                 sum.subscribers == 1 ? "" : "s", sum.addresses, sum.addresses == 1 ? "" : "es",
                 (long long)sum.attempts, sum.attempts == 1 ? "" : "s");
        if (sum.spared)
                buf_addf(out, "; %zu of them the wave does not touch", sum.spared);
        if (m->lost)
                buf_addf(out, "; %lld events were lost by the kernel and are in no line", (long long)m->lost);
        buf_addc(out, '\n');
}

static void json_use(struct json *j, const struct party *p)
{
        json_string(j, "class", p->class);
        json_int(j, "attempts", p->attempts);
        json_int(j, "conversations", p->conversations);
        json_int(j, "days_active", __builtin_popcountll(p->days));
        json_int(j, "hosts", (int64_t)sketch_count(&p->hosts));
        json_time(j, "last_seen", p->last);
        json_cstr(j, "spared", p->spared);
}

static void json_subscriber(struct json *j, const struct party *p)
{
        const struct subscriber *s = &p->subscriber;
        json_object(j, NULL);
        json_string(j, "subscriber", p->id);
        json_string(j, "name", s->name);
        json_string(j, "language", s->language);
        json_string(j, "email", s->email);
        json_string(j, "phone", s->phone);
        json_string(j, "post", s->post);
        json_time(j, "told", p->told ? p->told : TIME_NEVER);
        json_use(j, p);
        json_object_end(j);
}

static void json_address(struct json *j, const struct party *p)
{
        json_object(j, NULL);
        json_string(j, "address", p->id);
        json_int(j, "holders", (int64_t)p->holders);
        json_use(j, p);
        json_object_end(j);
}

static void json_total(struct json *j, const struct impact *m)
{
        struct total sum = total_of(m);
        json_object(j, "total");
        json_int(j, "subscribers", (int64_t)sum.subscribers);
        json_int(j, "addresses", (int64_t)sum.addresses);
        json_int(j, "attempts", sum.attempts);
        json_int(j, "spared", (int64_t)sum.spared);
        json_int(j, "lost", m->lost);
        json_object_end(j);
}

static void print_json(const struct impact *m, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_string(&j, "wave", m->wave->name);
        json_time(&j, "from", m->wave->from);
        json_cstr(&j, "port25", strategy_name(m->wave->port25));
        json_int(&j, "days", DAYS);
        json_array(&j, "subscribers");
        for (size_t i = 0; i < m->n; i++)
                if (m->all[i]->known)
                        json_subscriber(&j, m->all[i]);
        json_array_end(&j);
        json_array(&j, "addresses");
        for (size_t i = 0; i < m->n; i++)
                if (!m->all[i]->known)
                        json_address(&j, m->all[i]);
        json_array_end(&j);
        json_total(&j, m);
        json_report_end(&j);
}

/* --- the command --- */

static int no_such_wave(const struct policy *p, const char *name)
{
        autobuf names;
        buf_init(&names, 4096);
        for (size_t i = 0; i < p->n_waves; i++)
                buf_addf(&names, "%s%.*s", i ? ", " : "", SLICE_ARGS(p->waves[i].name));
        return cli_fail(EXIT_NO, "impact: %s: no such wave%s%s", name, names.n ? "; there are: " : "",
                        buf_cstr(&names));
}

/* The wave may be in the generation in force or, being still to come, only in the file. */
static struct policy *policy_with(struct cli *cli, const char *name, int *status)
{
        autopolicy *p = cli_policy_in_force(cli, TIME_NEVER, status);
        if (!p || policy_find_wave(p, slice_of(name)) < p->n_waves)
                return take(p);
        if (!cli->conf_given && access(cli->conf, R_OK) == 0) {
                policy_free(take(p));
                p = cli_policy(cli, status);
        }
        if (p && policy_find_wave(p, slice_of(name)) < p->n_waves)
                return take(p);
        if (p)
                *status = no_such_wave(p, name);
        return NULL;
}

int cmd_impact(int argc, char **argv)
{
        struct cli cli;
        int status;
        bool none;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        autopolicy *p = policy_with(&cli, cli.words[0], &status);
        if (!p)
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        struct impact m = { .policy = p,
                            .wave = &p->waves[policy_find_wave(p, slice_of(cli.words[0]))],
                            .ledger = l,
                            .arena = a,
                            .now = time_now() };
        int failed = l ? measure(&m) : 0;
        map_done(&m.by_id);
        if (failed)
                return cli_ledger_failed(l, failed);
        if (cli.json)
                print_json(&m, &out);
        else
                print_table(&m, &out);
        return cli_print(&out);
}
