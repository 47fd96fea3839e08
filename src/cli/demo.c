/* SPDX-License-Identifier: GPL-3.0-or-later */
/* demo: an ISP in miniature, told by the script lab/demo that comes with us. */
#include "cli/cli.h"

#include <errno.h>

int cmd_demo(int argc, char **argv)
{
        static const struct cli_shape shape = { .usage = "demo" };
        struct cli cli;
        char script[CLI_PATH_MOST], program[CLI_PATH_MOST];
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status) || (status = cli_share("lab/demo", script)))
                return status;
        ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n == -1)
                return cli_fail(EXIT_SYSTEM, "demo: /proc/self/exe: %s", strerror(errno));
        program[n] = '\0';
        setenv("PORTEIRO", program, 1);
        setenv("PORTEIRO_USERS", "same", 1); /* its state folder is root's alone */
        execl(script, script, (char *)NULL);
        return cli_fail(EXIT_SYSTEM, "demo: %s: %s", script, strerror(errno));
}
