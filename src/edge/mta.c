/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/mta.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#define DOWN_FIRST SECOND
#define DOWN_MOST (15 * SECOND)

void mta_init(struct mta *m, const struct policy_mta *at)
{
        char text[ADDR_TEXT_MAX];
        *m = (struct mta){ .at = at };
        if (at->path.n)
                snprintf(m->name, sizeof m->name, "unix:%.*s", SLICE_ARGS(at->path));
        else
                snprintf(m->name, sizeof m->name, addr_is_v4(&at->addr) ? "%s:%u" : "[%s]:%u",
                         addr_print(&at->addr, text), at->port);
}

void mta_well(struct mta *m)
{
        if (m->down_until)
                log_event("mta-back", "mta=%s", m->name);
        m->down_until = m->delay = 0;
}

void mta_ill(struct mta *m, const char *why)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        m->delay = m->delay ? (m->delay * 2 < DOWN_MOST ? m->delay * 2 : DOWN_MOST) : DOWN_FIRST;
        m->down_until = time_monotonic() + m->delay;
        log_event("mta-away", "mta=%s why=%s again_ms=%lld", m->name, log_text(&text, slice_of(why)),
                  (long long)(m->delay / 1000));
}

struct mta *mta_choose(struct mta *all, size_t n)
{
        int64_t now = time_monotonic();
        for (size_t i = 0; i < n; i++)
                if (all[i].down_until <= now)
                        return &all[i];
        return NULL;
}

static struct io *connect_unix(const struct policy_mta *at, struct loop *l, const struct io_events *events, void *arg)
{
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        if (at->path.n >= sizeof to.sun_path) {
                errno = ENAMETOOLONG;
                return NULL;
        }
        memcpy(to.sun_path, at->path.p, at->path.n);
        return io_connect(l, (struct sockaddr *)&to, sizeof to, NULL, 0, events, arg);
}

struct io *mta_connect(const struct mta *m, struct loop *l, const struct io_events *events, void *arg)
{
        const struct policy_mta *at = m->at;
        if (at->path.n)
                return connect_unix(at, l, events, arg);
        if (addr_is_v4(&at->addr)) {
                struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(at->port) };
                memcpy(&to.sin_addr, at->addr.b + 12, 4);
                return io_connect(l, (struct sockaddr *)&to, sizeof to, NULL, 0, events, arg);
        }
        struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(at->port) };
        memcpy(&to.sin6_addr, at->addr.b, 16);
        return io_connect(l, (struct sockaddr *)&to, sizeof to, NULL, 0, events, arg);
}
