/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/gaps.h - lines that are missing: loggers drop what comes too fast, and say how much.
 *
 *     rsyslogd-2177: imuxsock lost 516 messages from pid 159386 due to rate-limiting
 *     rsyslogd: imjournal: 406 messages lost due to rate-limiting
 *     systemd-journald[95]: Suppressed 97 messages from postfix@-.service
 *
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  whose lines they were is not always said; all are counted. */
#pragma once

#include "base/slice.h"

/* How many lines a line of another program says are missing. */
uint64_t gaps_told(struct slice program, struct slice text);
