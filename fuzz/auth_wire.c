/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of a hostile edge, of a hostile duty and of a hostile checker: what is taken for one must be the same when it is written again. */
#include "auth/checker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void same(struct buf *b, struct slice frame)
{
        if (b->full || !slice_eq(buf_slice(b), frame))
                panic("another frame than the one that was read");
        buf_clear(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct auth_reply r;
        struct auth_question q;
        struct checker_answer a;
        struct slice in = { (const char *)data, n };
        autobuf b;
        buf_init(&b, 1 << 20);
        int64_t size = auth_question_get(in, &q);
        if (size > 0) {
                auth_question_put(&b, &q);
                same(&b, (struct slice){ in.p, (size_t)size });
        }
        size = auth_reply_get(in, &r);
        if (size > 0) {
                auth_reply_put(&b, &r);
                same(&b, (struct slice){ in.p, (size_t)size });
                auth_may_write_as(r.senders, r.n_senders, r.address);
        }
        if (checker_heard(in, &a) == 0)
                auth_reply_get(a.frame, &r);
        return 0;
}
