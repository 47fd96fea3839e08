/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/duty.h"

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "graph/rings.h"
#include "maillog/customers.h"
#include "maillog/deeds.h"
#include "maillog/follow.h"
#include "maillog/indexer.h"
#include "maillog/live.h"
#include "maillog/zone.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>

enum { PIECES_A_TURN = 32, STATUS_SYSTEM = 3 };

#define SAVE_EVERY (5 * SECOND)
#define STILL_EVERY (2 * SECOND)
#define COUNTS_EVERY MINUTE
#define LEASE_BELIEVED MINUTE

struct duty {
        const struct maillog_duty_options *o;
        struct rules *rules; /* of the generation it was started for */
        struct live *live;
        struct deeds *deeds;
        struct ledger *ledger;
        struct customers *customers; /* NULL: there is no ledger yet */
        struct rings *rings;         /* NULL: they could not be opened */
        size_t series[LIVE_SERIES];  /* + 1; 0: not asked for yet */
        struct maillog_follow *follow;
        const char **paths;
        struct indexer *indexers;
        size_t n;
        struct loop *loop;
        struct watch *timer, *notice;
        char *positions;
        int64_t next_save, next_still, next_counts;
        bool read_since, save_failed;
};

void maillog_wants(const struct policy *p, struct buf *out)
{
        for (size_t i = 0; i < p->n_mail_logs; i++)
                buf_addf(out, "log %.*s %.*s\n", SLICE_ARGS(p->mail_logs[i].file), SLICE_ARGS(p->mail_logs[i].zone));
        for (size_t i = 0; i < p->n_mail_rules && p->n_mail_logs; i++) {
                const struct policy_mail_rule *r = &p->mail_rules[i];
                buf_addf(out, "rule %.*s %.*s %.*s", SLICE_ARGS(r->field), SLICE_ARGS(r->pattern),
                         SLICE_ARGS(r->category));
                for (size_t k = 0; k < r->n_on; k++)
                        buf_addf(out, " on %.*s", SLICE_ARGS(r->on[k]));
                for (size_t k = 0; k < r->n_daemons; k++)
                        buf_addf(out, " of %.*s", SLICE_ARGS(r->daemons[k]));
                buf_addc(out, '\n');
        }
        for (size_t i = 0; i < p->n_mail_limits && p->n_mail_logs; i++) {
                const struct policy_mail_limit *l = &p->mail_limits[i];
                buf_addf(out, "limit %.*s %d %d %lld %lld %lld %d %lld", SLICE_ARGS(l->name), (int)l->by, (int)l->side,
                         (long long)l->to, (long long)l->after, (long long)l->over, (int)l->then, (long long)l->lasts);
                for (size_t k = 0; k < l->n_count; k++)
                        buf_addf(out, " %.*s", SLICE_ARGS(l->count[k]));
                for (size_t k = 0; k < l->n_except; k++) {
                        char text[PREFIX_TEXT_MAX];
                        buf_addf(out, " %s", prefix_print(&l->except[k], text));
                }
                buf_addc(out, '\n');
        }
}

/* --- what lines lead to --- */

static struct slice subscriber(void *arg, struct slice client, int64_t at)
{
        struct duty *d = arg;
        if (!d->customers && ledger_open(d->o->dir, &d->ledger) == 0)
                d->customers = customers_new(d->ledger, LEASE_BELIEVED);
        return d->customers ? customers_of(d->customers, client, at) : S("");
}

static const struct policy *pools(void *arg)
{
        const struct duty *d = arg;
        return d->o->policy();
}

static void on_caught(void *arg, const struct limits_caught *c)
{
        struct duty *d = arg;
        deeds_add(d->deeds, c);
}

static void on_count(void *arg, size_t series, int64_t from, int64_t to, uint64_t n)
{
        struct duty *d = arg;
        const char *name = live_series(d->live, series);
        int64_t now = time_now();
        if (!d->rings || !name)
                return;
        if (!d->series[series]) {
                size_t at;
                if (rings_series(d->rings, slice_of(name), RINGS_RATE, &at) != 0)
                        return; /* the table or the disk is full */
                d->series[series] = at + 1;
        }
        /* apart: of time that was known before a crash, too, no line is left out */
        if (from < to && from < now)
                rings_add(d->rings, d->series[series] - 1, from, to < now ? to : now, 0, now);
        if (n)
                rings_add(d->rings, d->series[series] - 1, from, from, (double)n, now);
}

static void on_trouble(void *arg, size_t file, const char *text)
{
        struct duty *d = arg;
        autobuf path, shown;
        buf_init(&path, LOG_LINE_MOST);
        buf_init(&shown, LOG_LINE_MOST);
        log_event("log-trouble", "file=%s what=%s", log_text(&path, slice_of(d->paths[file])),
                  log_text(&shown, slice_of(text)));
}

/* --- turns --- */

static void save(struct duty *d)
{
        static struct maillog_positions p;
        if (!d->read_since)
                return;
        maillog_follow_positions(d->follow, &p);
        int failed = maillog_positions_save(d->positions, &p);
        if (failed && !d->save_failed)
                log_event("positions-not-saved", "error=\"%s\"", strerror(-failed));
        d->save_failed = failed != 0;
        d->read_since = failed != 0;
}

static bool behind(const struct duty *d)
{
        for (size_t i = 0; i < d->n; i++)
                if (maillog_follow_behind(d->follow, i))
                        return true;
        return false;
}

static bool reads_any(const struct duty *d)
{
        for (size_t i = 0; i < d->n; i++)
                if (maillog_follow_trouble(d->follow, i) == 0)
                        return true;
        return false;
}

/* Where all was read, what was not there is known not to have been. Counts are told before the place behind them is written, so that a
 * crash may count something twice, and never leaves it out.
 * While no log can be read, nothing is known: that is told when one can be again. */
static void tell_and_save(struct duty *d)
{
        if (behind(d))
                live_tell_read(d->live);
        else if (reads_any(d))
                live_tell(d->live, time_now());
        if (deeds_do(d->deeds, d->o->policy(), time_now()))
                save(d);
}

static void log_counts(const struct duty *d)
{
        struct batch_sums s = live_sums(d->live);
        struct maillog_follow_counts f = maillog_follow_counts(d->follow);
        uint64_t waiting = 0;
        for (size_t i = 0; i < d->n; i++)
                waiting += maillog_follow_behind(d->follow, i);
        log_event("counts",
                  "lines=%llu missing=%llu understood=%llu unknown=%llu broken=%llu too-long=%llu rotated=%llu "
                  "cut=%llu gone=%llu "
                  "behind=%llu",
                  (unsigned long long)s.lines, (unsigned long long)s.missing, (unsigned long long)s.understood,
                  (unsigned long long)s.unknown, (unsigned long long)s.broken, (unsigned long long)f.too_long,
                  (unsigned long long)f.rotated, (unsigned long long)f.cut, (unsigned long long)f.gone,
                  (unsigned long long)waiting);
}

static void read_piece(struct duty *d, const struct maillog_piece *piece)
{
        int64_t now = time_now();
        live_take(d->live, piece->file, zone_named(&d->rules->policy->mail_logs[piece->file].zone), piece->lines, now);
        indexer_piece(&d->indexers[piece->file], piece, now);
        maillog_follow_done(d->follow, piece->file);
        d->read_since = true;
}

static bool due(int64_t *next, int64_t now, int64_t every)
{
        if (now < *next)
                return false;
        *next = now + every;
        return true;
}

/* True: there is more to be read at once. */
static bool turn(struct duty *d, int64_t now)
{
        struct maillog_piece piece;
        size_t n = 0;
        while (n < PIECES_A_TURN && maillog_follow_step(d->follow, now, &piece) == 1) {
                read_piece(d, &piece);
                n++;
        }
        deeds_do(d->deeds, d->o->policy(), time_now());
        if (due(&d->next_save, now, SAVE_EVERY))
                tell_and_save(d);
        if (due(&d->next_counts, now, COUNTS_EVERY))
                log_counts(d);
        return n == PIECES_A_TURN;
}

static void work(struct duty *d)
{
        int64_t now = time_monotonic(), wait;
        bool listen = true, more = turn(d, now);
        if (due(&d->next_still, now, STILL_EVERY) && !d->o->still()) {
                loop_stop(d->loop, 0);
                return;
        }
        wait = more ? 0 : maillog_follow_pause(d->follow, now, &listen);
        watch_again(d->timer, wait < 1000 ? 1000 : wait > SECOND ? SECOND : wait);
        if (d->notice)
                watch_set(d->notice, listen && !more ? LOOP_READ : 0);
}

static void on_timer(void *arg)
{
        work(arg);
}

static void on_notice(void *arg, int what)
{
        (void)what;
        work(arg);
}

static void on_stop(void *arg)
{
        struct duty *d = arg;
        loop_stop(d->loop, 0);
}

/* --- beginning --- */

static void open_rings(struct duty *d)
{
        autofree char *path = xasprintf("%s/maillog/maillog.rings", d->o->dir);
        autobuf why, text;
        buf_init(&why, 4096);
        buf_init(&text, LOG_LINE_MOST);
        if (rings_open(path, &d->rings, &why) != 0)
                log_event("no-graphs", "error=%s", log_text(&text, buf_slice(&why)));
}

/* Positions of logs that the policy does not name any more are left out. */
static bool open_follow(struct duty *d)
{
        static struct maillog_positions positions;
        struct buf text;
        const char *why = NULL;
        int failed = maillog_positions_load(d->positions, &text, &positions, &why);
        if (failed)
                fprintf(stderr,
                        "porteiro: maillog: %s: %s (move it away, and all logs are read from their beginning)\n",
                        d->positions, why ? why : strerror(-failed));
        else
                d->follow = maillog_follow_open(&(struct maillog_follow_options){
                    .paths = d->paths, .n = d->n, .positions = &positions, .tell = on_trouble, .arg = d });
        buf_done(&text);
        return !failed;
}

static void name_logs(struct duty *d)
{
        d->n =
            d->rules->policy->n_mail_logs < MAILLOG_FOLLOW_MOST ? d->rules->policy->n_mail_logs : MAILLOG_FOLLOW_MOST;
        d->paths = xcalloc(d->n + 1, sizeof *d->paths);
        d->indexers = xcalloc(d->n + 1, sizeof *d->indexers);
        for (size_t i = 0; i < d->n; i++) {
                d->paths[i] = slice_dup(d->rules->policy->mail_logs[i].file);
                d->indexers[i] = (struct indexer){ .state = d->o->dir,
                                                   .path = d->paths[i],
                                                   .zone = zone_named(&d->rules->policy->mail_logs[i].zone) };
        }
}

/* The folders may be read: a log is rotated within its folder. Where its path is a link, that of the log as well. */
static void lock_in(struct duty *d)
{
        autofree char **copies = xcalloc(2 * d->n + 1, sizeof *copies);
        autofree const char **folders = xcalloc(2 * d->n + 1, sizeof *folders);
        for (size_t i = 0; i < 2 * d->n; i++) {
                copies[i] = i < d->n ? xstrdup(d->paths[i]) : realpath(d->paths[i - d->n], NULL);
                copies[i] = copies[i] ? copies[i] : xstrdup(d->paths[i - d->n]);
                folders[i] = dirname(copies[i]);
        }
        d->o->lock_in(folders, 2 * d->n);
        for (size_t i = 0; i < 2 * d->n; i++)
                free(copies[i]);
}

/* A policy of its own: the one in force may be replaced by another that wants the same here. */
static bool read_rules(struct duty *d)
{
        autodiags *diags = diags_new();
        autobuf text;
        buf_init(&text, 1 << 20);
        struct policy *p = policy_parse(&(struct policy_input){ .name = S("generation"), .text = d->o->text() }, diags);
        d->rules = p ? rules_new(p, diags) : NULL;
        if (d->rules)
                return true;
        policy_free(p);
        diags_print(diags, &text);
        fputs(buf_cstr(&text), stderr);
        return false;
}

static bool begin(struct duty *d)
{
        autofree char *folder = xasprintf("%s/maillog", d->o->dir);
        int failed = folder_make(folder, 0750);
        if (failed) {
                fprintf(stderr, "porteiro: maillog: %s: %s\n", folder, strerror(-failed));
                return false;
        }
        d->positions = xasprintf("%s/positions", folder);
        if (!read_rules(d))
                return false;
        name_logs(d);
        if (!open_follow(d))
                return false;
        open_rings(d);
        d->deeds = deeds_new(d->o->dir);
        d->live = live_new(
            &(struct live_options){ .rules = d->rules,
                                    .who = { .subscriber = subscriber, .caught = on_caught, .arg = d, .pools = pools },
                                    .count = on_count,
                                    .arg = d });
        return true;
}

static void end(struct duty *d)
{
        if (d->live && d->follow) {
                live_end(d->live);
                tell_and_save(d);
                log_counts(d);
        }
        for (size_t i = 0; i < d->n; i++) {
                indexer_end(&d->indexers[i]);
                free((char *)d->paths[i]);
        }
        live_free(d->live);
        deeds_free(d->deeds);
        customers_free(d->customers);
        ledger_close(d->ledger);
        rings_close(d->rings);
        maillog_follow_free(d->follow);
        rules_free(d->rules);
        free(d->paths);
        free(d->indexers);
        free(d->positions);
}

int maillog_run(const struct maillog_duty_options *o)
{
        struct duty d = { .o = o };
        log_duty("maillog");
        if (!begin(&d)) {
                end(&d);
                return STATUS_SYSTEM;
        }
        d.loop = loop_new();
        lock_in(&d);
        loop_signal(d.loop, SIGTERM, on_stop, &d);
        loop_signal(d.loop, SIGINT, on_stop, &d);
        d.timer = loop_timer(d.loop, 0, on_timer, &d);
        int fd = maillog_follow_fd(d.follow);
        d.notice = fd == -1 ? NULL : loop_fd(d.loop, fd, 0, on_notice, &d);
        d.next_counts = time_monotonic() + COUNTS_EVERY;
        d.read_since =
            true; /* where it began is kept before it is said, so that a rotation right after a crash is seen */
        turn(&d, time_monotonic());
        log_event("started", "dir=%s logs=%zu", o->dir, d.n);
        int status = loop_run(d.loop);
        end(&d);
        loop_free(d.loop);
        log_event("stopped", "status=%d", status);
        return status;
}
