/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/people.h - the fast layer's content: which addresses of which people stand in which kernel set.
 *
 * A crowd is our own copy of the kernel's sets (they are never read back). Changing one person gives the few elements to add
 * and to take away; two people on one prefix are counted, so that one's leaving does not take the other's element.
 * Owns:    its members and claims.
 * Threads: one at a time; no I/O, no clock.
 * Limits:  PERSON_ENTRIES prefixes a person; what goes over is left to the wide layer. */
#pragma once

#include "base/map.h"
#include "gate/plan.h"
#include "ledger/ledger.h"

/* One kernel set for each kind and prefix length. */
#define KINDS(X)                                                                                                       \
        X(PEOPLE, "people") /* all of them: who is not here takes the wide layer at once */                            \
        X(MAIL, "mail")                                                                                                \
        X(SUBMISSION, "submission")                                                                                    \
        X(CAPTIVE, "captive")                                                                                          \
        X(EXEMPT, "exempt")                                                                                            \
        X(BAN, "ban") /* no people of ours: outsiders, in sets of lengths of their own */                              \
        X(OWN_OPEN, "own_open")                                                                                        \
        X(OWN_OBSERVE, "own_observe")                                                                                  \
        X(OWN_SHIFT, "own_shift")                                                                                      \
        X(OWN_DIVERT, "own_divert")                                                                                    \
        X(OWN_TRAP, "own_trap")                                                                                        \
        X(OWN_BLOCK, "own_block")
#define KIND_ENUM(id, name) KIND_##id,
enum kind { KINDS(KIND_ENUM) KIND_COUNT };
const char *kind_name(enum kind k);

enum { PERSON_ENTRIES = 1024 };

struct entry {
        struct prefix prefix;
        uint16_t kinds; /* bits 1 << KIND_… */
};

/* What one person's facts mean for the kernel under this policy: `entries` must have room for PERSON_ENTRIES. Returns how many.
 * *shared counts leases left out because others hold ports of the same address (a CGNAT outside this gate). */
size_t person_entries(const struct policy *policy, const struct person *person, int64_t at, struct entry *entries,
                      size_t *shared);

/* Bans are members of the crowd, too, under an id that is no subscriber's: of a prefix, and back. */
struct slice ban_member(const struct prefix *p, struct arena *a);
bool ban_member_parse(struct slice id, struct prefix *ret);
/* What a ban means under this policy: an entry, or (false) nothing, where the policy spares the address. */
bool ban_entry(const struct policy *policy, const struct ban *ban, struct entry *ret);

struct delta {
        enum kind kind;
        bool add;
        struct prefix prefix;
};

struct deltas {
        struct delta *v;
        size_t n, cap;
};

struct crowd {
        struct map members;                  /* id → struct member */
        struct map claims;                   /* prefix → struct claim */
        size_t counts[FAMILIES][KIND_COUNT]; /* elements */
};

void crowd_done(struct crowd *c);
/* The person's entries become these (none: he leaves). What changes in the kernel is appended to `out`. */
void crowd_set(struct crowd *c, struct slice id, const struct entry *entries, size_t n, int64_t next_change,
               struct deltas *out);
/* The next instant after which somebody must be looked at again; TIME_NEVER where nobody. */
int64_t crowd_next_change(const struct crowd *c);
/* Calls for everyone whose next_change is not after `now`. */
void crowd_due(const struct crowd *c, int64_t now, void (*call)(void *arg, struct slice id), void *arg);
/* Every element of one kind, both families. */
void crowd_elements(const struct crowd *c, enum kind kind, void (*call)(void *arg, const struct prefix *p), void *arg);
/* A number for all elements that have no exact set among these lengths; 0 where there are none. */
uint64_t crowd_short_hash(const struct crowd *c, const struct plan_lengths *lengths);
/* The lengths and own strategies that people use, for the plan. */
void crowd_shape(const struct crowd *c, struct plan_lengths *lengths, unsigned *own);
