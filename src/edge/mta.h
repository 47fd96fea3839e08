/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/mta.h - one mail server behind the edge: where it is, and whether it is thought to be well.
 *
 * One that fails is left alone for a second, then for longer and longer, up to 15 seconds.
 * Owns:    nothing; the policy it points into outlives it.
 * Threads: one loop.
 * Limits:  the path of a Unix socket has 100 bytes (policy). */
#pragma once

#include "base/io.h"
#include "policy/policy.h"

enum { MTA_NAME_MAX = 128 };

struct mta {
        const struct policy_mta *at;
        int64_t down_until, delay; /* monotonic; 0: it is thought to be well */
        char name[MTA_NAME_MAX];   /* "127.0.0.1:10025", "unix:/run/mta.sock" */
};

void mta_init(struct mta *m, const struct policy_mta *at);
void mta_well(struct mta *m);
void mta_ill(struct mta *m, const char *why);
/* The first that is thought to be well: the order of the policy is an order of preference. NULL: none. */
struct mta *mta_choose(struct mta *all, size_t n);
/* NULL with errno, as io_connect(). */
struct io *mta_connect(const struct mta *m, struct loop *l, const struct io_events *events, void *arg);
