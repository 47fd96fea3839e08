/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/facts.h - what the edge finds out, on its way to the keeper, without waiting.
 *
 * Rows gather for FACTS_PATIENCE and go in one request; one request is under way at a time, and what the keeper did not answer is sent
 * again when it is back. So a row may be stored twice where the keeper dies between its commit and its answer, and is never lost but past
 * the limit.
 * Owns:    its rows and its connection.
 * Threads: one loop.
 * Limits:  FACTS_MOST rows wait; further ones are counted, and told to the keeper as lost. FACTS_BANS_MOST bans; what goes past that is
 *          found again at the next wrong password. */
#pragma once

#include "base/loop.h"
#include "ledger/ledger.h"

enum { FACTS_MOST = 20000, FACTS_BATCH = 500, FACTS_BANS_MOST = 1000 };
#define FACTS_PATIENCE (20 * INT64_C(1000))

struct facts;

struct facts *facts_new(struct loop *l, const char *keeper_socket);
void facts_free(struct facts *f);
/* The texts of the row are copied. */
void facts_add(struct facts *f, const struct sighting *row);
/* A decision of a rule against an outside address. `texts` as in facts_add(). */
void facts_ban(struct facts *f, const struct ban *ban);
/* Nothing waits and nothing is under way. */
bool facts_quiet(const struct facts *f);
struct facts_counts {
        uint64_t added, stored, lost;
        size_t waiting;
};
struct facts_counts facts_counts(const struct facts *f);
