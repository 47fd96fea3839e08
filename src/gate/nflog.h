/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/nflog.h - the packets that the gate's rules log, as the kernel hands them over by netlink, and how many it
 * could not.
 *
 * The kernel numbers what it logs to a group before it knows whether there is room for it: a gap in the numbers is
 * an exact loss.
 * Owns:    the descriptor of nflog_open() is the caller's.
 * Threads: one reader a descriptor.
 * Limits:  one group a descriptor; NFLOG_DATAGRAM_MOST bytes a datagram (the kernel's own ceiling); NFLOG_SNAPLEN
 *          bytes of a packet. */
#pragma once

#include "base/buf.h"

enum { NFLOG_DATAGRAM_MOST = 128 << 10, NFLOG_SNAPLEN = 128 };

struct nflog_event {
        struct slice prefix; /* what the rule says of it, without the final zero */
        struct slice packet; /* from the IP header on */
        int64_t at;          /* when the kernel took the packet in; 0: it does not say */
        uint32_t sequence;
        bool has_sequence;
};

/* Binds to the group (needs CAP_NET_ADMIN) and sizes the buffers; from then on reading needs no capability. -EBUSY:
 * another program has the group. The socket does not block. */
int nflog_open(uint16_t group, int *ret_fd);

/* Calls for each event of one datagram. Returns how many, or -EBADMSG (what came before the bad message was called
 * for). */
int nflog_parse(struct slice datagram, void (*call)(void *arg, const struct nflog_event *e), void *arg);

/* Reads one datagram into `room` (NFLOG_DATAGRAM_MOST bytes, aligned by 8) and parses it. -EAGAIN: nothing left; -ENOBUFS: some were
 * lost, read on. */
int nflog_read(int fd, char *room, void (*call)(void *arg, const struct nflog_event *e), void *arg);

/* Which number comes next. */
struct nflog_sequence {
        uint32_t next;
        bool known;
};

/* How many events are missing before this one. */
uint32_t nflog_missing(struct nflog_sequence *s, const struct nflog_event *e);
