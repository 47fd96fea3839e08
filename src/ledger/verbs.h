/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/verbs.h - everything that can be asked of the ledger's writer: the table of verbs, and what their handlers share.
 *
 * A verb runs inside a savepoint: answered 0 it is part of the group's commit, answered anything else it changed nothing.
 * Every decision adds a row to the audit trail; what an enforcer must look at again adds a row to `change`.
 * Owns:    nothing; what a handler allocates goes with the call's arena.
 * Threads: one.
 * Limits:  private to ledger/. Numbers of verbs are for ever. */
#pragma once

#include "base/ipc.h"
#include "ledger/db.h"

/* X(number, name) */
#define VERBS(X)                                                                                                       \
        X(1, generation_add)                                                                                           \
        X(2, generation_loaded)                                                                                        \
        X(3, generation_confirm)                                                                                       \
        X(4, generation_rollback)                                                                                      \
        X(10, subscriber_put)                                                                                          \
        X(11, subscriber_remove)                                                                                       \
        X(12, subscriber_import)                                                                                       \
        X(13, told)                                                                                                    \
        X(20, lease_add)                                                                                               \
        X(21, lease_end)                                                                                               \
        X(22, leases_put)                                                                                              \
        X(23, segments_check)                                                                                          \
        X(24, segments_add)                                                                                            \
        X(25, forget)                                                                                                  \
        X(26, segments_live)                                                                                           \
        X(28, lookup)                                                                                                  \
        X(30, exemption_add)                                                                                           \
        X(31, exemption_remove)                                                                                        \
        X(32, quarantine_add)                                                                                          \
        X(33, quarantine_release)                                                                                      \
        X(34, ban_add)                                                                                                 \
        X(35, ban_release)                                                                                             \
        X(50, mailbox_put)                                                                                             \
        X(51, mailbox_remove)                                                                                          \
        X(52, mailbox_import)                                                                                          \
        X(53, mail_suspend)                                                                                            \
        X(58, mailbox_restrain)                                                                                        \
        X(54, alias_put)                                                                                               \
        X(55, alias_remove)                                                                                            \
        X(56, domain_put)                                                                                              \
        X(57, domain_remove)                                                                                           \
        X(60, password_set)                                                                                            \
        X(61, password_rehash)                                                                                         \
        X(62, password_import)                                                                                         \
        X(63, app_password_add)                                                                                        \
        X(64, app_password_remove)                                                                                     \
        X(65, app_password_used)                                                                                       \
        X(40, sightings_add)                                                                                           \
        X(41, suspicion_set)

#define VERB_ENUM(number, name) VERB_##name = number,
/* listen and notice are the keeper's own: they touch no table. */
enum verb { VERBS(VERB_ENUM) VERB_listen = 100, VERB_notice = 101 };

struct verb_call {
        struct ledger *ledger;
        struct slice author;
        int64_t now;
        struct ipc_reader *args;
        struct buf *results; /* fields that follow status and reason */
        struct buf *why;     /* for people, where the answer is no */
        struct arena *arena;
        struct slice last_kind, last_key; /* of the change recorded last */
};

#define VERB_HANDLER(number, name) int verb_##name(struct verb_call *c);
VERBS(VERB_HANDLER)

/* Runs one request inside the transaction that is open, and appends the reply frame: status, reason, results. Returns the status. */
int verbs_run(struct ledger *l, struct slice author, struct ipc_reader *frame, int64_t now, struct buf *reply);
/* A reply without results. */
void verbs_reply(struct buf *reply, uint16_t verb, int status, struct slice reason);

/* The answer no, with its reason: returns 1. */
int verb_no(struct verb_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A text of at most `most` bytes and without control characters (line ends and tabs aside)? Says no otherwise. */
int verb_text(struct verb_call *c, const char *what, struct slice s, size_t most);
/* And UTF-8 that base/csv reads, as all must be that an export writes: else it could not be imported again. */
int verb_words(struct verb_call *c, const char *what, struct slice s, size_t most);

int record_change(struct verb_call *c, struct slice kind, struct slice key);
struct record {
        const char *verb;
        struct slice key, why, before, after;
};
/* A value as it stands in the trail: one of the printers of ledger/json.h behind a void pointer. NULL gives nothing. */
struct json;
struct slice record_json(struct verb_call *c, void (*print)(struct json *, const char *, const void *),
                         const void *value);
int record_audit(struct verb_call *c, const struct record *r);
