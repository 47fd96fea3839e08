/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/lookup.h - what all commands share that tell whose something was: a reason, the record before the answer, the policies that count,
 * and questions as people write them.
 *
 * Owns:    struct lookup_policies owns what it loaded, until lookup_policies_done().
 * Threads: one.
 * Limits:  private to cli/. */
#pragma once

#include "cli/cli.h"
#include "identity/resolve.h"

/* Why somebody asks: what was given, else what he types, where there is a terminal to ask on. Prints what is wrong. */
int lookup_reason(const char *given, struct arena *a, struct slice *ret);
/* Writes down that somebody asked; an answer may be printed only where this returned EXIT_DONE. Else EXIT_SYSTEM, and it is told why. */
int lookup_record(struct client *c, struct slice reason, const struct lookup *all, size_t n);

/* An instant that has been: NULL, or what is wrong. *zoned: the text said its zone, else that of the policy was taken. */
const char *lookup_instant(struct slice text, int64_t now, int64_t *ret, bool *zoned);

struct lookup_policies {
        const struct cli *cli;
        struct ledger *ledger; /* may be NULL */
        struct resolve_policy *loaded;
        size_t n, cap; /* the first is the newest; none: no policy is known */
        struct resolve_policy answer[3];
};

/* Loads the newest, and sets the zone to its. Returns an exit status. */
int lookup_policies_init(struct lookup_policies *p, const struct cli *cli, struct ledger *l);
void lookup_policies_done(struct lookup_policies *p);
/* Those that count for an instant, for struct resolve_question. Returns an exit status. */
int lookup_policies_at(struct lookup_policies *p, struct resolve_question *q);
/* How inexact the clocks of the sources may be, as the newest policy says. */
int64_t lookup_tolerance(const struct lookup_policies *p);
