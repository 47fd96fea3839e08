/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/names.h - a number for each different text: clients, logins, senders.
 *
 * Records and counters keep four bytes instead of the text, and index arrays with it.
 * Owns:    a copy of each text, until names_free().
 * Threads: one at a time.
 * Limits:  `most` texts, NAMES_MOST of them at the most; one that comes later is NAMES_OTHERS, and names_lost() counts how often. Texts are
 *          known by a keyed hash (strangers cannot choose where their names go), of which 40 bits are compared besides the place: at ten
 *          million look-ups, two names in a hundred thousand runs are taken for one. */
#pragma once

#include "base/slice.h"

enum { NAMES_NUMBER_BITS = 24, NAMES_MOST = 1 << NAMES_NUMBER_BITS };
enum { NAMES_NONE = 0, NAMES_OTHERS = 1, NAMES_FIRST = 2 }; /* the empty text; those past the ceiling */

struct names;
struct names *names_new(uint32_t most);
void names_free(struct names *n); /* NULL is fine */
/* Before the first names_hash(), in one thread; names_new() does it, too. */
void names_ready(void);
/* Of a text, the same in all tables of this process. Any thread. */
uint64_t names_hash(struct slice text);
uint32_t names_id(struct names *n, struct slice text, uint64_t hash); /* hash: what names_hash() says */
uint32_t names_find(const struct names *n, uint64_t hash);            /* NAMES_NONE: it has no number */
void names_expect(const struct names *n, uint64_t hash);              /* names_id() will be asked for it soon */
struct slice names_text(const struct names *n, uint32_t id);          /* "" and "(others)" for the first two */
uint32_t names_end(const struct names *n);                            /* one past the highest number given */
uint64_t names_lost(const struct names *n);
