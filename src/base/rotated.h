/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/rotated.h - what a log was rotated to: the files of its folder that continue its name, in the order they were written.
 *
 * mail.log.1, mail.log.2.gz, mail.log-20261201.xz, mail-20261201.log. Numbers count backwards, dates forwards; where both
 * stand beside each other, the time of the last write decides. A file beside its own packed copy is being packed right
 * now, or was unpacked to be looked at: the plain one stands for both.
 * Owns:    names, until rotated_done().
 * Threads: any; reads one folder.
 * Limits:  ROTATED_MOST files; a folder that cannot be listed has none. Files rotated into another folder are not found. */
#pragma once

#include "base/slice.h"

enum { ROTATED_MOST = 1024 };

struct rotated {
        char *name; /* in the folder */
        uint64_t device, inode, size;
        int64_t written;   /* µs */
        bool packed;       /* by its name */
        struct slice mark; /* "1", "20261201" */
};

struct rotated_list {
        struct rotated *all; /* the oldest first; last the log itself, where it stands there */
        size_t n, cap;
        bool has_log;
};

/* What continues `name`, and besides whatever has this inode under any name; siblings = false: the latter alone. A list of zeros is empty. */
void rotated_find(struct rotated_list *l, const char *folder, const char *name, bool siblings, uint64_t inode);
void rotated_done(struct rotated_list *l);
#define autorotated CLEANUP(rotated_done) struct rotated_list
