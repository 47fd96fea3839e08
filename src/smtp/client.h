/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/client.h - our side of a conversation with the MTA behind us, without sockets or clock.
 *
 *     GREETING ─220─► HELLO ─250─► READY ──mail──► ENVELOPE ──data, 354──► DATA ──end──► ENDING ──reply──► READY
 *                       │ ▲          │ ▲               └──DATA refused──► SPOILT ──reset──► RESETTING ──┘
 *               STARTTLS│ │EHLO      └─┴── identify: XCLIENT, 220, EHLO
 *                       └─┴─ shaking hands                      from anywhere ──► GONE, with an outcome that has a name
 *
 * The first steps go by themselves, up to the event READY. Then the driver gives an envelope; each reply comes back as an event with
 * the command that it answers. Commands wait for their replies in a queue, so many may be under way where the server offers PIPELINING.
 *
 * The message is framed anew (smtp/data.h): a bare CR, LF or NUL never goes out, the connection is dropped instead, without an end.
 * A reply that was there before its command was sent is a lie (response injection around STARTTLS, CVE-2021-38371): the connection is
 * dropped. 421 ends everything at any point (RFC 5321 3.8); what is not answered by then was not taken.
 * Owns:    the reply under way.
 * Threads: one connection, one thread.
 * Limits:  SMTP_CLIENT_QUEUE commands wait at once. Slices of an event live until the next call. */
#pragma once

#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/reply.h"

enum { SMTP_CLIENT_QUEUE = 128 };

enum smtp_client_tls { SMTP_TLS_NEVER, SMTP_TLS_MAY, SMTP_TLS_MUST };

struct smtp_client_rules {
        struct slice helo; /* our name */
        enum smtp_client_tls tls;
};

#define SMTP_CLIENT_STATES(X)                                                                                          \
        X(GREETING)                                                                                                    \
        X(HELLO)                                                                                                       \
        X(SHAKING)                                                                                                     \
        X(READY)                                                                                                       \
        X(ENVELOPE)                                                                                                    \
        X(DATA)                                                                                                        \
        X(ENDING)                                                                                                      \
        X(SPOILT)                                                                                                      \
        X(RESETTING)                                                                                                   \
        X(QUITTING)                                                                                                    \
        X(GONE)
#define SMTP_CLIENT_STATE_ENUM(id) SMTP_CLIENT_##id,
enum smtp_client_state { SMTP_CLIENT_STATES(SMTP_CLIENT_STATE_ENUM) };

/* X(command, minutes to wait for its reply: RFC 5321 4.5.3.2) */
#define SMTP_CLIENT_COMMANDS(X)                                                                                        \
        X(GREETING, 5)                                                                                                 \
        X(EHLO, 5)                                                                                                     \
        X(HELO, 5)                                                                                                     \
        X(STARTTLS, 2)                                                                                                 \
        X(XCLIENT, 5)                                                                                                  \
        X(MAIL, 5)                                                                                                     \
        X(RCPT, 5)                                                                                                     \
        X(DATA, 2)                                                                                                     \
        X(DOT, 10)                                                                                                     \
        X(RSET, 5)                                                                                                     \
        X(QUIT, 1)
#define SMTP_SENT_ENUM(id, minutes) SMTP_SENT_##id,
enum smtp_sent { SMTP_CLIENT_COMMANDS(SMTP_SENT_ENUM) SMTP_SENT_COUNT };

/* Why it is over: X(id, name) */
#define SMTP_OUTCOMES(X)                                                                                               \
        X(QUIT, "quit") /* we wanted it */                                                                             \
        X(GREETING, "greeting-refused")                                                                                \
        X(HELO, "helo-refused")                                                                                        \
        X(NO_TLS, "tls-not-offered") /* the rules say it must */                                                       \
        X(TLS_REFUSED, "tls-refused")                                                                                  \
        X(TLS_FAILED, "tls-failed")                                                                                    \
        X(INJECTED, "reply-injected")     /* bytes behind the reply to STARTTLS */                                     \
        X(UNEXPECTED, "unexpected-reply") /* a reply without, or before, its command */                                \
        X(JUNK, "no-smtp-reply")                                                                                       \
        X(HANGUP, "said-421")                                                                                          \
        X(CLOSED, "closed")                                                                                            \
        X(TIMEOUT, "timeout")                                                                                          \
        X(XCLIENT, "xclient-refused")                                                                                  \
        X(RSET, "rset-refused")                                                                                        \
        X(BARE, "bare-bytes-held-back") /* ours to prevent; nothing of it went out */
#define SMTP_OUTCOME_ENUM(id, name) SMTP_OUTCOME_##id,
enum smtp_outcome { SMTP_OUTCOMES(SMTP_OUTCOME_ENUM) };

/* Whether the server can take this message at all. */
enum smtp_can {
        SMTP_CAN,
        SMTP_CANNOT_NOW,      /* not in this state, or the queue is full: take replies first */
        SMTP_CANNOT_8BITMIME, /* 554 5.6.3 for the customer */
        SMTP_CANNOT_SMTPUTF8, /* 550 5.6.7 */
        SMTP_CANNOT_SIZE,     /* 552 5.3.4 */
        SMTP_CANNOT_XCLIENT,  /* not offered, or a value that does not fit */
};

enum smtp_client_on {
        SMTP_CLIENT_ON_NOTHING,
        SMTP_CLIENT_ON_TLS,   /* write what is in `out`, shake hands, then smtp_client_tls() */
        SMTP_CLIENT_ON_READY, /* an envelope may be given */
        SMTP_CLIENT_ON_REPLY, /* to MAIL, RCPT (`index` counts from 0), DATA (354: bytes may go), DOT */
        SMTP_CLIENT_ON_GONE,  /* write nothing, close; `reply` is what the server said last, if it did */
};

struct smtp_client_event {
        enum smtp_client_on on;
        enum smtp_sent command;
        uint32_t index;
        enum smtp_outcome outcome;
        bool unsure; /* GONE: a whole message was sent and not answered; it may have been taken */
        struct smtp_reply reply;
};

struct smtp_client {
        const struct smtp_client_rules *rules;
        struct smtp_reader reader;
        struct smtp_frame frame;
        int64_t deadline;
        uint64_t size_most;                 /* as offered; 0: none */
        unsigned offers;                    /* bits of enum smtp_extension */
        unsigned xclient;                   /* bits of enum smtp_xclient_attribute that are offered */
        uint32_t asked, answered, accepted; /* RCPTs of this envelope */
        uint32_t rcpts_most;                /* of a message (RFC 9422); 0: not said */
        uint8_t state, outcome;
        bool tls, early, unasked, told; /* unasked: 354 came though no recipient was left */
        uint8_t queue[SMTP_CLIENT_QUEUE], first, waiting;
};

void smtp_client_init(struct smtp_client *c, const struct smtp_client_rules *rules, int64_t now);
void smtp_client_done(struct smtp_client *c);
enum smtp_client_on smtp_client_next(struct smtp_client *c, int64_t now, struct slice *in, struct buf *out,
                                     struct smtp_client_event *ret);
void smtp_client_tls(struct smtp_client *c, int64_t now, bool good, struct buf *out);
/* Says whose the next messages are; READY comes again. Values are plain bytes; empty ones are told as [UNAVAILABLE]. Attributes that the
 * server does not offer are left out, but without ADDR, or LOGIN where it has a value, it cannot. Postfix offers XCLIENT anew only to an
 * identity that may use it: to serve one customer after another, its listener, which only we can reach, must say
 * "smtpd_authorized_xclient_hosts = 0.0.0.0/0 [::]/0". */
enum smtp_can smtp_client_identify(struct smtp_client *c, int64_t now, const struct slice value[SMTP_XCLIENT_COUNT],
                                   struct buf *out);
/* More commands may be sent before their replies are there. */
bool smtp_client_may_send(const struct smtp_client *c);
enum smtp_can smtp_client_mail(struct smtp_client *c, int64_t now, const struct smtp_mail *m, struct buf *out);
enum smtp_can smtp_client_rcpt(struct smtp_client *c, int64_t now, const struct smtp_rcpt *r, struct buf *out);
enum smtp_can smtp_client_data(struct smtp_client *c, int64_t now, struct buf *out);
/* Bytes of the message, framed into `out`. False where they may not go out: it is GONE. */
bool smtp_client_bytes(struct smtp_client *c, int64_t now, struct slice in, struct buf *out);
bool smtp_client_end(struct smtp_client *c, int64_t now, struct buf *out);
/* Takes an envelope back: RSET, then READY. */
enum smtp_can smtp_client_reset(struct smtp_client *c, int64_t now, struct buf *out);
void smtp_client_quit(struct smtp_client *c, int64_t now, struct buf *out);
/* The server closed, or the deadline passed: smtp_client_next() tells how it ended. */
void smtp_client_closed(struct smtp_client *c);
void smtp_client_timeout(struct smtp_client *c);
const char *smtp_client_state_name(enum smtp_client_state state);
const char *smtp_outcome_name(enum smtp_outcome outcome);
