/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t max)
{
        *b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
        free(b->p);
        *b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
        b->n = 0;
        b->full = false;
        if (b->p)
                b->p[0] = '\0';
}

static bool make_room(struct buf *b, size_t more)
{
        if (b->full || more > b->max - b->n) {
                b->full = true;
                return false;
        }
        b->p = xgrow(b->p, &b->cap, b->n + more + 1, 1);
        return true;
}

void buf_add(struct buf *b, struct slice s)
{
        if (!make_room(b, s.n))
                return;
        if (s.n)
                memcpy(b->p + b->n, s.p, s.n);
        b->n += s.n;
        b->p[b->n] = '\0';
}

void buf_addc(struct buf *b, char c)
{
        buf_add(b, (struct slice){ &c, 1 });
}

void buf_adds(struct buf *b, const char *cstr)
{
        buf_add(b, slice_of(cstr));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
        va_list ap, again;
        va_start(ap, fmt);
        va_copy(again, ap);
        int n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0)
                panic("bad format: %s", fmt);
        if (make_room(b, (size_t)n)) {
                vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
                b->n += (size_t)n;
        }
        va_end(again);
}

void buf_add_escaped(struct buf *b, struct slice s)
{
        while (s.n) {
                unsigned char c = (unsigned char)s.p[0];
                size_t n = c >= 0x20 && c < 0x7F && c != '"' && c != '\\' ? 1 : c >= 0x80 ? slice_utf8(s) : 0;
                if (n)
                        buf_add(b, (struct slice){ s.p, n });
                else
                        buf_addf(b, "\\x%02x", c);
                s = slice_from(s, n ? n : 1);
        }
}

void buf_add_shown(struct buf *b, struct slice s)
{
        while (s.n) {
                size_t n = 0;
                while (n < s.n && s.p[n] != '"' && s.p[n] != '\\')
                        n++;
                buf_add_escaped(b, (struct slice){ s.p, n });
                if (n < s.n)
                        buf_addc(b, s.p[n++]);
                s = slice_from(s, n);
        }
}

struct slice buf_slice(const struct buf *b)
{
        return (struct slice){ b->p, b->n };
}

const char *buf_cstr(struct buf *b)
{
        return b->p ? b->p : "";
}

char *buf_take(struct buf *b)
{
        char *p = b->p ? b->p : xstrdup("");
        *b = (struct buf){ .max = b->max };
        return p;
}
