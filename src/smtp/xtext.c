/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/xtext.h"

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_plain(char c)
{
        return c > ' ' && c < 0x7F && c != '+' && c != '=';
}

static void put(char *out, size_t *n, char c)
{
        if (out)
                out[*n] = c;
        ++*n;
}

bool smtp_xtext_decode(struct slice s, char *out, size_t *n)
{
        size_t w = 0;
        for (size_t i = 0; i < s.n; i++) {
                if (is_plain(s.p[i])) {
                        put(out, &w, s.p[i]);
                        continue;
                }
                if (s.p[i] != '+' || s.n - i < 3)
                        return false;
                int high = digit(s.p[i + 1]), low = digit(s.p[i + 2]);
                if (high < 0 || low < 0)
                        return false;
                put(out, &w, (char)(high << 4 | low));
                i += 2;
        }
        *n = w;
        return true;
}

bool smtp_xtext_valid(struct slice s)
{
        size_t n;
        return smtp_xtext_decode(s, NULL, &n);
}

void smtp_xtext_put(struct buf *out, struct slice bytes)
{
        for (size_t i = 0; i < bytes.n; i++)
                if (is_plain(bytes.p[i]))
                        buf_addc(out, bytes.p[i]);
                else
                        buf_addf(out, "+%02X", (unsigned char)bytes.p[i]);
}
