/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"
#include "base/loop.h"
#include "judge/judge.h"

#include <errno.h>
#include <signal.h>

/* Without a keeper nothing can be decided: it is waited for. */
#define KEEPER_EVERY (250 * INT64_C(1000))
#define RETRY_FIRST SECOND
#define RETRY_MOST (30 * SECOND)

struct duty {
        struct judge judge;
        struct loop *loop;
        struct client *listener; /* NULL: no keeper runs */
        struct watch *heard, *timer;
        int64_t retry; /* how long the last failure is waited on; 0: there was none */
};

static void on_heard(void *arg, int what);

static void drop_listener(struct duty *d)
{
        watch_free(take(d->heard));
        client_close(take(d->listener));
        client_close(take(d->judge.writer));
}

static void try_listen(struct duty *d)
{
        autobuf why;
        buf_init(&why, 4096);
        if (d->listener || client_join(d->judge.dir, &d->listener, &why) != 0)
                return;
        if (client_listen(d->listener) != 0) {
                drop_listener(d);
                return;
        }
        d->heard = loop_fd(d->loop, client_fd(d->listener), LOOP_READ, on_heard, d);
}

static int64_t wait_for(const struct duty *d, int64_t now)
{
        int64_t next = judge_next(&d->judge);
        if (d->retry)
                return d->retry;
        return next - now > HOUR ? HOUR : next - now < 1000 ? 1000 : next - now;
}

/* What failed is tried again at growing intervals, and said each time. */
static void look(struct duty *d)
{
        autobuf why, text;
        int64_t now = time_now();
        buf_init(&why, 64 << 10);
        buf_init(&text, LOG_LINE_MOST);
        int status = judge_follow(&d->judge, now, &why);
        if (status == 0)
                d->retry = 0;
        else {
                d->retry = d->retry ? d->retry * 2 : RETRY_FIRST;
                if (d->retry > RETRY_MOST)
                        d->retry = RETRY_MOST;
                log_event("judge-behind", "error=%s", log_text(&text, buf_slice(&why)));
        }
        watch_again(d->timer, wait_for(d, now));
}

static void on_heard(void *arg, int what)
{
        struct duty *d = arg;
        int64_t last = 0;
        (void)what;
        if (client_notices(d->listener, &last) != 0) {
                log_event("keeper-gone", "dir=%s", d->judge.dir);
                drop_listener(d);
                d->retry = 0;
                watch_again(d->timer, KEEPER_EVERY);
        } else if (!d->retry)
                look(d);
}

static void on_timer(void *arg)
{
        struct duty *d = arg;
        try_listen(d);
        if (d->listener)
                look(d);
        else
                watch_again(d->timer, KEEPER_EVERY);
}

static void on_stop(void *arg)
{
        struct duty *d = arg;
        loop_stop(d->loop, 0);
}

int judge_run(const struct judge_options *o)
{
        struct duty d = { .listener = NULL };
        log_duty("judge");
        judge_init(&d.judge, o->dir);
        d.loop = loop_new();
        if (o->lock_in)
                o->lock_in();
        loop_signal(d.loop, SIGTERM, on_stop, &d);
        loop_signal(d.loop, SIGINT, on_stop, &d);
        d.timer = loop_timer(d.loop, 0, on_timer, &d);
        log_event("started", "dir=%s", o->dir);
        int status = loop_run(d.loop);
        drop_listener(&d);
        loop_free(d.loop);
        judge_done(&d.judge);
        log_event("stopped", "status=%d", status);
        return status;
}
