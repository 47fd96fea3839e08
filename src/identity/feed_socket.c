/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets for RADIUS accounting: packets in, events to the machine, answers when the ledger has them. */
#include "identity/feed_inside.h"

#include "base/log.h"
#include "identity/radius.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

struct listener {
        struct feeds *feeds;
        struct watch *watch;
        int fd;
        struct addr addr;
        uint16_t port;
        struct feed **of; /* the feeds that share it */
        size_t n;
        uint64_t unknown, told; /* packets of strangers */
        uint32_t dropped;       /* by the kernel, since the socket is there */
        int64_t complained;
};

/* --- those seen --- */

struct seen_key {
        uint8_t address[16], port[2], authenticator[RADIUS_AUTHENTICATOR], id;
};

struct seen_one {
        struct seen_key key;
        int64_t at; /* monotonic; 0: free */
        bool answered;
};

struct seen {
        struct map map;
        size_t next;
        struct seen_one ring[FEED_SEEN];
};

static struct slice key_slice(const struct seen_key *k)
{
        return (struct slice){ (const char *)k, sizeof *k };
}

static void forget(struct seen *s, size_t i)
{
        if (s->ring[i].at)
                map_drop(&s->map, key_slice(&s->ring[i].key));
        s->ring[i].at = 0;
}

/* Whether it was seen lately; *ret is its number, new where it was not. */
static bool was_seen(struct seen *s, const struct seen_key *k, int64_t now, size_t *ret)
{
        struct seen_one *one = map_find(&s->map, key_slice(k));
        if (one && now - one->at < FEED_SEEN_FOR) {
                *ret = (size_t)(one - s->ring);
                return true;
        }
        if (one)
                forget(s, (size_t)(one - s->ring));
        *ret = s->next++ % FEED_SEEN;
        forget(s, *ret);
        one = &s->ring[*ret];
        *one = (struct seen_one){ .key = *k, .at = now };
        map_put(&s->map, key_slice(&one->key), one);
        return false;
}

/* --- addresses --- */

static void addr_of_socket(const struct sockaddr_in6 *from, struct addr *addr, uint16_t *port)
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        bool is4 = from->sin6_family == AF_INET;
        *port = ntohs(is4 ? v4->sin_port : from->sin6_port);
        if (is4) {
                *addr = (struct addr){ .b = { [10] = 0xff, [11] = 0xff } };
                memcpy(addr->b + 12, &v4->sin_addr, 4);
        } else {
                memcpy(addr->b, &from->sin6_addr, 16);
        }
}

static socklen_t socket_of_addr(const struct addr *addr, uint16_t port, struct sockaddr_in6 *to)
{
        struct sockaddr_in *v4 = (struct sockaddr_in *)to;
        memset(to, 0, sizeof *to);
        if (addr_is_v4(addr)) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons(port);
                memcpy(&v4->sin_addr, addr->b + 12, 4);
                return sizeof *v4;
        }
        to->sin6_family = AF_INET6;
        to->sin6_port = htons(port);
        memcpy(&to->sin6_addr, addr->b, 16);
        return sizeof *to;
}

/* --- answers --- */

static void send_answer(const struct waiting *w)
{
        bool v4 = w->from.sin6_family == AF_INET;
        union {
                struct cmsghdr head;
                char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        } control = { .room = { 0 } };
        struct iovec bytes = { (void *)w->answer.p, w->answer.n };
        struct msghdr m = {
                .msg_name = (void *)&w->from, .msg_namelen = w->from_n, .msg_iov = &bytes, .msg_iovlen = 1
        };
        size_t n = v4 ? sizeof w->to4 : sizeof w->to6;
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n);
        control.head.cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
        control.head.cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
        control.head.cmsg_len = CMSG_LEN(n);
        memcpy(CMSG_DATA(&control.head), v4 ? (const void *)&w->to4 : &w->to6, n);
        if (sendmsg(w->listener->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                w->feed->counts.answered++;
        /* else it is as if the network had lost it: the NAS asks again */
}

void sockets_answer(struct feeds *f)
{
        for (size_t i = 0; i < f->batch.n_waiting; i++) {
                const struct waiting *w = &f->batch.waiting[i];
                if (w->refused) {
                        forget(f->seen, w->seen);
                        continue;
                }
                f->seen->ring[w->seen].answered = true;
                send_answer(w);
        }
}

/* --- packets --- */

struct datagram {
        struct waiting w; /* whom to answer, and from where */
        struct addr from;
        uint16_t port;
        struct slice bytes;
};

static void complain(struct listener *l, struct feed *feed, const char *event, const struct datagram *d)
{
        char text[ADDR_TEXT_MAX];
        int64_t now = time_monotonic();
        if (feed && !feed_may_complain(feed))
                return;
        if (!feed && l->complained && now - l->complained < MINUTE)
                return;
        l->complained = feed ? l->complained : now;
        log_event(event, "from=%s port=%u bytes=%zu", addr_print(&d->from, text), d->port, d->bytes.n);
}

static struct feed *feed_of(struct listener *l, const struct addr *from)
{
        for (size_t i = 0; i < l->n; i++)
                for (size_t k = 0; k < l->of[i]->source->n_nas; k++)
                        if (prefix_has(&l->of[i]->source->nas[k], from))
                                return l->of[i];
        return NULL;
}

/* What the packet says, to the machine. What says nothing that a ledger could keep is answered all the same: the NAS did its part. */
static void take_report(struct feed *feed, struct radius_request *r, const struct datagram *d)
{
        struct event e;
        struct batch *b = &feed->feeds->batch;
        char text[ADDR_TEXT_MAX];
        autobuf evidence, shown;
        buf_init(&evidence, 128);
        buf_init(&shown, LOG_LINE_MOST);
        r->report.arrival = time_now();
        if (!r->report.has_nas && r->report.nas_id.n == 0) {
                r->report.has_nas = true;
                r->report.nas = d->from;
        }
        const char *wrong = accounting_event(&r->report, feed->source->line, b->arena, &e);
        if (wrong) {
                feed->counts.unusable++;
                if (feed_may_complain(feed))
                        log_event("report-unusable", "name=%.*s from=%s why=%s", SLICE_ARGS(feed->source->name),
                                  addr_print(&d->from, text), log_text(&shown, slice_of(wrong)));
                return;
        }
        buf_addf(&evidence, "%s:%u packet %u", addr_print(&d->from, text), d->port, (uint8_t)d->bytes.p[1]);
        e.realm = feed->source->realm;
        e.evidence = buf_slice(&evidence);
        feed->counts.events++;
        b->request = b->n_waiting;
        bindings_event(feed->machine->bindings, &e);
        b->request = SIZE_MAX;
}

static void add_waiting(struct batch *b, const struct waiting *w)
{
        b->waiting = xgrow(b->waiting, &b->waiting_cap, b->n_waiting + 1, sizeof *b->waiting);
        b->waiting[b->n_waiting++] = *w;
}

static void answer_good(struct feed *feed, struct radius_request *r, struct datagram *d)
{
        uint8_t answer[RADIUS_MOST];
        struct seen_key key = { .id = (uint8_t)d->bytes.p[1] };
        struct feeds *f = feed->feeds;
        size_t n = radius_answer(r, buf_slice(&feed->secret), answer);
        d->w.answer = (struct slice){ (const char *)answer, n };
        if (r->code == RADIUS_STATUS) {
                send_answer(&d->w);
                return;
        }
        memcpy(key.address, d->from.b, sizeof key.address);
        memcpy(key.port, &d->port, sizeof key.port);
        memcpy(key.authenticator, d->bytes.p + 4, sizeof key.authenticator);
        if (was_seen(f->seen, &key, time_monotonic(), &d->w.seen)) {
                feed->counts.again++;
                if (f->seen->ring[d->w.seen].answered)
                        send_answer(&d->w);
                return;
        }
        d->w.answer = arena_dup(f->batch.arena, d->w.answer);
        take_report(feed, r, d);
        add_waiting(&f->batch, &d->w);
}

static void take_datagram(struct listener *l, struct datagram *d)
{
        struct radius_request r;
        addr_of_socket(&d->w.from, &d->from, &d->port);
        struct feed *feed = feed_of(l, &d->from);
        d->w.listener = l;
        d->w.feed = feed;
        if (!feed) {
                l->of[0]->counts.unknown_nas++;
                complain(l, NULL, "unknown-nas", d);
                return;
        }
        feed->counts.packets++;
        if (feed->secret.n == 0)
                return;
        switch (radius_read(d->bytes, buf_slice(&feed->secret), &r)) {
        case RADIUS_GOOD:
                answer_good(feed, &r, d);
                break;
        case RADIUS_WRONG_SECRET:
                feed->counts.wrong_secret++;
                complain(l, feed, "wrong-secret", d);
                break;
        case RADIUS_MALFORMED:
        case RADIUS_OTHER_CODE:
                feed->counts.malformed++;
                complain(l, feed, "malformed-packet", d);
                break;
        }
}

static void take_control(struct listener *l, struct msghdr *m, struct waiting *w)
{
        uint32_t dropped = l->dropped;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
                        memcpy(&w->to4, CMSG_DATA(c), sizeof w->to4);
                else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
                        memcpy(&w->to6, CMSG_DATA(c), sizeof w->to6);
                else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
                        memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
        }
        w->to4.ipi_spec_dst = w->to4.ipi_addr;
        w->to4.ipi_ifindex = 0; /* the way back is the routing table's to say */
        if (!IN6_IS_ADDR_LINKLOCAL(&w->to6.ipi6_addr))
                w->to6.ipi6_ifindex = 0;
        l->of[0]->counts.overrun += dropped - l->dropped;
        l->dropped = dropped;
}

static bool receive(struct listener *l)
{
        char room[RADIUS_MOST + 1];
        union {
                struct cmsghdr head;
                char room[256];
        } control;
        struct datagram d = { .w.from_n = 0 };
        struct iovec bytes = { room, sizeof room };
        struct msghdr m = { .msg_name = &d.w.from,
                            .msg_namelen = sizeof d.w.from,
                            .msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control };
        ssize_t n = recvmsg(l->fd, &m, MSG_DONTWAIT);
        if (n == -1)
                return errno != EAGAIN && errno != EINTR; /* an ICMP error of an answer: read on */
        d.w.from_n = m.msg_namelen;
        d.bytes = (struct slice){ room, (size_t)n };
        take_control(l, &m, &d.w);
        take_datagram(l, &d);
        return true;
}

static void on_readable(void *arg, int what)
{
        struct listener *l = arg;
        (void)what;
        for (int i = 0; i < FEED_PACKETS_MOST && receive(l); i++)
                ;
        feeds_commit(l->feeds);
}

/* --- opening --- */

/* The first line of the file, without the blanks at its ends. */
static bool read_secret(struct feed *feed, struct buf *why)
{
        char room[RADIUS_SECRET_MOST + 2];
        autofree char *path = slice_dup(feed->source->secret_file);
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        ssize_t n = fd == -1 ? -1 : read(fd, room, sizeof room);
        if (n == -1) {
                buf_addf(why, "%s: %s\n", path, strerror(errno));
                return false;
        }
        struct slice rest, secret = slice_trim(slice_cut((struct slice){ room, (size_t)n }, '\n', &rest));
        bool good = secret.n > 0 && secret.n <= RADIUS_SECRET_MOST && (rest.p || (size_t)n < sizeof room);
        if (good)
                buf_add(&feed->secret, secret);
        else
                buf_addf(why, "%s: its first line must be a secret of 1 to %d bytes\n", path, RADIUS_SECRET_MOST);
        explicit_bzero(room, sizeof room);
        return good;
}

static void set(int fd, int level, int name, int value)
{
        if (setsockopt(fd, level, name, &value, sizeof value) == -1 && name != SO_RCVBUFFORCE)
                log_event("socket-option", "level=%d name=%d error=\"%s\"", level, name, strerror(errno));
}

static int bind_socket(const struct listener *l)
{
        struct sockaddr_in6 at;
        socklen_t n = socket_of_addr(&l->addr, l->port, &at);
        bool v4 = at.sin6_family == AF_INET;
        autoclose int fd = socket(at.sin6_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd == -1)
                return -errno;
        if (!v4)
                set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
        set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, 1);
        set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
        set(fd, SOL_SOCKET, SO_RCVBUF, FEED_BUFFER);
        set(fd, SOL_SOCKET, SO_RCVBUFFORCE, FEED_BUFFER);
        return bind(fd, (struct sockaddr *)&at, n) == -1 ? -errno : take_fd(&fd);
}

static struct listener *listener_for(struct feeds *f, const struct feed_source *s)
{
        for (size_t i = 0; i < f->n_listeners; i++)
                if (addr_cmp(&f->listeners[i].addr, &s->listen) == 0 && f->listeners[i].port == s->port)
                        return &f->listeners[i];
        struct listener *l = &f->listeners[f->n_listeners++];
        *l = (struct listener){ .feeds = f, .fd = -1, .addr = s->listen, .port = s->port };
        l->of = xcalloc(f->n_feeds, sizeof(struct feed *));
        return l;
}

static bool open_one(struct listener *l, struct buf *why)
{
        char text[ADDR_TEXT_MAX];
        int fd = bind_socket(l);
        if (fd < 0) {
                buf_addf(why, "UDP port %u of %s: %s\n", l->port, addr_print(&l->addr, text), strerror(-fd));
                return false;
        }
        l->fd = fd;
        log_event("listening", "address=%s port=%u feeds=%zu", addr_print(&l->addr, text), l->port, l->n);
        return true;
}

bool sockets_open(struct feeds *f, struct buf *why)
{
        f->seen = xcalloc(1, sizeof *f->seen);
        f->listeners = xcalloc(f->n_feeds, sizeof *f->listeners);
        for (size_t i = 0; i < f->n_feeds; i++) {
                struct feed *feed = &f->feeds[i];
                if (!feed->source->radius)
                        continue;
                struct listener *l = listener_for(f, feed->source);
                l->of[l->n++] = feed;
                read_secret(feed, why);
        }
        for (size_t i = 0; i < f->n_listeners; i++)
                open_one(&f->listeners[i], why);
        if (why->n)
                why->p[--why->n] = '\0'; /* the last line end */
        return why->n == 0;
}

void sockets_watch(struct feeds *f)
{
        for (size_t i = 0; i < f->n_listeners; i++)
                if (f->listeners[i].fd != -1)
                        f->listeners[i].watch =
                            loop_fd(f->loop, f->listeners[i].fd, LOOP_READ, on_readable, &f->listeners[i]);
}

void sockets_pause(struct feeds *f, bool pause)
{
        for (size_t i = 0; i < f->n_listeners; i++)
                if (f->listeners[i].watch)
                        watch_set(f->listeners[i].watch, pause ? 0 : LOOP_READ);
}

void sockets_close(struct feeds *f)
{
        for (size_t i = 0; i < f->n_listeners; i++) {
                autoclose_(&f->listeners[i].fd);
                free(f->listeners[i].of);
        }
        free(f->listeners);
        if (f->seen)
                map_done(&f->seen->map);
        free(f->seen);
}
