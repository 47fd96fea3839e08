/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/follow.h - base/tail.h for a reader of leases: its place in the file being read, line and heading too, as text.
 *
 * Owns:    what base/tail.h owns, and the heading of a place.
 * Threads: one; as base/tail.h.
 * Limits:  FOLLOW_HEADING_MOST bytes of heading are kept in a place; with more the file is read from its beginning after a restart. */
#pragma once

#include "base/tail.h"
#include "base/time.h"
#include "identity/reader.h"

enum { FOLLOW_HEADING_MOST = 1500 };

#define FOLLOW_GRACE SECOND

struct follow;

struct follow *follow_new(const char *path);
void follow_free(struct follow *f);
struct tail *follow_tail(struct follow *f);

/* The place a reader stands at in the file being read, as one line of text. */
void follow_place(struct follow *f, const struct reader_place *p, struct buf *out);
/* Before the first tail_read(): goes on from a place. true: it was found, under its name or renamed in the same folder, and *ret is for the
 * reader (its heading is kept by `f`). false: it was not; the file is read from its beginning. */
bool follow_resume(struct follow *f, struct slice place, struct reader_place *ret);
