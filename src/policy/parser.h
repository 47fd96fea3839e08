/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/parser.h - text into a draft: blocks, options, includes.
 *
 * Reads to the end whatever it meets, so that one run shows every mistake.
 * Owns:    the lists of blocks of a draft, until policy_draft_done(); values live in its arena, texts in the diags.
 * Threads: one at a time.
 * Limits:  INCLUDE_DEPTH_MOST files within files; else those of files.h. */
#pragma once

#include "policy/draft.h"

/* Adds what the text and its includes say to the draft, and every mistake to `d`. */
void policy_draft(const struct policy_input *in, struct diags *d, struct draft *ret);
void policy_draft_done(struct draft *draft);
