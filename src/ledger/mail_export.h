/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/mail_export.h - mail.db: what a mail server needs of the ledger, in a file that a mail server may open.
 *
 * Postfix and Dovecot open SQLite as if to write: they never get the ledger itself, and nothing but addresses, folders, quotas and
 * hashes stands in what they get (docs/mail.md has their configuration). DIR/mail/mail.db is all derived: every table is a query over
 * ledger and secrets, and what differs from it is put right in one transaction, so a reader sees one moment whole. At start everything is
 * compared, afterwards the addresses of the changes that came.
 *
 * In place versus a new file: servers keep the file open for hours, and would never see one that took its name. A new one is made only
 * where the old is damaged or of another version.
 * Rollback journal versus WAL: in WAL mode a server that closes the file last checkpoints it, and one that may not write cannot read
 * it. The price: who looks up at the instant of a commit finds it locked. No flush is waited for (synchronous = OFF), so that instant
 * is some 50 us; what a power failure damages is made anew at start.
 * Owns:    a connection with ledger and secrets attached; nothing is written to those.
 * Threads: one; called between the writer's transactions.
 * Limits:  private to ledger/. A reader that holds the file locked for EXPORT_BUSY_MS puts the export off. */
#pragma once

#include "ledger/db.h"

enum { MAIL_EXPORT_SCHEMA = 1, EXPORT_BUSY_MS = 100, EXPORT_KEYS_MOST = 1000 };

struct mail_export;

/* 0 and *ret NULL: there are no domains, and no file was made yet. -errno with the sentence in `why`. */
int mail_export_open(const char *dir, struct ledger *l, struct mail_export **ret, struct buf *why);
void mail_export_close(struct mail_export *m);
/* Brings the file to the ledger's last commit; everything is compared where `whole`, or where it cannot be told what changed. */
int mail_export_follow(struct mail_export *m, struct ledger *l, bool whole, struct buf *why);
