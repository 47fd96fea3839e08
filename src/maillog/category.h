/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/category.h - why a message was refused, or what a remote server thinks of us: one word a refusal.
 *
 * Decided on the reply alone, in its place: what the reply echoes ("<…>: ", and anything else in angle brackets) is not looked at. An odd
 * event (postfix.h) has no category but `other`. The table's first row that holds decides, so what is narrow stands before what is wide:
 * "message rate" before "Sender address rejected".
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  a remote server may say what it likes: the three remote categories are its claim. */
#pragma once

#include "maillog/postfix.h"

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

const char *category_name(enum category c);
/* Of a REJECT or CHECK, why; of a DELIVERY or SAID, what the remote server holds against us, if anything. */
enum category category_of(const struct mail_event *e);
