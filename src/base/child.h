/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/child.h - one program run to its end: fixed argv, an environment of LC_ALL=C alone, text in, text out, a deadline.
 *
 * The input is whole before the program starts, and the program ends with us: killed in mid-work, we leave no half text read as a whole
 * one, and nobody who finishes later what somebody else has undone since.
 * Owns:    the child: past the deadline it is killed, and always reaped.
 * Threads: one at a time; blocks.
 * Limits:  CHILD_OUTPUT_MOST bytes of output are kept of each stream, the rest is read and dropped. */
#pragma once

#include "base/buf.h"

enum { CHILD_OUTPUT_MOST = 4 << 20 };

struct child {
        const char *const *argv; /* argv[0] is an absolute path */
        struct slice input;
        int64_t deadline_us;         /* from now */
        struct buf *output, *errors; /* may be NULL */
};

/* 0 and *status (the exit status, or 128 + signal) when it ran; -errno where it could not be started (-ENOENT: no such program);
 * -ETIMEDOUT when it was killed. */
int child_run(const struct child *c, int *status);
