/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/loop.h"
#include "base/time.h"

#include <event2/event.h>

struct watch {
        struct loop *loop;
        struct watch *next, *previous;
        struct event *event;
        int fd;
        void (*on_fd)(void *arg, int what);
        void (*on_time)(void *arg);
        void *arg;
};

struct loop {
        struct event_base *base;
        struct watch *watches;
        int status;
};

struct loop *loop_new(void)
{
        struct loop *l = xcalloc(1, sizeof *l);
        struct event_config *config = event_config_new();
        if (!config)
                panic("out of memory (event loop)");
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
        l->base = event_base_new_with_config(config);
        event_config_free(config);
        if (!l->base)
                panic("no event loop");
        return l;
}

void loop_free(struct loop *l)
{
        if (!l)
                return;
        while (l->watches)
                watch_free(l->watches);
        event_base_free(l->base);
        free(l);
}

struct event_base *loop_base(struct loop *l)
{
        return l->base;
}

int loop_run(struct loop *l)
{
        if (event_base_dispatch(l->base) == -1)
                panic("event loop failed");
        return l->status;
}

void loop_stop(struct loop *l, int status)
{
        l->status = status;
        event_base_loopbreak(l->base);
}

void loop_poll(struct loop *l)
{
        if (event_base_loop(l->base, EVLOOP_NONBLOCK) == -1)
                panic("event loop failed");
}

static void fired(evutil_socket_t fd, short what, void *arg)
{
        struct watch *w = arg;
        (void)fd;
        if (w->on_fd)
                w->on_fd(w->arg, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
        else
                w->on_time(w->arg);
}

static struct watch *watch_new(struct loop *l, void *arg)
{
        struct watch *w = xcalloc(1, sizeof *w);
        *w = (struct watch){ .loop = l, .next = l->watches, .fd = -1, .arg = arg };
        if (l->watches)
                l->watches->previous = w;
        l->watches = w;
        return w;
}

static void start(struct watch *w, int fd, short what)
{
        if (!w->event)
                w->event = event_new(w->loop->base, fd, what, fired, w);
        if (!w->event)
                panic("out of memory (event)");
}

static struct timeval timeval_of(int64_t us)
{
        if (us < 0)
                us = 0;
        return (struct timeval){ .tv_sec = us / SECOND, .tv_usec = us % SECOND };
}

struct watch *loop_fd(struct loop *l, int fd, int what, void (*call)(void *arg, int what), void *arg)
{
        struct watch *w = watch_new(l, arg);
        w->fd = fd;
        w->on_fd = call;
        watch_set(w, what);
        return w;
}

void watch_set(struct watch *w, int what)
{
        if (w->event)
                event_free(take(w->event));
        if (!what)
                return;
        start(w, w->fd, (short)(EV_PERSIST | (what & LOOP_READ ? EV_READ : 0) | (what & LOOP_WRITE ? EV_WRITE : 0)));
        if (event_add(w->event, NULL) == -1)
                panic("event_add");
}

struct watch *loop_timer(struct loop *l, int64_t us, void (*call)(void *arg), void *arg)
{
        struct watch *w = watch_new(l, arg);
        w->on_time = call;
        start(w, -1, 0);
        watch_again(w, us);
        return w;
}

void watch_again(struct watch *w, int64_t us)
{
        struct timeval t = timeval_of(us);
        if (event_add(w->event, &t) == -1)
                panic("event_add");
}

struct watch *loop_signal(struct loop *l, int signal, void (*call)(void *arg), void *arg)
{
        struct watch *w = watch_new(l, arg);
        w->on_time = call;
        start(w, signal, EV_SIGNAL | EV_PERSIST);
        if (event_add(w->event, NULL) == -1)
                panic("event_add");
        return w;
}

void watch_free(struct watch *w)
{
        if (!w)
                return;
        if (w->event)
                event_free(w->event);
        if (w->previous)
                w->previous->next = w->next;
        else
                w->loop->watches = w->next;
        if (w->next)
                w->next->previous = w->previous;
        free(w);
}
