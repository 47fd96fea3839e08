/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A message as smtp/data lets it through, whole and byte by byte: one end of the head, one count of everything, one author. */
#include "smtp/data.h"
#include "smtp/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void clean(struct slice in, struct buf *out)
{
        struct smtp_data d;
        struct slice span;
        enum smtp_data_found found;
        smtp_data_init(&d, 0);
        while ((found = smtp_data_next(&d, &in, &span)) == SMTP_DATA_BYTES)
                buf_add(out, span);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct smtp_header whole, bytes;
        static struct smtp_mailboxes a, b;
        autobuf text;
        buf_init(&text, 64 << 20);
        clean((struct slice){ (const char *)data, n }, &text);
        struct slice in = buf_slice(&text), one;
        smtp_header_init(&whole);
        smtp_header_init(&bytes);
        enum smtp_header_found found = smtp_header_next(&whole, &in), last = SMTP_HEADER_MORE;
        size_t at = 0;
        for (; at < text.n && last == SMTP_HEADER_MORE; at++) {
                one = (struct slice){ text.p + at, 1 };
                last = smtp_header_next(&bytes, &one);
        }
        bool same = found == last && (found != SMTP_HEADER_END || text.n - in.n == at - 1) &&
                    whole.broken == bytes.broken && memcmp(whole.count, bytes.count, sizeof whole.count) == 0 &&
                    whole.eight_bit == bytes.eight_bit;
        if (!same || smtp_header_author(&whole, &a) != smtp_header_author(&bytes, &b) || a.n != b.n)
                panic("cut in bytes it is another head");
        if (found == SMTP_HEADER_END && (in.p[0] != '\r' || (text.n > in.n && in.p[-1] != '\n')))
                panic("the head ends in the middle of a line");
        smtp_header_done(&whole);
        smtp_header_done(&bytes);
        return 0;
}
