/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/maillog.h"

static const struct cli_verb verbs[] = {
        { "report", &maillog_report_shape, maillog_report_run }, { "try", &maillog_try_shape, maillog_try_run },
        { "follow", &maillog_follow_shape, maillog_follow_run }, { "find", &maillog_find_shape, maillog_find_run },
        { "index", &maillog_index_shape, maillog_index_run },
};

int cmd_maillog(int argc, char **argv)
{
        return cli_dispatch("maillog", verbs, COUNT_OF(verbs), argc, argv);
}
