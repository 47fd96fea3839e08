/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/sessions.h - the table behind bindings.h: sessions found by their key, by what they hold, by NAS, and by their next deadline.
 *
 * One allocation a session and one for each thing it holds; NAS and source are kept once. What follows from an event stands in bindings.c.
 * Owns:    sessions, what they hold, and the NAS they are of.
 * Threads: one; no I/O, no clock.
 * Limits:  memory; texts are cut at SESSION_TEXT_MOST bytes, a protocol's name at 7. Hashes are keyed: nobody can choose his bucket. */
#pragma once

#include "identity/event.h"

enum {
        SESSION_TEXT_MOST = 1024,
        SESSION_KIN_MOST = 64, /* of one key or one address, the newest: who shares more is not looked at */
        SESSION_OVER_MOST = 8  /* behind so many in a row that are over, nobody is looked for who is not */
};

enum session_state {
        SESSION_OPEN,
        SESSION_PRESUMED, /* over, as it seems: replaced, silent, expired, by a reset of the NAS */
        SESSION_ENDED     /* somebody said so */
};

struct nas {
        struct nas *next;
        struct session *open; /* its open sessions */
        size_t n;             /* all of its sessions */
        int64_t reset;        /* the last one handled */
        uint64_t hash;
        uint16_t n_source, n_name;
        char text[];
};

struct binding {
        struct session *of;
        struct binding *sibling;      /* the next of the same session */
        struct binding *next, **link; /* in its bucket */
        int64_t start, end;           /* end TIME_NEVER: when the session ends */
        int64_t session_end;          /* a copy of it */
        int64_t id;                   /* in the ledger */
        uint32_t hash;
        uint16_t port_low, port_high;
        struct prefix prefix;
        char proto[8];
        bool changed, published; /* to be told; the ledger has it under this start */
};

struct session {
        struct session *next, **link; /* in its bucket */
        struct session *open_next, **open_link;
        struct session *dirty_next;
        struct nas *nas;
        struct binding *held;
        char *closing; /* why it ended, and the evidence of that */
        char *learned; /* the line, where a later report told it */
        int64_t start, last /* sign of life */, end, expires;
        int64_t touched; /* the clock when it ended */
        int64_t interval;
        uint64_t hash;
        uint32_t place; /* in the heap */
        uint16_t n_why, n_closing, room;
        uint16_t n_realm, n_session, n_user, n_kind, n_value, n_evidence;
        uint8_t gaps;
        uint8_t state;
        bool start_known, dirty, loaded;
        char text[];
};

struct sessions {
        struct session **by_key;
        struct binding **by_held;
        struct nas **by_nas;
        size_t key_cap, held_cap, nas_cap, n, n_held, n_nas, n_open;
        struct deadline {
                int64_t at;
                struct session *s;
        } * heap;
        size_t heap_cap;
        struct nas *recent; /* the one asked for last */
};

void sessions_init(struct sessions *t);
void sessions_done(struct sessions *t);

struct nas *sessions_nas(struct sessions *t, struct slice source, struct slice name, bool make);
/* The newest of the event's key; then the next of the same key. */
struct session *sessions_find(const struct sessions *t, const struct nas *nas, struct slice session, struct slice user);
struct session *sessions_next(const struct session *s);
struct session *sessions_kin(const struct sessions *t, const struct session *s); /* the newest of its key */
/* The newest that holds exactly this, of this source and realm; then the next whose session did not end before `since`. */
struct binding *sessions_holder(const struct sessions *t, struct slice source, struct slice realm,
                                const struct held *h);
struct binding *sessions_next_holder(const struct binding *b, int64_t since);

/* An open session with nothing held; its deadline is `due`. */
struct session *sessions_add(struct sessions *t, struct nas *nas, const struct event *e, int64_t due);
void session_learn(struct session *s, const struct line *line); /* its line, where it had none */
void sessions_drop(struct sessions *t, struct session *s);
struct binding *sessions_hold(struct sessions *t, struct session *s, const struct held *h, int64_t start);
void sessions_leave(struct sessions *t, struct binding *b);
void session_ends(struct session *s, int64_t end);        /* its end, whatever its state */
void session_expires(struct session *s, int64_t expires); /* and ends then, where it is open */
void sessions_open(struct sessions *t, struct session *s);
void sessions_close(struct sessions *t, struct session *s, enum session_state state, int64_t end, struct slice why,
                    struct slice evidence);
/* The deadline may lie earlier than it is kept: an earlier one must be told, a later one may. */
void sessions_due(struct sessions *t, struct session *s, int64_t due);

struct slice session_source(const struct session *s);
struct slice session_id(const struct session *s);
struct slice session_user(const struct session *s);
/* Fills in all that the session and what it holds say; slices live as long as the session, evidence is written to `evidence`. */
void session_lease(const struct session *s, const struct binding *b, struct buf *evidence, struct lease *ret);
bool session_has_line(const struct session *s);
