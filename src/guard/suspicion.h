/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard/suspicion.h - how much speaks against a subscriber, as points that fade.
 *
 * A fact gives points(source) x count, which halve with every half-life. Facts are kept as two sums: connection
 * attempts (SYNs, which can be forged and which an honest but misconfigured machine sends by the thousand) and all
 * the rest, where somebody really talked.
 * Owns:    nothing; values.
 * Threads: pure; `now` is an argument.
 * Limits:  each sum stays between 0 and SUSPICION_MOST and is never NaN, whatever the facts say; a fact from the
 *          future is one of now. */
#pragma once

#include "policy/policy.h"

#define SUSPICION_MOST 1e12
enum { SUSPICION_HALF_LIVES = 10 }; /* what is older counts less than a thousandth, and is not looked at */

/* X(id, name of the source in a sighting) */
#define SUSPICION_SOURCES(X)                                                                                           \
        X(SYN, "kernel")                                                                                               \
        X(TRAP, "trap")                                                                                                \
        X(DIVERT, "divert")                                                                                            \
        X(COMPLAINT, "complaint")                                                                                      \
        X(LEGACY, "legacy")         /* harmless: who still uses a listener without passwords */                        \
        X(PLAIN_AUTH, "plain-auth") /* harmless: who still logs in without TLS */                                      \
        X(OTHER, "other")
#define SUSPICION_ENUM(id, name) SUSPICION_##id,
enum suspicion_source { SUSPICION_SOURCES(SUSPICION_ENUM) SUSPICION_SOURCE_COUNT };

enum suspicion_source suspicion_source_of(struct slice name); /* OTHER for what is not known by name */

/* A fact to be listed, that speaks against nobody. */
bool suspicion_harmless(enum suspicion_source s);

struct suspicion_sum {
        double hard, syn; /* at `at` */
        int64_t at;
};

struct suspicion_fact {
        enum suspicion_source source;
        int64_t at, count;
};

/* The points of `score` after `age`. */
double suspicion_faded(double score, int64_t age, int64_t half_life);
/* Brings the sum to `now`. */
void suspicion_fade(struct suspicion_sum *s, int64_t half_life, int64_t now);
/* Adds one fact, with the sum brought to `now`. */
void suspicion_add(struct suspicion_sum *s, const struct policy_suspicion *points, const struct suspicion_fact *fact,
                   int64_t now);
/* What the sum is judged by: attempts count for at most half of `after`, so that they alone never reach it. */
double suspicion_syn_part(const struct suspicion_sum *s, double after);
double suspicion_score(const struct suspicion_sum *s, double after);
/* The instant from which on facts are looked at. */
int64_t suspicion_since(int64_t half_life, int64_t now);
