/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/frames.h - requests to the keeper as frames, for a loop that must not wait (client.h waits).
 *
 * Each adds one whole frame to the buf, to be written to DIR/keeper.sock as it is; the keeper answers with one frame each, in order.
 * Needs no database: the edge's small executable has it, too.
 * Owns:    nothing.
 * Threads: one at a time.
 * Limits:  as verbs.h. A buf that is full afterwards holds no frame worth sending. */
#pragma once

#include "base/ipc.h"
#include "ledger/ledger.h"

/* `lost`: events since `lost_at` of which nothing more is known. */
void frame_sightings_add(struct buf *b, const struct sighting *all, size_t n, int64_t lost, int64_t lost_at);

void frame_ban_add(struct buf *out, const struct ban *b);

/* 1 and *status (0, 1 no, -errno) and *reason, a slice of `in`, where a whole answer stands at its head, which *in then has passed; 0 where
 * more is needed; -EBADMSG where it can never be one. */
int frame_answer(struct slice *in, int *status, struct slice *reason);
