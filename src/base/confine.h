/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/confine.h - the last step of base/sandbox.h for a program that links no library for it: by raw system calls.
 *
 * No capability, none to be gained, no file system at all (Landlock), and the system calls of a filter that was made elsewhere
 * (seccomp_export()). Our parent must have become the user already.
 * Owns:    nothing; what is given up is gone for the life of the process.
 * Threads: only while one thread runs.
 * Limits:  as sandbox.h. */
#pragma once

#include "base/buf.h"

/* 0; -errno: `why` says what, and the caller must end. */
int confine(struct slice filter, int *landlock, struct buf *why);
