/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/duties.h - which duties there are, with which user and which rights: one row each.
 *
 * A duty is started as root or as anybody, prepares the state folder, becomes its own user, opens what it needs, locks
 * itself in, says that it is ready, and works. Where its user does not exist (a lab, a first try) it stays who it was,
 * without capabilities.
 * Owns:    what this process is, once duty_run() was called.
 * Threads: one.
 * Limits:  one duty a process. */
#pragma once

#include "base/sandbox.h"

/* All duties share it: who is in it may read the ledger and speak to the keeper. */
#define DUTY_GROUP "porteiro"
#define KEEPER_USER "porteiro-keeper"
#define GATE_USER "porteiro-gate"
#define DELIVER_USER "porteiro-deliver"
#define AUTH_USER "porteiro-auth"
#define MAILLOG_USER "porteiro-maillog"
/* Who may read the hashes of passwords. */
#define AUTH_GROUP "porteiro-auth"

/* Set by the supervisor to its own pid: the duty ends when that process does. */
#define SUPERVISOR_VARIABLE "PORTEIRO_SUPERVISOR"
/* "kill": a system call off the list ends the duty, instead of failing with EPERM. */
#define SANDBOX_VARIABLE "PORTEIRO_SANDBOX"

/* "same": duties stay who started them. For a lab, whose state folder another user could not even reach. */
#define USERS_VARIABLE "PORTEIRO_USERS"

struct duty_row {
        const char *name, *user;
        struct sandbox sandbox;
        int (*run)(const char *dir); /* calls duty_lock_in() once all is open; returns an exit status */
};

/* In the order in which they start. */
extern const struct duty_row duties[];
extern const size_t n_duties;
const struct duty_row *duty_find(struct slice name); /* NULL where unknown */
/* Whether duties become users of their own: we are root, all of the users exist, and USERS_VARIABLE does not forbid it. */
bool duty_own_users(void);

/* Is the duty from here on. Returns its exit status. */
int duty_run(const struct duty_row *row, const char *dir);
