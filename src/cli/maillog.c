/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/maillog.h"

static const struct cli_verb verbs[] = { { "report", &maillog_report_shape, cmd_maillog_report },
                                         { "try", &maillog_try_shape, cmd_maillog_try } };

int cmd_maillog(int argc, char **argv)
{
        return cli_dispatch("maillog", verbs, COUNT_OF(verbs), argc, argv);
}
