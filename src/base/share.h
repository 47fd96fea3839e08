/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/share.h - files that come with the program: beside it where it was built, or under its prefix where it was installed.
 *
 * Owns:    nothing.
 * Threads: any.
 * Limits:  paths of SHARE_PATH_MOST bytes. */
#pragma once

#include "base/base.h"

enum { SHARE_PATH_MOST = 4096 };

/* The path of such a file ("data/weak-words"): 0, -ENOENT where it is not there, or what the system said. */
int share_find(const char *name, char out[SHARE_PATH_MOST]);
