/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/rules.h - what a policy says of mail logs, ready to be used: categories, and what is counted by which limit.
 *
 * Where a policy has no mail-limit, those of rules_built_in() stand; they only report.
 * Owns:    categories and the policy it was made of, until rules_free().
 * Threads: immutable once made.
 * Limits:  LIMITS_MOST limits; the categories' (maillog/category.h). */
#pragma once

#include "maillog/category.h"
#include "policy/policy.h"

enum { LIMITS_MOST = 64 };

/* What can be counted besides categories. */
#define LIMIT_WORDS(X)                                                                                                 \
        X(MESSAGE, "message")                                                                                          \
        X(RECIPIENT, "recipients")                                                                                     \
        X(BOUNCED, "bounced")                                                                                          \
        X(DEFERRED, "deferred")                                                                                        \
        X(REFUSED, "refused")                                                                                          \
        X(AUTH_FAILED, "auth_failed")
#define LIMIT_WORD_ENUM(id, name) LIMIT_##id,
enum limit_word { LIMIT_WORDS(LIMIT_WORD_ENUM) LIMIT_WORDS_ALL };

struct rule_limit {
        const struct policy_mail_limit *policy;
        uint64_t categories[2]; /* bits */
        uint32_t words;         /* bits of enum limit_word */
};

struct rules {
        struct policy *policy, *built_in; /* either may be NULL */
        struct categories *categories;
        struct rule_limit *limits;
        size_t n_limits;
};

/* The mistakes that only who knows categories finds, added to `d`: for who is to take a policy into use. False: there are some. */
bool rules_check(const struct policy *p, struct diags *d);
/* Takes the policy; NULL: what is built in alone. NULL where it was wrong (and is the caller's still): every mistake is added to `d`. */
struct rules *rules_new(struct policy *p, struct diags *d);
void rules_free(struct rules *r); /* NULL is fine */
void rules_free_(struct rules **r);
#define autorules CLEANUP(rules_free_) struct rules
/* The limits that are built in, as a policy writes them. */
const char *rules_built_in(void);
