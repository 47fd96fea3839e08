/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/parse.h"

#include "maillog/dovecot.h"
#include "maillog/exim.h"
#include "maillog/postfix.h"

void mail_parse(enum mail_daemon daemon, struct slice text, struct mail_event *ret)
{
        if (daemon == MAIL_BY_EXIM)
                exim_parse(text, ret);
        else if (daemon == MAIL_BY_DOVECOT)
                dovecot_parse(text, ret);
        else
                postfix_parse(daemon, text, ret);
}
