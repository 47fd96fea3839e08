/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/maillog_files.h - log files, one after the other, as batches in order: what `maillog report` and `maillog try` read.
 *
 * Owns:    readers and threads, while maillog_files_read() runs.
 * Threads: one caller; reads with as many threads as there are processors, apply() is called by one at a time.
 * Limits:  none. */
#pragma once

#include "cli/cli.h"
#include "maillog/crew.h"
#include "maillog/rules.h"

struct maillog_files {
        const char **paths; /* sorted: those written last come last */
        size_t n;
        bool keeps_unparsed, keeps_reasons, shows_progress;
        const struct categories *categories;
        void (*apply)(void *arg, struct batch *b);
        void *arg;
        uint64_t too_long; /* found */
};

/* EXIT_DONE; what could not be read is told on standard error, and the rest is read. */
int maillog_files_read(struct maillog_files *f);
/* The rules of FILE; where it is NULL, those of the policy in force or of -c; where there is none, what is built in. NULL: *status says why. */
struct rules *maillog_rules(const struct cli *cli, const char *file, int *status);
