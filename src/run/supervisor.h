/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/supervisor.h - starts every duty as a process of its own, starts it again when it dies, and ends them together.
 *
 * The keeper first, the others when it is ready; where it cannot be (a damaged ledger) they start all the same, because
 * the gate has its last good rules to load.
 * Owns:    DIR/run.lock, and the duties: they die with it, whatever it dies of.
 * Threads: one.
 * Limits:  one supervisor a state folder. It reads nothing but READY=1 from its duties.
 *
 * A supervisor of our own versus systemd alone: `porteiro run` works in a container, a name space and a first try, and
 * is one unit to switch on. Where an administrator wants each duty as a unit, packaging/ has those: a duty is the same
 * program either way. */
#pragma once

#include "base/time.h"

enum { DUTIES_MOST = 16 };

#define BACKOFF_FIRST (200 * 1000)
#define BACKOFF_MOST (30 * SECOND)
#define BACKOFF_FORGET (1 * MINUTE)
#define KEEPER_PATIENCE (5 * SECOND)
#define READY_PATIENCE (10 * SECOND)
#define STOP_PATIENCE (10 * SECOND)

/* How long to wait before a duty that lived for `alive` is started again, where the wait before was `former` (0: none).
 */
int64_t backoff_after(int64_t former, int64_t alive);

/* Until SIGTERM or SIGINT. only: names of duties, NULL at the end, the keeper among them; NULL: all. Returns 0, or -errno where it could not
 * begin, with `why`. */
int supervisor_run(const char *dir, const char *const *only, struct buf *why);
