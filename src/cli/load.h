/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/load.h - a policy file read and checked against everything this machine knows: what `check` and `apply` have in common.
 *
 * Owns:    the policy and its diagnostics, until cli_load_done().
 * Threads: one.
 * Limits:  none of its own. */
#pragma once

#include "cli/cli.h"

struct cli_loaded {
        struct policy *policy; /* NULL where there were errors */
        struct diags *diags;
};

/* Parses -c; then warns of interfaces, past waves and other firewalls, and checks promises against the ledger where there is one. */
void cli_load(const struct cli *cli, int64_t now, struct cli_loaded *ret);
void cli_load_done(struct cli_loaded *l);
/* Prints the diagnostics to stderr. */
void cli_load_complain(const struct cli_loaded *l);
