/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge/rules.h - what the rules say of one subscriber: nothing, a quarantine, or one that is only proposed to people.
 *
 * A rule never cuts who is never cut, who is exempt, or whose class was promised to be told first and was not: there it proposes, once,
 * and a person decides. After a quarantine's end there is peace for the grace time.
 * Owns:    nothing; values.
 * Threads: pure; `now` is an argument.
 * Limits:  none. */
#pragma once

#include "policy/policy.h"

struct rules_facts {
        double score;        /* what speaks against him since his last quarantine ended (guard/suspicion.h) */
        enum level present;  /* the strictest quarantine in force */
        enum level proposed; /* the strictest proposal that stands */
        int64_t ended;       /* when his last quarantine ended or was released; 0: he never had one */
        bool never_cut;      /* by policy or ledger */
        bool exempt;         /* he, or an address of his, by policy or ledger */
        bool promised;       /* his class is told first, and he was not */
};

/* X(id, the reason in words) */
#define RULES_REASONS(X)                                                                                               \
        X(OFF, "the policy has no quarantine by rule")                                                                 \
        X(LOW, "the suspicion is below the mark")                                                                      \
        X(PRESENT, "the quarantine is in force")                                                                       \
        X(GRACE, "the grace after the last quarantine is not over")                                                    \
        X(PROPOSED, "the proposal stands")                                                                             \
        X(NEVER_CUT, "no rule cuts this subscriber")                                                                   \
        X(EXEMPT, "this subscriber is exempt")                                                                         \
        X(PROMISED, "the class was promised to be told first, and nobody told this subscriber")                        \
        X(HIGH, "the suspicion reached the mark")
#define RULES_ENUM(id, words) RULES_##id,
enum rules_reason { RULES_REASONS(RULES_ENUM) };
const char *rules_reason_words(enum rules_reason r);

enum rules_action { RULES_NOTHING, RULES_PROPOSE, RULES_QUARANTINE };

struct rules_verdict {
        enum rules_action action;
        enum rules_reason reason; /* of the action, or of doing nothing */
        int64_t again;            /* when the clock alone may change it; TIME_NEVER */
};

/* Half a per cent less will do: points fade from the first instant on, and four facts of five points within ten minutes are twenty. */
bool rules_reached(double score, double after);
struct rules_verdict rules_judge(const struct rules_facts *f, const struct policy_quarantine *q, int64_t now);
