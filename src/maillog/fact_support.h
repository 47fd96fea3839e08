/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/fact_support.h - what a server's lines are read as, for tests; include cmocka.h first.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "maillog/event.h"

struct fact {
        const char *text, *want;
};

/* Each text stands in memory of its own, so that a sanitizer sees what is read behind it. */
static inline void check_facts(void (*parse)(struct slice, struct mail_event *), const struct fact *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                size_t length = strlen(rows[i].text);
                autofree char *exact = xmalloc(length + 1);
                autobuf got;
                buf_init(&got, 65536);
                memcpy(exact, rows[i].text, length + 1);
                struct mail_event e;
                parse((struct slice){ exact, length }, &e);
                mail_event_print(&e, &got);
                if (strcmp(buf_cstr(&got), rows[i].want) != 0)
                        fail_msg("%s\n  got  %s\n  want %s", rows[i].text, buf_cstr(&got), rows[i].want);
        }
}
