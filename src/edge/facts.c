/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/facts.h"
#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "ledger/frames.h"

#include <errno.h>
#include <stdio.h>
#include <sys/un.h>

enum { IN_MOST = 2 * IO_KEPT_MOST };

#define AGAIN (500 * INT64_C(1000))
#define ANSWER_PATIENCE (30 * SECOND)

struct row {
        struct sighting s; /* its texts point into `texts` */
        char *texts;
};

struct facts {
        struct loop *loop;
        struct sockaddr_un keeper;
        struct io *io; /* NULL: not connected */
        struct watch *timer;
        struct row *rows;
        size_t n, cap, sent; /* sent: how many of the first rows are under way */
        struct ban *bans;    /* each owns its reason and evidence */
        size_t n_bans, cap_bans;
        bool ban_sent; /* what is under way is the first of them */
        int64_t lost, lost_at, lost_sent;
        bool connected, busy, armed, away;
        struct buf in; /* the beginning of an answer: io joins no pieces */
        struct facts_counts counts;
};

static struct slice put_copy(char **at, struct slice s)
{
        memcpy(*at, s.p ? s.p : "", s.n);
        struct slice copy = { *at, s.n };
        *at += s.n;
        return copy;
}

static void drop(struct facts *f, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(f->rows[i].texts);
        if (n)
                memmove(f->rows, f->rows + n, (f->n - n) * sizeof *f->rows);
        f->n -= n;
}

static void arm(struct facts *f, int64_t us)
{
        if (f->armed)
                return;
        f->armed = true;
        watch_again(f->timer, us);
}

static void away(struct facts *f, const char *why)
{
        if (!f->away)
                log_event("keeper-away", "waiting=%zu why=\"%s\"", f->n, why);
        f->away = true;
        io_free(take(f->io));
        buf_clear(&f->in);
        f->connected = f->busy = false;
        f->sent = 0;
        f->lost_sent = 0;
        f->ban_sent = false;
        if (!facts_quiet(f))
                arm(f, AGAIN);
}

static void send_ban(struct facts *f)
{
        autobuf b;
        buf_init(&b, 16 << 10);
        frame_ban_add(&b, &f->bans[0]);
        f->ban_sent = io_write(f->io, buf_slice(&b));
        f->busy = f->ban_sent;
        io_deadline(f->io, time_monotonic() + ANSWER_PATIENCE);
}

static void drop_ban(struct facts *f)
{
        free((char *)f->bans[0].reason.p);
        free((char *)f->bans[0].evidence.p);
        memmove(f->bans, f->bans + 1, --f->n_bans * sizeof *f->bans);
}

static void send_batch(struct facts *f)
{
        autobuf b;
        struct sighting batch[FACTS_BATCH];
        buf_init(&b, IO_BACKLOG / 2);
        if (f->busy || !f->connected || facts_quiet(f))
                return;
        if (f->n_bans) {
                send_ban(f);
                return;
        }
        size_t n = f->n < FACTS_BATCH ? f->n : FACTS_BATCH;
        do { /* as many as fit */
                for (size_t i = 0; i < n; i++)
                        batch[i] = f->rows[i].s;
                buf_clear(&b);
                b.full = false;
                frame_sightings_add(&b, batch, n, f->lost, f->lost_at);
        } while (b.full && (n /= 2));
        if (b.full || !io_write(f->io, buf_slice(&b))) {
                away(f, "a request does not fit");
                return;
        }
        f->sent = n;
        f->lost_sent = f->lost;
        f->busy = true;
        io_deadline(f->io, time_monotonic() + ANSWER_PATIENCE);
}

static void answered(struct facts *f, int status, struct slice reason)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        if (f->away)
                log_event("keeper-back", "waiting=%zu", f->n);
        f->away = false;
        f->busy = false;
        io_deadline(f->io, 0);
        if (f->ban_sent) {
                if (status)
                        log_event("ban-refused", "why=%s", log_text(&text, reason));
                drop_ban(f);
                f->ban_sent = false;
                return;
        }
        if (status) { /* it will never take these */
                log_event("sightings-refused", "rows=%zu why=%s", f->sent, log_text(&text, reason));
                f->counts.lost += f->sent;
        } else {
                f->counts.stored += f->sent;
        }
        drop(f, f->sent);
        f->lost -= f->lost_sent;
        f->sent = 0;
}

static size_t on_bytes(void *arg, struct slice all)
{
        struct facts *f = arg;
        struct slice in, reason;
        int status, found = 0;
        buf_add(&f->in, all);
        in = buf_slice(&f->in);
        while (!f->in.full && (found = frame_answer(&in, &status, &reason)) == 1)
                if (f->busy)
                        answered(f, status, reason);
        if (found < 0 || f->in.full) {
                away(f, "the answer is malformed");
                return all.n;
        }
        if (in.n)
                memmove(f->in.p, in.p, in.n);
        f->in.n = in.n;
        send_batch(f);
        return all.n;
}

static void on_ready(void *arg)
{
        struct facts *f = arg;
        f->connected = true;
        io_deadline(f->io, 0);
        send_batch(f);
}

static void on_ended(void *arg, enum io_end why)
{
        away(arg, io_end_name(why));
}

static const struct io_events keeper_events = { .bytes = on_bytes, .ready = on_ready, .ended = on_ended };

static void on_timer(void *arg)
{
        struct facts *f = arg;
        f->armed = false;
        if (f->io) {
                send_batch(f);
                return;
        }
        f->io = io_connect(f->loop, (struct sockaddr *)&f->keeper, sizeof f->keeper, NULL, 0, &keeper_events, f);
        if (f->io)
                io_deadline(f->io, time_monotonic() + ANSWER_PATIENCE);
        else
                away(f, strerror(errno));
}

struct facts *facts_new(struct loop *l, const char *keeper_socket)
{
        struct facts *f = xcalloc(1, sizeof *f);
        f->loop = l;
        f->keeper.sun_family = AF_UNIX;
        snprintf(f->keeper.sun_path, sizeof f->keeper.sun_path, "%s", keeper_socket);
        buf_init(&f->in, IN_MOST);
        f->timer = loop_timer(l, TIME_NEVER, on_timer, f);
        return f;
}

void facts_free(struct facts *f)
{
        if (!f)
                return;
        drop(f, f->n);
        while (f->n_bans)
                drop_ban(f);
        free(f->bans);
        free(f->rows);
        buf_done(&f->in);
        io_free(f->io);
        watch_free(f->timer);
        free(f);
}

void facts_add(struct facts *f, const struct sighting *row)
{
        f->counts.added++;
        if (f->n == FACTS_MOST) {
                if (!f->lost)
                        f->lost_at = row->at;
                f->lost++;
                f->counts.lost++;
                return;
        }
        f->rows = xgrow(f->rows, &f->cap, f->n + 1, sizeof *f->rows);
        struct row *r = &f->rows[f->n++];
        char *at = r->texts =
            xmalloc(row->source.n + row->realm.n + row->strategy.n + row->hosts.n + row->detail.n + 1);
        r->s = *row;
        r->s.source = put_copy(&at, row->source);
        r->s.realm = put_copy(&at, row->realm);
        r->s.strategy = put_copy(&at, row->strategy);
        r->s.hosts = put_copy(&at, row->hosts);
        r->s.detail = put_copy(&at, row->detail);
        arm(f, FACTS_PATIENCE);
}

void facts_ban(struct facts *f, const struct ban *ban)
{
        if (f->n_bans == FACTS_BANS_MOST)
                return;
        f->bans = xgrow(f->bans, &f->cap_bans, f->n_bans + 1, sizeof *f->bans);
        struct ban *b = &f->bans[f->n_bans++];
        *b = *ban;
        b->reason = (struct slice){ slice_dup(ban->reason), ban->reason.n };
        b->evidence = (struct slice){ slice_dup(ban->evidence), ban->evidence.n };
        arm(f, 0);
}

bool facts_quiet(const struct facts *f)
{
        return f->n == 0 && f->lost == 0 && f->n_bans == 0;
}

struct facts_counts facts_counts(const struct facts *f)
{
        struct facts_counts c = f->counts;
        c.waiting = f->n;
        return c;
}
