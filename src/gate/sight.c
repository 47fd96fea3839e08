/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/sight.h"
#include "base/log.h"
#include "base/loop.h"
#include "gate/nflog.h"
#include "gate/outbox.h"
#include "gate/packet.h"
#include "ledger/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Datagrams read before the clock is looked at again. */
enum { READ_MOST = 256 };
#define TICK (500 * INT64_C(1000))
/* How far the kernel's word for when a packet came may be from ours. */
#define ODD_TIME (5 * MINUTE)
/* A little longer than the kernel keeps what it gathered (gate/nflog.c), in microseconds. */
#define KERNEL_PATIENCE 120000
/* How long the last rows are tried at the end. */
#define LAST_PATIENCE (5 * SECOND)

struct sight {
        const char *dir;
        bool (*still)(void);
        struct loop *loop;
        struct watch *tick;
        struct client *client; /* NULL: not connected */
        struct tally *tally;
        struct outbox outbox;
        struct nflog_sequence sequence;
        int fd;
        int64_t now, minute;   /* of what is in the tally */
        int tables;            /* emptied in this minute because they were full */
        int64_t lost, lost_at; /* not yet told to the keeper */
        int64_t seen, foreign, lost_all;
        bool overrun; /* the kernel said that something was lost, and no number has shown how much */
        bool away;    /* the keeper; said once */
        alignas(8) char room[NFLOG_DATAGRAM_MOST];
        struct sighting batch[OUTBOX_BATCH];
};

static void lose(struct sight *s, int64_t count)
{
        if (!s->lost)
                s->lost_at = s->now;
        s->lost += count;
        s->lost_all += count;
}

/* --- to the keeper --- */

static void keeper_away(struct sight *s, const char *error)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        if (!s->away)
                log_event("keeper-away", "waiting=%zu error=%s", s->outbox.n, log_text(&text, slice_of(error)));
        s->away = true;
        client_close(take(s->client));
}

static bool connected(struct sight *s)
{
        autobuf why;
        buf_init(&why, 4096);
        if (s->client)
                return true;
        int status = client_join(s->dir, &s->client, &why);
        if (status < 0)
                keeper_away(s, why.n ? buf_cstr(&why) : strerror(-status));
        return status == 0;
}

/* One batch, or the losses alone. false: the keeper is away. */
static bool send_batch(struct sight *s)
{
        size_t n = outbox_batch(&s->outbox, s->batch);
        int64_t lost = s->lost;
        int status = client_sightings_add(s->client, s->batch, n, lost, s->lost_at);
        if (status < 0 && status != -EBADMSG) {
                keeper_away(s, client_reason(s->client));
                return false;
        }
        s->lost -= lost;
        int64_t count = outbox_drop(&s->outbox, n);
        if (status) { /* it will never take these */
                autobuf text;
                buf_init(&text, LOG_LINE_MOST);
                log_event("sightings-refused", "rows=%zu attempts=%lld why=%s", n, (long long)count,
                          log_text(&text, slice_of(client_reason(s->client))));
                lose(s, count);
        }
        if (s->away)
                log_event("keeper-back", "waiting=%zu", s->outbox.n);
        s->away = false;
        return true;
}

/* All that waits; false where the keeper is away. */
static bool deliver(struct sight *s)
{
        while (s->outbox.n || s->lost)
                if (!connected(s) || !send_batch(s))
                        return false;
        return true;
}

/* --- from the tally to the outbox --- */

static bool put(void *arg, const struct tally_row *row)
{
        struct sight *s = arg;
        return outbox_put(&s->outbox, row);
}

static bool put_or_lose(void *arg, const struct tally_row *row)
{
        struct sight *s = arg;
        if (!put(s, row))
                lose(s, row->count);
        return true;
}

static void new_minute(struct sight *s, int64_t minute)
{
        tally_take(s->tally, true, s->now, put_or_lose, s);
        tally_roll(s->tally);
        s->minute = minute;
        s->tables = 0;
}

/* The clock may be set back; late packets of the last minute count in this one. */
static void follow_clock(struct sight *s, int64_t at)
{
        int64_t minute = at / MINUTE * MINUTE;
        if (minute > s->minute || minute < s->minute - MINUTE)
                new_minute(s, minute);
}

static void arm(struct sight *s)
{
        watch_again(s->tick, TICK);
}

static void on_tick(void *arg)
{
        struct sight *s = arg;
        s->now = time_now();
        follow_clock(s, s->now);
        /* while the keeper is away rows stay in the tally, where a minute is one row */
        if (deliver(s)) {
                tally_take(s->tally, false, s->now, put, s);
                deliver(s);
        }
        if (s->still && !s->still()) {
                log_event("group-changed", "action=ending");
                loop_stop(s->loop, 0);
        }
        arm(s);
}

/* --- from the kernel to the tally --- */

static void count_attempt(struct sight *s, const struct tally_attempt *a)
{
        if (tally_add(s->tally, a, s->now))
                return;
        if (s->tables < SIGHT_TABLES_MOST - 1) {
                s->tables++;
                tally_take(s->tally, true, s->now, put_or_lose, s);
                tally_clear(s->tally);
                log_event("table-full", "sources=%d tables=%d", TALLY_SOURCES_MOST, s->tables);
                if (tally_add(s->tally, a, s->now))
                        return;
        }
        lose(s, 1);
}

static void on_event(void *arg, const struct nflog_event *e)
{
        struct sight *s = arg;
        struct packet packet;
        struct tally_attempt a = { 0 };
        uint32_t missing = nflog_missing(&s->sequence, e);
        if (missing)
                lose(s, missing);
        s->overrun = s->overrun && !e->has_sequence;
        if (!tally_label_parse(e->prefix, &a.label)) {
                s->foreign++; /* another program's rule logs to our group */
                return;
        }
        int64_t off = e->at - s->now;
        a.at = off > -ODD_TIME && off < ODD_TIME ? e->at : s->now;
        follow_clock(s, a.at);
        s->seen++;
        if (!packet_parse(e->packet, &packet)) {
                lose(s, 1);
                return;
        }
        a.source = packet.source;
        a.destination = packet.destination;
        count_attempt(s, &a);
}

/* At most READ_MOST datagrams. true: nothing is left. */
static bool read_some(struct sight *s)
{
        s->now = time_now();
        for (int i = 0; i < READ_MOST; i++) {
                int n = nflog_read(s->fd, s->room, on_event, s);
                if (n == -EAGAIN)
                        return true;
                s->overrun = s->overrun || n == -ENOBUFS;
                if (n < 0 && n != -ENOBUFS) {
                        log_event("nflog-unreadable", "error=\"%s\"", strerror(-n));
                        loop_stop(s->loop, 3);
                        return true;
                }
        }
        return false;
}

static void on_readable(void *arg, int what)
{
        (void)what;
        read_some(arg);
}

/* --- the duty --- */

static int read_key(const char *path, uint8_t key[16])
{
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd == -1)
                return -errno;
        return read(fd, key, 16) == 16 ? 0 : -EUCLEAN;
}

/* A file of the folder's owner and group, whole before it has its name. */
static int make_key(const char *dir, const char *path)
{
        uint8_t key[16];
        struct stat folder;
        autofree char *fresh = xasprintf("%s.%d", path, (int)getpid());
        if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
                panic("no random numbers");
        autoclose int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd == -1)
                return -errno;
        if (geteuid() == 0 && stat(dir, &folder) == 0 && fchown(fd, folder.st_uid, folder.st_gid) == -1)
                log_event("key-not-given", "error=\"%s\"", strerror(errno));
        int status =
            write(fd, key, sizeof key) == (ssize_t)sizeof key && fsync(fd) == 0 && link(fresh, path) == 0 ? 0 : -errno;
        unlink(fresh);
        return status == -EEXIST ? 0 : status;
}

int sight_key(const char *dir, uint8_t key[16])
{
        autofree char *path = xasprintf("%s/sketch.key", dir);
        int status = read_key(path, key);
        if (status != -ENOENT)
                return status;
        status = make_key(dir, path);
        return status < 0 ? status : read_key(path, key);
}

static void on_stop(void *arg)
{
        struct sight *s = arg;
        loop_stop(s->loop, 0);
}

static int fail(const char *what, int status)
{
        fprintf(stderr, "porteiro: sight: %s: %s\n", what,
                status == -EBUSY ? "another program has this NFLOG group" : strerror(-status));
        return 3;
}

/* The last rows: what nobody takes now is gone with us. */
static void finish(struct sight *s)
{
        int64_t deadline = time_monotonic() + LAST_PATIENCE;
        usleep(KERNEL_PATIENCE); /* what the kernel still gathers */
        while (!read_some(s) && time_monotonic() < deadline)
                ;
        if (s->overrun)
                lose(s, 1); /* at least */
        new_minute(s, s->minute);
        while (!deliver(s) && time_monotonic() < deadline)
                usleep(100000);
        int64_t gone = outbox_drop(&s->outbox, s->outbox.n) + s->lost;
        log_event("stopped", "seen=%lld lost=%lld foreign=%lld not-delivered=%lld", (long long)s->seen,
                  (long long)s->lost_all, (long long)s->foreign, (long long)gone);
}

int sight_run(const struct sight_options *o)
{
        uint8_t key[16];
        log_duty("sight");
        int status = sight_key(o->dir, key);
        if (status < 0)
                return fail("sketch.key", status);
        autoclose int opened = -1;
        if (o->nflog_fd == -1 && (status = nflog_open(o->group, &opened)) < 0)
                return fail("NFLOG", status);
        autofree struct sight *s = xcalloc(1, sizeof *s);
        s->dir = o->dir;
        s->still = o->still;
        s->fd = o->nflog_fd == -1 ? opened : o->nflog_fd;
        s->sequence.known = o->nflog_fd == -1; /* a group just bound counts from zero */
        s->tally = tally_new(key);
        s->loop = loop_new();
        s->now = time_now();
        s->minute = s->now / MINUTE * MINUTE;
        if (o->lock_in)
                o->lock_in();
        loop_signal(s->loop, SIGTERM, on_stop, s);
        loop_signal(s->loop, SIGINT, on_stop, s);
        loop_fd(s->loop, s->fd, LOOP_READ, on_readable, s);
        s->tick = loop_timer(s->loop, TICK, on_tick, s);
        log_event("started", "dir=%s group=%u", o->dir, o->group);
        status = loop_run(s->loop);
        finish(s);
        loop_free(s->loop);
        client_close(s->client);
        outbox_done(&s->outbox);
        tally_free(s->tally);
        return status;
}
