/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/pool.h - checks that wait, and the checkers that do them.
 *
 * A socket a checker versus one that all of them read from: the duty knows who has which job, so that one that dies costs one answer; and
 * what waits too long waits here, where it can be given up, and where its password can be wiped.
 * Owns:    the jobs, their passwords until they are handed over, and the sockets to the checkers. Not the nursery's.
 * Threads: those of the loop.
 * Limits:  POOL_JOBS wait; past it the answer is no. Each is answered within AUTH_PATIENCE and a tick, and not looked at any more after it. A
 *          checker that has not come back after POOL_HUNG ends the duty. */
#pragma once

#include "auth/checker.h"
#include "base/loop.h"

enum { POOL_JOBS = 256, POOL_CHECKERS_MOST = 8 };
#define POOL_TICK (250 * INT64_C(1000))
#define POOL_HUNG (3 * AUTH_PATIENCE)

struct pool;

struct pool_ticket {
        uint64_t asker;
        int64_t id; /* of his question */
};

struct pool_counts {
        uint64_t checked, full, late, died;
};

struct pool_options {
        struct loop *loop;
        int nursery;
        size_t checkers;
        /* Exactly once for each job; a NULL: it could not be checked. */
        void (*answer)(void *arg, const struct pool_ticket *t, const struct checker_answer *a);
        void *arg;
};

/* One checker for each core this process may use, POOL_CHECKERS_MOST at the most. */
size_t pool_cores(void);
struct pool *pool_new(const struct pool_options *o);
void pool_free(struct pool *p); /* nobody is answered any more */
/* False: as many wait as may. */
bool pool_add(struct pool *p, const struct pool_ticket *t, struct slice login, struct slice password, int64_t now);
void pool_forget(struct pool *p, uint64_t asker); /* he is gone: what waits is not checked */
/* Each POOL_TICK: gives up what is late, replaces checkers that died. False: the duty must end and be started anew (it is logged why). */
bool pool_tick(struct pool *p, int64_t now);
bool pool_idle(const struct pool *p);
const struct pool_counts *pool_counts(const struct pool *p);
