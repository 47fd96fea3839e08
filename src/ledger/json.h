/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/json.h - the ledger's values as JSON objects: one shape for the audit trail and for --json.
 *
 * Owns:    nothing; writes through the caller's struct json.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "base/json.h"
#include "ledger/ledger.h"

void lease_json(struct json *j, const char *key, const struct lease *l);
void subscriber_json(struct json *j, const char *key, const struct subscriber *s);
void exemption_json(struct json *j, const char *key, const struct exemption *e);
void quarantine_json(struct json *j, const char *key, const struct quarantine *q);
