/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/secrets.h - hashes of passwords: a database of its own beside the ledger, which only the keeper and who checks passwords may open.
 *
 * DIR/secrets/secrets.db is attached to the writer's connection, so that one transaction, and one savepoint of a verb, holds both.
 * What may be known stands in the ledger: whether and when a password was set, by what scheme, the labels of applications. The hashes alone
 * stand here, under the number of the mailbox, which is never given again.
 *
 * Two files in WAL mode do not commit at the same instant: SQLite writes the ledger's log first, then this one. What a crash between the
 * two leaves: the ledger says "set" and the former hash is still here, or "removed" and the hash is still here; never a hash that the
 * ledger knows nothing of. A hash counts only for a mailbox, or an application, that is present in the ledger, so the second
 * lets nobody in. Both files count their common commits (`turn`): where the counts differ at start, secrets_settle() makes the ledger say
 * what is true, and writes that into the audit trail.
 * Owns:    nothing; the connection is the ledger's.
 * Threads: one.
 * Limits:  PASSWORDS_OF_APPLICATIONS_MOST for a mailbox, labels of APPLICATION_LABEL_MOST bytes. A reader attaches it read-only and sees two
 *          files at two instants: he reads the ledger first. */
#pragma once

#include "ledger/ledger.h"
#include "ledger/secrets_form.h"

enum { PASSWORDS_OF_APPLICATIONS_MOST = 50, APPLICATION_LABEL_MOST = 80 };

/* --- what may be known --- */

struct credential {
        struct slice scheme; /* "yescrypt"; empty: no password */
        int64_t set_at;
};
int ledger_credential(struct ledger *l, struct arena *a, int64_t mailbox,
                      struct credential *ret); /* 0 also where there is none */

struct application {
        int64_t id, created, used; /* used 0: never */
        struct slice label;
};
int ledger_applications(struct ledger *l, struct arena *a, int64_t mailbox, struct application **ret, size_t *n);

/* --- for who checks passwords --- */

/* The ledger and its secrets, read-only. -EACCES for whom neither is meant. */
int secrets_open(const char *dir, struct ledger **ret, struct buf *why);

struct secret {
        int64_t mailbox; /* 0: nobody has this login */
        struct slice address;
        struct slice hash; /* empty: no password was set */
        bool suspended;    /* he, or all of his subscriber's: may receive, may not send */
};
/* login: any case. */
int secrets_of_login(struct ledger *l, struct arena *a, struct slice login, struct secret *ret);
/* The application of this mailbox whose password has this digest: -ENOENT where there is none. */
int secrets_application(struct ledger *l, int64_t mailbox, struct slice digest, int64_t *ret_id, int64_t *ret_used);
