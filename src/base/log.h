/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/log.h - one event, one line on stderr: event=NAME key=value …
 *
 * Drivers log, mechanisms never do. Values from outside go through log_text(), which escapes and cuts them.
 * Owns:    the name of this process's duty.
 * Threads: each line is one write(2).
 * Limits:  LOG_LINE_MOST bytes a line, LOG_VALUE_MOST a value. */
#pragma once

#include "base/buf.h"

enum { LOG_LINE_MOST = 2048, LOG_VALUE_MOST = 256 };

void log_duty(const char *name); /* shown as duty=NAME in each line */
/* log_event("generation-loaded", "n=%lld ms=%lld", …); the text after the event is ready key=value pairs. */
void log_event(const char *event, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A value in double quotes, escaped and cut, in `out`; returns out's text. */
const char *log_text(struct buf *out, struct slice value);
