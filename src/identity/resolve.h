/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/resolve.h - who held this address, and this port, at this time: exactly one, these, or nobody known, and why.
 *
 * The leases of the ledger and the arithmetic of the policy are laid side by side, and never is one picked in silence:
 *  - All that held the address at some instant of [at - tolerance, at + tolerance] are in question. More than one: ambiguous.
 *  - At each instant the most specific holds: the longer prefix, then the one of some ports. Who is covered all the time is left
 *    out, and that is said.
 *  - The ports of an outside address belong to an inside one: by a port block the log told (a lease of a line inside:ADDRESS), else by
 *    arithmetic (identity/cgnat.h). Then the same question is asked of the inside address, in the realm of that translation.
 *    Without a port all who share the address are in question, and even one alone is not sure: others may share it unknown.
 *  - Arithmetic goes by the newest policy, whose versions carry their own dates: history may be written down later. Where the
 *    generation that was in force then gave the ports to somebody else, both are in question: either the mapping or the text
 *    was changed without a new version, and nobody can tell which.
 *  - Ends that were presumed (nobody saw the stop) are told as such. Where nobody is known, and the last one's end was presumed, within
 *    PRESUMED_MOST before: ambiguous, it may have been him still. A port block of which no release was seen PORTS_SURE
 *    after it began is ambiguous, too: logs get lost.
 *  - A line nobody has is a holder as any other: exact, of whom only the line is known.
 * Owns:    nothing; answers live in the arena the caller gives.
 * Threads: one; reads the ledger, reads no clock, never logs.
 * Limits:  RESOLVE_MOST trails; past that `more` says that there are others, and the answer is ambiguous. */
#pragma once

#include "identity/cgnat.h"
#include "ledger/ledger.h"

enum { RESOLVE_MOST = 1000, RESOLVE_REASONS_MOST = 16 };

#define RESOLVE_TOLERANCE (2 * SECOND)
#define RESOLVE_PRESUMED_MOST DAY
#define RESOLVE_PORTS_SURE DAY
/* So far around the time in question a lease is looked for to say how near it was. */
#define RESOLVE_NEAR (7 * DAY)

#define RESOLVE_VERDICTS(X) X(EXACT, "exact") X(AMBIGUOUS, "ambiguous") X(UNKNOWN, "unknown")
#define RESOLVE_ENUM(id, name) RESOLVE_##id,
enum resolve_verdict { RESOLVE_VERDICTS(RESOLVE_ENUM) };
const char *resolve_verdict_name(enum resolve_verdict v);

/* A policy that may say who has which ports. */
struct resolve_policy {
        int64_t generation; /* 0: a file */
        const struct policy *policy;
        const struct cgnat *cgnat;
};

struct resolve_question {
        struct addr address;
        uint16_t port;      /* 0: not known */
        struct slice proto; /* empty: not known */
        struct slice realm;
        bool has_realm; /* false: found by the address */
        int64_t at, tolerance;
        const struct resolve_policy
            *policies; /* the newest first, then those that were in force within the tolerance */
        size_t n_policies;
};

/* One step from the address to the line: a lease, or what the policy computes. */
struct resolve_step {
        bool computed;
        struct lease lease;
        struct cgnat_share share;    /* where computed */
        struct slice realm;          /* of the share's inside: the name of the translation */
        int64_t generation, version; /* of the policy, 0: a file; and since when */
};

/* One way from the address to a holder. */
struct resolve_trail {
        size_t holder;
        struct resolve_step steps[2];
        size_t n_steps;     /* the last is always a lease */
        struct slice doubt; /* why it may have been somebody else all the same; empty: nothing speaks for that */
};

struct resolve_holder {
        struct line_holder subscriber; /* number 0: nobody has the line */
        struct line line;              /* of the first trail */
        bool sure;                     /* one trail at least is without doubt */
};

struct resolve_answer {
        enum resolve_verdict verdict;
        struct resolve_holder *holders; /* each subscriber once, each line of nobody once */
        struct resolve_trail *trails;
        size_t n, n_trails;
        bool more;
        struct slice reasons[RESOLVE_REASONS_MOST];
        size_t n_reasons;
};

/* 0 or -errno (ledger_error()). */
int resolve(struct ledger *l, struct arena *a, const struct resolve_question *q, struct resolve_answer *ret);
