/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of a hostile edge, and of a hostile duty: what is taken for one must be the same when it is written again. */
#include "auth/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void again(struct slice frame, const struct auth_question *q, const struct auth_reply *r)
{
        autobuf b;
        buf_init(&b, 1 << 20);
        if (q)
                auth_question_put(&b, q);
        else
                auth_reply_put(&b, r);
        if (b.full || !slice_eq(buf_slice(&b), frame))
                panic("another frame than the one that was read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct auth_reply r;
        struct auth_question q;
        struct slice in = { (const char *)data, n };
        int64_t size = auth_question_get(in, &q);
        if (size > 0)
                again((struct slice){ in.p, (size_t)size }, &q, NULL);
        size = auth_reply_get(in, &r);
        if (size > 0)
                again((struct slice){ in.p, (size_t)size }, NULL, &r);
        if (size > 0)
                auth_may_write_as(r.senders, r.n_senders, r.address);
        return 0;
}
