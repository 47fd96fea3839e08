/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/xtext.h - values inside commands that may hold any byte (RFC 3461 4): "+" and two capital hexadecimal digits stand for a byte.
 *
 * Owns:    nothing.
 * Threads: pure.
 * Limits:  the caller's. */
#pragma once

#include "base/buf.h"

bool smtp_xtext_valid(struct slice s);
void smtp_xtext_put(struct buf *out, struct slice bytes);
/* False where it is no xtext; `out` has room for s.n bytes, or is NULL. */
bool smtp_xtext_decode(struct slice s, char *out, size_t *n);
