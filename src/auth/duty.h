/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/duty.h - the duty `auth`: who may log in, and what he may, for those who ask at STATE/auth.sock (auth/wire.h).
 *
 * It reads what edges send and never touches a hash: checks go to checkers (auth/pool.h). Whether a domain is ours it looks up itself. Where the
 * ledger cannot be read, nobody is told a no.
 * Owns:    its socket and the connections; a reader of the ledger.
 * Threads: one, with its own loop.
 * Limits:  AUTH_ASKERS_MOST connections, of root, of the duty's own user and of the edge's; who lets AUTH_UNREAD_MOST bytes of answers lie is
 *          hung up on. */
#pragma once

#include "base/buf.h"
#include "policy/policy.h"

enum { AUTH_ASKERS_MOST = 64, AUTH_UNREAD_MOST = 4 << 20 };

struct auth_options {
        const char *dir;
        int nursery; /* of nursery_start() */
        const struct policy *policy;
        void (*lock_in)(void); /* called when all is open; may be NULL */
        bool (*still)(void);   /* asked every second: false ends it, to be started anew; may be NULL */
};

/* Until SIGTERM or SIGINT: what is being checked is answered first. Returns an exit status; what hinders it is on stderr. */
int auth_run(const struct auth_options *o);
/* What the duty takes from a policy, as text, to be compared with another policy's. */
void auth_wanted(const struct policy *p, struct buf *out);
