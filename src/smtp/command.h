/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/command.h - what a command line says: its verb, where that verb may stand, its arguments.
 *
 * The table of verbs is the one place that knows what must have happened before each; smtp/server asks it once for every command.
 * Owns:    nothing; slices of the line.
 * Threads: pure; forward only, no copies.
 * Limits:  SMTP_ENVID_MOST and SMTP_ORCPT_MOST bytes (RFC 3461 4.4, 4.2). */
#pragma once

#include "smtp/address.h"

enum { SMTP_ENVID_MOST = 100, SMTP_ORCPT_MOST = 500, SMTP_HELO_MOST = 255 };

/* Where a verb may stand. */
enum smtp_need {
        SMTP_NEEDS_HELO = 1 << 0,
        SMTP_NEEDS_MAIL = 1 << 1, /* inside a transaction */
        SMTP_NEEDS_NO_MAIL = 1 << 2,
        SMTP_NEEDS_RIGHT = 1 << 3, /* TLS and a login first, where the role asks for them */
        SMTP_NEEDS_WORDS = 1 << 4, /* an argument */
        SMTP_NEEDS_NONE = 1 << 5,  /* no argument */
        SMTP_ENDS_GROUP = 1 << 6,  /* the client waits for the reply before it sends more (RFC 2920 3.1) */
        SMTP_NOT_HERE = 1 << 7,    /* known, and never taken */
};

/* X(verb, needs) */
#define SMTP_VERBS(X)                                                                                                  \
        X(EHLO, SMTP_NEEDS_WORDS | SMTP_ENDS_GROUP)                                                                    \
        X(HELO, SMTP_NEEDS_WORDS | SMTP_ENDS_GROUP)                                                                    \
        X(MAIL, SMTP_NEEDS_HELO | SMTP_NEEDS_RIGHT | SMTP_NEEDS_NO_MAIL | SMTP_NEEDS_WORDS)                            \
        X(RCPT, SMTP_NEEDS_HELO | SMTP_NEEDS_RIGHT | SMTP_NEEDS_MAIL | SMTP_NEEDS_WORDS)                               \
        X(DATA, SMTP_NEEDS_HELO | SMTP_NEEDS_RIGHT | SMTP_NEEDS_MAIL | SMTP_NEEDS_NONE | SMTP_ENDS_GROUP)              \
        X(BDAT, SMTP_NOT_HERE)                                                                                         \
        X(RSET, SMTP_NEEDS_NONE)                                                                                       \
        X(NOOP, SMTP_ENDS_GROUP)                                                                                       \
        X(QUIT, SMTP_NEEDS_NONE | SMTP_ENDS_GROUP)                                                                     \
        X(VRFY, SMTP_NEEDS_WORDS | SMTP_ENDS_GROUP)                                                                    \
        X(EXPN, SMTP_NOT_HERE)                                                                                         \
        X(HELP, 0)                                                                                                     \
        X(TURN, SMTP_NOT_HERE)                                                                                         \
        X(ETRN, SMTP_NOT_HERE)                                                                                         \
        X(STARTTLS, SMTP_NEEDS_HELO | SMTP_NEEDS_NO_MAIL | SMTP_NEEDS_NONE | SMTP_ENDS_GROUP)                          \
        X(AUTH, SMTP_NEEDS_HELO | SMTP_NEEDS_NO_MAIL | SMTP_NEEDS_WORDS | SMTP_ENDS_GROUP)                             \
        X(XCLIENT, SMTP_NEEDS_NO_MAIL | SMTP_NEEDS_WORDS | SMTP_ENDS_GROUP)
#define SMTP_VERB_ENUM(verb, needs) SMTP_VERB_##verb,
/* HTTP: what a browser was made to send here (ALPACA). OTHER: none we know. */
enum smtp_verb { SMTP_VERBS(SMTP_VERB_ENUM) SMTP_VERB_HTTP, SMTP_VERB_OTHER, SMTP_VERB_COUNT };

/* The verb at the start of the line; *args is what follows it, without blanks at both ends. */
enum smtp_verb smtp_command_parse(struct slice line, struct slice *args);
unsigned smtp_verb_needs(enum smtp_verb verb);

/* Extensions, as bits of what a server offers. */
enum smtp_extension {
        SMTP_EXT_PIPELINING = 1 << 0, /* RFC 2920 */
        SMTP_EXT_8BITMIME = 1 << 1,   /* RFC 6152 */
        SMTP_EXT_SIZE = 1 << 2,       /* RFC 1870 */
        SMTP_EXT_SMTPUTF8 = 1 << 3,   /* RFC 6531 */
        SMTP_EXT_DSN = 1 << 4,        /* RFC 3461 */
        SMTP_EXT_STARTTLS = 1 << 5,   /* RFC 3207 */
        SMTP_EXT_AUTH = 1 << 6,       /* RFC 4954 */
        SMTP_EXT_ENHANCED = 1 << 7,   /* RFC 2034 */
        SMTP_EXT_LIMITS = 1 << 8,     /* RFC 9422 */
        SMTP_EXT_XCLIENT = 1 << 9,    /* Postfix XCLIENT_README */
        SMTP_EXT_HELP = 1 << 10,
};

enum smtp_args {
        SMTP_ARGS_OK,
        SMTP_ARGS_SYNTAX,  /* 501 5.5.4 */
        SMTP_ARGS_ADDRESS, /* 501 5.1.7 or 5.1.3 */
        SMTP_ARGS_UNKNOWN, /* 555 5.5.4: a parameter that was not offered (RFC 5321 4.1.1.11) */
        SMTP_ARGS_UTF8,    /* 553 5.6.7: UTF-8 without SMTPUTF8 (RFC 6531 3.5) */
};

enum smtp_body { SMTP_BODY_UNSAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };
enum smtp_ret { SMTP_RET_UNSAID, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify { SMTP_NOTIFY_NEVER = 1, SMTP_NOTIFY_SUCCESS = 2, SMTP_NOTIFY_FAILURE = 4, SMTP_NOTIFY_DELAY = 8 };

struct smtp_mail {
        struct smtp_path from;
        uint64_t size; /* 0: not said */
        enum smtp_body body;
        enum smtp_ret ret;
        bool utf8;
        struct slice envid, auth; /* as written, in xtext; p is NULL where not said */
};

struct smtp_rcpt {
        struct smtp_path to;
        unsigned notify; /* 0: not said */
        struct slice orcpt;
};

/* "FROM:<path> parameters"; a blank after the colon is let pass. `offered`: bits of enum smtp_extension. */
enum smtp_args smtp_mail_parse(struct slice args, unsigned offered, struct smtp_mail *ret);
/* "TO:<path> parameters"; `utf8`: the transaction said SMTPUTF8. */
enum smtp_args smtp_rcpt_parse(struct slice args, unsigned offered, bool utf8, struct smtp_rcpt *ret);
/* Their slices point into one block, which is returned: free() it. */
char *smtp_mail_copy(const struct smtp_mail *m, struct smtp_mail *ret);
char *smtp_rcpt_copy(const struct smtp_rcpt *r, struct smtp_rcpt *ret);

/* What an MTA in front tells of its client (Postfix XCLIENT_README); values as written, in xtext, p NULL where not said. */
#define SMTP_XCLIENT(X) X(NAME) X(ADDR) X(PORT) X(PROTO) X(HELO) X(LOGIN) X(DESTADDR) X(DESTPORT)
#define SMTP_XCLIENT_ENUM(name) SMTP_XCLIENT_##name,
enum smtp_xclient_attribute { SMTP_XCLIENT(SMTP_XCLIENT_ENUM) SMTP_XCLIENT_COUNT };
struct smtp_xclient {
        struct slice value[SMTP_XCLIENT_COUNT];
};
enum smtp_args smtp_xclient_parse(struct slice args, struct smtp_xclient *ret);
const char *smtp_xclient_name(enum smtp_xclient_attribute a);
