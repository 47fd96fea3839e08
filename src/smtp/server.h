/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/server.h - one SMTP conversation seen from the server, without sockets, clock or decisions.
 *
 * Bytes of the client go in; replies come out as bytes, and what happened comes out as events. An event in capitals below is a question:
 * the machine stands still, with the rest of the input untouched, until smtp_server_answer(). So replies keep the order of commands
 * (RFC 2920), and nobody can fill our memory while a password is checked or an MTA thinks.
 *
 *     NEW ──greet──► FRESH ──HELO──► READY ──MAIL,RCPT,DATA──► reading ──END──► READY
 *                      ▲               ├──STARTTLS──► shaking hands ──► FRESH (RFC 3207 4.2: all is forgotten)
 *                      └────XCLIENT────┴──AUTH──► its lines ──► READY
 *
 * What a role may do is data: struct smtp_rules. The driver's loop, for each piece that it read:
 *
 *     while ((what = smtp_server_next(s, now, &in, out, &e)) != SMTP_ON_NOTHING)
 *             act on it; for a question answer now, or smtp_server_hold(s, &in), stop reading, and answer later;
 *     read on while smtp_server_wants_input(s); write out; re-arm the timer to s->deadline; shut where s->state is SMTP_CLOSED.
 *
 * The envelope is the driver's: the machine keeps no address. It is over, and must be dropped, at the events HELO, RESET, XCLIENT, TLS,
 * BROKEN, CLOSE, at a refused DATA and at an answered END; at no other.
 *
 * Passwords pass through: the machine wipes what it held of a line; the driver wipes the buffer that it read into.
 *
 * CLOSING VERSUS IGNORING what stands behind STARTTLS in clear: ignoring is enough to be safe, but whoever sends it is an attack or
 * broken, and closing shows in the log what ignoring hides.
 * Owns:    the beginning of a line, and held input: nothing of both while the conversation idles.
 * Threads: one conversation, one thread; nothing shared but the rules, which outlive it.
 * Limits:  struct smtp_rules; SMTP_HELD_MOST bytes are held. Slices of an event live until the next call. */
#pragma once

#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/line.h"
#include "smtp/reply.h"
#include "smtp/sasl.h"

enum { SMTP_HELD_MOST = 128 << 10, SMTP_SERVER_SIZE_MOST = 128 };

struct smtp_rules {
        struct slice host; /* our name, in the greeting and in EHLO */
        enum smtp_language language;
        unsigned offers;                    /* bits of enum smtp_extension; AUTH shows only where it may be used */
        bool needs_tls, needs_auth;         /* before MAIL */
        bool auth_without_tls;              /* a dated exception of the policy */
        bool tls_at_once;                   /* the conversation begins under TLS (port 465) */
        struct slice tls_words, auth_words; /* instead of our 530: what helps the customer; empty for ours */
        uint64_t size_most;                 /* of a message; 0 for none */
        uint32_t line_most;                 /* of a command with its CRLF; 0 for SMTP_LINE_MOST */
        uint32_t rcpts_most, messages_most; /* of a message, of a conversation; 0 for none */
        uint32_t commands_most;             /* without a message taken between; 0 for none */
        uint32_t errors_most;               /* 5xx without a message taken between, as Postfix counts; 0 for none */
        int64_t command_wait;               /* for a whole command (RFC 5321 4.5.3.2.7: at least 5 minutes) */
        int64_t data_wait;                  /* for each SMTP_DATA_STEP bytes of a message */
        int64_t conversation_wait;          /* for all of it, not counting a message under way; 0 for none */
};

enum { SMTP_DATA_STEP = 16 << 10 };

#define SMTP_STATES(X) X(NEW) X(FRESH) X(READY) X(AUTH) X(SHAKING) X(DATA) X(CLOSED)
#define SMTP_STATE_ENUM(id) SMTP_##id,
enum smtp_state { SMTP_STATES(SMTP_STATE_ENUM) };

/* What tells a bot from a customer; bits of `did`. */
enum smtp_did {
        SMTP_DID_TALK_EARLY = 1 << 0, /* before the greeting */
        SMTP_DID_TALK_AHEAD = 1 << 1, /* did not wait where RFC 2920 says wait, or at all though it was not offered */
        SMTP_DID_HELO = 1 << 2,
        SMTP_DID_EHLO = 1 << 3,
        SMTP_DID_TRY_TLS = 1 << 4,
        SMTP_DID_TRY_AUTH = 1 << 5,
        SMTP_DID_BARE = 1 << 6, /* bare CR, LF or NUL in commands */
        SMTP_DID_HTTP = 1 << 7,
        SMTP_DID_TLS_HELLO = 1 << 8, /* TLS where text was due */
        SMTP_DID_BDAT = 1 << 9,      /* though it was not offered */
        SMTP_DID_QUIT = 1 << 10,
        SMTP_DID_INJECT = 1 << 11, /* text behind STARTTLS */
};

enum smtp_on {
        SMTP_ON_NOTHING, /* more bytes are needed, or an answer */
        SMTP_ON_EARLY,   /* bytes before the greeting; told once */
        SMTP_ON_HELO,    /* QUESTION: name in `text` */
        SMTP_ON_TLS,     /* write what is in `out`, shake hands, then smtp_server_tls() */
        SMTP_ON_LOGIN,   /* QUESTION: `login` is known, the password not yet: shall it be asked? */
        SMTP_ON_AUTH,    /* QUESTION: `login`, `password`, `authzid` */
        SMTP_ON_XCLIENT, /* QUESTION: only where the rules offer it */
        SMTP_ON_MAIL,    /* QUESTION */
        SMTP_ON_RCPT,    /* QUESTION */
        SMTP_ON_DATA,    /* QUESTION: may the message come? */
        SMTP_ON_BYTES,   /* of the message, in `text` */
        SMTP_ON_BROKEN,  /* the message is refused (`fault`): forget it; the machine reads to its end and answers */
        SMTP_ON_END,     /* QUESTION: all of the message is there; is it safe? */
        SMTP_ON_RESET,   /* the client took a transaction back */
        SMTP_ON_CLOSE,   /* write what is in `out`, then close; `why` */
};

enum smtp_why {
        SMTP_WHY_QUIT,
        SMTP_WHY_ERRORS,
        SMTP_WHY_COMMANDS,
        SMTP_WHY_MESSAGES,
        SMTP_WHY_HTTP,
        SMTP_WHY_TLS_HELLO,
        SMTP_WHY_INJECTED,
        SMTP_WHY_AHEAD, /* a message came behind a DATA that was refused */
        SMTP_WHY_TLS_FAILED,
        SMTP_WHY_TIMEOUT,
        SMTP_WHY_ANSWER,   /* the driver answered 421 */
        SMTP_WHY_FLOODED,  /* more input than may be held */
        SMTP_WHY_SHUTDOWN, /* smtp_server_stop() */
};

struct smtp_event {
        enum smtp_on on;
        bool esmtp; /* HELO: it was EHLO */
        enum smtp_data_fault fault;
        enum smtp_why why;
        enum smtp_mechanism mechanism;
        uint64_t size; /* END: bytes of the message */
        struct slice text, login, password, authzid;
        union {
                struct smtp_mail mail;
                struct smtp_rcpt rcpt;
                struct smtp_xclient xclient;
        };
};

struct smtp_held;

struct smtp_server {
        const struct smtp_rules *rules;
        struct smtp_held *held;
        struct smtp_sasl *sasl; /* while AUTH is under way */
        struct smtp_line line;
        struct smtp_data data;
        int64_t deadline; /* of the present step; TIME_NEVER while we are the ones to act */
        int64_t ends;     /* of the conversation */
        uint64_t id;      /* for the reference in refusals */
        uint32_t commands, errors, rcpts, messages;
        uint16_t did;
        uint8_t state, asked; /* enum smtp_state, enum smtp_on */
        uint8_t why;
        bool tls, authenticated, esmtp, mail, utf8, ahead, told_close;
};
_Static_assert(sizeof(struct smtp_server) <= SMTP_SERVER_SIZE_MOST, "an idle conversation must stay small");

void smtp_server_init(struct smtp_server *s, const struct smtp_rules *rules, uint64_t id, int64_t now);
void smtp_server_done(struct smtp_server *s);
/* 220, NULL for the usual words; a refusal closes. */
void smtp_server_greet(struct smtp_server *s, int64_t now, const struct smtp_reply *r, struct buf *out);
enum smtp_on smtp_server_next(struct smtp_server *s, int64_t now, struct slice *in, struct buf *out,
                              struct smtp_event *ret);
/* 2xx accepts (354 and 235 are said by the machine), all else refuses, 421 closes. NULL accepts in the usual words. */
void smtp_server_answer(struct smtp_server *s, int64_t now, const struct smtp_reply *r, struct buf *out);
void smtp_server_answer_text(struct smtp_server *s, int64_t now, enum smtp_text id, struct buf *out);
/* Copies what is left of the input for the next call of smtp_server_next(), whose events' slices die with this one. */
void smtp_server_hold(struct smtp_server *s, struct slice *in);
bool smtp_server_wants_input(const struct smtp_server *s);
/* The handshake that SMTP_ON_TLS asked for, or the first one of port 465, is over. */
void smtp_server_tls(struct smtp_server *s, int64_t now, bool good);
/* The deadline passed. */
void smtp_server_timeout(struct smtp_server *s, struct buf *out);
/* We end it: 421 if a reply is due or nothing is under way. */
void smtp_server_stop(struct smtp_server *s, struct buf *out);
const char *smtp_state_name(enum smtp_state state);
