/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/gaps.h - lines that are missing: loggers drop what comes too fast, and write once what comes again; and they say how much.
 *
 *     rsyslogd-2177: imuxsock lost 516 messages from pid 159386 due to rate-limiting
 *     rsyslogd: imjournal: 406 messages lost due to rate-limiting
 *     systemd-journald[95]: Suppressed 97 messages from postfix@-.service
 *     postfix/smtpd[7]: message repeated 3 times: [ warning: x[192.0.2.1]: SASL LOGIN authentication failed: …]
 *     last message repeated 2 times
 *
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  whose lines they were is not always said; all are counted. */
#pragma once

#include "base/slice.h"

/* How many lines a line of another program says are missing. */
uint64_t gaps_told(struct slice program, struct slice text);
enum { REPEATS_MOST = 10000 };
/* How often a text stands for itself, REPEATS_MOST at the most; 1 for any other. *text gets what was said; empty: what the line before said. */
uint64_t gaps_repeated(struct slice *text);
