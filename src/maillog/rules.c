/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/rules.h"

#include <assert.h>

#define NAME(id, name) S(name),

static const struct slice kinds[] = { MAIL_KINDS(NAME) }, daemons[] = { MAIL_DAEMONS(NAME) },
                          fields[] = { CATEGORY_FIELDS(NAME) }, words[] = { LIMIT_WORDS(NAME) };
static_assert(COUNT_OF(kinds) <= 32 && COUNT_OF(daemons) < 64, "they are bits of a word");
static_assert(CATEGORIES_ALL + CATEGORY_NAMES_MOST <= 128, "categories are bits of two words");

const char *rules_built_in(void)
{
        return "mail-limit \"remote servers say a login sends spam\" "
               "{ count remote_spam, remote_rate, remote_listed  by login  after 10 over 1h }\n"
               "mail-limit \"remote servers say a client sends spam\" "
               "{ count remote_spam, remote_rate, remote_listed  by client  after 10 over 1h }\n"
               "mail-limit \"a login sends to very many\" { count recipients  by login  after 1000 over 1h }\n"
               "mail-limit \"a login whose mail bounces\" { count bounced  by login  after 50 over 1h }\n"
               "mail-limit \"a client writes as others\" "
               "{ count not_logged, not_owned  by client  after 20 over 1h }\n"
               "mail-limit \"a client tries unknown recipients\" { count local  by client  after 100 over 1h }\n"
               "mail-limit \"a client guesses passwords\" { count auth_failed  by client  after 30 over 1h }\n"
               "mail-limit \"a network guesses passwords\" { count auth_failed  by network  after 100 over 1h }\n";
}

/* The number of a word; n where there is none of that name, which is said. */
static size_t look_up(struct slice word, const struct slice *names, size_t n, struct diags *d, struct place where,
                      const char *what)
{
        size_t i = 0;
        while (i < n && !slice_eq(names[i], word))
                i++;
        if (i < n)
                return i;
        autobuf all;
        buf_init(&all, 4096);
        for (size_t k = 0; k < n; k++)
                buf_addf(&all, "%s%.*s", k ? ", " : "", SLICE_ARGS(names[k]));
        diag_error(d, where, "\"%.*s\" is no %s", SLICE_ARGS(word), what);
        diag_note(d, (struct place){ 0 }, "there are: %s", buf_cstr(&all));
        return n;
}

/* What a limit counts besides categories is no category, or one of the two could not be counted. */
static bool is_word(struct slice s)
{
        size_t i = 0;
        while (i < COUNT_OF(words) && !slice_eq(words[i], s))
                i++;
        return i < COUNT_OF(words);
}

static bool is_category_name(struct slice s)
{
        bool good = s.n > 0;
        for (size_t i = 0; i < s.n; i++)
                good = good && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_');
        return good && !slice_eq(s, S("none"));
}

static struct category_rule rule_of(const struct policy_mail_rule *p, struct diags *d)
{
        struct category_rule r = { .pattern = p->pattern.p, .category = p->category };
        for (size_t i = 0; i < p->n_on; i++) {
                size_t kind = look_up(p->on[i], kinds, COUNT_OF(kinds), d, p->on_place, "kind of event");
                r.kinds |= kind < COUNT_OF(kinds) ? UINT32_C(1) << kind : 0;
        }
        for (size_t i = 0; i < p->n_daemons; i++) {
                size_t daemon = look_up(p->daemons[i], daemons, COUNT_OF(daemons), d, p->daemon_place, "program");
                r.daemons |= daemon < COUNT_OF(daemons) ? UINT64_C(1) << (daemon + 1) : 0; /* 0 is MAIL_BY_NONE */
        }
        r.field = (enum category_field)look_up(p->field, fields, COUNT_OF(fields), d, p->place, "field");
        if (!is_category_name(p->category))
                diag_error(d, p->category_place, "a category is written in small letters, digits and \"_\"");
        else if (is_word(p->category))
                diag_error(d, p->category_place, "\"%.*s\" is what a limit counts of itself, and no category",
                           SLICE_ARGS(p->category));
        if (memchr(p->pattern.p, 0, p->pattern.n))
                diag_error(d, p->pattern_place, "a pattern has no zero byte; write \\x00");
        return r;
}

/* Names past the ceiling have no number. */
static bool all_named(const struct categories *c, const struct policy *p, struct diags *d)
{
        for (size_t i = 0; p && i < p->n_mail_rules; i++)
                if (categories_find(c, p->mail_rules[i].category) == categories_end(c)) {
                        diag_error(d, p->mail_rules[i].category_place,
                                   "there are %d categories of the policy's own at the most", CATEGORY_NAMES_MOST);
                        return false;
                }
        return true;
}

static struct categories *categories_of(const struct policy *p, struct diags *d)
{
        size_t n = p ? p->n_mail_rules : 0, wrong, errors = diags_errors(d);
        autofree struct category_rule *rules = xcalloc(n + 1, sizeof *rules);
        autobuf why;
        buf_init(&why, 4096);
        if (n > CATEGORY_RULES_MOST) {
                diag_error(d, p->mail_rules[CATEGORY_RULES_MOST].place, "there are %d rules at the most",
                           CATEGORY_RULES_MOST);
                return NULL;
        }
        for (size_t i = 0; i < n; i++)
                rules[i] = rule_of(&p->mail_rules[i], d);
        if (diags_errors(d) > errors)
                return NULL;
        autocategories *c = categories_new(rules, n, &wrong, &why);
        if (!c)
                diag_error(d, wrong < n ? p->mail_rules[wrong].pattern_place : (struct place){ 0 }, "%s",
                           buf_cstr(&why));
        return c && all_named(c, p, d) ? take(c) : NULL;
}

/* The categories that failed logins get by rules of the policy. */
static void add_auth_failed(const struct policy *p, const struct categories *c, uint64_t bits[2])
{
        for (size_t i = 0; p && i < p->n_mail_rules; i++)
                for (size_t k = 0; k < p->mail_rules[i].n_on; k++) {
                        size_t category = categories_find(c, p->mail_rules[i].category);
                        if (slice_eq(p->mail_rules[i].on[k], kinds[MAIL_AUTH_FAILED]))
                                bits[category / 64] |= UINT64_C(1) << category % 64;
                }
}

/* Whoever fails to log in says himself as whom. */
static void refuse_strangers_word(const struct rule_limit *l, const struct policy *p, const struct categories *c,
                                  struct diags *d)
{
        uint64_t failed[2] = { 0 };
        add_auth_failed(p, c, failed);
        if ((l->policy->then != MAIL_THEN_SUSPEND && l->policy->then != MAIL_THEN_LIMIT) ||
            !(l->words >> LIMIT_AUTH_FAILED & 1 || l->categories[0] & failed[0] || l->categories[1] & failed[1]))
                return;
        diag_error(d, l->policy->count_place,
                   "failed logins suspend nobody: any stranger could have any mailbox suspended by guessing at it");
        diag_note(d, (struct place){ 0 }, "count them by client or network, and ban");
}

static void read_limit(struct rule_limit *l, const struct categories *c, struct diags *d)
{
        const struct policy_mail_limit *p = l->policy;
        for (size_t i = 0; i < p->n_count; i++) {
                size_t category = categories_find(c, p->count[i]);
                if (category < categories_end(c) && category != CATEGORY_NONE) {
                        l->categories[category / 64] |= UINT64_C(1) << category % 64;
                        continue;
                }
                size_t word = look_up(p->count[i], words, COUNT_OF(words), d, p->count_place, "category");
                l->words |= word < COUNT_OF(words) ? UINT32_C(1) << word : 0;
        }
}

static void read_limits(struct rules *r, const struct policy *p, struct diags *d)
{
        r->n_limits = p->n_mail_limits < LIMITS_MOST ? p->n_mail_limits : LIMITS_MOST;
        if (p->n_mail_limits > LIMITS_MOST)
                diag_error(d, p->mail_limits[LIMITS_MOST].place, "there are %d limits at the most", LIMITS_MOST);
        r->limits = xcalloc(r->n_limits + 1, sizeof *r->limits);
        for (size_t i = 0; i < r->n_limits; i++) {
                r->limits[i].policy = &p->mail_limits[i];
                read_limit(&r->limits[i], r->categories, d);
                refuse_strangers_word(&r->limits[i], p, r->categories, d);
        }
}

/* What is built in has no mistakes. */
static struct policy *built_in(void)
{
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("built in"), .text = slice_of(rules_built_in()) };
        struct policy *p = policy_parse_mail(&in, d);
        if (!p)
                panic("the limits that are built in are wrong");
        return p;
}

/* Without the policy. */
static struct rules *make(const struct policy *p, struct diags *d)
{
        size_t errors = diags_errors(d);
        autorules *r = xcalloc(1, sizeof *r);
        r->categories = categories_of(p, d);
        if (!r->categories)
                return NULL;
        if (!p || !p->n_mail_limits)
                r->built_in = built_in();
        read_limits(r, r->built_in ? r->built_in : p, d);
        return diags_errors(d) > errors ? NULL : take(r);
}

bool rules_check(const struct policy *p, struct diags *d)
{
        autorules *r = make(p, d);
        return r != NULL;
}

struct rules *rules_new(struct policy *p, struct diags *d)
{
        struct rules *r = make(p, d);
        if (r)
                r->policy = p;
        return r;
}

void rules_free(struct rules *r)
{
        if (!r)
                return;
        categories_free(r->categories);
        policy_free(r->policy);
        policy_free(r->built_in);
        free(r->limits);
        free(r);
}

void rules_free_(struct rules **r)
{
        rules_free(*r);
}
