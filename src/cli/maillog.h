/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/maillog.h - the verbs of `porteiro maillog`, a file each, and what they share.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "cli/cli.h"
#include "maillog/find.h"

extern const struct cli_shape maillog_report_shape, maillog_try_shape, maillog_follow_shape, maillog_find_shape,
    maillog_index_shape;
int maillog_report_run(int argc, char **argv);
int maillog_try_run(int argc, char **argv);
int maillog_follow_run(int argc, char **argv);
int maillog_find_run(int argc, char **argv);
int maillog_index_run(int argc, char **argv);

/* The zone of this run: what --zone says, else the network's. An exit status. */
int maillog_set_zone(const struct cli *cli, const char *given);
/* One line on a terminal that says how far a file is read; `part` 1: it goes away. */
void maillog_progress(const char *path, double part);

/* The answer of `find`: for people, with the lines themselves, or for programs. */
struct maillog_found {
        const struct stories *stories;
        const struct story_wish *wish;
        size_t n;
        bool lines, more;
};
void maillog_find_text(const struct maillog_found *f, struct buf *out);
void maillog_find_json(const struct maillog_found *f, struct buf *out);
