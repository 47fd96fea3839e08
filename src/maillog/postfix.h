/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/postfix.h - what a daemon of Postfix 2.x to 3.x says in one line, as an event with fields.
 *
 * Field-wise and anchored: each form is read from its start, or from an end that only Postfix writes. Text that a stranger chose (HELO,
 * sender, recipient, login, a remote reply, the Subject) is a field's value and never looked into for another field. Where such text
 * makes a line that could be read in two ways, the event is `odd`: what it is and who the client was still hold (they stand
 * before all such text), its other fields are left empty and no category follows from it.
 * Owns:    nothing; slices point into the line.
 * Threads: pure functions.
 * Limits:  a login in a refusal is not read: HELO stands before it and can look like it. A refusal by header or body checks has no
 *          client: the Subject stands before that. The queue id leads to it. */
#pragma once

#include "maillog/event.h"

/* How many bytes of a queue id, long or short, stand at the start of `s`, up to a ':'; 0: none. */
size_t postfix_queue_id(struct slice s);
/* The kind UNKNOWN is an answer, too. */
void postfix_parse(enum mail_daemon daemon, struct slice text, struct mail_event *ret);
