/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/proxy.h"

static void put_number(struct buf *out, uint16_t n)
{
        buf_addc(out, (char)(n >> 8));
        buf_addc(out, (char)n);
}

void proxy_put(struct buf *out, const struct addr *from, uint16_t from_port, const struct addr *to, uint16_t to_port)
{
        bool v4 = addr_is_v4(from) && addr_is_v4(to);
        size_t skip = v4 ? 12 : 0, n = sizeof from->b - skip;
        buf_add(out, S("\r\n\r\n\0\r\nQUIT\n"));
        buf_addc(out, 0x21); /* version 2, on behalf of somebody */
        buf_addc(out, v4 ? 0x11 : 0x21);
        put_number(out, (uint16_t)(2 * n + 4));
        buf_add(out, (struct slice){ (const char *)from->b + skip, n });
        buf_add(out, (struct slice){ (const char *)to->b + skip, n });
        put_number(out, from_port);
        put_number(out, to_port);
}
