/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/limits.h - what a mailbox may use up: quota, messages and recipients, and where each number comes from.
 *
 * A limit is a number, `none` (there is no limit) or `inherit` (it is not said here). Who asks goes up the chain mailbox, subscriber, class,
 * `mail` block of the policy, and stops at the first that says something. The class is the subscriber's own, as the ledger has it: a pool's
 * would come and go with his lease.
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  quota in bytes, 1M at least (mail stores take 0 for no limit); all others are counts. */
#pragma once

#include "policy/policy.h"

enum { LIMIT_TEXT_MAX = 24 };
enum { LIMIT_COUNT_MOST = 1000000000 };

const char *mail_limit_name(enum mail_limit which);
enum mail_limit mail_limit_of(struct slice name); /* MAIL_LIMIT_COUNT where there is none of that name */
/* A number (quota: a size), "none" or "inherit". NULL and *ret, or what is wrong with it. */
const char *mail_limit_parse(enum mail_limit which, struct slice text, int64_t *ret);
const char *mail_limit_print(enum mail_limit which, int64_t value, char out[LIMIT_TEXT_MAX]);
bool mail_limit_right(enum mail_limit which, int64_t value); /* one that mail_limit_parse() can give */
extern const struct mail_limits mail_limits_inherit;         /* nothing is said */
bool mail_limits_said(const struct mail_limits *l);          /* something is */
/* "quota=2G messages-hour=none": what is said, parted by blanks. */
void mail_limits_print(const struct mail_limits *l, struct buf *out);
/* One of those words, into its place. NULL or what is wrong. */
const char *mail_limits_parse_word(struct slice word, struct mail_limits *ret, enum mail_limit *which);

#define LIMIT_SOURCES(X)                                                                                               \
        X(MAILBOX, "mailbox")                                                                                          \
        X(SUBSCRIBER, "subscriber") X(CLASS, "class") X(POLICY, "mail block") X(NOWHERE, "nothing said")
#define LIMIT_SOURCE_ENUM(id, name) LIMIT_SOURCE_##id,
enum limit_source { LIMIT_SOURCES(LIMIT_SOURCE_ENUM) };
const char *limit_source_name(enum limit_source s);

struct limit_found {
        int64_t value; /* a number or LIMIT_NONE */
        enum limit_source source;
        struct place place; /* in the policy, where it comes from there and was written; line 0 otherwise */
};
/* p NULL: there is no policy. class empty: he has none of his own. */
struct limit_found mail_limit_find(enum mail_limit which, const struct mail_limits *mailbox,
                                   const struct mail_limits *subscriber, struct slice class, const struct policy *p);
