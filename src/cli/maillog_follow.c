/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog follow`: what is written to logs from now on, a line of counts at a time, and who reaches a limit. Decides nothing: that is the duty's
 * (maillog/duty.h). */
#include "base/loop.h"
#include "cli/maillog.h"
#include "cli/maillog_files.h"
#include "cli/maillog_suspects.h"
#include "maillog/customers.h"
#include "maillog/follow.h"
#include "maillog/live.h"
#include "maillog/zone.h"

#include <signal.h>
#include <stdio.h>

enum { PIECES_A_TURN = 32 };

static const char *zone, *rules_file, *every, *from_start;
static const struct cli_option options[] = {
        { .name = "every", .argument = "DURATION", .help = "how often a line is printed (10s)", .value = &every },
        { .name = "from-start", .help = "begin with what is in the files already", .value = &from_start },
        { .name = "rules",
          .argument = "FILE",
          .help = "its mail-rules and mail-limits, instead of those of the policy",
          .value = &rules_file },
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
};
const struct cli_shape maillog_follow_shape = {
        "maillog follow FILE... [--every DURATION] [--from-start] [--rules FILE] [--zone NAME]", options,
        COUNT_OF(options), 1, MAILLOG_FOLLOW_MOST
};

struct following {
        struct cli cli;
        struct live *live;
        struct customers *customers; /* NULL: there is no ledger */
        const struct policy *policy; /* whose addresses are customers; NULL: there is none */
        struct maillog_follow *follow;
        struct loop *loop;
        struct watch *timer, *notice;
        uint64_t counts[LIVE_SERIES];
        uint64_t lines; /* printed so far */
        int64_t period, next;
        bool skips;
};

static struct slice subscriber(void *arg, struct slice client, int64_t at)
{
        const struct following *f = arg;
        return customers_of(f->customers, client, at);
}

static const struct policy *pools(void *arg)
{
        const struct following *f = arg;
        return f->policy;
}

static void on_count(void *arg, size_t series, int64_t from, int64_t to, uint64_t n)
{
        struct following *f = arg;
        (void)from, (void)to;
        f->counts[series] += n;
}

static void on_trouble(void *arg, size_t file, const char *text)
{
        const struct following *f = arg;
        fprintf(stderr, "porteiro: maillog follow: %s: %s\n", f->cli.words[file], text);
}

/* --- lines --- */

static void print_caught(void *arg, const struct limits_caught *c)
{
        const struct following *f = arg;
        char at[TIME_TEXT_MAX];
        autobuf out;
        struct json j;
        buf_init(&out, 1 << 20);
        if (f->cli.json) {
                json_report(&j, &out);
                json_object(&j, "caught");
                maillog_suspect_json(&j, c);
                json_object_end(&j);
                json_report_end(&j);
        } else {
                buf_addf(&out, "%s  %s ", time_print(c->at, at), mail_limit_key_name(c->limit->by));
                buf_add_shown(&out, c->key);
                buf_addf(&out, " reached \"%.*s\": %llu\n", SLICE_ARGS(c->limit->name), (unsigned long long)c->count);
        }
        cli_print(&out);
        fflush(stdout);
}

static void print_counts(struct following *f, int64_t now)
{
        char at[TIME_TEXT_MAX];
        autobuf out;
        struct json j;
        struct batch_sums sums = live_sums(f->live);
        buf_init(&out, 1 << 20);
        if (f->cli.json) {
                json_report(&j, &out);
                json_time(&j, "at", now);
                json_int(&j, "lines", (int64_t)(sums.lines - f->lines));
                for (size_t i = 0; live_series(f->live, i); i++)
                        if (i < LIVE_COUNTS_ALL || f->counts[i])
                                json_int(&j, live_series(f->live, i), (int64_t)f->counts[i]);
                json_report_end(&j);
        } else {
                buf_addf(&out, "%s  %llu lines", time_print(now, at), (unsigned long long)(sums.lines - f->lines));
                for (size_t i = 0; live_series(f->live, i); i++)
                        if (f->counts[i])
                                buf_addf(&out, "  %s %llu", live_series(f->live, i), (unsigned long long)f->counts[i]);
                buf_addc(&out, '\n');
        }
        f->lines = sums.lines;
        memset(f->counts, 0, sizeof f->counts);
        cli_print(&out);
        fflush(stdout);
}

/* --- turns --- */

static void work(struct following *f)
{
        struct maillog_piece piece;
        int64_t now = time_monotonic();
        bool listen = true;
        size_t n = 0;
        for (; n < PIECES_A_TURN && maillog_follow_step(f->follow, now, &piece) == 1; n++) {
                if (!f->skips)
                        live_take(f->live, piece.file, zone_of_process(), piece.lines, time_now());
                maillog_follow_done(f->follow, piece.file);
        }
        f->skips = f->skips && n == PIECES_A_TURN;
        if (now >= f->next) {
                live_tell(f->live, time_now());
                print_counts(f, time_now());
                f->next = now + f->period;
        }
        int64_t wait = n == PIECES_A_TURN ? 0 : maillog_follow_pause(f->follow, now, &listen);
        wait = wait > f->next - now ? f->next - now : wait;
        watch_again(f->timer, wait < 1000 ? 1000 : wait);
        if (f->notice)
                watch_set(f->notice, listen && n < PIECES_A_TURN ? LOOP_READ : 0);
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
        struct following *f = arg;
        loop_stop(f->loop, EXIT_DONE);
}

static int follow(struct following *f)
{
        f->loop = loop_new();
        loop_signal(f->loop, SIGTERM, on_stop, f);
        loop_signal(f->loop, SIGINT, on_stop, f);
        f->next = time_monotonic() + f->period;
        f->timer = loop_timer(f->loop, 0, on_timer, f);
        int fd = maillog_follow_fd(f->follow);
        f->notice = fd == -1 ? NULL : loop_fd(f->loop, fd, 0, on_notice, f);
        int status = loop_run(f->loop);
        live_end(f->live);
        live_tell(f->live, time_now());
        print_counts(f, time_now());
        loop_free(f->loop);
        return status;
}

static int take_arguments(struct following *f)
{
        f->period = 10 * SECOND;
        if (every && (!duration_parse(slice_of(every), &f->period) || f->period < SECOND))
                return cli_fail(EXIT_USAGE, "--every %s: a duration of a second or more, such as 10s", every);
        f->skips = !from_start;
        return EXIT_DONE;
}

int maillog_follow_run(int argc, char **argv)
{
        struct following f = { 0 };
        int status;
        zone = rules_file = every = from_start = NULL;
        if (!cli_parse(&f.cli, &maillog_follow_shape, argc, argv, &status))
                return status;
        status = take_arguments(&f);
        if (status)
                return status;
        autopolicy *policy = cli_policy_if_any(&f.cli);
        autorules *rules = maillog_rules(&f.cli, rules_file, &status);
        f.policy = policy;
        status = rules ? maillog_set_zone(&f.cli, zone) : status;
        if (status)
                return status;
        autoledger *ledger = NULL;
        f.customers = ledger_open(f.cli.state, &ledger) == 0 ? customers_new(ledger, MINUTE) : NULL;
        f.live = live_new(&(struct live_options){
            .rules = rules,
            .who = { .subscriber = f.customers ? subscriber : NULL, .caught = print_caught, .pools = pools, .arg = &f },
            .count = on_count,
            .arg = &f });
        f.follow = maillog_follow_open(&(struct maillog_follow_options){
            .paths = f.cli.words, .n = f.cli.n_words, .tell = on_trouble, .arg = &f });
        status = follow(&f);
        maillog_follow_free(f.follow);
        live_free(f.live);
        customers_free(f.customers);
        return status;
}
