/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An index whose records are any bytes; sums are set right, so that what stands behind them is reached. */
#include "base/base.h"
#include "maillog/index_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const uint8_t key[INDEX_KEY] = { 1 };
        struct index_header h = {
                .magic = INDEX_MAGIC, .version = INDEX_VERSION, .order = INDEX_ORDER, .path_n = n % 8 ? 10 : n
        };
        h.sum = index_header_sum(key, &h);
        size_t size = sizeof h + n, at = sizeof h;
        autofree char *file = xmalloc(size);
        memcpy(file, &h, sizeof h);
        memcpy(file + at, data, n);
        for (struct index_record *r; size - at >= sizeof *r; at += sizeof *r + r->words * 8) {
                r = (void *)(file + at);
                if (r->words > (size - at - sizeof *r) / 8 || r->words > INDEX_WORDS_MOST)
                        break;
                r->identity = 0;
                r->sum = index_record_sum(key, r);
        }
        autoindexview *v = NULL;
        autobuf why;
        buf_init(&why, 1024);
        if (index_view_of(key, (struct slice){ file, size }, &v, &why) < 0)
                return 0;
        uint64_t before = 0, hash = n * 0x9e3779b97f4a7c15u;
        for (size_t i = 0; i < index_view_count(v); i++) {
                struct index_block b = index_view_block(v, i);
                if (b.offset < before || b.length == 0 || b.length > INDEX_LENGTH_MOST)
                        panic("a block out of order");
                before = b.offset + b.length;
                index_view_can_have(v, i, &hash, 1);
        }
        return 0;
}
