/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/json.h - the ledger's values as JSON objects: one shape for the audit trail and for --json.
 *
 * Owns:    nothing; writes through the caller's struct json.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "base/json.h"
#include "ledger/mail.h"

void lease_json(struct json *j, const char *key, const struct lease *l);
void subscriber_json(struct json *j, const char *key, const struct subscriber *s);
const char *limit_key(enum mail_limit which);
void limits_json(struct json *j, const char *key, const struct mail_limits *l);    /* a number, "none" or "inherit" */
void suspension_json(struct json *j, const char *key, const struct suspension *s); /* null: not suspended */
void mailbox_json(struct json *j, const char *key, const struct mailbox *m);
void alias_json(struct json *j, const char *key, const struct alias *v);
void domain_json(struct json *j, const char *key, const struct domain *d);
void exemption_json(struct json *j, const char *key, const struct exemption *e);
void quarantine_json(struct json *j, const char *key, const struct quarantine *q);
void ban_json(struct json *j, const char *key, const struct ban *b);
