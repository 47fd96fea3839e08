/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/password.h - the commands of the noun mailbox that deal with passwords: rows for its table.
 *
 * A password is never an argument: others see those. It is read from the terminal without echo, or from standard input, into memory that
 * is wiped and of which no core is written.
 * Owns:    nothing.
 * Threads: one.
 * Limits:  one line. */
#pragma once

#include "cli/cli.h"

extern const struct cli_shape password_shape, check_password_shape, passwords_shape, app_password_shape;
int run_password(int argc, char **argv);
int run_check_password(int argc, char **argv);
int run_passwords(int argc, char **argv);    /* import */
int run_app_password(int argc, char **argv); /* add, list, remove */

/* A password as it was typed. */
enum { TYPED_MOST = 512 };
struct typed {
        char text[TYPED_MOST];
        size_t n;
};
void typed_wipe(struct typed *t);
#define autotyped CLEANUP(typed_wipe) struct typed
/* EXIT_DONE, or told on stderr. `what` is the command, for its messages; twice: asked again on a terminal. */
int typed_read(const char *what, bool from_stdin, bool twice, struct typed *ret);
