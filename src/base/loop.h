/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/loop.h - one event loop a duty: descriptors, timers, signals, over libevent's core.
 *
 * A watch may be freed inside its own callback.
 * Owns:    its watches until they are freed; never the descriptors.
 * Threads: one loop, one thread.
 * Limits:  none of its own. */
#pragma once

#include "base/base.h"

struct loop;
struct watch;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop *loop_new(void);
void loop_free(struct loop *l); /* frees what watches are left */
/* Runs until loop_stop(); returns what that was given. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int status);
/* Runs what is due now, and waits for nothing. */
void loop_poll(struct loop *l);
struct watch *loop_fd(struct loop *l, int fd, int what, void (*call)(void *arg, int what), void *arg);
void watch_set(struct watch *w, int what); /* another set of LOOP_READ, LOOP_WRITE; 0 pauses */
/* Once, in `us` microseconds; watch_again() arms it anew. */
struct watch *loop_timer(struct loop *l, int64_t us, void (*call)(void *arg), void *arg);
void watch_again(struct watch *w, int64_t us);
struct watch *loop_signal(struct loop *l, int signal, void (*call)(void *arg), void *arg);
void watch_free(struct watch *w); /* NULL is fine */

/* libevent's own, for base/io.c alone. */
struct event_base;
struct event_base *loop_base(struct loop *l);
