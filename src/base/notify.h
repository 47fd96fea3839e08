/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/notify.h - telling who started us that we are ready: a supervisor, or systemd, in the words of sd_notify(3).
 *
 * The descriptor is opened before the process locks itself in, and is all that is needed afterwards.
 * Owns:    one socket a process.
 * Threads: one.
 * Limits:  nobody may listen; then nothing is said, and nothing fails. */
#pragma once

#include "base/base.h"

/* Names the descriptor of a supervisor's socket in a child's environment. */
#define NOTIFY_FD_VARIABLE "PORTEIRO_NOTIFY_FD"

/* Takes the way out of the environment, so that children do not inherit it. Once, before the first notify(). */
void notify_open(void);
/* "READY=1", "STATUS=…", "WATCHDOG=1", "STOPPING=1"; several with line ends between. */
void notify(const char *text);
/* How often systemd wants WATCHDOG=1, in microseconds, halved to be safe; 0 where it does not. */
int64_t notify_watchdog(void);
