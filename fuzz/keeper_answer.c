/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the keeper answers, byte by byte and at once: the same answers, the same bytes left. */
#include "ledger/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct read {
        size_t answers, left;
        int64_t sum;
        int end;
};

static struct read run(struct slice in, size_t piece)
{
        struct read r = { .end = 0 };
        struct slice reason, from = { in.p, 0 };
        int status;
        while (r.end >= 0 && from.p + from.n < in.p + in.n) {
                size_t more = (size_t)(in.p + in.n - from.p) - from.n;
                from.n += more < piece ? more : piece;
                while ((r.end = frame_answer(&from, &status, &reason)) == 1) {
                        r.answers++;
                        r.sum ^= status ^ (int64_t)reason.n << 32;
                }
        }
        r.left = from.n;
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice in = { (const char *)data, n };
        struct read whole = run(in, SIZE_MAX), pieces = run(in, 1);
        if (whole.answers != pieces.answers || whole.sum != pieces.sum || whole.end != pieces.end ||
            (whole.end == 0 && whole.left != pieces.left))
                panic("%zu answers at once, %zu byte by byte", whole.answers, pieces.answers);
        return 0;
}
