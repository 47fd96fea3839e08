/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"
#include "base/loop.h"
#include "judge/judge.h"
#include "ledger/listen.h"

#include <errno.h>
#include <signal.h>

/* Without a keeper nothing can be decided: it is waited for. */
#define KEEPER_EVERY (250 * INT64_C(1000))
#define RETRY_FIRST SECOND
#define RETRY_MOST (30 * SECOND)

struct duty {
        struct judge judge;
        struct loop *loop;
        struct listen listen;
        struct watch *timer;
        int64_t retry; /* how long the last failure is waited on; 0: there was none */
};

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

static void on_heard(void *arg, bool gone)
{
        struct duty *d = arg;
        if (gone) {
                log_event("keeper-gone", "dir=%s", d->judge.dir);
                client_close(take(d->judge.writer));
                d->retry = 0;
                watch_again(d->timer, KEEPER_EVERY);
        } else if (!d->retry)
                look(d);
}

static void on_timer(void *arg)
{
        struct duty *d = arg;
        if (listen_try(&d->listen))
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
        struct duty d = { .retry = 0 };
        log_duty("judge");
        judge_init(&d.judge, o->dir);
        d.loop = loop_new();
        d.listen = (struct listen){ .loop = d.loop, .dir = o->dir, .heard = on_heard, .arg = &d };
        if (o->lock_in)
                o->lock_in();
        loop_signal(d.loop, SIGTERM, on_stop, &d);
        loop_signal(d.loop, SIGINT, on_stop, &d);
        d.timer = loop_timer(d.loop, 0, on_timer, &d);
        log_event("started", "dir=%s", o->dir);
        int status = loop_run(d.loop);
        listen_end(&d.listen);
        loop_free(d.loop);
        judge_done(&d.judge);
        log_event("stopped", "status=%d", status);
        return status;
}
