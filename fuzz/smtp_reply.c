/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replies of an MTA, whole and byte by byte: the same replies; each written by us is a reply of the same code again. */
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum smtp_read read_on(struct smtp_reader *r, struct slice in, struct buf *out)
{
        enum smtp_read found;
        while ((found = smtp_reader_next(r, &in)) == SMTP_READ_REPLY) {
                struct smtp_reader again;
                size_t at = out->n;
                smtp_reply_put(out, &r->reply, 0);
                struct slice ours = slice_from(buf_slice(out), at);
                smtp_reader_init(&again);
                if (smtp_reader_next(&again, &ours) != SMTP_READ_REPLY || again.reply.code != r->reply.code || ours.n)
                        panic("our own reply is none: %.*s", SLICE_ARGS(ours));
                smtp_reader_done(&again);
        }
        return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct smtp_reader whole, bytes;
        autobuf a, b;
        buf_init(&a, 64 << 20);
        buf_init(&b, 64 << 20);
        smtp_reader_init(&whole);
        smtp_reader_init(&bytes);
        enum smtp_read found = read_on(&whole, (struct slice){ (const char *)data, n }, &a), last = SMTP_READ_MORE;
        for (size_t i = 0; i < n && last != SMTP_READ_JUNK; i++)
                last = read_on(&bytes, (struct slice){ (const char *)data + i, 1 }, &b);
        if (found != last || !slice_eq(buf_slice(&a), buf_slice(&b)))
                panic("cut in bytes it reads otherwise");
        smtp_reader_done(&whole);
        smtp_reader_done(&bytes);
        return 0;
}
