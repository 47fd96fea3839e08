/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/writer.h - the one who writes: the keeper's lock, the database open for writing, and the group being committed.
 *
 * The keeper duty holds one for its life; a command without a keeper holds one for its moment.
 * Owns:    keeper.lock and the connection, until writer_close().
 * Threads: one.
 * Limits:  private to ledger/. Exactly one process writes and checkpoints (SQLite before 3.51.3 can corrupt a log that two reset at once);
 *          the lock, an open file description lock on a file only the owner may write, is what makes it one. */
#pragma once

#include "base/ipc.h"
#include "ledger/ledger.h"

struct writer;

enum { AUTHOR_MOST = 96 };

/* 0; -EBUSY: another process holds the lock; else what the system said. `why` gets the whole sentence. */
int writer_open(const char *dir, struct writer **ret, struct buf *why);
void writer_close(struct writer *w); /* takes back a group that was not committed */
struct ledger *writer_ledger(struct writer *w);
/* Runs one request in the open group (opens one where none is) and appends its reply, which is true only after writer_commit(). */
void writer_run(struct writer *w, struct slice author, struct ipc_reader *frame, struct buf *reply);
/* On disk: 0. Otherwise nothing of the group happened, and every reply of it must be replaced by this status and writer_error(). */
int writer_commit(struct writer *w);
/* A transaction of the keeper's own, with no request in it. No group may be open (writer_commit). -errno: nothing of it happened. */
int writer_own(struct writer *w, int (*work)(struct ledger *l, void *arg), void *arg);
const char *writer_error(const struct writer *w);
/* Brings mail.db to the last commit (ledger/mail_export.h); whole: compares all of it. What fails is made good by the next call. */
int writer_export(struct writer *w, bool whole, struct buf *why);
int64_t writer_last_change(const struct writer *w); /* after the last commit */

/* "alice(1000)" */
const char *author_print(uid_t uid, char out[AUTHOR_MOST]);
