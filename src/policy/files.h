/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/files.h - where the texts of a policy come from: one file and its includes, or one flattened text that holds
 * them all.
 *
 * Registers each as a source of the diags, and says what hinders: unreadable, twice, too deep, too many, too long.
 * Owns:    texts while they are read; the diags keep copies.
 * Threads: one at a time.
 * Limits:  DIAG_SOURCES_MOST files, POLICY_TEXT_MOST bytes in all. */
#pragma once

#include "base/map.h"
#include "policy/lexer.h"
#include "policy/policy.h"

enum { INCLUDE_DEPTH_MOST = 16 };

/* The first line of a text that holds several files (policy_flatten) begins so, as does the first line of each file in
 * it. */
#define FILE_MARK "#@ file "

struct files {
        const struct policy_input *in;
        struct diags *d;
        struct arena *arena;
        struct map bundle;   /* name to text, where `in` is a flattened text */
        struct map included; /* the file to where */
        uint32_t main;       /* the first source */
        size_t bytes;
        bool flattened;
};

/* Registers the main file; false where it is too long. */
bool files_init(struct files *f, const struct policy_input *in, struct diags *d, struct arena *arena);
void files_done(struct files *f);
/* The file that `name` in file `from` means; false after a diagnostic at its place. */
bool files_include(struct files *f, struct token name, uint32_t *ret_source);
