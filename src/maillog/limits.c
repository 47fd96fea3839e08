/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/limits.h"

#include "base/time.h"
#include "guard/window.h"

#include <stdio.h>
#include <sys/random.h>

enum { LOGIN_MOST = 320, TIDY_AT = 1 << 14 };

/* A key that came near a limit: what is told of it, and its text. */
struct kept {
        struct limits_caught told;
        char *lines[LIMITS_LINES];
};

struct limits {
        const struct rules *rules;
        struct limits_who who;
        void *memory;
        struct window_table *windows;
        struct names *names[LIMITS_MOST]; /* keys of a limit that have a memory: made when there is one */
        struct kept *kept[LIMITS_MOST];   /* by number of the key */
        size_t cap[LIMITS_MOST], all, tidy_at;
        uint64_t counted[2]; /* categories that some limit counts */
        uint32_t words;
        char network[PREFIX_TEXT_MAX], login[LOGIN_MOST];
};

struct limits *limits_new(const struct rules *r, struct limits_who who)
{
        uint8_t key[16];
        struct limits *l = xcalloc(1, sizeof *l);
        names_ready();
        if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
                panic("no random numbers");
        l->rules = r;
        l->who = who;
        l->tidy_at = TIDY_AT;
        l->memory = xcalloc(1, window_bytes(LIMITS_WINDOWS));
        l->windows = window_make(l->memory, LIMITS_WINDOWS, key);
        for (size_t i = 0; i < r->n_limits; i++) {
                l->words |= r->limits[i].words;
                for (size_t w = 0; w < COUNT_OF(l->counted); w++)
                        l->counted[w] |= r->limits[i].categories[w];
        }
        return l;
}

static void forget_lines(struct kept *k)
{
        for (size_t n = 0; n < LIMITS_LINES; n++)
                free(k->lines[n]);
}

/* Who is caught is caught anew, and told of again. */
static void forget_all(struct limits *l)
{
        for (size_t i = 0; i < LIMITS_MOST; i++) {
                for (size_t k = 0; k < l->cap[i]; k++)
                        forget_lines(&l->kept[i][k]);
                names_free(take(l->names[i]));
                free(take(l->kept[i]));
                l->cap[i] = 0;
        }
        l->all = 0;
}

void limits_free(struct limits *l)
{
        if (!l)
                return;
        forget_all(l);
        free(l->memory);
        free(l);
}

uint32_t limits_words(const struct entry *e)
{
        static const uint32_t of_status[] = { [MAIL_NO_STATUS] = 0,
                                              [MAIL_SENT] = 0,
                                              [MAIL_DEFERRED] = 1u << LIMIT_DEFERRED,
                                              [MAIL_BOUNCED] = 1u << LIMIT_BOUNCED,
                                              [MAIL_STATUS_EXPIRED] = 1u << LIMIT_BOUNCED,
                                              [MAIL_OTHER_STATUS] = 0 };
        uint32_t refused = e->refuses && e->category ? 1u << LIMIT_REFUSED : 0;
        switch (e->kind) {
        case MAIL_QUEUED:
                return 1u << LIMIT_MESSAGE | 1u << LIMIT_RECIPIENT;
        case MAIL_AUTH_FAILED:
                return 1u << LIMIT_AUTH_FAILED;
        default:
                return of_status[e->status] | refused;
        }
}

/* --- keys --- */

static struct slice network_of(struct limits *l, struct slice client)
{
        struct addr a;
        if (!addr_parse(client, &a))
                return S("");
        struct prefix p = prefix_of(a, addr_is_v4(&a) ? 96 + 24 : 64);
        return slice_of(prefix_print(&p, l->network));
}

/* In small letters. */
static struct slice login_of(struct limits *l, struct slice login)
{
        if (login.n > sizeof l->login)
                return login;
        for (size_t i = 0; i < login.n; i++)
                l->login[i] = (char)(login.p[i] >= 'A' && login.p[i] <= 'Z' ? login.p[i] + 'a' - 'A' : login.p[i]);
        return (struct slice){ l->login, login.n };
}

/* Empty: this limit does not concern him. */
static bool concerns(const struct limits *l, const struct policy_mail_limit *p, struct slice client, struct slice login)
{
        struct addr a;
        if (!p->n_except && p->side == MAIL_SIDE_ANY)
                return true;
        bool is_address = addr_parse(client, &a);
        for (size_t i = 0; i < p->n_except && is_address; i++)
                if (prefix_has(&p->except[i], &a))
                        return false;
        if (p->side == MAIL_SIDE_ANY)
                return true;
        const struct policy *pools = l->who.pools ? l->who.pools(l->who.arg) : NULL;
        bool customer = login.n || (is_address && pools && policy_find_prefix(pools, &a));
        return customer == (p->side == MAIL_SIDE_CUSTOMERS);
}

static struct slice key_of(struct limits *l, const struct policy_mail_limit *p, struct slice client, struct slice login,
                           int64_t at)
{
        if (!concerns(l, p, client, login))
                return S("");
        switch (p->by) {
        case MAIL_KEY_LOGIN:
                return login_of(l, login);
        case MAIL_KEY_SUBSCRIBER:
                return l->who.subscriber && client.n ? l->who.subscriber(l->who.arg, client, at) : S("");
        case MAIL_KEY_CLIENT:
                return client;
        default:
                return network_of(l, client);
        }
}

/* --- memory --- */

static uint32_t number_of(struct limits *l, size_t limit, struct slice key, uint64_t hash)
{
        if (l->all >= LIMITS_CAUGHT_MOST)
                forget_all(l);
        if (!l->names[limit])
                l->names[limit] = names_new(LIMITS_CAUGHT_MOST + NAMES_FIRST);
        uint32_t id = names_id(l->names[limit], key, hash);
        if (id < NAMES_FIRST) /* keys of a length that nobody's has filled it before */
                forget_all(l);
        else
                l->all++;
        return id;
}

static struct kept *kept_of(struct limits *l, size_t limit, struct slice key, uint64_t hash, bool make)
{
        uint32_t id = l->names[limit] ? names_find(l->names[limit], hash) : NAMES_NONE;
        if (!id && make)
                id = number_of(l, limit, key, hash);
        if (id < NAMES_FIRST)
                return NULL;
        size_t had = l->cap[limit];
        if (id >= had) {
                l->kept[limit] = xgrow(l->kept[limit], &l->cap[limit], (size_t)id + 1, sizeof **l->kept);
                memset(l->kept[limit] + had, 0, (l->cap[limit] - had) * sizeof **l->kept);
        }
        struct kept *k = &l->kept[limit][id];
        k->told.limit = l->rules->limits[limit].policy;
        k->told.key = names_text(l->names[limit], id);
        return k;
}

/* Those of a limit who are still of interest go into new tables. */
static void tidy_limit(struct limits *l, size_t limit, int64_t now)
{
        struct names *names = take(l->names[limit]);
        autofree struct kept *kept = take(l->kept[limit]);
        size_t n = l->cap[limit], end = names ? names_end(names) : 0;
        l->cap[limit] = 0;
        l->all -= end > NAMES_FIRST ? end - NAMES_FIRST : 0;
        for (uint32_t id = NAMES_FIRST; id < end && id < n; id++) {
                const struct limits_caught *t = &kept[id].told;
                struct kept *to =
                    t->until > now || t->last + t->limit->over > now
                        ? kept_of(l, limit, names_text(names, id), names_hash(names_text(names, id)), true)
                        : NULL;
                if (!to) {
                        forget_lines(&kept[id]);
                        continue;
                }
                struct slice key = to->told.key;
                *to = kept[id];
                to->told.key = key;
        }
        names_free(names);
}

void limits_tidy(struct limits *l, int64_t now)
{
        if (l->all < l->tidy_at)
                return;
        for (size_t i = 0; i < l->rules->n_limits; i++)
                if (l->names[i])
                        tidy_limit(l, i, now);
        l->tidy_at = l->all > TIDY_AT / 2 ? l->all * 2 : TIDY_AT;
}

/* The latest few, the oldest first. */
static void keep_line(struct kept *k, struct slice line)
{
        struct limits_caught *t = &k->told;
        line.n = line.n < LIMITS_LINE_MOST ? line.n : LIMITS_LINE_MOST;
        line.n = slice_find(line, '\n');
        if (!line.n)
                return;
        if (t->n_lines == LIMITS_LINES) {
                free(k->lines[0]);
                memmove(k->lines, k->lines + 1, sizeof k->lines - sizeof *k->lines);
                memmove(t->lines, t->lines + 1, sizeof t->lines - sizeof *t->lines);
                t->n_lines--;
        }
        k->lines[t->n_lines] = slice_dup(line);
        t->lines[t->n_lines] = (struct slice){ k->lines[t->n_lines], line.n };
        t->n_lines++;
}

/* --- counting --- */

static uint32_t worth(const struct rule_limit *r, const struct limits_fact *f)
{
        if (f->category && r->categories[f->category / 64] >> f->category % 64 & 1)
                return f->n;
        uint32_t words = r->words & f->words;
        return words & ~(UINT32_C(1) << LIMIT_RECIPIENT) ? f->n : words ? f->recipients : 0;
}

static void count_by(struct limits *l, size_t limit, const struct limits_fact *f, uint32_t n)
{
        const struct policy_mail_limit *p = l->rules->limits[limit].policy;
        struct slice key = key_of(l, p, f->client, f->login, f->at);
        if (!key.n)
                return;
        uint64_t hash = names_hash(key);
        struct window w = { .kind = (uint8_t)limit,
                            .period = p->over,
                            .name = { (const char *)&hash, sizeof hash } }; /* shorter than most keys: hashed sooner */
        uint64_t sum = window_add(l->windows, &w, f->at, n);
        if (sum * 2 < (uint64_t)p->after)
                return;
        struct kept *k = kept_of(l, limit, key, hash, true);
        if (!k)
                return;
        struct limits_caught *t = &k->told;
        if (t->until <= f->at && (!t->since || f->at < t->since || f->at - t->last > p->over))
                t->since = f->at;
        t->last = f->at;
        t->total += n;
        if (t->until > f->at)
                return;
        keep_line(k, f->line);
        if (sum < (uint64_t)p->after)
                return;
        t->times++;
        t->at = f->at;
        t->count = sum;
        t->until = f->at + p->lasts;
        t->client = f->client;
        if (l->who.caught)
                l->who.caught(l->who.arg, t);
        t->client = S("");
}

void limits_count(struct limits *l, const struct limits_fact *f)
{
        if (!(l->words & f->words) && !(f->category && l->counted[f->category / 64] >> f->category % 64 & 1))
                return;
        for (size_t i = 0; i < l->rules->n_limits; i++) {
                uint32_t n = worth(&l->rules->limits[i], f);
                if (n)
                        count_by(l, i, f, n);
        }
}

void limits_weigh(struct limits *l, const struct limits_message *m)
{
        for (size_t i = 0; i < l->rules->n_limits; i++) {
                const struct policy_mail_limit *p = l->rules->limits[i].policy;
                if (!l->names[i])
                        continue;
                struct slice key = key_of(l, p, m->client, m->login, m->at);
                struct kept *k = key.n ? kept_of(l, i, key, names_hash(key), false) : NULL;
                if (!k || m->at < k->told.until - p->lasts || m->at >= k->told.until)
                        continue;
                k->told.stopped++;
                k->told.harmed += m->delivered && !m->accused;
        }
}

const struct limits_caught *limits_next(const struct limits *l, size_t *i)
{
        for (; *i < (size_t)LIMITS_MOST << NAMES_NUMBER_BITS; ++*i) {
                size_t limit = *i >> NAMES_NUMBER_BITS, id = *i & (NAMES_MOST - 1);
                if (!l->names[limit] || id >= names_end(l->names[limit])) {
                        *i |= NAMES_MOST - 1; /* on to the next limit */
                        continue;
                }
                if (id < l->cap[limit] && l->kept[limit][id].told.times) {
                        ++*i;
                        return &l->kept[limit][id].told;
                }
        }
        return NULL;
}

uint64_t limits_evicted(const struct limits *l)
{
        return window_evicted(l->windows);
}
