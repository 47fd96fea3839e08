/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/rights.h - which verbs the users of the duties may ask the keeper for.
 *
 * A duty reads what strangers wrote; should one of them take it over, it can still only do what that duty does: sight cannot
 * release a quarantine, judge cannot apply a policy. Whoever else may open the socket is an operator and may ask for anything.
 * Owns:    nothing; a value.
 * Threads: rights_init() once, before the keeper locks itself in; then any.
 * Limits:  duties that run as the keeper's own user (a lab, a test) are not told apart. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RIGHTS_USERS = 7 };

struct rights {
        struct {
                bool known;
                uid_t uid;
        } users[RIGHTS_USERS];
};

/* Looks the users up in the system's list of users; one that does not exist is nobody. */
void rights_init(struct rights *r);
bool rights_allow(const struct rights *r, uid_t uid, uint16_t verb);
