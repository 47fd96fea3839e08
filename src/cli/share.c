/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that come with the program, or why there is no such file. */
#include "base/share.h"
#include "cli/cli.h"

#include <errno.h>

_Static_assert((int)CLI_PATH_MOST == (int)SHARE_PATH_MOST, "one length of paths");

int cli_share(const char *name, char out[CLI_PATH_MOST])
{
        int failed = share_find(name, out);
        if (failed == -ENOENT)
                return cli_fail(EXIT_SYSTEM, "the file %s, which comes with the program, is not beside it", name);
        return failed ? cli_fail(EXIT_SYSTEM, "/proc/self/exe: %s", strerror(-failed)) : EXIT_DONE;
}
