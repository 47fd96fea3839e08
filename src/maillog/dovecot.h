/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/dovecot.h - what Dovecot 2.2 to 2.4 says in one line, as an event with fields.
 *
 * A login line ends in elements (user=<…>, method=…, rip=…, lip=…, session=<…>), and Dovecot puts the name that was tried between the
 * brackets as it is: "a>, rip=192.0.2.1, x=<b" is a name. So each '>' is tried as the end of the name, and what follows must be elements to
 * the end of the line, none of them twice, with an address: a name that holds an address does not pass. Where more than one does,
 * the event is `odd` and has no login; where none does, it has no client, either.
 * Owns:    nothing; slices point into the line.
 * Threads: pure functions.
 * Limits:  of login_log_format_elements the default order: the name first, and rip= behind it. What auth and its workers say of a failure
 *          is a note: the line of the login process counts. */
#pragma once

#include "maillog/event.h"

/* The kind UNKNOWN is an answer, too. */
void dovecot_parse(struct slice text, struct mail_event *ret);
