/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/data.h - the bytes of a message between DATA and the dot, in both directions.
 *
 * Two programs that disagree on where a message ends are the whole of "SMTP smuggling", so there is one reading: CRLF ends a line, a line
 * of one dot ends the message (RFC 5321 4.1.1.4, 4.5.2), and what came in is framed anew on its way out.
 *
 * REFUSING VERSUS REPAIRING bare CR, bare LF and NUL. Repairing changes what a signature covers, and the next program might still see
 * another end than we do. A message that has one is read to its real end, passed on to nobody and answered with 5xx, which names the
 * reason; programs that send such are rare and can be set right.
 * Owns:    nothing; spans are slices of the input, or constants.
 * Threads: pure.
 * Limits:  `most` counts the message's own bytes (RFC 1870 5): neither the dots that were doubled nor the end. Lines over 998 are let
 *          through and flagged (RFC 5322 2.1.1). */
#pragma once

#include "base/slice.h"

enum smtp_data_fault {
        SMTP_DATA_CLEAN,
        SMTP_DATA_BARE_CR,
        SMTP_DATA_BARE_LF,
        SMTP_DATA_NUL,
        SMTP_DATA_TOO_BIG,
};

enum smtp_data_found {
        SMTP_DATA_MORE,   /* the input is used up */
        SMTP_DATA_BYTES,  /* *span is the message's next bytes */
        SMTP_DATA_BROKEN, /* `fault` is set: told once, no bytes come after it */
        SMTP_DATA_END,    /* the dot; `fault` says whether the message may be used */
};

enum { SMTP_TEXT_LINE_MOST = 998 };

struct smtp_data {
        uint64_t size, most;
        uint32_t line; /* bytes of the present line so far */
        uint8_t state, fault;
        bool long_line;
};

void smtp_data_init(struct smtp_data *d, uint64_t most); /* 0: no limit */
enum smtp_data_found smtp_data_next(struct smtp_data *d, struct slice *in, struct slice *span);

/* The way out: dots doubled, the end added. */
struct smtp_frame {
        uint8_t state;
        bool bad;
};

/* True: *span must be written next. False: the input is used up, or `bad` is set: a bare CR, bare LF or NUL was to go out, and the
 * connection must be dropped without an end. */
bool smtp_frame_next(struct smtp_frame *f, struct slice *in, struct slice *span);
/* What ends the message; empty where it must not be ended. */
struct slice smtp_frame_end(const struct smtp_frame *f);
