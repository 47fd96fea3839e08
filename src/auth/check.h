/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/check.h - whether this is the password of this login.
 *
 * A mailbox has one password of its own and any number for applications. A login nobody has, and one without a password, cost what a
 * wrong password costs: nothing can be learned from how long a no takes.
 * Owns:    nothing.
 * Threads: one connection, one thread. A check takes about 15 ms of one core (auth/password.h).
 * Limits:  reads only: what should be written (a better hash, when an application was last used) is said, and auth_follow_up() asks the
 *          keeper for it. */
#pragma once

#include "auth/password.h"
#include "ledger/client.h"
#include "ledger/secrets.h"

enum auth_answer { AUTH_NO, AUTH_YES };

struct auth_result {
        enum auth_answer answer;
        bool may_send;        /* false: suspended; he may still read his mail */
        struct secret secret; /* whose; valid where the answer is yes */
        int64_t application;  /* by this application's password; 0: by the mailbox's own */
        int64_t used;         /* when that was last used before */
        bool old;             /* the hash should be made anew from this password */
};

/* 0, or -errno as in ledger.h. `l` of secrets_open(); texts in the arena. */
int auth_check(struct ledger *l, struct arena *a, struct slice login, struct slice password, struct auth_result *ret);
/* Whether there is anything for auth_follow_up() to do. */
bool auth_wants_follow_up(const struct auth_result *r, int64_t now);
/* After a yes: a new hash where the old one is weak; the day an application was last used. 0 or what client.h says; 1 and nothing done
 * where the password was changed meanwhile. */
int auth_follow_up(struct client *c, const struct auth_result *r, struct slice password, int64_t now);
