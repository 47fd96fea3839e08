/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool addr_parse(struct slice s, struct addr *ret)
{
        char text[ADDR_TEXT_MAX];
        if (s.n == 0 || s.n >= sizeof text || memchr(s.p, '\0', s.n))
                return false;
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        struct addr a;
        if (inet_pton(AF_INET6, text, a.b) != 1) {
                memcpy(a.b, mapped, sizeof mapped);
                if (inet_pton(AF_INET, text, a.b + 12) != 1)
                        return false;
        }
        *ret = a;
        return true;
}

bool addr_port_parse(struct slice s, struct addr *ret, uint16_t *port)
{
        uint64_t number;
        size_t colon = s.n;
        while (colon && s.p[colon - 1] != ':')
                colon--;
        struct slice host = { s.p, colon ? colon - 1 : 0 };
        bool brackets = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
        if (brackets)
                host = (struct slice){ host.p + 1, host.n - 2 };
        if (brackets != (slice_find(host, ':') < host.n) || !slice_u64(slice_from(s, colon), 65535, &number) ||
            number == 0 || !addr_parse(host, ret))
                return false;
        *port = (uint16_t)number;
        return true;
}

enum prefix_error prefix_parse(struct slice s, struct prefix *ret)
{
        struct slice length;
        struct slice address = slice_cut(s, '/', &length);
        struct addr a;
        uint64_t len = 128;
        if (!addr_parse(address, &a))
                return PREFIX_NOT_AN_ADDRESS;
        bool as_v4 = addr_is_v4(&a) && slice_find(address, ':') == address.n;
        if (length.p && (length.n > 3 || !slice_u64(length, as_v4 ? 32 : 128, &len)))
                return PREFIX_BAD_LENGTH;
        if (length.p && as_v4)
                len += 96;
        *ret = prefix_of(a, (unsigned)len);
        return addr_cmp(&ret->addr, &a) == 0 ? PREFIX_OK : PREFIX_HOST_BITS;
}

/* Ten times faster than inet_ntop(), which goes by printf: files of leases have millions. */
static const char *print_v4(const uint8_t b[4], char *out)
{
        char *o = out;
        for (int i = 0; i < 4; i++) {
                if (b[i] >= 100)
                        *o++ = (char)('0' + b[i] / 100);
                if (b[i] >= 10)
                        *o++ = (char)('0' + b[i] / 10 % 10);
                *o++ = (char)('0' + b[i] % 10);
                *o++ = i < 3 ? '.' : '\0';
        }
        return out;
}

const char *addr_print(const struct addr *a, char out[ADDR_TEXT_MAX])
{
        if (addr_is_v4(a))
                return print_v4(a->b + 12, out);
        if (!inet_ntop(AF_INET6, a->b, out, ADDR_TEXT_MAX))
                panic("inet_ntop");
        return out;
}

const char *prefix_print(const struct prefix *p, char out[PREFIX_TEXT_MAX])
{
        char text[ADDR_TEXT_MAX];
        addr_print(&p->addr, text);
        if (p->len == 128)
                snprintf(out, PREFIX_TEXT_MAX, "%s", text);
        else
                snprintf(out, PREFIX_TEXT_MAX, "%s/%u", text, prefix_shown_len(p));
        return out;
}

bool addr_is_v4(const struct addr *a)
{
        return memcmp(a->b, mapped, sizeof mapped) == 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
        return memcmp(a->b, b->b, sizeof a->b);
}

static struct addr set_tail(struct addr a, unsigned len, uint8_t with)
{
        for (unsigned i = 0; i < 16; i++) {
                unsigned kept = len > i * 8 ? len - i * 8 : 0;
                uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00u >> kept);
                a.b[i] = (uint8_t)((a.b[i] & mask) | (with & (uint8_t)~mask));
        }
        return a;
}

struct addr addr_mask(struct addr a, unsigned len)
{
        return set_tail(a, len, 0);
}

struct addr addr_last(struct addr a, unsigned len)
{
        return set_tail(a, len, 0xff);
}

bool addr_next(struct addr *a)
{
        struct addr n = *a;
        for (int i = 15; i >= 0; i--)
                if (++n.b[i]) {
                        *a = n;
                        return true;
                }
        return false;
}

bool addr_previous(struct addr *a)
{
        struct addr n = *a;
        for (int i = 15; i >= 0; i--)
                if (n.b[i]--) {
                        *a = n;
                        return true;
                }
        return false;
}

struct prefix prefix_of(struct addr a, unsigned len)
{
        return (struct prefix){ addr_mask(a, len), (uint8_t)len };
}

bool prefix_is_v4(const struct prefix *p)
{
        return p->len >= 96 && addr_is_v4(&p->addr);
}

unsigned prefix_shown_len(const struct prefix *p)
{
        return prefix_is_v4(p) ? p->len - 96u : p->len;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
        struct addr m = addr_mask(*a, p->len);
        return addr_cmp(&m, &p->addr) == 0;
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
        return outer->len <= inner->len && prefix_has(outer, &inner->addr);
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
        int order = addr_cmp(&a->addr, &b->addr);
        return order ? order : (a->len > b->len) - (a->len < b->len);
}
