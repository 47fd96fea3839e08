/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/bulk.h - what every import of a file has in common: all rows or none, every mistake told, what changed, and the client's key.
 *
 * One transaction holds all of it: an import that was interrupted did nothing, and is simply run again. Where the client gave a key, the same
 * key with the same rows is answered with when it was done and by whom, and nothing is done; with other rows it is refused.
 * Owns:    its report, until bulk_finish().
 * Threads: one.
 * Limits:  private to ledger/. ERRORS_TOLD_MOST mistakes are told; all are counted. */
#pragma once

#include "ledger/verbs.h"
#include "base/sha256.h"

enum { ERRORS_TOLD_MOST = 1000, IMPORT_KEY_MOST = 128 };

struct bulk {
        const char *verb;
        bool dry_run;
        struct slice key;
        char hash[SHA256_HEX + 1];
        size_t n, errors, added, changed;
        int64_t done_at; /* the key was known: when */
        struct slice done_by;
        struct buf report;
};

/* Reads dry_run and key; what is left of the request, the rows, is what the key stands for. 0; BULK_DONE: nothing is to be done; 1; -errno. */
enum { BULK_DONE = 2 };
int bulk_begin(struct verb_call *c, struct bulk *b, const char *verb);
/* 1 becomes 0 after the reason was put down with its line (0: none). */
int bulk_refused(struct verb_call *c, struct bulk *b, int64_t row, int status);
/* One row that would be done; untouched ones are only counted. */
void bulk_tell(struct bulk *b, struct slice name, bool existed, bool touched, struct slice differences);
/* The answer of the verb, from how it went so far: puts the results, remembers the key. A dry run is a success that is taken back: the client
 * turns its 2 into 0. */
int bulk_finish(struct verb_call *c, struct bulk *b, int status);

/* "class home -> business", behind a comma where something stands before it; nothing where both are equal. */
void bulk_difference(struct buf *out, const char *what, struct slice before, struct slice after);
