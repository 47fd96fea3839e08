/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/line.h - command lines out of bytes, however they were cut on their way.
 *
 * A line ends in CRLF and in nothing else (RFC 5321 2.3.8). What has a bare CR, a bare LF or a NUL in it is no command: it is told once,
 * as soon as it is seen, and passed over up to its CRLF, so that no two programs can disagree on where a command begins.
 * Owns:    the beginning of a line whose end has not come yet; nothing while none is pending.
 * Threads: pure.
 * Limits:  `most`, an argument, counts the CRLF (RFC 5321 4.5.3.1.4); a longer line is told once and passed over. */
#pragma once

#include "base/slice.h"

enum { SMTP_LINE_RFC = 512, SMTP_LINE_MOST = 4096, SMTP_LINE_AUTH_MOST = 12288 /* RFC 4954 4 */ };

enum smtp_line_found { SMTP_LINE_MORE, SMTP_LINE, SMTP_LINE_LONG, SMTP_LINE_BARE_CR, SMTP_LINE_BARE_LF, SMTP_LINE_NUL };

struct smtp_line {
        char *part; /* NULL while nothing is pending */
        uint32_t n, room;
        bool after_cr, skipping, given;
};

/* Takes from *in up to the end of a line. SMTP_LINE: *ret is the line without its CRLF, good until the next call. */
enum smtp_line_found smtp_line_next(struct smtp_line *l, struct slice *in, size_t most, struct slice *ret);
/* Nothing is begun: the next byte is the first of a line. */
bool smtp_line_fresh(const struct smtp_line *l);
void smtp_line_done(struct smtp_line *l); /* what was pending is wiped */

/* Where the first CR, LF or NUL stands; s.n where there is none. */
size_t smtp_special(struct slice s);
