/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/category.h - why a message was refused, or what a remote server thinks of us: one word a refusal.
 *
 * Rules say it: what kind of event, which of its fields, a pattern. The rules of the policy come first, in the order they are written; then
 * those that are built in, what is narrow before what is wide ("message rate" before "Sender address rejected"). The first that holds decides.
 * A field is looked at alone and from its own start, so what a stranger wrote elsewhere changes nothing; what a reply echoes in angle brackets
 * is taken out first. An odd refusal (event.h) has no category but `other`.
 *
 * All patterns of one field are one automaton of Vectorscan: a text is read once, however many there are.
 * Owns:    the automata, until categories_free(); a scratch is one thread's.
 * Threads: struct categories is read by any number, each with a scratch of his own.
 * Limits:  CATEGORY_RULES_MOST rules, CATEGORY_NAMES_MOST names of the policy's own; the first CATEGORY_TEXT_MOST bytes of a field. A remote
 *          server may say what it likes: the three remote categories are its claim. */
#pragma once

#include "base/buf.h"
#include "maillog/event.h"

enum { CATEGORY_TEXT_MOST = 1024, CATEGORY_RULES_MOST = 256, CATEGORY_NAMES_MOST = 64 };

#define CATEGORIES(X)                                                                                                  \
        X(NONE, "none")                                                                                                \
        X(LOCAL, "local")           /* no such user here */                                                            \
        X(RATE, "rate")             /* too much of it */                                                               \
        X(DOMAIN, "domain")         /* a sender's domain that is not there */                                          \
        X(NOT_LOGGED, "not_logged") /* the sender's owner is not logged in */                                          \
        X(NOT_OWNED, "not_owned")   /* logged in as somebody else */                                                   \
        X(SPF, "spf")                                                                                                  \
        X(SENDER_DENIED, "sender_denied")                                                                              \
        X(SENDER_OTHER, "sender_other")                                                                                \
        X(RELAY_DENIED, "relay_denied")                                                                                \
        X(RBL, "rbl")                                                                                                  \
        X(HELO, "helo")                                                                                                \
        X(CLIENT, "client")                                                                                            \
        X(GREYLIST, "greylist")                                                                                        \
        X(VIRUS, "virus")                                                                                              \
        X(SPAM, "spam")                                                                                                \
        X(RECIPIENT, "recipient") /* refused for the recipient, for another reason */                                  \
        X(SIZE, "size")                                                                                                \
        X(PROTOCOL, "protocol") /* spoke before its turn, or no SMTP */                                                \
        X(OTHER, "other")                                                                                              \
        X(REMOTE_SPAM, "remote_spam")     /* a remote server says that we send spam */                                 \
        X(REMOTE_RATE, "remote_rate")     /* … too much */                                                           \
        X(REMOTE_LISTED, "remote_listed") /* … and names a list */

#define CATEGORY_ENUM(id, name) CATEGORY_##id,
enum category { CATEGORIES(CATEGORY_ENUM) CATEGORIES_ALL };

/* Which text of an event: `text` is a refusal's reason, a delivery's parentheses, a warning; `reply`, what a remote server said. */
#define CATEGORY_FIELDS(X)                                                                                             \
        X(TEXT, "text")                                                                                                \
        X(REPLY, "reply")                                                                                              \
        X(FROM, "from")                                                                                                \
        X(TO, "to")                                                                                                    \
        X(HELO, "helo")                                                                                                \
        X(CLIENT_NAME, "client-name")                                                                                  \
        X(CLIENT_ADDRESS, "client-address")                                                                            \
        X(LOGIN, "login")                                                                                              \
        X(METHOD, "method")                                                                                            \
        X(ACTION_WORD, "action")
#define CATEGORY_FIELD_ENUM(id, name) CATEGORY_OF_##id,
enum category_field { CATEGORY_FIELDS(CATEGORY_FIELD_ENUM) CATEGORY_FIELDS_ALL };

struct category_rule {
        uint32_t kinds;   /* bits of enum mail_kind */
        uint64_t daemons; /* bits of enum mail_daemon; 0: any */
        enum category_field field;
        const char *pattern;   /* a regular expression as Vectorscan reads it, upper case or lower */
        struct slice category; /* its name: a built-in one, or a new one */
};

struct categories;
struct category_scratch;
/* NULL where a pattern is none: *wrong is which, n where it is the whole (or this processor), `why` says what. */
struct categories *categories_new(const struct category_rule *rules, size_t n, size_t *wrong, struct buf *why);
void categories_free(struct categories *c); /* NULL is fine */
void categories_free_(struct categories **c);
#define autocategories CLEANUP(categories_free_) struct categories
struct category_scratch *category_scratch_new(const struct categories *c);
void category_scratch_free(struct category_scratch *s); /* NULL is fine */

/* Numbers below CATEGORIES_ALL are those above, then follow the policy's own. */
size_t categories_end(const struct categories *c);
size_t categories_rules(const struct categories *c); /* of the policy */
const char *categories_name(const struct categories *c, size_t category);
size_t categories_find(const struct categories *c, struct slice name); /* categories_end() where there is none */
uint32_t categories_kinds(const struct categories *c); /* bits of enum mail_kind: any other event has none */
/* NONE where nothing holds. *rule, where not NULL, gets the number of the policy's rule that decided, else n. */
uint8_t category_of(const struct categories *c, struct category_scratch *s, const struct mail_event *e, size_t *rule);
/* "host name[address] said: 554 …": what the remote server said; false where nobody did. */
bool category_reply(const struct mail_event *e, struct slice *ret);
