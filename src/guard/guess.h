/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard/guess.h - password guessing: may this password be checked at all, and what follows where it was wrong.
 *
 * Wrong passwords are counted by (login, network), a network being a /24 or a /48: never by login alone, or anybody could lock anybody out.
 * The first few an hour and a day are typos. What goes beyond is excess, and counts against the address and the prefixes around it, as do the
 * logins that were tried and that nobody passed with. So one machine at one login, one password at many logins, and the same spread thin over
 * a /24 or a /48 are each seen, and an office of fifty people behind one address is not. Further:
 *   - the same wrong password again is an old phone: it counts once a day (by GUESS_SECRET_BITS bits of a keyed hash; nothing longer is kept);
 *   - where a login passed in the last 90 days its limits are `known_factor` times as large, and it is never refused for its neighbours;
 *   - a prefix wider than a host is banned only where nobody passed from it in that time;
 *   - addresses of our own customers (own_pool) are slowed down by (login, network), and neither refused nor banned;
 *   - an outage is no failure: whoever could not find out calls neither guess_failed() nor guess_passed().
 * Owns:    nothing; all state is in the caller's window table (kinds from WINDOW_KINDS_GUESS on), which processes may share.
 * Threads: as guard/window.h.
 * Limits:  the login in its one form (policy: lower case), of which GUESS_LOGIN_MOST bytes count. A first wrong password takes at most 17
 *          names of the table; where the table is too small old guesses are forgotten, and nobody is banned for that. */
#pragma once

#include "base/prefix.h"
#include "guard/window.h"

enum { GUESS_SECRET_BITS = 12, GUESS_LOGIN_MOST = 320, GUESS_LEVELS = 4, GUESS_WHY_MAX = 160 };

/* What is too much from one prefix in a day: excess, and logins that were tried and nobody passed with. */
struct guess_level {
        uint8_t len; /* in 128 bits; 0 ends the list */
        uint32_t excess, logins;
        int64_t ban_for;
};

struct guess_rules {
        uint32_t typos_hour,
            typos_day; /* of a (login, network): what nobody is blamed for, and what is not slowed down */
        uint32_t refuse_hour, refuse_day; /* of a (login, network): past this no password is checked */
        uint32_t known_factor;            /* all four, times this, where the login passed from the network */
        int64_t delay_step, delay_most;   /* each one past the typos is answered so much later */
        int64_t remember;                 /* how long a success is known */
        struct guess_level v4[GUESS_LEVELS], v6[GUESS_LEVELS]; /* narrowest first */
};
extern const struct guess_rules guess_rules_default;

struct guess_attempt {
        struct addr source;
        struct slice login;
        uint16_t secret12; /* of guess_secret12() */
        bool own_pool;     /* the source is of a pool, or an outside address of a CGNAT, of ours */
};

enum guess_verdict { GUESS_FREE, GUESS_DELAY, GUESS_REFUSE };

struct guess_result {
        enum guess_verdict verdict;
        int64_t delay; /* with GUESS_DELAY: answer so much later */
        bool
            ban; /* this prefix ought to be banned for so long; said once a minute, to one process. Ask policy/ban.h first */
        struct prefix prefix; /* /32 or /24; /128, /64, /56 or /48 */
        int64_t ban_for;
        char why[GUESS_WHY_MAX]; /* in words, where refused or banned */
};

/* Before the hash is paid for. Who goes on with new passwords after a refusal goes on guessing: that is counted, too. */
struct guess_result guess_before(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                                 int64_t now);
/* The password was checked and is wrong, or there is no such login. */
struct guess_result guess_failed(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a,
                                 int64_t now);
/* It was right: the network is known from now on, and what was wrong before was typos. */
void guess_passed(struct window_table *t, const struct guess_rules *rules, const struct guess_attempt *a, int64_t now);

/* Salted with the login, so that it does not tell whose passwords are equal. */
uint16_t guess_secret12(const uint8_t key[16], struct slice login, struct slice password);
