/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that come with the program. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

/* Seen from the folder of the executable: built, built with sanitizers, installed under a prefix. */
static const char *const places[] = { "..", "../..", "../share/porteiro" };

int cli_share(const char *name, char out[CLI_PATH_MOST])
{
        char program[CLI_PATH_MOST];
        ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n == -1)
                return cli_fail(EXIT_SYSTEM, "/proc/self/exe: %s", strerror(errno));
        program[n] = '\0';
        const char *slash = strrchr(program, '/');
        int folder = slash ? (int)(slash - program) : 0;
        for (size_t i = 0; i < COUNT_OF(places); i++) {
                int length = snprintf(out, CLI_PATH_MOST, "%.*s/%s/%s", folder, program, places[i], name);
                if (length < CLI_PATH_MOST && access(out, R_OK) == 0)
                        return EXIT_DONE;
        }
        return cli_fail(EXIT_SYSTEM, "the file %s, which comes with %s, is not beside it", name, program);
}
