/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/gaps.h"
#include "maillog/scan.h"

uint64_t gaps_told(struct slice program, struct slice text)
{
        static const struct {
                struct slice program, before, behind;
        } rows[] = { { S("rsyslogd"), S("imuxsock lost "), S(" messages from pid ") },
                     { S("rsyslogd"), S("imjournal: "), S(" messages lost due to rate-limiting") },
                     { S("systemd-journal"), S("Suppressed "), S(" messages from ") },
                     { S("journal"), S("Suppressed "), S(" messages from ") } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice s = text;
                uint64_t n;
                if (slice_starts(program, rows[i].program) && scan_take(&s, rows[i].before) && scan_number(&s, &n) &&
                    scan_take(&s, rows[i].behind))
                        return n;
        }
        return 0;
}
