/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/lease.h - the verbs of `lease` that have a file of their own.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  private to cli/. */
#pragma once

#include "cli/cli.h"

extern const struct cli_shape whose_shape, history_shape, unknown_shape, follow_shape, import_shape;
int lease_whose(int argc, char **argv);
int lease_history(int argc, char **argv);
int lease_unknown(int argc, char **argv);
int lease_follow(int argc, char **argv);
int lease_import(int argc, char **argv);
