/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/parse.h - the text of a line, read by the table of the server that wrote it.
 *
 * Owns:    nothing; slices point into the line.
 * Threads: pure functions.
 * Limits:  none. */
#pragma once

#include "maillog/event.h"

/* `daemon` as mail_daemon_of() tells it, and not NONE. The kind UNKNOWN is an answer, too. */
void mail_parse(enum mail_daemon daemon, struct slice text, struct mail_event *ret);
