/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/mailbox_put.h - one mailbox being added or changed, in steps that a whole file can take in rows.
 *
 * Owns:    nothing; everything is in the call's arena.
 * Threads: one.
 * Limits:  private to ledger/. Each step: 0; 1 with the reason in c->why; -errno. */
#pragma once

#include "ledger/mail_nouns.h"

struct mailbox_plan {
        struct mailbox_change change;
        struct mailbox before, after;
        int64_t subscriber, domain; /* numbers */
        bool existed, touched, broken;
        struct slice differences; /* "name none -> Maria, + forward b@example.org" */
};

int mailbox_make(struct verb_call *c, enum mailbox_mode mode, const struct mail_rules *rules, struct mailbox_plan *p);
/* `verb` is the name in the audit trail. */
int mailbox_store(struct verb_call *c, struct mailbox_plan *p, const char *verb);
/* Lifts the suspensions whose end has come, some of them: what is left is for the next time. */
int mail_resume_due(struct verb_call *c);
/* When all that goes with it is stored. */
int mailbox_route(struct verb_call *c, const struct mailbox_plan *p);
