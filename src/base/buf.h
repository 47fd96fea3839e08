/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/buf.h - text that grows up to a hard maximum.
 *
 * A builder for rulesets, replies, JSON and log lines. Past its maximum nothing more is added and
 * `full` stays true: the caller looks once, at the end.
 * Owns:    its bytes, until buf_done().
 * Threads: one at a time.
 * Limits:  `max`, given at buf_init(). p is never NULL after the first add and always ends in a zero. */
#pragma once

#include "base/slice.h"

struct buf {
        char *p;
        size_t n, cap, max;
        bool full;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
#define autobuf CLEANUP(buf_done) struct buf
void buf_clear(struct buf *b);
void buf_add(struct buf *b, struct slice s);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *cstr);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Printable ASCII and UTF-8 as they are, all other bytes, quotes and backslashes as \xNN: safe in a log line or a terminal. */
void buf_add_escaped(struct buf *b, struct slice s);
/* The same for people's tables: quotes and backslashes stay as they are. */
void buf_add_shown(struct buf *b, struct slice s);
struct slice buf_slice(const struct buf *b);
const char *buf_cstr(struct buf *b); /* never NULL */
/* Hands the bytes to the caller, who frees them. */
char *buf_take(struct buf *b);
