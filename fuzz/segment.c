/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment of any bytes: its header's sum is set right, so that what stands behind it is reached. */
#include "ledger/segment_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int look(void *arg, const struct segment *s, uint64_t i)
{
        struct segment_row row;
        if (segment_read(s, i, &row) == 0)
                *(size_t *)arg += row.lease.user.n + row.lease.evidence.n;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        autobuf why;
        autofree uint8_t *copy = xmalloc(n + 1);
        autosegment *s = NULL;
        size_t sum = 0;
        buf_init(&why, 1024);
        memcpy(copy, data, n);
        if (n >= SEGMENT_HEADER) {
                struct segment_header *h = (void *)copy;
                for (size_t i = 0; i < SECTION_COUNT; i++) {
                        struct segment_extent *e = &h->sections[i];
                        if (e->at <= n && e->bytes <= n - e->at)
                                e->sum = segment_sum_of(copy + e->at, e->bytes);
                }
                h->sum = segment_sum_of(h, offsetof(struct segment_header, sum));
        }
        if (segment_of((struct slice){ (const char *)copy, n }, &s, &why) < 0)
                return 0;
        for (uint64_t i = 0; i <= segment_info(s)->leases && i < 100; i++) {
                struct prefix p = segment_prefix(s, i);
                struct segment_row row;
                segment_stab(s, &p, segment_start(s, i), segment_end(s, i), look, &sum);
                if (segment_read(s, i, &row) == 0)
                        segment_of_line(s, &row.lease.line, look, &sum);
        }
        while (segment_check(s, 1 << 16, &why) > 0)
                ;
        return 0;
}
