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

uint64_t gaps_repeated(struct slice *text)
{
        struct slice s = *text;
        uint64_t n;
        bool before = scan_take(&s, S("last "));
        if (!scan_take(&s, S("message repeated ")) || !scan_number(&s, &n) || n == 0 || !scan_take(&s, S(" times")))
                return 1;
        if (before && !s.n)
                *text = s;
        else if (!before && scan_take(&s, S(": [ ")) && s.n && s.p[s.n - 1] == ']')
                *text = (struct slice){ s.p, s.n - 1 };
        else
                return 1;
        return n < REPEATS_MOST ? n : REPEATS_MOST;
}
