/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/html.h"

size_t html_add_character(struct buf *out, struct slice s)
{
        size_t n = slice_utf8(s);
        char c = s.n ? s.p[0] : '\0';
        if (n)
                buf_add(out, (struct slice){ s.p, n });
        else if (c < 0x20 || c > 0x7E)
                return 0;
        else if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
                buf_addf(out, "&#%d;", c);
        else
                buf_addc(out, c);
        return n ? n : 1;
}

void html_add(struct buf *out, struct slice s)
{
        while (s.n) {
                size_t n = html_add_character(out, s);
                if (!n)
                        buf_addf(out, "\\x%02x", (unsigned char)s.p[0]);
                s = slice_from(s, n ? n : 1);
        }
}
