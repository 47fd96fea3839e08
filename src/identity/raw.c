/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/raw.h"

static int hex_value(char c)
{
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

static bool is_upper_hex(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static bool looks_escaped(struct slice s)
{
        return s.n >= 4 && s.p[1] == 'x' && is_upper_hex(s.p[2]) && is_upper_hex(s.p[3]);
}

/* How many bytes at the start of `s` may stay as they are; 0: the first must be escaped. */
static size_t clean_bytes(struct slice s, bool at_end)
{
        unsigned char c = (unsigned char)s.p[0];
        if (c >= 0x80)
                return slice_utf8(s);
        if (c == '\\')
                return looks_escaped(s) ? 0 : 1;
        return c < 0x20 || c == 0x7f || (c == ' ' && at_end) ? 0 : 1;
}

static bool is_clean(struct slice s)
{
        for (size_t i = 0; i < s.n;) {
                size_t n = clean_bytes(slice_from(s, i), i == 0 || i + 1 == s.n);
                if (n == 0)
                        return false;
                i += n;
        }
        return true;
}

struct slice raw_text(struct slice bytes, struct arena *a)
{
        static const char digits[] = "0123456789ABCDEF";
        if (is_clean(bytes))
                return bytes.p ? bytes : S("");
        char *out = arena_alloc(a, bytes.n * 4);
        size_t o = 0;
        if (!out)
                return (struct slice){ NULL, 0 };
        for (size_t i = 0; i < bytes.n;) {
                size_t n = clean_bytes(slice_from(bytes, i), i == 0 || i + 1 == bytes.n);
                if (n) {
                        memcpy(out + o, bytes.p + i, n);
                        o += n;
                        i += n;
                        continue;
                }
                unsigned char c = (unsigned char)bytes.p[i++];
                char escaped[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };
                memcpy(out + o, escaped, sizeof escaped);
                o += sizeof escaped;
        }
        return (struct slice){ out, o };
}

/* One byte: two digits, or one where a colon or the end follows. */
static bool take_pair(struct slice *s, char *out)
{
        int high = s->n ? hex_value(s->p[0]) : -1, low = s->n > 1 ? hex_value(s->p[1]) : -1;
        if (high < 0 || (low < 0 && s->n > 1 && s->p[1] != ':'))
                return false;
        *out = (char)(low < 0 ? high : high * 16 + low);
        *s = slice_from(*s, low < 0 ? 1 : 2);
        return true;
}

bool raw_from_hex(struct slice text, struct arena *a, struct slice *ret)
{
        bool prefixed = slice_starts(text, S("0x"));
        struct slice s = slice_from(text, prefixed ? 2 : 0);
        bool colons = !prefixed && slice_find(s, ':') < s.n;
        size_t n = 0;
        char *out;
        if (s.n == 0 || (!colons && s.n % 2) || !(out = arena_alloc(a, s.n)))
                return false;
        while (s.n) {
                if (!take_pair(&s, &out[n++]))
                        return false;
                if (s.n && s.p[0] == ':' && colons && s.n > 1)
                        s = slice_from(s, 1);
                else if (s.n && colons)
                        return false;
        }
        *ret = (struct slice){ out, n };
        return true;
}

static bool is_octal(char c)
{
        return c >= '0' && c <= '7';
}

struct slice raw_unescape(struct slice s, struct arena *a)
{
        char *out = arena_alloc(a, s.n + 1);
        size_t n = 0;
        for (size_t i = 0; out && i < s.n; i++) {
                char c = s.p[i];
                if (c == '\\' && i + 3 < s.n && is_octal(s.p[i + 1]) && is_octal(s.p[i + 2]) && is_octal(s.p[i + 3])) {
                        c = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0'));
                        i += 3;
                } else if (c == '\\' && i + 1 < s.n) {
                        c = s.p[++i];
                        c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
                }
                out[n++] = c;
        }
        return (struct slice){ out, n };
}

struct slice raw_to_hex(struct slice bytes, struct arena *a)
{
        static const char digits[] = "0123456789abcdef";
        char *out = bytes.n ? arena_alloc(a, bytes.n * 3) : NULL;
        if (!out)
                return (struct slice){ NULL, 0 };
        for (size_t i = 0; i < bytes.n; i++) {
                unsigned char c = (unsigned char)bytes.p[i];
                out[3 * i] = digits[c >> 4];
                out[3 * i + 1] = digits[c & 15];
                out[3 * i + 2] = ':';
        }
        return (struct slice){ out, bytes.n * 3 - 1 };
}

uint32_t raw_number(const char *p, size_t n)
{
        uint32_t number = 0;
        for (size_t i = 0; i < n; i++)
                number = number << 8 | (unsigned char)p[i];
        return number;
}
