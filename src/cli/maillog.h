/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/maillog.h - the verbs of `porteiro maillog`, a file each.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "cli/cli.h"

extern const struct cli_shape maillog_report_shape;
int cmd_maillog_report(int argc, char **argv);
extern const struct cli_shape maillog_try_shape;
int cmd_maillog_try(int argc, char **argv);
