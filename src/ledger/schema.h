/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/schema.h - the tables, and how an older ledger becomes a newer one.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  private to ledger/. Forward only: a ledger of a newer Porteiro is refused. */
#pragma once

#include "ledger/db.h"

/* 0: as this program wants it. -ENOENT: nothing in it yet; -EUCLEAN: newer than this program; -EAGAIN: older, a writer must open it. */
int schema_check(struct ledger *l);
/* Brings an empty or older one up to LEDGER_SCHEMA, each step whole or not at all. */
int schema_migrate(struct ledger *l);
/* An empty ledger in memory, open for writing: for tests and fuzzing. */
int ledger_open_memory(struct ledger **ret);
