/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/html.h - text that strangers wrote, as text inside HTML or XML: of elements, and of attributes in quotes.
 *
 * What has a meaning there becomes a character reference. Control bytes, invalid UTF-8 and what turns the direction of a text (slice_utf8)
 * stand in neither.
 * Owns:    nothing; writes into the caller's buf.
 * Threads: one at a time.
 * Limits:  none. Not for scripts, styles, comments, names of elements or addresses of links: nothing of a stranger's goes there. */
#pragma once

#include "base/buf.h"

/* The character at the start. Returns its length; 0 where it may not stand there: nothing was added. */
size_t html_add_character(struct buf *out, struct slice s);
/* All of it; what may not stand there as \xNN. */
void html_add(struct buf *out, struct slice s);
