/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nflog.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <sys/socket.h>

enum {
        RECEIVE_BYTES = 16 << 20, /* some 120,000 attempts: while the keeper takes its time to write, even in a flood */
        KERNEL_BYTES = 64 << 10,  /* what the kernel gathers before it wakes us */
        KERNEL_PACKETS = 128,
        KERNEL_PATIENCE = 10 /* hundredths of a second */
};

/* --- opening --- */

/* All in one message: a packet between two of them would come without a number. */
static size_t configure(char *room, uint16_t group)
{
        struct nlmsghdr *h = mnl_nlmsg_put_header(room);
        h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
        h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        h->nlmsg_seq = 1;
        struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
        *g = (struct nfgenmsg){ .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(group) };
        struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
        struct nfulnl_msg_config_mode mode = { .copy_range = htonl(NFLOG_SNAPLEN), .copy_mode = NFULNL_COPY_PACKET };
        mnl_attr_put(h, NFULA_CFG_CMD, sizeof bind, &bind);
        mnl_attr_put(h, NFULA_CFG_MODE, sizeof mode, &mode);
        mnl_attr_put_u32(h, NFULA_CFG_NLBUFSIZ, htonl(KERNEL_BYTES));
        mnl_attr_put_u32(h, NFULA_CFG_TIMEOUT, htonl(KERNEL_PATIENCE));
        mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(KERNEL_PACKETS));
        mnl_attr_put_u16(h, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
        return h->nlmsg_len;
}

/* What the kernel says to the message numbered 1. Packets that come first are left out; their numbers will be missed.
 */
static int answer(int fd, char *room)
{
        for (;;) {
                ssize_t n = recv(fd, room, NFLOG_DATAGRAM_MOST, 0);
                if (n == -1 && (errno == EINTR || errno == ENOBUFS))
                        continue;
                if (n == -1)
                        return -errno;
                int left = (int)n;
                for (struct nlmsghdr *h = (struct nlmsghdr *)room; mnl_nlmsg_ok(h, left);
                     h = mnl_nlmsg_next(h, &left)) {
                        if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq != 1 ||
                            h->nlmsg_len < mnl_nlmsg_size(sizeof(struct nlmsgerr)))
                                continue;
                        return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
                }
        }
}

int nflog_open(uint16_t group, int *ret_fd)
{
        autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        struct sockaddr_nl us = { .nl_family = AF_NETLINK }, kernel = us;
        if (fd == -1 || bind(fd, (struct sockaddr *)&us, sizeof us) == -1)
                return -errno;
        int size = RECEIVE_BYTES;
        bool capable = setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0;
        if (!capable)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        autofree char *room = xcalloc(1, NFLOG_DATAGRAM_MOST);
        size_t n = configure(room, group);
        if (sendto(fd, room, n, 0, (struct sockaddr *)&kernel, sizeof kernel) == -1)
                return -errno;
        struct timeval patience = { .tv_sec = 10 }, none = { 0 };
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        int status = answer(fd, room);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
        if (status == -EPERM && capable) /* the kernel's word for a group that another socket has */
                return -EBUSY;
        if (status < 0)
                return status;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* --- reading --- */

static struct slice payload(const struct nlattr *a)
{
        return (struct slice){ mnl_attr_get_payload(a), mnl_attr_get_payload_len(a) };
}

static void read_attribute(const struct nlattr *a, struct nflog_event *e)
{
        struct slice s = payload(a);
        struct nfulnl_msg_packet_timestamp when;
        switch (mnl_attr_get_type(a)) {
        case NFULA_PREFIX:
                e->prefix = (struct slice){ s.p, strnlen(s.p, s.n) };
                break;
        case NFULA_PAYLOAD:
                e->packet = s;
                break;
        case NFULA_SEQ:
                e->has_sequence = s.n == 4;
                if (e->has_sequence)
                        e->sequence = ntohl(mnl_attr_get_u32(a));
                break;
        case NFULA_TIMESTAMP:
                if (s.n != sizeof when)
                        break;
                memcpy(&when, s.p, sizeof when);
                e->at = (int64_t)(be64toh(when.sec) & INT32_MAX) * SECOND + (int64_t)(be64toh(when.usec) % 1000000);
                break;
        }
}

int nflog_parse(struct slice datagram, void (*call)(void *arg, const struct nflog_event *e), void *arg)
{
        int n = 0;
        struct slice left = datagram;
        while (left.n) {
                const struct nlmsghdr *h = (const struct nlmsghdr *)left.p;
                if (!mnl_nlmsg_ok(h, (int)left.n))
                        return -EBADMSG;
                size_t size = MNL_ALIGN(h->nlmsg_len);
                left = slice_from(left, size < left.n ? size : left.n);
                if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
                        continue;
                if (h->nlmsg_len < mnl_nlmsg_size(sizeof(struct nfgenmsg)))
                        return -EBADMSG;
                struct nflog_event e = { .at = 0 };
                const char *end = (const char *)h + h->nlmsg_len;
                const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, sizeof(struct nfgenmsg));
                for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a))
                        read_attribute(a, &e);
                call(arg, &e);
                n++;
        }
        return n;
}

int nflog_read(int fd, char *room, void (*call)(void *arg, const struct nflog_event *e), void *arg)
{
        struct sockaddr_nl from = { 0 };
        socklen_t from_size = sizeof from;
        ssize_t n = recvfrom(fd, room, NFLOG_DATAGRAM_MOST, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        if (n == -1)
                return errno == EINTR ? 0 : -errno;
        if (from.nl_pid != 0) /* only the kernel has this number */
                return 0;
        return nflog_parse((struct slice){ room, (size_t)n }, call, arg);
}

uint32_t nflog_missing(struct nflog_sequence *s, const struct nflog_event *e)
{
        if (!e->has_sequence)
                return 0;
        uint32_t gap = e->sequence - s->next;
        bool backwards = gap > UINT32_MAX / 2; /* somebody bound the group anew: it counts from zero again */
        if (!s->known || backwards)
                gap = 0;
        *s = (struct nflog_sequence){ .next = e->sequence + 1, .known = true };
        return gap;
}
