/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/enrol.h - one subscriber being added or changed, in steps that a whole file can take in rows.
 *
 * It is first planned: what stands, what is wanted, what must go and come. Then all that goes, goes; then all that comes, comes. With a file
 * each step runs over all rows before the next, so that a line may pass from one subscriber to another wherever the two rows stand.
 * Owns:    nothing; everything is in the call's arena.
 * Threads: one.
 * Limits:  private to ledger/. */
#pragma once

#include "ledger/client.h"
#include "ledger/verbs.h"

struct enrolment {
        struct subscriber_change change; /* add_ and drop_ lists reduced to what really changes */
        struct subscriber before, after;
        struct slice differences; /* "class home -> business, + user:alice" */
        int64_t number;
        bool existed, broken; /* broken: refused; its later half is left out */
        bool touched;
};

/* Each: 0; 1 with the reason in c->why; -errno. */
int enrol_make(struct verb_call *c, enum subscriber_mode mode, struct enrolment *p);
int enrol_drop(struct verb_call *c, struct enrolment *p);
/* `verb` is the name in the audit trail. */
int enrol_store(struct verb_call *c, struct enrolment *p, const char *verb);
