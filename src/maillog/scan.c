/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/scan.h"

#include "maillog/postfix.h"

#include <endian.h>

/* The highest bit of each byte that is `c`; a byte above the lowest such may have it, too (the subtraction borrows). */
static uint64_t bytes_equal(uint64_t word, char c)
{
        uint64_t ones = UINT64_C(0x0101010101010101), x = word ^ ones * (uint8_t)c;
        return (x - ones) & ~x & ones << 7;
}

size_t scan_first_of(struct slice s, char a, char b, char c)
{
        size_t i = 0;
        uint64_t word, found;
        for (; i + sizeof word <= s.n; i += sizeof word) {
                memcpy(&word, s.p + i, sizeof word);
                found = bytes_equal(le64toh(word), a) | bytes_equal(le64toh(word), b) | bytes_equal(le64toh(word), c);
                if (found)
                        return i + (size_t)__builtin_ctzll(found) / 8;
        }
        while (i < s.n && s.p[i] != a && s.p[i] != b && s.p[i] != c)
                i++;
        return i;
}

bool scan_until(struct slice *s, struct slice literal, struct slice *ret)
{
        const char *at = s->n ? memmem(s->p, s->n, literal.p, literal.n) : NULL;
        if (!at)
                return false;
        *ret = (struct slice){ s->p, (size_t)(at - s->p) };
        *s = slice_from(*s, ret->n + literal.n);
        return true;
}

bool scan_number(struct slice *s, uint64_t *ret)
{
        uint64_t value = 0;
        size_t i = 0;
        for (; i < s->n && i < 19 && (unsigned)(s->p[i] - '0') < 10; i++)
                value = value * 10 + (unsigned)(s->p[i] - '0');
        if (i == 0 || i == 19)
                return false;
        *ret = value;
        *s = slice_from(*s, i);
        return true;
}

void scan_code(struct slice *s, uint32_t *ret, struct slice *dsn)
{
        uint64_t code, part;
        struct slice at = *s;
        if (scan_number(&at, &code) && code >= 200 && code < 600 &&
            (scan_take(&at, S(" ")) || scan_take(&at, S("-")))) {
                *ret = (uint32_t)code;
                *s = at;
        }
        at = *s;
        if (at.n > 5 && *at.p >= '2' && *at.p <= '5' && at.p[1] == '.' &&
            (at = slice_from(at, 2), scan_number(&at, &part)) && scan_take(&at, S(".")) && scan_number(&at, &part)) {
                *dsn = (struct slice){ s->p, (size_t)(at.p - s->p) };
                scan_take(&at, S(" "));
                *s = at;
        }
}

/* The length of a quoted string with its quotes; 0 where it is never closed. */
static size_t quoted(struct slice s)
{
        for (size_t i = 1; i < s.n; i++) {
                if (s.p[i] == '\\')
                        i++;
                else if (s.p[i] == '"')
                        return i + 1;
        }
        return 0;
}

bool scan_angle(struct slice *s, struct slice *ret)
{
        if (s->n < 2 || *s->p != '<')
                return false;
        struct slice in = { s->p + 1, s->n - 1 };
        size_t skip = *in.p == '"' ? quoted(in) : 0;
        const char *end = memchr(in.p + skip, '>', in.n - skip);
        if (!end)
                return false;
        *ret = (struct slice){ in.p, (size_t)(end - in.p) };
        *s = slice_from(in, ret->n + 1);
        return true;
}

bool scan_peer(struct slice *s, struct mail_peer *ret)
{
        const char *open = s->n ? memchr(s->p, '[', s->n) : NULL;
        if (!open)
                return false;
        size_t name = (size_t)(open - s->p);
        const char *close = memchr(open, ']', s->n - name);
        if (!close || memchr(s->p, ' ', (size_t)(close - s->p)))
                return false;
        ret->name = (struct slice){ s->p, name };
        ret->address = (struct slice){ open + 1, (size_t)(close - open) - 1 };
        size_t end = (size_t)(close - s->p) + 1, port = end;
        if (port < s->n && s->p[port] == ':')
                for (port++; port < s->n && (unsigned)(s->p[port] - '0') < 10;)
                        port++;
        bool has_port = port > end + 1;
        ret->port = has_port ? (struct slice){ s->p + end + 1, port - end - 1 } : (struct slice){ s->p + end, 0 };
        *s = slice_from(*s, has_port ? port : end);
        return true;
}
