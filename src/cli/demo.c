/* SPDX-License-Identifier: GPL-3.0-or-later */
/* demo: an ISP in miniature, told by the script lab/demo that comes with us. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_MOST = 4096 };

/* Where the script stands, seen from the folder of the executable: built, built with sanitizers, installed under a
 * prefix. */
static const char *const places[] = { "../lab/demo", "../../lab/demo", "../share/porteiro/lab/demo" };

static bool find_script(const char *program, char out[PATH_MOST])
{
        const char *slash = strrchr(program, '/');
        int folder = slash ? (int)(slash - program) : 0;
        for (size_t i = 0; i < COUNT_OF(places); i++) {
                int n = snprintf(out, PATH_MOST, "%.*s/%s", folder, program, places[i]);
                if (n < PATH_MOST && access(out, X_OK) == 0)
                        return true;
        }
        return false;
}

int cmd_demo(int argc, char **argv)
{
        static const struct cli_shape shape = { .usage = "demo" };
        struct cli cli;
        char program[PATH_MOST], script[PATH_MOST];
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n == -1)
                return cli_fail(EXIT_SYSTEM, "demo: /proc/self/exe: %s", strerror(errno));
        program[n] = '\0';
        if (!find_script(program, script))
                return cli_fail(EXIT_SYSTEM, "demo: the script lab/demo does not stand beside %s", program);
        setenv("PORTEIRO", program, 1);
        setenv("PORTEIRO_USERS", "same", 1); /* its state folder is root's alone */
        execl(script, script, (char *)NULL);
        return cli_fail(EXIT_SYSTEM, "demo: %s: %s", script, strerror(errno));
}
