/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/wire.h - the frames between who asks for passwords (an edge) and the duty `auth`, over the stream socket STATE/auth.sock.
 *
 *     auth_question_put(&out, &(struct auth_question){ .verb = AUTH_CHECK, .id = 7, .login = login, .password = password });
 *     …
 *     while ((n = auth_reply_get(in, &reply)) > 0)       // 0: more bytes are needed; -EBADMSG: hang up
 *             session = session_of(reply.id), in = slice_from(in, n);
 *
 * Any number of questions may be on their way; answers come in any order, each with the id of its question. Every question is answered
 * once: within AUTH_PATIENCE, or the connection ends, and then the answer to all that are open is `unavailable`: a temporary error (SMTP 454),
 * never a wrong password.
 * Owns:    nothing; the slices of what was read point into `in`.
 * Threads: pure functions.
 * Limits:  AUTH_QUESTION_MOST and AUTH_REPLY_MOST bytes a frame (an answer fits into what base/io.h keeps). Needs base/ alone. */
#pragma once

#include "base/ipc.h"
#include "base/time.h"

/* SENDING: whether a mailbox that logged in before may still send: it is there and nobody suspended it. */
enum auth_verb { AUTH_CHECK = 1, AUTH_DOMAIN = 2, AUTH_SENDING = 3 };

enum {
        AUTH_LOGIN_MOST = 320,     /* as smtp/sasl.h takes them */
        AUTH_PASSWORD_MOST = 1024, /* longer than any that can be right */
        AUTH_DOMAIN_MOST = 253,
        AUTH_QUESTION_MOST = 2048,
        AUTH_REPLY_MOST = 60 << 10,
        AUTH_SENDERS_MOST = 512
};
#define AUTH_PATIENCE (10 * SECOND)

#define AUTH_VERDICTS(X) X(NO, "no") X(YES, "yes") X(UNAVAILABLE, "unavailable")
#define AUTH_VERDICT_ENUM(id, name) AUTH_VERDICT_##id,
enum auth_verdict { AUTH_VERDICTS(AUTH_VERDICT_ENUM) AUTH_VERDICT_COUNT };
const char *auth_verdict_name(enum auth_verdict v);

#define AUTH_LIMITS(X) X(MESSAGES_HOUR) X(MESSAGES_DAY) X(RECIPIENTS_HOUR) X(RECIPIENTS_DAY)
#define AUTH_LIMIT_ENUM(id) AUTH_LIMIT_##id,
enum auth_limit { AUTH_LIMITS(AUTH_LIMIT_ENUM) AUTH_LIMIT_COUNT };
#define AUTH_LIMIT_NONE (-1)

struct auth_question {
        enum auth_verb verb;
        int64_t id;                   /* the asker's own; any number */
        struct slice login, password; /* of AUTH_CHECK: as they were given */
        struct slice domain;          /* of AUTH_DOMAIN */
        struct slice address;         /* of AUTH_SENDING, with the mailbox's number */
        int64_t mailbox;
};

struct auth_reply {
        enum auth_verb verb; /* of the question */
        int64_t id;
        enum auth_verdict verdict;
        /* All that follows is of a yes to AUTH_CHECK only. */
        int64_t mailbox;         /* its number, which outlives a change of its address: what counters hang on */
        struct slice address;    /* in its one form */
        struct slice subscriber; /* whose it is */
        struct slice weak;       /* the key of what is wrong with this password (auth/quality.h); empty: nothing */
        bool suspended;          /* he may read his mail and send nothing */
        bool application;        /* by the password of an application */
        bool senders_cut;        /* there are more than can be told: aliases, the last of them */
        int64_t limits[AUTH_LIMIT_COUNT]; /* as they hold: a number or AUTH_LIMIT_NONE */
        /* As whom he may write, his own address first; "*@domain": as anybody there. */
        struct slice senders[AUTH_SENDERS_MOST];
        size_t n_senders;
};

/* Whether one of these senders is, or covers, the address. Case does not matter: whether a server elsewhere tells it apart is not
 * what a sender is refused for. */
bool auth_may_write_as(const struct slice *senders, size_t n, struct slice address);

/* Adds one frame; `full` is set where a text is longer than its limit. The password stands in the buf: wipe it (auth_wipe). */
void auth_question_put(struct buf *b, const struct auth_question *q);
/* Senders that do not fit are left out, and senders_cut is told. */
void auth_reply_put(struct buf *b, const struct auth_reply *r);
/* How many bytes of `in` were one frame; 0: more are needed; -EBADMSG: it is none. */
int64_t auth_question_get(struct slice in, struct auth_question *ret);
int64_t auth_reply_get(struct slice in, struct auth_reply *ret);

/* A buf that holds passwords: its room is made at once, for what grows leaves copies behind; and its bytes, when they are not needed any more. */
void auth_reserve(struct buf *b, size_t room);
void auth_wipe(struct buf *b);
