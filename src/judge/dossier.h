/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge/dossier.h - all that speaks against one subscriber, summed up.
 *
 * Sightings are added one by one, in any order; what counts and what is said of it come from the same sums.
 * Owns:    its id.
 * Threads: one; pure, `now` is an argument.
 * Limits:  under a kilobyte each, whatever is added. */
#pragma once

#include "guard/sketch.h"
#include "guard/suspicion.h"
#include "ledger/ledger.h"

struct dossier {
        char *id;
        struct suspicion_sum sum;
        int64_t counts[SUSPICION_SOURCE_COUNT];
        struct sketch hosts;    /* of attempts */
        int64_t first;          /* the earliest fact that counts; TIME_NEVER: none */
        int64_t forgiven;       /* facts up to here do not count: his last quarantine ended then; 0: none did */
        int64_t look_at;        /* when the clock alone may change something; TIME_NEVER */
        struct suspicion known; /* what the ledger has of it (subscriber is not set); at 0: nothing */
};

void dossier_init(struct dossier *d, struct slice id);
void dossier_done(struct dossier *d);
/* Forgets all facts but what the ledger has. */
void dossier_clear(struct dossier *d);
void dossier_add(struct dossier *d, const struct policy_suspicion *points, const struct sighting *s, int64_t now);
/* Whether the score is worth another write: it moved by a twentieth from what the ledger's fades to, or went past the mark. */
bool dossier_moved(const struct dossier *d, const struct policy_suspicion *points, double score, double after,
                   int64_t now);
/* "31 conversations in the trap, 412 attempts to about 57 hosts since 2026-12-01 14:30:05 -0300" */
void dossier_evidence(const struct dossier *d, struct buf *out);
