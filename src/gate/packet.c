/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/packet.h"

#include <netinet/in.h>

enum { HEADER4 = 20, HEADER6 = 40, HEADER_UDP = 8 };

static uint8_t byte_at(struct slice s, size_t i)
{
        return i < s.n ? (uint8_t)s.p[i] : 0;
}

static unsigned number_at(struct slice s, size_t i)
{
        return (unsigned)byte_at(s, i) << 8 | byte_at(s, i + 1);
}

static struct addr addr4_at(struct slice s, size_t i)
{
        struct addr a = { .b = { [10] = 0xff, [11] = 0xff } };
        memcpy(a.b + 12, s.p + i, 4);
        return a;
}

static struct addr addr6_at(struct slice s, size_t i)
{
        struct addr a;
        memcpy(a.b, s.p + i, 16);
        return a;
}

static bool is_6(struct slice s)
{
        return s.n >= HEADER6 && byte_at(s, 0) >> 4 == 6;
}

static void read_tcp(struct slice s, struct packet *ret)
{
        if (s.n >= 4)
                ret->port = (uint16_t)number_at(s, 2);
}

/* What follows the last extension header (RFC 8200 4.1), and its protocol. -1 where it cannot be seen: too many
 * headers, cut off, or not the first fragment. */
static int after_extensions(struct slice *s, uint8_t next)
{
        for (int i = 0; i < PACKET_HEADERS_MOST; i++) {
                size_t length;
                switch (next) {
                case IPPROTO_HOPOPTS:
                case IPPROTO_ROUTING:
                case IPPROTO_DSTOPTS:
                        length = (byte_at(*s, 1) + 1u) * 8;
                        break;
                case IPPROTO_AH: /* counts in 32 bits, minus 2 (RFC 4302 2.2) */
                        length = (byte_at(*s, 1) + 2u) * 4;
                        break;
                case IPPROTO_FRAGMENT:
                        length = 8;
                        if (number_at(*s, 2) >> 3)
                                return -1;
                        break;
                default:
                        return next;
                }
                if (s->n < length)
                        return -1;
                next = byte_at(*s, 0);
                *s = slice_from(*s, length);
        }
        return -1;
}

/* The IPv6 packet inside a tunnel. */
static void read_inner(struct slice s, struct packet *ret)
{
        ret->tunnel = true;
        if (!is_6(s))
                return;
        ret->destination = addr6_at(s, 24);
        uint8_t next = byte_at(s, 6);
        s = slice_from(s, HEADER6);
        if (after_extensions(&s, next) == IPPROTO_TCP)
                read_tcp(s, ret);
}

/* RFC 4380 5.1.1: an authentication and an origin indication may stand before the inner packet. */
static void read_udp(struct slice s, struct packet *ret)
{
        s = slice_from(s, s.n < HEADER_UDP ? s.n : HEADER_UDP);
        if (s.n >= 4 && number_at(s, 0) == 1) {
                size_t length = 4u + byte_at(s, 2) + byte_at(s, 3) + 9;
                s = slice_from(s, s.n < length ? s.n : length);
        }
        if (s.n >= 8 && number_at(s, 0) == 0)
                s = slice_from(s, 8);
        if (is_6(s))
                read_inner(s, ret);
}

static void read_payload(struct slice s, int protocol, struct packet *ret)
{
        if (protocol == IPPROTO_TCP)
                read_tcp(s, ret);
        else if (protocol == IPPROTO_IPV6)
                read_inner(s, ret);
        else if (protocol == IPPROTO_UDP)
                read_udp(s, ret);
}

bool packet_parse(struct slice s, struct packet *ret)
{
        *ret = (struct packet){ .port = 0 };
        if (is_6(s)) {
                ret->source = addr6_at(s, 8);
                ret->destination = addr6_at(s, 24);
                uint8_t next = byte_at(s, 6);
                s = slice_from(s, HEADER6);
                int protocol = after_extensions(&s, next);
                read_payload(s, protocol, ret);
                return true;
        }
        size_t header = (byte_at(s, 0) & 15u) * 4;
        if (byte_at(s, 0) >> 4 != 4 || header < HEADER4 || s.n < HEADER4)
                return false;
        ret->source = addr4_at(s, 12);
        ret->destination = addr4_at(s, 16);
        bool later_fragment = number_at(s, 6) & 0x1fff;
        if (!later_fragment && s.n >= header)
                read_payload(slice_from(s, header), byte_at(s, 9), ret);
        return true;
}
