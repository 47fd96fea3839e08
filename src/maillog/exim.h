/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/exim.h - what Exim 4 says in one line of its main log, as an event with fields.
 *
 * A line is read in every way that it can be read. Where that is one, it is that; where it is more (a HELO that looks like the rest of
 * a line, where helo_accept_junk_hosts lets it in; a recipient that looks like the end of a HELO), the event is `odd`: its kind, queue id and
 * status hold, its fields are empty, its client, too: only that address is a client's which must be. Exim writes the name that
 * HELO gave in parentheses, so it can hide nothing that stands before it, and whoever makes his line odd does so with what is no login and no
 * mailbox.
 * Owns:    nothing; slices point into the line, but for the stage, which is a name.
 * Threads: pure functions.
 * Limits:  a line over 870 bytes that Exim cut for syslog, "[1/3] ", is odd, and its other parts are notes. */
#pragma once

#include "maillog/event.h"

/* How many bytes of a message id, "1xXJzI-0003gz-1R" or (4.97) "1xXJzI-0000000003g-1R2a", stand at the start of `s`, up to a blank; 0: none. */
size_t exim_queue_id(struct slice s);
/* `text` may still have Exim's own time and process id in front. The kind UNKNOWN is an answer, too. */
void exim_parse(struct slice text, struct mail_event *ret);
