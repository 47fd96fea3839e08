/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/quota.h"

enum { WORD_MOST = 320 };
/* Behind the limits' own kinds: the names of recipients that were counted. */
enum { SEEN = WINDOW_KINDS_QUOTA + QUOTA_LIMIT_COUNT };

#define NO_LIMIT(id, words, period) LIMIT_NONE,
const struct quota_limits quota_limits_none = { { QUOTA_LIMITS(NO_LIMIT) } };

static const struct row {
        const char *words;
        int64_t period;
} rows[] = {
#define QUOTA_ROW(id, words, period) { words, period },
        QUOTA_LIMITS(QUOTA_ROW)
};

const char *quota_limit_words(enum quota_limit l)
{
        return rows[l].words;
}

const char *quota_identity_name(enum quota_identity i)
{
#define QUOTA_NAME(id, name) name,
        static const char *const names[] = { QUOTA_IDENTITIES(QUOTA_NAME) };
        return names[i];
}

/* --- names --- */

struct name {
        char bytes[1 + 2 * (WORD_MOST + 2)];
        size_t n;
};

/* With its length before it, so that "ab" and "c" are not "a" and "bc". */
static void add_word(struct name *name, struct slice word)
{
        size_t n = word.n < WORD_MOST ? word.n : WORD_MOST;
        name->bytes[name->n++] = (char)(n >> 8);
        name->bytes[name->n++] = (char)n;
        if (n)
                memcpy(name->bytes + name->n, word.p, n);
        name->n += n;
}

/* False: nobody. */
static bool name_of(const struct quota_who *who, enum quota_identity whose, struct name *ret)
{
        static const struct addr nowhere;
        struct addr host = who->address;
        struct slice word = whose == QUOTA_LOGIN ? who->login : who->subscriber;
        if (whose == QUOTA_ADDRESS) {
                if (!addr_is_v4(&host))
                        host = addr_mask(host, 64);
                word = (struct slice){ (const char *)host.b, addr_cmp(&host, &nowhere) == 0 ? 0 : sizeof host.b };
        }
        ret->bytes[0] = (char)whose;
        ret->n = 1;
        add_word(ret, word);
        return word.n > 0;
}

static struct window window_of(int kind, enum quota_limit limit, const struct name *name)
{
        return (struct window){ (uint8_t)kind, rows[limit].period, { name->bytes, name->n } };
}

static struct window counter_of(enum quota_limit limit, const struct name *name)
{
        return window_of(WINDOW_KINDS_QUOTA + (int)limit, limit, name);
}

static bool is_distinct(enum quota_limit limit)
{
        return limit == QUOTA_DISTINCT_HOUR || limit == QUOTA_DISTINCT_DAY;
}

static bool seen(const struct window_table *t, enum quota_limit limit, struct name name, struct slice recipient,
                 int64_t now)
{
        add_word(&name, recipient);
        struct window w = window_of(SEEN, limit, &name);
        return window_sum(t, &w, now) > 0;
}

static void see(struct window_table *t, enum quota_limit limit, struct name name, struct slice recipient, int64_t now)
{
        add_word(&name, recipient);
        struct window w = window_of(SEEN, limit, &name);
        window_add(t, &w, now, 1);
}

/* --- asking --- */

static int64_t limit_of(const struct quota_who *who, enum quota_identity whose, enum quota_limit limit)
{
        int64_t most = who->limits[whose].v[limit];
        if (most < 0 && most != LIMIT_NONE)
                panic("limit %d of %s is not resolved", (int)limit, quota_identity_name(whose));
        return most;
}

/* What the message would add to this limit. */
static uint64_t need_of(const struct window_table *t, enum quota_limit limit, const struct name *name,
                        const struct quota_message *m, int64_t now)
{
        uint64_t fresh = 0;
        if (limit == QUOTA_MESSAGES_HOUR || limit == QUOTA_MESSAGES_DAY)
                return 1;
        if (!is_distinct(limit))
                return m->n;
        for (size_t i = 0; i < m->n; i++)
                fresh += !seen(t, limit, *name, m->recipients[i], now);
        return fresh;
}

static bool passes(const struct window_table *t, const struct window *w, int64_t most, uint64_t need, int64_t now,
                   struct quota_answer *ret)
{
        uint64_t room = (uint64_t)most;
        ret->most = most;
        ret->used = window_sum(t, w, now);
        ret->passes = need == 0 || (need <= room && ret->used <= room - need);
        if (!ret->passes)
                ret->room_at = need <= room ? window_room(t, w, now, room - need) : TIME_NEVER;
        return ret->passes;
}

struct quota_answer quota_ask(const struct window_table *t, const struct quota_who *who, const struct quota_message *m,
                              int64_t now)
{
        struct name name;
        for (enum quota_identity i = 0; i < QUOTA_IDENTITY_COUNT; i++) {
                if (!name_of(who, i, &name))
                        continue;
                for (enum quota_limit l = 0; l < QUOTA_INVALID_HOUR; l++) {
                        struct quota_answer no = { .whose = i, .limit = l };
                        struct window w = counter_of(l, &name);
                        int64_t most = limit_of(who, i, l);
                        if (most != LIMIT_NONE && !passes(t, &w, most, need_of(t, l, &name, m, now), now, &no))
                                return no;
                }
        }
        return (struct quota_answer){ .passes = true };
}

/* --- counting --- */

static uint32_t counted(uint64_t n)
{
        return n < QUOTA_COUNT_MOST ? (uint32_t)n : QUOTA_COUNT_MOST;
}

/* The plain counts are kept without a limit, too, so that one set later, or what is shown, knows of them. */
void quota_charge(struct window_table *t, const struct quota_who *who, const struct quota_message *m, int64_t now)
{
        struct name name;
        for (enum quota_identity i = 0; i < QUOTA_IDENTITY_COUNT; i++) {
                if (!name_of(who, i, &name))
                        continue;
                for (enum quota_limit l = 0; l < QUOTA_INVALID_HOUR; l++) {
                        struct window w = counter_of(l, &name);
                        if (is_distinct(l) && limit_of(who, i, l) == LIMIT_NONE)
                                continue;
                        window_add(t, &w, now, counted(need_of(t, l, &name, m, now)));
                        for (size_t k = 0; is_distinct(l) && k < m->n; k++)
                                if (!seen(t, l, name, m->recipients[k], now))
                                        see(t, l, name, m->recipients[k], now);
                }
        }
}

struct quota_answer quota_invalid(struct window_table *t, const struct quota_who *who, int64_t now)
{
        struct quota_answer first = { .passes = true };
        struct name name;
        for (enum quota_identity i = 0; i < QUOTA_IDENTITY_COUNT; i++) {
                if (!name_of(who, i, &name))
                        continue;
                struct quota_answer answer = { .whose = i, .limit = QUOTA_INVALID_HOUR };
                struct window w = counter_of(QUOTA_INVALID_HOUR, &name);
                int64_t most = limit_of(who, i, QUOTA_INVALID_HOUR);
                window_add(t, &w, now, 1);
                if (most != LIMIT_NONE && !passes(t, &w, most, 1, now, &answer) && first.passes)
                        first = answer;
        }
        return first;
}

uint64_t quota_used(const struct window_table *t, const struct quota_who *who, enum quota_identity whose,
                    enum quota_limit limit, int64_t now)
{
        struct name name;
        if (!name_of(who, whose, &name))
                return 0;
        struct window w = counter_of(limit, &name);
        return window_sum(t, &w, now);
}
