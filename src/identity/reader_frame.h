/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/reader_frame.h - where one record ends and the next begins, in bytes that come in any pieces.
 *
 * Four kinds are all that the formats need. Each can find its feet again after damage: a detail record that lacks its blank line ends where the next
 * header begins, a lease block that lacks its brace ends where a line begins with the next `lease`, and a row whose quotes never close costs
 * its own line only.
 * Owns:    up to twice READER_RECORD_MOST bytes.
 * Threads: one.
 * Limits:  each byte is looked at a bounded number of times, whatever the pieces and the damage. */
#pragma once

#include "base/slice.h"

enum frame_kind {
        FRAME_LINES,
        FRAME_ROWS,   /* lines, but for line ends within quotes */
        FRAME_BLOCKS, /* up to a blank line; begins at the margin, all else is indented */
        FRAME_BRACES  /* up to the closing brace, or a semicolon outside of braces */
};

struct frames {
        enum frame_kind kind;
        char *bytes;
        size_t begin, end; /* unread */
        /* within the unread bytes: */
        size_t seen;  /* scanned up to here */
        size_t at;    /* where the line that is being scanned began */
        size_t lines; /* line ends before `seen` */
        size_t quotes;
        unsigned depth;
        bool content, quoted, escaped, comment;
        bool passing;                      /* the rest of a record that is too long */
        bool cut;                          /* the first line's beginning was passed over */
        uint64_t offset, line;             /* of `begin`, in the file */
        uint64_t place_offset, place_line; /* behind the last record that is done with */
};

struct framed {
        struct slice text; /* lives until the next call */
        uint64_t line;
        bool whole;
        bool too_long; /* text is empty or its beginning: it was, or is being, passed over */
        bool unclosed; /* a row whose quotes never close: its first line */
};

void frames_init(struct frames *f, enum frame_kind kind);
void frames_done(struct frames *f);
/* As many bytes as there is room for; call frames_next() until it finds nothing more before the next. */
size_t frames_feed(struct frames *f, struct slice bytes);
/* The next bytes are those at this place. */
void frames_resume(struct frames *f, uint64_t offset, uint64_t line);
bool frames_next(struct frames *f, bool at_end, struct framed *ret);
