/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/ipc.h - typed frames between our own processes.
 *
 * A frame is a length (4 bytes, of all that follows), a verb (2 bytes) and fields; each field is a type byte, a length and
 * the bytes. Readers check type and bounds at every step: a frame of another process is as hostile as the network.
 * Owns:    nothing; frames are built in the caller's buf, slices point into the frame.
 * Threads: one at a time.
 * Limits:  IPC_FRAME_MOST bytes a frame. */
#pragma once

#include "base/buf.h"

enum { IPC_FRAME_MOST = 64 << 20 };

/* Building: begin, fields, end. */
void ipc_begin(struct buf *b, uint16_t verb);
void ipc_put_text(struct buf *b, struct slice s);
void ipc_put_int(struct buf *b, int64_t n);
void ipc_end(struct buf *b, size_t start); /* start: b->n before ipc_begin() */

/* Reading: a cursor that remembers whether anything was wrong. */
struct ipc_reader {
        struct slice left;
        uint16_t verb;
        bool bad; /* a field was missing, of another type or out of bounds: all further reads give zero values */
};

/* One whole frame at the head of `in`: its size, 0 while more is needed, -EBADMSG where it can never be one. */
int64_t ipc_frame(struct slice in, struct ipc_reader *ret);
struct slice ipc_text(struct ipc_reader *r);
int64_t ipc_int(struct ipc_reader *r);
/* The length of a list that follows: never more than the frame can hold. */
size_t ipc_count(struct ipc_reader *r);
bool ipc_end_of(const struct ipc_reader *r); /* nothing left and nothing bad */

/* Blocking, for commands: writes all; reads one frame into `into` (cleared first). 0, or -errno (-ETIMEDOUT past the deadline). */
int ipc_send(int fd, struct slice frame, int64_t deadline_monotonic);
int ipc_receive(int fd, struct buf *into, struct ipc_reader *ret, int64_t deadline_monotonic);
