/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/ledger.h - reading the ledger: what is known of subscribers, leases, decisions and generations.
 *
 * Readers open the database read-only and keep no read transaction over a second: every function here is one short
 * transaction. Writing goes through ledger/client.h to the keeper, the only writer.
 * Owns:    results live in the arena the caller gives.
 * Threads: one connection, one thread.
 * Limits:  texts of at most LEDGER_TEXT_MOST bytes but for a generation's. All functions return 0 or -errno;
 *          -ENOENT: no such row; -EUCLEAN: the database is damaged or from a newer Porteiro; ledger_error() says more. */
#pragma once

#include "base/arena.h"
#include "base/prefix.h"
#include "policy/policy.h"

enum { LEDGER_TEXT_MOST = 4096 };

struct ledger;

int ledger_open(const char *dir, struct ledger **ret); /* read-only; -ENOENT where there is none yet */
int ledger_open_why(const char *dir, struct ledger **ret, struct buf *why); /* the same, and in words */
void ledger_close(struct ledger *l);
void ledger_close_(struct ledger **l);
#define autoledger CLEANUP(ledger_close_) struct ledger
const char *ledger_error(const struct ledger *l);

/* --- generations ------------------------------------------------------------------------------------------------------- */

#define GENERATION_STATES(X)                                                                                           \
        X(PREPARED, "prepared")       /* stored; nobody has loaded it yet */                                           \
        X(TRIAL, "trial")             /* loaded, returns by itself at trial_until */                                   \
        X(CONFIRMED, "confirmed")     /* loaded for good (it may since have been replaced by a newer one) */           \
        X(ROLLED_BACK, "rolled-back") /* was loaded, was taken back */                                                 \
        X(FAILED, "failed")           /* could not be loaded; `why` says why */
#define GENERATION_ENUM(id, name) GENERATION_##id,
enum generation_state { GENERATION_STATES(GENERATION_ENUM) };
const char *generation_state_name(enum generation_state s);

struct generation {
        int64_t n, at;       /* number from 1; when applied */
        int64_t trial_for;   /* how long a trial was asked for; 0: none */
        int64_t trial_until; /* TIME_NEVER where it was never on trial */
        struct slice text;   /* flattened policy (empty in lists) */
        struct slice hash;   /* hex SHA-256 of the text */
        struct slice author, why;
        enum generation_state state;
        bool in_force;
};

int ledger_generation(struct ledger *l, struct arena *a, int64_t n, struct generation *ret);
/* The one that reigned at `at` (TIME_NEVER: now, the latest reign): state trial or confirmed. -ENOENT where none did. */
int ledger_generation_in_force(struct ledger *l, struct arena *a, int64_t at, struct generation *ret);
/* The one that reigned before the present one and would return at a rollback. */
int ledger_generation_before(struct ledger *l, struct arena *a, struct generation *ret);
/* The newest one still PREPARED: what a gate has to load. */
int ledger_generation_prepared(struct ledger *l, struct arena *a, struct generation *ret);
int ledger_generations(struct ledger *l, struct arena *a, struct generation **ret, size_t *n);

/* --- people -------------------------------------------------------------------------------------------------------------- */

struct line {
        struct slice kind, value; /* "user" "alice@example.net" */
};

struct lease {
        int64_t id;
        struct slice realm; /* empty: the Internet */
        struct prefix prefix;
        uint16_t port_low, port_high; /* 0 and 0: all ports */
        struct slice proto;           /* empty: all */
        int64_t start, end;           /* [start, end); TIME_NEVER while open */
        struct line line;
        struct slice source;     /* static, dhcp, radius … */
        struct slice subscriber; /* empty where nobody has the line */
        struct slice why_ended, evidence;
        struct slice nas, session, user; /* as the source names them: one event, told twice, is one lease */
};

/* Sends nothing, and still receives; or sends little. */
struct suspension {
        int64_t since;      /* 0: not suspended */
        int64_t until;      /* when the keeper lifts it; TIME_NEVER: when somebody does */
        int64_t recipients; /* so many an hour; 0: none */
        struct slice reason, author;
};

static inline bool suspension_stops(const struct suspension *s)
{
        return s->since && !s->recipients;
}

struct subscriber {
        struct slice id, name, class, language, email, phone, post; /* class empty: the pool's */
        enum strategy port25;                                       /* STRATEGY_NONE: not his own */
        bool never_cut;
        int64_t created;
        struct mail_limits limits;    /* of each of his mailboxes, where it has none of its own */
        struct suspension suspension; /* of all his mailboxes */
        struct line *lines;
        size_t n_lines;
        struct lease *leases; /* open ones */
        size_t n_leases;
};

int ledger_subscriber(struct ledger *l, struct arena *a, struct slice id, struct subscriber *ret);
int ledger_subscribers(struct ledger *l, struct arena *a, struct subscriber **ret,
                       size_t *n); /* by id, lines and leases filled */
/* By id, those after `after`, at most `most` (0: all). */
int ledger_subscribers_page(struct ledger *l, struct arena *a, struct slice after, size_t most, struct subscriber **ret,
                            size_t *n);
int ledger_leases_of(struct ledger *l, struct arena *a, struct slice subscriber, int64_t at, struct lease **ret,
                     size_t *n);
/* Those that ended after `since` or have not ended (0: all there ever were), by address, at most `most`; everybody's where
 * `subscriber` is empty. A lease whose line passed from one subscriber to another stands once for each. */
int ledger_lease_list(struct ledger *l, struct arena *a, struct slice subscriber, int64_t since, size_t most,
                      struct lease **ret, size_t *n);
/* All leases that cover the address at `at`, longest prefix first (several: ambiguous; none: unknown). */
int ledger_holders(struct ledger *l, struct arena *a, const struct addr *addr, int64_t at, struct lease **ret,
                   size_t *n);
/* All leases that cover the address, and the port (0: any) of the protocol (empty: any), and share time with [from, until): longest
 * prefix first, then the latest. Of every realm: the caller looks at lease.realm. A lease whose line passed from one subscriber to
 * another in that time stands once for each. */
int ledger_holders_between(struct ledger *l, struct arena *a, const struct addr *addr, uint16_t port,
                           struct slice proto, int64_t from, int64_t until, struct lease **ret, size_t *n);

/* Who had the line at some time in [from, until), the earliest first, as the subscriber is described now or was at last. An id may have been
 * another subscriber's before: `number` tells them apart. */
struct line_holder {
        int64_t number, start, end; /* [start, end): of the holding */
        int64_t removed;            /* the subscriber; TIME_NEVER: he is one still */
        struct slice id, name, class, language;
};
int ledger_line_holders(struct ledger *l, struct arena *a, const struct line *line, int64_t from, int64_t until,
                        struct line_holder **ret, size_t *n);
/* All who ever had this id, the earliest first: start is when he was added, end when he was removed. */
int ledger_bearers(struct ledger *l, struct arena *a, struct slice id, struct line_holder **ret, size_t *n);

/* Lines nobody had while they held what they held, by when they were seen last: ports behind a translation (inside:ADDRESS) are nobody's by
 * nature, and left out. */
struct unknown_line {
        struct line line;
        int64_t leases, first, last; /* last: the latest end, TIME_NEVER where one is open */
        struct prefix prefix;        /* of the latest */
};
int ledger_unknown_lines(struct ledger *l, struct arena *a, struct unknown_line **ret, size_t *n);

/* The leases of one source that are open (end TIME_NEVER, or an expiry after `at`): what a feed goes on from. */
int ledger_leases_open(struct ledger *l, struct arena *a, struct slice source, int64_t at, struct lease **ret,
                       size_t *n);
/* Where the feed stood at its last commit; empty where it never wrote. */
int ledger_feed_position(struct ledger *l, struct arena *a, struct slice feed, struct slice *ret);

/* What the gate needs to know of one subscriber at an instant. */
struct person {
        struct slice id, class;
        enum strategy port25;
        enum level quarantine;  /* the strictest in force, LEVEL_NONE where none */
        bool exempt, never_cut; /* by the ledger; the policy's exemptions are added by the caller */
        int64_t told;           /* when he was first told, for promises; TIME_NEVER: never */
        struct lease *leases;   /* in force at `at` */
        size_t n_leases;
        int64_t
            next_change; /* when one of these changes by the clock alone (a lease, quarantine or exemption begins or ends) */
};

int ledger_person(struct ledger *l, struct arena *a, struct slice id, int64_t at,
                  struct person *ret); /* unknown id: 0, with nothing in it */
/* Everyone who has an own class or strategy, or an exemption or quarantine that is not over at `at`: ids only. */
int ledger_people(struct ledger *l, struct arena *a, int64_t at, struct slice **ret, size_t *n);
/* The same, but each filled in, in few statements: 50,000 in under half a second. Of the leases only what enforcement needs: no value
 * of the line, no evidence, nothing of the source but its name. */
int ledger_people_whole(struct ledger *l, struct arena *a, int64_t at, struct person **ret, size_t *n);

/* --- decisions --------------------------------------------------------------------------------------------------------- */

struct exemption {
        int64_t id, start, until;
        struct slice subscriber; /* empty where it is for a prefix */
        struct prefix prefix;
        struct slice owner, reason, author;
        bool removed;
};
int ledger_exemptions(struct ledger *l, struct arena *a, struct exemption **ret, size_t *n);

struct quarantine {
        int64_t id, start, until; /* [start, until); until TIME_NEVER: until released */
        int64_t released;         /* 0: not released */
        struct slice subscriber, reason, author, approved_by, evidence, released_by, release_reason;
        enum level level;
        bool by_rule;
        bool proposed; /* a rule wants it, a promise or never-cut hinders it: not in force */
        bool
            needs_approval; /* said by who adds it: the policy's never-cut names him (the ledger's own is looked up by the verb) */
};
/* One subscriber's, or everybody's (empty); newest first. only_now: in force at `at`. */
int ledger_quarantines(struct ledger *l, struct arena *a, struct slice subscriber, int64_t at, bool only_now,
                       struct quarantine **ret, size_t *n);

/* Against an outside address or prefix, of a length of policy/ban.h; whether a policy allows it is asked of that policy, not here. */
struct ban {
        int64_t id, start, until; /* [start, until) */
        int64_t released;         /* 0: not released */
        struct prefix prefix;
        struct slice reason, author, evidence, released_by, release_reason;
        bool by_rule;
};
enum { BANS_MOST = 100000 }; /* in force at a time */
/* Newest first. only_now: in force at `at`; there is one a prefix at most. */
int ledger_bans(struct ledger *l, struct arena *a, int64_t at, bool only_now, struct ban **ret, size_t *n);
/* The one of this very prefix that is in force at `at`; -ENOENT. */
int ledger_ban_of(struct ledger *l, struct arena *a, const struct prefix *prefix, int64_t at, struct ban *ret);
/* All in force at `at` that cover the address, longest prefix first. */
int ledger_bans_over(struct ledger *l, struct arena *a, const struct addr *addr, int64_t at, struct ban **ret,
                     size_t *n);

struct told {
        int64_t at;
        struct slice subscriber, by, note, author;
};
int ledger_told(struct ledger *l, struct arena *a, struct slice subscriber, struct told **ret,
                size_t *n); /* empty: everybody */

/* --- facts --------------------------------------------------------------------------------------------------------------- */

struct sighting {
        int64_t id;
        struct slice source; /* kernel, trap, divert, complaint, maillog, blocklist */
        struct slice realm;
        struct prefix prefix; /* nearly always one address; a /64 where a flood used too many */
        uint16_t port;
        int64_t at, seconds; /* from `at` on, for so long (the kernel's: first attempt to last, within a minute) */
        int64_t count;
        struct slice strategy; /* what was done with it: block, observe …; empty where unknown */
        struct slice hosts;    /* sketch of the destinations (guard/sketch.h), may be empty */
        struct slice detail;
        struct slice subscriber; /* joined by the leases of that instant; empty: unknown; see holders */
        size_t holders;          /* how many subscribers the leases name: 1 is exact, more is ambiguous */
};
/* at in [since, until). `subscriber` empty: everybody's. Newest first, at most `most`. */
int ledger_sightings(struct ledger *l, struct arena *a, struct slice subscriber, int64_t since, int64_t until,
                     size_t most, struct sighting **ret, size_t *n);
/* Those stored after the one of this number (0: all), in the order they were stored, at most `most`: whatever their `at` is. */
int ledger_sightings_after(struct ledger *l, struct arena *a, int64_t id, size_t most, struct sighting **ret,
                           size_t *n);
int ledger_last_sighting(struct ledger *l, int64_t *ret); /* the number of the newest stored; 0 where none */
/* Events the kernel could not hand over, per minute. */
struct loss {
        int64_t at, count;
};
int ledger_losses(struct ledger *l, struct arena *a, int64_t since, struct loss **ret, size_t *n);

struct suspicion {
        struct slice subscriber;
        int64_t at;
        double score, syn_part; /* at `at`; it fades with the policy's half-life from there */
};
int ledger_suspicions(struct ledger *l, struct arena *a, struct suspicion **ret, size_t *n); /* highest first */

/* --- keeping and forgetting --- */

/* Leases that ended, and sightings and losses that were, before these instants. */
struct forget_before {
        int64_t leases, sightings;
};
struct forget_kind {
        uint64_t older; /* so many are older than they may be */
        int64_t oldest; /* of all that is there; TIME_NEVER where nothing is */
};
struct forgettable {
        struct forget_kind leases, sightings, losses;
        uint64_t files, strays; /* segments listed; files in their folders that are not */
};
int ledger_forgettable(struct ledger *l, const struct forget_before *before, struct forgettable *ret);

/* --- changes and audit ----------------------------------------------------------------------------------------------------- */

/* kind: generation, subscriber (key: id; also after changes of his lines, leases, quarantines, exemptions), prefix-exemption, sighting (key:
 * the address), address (key: the prefix of a lease nobody has the line of), ban (key: its prefix), suspicion, mailbox, alias, domain (ledger/mail.h). */
struct change {
        int64_t n;
        struct slice kind, key;
};
/* Changes after `n`, oldest first. -ERANGE: some are gone, read everything anew. */
int ledger_changes(struct ledger *l, struct arena *a, int64_t after, struct change **ret, size_t *n);
int ledger_last_change(struct ledger *l, int64_t *ret);

struct audit_row {
        int64_t n, at;
        struct slice author, verb, key, why, before, after; /* before and after as JSON objects, empty where none */
};
int ledger_audit(struct ledger *l, struct arena *a, struct slice key, size_t most, struct audit_row **ret,
                 size_t *n); /* newest first */
