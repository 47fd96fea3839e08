/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/packet.h - who sends to whom, read from the first bytes of an IP packet.
 *
 * The packet comes from a customer and is hostile; it may be cut anywhere. Extension headers are followed a bounded
 * way, and one level of tunnel (IPv6 in IPv4, IPv6 in UDP) is looked into: its source stays the outer one, for that
 * is who the network knows.
 * Owns:    nothing; a value.
 * Threads: pure.
 * Limits:  PACKET_HEADERS_MOST extension headers; no option of any header is read. */
#pragma once

#include "base/prefix.h"

enum { PACKET_HEADERS_MOST = 8 };

struct packet {
        struct addr source,
            destination; /* of a tunnel: the outer source, and the inner destination where it can be seen */
        uint16_t port;   /* TCP's destination port; 0 where none can be seen */
        bool tunnel;
};

/* false: not even both addresses of an IP header are there. */
bool packet_parse(struct slice bytes, struct packet *ret);
