/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/subscriber.h - what the files of the noun `subscriber` share.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "cli/cli.h"

/* In cli/subscriber_file.c. */
int subscriber_import(int argc, char **argv);
int subscriber_export(int argc, char **argv);
extern const struct cli_shape subscriber_import_shape, subscriber_export_shape;

/* The class as the policy knows it: NULL where it is right or cannot be checked (no policy), else what is wrong, in *text. */
const char *subscriber_class_wrong(const struct policy *p, struct slice class, struct buf *text);
