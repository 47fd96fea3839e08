/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of positions: whatever stands in it, with its own sum and with the right one; what was read, printed again, reads the same. */
#include "base/sha256.h"
#include "maillog/position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void parse_and_print(struct slice text)
{
        static struct maillog_positions in, again;
        autobuf out;
        buf_init(&out, 4 << 20);
        if (maillog_positions_parse(text, &in)) {
                if (in.n)
                        panic("%zu positions of what was refused", in.n);
                return;
        }
        maillog_positions_print(&in, &out);
        if (maillog_positions_parse(buf_slice(&out), &again) || in.n != again.n)
                panic("%zu positions came back as %zu", in.n, again.n);
        for (size_t i = 0; i < in.n; i++)
                if (!slice_eq(in.all[i].path, again.all[i].path) || in.all[i].place.offset != again.all[i].place.offset)
                        panic("position %zu came back changed", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        char sum[SHA256_HEX + 1];
        struct slice text = { (const char *)data, n };
        autobuf summed;
        buf_init(&summed, 16 << 20);
        parse_and_print(text);
        sha256_hex(text, sum);
        buf_add(&summed, text);
        buf_addf(&summed, "sum %s\n", sum);
        parse_and_print(buf_slice(&summed));
        return 0;
}
