/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

enum { REPLY_BYTES = 1 << 15, FOUND_MOST = 64, PRIORITY = 2500, SEAL_METRIC = 1 << 30 };

struct rtnl {
        struct mnl_socket *socket;
        uint32_t sequence;
};

/* A rule or route of ours that stands in the kernel, as the message that would delete it. */
struct found {
        char bytes[512];
        bool rule, wanted;
        struct route_wish is;
        bool has_target;
};

struct search {
        struct found v[FOUND_MOST];
        size_t n;
};

static int attribute_of(const struct nlattr *a, void *arg)
{
        const struct nlattr **table = arg;
        if (mnl_attr_get_type(a) < 32)
                table[mnl_attr_get_type(a)] = a;
        return MNL_CB_OK;
}

static uint32_t u32_of(const struct nlattr *a)
{
        return a && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : 0;
}

static struct addr addr_of(const struct nlattr *a)
{
        struct addr r = { .b = { [10] = 0xff, [11] = 0xff } };
        if (a && mnl_attr_get_payload_len(a) == 16)
                memcpy(r.b, mnl_attr_get_payload(a), 16);
        else if (a && mnl_attr_get_payload_len(a) == 4)
                memcpy(r.b + 12, mnl_attr_get_payload(a), 4);
        return r;
}

static void keep(struct search *s, const struct nlmsghdr *h, struct found f)
{
        if (s->n == FOUND_MOST || h->nlmsg_len > sizeof f.bytes)
                return;
        memcpy(f.bytes, h, h->nlmsg_len);
        s->v[s->n++] = f;
}

static int on_rule(const struct nlmsghdr *h, void *arg)
{
        const struct fib_rule_hdr *r = mnl_nlmsg_get_payload(h);
        const struct nlattr *a[32] = { 0 };
        mnl_attr_parse(h, sizeof *r, attribute_of, a);
        if (!a[FRA_PROTOCOL] || mnl_attr_get_u8(a[FRA_PROTOCOL]) != ROUTE_PROTOCOL)
                return MNL_CB_OK;
        keep(arg, h,
             (struct found){ .rule = true,
                             .is = { .v6 = r->family == AF_INET6,
                                     .mark = u32_of(a[FRA_FWMARK]),
                                     .mask = u32_of(a[FRA_FWMASK]),
                                     .table = a[FRA_TABLE] ? u32_of(a[FRA_TABLE]) : r->table } });
        return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
        const struct rtmsg *r = mnl_nlmsg_get_payload(h);
        const struct nlattr *a[32] = { 0 };
        if (r->rtm_protocol != ROUTE_PROTOCOL)
                return MNL_CB_OK;
        mnl_attr_parse(h, sizeof *r, attribute_of, a);
        keep(arg, h,
             (struct found){ .is = { .v6 = r->rtm_family == AF_INET6,
                                     .table = a[RTA_TABLE] ? u32_of(a[RTA_TABLE]) : r->rtm_table,
                                     .local = r->rtm_type == RTN_LOCAL,
                                     .sealed = r->rtm_type == RTN_UNREACHABLE,
                                     .via = addr_of(a[RTA_GATEWAY]) } });
        return MNL_CB_OK;
}

/* Sends one message and reads up to its acknowledgement, or the end of its dump. */
static int ask(struct rtnl *rt, struct nlmsghdr *h, mnl_cb_t call, void *arg)
{
        char reply[REPLY_BYTES];
        h->nlmsg_seq = ++rt->sequence;
        if (mnl_socket_sendto(rt->socket, h, h->nlmsg_len) == -1)
                return -errno;
        for (;;) {
                ssize_t got = mnl_socket_recvfrom(rt->socket, reply, sizeof reply);
                if (got == -1)
                        return -errno;
                int more = mnl_cb_run(reply, (size_t)got, h->nlmsg_seq, mnl_socket_get_portid(rt->socket), call, arg);
                if (more == MNL_CB_ERROR)
                        return -errno;
                if (more == MNL_CB_STOP)
                        return 0;
        }
}

static int dump(struct rtnl *rt, bool rules, int family, struct search *into)
{
        char room[512] = { 0 };
        struct nlmsghdr *h = mnl_nlmsg_put_header(room);
        h->nlmsg_type = rules ? RTM_GETRULE : RTM_GETROUTE;
        h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        if (rules) {
                struct fib_rule_hdr *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
                r->family = (uint8_t)family;
        } else {
                struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
                r->rtm_family = (uint8_t)family;
                r->rtm_protocol = ROUTE_PROTOCOL; /* the kernel picks ours out of what may be a million routes */
        }
        return ask(rt, h, rules ? on_rule : on_route, into);
}

static struct nlmsghdr *new_message(void *room, int type)
{
        struct nlmsghdr *h = mnl_nlmsg_put_header(room);
        h->nlmsg_type = (uint16_t)type;
        h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        return h;
}

static int add_rule(struct rtnl *rt, const struct route_wish *w)
{
        char room[512] = { 0 };
        struct nlmsghdr *h = new_message(room, RTM_NEWRULE);
        struct fib_rule_hdr *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
        r->family = w->v6 ? AF_INET6 : AF_INET;
        r->action = FR_ACT_TO_TBL;
        mnl_attr_put_u32(h, FRA_FWMARK, w->mark);
        mnl_attr_put_u32(h, FRA_FWMASK, w->mask);
        mnl_attr_put_u32(h, FRA_TABLE, w->table);
        mnl_attr_put_u32(h, FRA_PRIORITY, PRIORITY);
        mnl_attr_put_u8(h, FRA_PROTOCOL, ROUTE_PROTOCOL);
        return ask(rt, h, NULL, NULL);
}

static int add_route(struct rtnl *rt, const struct route_wish *w)
{
        char room[512] = { 0 };
        struct nlmsghdr *h = new_message(room, RTM_NEWROUTE);
        struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
        *r = (struct rtmsg){ .rtm_family = w->v6 ? AF_INET6 : AF_INET,
                             .rtm_protocol = ROUTE_PROTOCOL,
                             .rtm_scope = w->local ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
                             .rtm_type = w->local    ? RTN_LOCAL
                                         : w->sealed ? RTN_UNREACHABLE
                                                     : RTN_UNICAST };
        mnl_attr_put_u32(h, RTA_TABLE, w->table);
        if (w->sealed)
                mnl_attr_put_u32(h, RTA_PRIORITY, SEAL_METRIC);
        else if (w->local)
                mnl_attr_put_u32(h, RTA_OIF, 1);
        else
                mnl_attr_put(h, RTA_GATEWAY, w->v6 ? 16 : 4, w->v6 ? w->via.b : w->via.b + 12);
        int failed = ask(rt, h, NULL, NULL);
        /* where IPv6 is switched off no packet of it asks for the way */
        bool off = failed == -EACCES || failed == -EAFNOSUPPORT || failed == -EOPNOTSUPP;
        return w->v6 && (w->local || w->sealed) && off ? 0 : failed;
}

static bool same_rule(const struct route_wish *a, const struct route_wish *b)
{
        return a->v6 == b->v6 && a->mark == b->mark && a->mask == b->mask && a->table == b->table;
}

static bool same_route(const struct route_wish *a, const struct route_wish *b)
{
        bool way = !a->local && !a->sealed;
        return a->v6 == b->v6 && a->table == b->table && a->local == b->local && a->sealed == b->sealed &&
               (!way || addr_cmp(&a->via, &b->via) == 0);
}

/* Whether something like it stands already; it is then kept. */
static bool stands(struct search *s, bool rule, const struct route_wish *w)
{
        for (size_t i = 0; i < s->n; i++)
                if (s->v[i].rule == rule && (rule ? same_rule(&s->v[i].is, w) : same_route(&s->v[i].is, w)))
                        return s->v[i].wanted = true;
        return false;
}

static int drop_unwanted(struct rtnl *rt, struct search *s, bool rule)
{
        for (size_t i = 0; i < s->n; i++) {
                struct nlmsghdr *h = (struct nlmsghdr *)s->v[i].bytes;
                if (s->v[i].rule != rule || s->v[i].wanted)
                        continue;
                h->nlmsg_type = rule ? RTM_DELRULE : RTM_DELROUTE;
                h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
                int failed = ask(rt, h, NULL, NULL);
                if (failed && failed != -ENOENT && failed != -ESRCH)
                        return failed;
        }
        return 0;
}

static int set_all(struct rtnl *rt, const struct route_wish *wishes, size_t n, struct search *s)
{
        int failed = 0;
        for (int rules = 0; rules < 2 && !failed; rules++) {
                failed = dump(rt, rules, AF_INET, s);
                /* a kernel without IPv6 has nothing to list */
                int failed6 = failed ? 0 : dump(rt, rules, AF_INET6, s);
                failed = failed6 && failed6 != -EAFNOSUPPORT && failed6 != -EOPNOTSUPP ? failed6 : failed;
        }
        for (size_t i = 0; i < n; i++)
                stands(s, false, &wishes[i]);
        if (!failed) /* a table holds one default of ours: the old one makes room first */
                failed = drop_unwanted(rt, s, false);
        for (size_t i = 0; i < n && !failed; i++)
                if (!stands(s, false, &wishes[i]))
                        failed = add_route(rt, &wishes[i]);
        for (size_t i = 0; i < n && !failed; i++)
                if (!wishes[i].sealed && !stands(s, true, &wishes[i]))
                        failed = add_rule(rt, &wishes[i]);
        return failed ? failed : drop_unwanted(rt, s, true);
}

/* Strict checking makes the kernel honour what a dump asks for (4.20 and later; before, more comes than was asked, and is passed over). */
static int rtnl_open(struct rtnl *rt)
{
        int yes = 1;
        struct timeval patience = { .tv_sec = 10 };
        *rt = (struct rtnl){ .socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC) };
        if (!rt->socket)
                return -errno;
        int fd = mnl_socket_get_fd(rt->socket);
        setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof yes);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (mnl_socket_bind(rt->socket, 0, MNL_SOCKET_AUTOPID) == 0)
                return 0;
        int failed = -errno;
        mnl_socket_close(rt->socket);
        return failed;
}

int routes_set(const struct route_wish *wishes, size_t n)
{
        struct rtnl rt;
        autofree struct search *s = xcalloc(1, sizeof *s);
        int failed = rtnl_open(&rt);
        if (failed)
                return failed;
        failed = set_all(&rt, wishes, n, s);
        mnl_socket_close(rt.socket);
        return failed;
}

void routes_mend(const struct route_wish *wishes, size_t n)
{
        struct rtnl rt;
        if (rtnl_open(&rt))
                return;
        for (size_t i = 0; i < n; i++) {
                add_route(&rt, &wishes[i]);
                if (!wishes[i].sealed)
                        add_rule(&rt, &wishes[i]);
        }
        mnl_socket_close(rt.socket);
}
