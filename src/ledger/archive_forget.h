/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/archive_forget.h - erases facts that are older than the policy's `keep` says, in slices.
 *
 * Rows are overwritten (secure_delete), segments that are too old are unlinked, that of the month in which the line falls is written anew
 * without what is before it; lines nobody has go with their last lease; then the write-ahead log, which still has all of it, is emptied.
 * Owns:    what it is doing, between slices.
 * Threads: one.
 * Limits:  private to ledger/. Each slice runs in a transaction of its own. */
#pragma once

#include "ledger/archive_keep.h"
#include "ledger/client.h"
#include "ledger/verbs.h"

struct forgetting;

struct forgetting *forget_begin(const struct forget_before *before);
/* 1: more at once; 2: more, in a moment (readers still have what is gone, or the log is in use); 0: all is done; -errno. */
int forget_step(struct verb_call *c, struct forgetting *f);
const struct forgotten *forget_result(const struct forgetting *f);
void forget_free(struct forgetting *f); /* NULL is fine */
