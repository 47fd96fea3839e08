/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/line.h - how the network recognises a subscriber: KIND:VALUE in one form only.
 *
 * A MAC is aa:bb:cc:dd:ee:ff and a DUID is hexadecimal with colons, however they were written; other values stay as they are.
 * The line of a port block of an outside address is inside:ADDRESS: whose that is, the leases of the inside address tell.
 * Owns:    nothing; canonical text is in the arena the caller gives.
 * Threads: pure functions.
 * Limits:  values of LINE_VALUE_MOST bytes. */
#pragma once

#include "ledger/ledger.h"

enum { LINE_VALUE_MOST = 253 };

/* "user:alice@example.net". NULL and *ret in canonical form, or what is wrong with it. */
const char *line_parse(struct slice text, struct arena *a, struct line *ret);
/* The same for a line already in two parts, in place. */
const char *line_canonical(struct line *line, struct arena *a);
void line_print(const struct line *line, struct buf *out);
bool line_eq(const struct line *a, const struct line *b);
