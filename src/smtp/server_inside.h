/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/server_inside.h - between the machine (server.c) and what each verb does (server_verbs.c); for nobody else.
 *
 * Owns:    nothing.
 * Threads: as server.h.
 * Limits:  as server.h. */
#pragma once

#include "smtp/server.h"

/* One call of smtp_server_next(). */
struct step {
        struct smtp_server *s;
        int64_t now;
        struct buf *out;
        struct smtp_event *e;
        bool more; /* input stands behind this line */
};

/* A refusal counts, and the last one that is let pass closes. */
void server_say(struct smtp_server *s, struct buf *out, enum smtp_text id);
void server_put(struct smtp_server *s, struct buf *out, const struct smtp_reply *r);
void server_shut(struct smtp_server *s, enum smtp_why why);
/* No transaction any more; true where there was one. */
bool server_reset(struct smtp_server *s);
void server_end_auth(struct smtp_server *s);
void server_arm(struct smtp_server *s, int64_t now);
/* Asks the driver. */
enum smtp_on server_ask(struct step *t, enum smtp_on on);

enum smtp_on server_command(struct step *t, struct slice line);
enum smtp_on server_auth_line(struct step *t, struct slice line);
/* What follows an answer. */
void server_accepted(struct smtp_server *s, enum smtp_on asked, const struct smtp_reply *r, struct buf *out);
void server_refused(struct smtp_server *s, enum smtp_on asked);
