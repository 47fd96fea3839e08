/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: all duties, supervised, until SIGTERM or SIGINT. */
#include "cli/cli.h"
#include "run/supervisor.h"

int cmd_run(int argc, char **argv)
{
        static const struct cli_shape shape = { .usage = "run [--state DIR]" };
        struct cli cli;
        autobuf why = { 0 };
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        buf_init(&why, 4096);
        if (supervisor_run(cli.state, NULL, &why) != 0)
                return cli_fail(EXIT_SYSTEM, "run: %s", buf_cstr(&why));
        return EXIT_DONE;
}
