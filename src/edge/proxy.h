/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/proxy.h - the PROXY protocol, version 2 (HAProxy's proxy-protocol.txt, section 2.2): who is really talking, ahead of all else.
 *
 * For MTAs that take no XCLIENT. It tells addresses and ports and no login, and a connection tells them once: it serves one client.
 * Owns:    nothing.
 * Threads: pure.
 * Limits:  TCP alone, no TLVs. */
#pragma once

#include "base/buf.h"
#include "base/prefix.h"

enum { PROXY_MOST = 52 };

/* Both in IPv4, or else both as IPv6 (IPv4 mapped). */
void proxy_put(struct buf *out, const struct addr *from, uint16_t from_port, const struct addr *to, uint16_t to_port);
