/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/literal.h - a text looked for in megabytes of log, whatever the case of its letters: which lines are worth reading.
 *
 * Where it stands is not asked here: in an address, in HELO or in a reply. Three of its bytes are compared at 64 places at once, and only
 * where all three agree is the rest looked at.
 * Owns:    a copy of the text.
 * Threads: pure, after literal_init().
 * Limits:  LITERAL_MOST bytes; of a longer text the first so many are looked for. Case is that of ASCII. */
#pragma once

#include "base/slice.h"

enum { LITERAL_MOST = 256 };

struct literal {
        char text[LITERAL_MOST]; /* in lower case */
        size_t n;
};

/* The text must not be empty. */
void literal_init(struct literal *l, struct slice text);
/* Where it stands first; NULL: nowhere. */
const char *literal_find(const struct literal *l, struct slice in);
