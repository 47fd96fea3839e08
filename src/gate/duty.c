/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"
#include "base/loop.h"
#include "gate/gate.h"
#include "ledger/listen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { CHANGES_ARENA = 64 << 20 };

#define DRIFT_EVERY (1 * SECOND)
#define RETRY_EVERY (1 * SECOND)
/* With 100,000 prefixes it takes a moment, in which nobody is quarantined. */
#define LAST_GOOD_EVERY (10 * MINUTE)
/* Without a keeper to tell of changes the ledger is asked. */
#define POLL_EVERY (500 * 1000)

struct duty {
        struct gate gate;
        struct loop *loop;
        struct listen listen;
        struct watch *timer, *drift, *last_good;
        bool settled;   /* the kernel once matched the ledger */
        bool fell_back; /* to the last good rules, over what stood */
};

static void complain(const char *event, struct buf *why)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        log_event(event, "error=%s", log_text(&text, buf_slice(why)));
}

static void arm(struct duty *d, bool soon)
{
        int64_t left = gate_next(&d->gate) - time_now();
        int64_t most = soon ? RETRY_EVERY : d->listen.client ? HOUR : POLL_EVERY;
        watch_again(d->timer, left > most ? most : left < 1000 ? 1000 : left);
}

/* --- what the ledger says changed ---------------------------------------------------------------------------------------------- */

struct news {
        struct slice *ids;
        size_t n, cap;
        bool generation, prefixes;
};

/* Whom a change is about; empty: nobody in the sets. */
static struct slice member_of(const struct change *c, struct arena *a)
{
        struct prefix banned;
        if (slice_eq(c->kind, S("subscriber")))
                return c->key;
        if (slice_eq(c->kind, S("ban")) && prefix_parse(c->key, &banned) == PREFIX_OK)
                return ban_member(&banned, a);
        return S("");
}

static void sort_news(const struct change *changes, size_t n, struct arena *a, struct news *news)
{
        automap seen = { 0 };
        for (size_t i = 0; i < n; i++) {
                const struct change *c = &changes[i];
                news->generation |= slice_eq(c->kind, S("generation"));
                news->prefixes |= slice_eq(c->kind, S("prefix-exemption"));
                struct slice id = member_of(c, a);
                if (!id.n || map_put(&seen, id, (void *)c))
                        continue;
                news->ids = xgrow(news->ids, &news->cap, news->n + 1, sizeof *news->ids);
                news->ids[news->n++] = id;
        }
}

static int follow_news(struct duty *d, int64_t now, struct buf *why)
{
        autoarena *a = arena_new(CHANGES_ARENA);
        struct change *changes = NULL;
        struct news news = { 0 };
        size_t n = 0;
        int failed = ledger_changes(d->gate.ledger, a, d->gate.last_change, &changes, &n);
        if (failed == -ERANGE) { /* too far behind: everything anew */
                d->gate.drifted = true;
                return gate_follow(&d->gate, now, why);
        }
        if (failed) {
                buf_addf(why, "the ledger could not be read: %s", ledger_error(d->gate.ledger));
                return failed;
        }
        int64_t last = n ? changes[n - 1].n : d->gate.last_change;
        sort_news(changes, n, a, &news);
        if (news.n)
                failed = gate_changed(&d->gate, now, news.ids, news.n, why);
        if (!failed && news.prefixes)
                failed = gate_replan(&d->gate, now, why);
        if (!failed && news.generation)
                failed = gate_follow(&d->gate, now, why);
        if (!failed)
                d->gate.last_change = last;
        free(news.ids);
        return failed;
}

/* --- looking ------------------------------------------------------------------------------------------------------------------ */

/* A ledger that is damaged or gone does not come back in a moment, as one does whose keeper is still on its way. */
static void fall_back(struct duty *d, bool hopeless)
{
        autobuf why;
        buf_init(&why, 64 << 10);
        int loaded = gate_last_good(&d->gate, hopeless && !d->fell_back, &why);
        d->fell_back |= loaded == 1;
        if (loaded == 1)
                log_event("last-good-loaded", "path=%s/last-good.nft", d->gate.dir);
        else if (loaded < 0)
                complain("last-good-not-loaded", &why);
}

static void look(struct duty *d)
{
        autobuf why;
        int64_t now = time_now();
        buf_init(&why, 64 << 10);
        int failed = gate_ledger(&d->gate, &why);
        if (!failed)
                failed = d->settled ? follow_news(d, now, &why) : gate_follow(&d->gate, now, &why);
        if (!failed && d->settled)
                failed = gate_due(&d->gate, now, &why);
        d->settled |= !failed;
        if (failed && failed != -ENOENT)
                complain("gate-behind", &why);
        if (failed && !d->settled)
                fall_back(d, failed == -EUCLEAN || failed == -ENOENT);
        arm(d, failed != 0);
}

static void on_heard(void *arg, bool gone)
{
        struct duty *d = arg;
        if (gone)
                log_event("keeper-gone", "dir=%s", d->gate.dir);
        look(d);
}

static void on_timer(void *arg)
{
        struct duty *d = arg;
        listen_try(&d->listen);
        look(d);
}

static void on_drift(void *arg)
{
        struct duty *d = arg;
        bool drifted = false;
        gate_mend_routes(&d->gate);
        if (d->settled && gate_check_drift(&d->gate, &drifted) == 0 && drifted) {
                log_event("rules-changed-by-others", "action=loading-anew");
                look(d);
        }
        watch_again(d->drift, DRIFT_EVERY);
}

static void on_last_good(void *arg)
{
        struct duty *d = arg;
        gate_last_good_renew(&d->gate, time_now());
        watch_again(d->last_good, LAST_GOOD_EVERY);
}

static void on_stop(void *arg)
{
        struct duty *d = arg;
        loop_stop(d->loop, 0);
}

int gate_run(const struct gate_options *o)
{
        struct duty d = { 0 };
        autobuf why;
        buf_init(&why, 64 << 10);
        log_duty("gate");
        if (gate_open(&d.gate, o->dir, &why) != 0) {
                fprintf(stderr, "porteiro: gate: %s\n", buf_cstr(&why));
                return 3;
        }
        d.loop = loop_new();
        d.listen = (struct listen){ .loop = d.loop, .dir = o->dir, .heard = on_heard, .arg = &d };
        if (o->lock_in)
                o->lock_in();
        loop_signal(d.loop, SIGTERM, on_stop, &d);
        loop_signal(d.loop, SIGINT, on_stop, &d);
        d.timer = loop_timer(d.loop, 0, on_timer, &d);
        d.drift = loop_timer(d.loop, DRIFT_EVERY, on_drift, &d);
        d.last_good = loop_timer(d.loop, LAST_GOOD_EVERY, on_last_good, &d);
        log_event("started", "dir=%s", o->dir);
        int status = loop_run(d.loop);
        /* the rules stay: a gate that is gone leaves the door as it was */
        gate_last_good_renew(&d.gate, time_now());
        listen_end(&d.listen);
        loop_free(d.loop);
        gate_close(&d.gate);
        log_event("stopped", "status=%d", status);
        return status;
}
