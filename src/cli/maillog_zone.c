/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The zone of times in a log that has none, and how far one is read. */
#include "cli/maillog.h"

#include <stdio.h>

int maillog_set_zone(const struct cli *cli, const char *given)
{
        cli_zone(cli);
        if (given && !time_set_zone(slice_of(given)))
                return cli_fail(EXIT_USAGE, "--zone %s: there is no such zone", given);
        return EXIT_DONE;
}

void maillog_progress(const char *path, double part)
{
        static int64_t shown;
        int64_t now = time_monotonic();
        if (part >= 1) {
                if (shown)
                        fputs("\r\033[K", stderr);
                shown = 0;
        } else if (now - shown >= SECOND / 4) {
                autobuf line;
                buf_init(&line, CLI_PATH_MOST * 4);
                buf_add_shown(&line, slice_of(path));
                fprintf(stderr, "\r\033[K%s: %.0f %%", buf_cstr(&line), 100 * part);
                shown = now;
        }
}
