/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/doors.h"
#include "base/log.h"

#include <errno.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { BACKLOG = 4096, SUBMISSIONS_PORT = 465 };

struct door {
        struct addr addr;
        uint16_t port;
        enum edge_role role;
        bool tls, transparent;
        size_t legacy;
};

struct doors {
        struct door v[SETUP_LISTENERS_MOST];
        size_t n;
        bool full;
};

static const struct addr any4 = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } }, any6,
                         loopback4 = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 } },
                         loopback6 = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } };

static void add(struct doors *d, struct door one)
{
        d->full |= d->n == SETUP_LISTENERS_MOST;
        if (!d->full)
                d->v[d->n++] = one;
}

static void wanted(const struct policy *p, struct doors *d)
{
        const struct policy_edge *e = &p->edge;
        if (!e->written)
                return;
        for (size_t i = 0; i < e->n_ports; i++) {
                struct door one = { .port = e->ports[i],
                                    .role = EDGE_SUBMISSION,
                                    .tls = e->ports[i] == SUBMISSIONS_PORT };
                for (size_t k = 0; k < e->n_listen; k++) {
                        one.addr = e->listen[k].addr;
                        add(d, one);
                }
                if (e->n_listen)
                        continue;
                one.addr = any4;
                add(d, one);
                one.addr = any6;
                add(d, one);
        }
        if (p->gate.edge == EDGE_LOCAL)
                for (int v6 = 0; v6 < 2; v6++) {
                        struct addr at = v6 ? loopback6 : loopback4;
                        add(d, (struct door){ at, p->gate.divert_port, EDGE_DIVERT, .transparent = true });
                        add(d, (struct door){ at, p->gate.trap_port, EDGE_TRAP, .transparent = true });
                }
        for (size_t i = 0; i < p->n_legacies; i++)
                add(d, (struct door){ p->legacies[i].listen, p->legacies[i].port, EDGE_LEGACY, .legacy = i });
}

static void print(const struct door *d, struct buf *out)
{
        char text[ADDR_TEXT_MAX];
        buf_addf(out, addr_is_v4(&d->addr) ? "%s:%u" : "[%s]:%u", addr_print(&d->addr, text), d->port);
}

void doors_wanted(const struct policy *p, struct buf *out)
{
        struct doors d = { .n = 0 };
        wanted(p, &d);
        for (size_t i = 0; i < d.n; i++) {
                buf_addf(out, "%s %d %zu ", edge_role_name(d.v[i].role), d.v[i].tls, d.v[i].legacy);
                print(&d.v[i], out);
                buf_addc(out, '\n');
        }
}

static int bind_to(int fd, const struct door *d)
{
        if (addr_is_v4(&d->addr)) {
                struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(d->port) };
                memcpy(&at.sin_addr, d->addr.b + 12, 4);
                return bind(fd, (struct sockaddr *)&at, sizeof at);
        }
        struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(d->port) };
        memcpy(&at.sin6_addr, d->addr.b, 16);
        return bind(fd, (struct sockaddr *)&at, sizeof at);
}

static int be_transparent(int fd, bool v4)
{
        return v4 ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &(int){ 1 }, sizeof(int))
                  : setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &(int){ 1 }, sizeof(int));
}

/* The descriptor, or -errno; -EAFNOSUPPORT: this box has no such family. */
static int open_one(const struct door *d)
{
        bool v4 = addr_is_v4(&d->addr);
        autobuf name;
        buf_init(&name, 128);
        autoclose int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd == -1)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)); /* who is accepted inherits it */
        if (!v4)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
        print(d, &name);
        if (d->transparent && be_transparent(fd, v4) == -1)
                log_event("not-transparent", "socket=%s role=%s why=\"%s\"", buf_cstr(&name), edge_role_name(d->role),
                          strerror(errno));
        if (bind_to(fd, d) == -1 || listen(fd, BACKLOG) == -1)
                return -errno;
        return take_fd(&fd);
}

int doors_open(const struct policy *p, struct setup *ret, struct buf *why)
{
        struct doors d = { .n = 0 };
        wanted(p, &d);
        if (d.full) {
                buf_addf(why, "more than %d sockets", SETUP_LISTENERS_MOST);
                return -E2BIG;
        }
        for (size_t i = 0; i < d.n; i++) {
                int fd = open_one(&d.v[i]);
                bool no_family =
                    fd == -EAFNOSUPPORT || (fd == -EADDRNOTAVAIL && addr_cmp(&d.v[i].addr, &loopback6) == 0);
                if (fd < 0 && no_family)
                        continue;
                if (fd < 0) {
                        print(&d.v[i], why);
                        buf_addf(why, " (%s): %s%s", edge_role_name(d.v[i].role), strerror(-fd),
                                 fd == -EADDRINUSE ? "; another mail server listens there" : "");
                        doors_close(ret);
                        return fd;
                }
                ret->listeners[ret->n_listeners++] =
                    (struct setup_listener){ fd, d.v[i].role, d.v[i].tls, d.v[i].legacy };
        }
        return 0;
}

void doors_close(struct setup *s)
{
        for (size_t i = 0; i < s->n_listeners; i++)
                close(s->listeners[i].fd);
        s->n_listeners = 0;
}
