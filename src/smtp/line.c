/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/line.h"

#include <endian.h>

static bool is_special(char c)
{
        return c == '\r' || c == '\n' || c == '\0';
}

/* Eight bytes at a time: in x - 0x0E.. & ~x the top bit of the first byte below 0x0E is set (and perhaps some behind it). Tabs and
 * other controls are stopped at in vain, which text does rarely. */
size_t smtp_special(struct slice s)
{
        const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
        size_t i = 0;
        while (s.n - i >= 8) {
                uint64_t x;
                memcpy(&x, s.p + i, 8);
                x = le64toh(x);
                uint64_t hit = (x - ones * 0x0E) & ~x & tops;
                if (!hit) {
                        i += 8;
                        continue;
                }
                i += (size_t)__builtin_ctzll(hit) / 8;
                if (is_special(s.p[i]))
                        return i;
                i++;
        }
        while (i < s.n && !is_special(s.p[i]))
                i++;
        return i;
}

void smtp_line_done(struct smtp_line *l)
{
        if (l->part)
                explicit_bzero(l->part, l->room); /* a password may have stood here */
        free(l->part);
        *l = (struct smtp_line){ .part = NULL };
}

bool smtp_line_fresh(const struct smtp_line *l)
{
        return !l->skipping && (l->given || (l->n == 0 && !l->after_cr));
}

static void keep(struct smtp_line *l, struct slice s)
{
        if (l->n + s.n > l->room) {
                size_t room = l->n + s.n < 64 ? 64 : (l->n + s.n) * 2;
                char *p = xmalloc(room);
                if (l->n)
                        memcpy(p, l->part, l->n);
                if (l->part)
                        explicit_bzero(l->part, l->room);
                free(l->part);
                l->part = p;
                l->room = (uint32_t)room;
        }
        if (s.n)
                memcpy(l->part + l->n, s.p, s.n);
        l->n += (uint32_t)s.n;
}

static void advance(struct slice *in, size_t n)
{
        *in = slice_from(*in, n);
}

static enum smtp_line_found skip_from_here(struct smtp_line *l, enum smtp_line_found why)
{
        smtp_line_done(l);
        l->skipping = true;
        return why;
}

/* To the CRLF that ends what was told. */
static void skip(struct smtp_line *l, struct slice *in)
{
        while (in->n && l->skipping) {
                size_t at = slice_find(*in, '\n');
                bool cr = at == 0 ? l->after_cr : in->p[at - 1] == '\r';
                if (at == in->n) {
                        l->after_cr = cr;
                        advance(in, at);
                        return;
                }
                if (cr)
                        l->skipping = false;
                l->after_cr = false;
                advance(in, at + 1);
        }
}

/* A line that ends here: the bytes before CRLF. */
static enum smtp_line_found whole(struct smtp_line *l, struct slice last, struct slice *ret)
{
        if (l->n) {
                keep(l, last);
                *ret = (struct slice){ l->part, l->n };
        } else {
                *ret = last;
        }
        l->given = true;
        return SMTP_LINE;
}

enum smtp_line_found smtp_line_next(struct smtp_line *l, struct slice *in, size_t most, struct slice *ret)
{
        if (l->given)
                smtp_line_done(l);
        skip(l, in);
        if (in->n == 0)
                return SMTP_LINE_MORE;
        if (l->after_cr) {
                if (in->p[0] != '\n')
                        return skip_from_here(l, SMTP_LINE_BARE_CR);
                advance(in, 1);
                return whole(l, S(""), ret);
        }
        struct slice text = { in->p, smtp_special(*in) };
        if (l->n + text.n > most - 2) {
                advance(in, text.n);
                return skip_from_here(l, SMTP_LINE_LONG);
        }
        if (text.n == in->n) {
                keep(l, text);
                advance(in, text.n);
                return SMTP_LINE_MORE;
        }
        char c = in->p[text.n];
        advance(in, text.n + 1);
        if (c != '\r')
                return skip_from_here(l, c == '\n' ? SMTP_LINE_BARE_LF : SMTP_LINE_NUL);
        if (in->n == 0) {
                keep(l, text);
                l->after_cr = true;
                return SMTP_LINE_MORE;
        }
        if (in->p[0] != '\n')
                return skip_from_here(l, SMTP_LINE_BARE_CR);
        advance(in, 1);
        return whole(l, text, ret);
}
