/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/slice.h"

struct slice slice_of(const char *cstr)
{
        return (struct slice){ cstr, cstr ? strlen(cstr) : 0 };
}

static char fold(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool slice_ieq(struct slice a, struct slice b)
{
        if (a.n != b.n)
                return false;
        for (size_t i = 0; i < a.n; i++)
                if (fold(a.p[i]) != fold(b.p[i]))
                        return false;
        return true;
}

int slice_cmp(struct slice a, struct slice b)
{
        size_t n = a.n < b.n ? a.n : b.n;
        int order = n ? memcmp(a.p, b.p, n) : 0;
        return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool slice_ends(struct slice s, struct slice with)
{
        return s.n >= with.n && slice_eq((struct slice){ s.p + (s.n - with.n), with.n }, with);
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
        while (s.n && is_blank(s.p[0]))
                s = slice_from(s, 1);
        while (s.n && is_blank(s.p[s.n - 1]))
                s.n--;
        return s;
}

size_t slice_find(struct slice s, char c)
{
        const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
        return hit ? (size_t)(hit - s.p) : s.n;
}

struct slice slice_cut(struct slice s, char sep, struct slice *rest)
{
        size_t at = slice_find(s, sep);
        *rest = at < s.n ? slice_from(s, at + 1) : (struct slice){ NULL, 0 };
        return (struct slice){ s.p, at };
}

bool slice_u64(struct slice s, uint64_t max, uint64_t *ret)
{
        uint64_t n = 0;
        if (s.n == 0)
                return false;
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] < '0' || s.p[i] > '9')
                        return false;
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(s.p[i] - '0'), &n))
                        return false;
        }
        if (n > max)
                return false;
        *ret = n;
        return true;
}

char *slice_dup(struct slice s)
{
        char *copy = xmalloc(s.n + 1);
        if (s.n)
                memcpy(copy, s.p, s.n);
        copy[s.n] = '\0';
        return copy;
}

size_t slice_distance(struct slice a, struct slice b, size_t limit)
{
        enum { MAX = 32 };
        size_t row[MAX + 1];
        if (a.n > MAX || b.n > MAX)
                return limit;
        for (size_t j = 0; j <= b.n; j++)
                row[j] = j;
        for (size_t i = 1; i <= a.n; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= b.n; j++) {
                        size_t change = diagonal + (fold(a.p[i - 1]) != fold(b.p[j - 1]));
                        size_t insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
                        diagonal = row[j];
                        row[j] = change < insert ? change : insert;
                }
        }
        return row[b.n] < limit ? row[b.n] : limit;
}

size_t slice_utf8(struct slice s)
{
        if (s.n == 0 || (unsigned char)s.p[0] < 0x80)
                return 0;
        const unsigned char *p = (const unsigned char *)s.p;
        size_t n = p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 0;
        if (n == 0 || p[0] > 0xF4 || n > s.n)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xC0) != 0x80)
                        return 0;
        bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
        bool outside = (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
        bool c1 = p[0] == 0xC2 && p[1] < 0xA0;
        /* U+061C, U+200E..F, U+202A..E, U+2066..9 turn the direction of what a person reads */
        bool bidi =
            (p[0] == 0xD8 && p[1] == 0x9C) ||
            (p[0] == 0xE2 && ((p[1] == 0x80 && ((p[2] >= 0x8E && p[2] <= 0x8F) || (p[2] >= 0xA8 && p[2] <= 0xAE))) ||
                              (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9)));
        return overlong || outside || c1 || bidi ? 0 : n;
}

size_t slice_utf8_span(struct slice s)
{
        size_t at = 0;
        while (at < s.n) {
                size_t n = (unsigned char)s.p[at] < 0x80 ? 1 : slice_utf8(slice_from(s, at));
                if (n == 0)
                        break;
                at += n;
        }
        return at;
}
