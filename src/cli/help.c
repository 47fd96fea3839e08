/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"
#include "policy/options.h"

static const char *roff;
static const struct cli_option options[] = {
        { .name = "roff", .help = "as the source of a manual page", .value = &roff }
};
static const struct cli_shape shape = { "help [conf [--roff]]", options, COUNT_OF(options), 1, 1 };

/* The list of commands is main's own; here stand the pages. */
int cmd_help(int argc, char **argv)
{
        struct cli cli;
        autobuf out = { 0 };
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        if (strcmp(cli.words[0], "conf") != 0)
                return cli_fail(EXIT_USAGE,
                                "help: %s: there is no such page (there is conf; each command has its --help)",
                                cli.words[0]);
        buf_init(&out, 1 << 20);
        if (roff)
                policy_options_roff(&out);
        else
                policy_options_print(&out);
        return cli_print(&out);
}
