/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/landlock.h - the file system, TCP and other processes put out of reach (landlock(7)), but for a list of paths.
 *
 * By raw system calls: libc has none, and the headers of Debian 12 know only the first two versions.
 * Owns:    nothing; holds for the process and its children from then on.
 * Threads: only while one thread runs.
 * Limits:  versions 1 to 7 are known; a newer kernel is asked for what version 7 can do. */
#pragma once

#include "base/sandbox.h"

/* tcp: bind and connect are refused, too. 0 and *version (0: the kernel has no Landlock, nothing is restricted); -errno with `why`. Needs
 * no_new_privs. */
int landlock_restrict(const struct sandbox_path *paths, size_t n, const char *state, bool tcp, int *version,
                      struct buf *why);
