/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/duty.h - the duty maillog: follows the mail-logs of the policy, counts what is in them, keeps their index, and does what its
 * mail-limits say.
 *
 * Beneath STATE/maillog/ it keeps: `positions`, how far each log is read; `maillog.rings`, the counters (graph/rings.h); `index/`, which
 * `maillog find` reads. A place is written when all that came before it is counted and done: killed at any time it goes on
 * there. Then what was read since is read again: decisions are the same ones, counters may count up to SAVE_EVERY twice. Messages that were
 * under way then are known in part, and windows begin anew.
 * Owns:    everything it opened.
 * Threads: one loop.
 * Limits:  those of follow.h, live.h and deeds.h. */
#pragma once

#include "policy/policy.h"

struct maillog_duty_options {
        const char *dir;                      /* the state folder */
        const struct policy *(*policy)(void); /* in force */
        struct slice (*text)(void);           /* of that generation */
        bool (*still)(void); /* false: another policy wants other logs or rules; it ends, and is started again */
        void (*lock_in)(const char *const *folders, size_t n); /* those of the logs, to be read */
};

/* What of a policy this duty is started for, as text. */
void maillog_wants(const struct policy *p, struct buf *out);
/* Until SIGTERM. An exit status. */
int maillog_run(const struct maillog_duty_options *o);
