/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/mailbox.h - what the files of the noun `mailbox` share.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "cli/cli.h"

/* In cli/mailbox_file.c. */
int mailbox_import(int argc, char **argv);
int mailbox_export(int argc, char **argv);
extern const struct cli_shape mailbox_import_shape, mailbox_export_shape;
