/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/line.h"

enum { MAC_DIGITS = 12, DUID_DIGITS_MOST = 260 /* RFC 8415 11.1: 2 + 128 bytes */ };

static char hex_digit(char c)
{
        if (c >= 'A' && c <= 'F')
                return (char)(c + 32);
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? c : '\0';
}

/* Hexadecimal digits, with `:`, `-` or `.` between any of them, as pairs with colons. p == NULL where it is not that. */
static struct slice as_pairs(struct slice s, size_t least, size_t most, struct arena *a)
{
        struct slice nothing = { NULL, 0 };
        char digits[DUID_DIGITS_MOST];
        size_t n = 0;
        for (size_t i = 0; i < s.n; i++) {
                char c = hex_digit(s.p[i]);
                bool between = s.p[i] == ':' || s.p[i] == '-' || s.p[i] == '.';
                if ((!c && !between) || (c && n == most))
                        return nothing;
                if (c)
                        digits[n++] = c;
        }
        if (n < least || n % 2)
                return nothing;
        char *out = arena_alloc(a, n / 2 * 3);
        if (!out)
                return nothing;
        for (size_t i = 0; i < n / 2; i++) {
                out[3 * i] = digits[2 * i];
                out[3 * i + 1] = digits[2 * i + 1];
                out[3 * i + 2] = ':';
        }
        out[n / 2 * 3 - 1] = '\0';
        return (struct slice){ out, n / 2 * 3 - 1 };
}

static bool is_plain(struct slice s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
                        return false;
        return s.n && s.p[0] != ' ' && s.p[s.n - 1] != ' ';
}

/* The address a translation gave the ports to. */
static struct slice as_address(struct slice s, struct arena *a)
{
        struct addr addr;
        char text[ADDR_TEXT_MAX];
        return addr_parse(s, &addr) ? arena_dup(a, slice_of(addr_print(&addr, text))) : (struct slice){ NULL, 0 };
}

const char *line_canonical(struct line *line, struct arena *a)
{
        static const char *const kinds[] = { "user", "circuit", "remote", "mac", "duid", "vlan", "static", "inside" };
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(kinds); i++)
                known = known || slice_eq(line->kind, slice_of(kinds[i]));
        if (!known)
                return "a line is KIND:VALUE with KIND one of user, circuit, remote, mac, duid, vlan, static, inside";
        if (line->value.n > LINE_VALUE_MOST)
                return "the value of a line has at most 253 bytes";
        bool mac = slice_eq(line->kind, S("mac")), duid = slice_eq(line->kind, S("duid"));
        bool inside = slice_eq(line->kind, S("inside"));
        struct slice pairs = mac      ? as_pairs(line->value, MAC_DIGITS, MAC_DIGITS, a)
                             : duid   ? as_pairs(line->value, 4, DUID_DIGITS_MOST, a)
                             : inside ? as_address(line->value, a)
                                      : line->value;
        if (mac && !pairs.p)
                return "a MAC has 12 hexadecimal digits";
        if (duid && !pairs.p)
                return "a DUID is an even number of hexadecimal digits";
        if (inside && !pairs.p)
                return "the line inside is an IPv4 or IPv6 address";
        if (!is_plain(pairs))
                return "the value of a line is empty, or has blanks at its ends or control characters in it";
        line->value = pairs;
        return NULL;
}

const char *line_parse(struct slice text, struct arena *a, struct line *ret)
{
        struct line line;
        line.kind = slice_cut(text, ':', &line.value);
        const char *wrong = line_canonical(&line, a);
        if (wrong)
                return wrong;
        *ret = (struct line){ arena_dup(a, line.kind), arena_dup(a, line.value) };
        return ret->kind.p && ret->value.p ? NULL : "out of memory";
}

void line_print(const struct line *line, struct buf *out)
{
        buf_add(out, line->kind);
        buf_addc(out, ':');
        buf_add(out, line->value);
}

bool line_eq(const struct line *a, const struct line *b)
{
        return slice_eq(a->kind, b->kind) && slice_eq(a->value, b->value);
}
