/* SPDX-License-Identifier: GPL-3.0-or-later */
/* duty: one duty alone, in this process, until SIGTERM or SIGINT. */
#include "cli/cli.h"
#include "run/duties.h"

int cmd_duty(int argc, char **argv)
{
        static const struct cli_shape shape = {
                .usage = "duty keeper|gate|judge|sight|lease|auth|edge|deliver|maillog [--state DIR]",
                .words_least = 1,
                .words_most = 1
        };
        struct cli cli;
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        const struct duty_row *row = duty_find(slice_of(cli.words[0]));
        if (!row)
                return cli_fail(EXIT_USAGE, "duty %s: no such duty", cli.words[0]);
        return duty_run(row, cli.state);
}
