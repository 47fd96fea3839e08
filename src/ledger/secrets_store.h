/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/secrets_store.h - secrets.db as the writer has it: attached, brought up to date, and settled with the ledger.
 *
 * Owns:    nothing; the connection is the ledger's.
 * Threads: one.
 * Limits:  private to ledger/. The schema version is its own. */
#pragma once

#include "ledger/verbs.h"

enum { SECRETS_SCHEMA = 1 };

/* For a writer: makes DIR/secrets/secrets.db where it is missing. dir NULL: in memory. 0; -errno with the words in ledger_error(). */
int secrets_attach(struct ledger *l, const char *dir);
/* After a crash between the two commits: the ledger says again what is true. *ret_settled: how many rows said something else. */
int secrets_settle(struct ledger *l, int64_t now, int64_t *ret_settled);
/* Says that this transaction writes to both files: to be called by each verb that does. */
int secrets_turn(struct ledger *l);
/* For the verb that removes a mailbox: its passwords go with it. */
int secrets_forget(struct verb_call *c, int64_t mailbox);
