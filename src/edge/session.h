/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/session.h - one conversation of the edge: the SMTP machine (smtp/server.h) on a connection (base/io.h), in a role.
 *
 * A role is a row of functions: what it does at the beginning, with each event, and at the end. Mail under way is carry.h's, logging in
 * login.h's; trap.c and divert.c have what is particular to them.
 * A question of the machine that is not answered inside its event is answered later by session_answer(), from whatever callback.
 * Owns:    its connection; the letter, account and question of its conversation.
 * Threads: one loop.
 * Limits:  SESSION_LINGER for a peer that does not close. In the trap a conversation that is dripped to is parked (trap.h). */
#pragma once

#include "edge/worker.h"

#define SESSION_LINGER (5 * SECOND)

struct letter;
struct login;

struct role {
        void (*begin)(struct session *s);
        void (*on)(struct session *s, const struct smtp_event *e);
        void (*over)(struct session *s); /* facts, before it is freed */
        bool drips;                      /* replies go out byte by byte */
};
extern const struct role role_carry, role_divert, role_trap;

struct session {
        struct worker *worker;
        struct session *next, *before;
        struct io *io; /* NULL while it is parked */
        const struct role *role;
        const struct setup_listener *listener;
        struct smtp_server smtp;
        struct addr peer, dest;
        int64_t began;   /* wall clock */
        struct buf *out; /* while it runs; NULL: outside of session_run() */
        char *helo;      /* what it called itself; NULL: nothing */
        union {
                struct {                         /* of a role that carries mail */
                        struct account *account; /* who logged in */
                        struct login *login;     /* while that is found out */
                        struct letter *letter;   /* under way */
                };
                struct {                   /* of one that drips */
                        struct drip *drip; /* what is being said; NULL: nothing */
                        struct session *drip_next, *drip_before;
                };
        };
        uint32_t drip_at; /* how much of that was said */
        int parked;       /* its descriptor while there is no `io` */
        uint16_t peer_port, dest_port;
        uint16_t rcpts;
        int8_t slot; /* of the drips; -1: none */
        bool told;   /* the fact of this conversation is written */
        bool counted : 1, trapped : 1, hurried : 1, paused : 1, ending : 1, freed : 1, running : 1;
};

void session_new(struct worker *w, const struct setup_listener *l, int fd, const struct addr *peer, uint16_t port);
/* Runs `work`, in which answers may be given, from a callback that is none of the connection's: what is said goes out at its end, and only
 * then may the session be freed. */
void session_within(struct session *s, void (*work)(struct session *s, void *arg), void *arg);
/* The answer to the machine's question, now or later; NULL accepts in the usual words. */
void session_answer(struct session *s, const struct smtp_reply *r);
void session_answer_text(struct session *s, enum smtp_text id);
/* No more input is wanted for now; session_resume() goes on. */
void session_pause(struct session *s);
void session_resume(struct session *s);
void session_greet(struct session *s);
/* It is only spoken to for now, and that by its descriptor: the connection's state is not needed. It stays where something is kept in it.
 * Whatever else is done with the session ends this. */
void session_park(struct session *s);
void session_unpark(struct session *s);
/* 421, and the end. */
void session_stop(struct session *s);
void session_free(struct session *s);
/* The connection is broken off; session_free() follows from its own callback. */
void session_cut(struct session *s);
bool session_busy(const struct session *s); /* a message is under way */

const char *session_ref(const struct session *s, char out[SMTP_REF_TEXT_MAX]);
/* "id=… src=… port=… dst=…", what every line of the log has, ready for log_event(). */
const char *session_where(const struct session *s, struct buf *out);
/* A row of facts about it, with `detail`. */
void session_fact(struct session *s, const char *source, struct slice detail);
/* "helo=… did=early,auth": what tells a bot from a program that is set up wrongly. */
void session_behaviour(const struct session *s, struct buf *out);
