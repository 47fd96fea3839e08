/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/guess.h"
#include "base/map.h"
#include "base/time.h"

#include <stdio.h>

enum kind {
        WRONG = WINDOW_KINDS_GUESS, /* (network, login): wrong passwords */
        SECRET,                     /* (network, login, secret): seen */
        TRIED,                      /* (prefix, login): seen */
        LOGINS,                     /* prefix: logins tried */
        EXCESS,                     /* prefix: wrong passwords past the typos */
        PASSED,                     /* (network, login): right passwords */
        PASSED_HERE,                /* (prefix, login): seen */
        PASSED_LOGINS,              /* prefix: logins that passed */
        BANNED,                     /* prefix: asked for */
};

const struct guess_rules guess_rules_default = {
        .typos_hour = 4,
        .typos_day = 10,
        .refuse_hour = 20,
        .refuse_day = 60,
        .known_factor = 5,
        .delay_step = 1 * SECOND,
        .delay_most = 10 * SECOND,
        .remember = 90 * DAY,
        .v4 = { { 128, 20, 60, DAY }, { 120, 100, 150, 6 * HOUR } },
        .v6 = { { 128, 20, 60, DAY }, { 64, 20, 60, DAY }, { 56, 50, 90, 12 * HOUR }, { 48, 100, 150, 6 * HOUR } },
};

/* --- names --- */

struct name {
        char bytes[sizeof(struct prefix) + sizeof(uint16_t) + GUESS_LOGIN_MOST];
        size_t n;
};

static struct window window_of(enum kind kind, int64_t period, const struct name *name)
{
        return (struct window){ (uint8_t)kind, period, { name->bytes, name->n } };
}

/* (prefix, secret, login): each of one length but the last. */
static struct name name_of(const struct addr *source, unsigned len, uint16_t secret, struct slice login)
{
        struct name name = { .n = 0 };
        struct prefix p = prefix_of(*source, len);
        size_t n = login.n < GUESS_LOGIN_MOST ? login.n : GUESS_LOGIN_MOST;
        memcpy(name.bytes, p.addr.b, sizeof p.addr.b);
        name.bytes[sizeof p.addr.b] = (char)p.len;
        memcpy(name.bytes + sizeof p, &secret, sizeof secret);
        if (n)
                memcpy(name.bytes + sizeof p + sizeof secret, login.p, n);
        name.n = sizeof p + sizeof secret + n;
        return name;
}

static struct name pair_of(const struct guess_attempt *a)
{
        return name_of(&a->source, addr_is_v4(&a->source) ? 120 : 48, 0, a->login);
}

/* Counted once a period: whether it was not yet. */
static bool is_first(struct window_table *t, const struct window *w, int64_t now)
{
        return window_sum(t, w, now) == 0 && window_add(t, w, now, 1) > 0;
}

static uint64_t sum_of(const struct window_table *t, enum kind kind, int64_t period, const struct name *name,
                       int64_t now)
{
        struct window w = window_of(kind, period, name);
        return window_sum(t, &w, now);
}

/* --- one (login, network) --- */

struct pair {
        struct name name;
        bool known; /* he passed from there lately */
        uint64_t hour, day, factor;
};

static struct pair look(const struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                        int64_t now)
{
        struct pair p = { .name = pair_of(a), .factor = 1 };
        p.known = sum_of(t, PASSED, rules->remember, &p.name, now) > 0;
        if (p.known)
                p.factor = rules->known_factor;
        p.hour = sum_of(t, WRONG, HOUR, &p.name, now);
        p.day = sum_of(t, WRONG, DAY, &p.name, now);
        return p;
}

static void count_pair(struct window_table *t, struct pair *p, int64_t now)
{
        struct window hour = window_of(WRONG, HOUR, &p->name), day = window_of(WRONG, DAY, &p->name);
        p->hour = window_add(t, &hour, now, 1);
        p->day = window_add(t, &day, now, 1);
}

static bool past(const struct pair *p, uint32_t hour, uint32_t day)
{
        return p->hour > hour * p->factor || p->day > day * p->factor;
}

/* How far past the typos, one more counted in: 0 for those that are none yet. */
static int64_t delay_of(const struct guess_rules *rules, const struct pair *p)
{
        int64_t hour = (int64_t)p->hour - (int64_t)(rules->typos_hour * p->factor) + 1;
        int64_t day = (int64_t)p->day - (int64_t)(rules->typos_day * p->factor) + 1;
        int64_t over = hour > day ? hour : day;
        if (over <= 0)
                return 0;
        return over < rules->delay_most / rules->delay_step ? over * rules->delay_step : rules->delay_most;
}

static struct guess_result slowed(const struct guess_rules *rules, const struct pair *p)
{
        struct guess_result r = { .delay = delay_of(rules, p) };
        r.verdict = r.delay ? GUESS_DELAY : GUESS_FREE;
        return r;
}

/* --- prefixes --- */

static const struct guess_level *levels_of(const struct guess_rules *rules, const struct guess_attempt *a)
{
        return addr_is_v4(&a->source) ? rules->v4 : rules->v6;
}

static void count_prefixes(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                           bool excess, int64_t now)
{
        const struct guess_level *levels = levels_of(rules, a);
        for (size_t i = 0; i < GUESS_LEVELS && levels[i].len; i++) {
                struct name prefix = name_of(&a->source, levels[i].len, 0, S(""));
                struct name with_login = name_of(&a->source, levels[i].len, 0, a->login);
                struct window tried = window_of(TRIED, DAY, &with_login), logins = window_of(LOGINS, DAY, &prefix);
                struct window beyond = window_of(EXCESS, DAY, &prefix);
                if (is_first(t, &tried, now))
                        window_add(t, &logins, now, 1);
                if (excess)
                        window_add(t, &beyond, now, 1);
        }
}

/* Too much from here? The narrowest prefix of which it is true. */
static bool over_level(const struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                       int64_t now, struct guess_result *r)
{
        const struct guess_level *levels = levels_of(rules, a);
        for (size_t i = 0; i < GUESS_LEVELS && levels[i].len; i++) {
                struct name prefix = name_of(&a->source, levels[i].len, 0, S(""));
                uint64_t excess = sum_of(t, EXCESS, DAY, &prefix, now);
                uint64_t tried = sum_of(t, LOGINS, DAY, &prefix, now);
                uint64_t passed = sum_of(t, PASSED_LOGINS, rules->remember, &prefix, now);
                uint64_t vain = tried > passed ? tried - passed : 0;
                bool guesses = excess >= levels[i].excess, sprays = vain >= levels[i].logins;
                if (!guesses && !sprays)
                        continue;
                char text[PREFIX_TEXT_MAX];
                r->prefix = prefix_of(a->source, levels[i].len);
                r->ban_for = levels[i].ban_for;
                r->ban = i == 0 || passed == 0;
                prefix_print(&r->prefix, text);
                if (guesses)
                        snprintf(r->why, sizeof r->why, "%llu guesses of passwords from %s within a day",
                                 (unsigned long long)excess, text);
                else
                        snprintf(r->why, sizeof r->why, "%llu logins tried in vain from %s within a day",
                                 (unsigned long long)vain, text);
                return true;
        }
        return false;
}

/* --- what follows --- */

static struct guess_result judge(const struct window_table *t, const struct guess_rules *rules,
                                 const struct guess_attempt *a, const struct pair *p, int64_t now)
{
        struct guess_result r = slowed(rules, p);
        if (a->own_pool)
                return r;
        bool too_many = p->hour >= rules->refuse_hour * p->factor || p->day >= rules->refuse_day * p->factor;
        bool crowd = over_level(t, rules, a, now, &r);
        if (too_many && !crowd)
                snprintf(r.why, sizeof r.why, "too many wrong passwords for this login from this network");
        if (too_many || (crowd && !p->known))
                r.verdict = GUESS_REFUSE;
        else if (crowd) {
                r.verdict = GUESS_DELAY;
                r.delay = rules->delay_most;
        }
        r.delay = r.verdict == GUESS_DELAY ? r.delay : 0;
        return r;
}

/* Until the kernel drops him his other connections come by: one of them is enough to ask. */
static struct guess_result ask_once(struct window_table *t, struct guess_result r, int64_t now)
{
        if (!r.ban)
                return r;
        struct name name = name_of(&r.prefix.addr, r.prefix.len, 0, S(""));
        struct window asked = window_of(BANNED, MINUTE, &name);
        r.ban = is_first(t, &asked, now);
        return r;
}

/* A new wrong password, checked or not. */
static void count(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                  struct pair *p, int64_t now)
{
        struct name name = name_of(&a->source, addr_is_v4(&a->source) ? 120 : 48, a->secret12, a->login);
        struct window secret = window_of(SECRET, DAY, &name);
        if (!is_first(t, &secret, now))
                return;
        count_pair(t, p, now);
        bool excess = past(p, rules->typos_hour, rules->typos_day);
        if (!a->own_pool && (excess || !p->known))
                count_prefixes(t, rules, a, excess, now);
}

struct guess_result guess_before(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                                 int64_t now)
{
        struct pair p = look(t, rules, a, now);
        struct guess_result r = judge(t, rules, a, &p, now);
        if (r.verdict == GUESS_REFUSE) {
                count(t, rules, a, &p, now);
                r = judge(t, rules, a, &p, now);
        }
        return ask_once(t, r, now);
}

struct guess_result guess_failed(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                                 int64_t now)
{
        struct pair p = look(t, rules, a, now);
        count(t, rules, a, &p, now);
        return ask_once(t, judge(t, rules, a, &p, now), now);
}

void guess_passed(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a, int64_t now)
{
        struct name pair = pair_of(a);
        struct window passed = window_of(PASSED, rules->remember, &pair);
        struct window hour = window_of(WRONG, HOUR, &pair), day = window_of(WRONG, DAY, &pair);
        const struct guess_level *levels = levels_of(rules, a);
        window_add(t, &passed, now, 1);
        window_forget(t, &hour);
        window_forget(t, &day);
        for (size_t i = 0; i < GUESS_LEVELS && levels[i].len; i++) {
                struct name prefix = name_of(&a->source, levels[i].len, 0, S(""));
                struct name with_login = name_of(&a->source, levels[i].len, 0, a->login);
                struct window here = window_of(PASSED_HERE, rules->remember, &with_login);
                struct window logins = window_of(PASSED_LOGINS, rules->remember, &prefix);
                if (is_first(t, &here, now))
                        window_add(t, &logins, now, 1);
        }
}

uint16_t guess_secret12(const uint8_t key[16], struct slice login, struct slice password)
{
        uint8_t salted[16];
        uint64_t salt = hash_with_key(key, login);
        memcpy(salted, key, sizeof salted);
        for (size_t i = 0; i < sizeof salt; i++)
                salted[i] ^= (uint8_t)(salt >> 8 * i);
        return (uint16_t)(hash_with_key(salted, password) & ((1u << GUESS_SECRET_BITS) - 1));
}
