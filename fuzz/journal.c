/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An export of a journal: the first byte chooses where the rest is cut in two. The lines must not depend on it, and each is a line of a log. */
#include "maillog/journal.h"
#include "maillog/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool convert(struct slice text, size_t cut, struct buf *out)
{
        struct journal *j = journal_new();
        buf_init(out, 64 << 20);
        bool good = journal_feed(j, (struct slice){ text.p, cut }, out) &&
                    journal_feed(j, slice_from(text, cut), out) && journal_end(j, out);
        journal_free(j);
        return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        if (n < 1)
                return 0;
        struct slice text = { (const char *)data + 1, n - 1 };
        autobuf whole = { 0 }, pieces = { 0 };
        bool good = convert(text, text.n, &whole);
        if (good != convert(text, text.n * data[0] / 256, &pieces) || !slice_eq(buf_slice(&whole), buf_slice(&pieces)))
                panic("in two pieces it reads otherwise");
        struct slice in = buf_slice(&whole);
        struct syslog_clock clock;
        struct syslog_line line;
        syslog_clock_init(&clock, (struct syslog_zone){ 0 }, INT64_C(1700000000000000));
        for (int64_t size; in.n && (size = syslog_next(&clock, in, &line)) != SYSLOG_MORE;
             in = slice_from(in, (size_t)size))
                if (size < 0)
                        panic("no line of a log");
        if (in.n)
                panic("half a line");
        return 0;
}
