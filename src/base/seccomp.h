/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/seccomp.h - the list of system calls a process may still make.
 *
 * What is not listed is refused: io_uring, ptrace, mount, keyctl, bpf, userfaultfd, perf_event_open, modules, name
 * spaces and whatever a kernel learns later.
 * Owns:    nothing; holds for the process and its children from then on.
 * Threads: only while one thread runs.
 * Limits:  the native architecture only; calls of another one end the process. */
#pragma once

#include "base/sandbox.h"

/* calls: SANDBOX_… groups. 0 or -errno. Needs no_new_privs. */
int seccomp_restrict(unsigned calls, bool deadly);
/* The same filter as struct sock_filter[], for a program that does not link libseccomp (base/confine.h). 0 or -errno. */
int seccomp_export(unsigned calls, bool deadly, struct buf *ret);
