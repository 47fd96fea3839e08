/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge/judge.h - facts become decisions.
 *
 * One dossier for each subscriber with sightings is kept up to date: new sightings are added as they are stored (joined with the leases of their
 * instant, so a late fact goes to who held the address then); when a subscriber's leases change, his dossier is read anew; a sighting that
 * fits several subscribers counts for none. Whoever's suspicion moved is judged by judge/rules.h, and what follows is written by the
 * keeper. At the start, after a gap, and when the policy changes, everything within the last ten half-lives is read again.
 *
 * A quarantine's end wipes the slate: what was seen before it ended or was released no longer counts, else old facts would bring it
 * back when the grace is over. Quarantines end by the clock: nothing has to be written for it.
 * Owns:    a reader of the ledger, the policy in force, the dossiers, and a connection to the keeper while it works.
 * Threads: one.
 * Limits:  as many dossiers as there are subscribers with sightings, under 1 kB each; JUDGE_ROWS sightings in memory at a time. */
#pragma once

#include "base/map.h"
#include "judge/dossier.h"
#include "ledger/client.h"

enum { JUDGE_ROWS = 50000, JUDGE_REREAD_MOST = 1000 /* more changed at once: all is read anew */ };

struct judge {
        const char *dir;
        struct ledger *ledger;              /* NULL while it cannot be read */
        struct client *writer;              /* NULL: opened when there is something to write */
        struct policy *policy;              /* NULL: no generation is in force */
        struct map dossiers;                /* id → struct dossier */
        int64_t last_change, last_sighting; /* of the ledger, followed so far */
        bool settled;                       /* everything was read, and followed since */
};

void judge_init(struct judge *j, const char *dir);
void judge_done(struct judge *j);
/* Follows the ledger to now, and judges. 0; or -errno with `why`: it is tried again from a sure state. -ENOENT: no ledger yet. */
int judge_follow(struct judge *j, int64_t now, struct buf *why);
/* When the clock alone gives judge_follow() something to do; TIME_NEVER. */
int64_t judge_next(const struct judge *j);

struct judge_options {
        const char *dir;       /* the state folder */
        void (*lock_in)(void); /* called once everything is open; may be NULL */
};
/* The duty: runs until SIGTERM or SIGINT. Returns an exit status. */
int judge_run(const struct judge_options *o);
