/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/customers.h - whose a client's address was, by the leases of the ledger, asked for millions of lines.
 *
 * An answer holds as long as its lease does, and that somebody is nobody's for an hour: so the ledger is asked once a lease, not once a line.
 * A lease that has no end yet may end any moment, and its address be somebody else's: who follows a log as it grows believes it, and that
 * somebody is nobody's, only for so long. For a report, what the ledger says when it begins is as good as what it says later.
 * Who cannot be told from others (ports of a shared address, which logs do not name) is nobody.
 * Owns:    its memory of answers; the ledger is the caller's.
 * Threads: one at a time.
 * Limits:  CUSTOMERS_MOST addresses with an answer; then all are asked for anew. */
#pragma once

#include "ledger/ledger.h"

enum { CUSTOMERS_MOST = 1 << 19 };

struct customers;
/* believed: µs after the line it was asked for; TIME_NEVER: for good. */
struct customers *customers_new(struct ledger *l, int64_t believed);
void customers_free(struct customers *c); /* NULL is fine */
/* The id of the subscriber; empty where it was nobody's. It lives as long as `c`. */
struct slice customers_of(struct customers *c, struct slice client, int64_t at);
