/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/checker.h - a process that checks one password after the other, and what it says to the duty that has it.
 *
 * A job is a frame AUTH_CHECK (auth/wire.h) whose id is the duty's serial number, one message of a SOCK_SEQPACKET pair. The answer holds the
 * frame for the edge, but for what depends on the policy: the duty has it, the checker does not need it. The answer goes out first; a
 * better hash, or the day an application's password was used, goes to the keeper behind it, and where the keeper is away it waits for the
 * next login.
 * Owns:    a reader of the ledger and of the hashes, opened when first needed, and anew after trouble.
 * Threads: one process, one job at a time.
 * Limits:  FOLLOW_UP_PATIENCE for the keeper, and FOLLOW_UP_PAUSE until it is asked again when it did not answer. */
#pragma once

#include "auth/quality.h"
#include "auth/wire.h"
#include "policy/limits.h"

enum { CHECKER_MESSAGE_MOST = AUTH_REPLY_MOST + (8 << 10) };

/* Until the other end is closed. */
void checker_run(const char *dir, const struct words *words, int fd);

struct checker_answer {
        int64_t serial;
        bool busy;                        /* it still has something to do, and says when that is done */
        int64_t limits[AUTH_LIMIT_COUNT]; /* said of the mailbox or its subscriber; LIMIT_INHERIT: the policy says */
        int64_t recipients_hour;          /* no more, whatever the limits say; LIMIT_NONE */
        struct slice class;               /* the subscriber's own */
        struct slice frame;               /* for auth_reply_get() */
};
/* What a checker says: 0 and an answer; 1: it is not busy any more; -EBADMSG. */
int checker_heard(struct slice message, struct checker_answer *ret);

static inline enum mail_limit checker_limit(size_t i)
{
        return (enum mail_limit)(MAIL_LIMIT_MESSAGES_HOUR + (int)i);
}
_Static_assert(MAIL_LIMIT_RECIPIENTS_DAY - MAIL_LIMIT_MESSAGES_HOUR == (int)AUTH_LIMIT_RECIPIENTS_DAY &&
                   MAIL_LIMIT_RECIPIENTS_HOUR - MAIL_LIMIT_MESSAGES_HOUR == (int)AUTH_LIMIT_RECIPIENTS_HOUR,
               "limits in one order");
_Static_assert((int)LIMIT_NONE == (int)AUTH_LIMIT_NONE, "one value for no limit");
