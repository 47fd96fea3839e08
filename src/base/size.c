/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/size.h"

#include <stdio.h>

static const char units[] = "KMGT";

bool size_parse(struct slice s, int64_t *ret)
{
        uint64_t n;
        unsigned shift = 0;
        const char *unit = s.n ? memchr(units, s.p[s.n - 1], sizeof units - 1) : NULL;
        if (unit) {
                shift = 10 * (unsigned)(unit - units + 1);
                s.n--;
        }
        if (!slice_u64(s, (uint64_t)SIZE_BYTES_MOST >> shift, &n))
                return false;
        *ret = (int64_t)(n << shift);
        return true;
}

const char *size_print(int64_t bytes, char out[SIZE_TEXT_MAX])
{
        size_t unit = 0;
        while (bytes && bytes % 1024 == 0 && unit < sizeof units - 1) {
                bytes /= 1024;
                unit++;
        }
        snprintf(out, SIZE_TEXT_MAX, "%lld%.*s", (long long)bytes, unit > 0, unit ? &units[unit - 1] : "");
        return out;
}
