/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/keeper.h - the duty that alone writes the ledger.
 *
 * Requests of all connections that are ready become one commit; replies leave after it, then the listeners hear of the change. A reply 0 is
 * on disk. Killed at any moment: what was acknowledged is there at the next start, and nothing else by halves.
 * Owns:    DIR/keeper.lock, DIR/keeper.sock and the writing connection, while it runs.
 * Threads: one.
 * Limits:  KEEPER_CONNECTIONS_MOST connections (further ones are closed at once), KEEPER_BYTES_MOST of requests being received in all (who
 *          goes past it is closed), KEEPER_HALF_FRAME for a frame to arrive whole, KEEPER_REPLIES_MOST unread replies. Each is logged. */
#pragma once

#include "base/buf.h"
#include "base/time.h"

enum {
        KEEPER_CONNECTIONS_MOST = 200,
        KEEPER_BYTES_MOST = 160 << 20,
        KEEPER_REPLIES_MOST = 96 << 20,
        KEEPER_GROUP_MOST = 1000
};
#define KEEPER_HALF_FRAME (10 * SECOND)

/* Runs until SIGTERM or SIGINT: 0. -errno where it cannot start, with the sentence in `why`. lock_in (NULL: none) is called once all is
 * open and before anything is read from anybody; where it fails, so does the start. */
int keeper_run(const char *dir, int (*lock_in)(void *arg, struct buf *why), void *arg, struct buf *why);
