/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/netlink.h"
#include "gate/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

enum { REPLY_BYTES = 1 << 16, SEND_BUFFER = 64 << 20, MESSAGE_BYTES = 48 << 10 };

static const char table_name[] = "porteiro";

struct netlink {
        struct mnl_socket *socket;
        uint32_t sequence, first; /* of the batch */
        size_t last_at;           /* where its last element message begins */
        struct buf batch;
};

int netlink_open(struct netlink **ret)
{
        struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
        if (!socket)
                return -errno;
        if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == -1) {
                int failed = -errno;
                mnl_socket_close(socket);
                return failed;
        }
        int size = SEND_BUFFER;
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        struct timeval patience = { .tv_sec = 10 };
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        struct netlink *n = xcalloc(1, sizeof *n);
        n->socket = socket;
        n->sequence = (uint32_t)getpid();
        buf_init(&n->batch, SEND_BUFFER);
        *ret = n;
        return 0;
}

void netlink_close(struct netlink *n)
{
        if (!n)
                return;
        mnl_socket_close(n->socket);
        buf_done(&n->batch);
        free(n);
}

void netlink_close_(struct netlink **n)
{
        netlink_close(*n);
}

/* --- building a batch -------------------------------------------------------------------------------------------------------- */

static struct nlmsghdr *header(struct netlink *n, void *room, int type, int flags, int resource)
{
        struct nlmsghdr *h = mnl_nlmsg_put_header(room);
        h->nlmsg_type = (uint16_t)type;
        h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        h->nlmsg_seq = ++n->sequence;
        struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
        *g = (struct nfgenmsg){ .nfgen_family = resource ? AF_UNSPEC : NFPROTO_INET,
                                .version = NFNETLINK_V0,
                                .res_id = htons((uint16_t)resource) };
        return h;
}

static int nft_type(int message)
{
        return NFNL_SUBSYS_NFTABLES << 8 | message;
}

static void append(struct netlink *n, const struct nlmsghdr *h)
{
        buf_add(&n->batch, (struct slice){ (const char *)h, MNL_ALIGN(h->nlmsg_len) });
}

static void batch_mark(struct netlink *n, int type)
{
        char room[64] = { 0 };
        append(n, header(n, room, type, 0, NFNL_SUBSYS_NFTABLES));
}

static void batch_begin(struct netlink *n)
{
        buf_clear(&n->batch);
        n->first = n->sequence + 1;
        n->last_at = 0;
        batch_mark(n, NFNL_MSG_BATCH_BEGIN);
}

struct element_message {
        struct nlmsghdr *h;
        struct nlattr *list;
        unsigned index;
        char room[MESSAGE_BYTES + 1024];
};

static void element_begin(struct netlink *n, struct element_message *m, bool add, const struct delta *of, char letter)
{
        struct buf set;
        buf_init(&set, 64);
        nft_set_name(of->kind, &of->prefix, letter, &set);
        memset(m->room, 0, 256);
        m->h = header(n, m->room, nft_type(add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM), add ? NLM_F_CREATE : 0, 0);
        mnl_attr_put_strz(m->h, NFTA_SET_ELEM_LIST_TABLE, table_name);
        mnl_attr_put_strz(m->h, NFTA_SET_ELEM_LIST_SET, buf_cstr(&set));
        buf_done(&set);
        m->index = 0;
        m->list = NULL;
}

static void element_add(struct element_message *m, const struct prefix *p)
{
        bool v4 = prefix_is_v4(p);
        if (!m->list)
                m->list = mnl_attr_nest_start(m->h, NFTA_SET_ELEM_LIST_ELEMENTS);
        struct nlattr *one = mnl_attr_nest_start(m->h, (uint16_t)++m->index);
        struct nlattr *key = mnl_attr_nest_start(m->h, NFTA_SET_ELEM_KEY);
        mnl_attr_put(m->h, NFTA_DATA_VALUE, v4 ? 4 : 16, v4 ? p->addr.b + 12 : p->addr.b);
        mnl_attr_nest_end(m->h, key);
        mnl_attr_nest_end(m->h, one);
}

static void element_end(struct netlink *n, struct element_message *m)
{
        if (m->list)
                mnl_attr_nest_end(m->h, m->list);
        n->last_at = n->batch.n;
        append(n, m->h);
}

/* --- talking ----------------------------------------------------------------------------------------------------------------- */

/* Reads answers up to the one for `last`; the first error is the result. A batch that was refused whole is answered for its
 * first message. */
static int answers(struct netlink *n, uint32_t last)
{
        char reply[REPLY_BYTES];
        int failed = 0;
        for (;;) {
                ssize_t got = mnl_socket_recvfrom(n->socket, reply, sizeof reply);
                if (got == -1 && errno == EINTR)
                        continue;
                if (got == -1)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                int left = (int)got;
                for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left);
                     h = mnl_nlmsg_next(h, &left)) {
                        if (h->nlmsg_type != NLMSG_ERROR)
                                continue;
                        const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
                        failed = failed ? failed : e->error;
                        if (h->nlmsg_seq == last || (e->error && h->nlmsg_seq == n->first))
                                return failed;
                }
        }
}

/* Acknowledgements come when the batch is through: the last element message asks for the only one. */
static int batch_commit(struct netlink *n)
{
        if (n->batch.full)
                return -EMSGSIZE;
        if (!n->last_at)
                return 0;
        struct nlmsghdr *last = (struct nlmsghdr *)(n->batch.p + n->last_at);
        last->nlmsg_flags |= NLM_F_ACK;
        uint32_t sequence = last->nlmsg_seq;
        batch_mark(n, NFNL_MSG_BATCH_END);
        if (mnl_socket_sendto(n->socket, n->batch.p, n->batch.n) == -1)
                return -errno;
        return answers(n, sequence);
}

/* --- elements ---------------------------------------------------------------------------------------------------------------- */

static int by_set(const void *a, const void *b)
{
        const struct delta *d = a, *e = b;
        if (d->add != e->add)
                return d->add - e->add; /* what goes, goes first */
        if (d->kind != e->kind)
                return (int)d->kind - (int)e->kind;
        int family = family_of(&d->prefix) - family_of(&e->prefix);
        return family ? family : d->prefix.len - e->prefix.len;
}

/* One message for each set and direction, or several where one would be too long. Sorts the deltas. */
static void put_elements(struct netlink *n, struct element_message *m, char letter, struct deltas all)
{
        if (all.n)
                qsort(all.v, all.n, sizeof *all.v, by_set);
        for (size_t i = 0; i < all.n;) {
                const struct delta *first = &all.v[i];
                element_begin(n, m, first->add, first, letter);
                for (size_t from = i; i < all.n && by_set(first, &all.v[i]) == 0 && i - from < MESSAGE_BYTES / 48; i++)
                        element_add(m, &all.v[i].prefix);
                element_end(n, m);
        }
}

int netlink_change(struct netlink *n, char letter, const struct delta *deltas, size_t count)
{
        if (count == 0)
                return 0;
        autofree struct delta *copy = xmalloc(count * sizeof *copy);
        autofree struct element_message *m = xmalloc(sizeof *m);
        memcpy(copy, deltas, count * sizeof *copy);
        batch_begin(n);
        put_elements(n, m, letter, (struct deltas){ copy, count, count });
        return batch_commit(n);
}

struct filler {
        const struct plan *plan;
        enum kind kind;
        struct deltas all;
};

static void collect(void *arg, const struct prefix *p)
{
        struct filler *f = arg;
        if (!nft_has_set(f->plan, f->kind, p))
                return;
        f->all.v = xgrow(f->all.v, &f->all.cap, f->all.n + 1, sizeof *f->all.v);
        f->all.v[f->all.n++] = (struct delta){ f->kind, true, *p };
}

/* A deletion that names no element empties the set. */
static void empty_sets(struct netlink *n, struct element_message *m, const struct nft_slot *slot, enum kind kind)
{
        const struct plan_lengths *l = nft_lengths_for(slot->plan, kind);
        for (int f = 0; f < FAMILIES; f++)
                for (size_t i = 0; i < l->n[f]; i++) {
                        struct delta any = { .kind = kind, .prefix.len = l->v[f][i] };
                        if (f == FAMILY4)
                                any.prefix.addr.b[10] = any.prefix.addr.b[11] = 0xff;
                        element_begin(n, m, false, &any, slot->letter);
                        element_end(n, m);
                }
}

int netlink_fill(struct netlink *n, const struct nft_slot *slot)
{
        autofree struct element_message *m = xmalloc(sizeof *m);
        struct filler f = { .plan = slot->plan };
        batch_begin(n);
        for (f.kind = 0; f.kind < KIND_COUNT; f.kind++) {
                bool absent = f.kind == KIND_CAPTIVE
                                  ? !slot->captive
                                  : f.kind >= KIND_OWN_OPEN && !slot->plan->own[f.kind - KIND_OWN_OPEN];
                if (absent)
                        continue;
                empty_sets(n, m, slot, f.kind);
                crowd_elements(slot->crowd, f.kind, collect, &f);
        }
        put_elements(n, m, slot->letter, f.all);
        free(f.all.v);
        return batch_commit(n);
}

bool netlink_has(struct netlink *n, char letter, enum kind kind, const struct prefix *p)
{
        autofree struct element_message *m = xmalloc(sizeof *m);
        const struct delta one = { .kind = kind, .prefix = *p };
        char reply[REPLY_BYTES];
        element_begin(n, m, true, &one, letter);
        m->h->nlmsg_type = (uint16_t)nft_type(NFT_MSG_GETSETELEM);
        m->h->nlmsg_flags = NLM_F_REQUEST;
        element_add(m, p);
        mnl_attr_nest_end(m->h, m->list);
        if (mnl_socket_sendto(n->socket, m->h, m->h->nlmsg_len) == -1)
                return false;
        ssize_t got = mnl_socket_recvfrom(n->socket, reply, sizeof reply);
        const struct nlmsghdr *h = (const struct nlmsghdr *)reply;
        return got >= (ssize_t)sizeof *h && h->nlmsg_seq == n->sequence &&
               h->nlmsg_type == nft_type(NFT_MSG_NEWSETELEM);
}

/* --- dumps ------------------------------------------------------------------------------------------------------------------- */

struct dump {
        int message, name_attribute;
        void (*name)(void *arg, struct slice name);
        void (*counter)(void *arg, const struct counter_value *c);
        void *arg;
};

static int attribute_of(const struct nlattr *a, void *arg)
{
        const struct nlattr **table = arg;
        if (mnl_attr_get_type(a) < 32)
                table[mnl_attr_get_type(a)] = a;
        return MNL_CB_OK;
}

static struct slice text_of(const struct nlattr *a)
{
        return a ? (struct slice){ mnl_attr_get_payload(a),
                                   strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a)) }
                 : S("");
}

static uint64_t number_of(const struct nlattr *a)
{
        return a && mnl_attr_get_payload_len(a) == 8 ? be64toh(mnl_attr_get_u64(a)) : 0;
}

static int on_dump(const struct nlmsghdr *h, void *arg)
{
        struct dump *d = arg;
        const struct nlattr *a[32] = { 0 }, *values[32] = { 0 };
        mnl_attr_parse(h, sizeof(struct nfgenmsg), attribute_of, a);
        if (!slice_eq(text_of(a[1]),
                      slice_of(table_name))) /* NFTA_CHAIN_TABLE, NFTA_SET_TABLE and NFTA_OBJ_TABLE are all 1 */
                return MNL_CB_OK;
        if (d->name) {
                d->name(d->arg, text_of(a[d->name_attribute]));
                return MNL_CB_OK;
        }
        if (!a[NFTA_OBJ_TYPE] || ntohl(mnl_attr_get_u32(a[NFTA_OBJ_TYPE])) != NFT_OBJECT_COUNTER || !a[NFTA_OBJ_DATA])
                return MNL_CB_OK;
        mnl_attr_parse_nested(a[NFTA_OBJ_DATA], attribute_of, values);
        d->counter(d->arg, &(struct counter_value){ text_of(a[NFTA_OBJ_NAME]), number_of(values[NFTA_COUNTER_PACKETS]),
                                                    number_of(values[NFTA_COUNTER_BYTES]) });
        return MNL_CB_OK;
}

/* A dump that the ruleset changed under is begun again by the caller. */
static int run_dump(struct netlink *n, struct dump *d)
{
        char room[256] = { 0 }, reply[REPLY_BYTES];
        struct nlmsghdr *h = header(n, room, nft_type(d->message), NLM_F_DUMP, 0);
        unsigned port = mnl_socket_get_portid(n->socket);
        if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) == -1)
                return -errno;
        for (;;) {
                ssize_t got = mnl_socket_recvfrom(n->socket, reply, sizeof reply);
                if (got == -1)
                        return -errno;
                int more = mnl_cb_run(reply, (size_t)got, h->nlmsg_seq, port, on_dump, d);
                if (more == MNL_CB_ERROR)
                        return errno == ENOENT ? 0 : -errno;
                if (more == MNL_CB_STOP)
                        return 0;
        }
}

int netlink_names(struct netlink *n, enum object what, void (*call)(void *arg, struct slice name), void *arg)
{
        struct dump d = { .message = what == OBJECT_CHAIN ? NFT_MSG_GETCHAIN : NFT_MSG_GETSET,
                          .name_attribute = what == OBJECT_CHAIN ? NFTA_CHAIN_NAME : NFTA_SET_NAME,
                          .name = call,
                          .arg = arg };
        return run_dump(n, &d);
}

int netlink_counters(struct netlink *n, void (*call)(void *arg, const struct counter_value *c), void *arg)
{
        struct dump d = { .message = NFT_MSG_GETOBJ, .counter = call, .arg = arg };
        return run_dump(n, &d);
}

static int on_number(const struct nlmsghdr *h, void *arg)
{
        const struct nlattr *a[32] = { 0 };
        mnl_attr_parse(h, sizeof(struct nfgenmsg), attribute_of, a);
        if (a[NFTA_GEN_ID])
                *(uint32_t *)arg = ntohl(mnl_attr_get_u32(a[NFTA_GEN_ID]));
        return MNL_CB_STOP;
}

int netlink_ruleset_number(struct netlink *n, uint32_t *ret)
{
        char room[256] = { 0 }, reply[REPLY_BYTES];
        struct nlmsghdr *h = header(n, room, nft_type(NFT_MSG_GETGEN), 0, 0);
        if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) == -1)
                return -errno;
        ssize_t got = mnl_socket_recvfrom(n->socket, reply, sizeof reply);
        if (got == -1)
                return -errno;
        return mnl_cb_run(reply, (size_t)got, h->nlmsg_seq, mnl_socket_get_portid(n->socket), on_number, ret) ==
                       MNL_CB_ERROR
                   ? -errno
                   : 0;
}
