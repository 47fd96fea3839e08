/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of leases and accounting: the first byte chooses the format, the second where the rest is cut in two. What is read must not depend on the
 * cut, names the format's own source, and never has a text that could harm a terminal. */
#include "identity/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void take_text(struct buf *out, struct slice s)
{
        buf_add(out, s);
        for (size_t n; s.n; s = slice_from(s, n)) {
                n = (unsigned char)s.p[0] < 0x80 ? 1 : slice_utf8(s);
                if (n == 0 || (unsigned char)s.p[0] < 0x20 || s.p[0] == 0x7f)
                        panic("a text that harms");
        }
}

static void take_event(void *arg, const struct event *e)
{
        const struct slice texts[] = { e->realm, e->nas, e->session, e->user, e->line.value, e->why, e->evidence };
        if (e->at <= 0 || e->n_held > EVENT_HELD_MOST || e->source.n == 0)
                panic("an event without a time or a source");
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                take_text(arg, texts[i]);
        buf_addf(arg, "%d %lld %lld %zu\n", e->kind, (long long)e->at, (long long)e->start, e->n_held);
}

static void take_wrong(void *arg, uint64_t line, const char *text)
{
        buf_addf(arg, "%llu %s\n", (unsigned long long)line, text);
}

static void read_it(enum reader_format format, struct slice text, size_t cut, struct buf *out)
{
        struct reader_options o = {
                .format = format, .name = S("f"), .event = take_event, .wrong = take_wrong, .arg = out
        };
        o.now = INT64_C(1784505600) * SECOND;
        buf_init(out, 64 << 20);
        autoreader *r = reader_new(&o);
        reader_feed(r, (struct slice){ text.p, cut });
        reader_feed(r, slice_from(text, cut));
        reader_end(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        autobuf whole = { 0 }, pieces = { 0 };
        if (n < 2)
                return 0;
        struct slice text = { (const char *)data + 2, n - 2 };
        enum reader_format format = (enum reader_format)(data[0] % READER_FORMAT_COUNT);
        read_it(format, text, text.n, &whole);
        read_it(format, text, text.n * data[1] / 256, &pieces);
        if (!slice_eq(buf_slice(&whole), buf_slice(&pieces)))
                panic("in two pieces it reads otherwise");
        reader_detect(text);
        return 0;
}
