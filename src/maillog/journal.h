/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/journal.h - the export format of systemd's journal (journalctl -o export), as lines of syslog.
 *
 * Bytes go in, in pieces of any size; each entry comes out as one line, "2026-11-28T13:20:02.123456+00:00 HOST PROGRAM[PID]: MESSAGE". Fields are
 * "NAME=text", or, where a value has control characters, NAME, a line end, 64 bits of length (little-endian), the bytes (systemd.io,
 * Journal Export Format): what a message contains is never looked at for the end of a field. The time is when the program spoke, where the
 * journal knows it, else when the journal heard it. A program is named by SYSLOG_IDENTIFIER, else by _COMM. Line ends in a message become blanks.
 * Owns:    one entry.
 * Threads: one stream, one thread.
 * Limits:  an entry of 1 MB; one that is longer is left out and counted. An entry without time or message makes no line. */
#pragma once

#include "base/buf.h"

enum { JOURNAL_ENTRY_MOST = 1 << 20, JOURNAL_HEAD = 9 };

struct journal;
/* Whether that is how an export begins; JOURNAL_HEAD bytes are enough. */
bool journal_begins(struct slice head);
struct journal *journal_new(void);
void journal_free(struct journal *j);
/* Lines are added to *out: at most `in` and an entry. False: that is no export from there on, and nothing more is taken. */
bool journal_feed(struct journal *j, struct slice in, struct buf *out);
/* The last entry, if nothing ends it. False: it ends in the middle of one. */
bool journal_end(struct journal *j, struct buf *out);
uint64_t journal_left_out(const struct journal *j);
