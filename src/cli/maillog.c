/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report`: files of mail logs → what they add up to. The ledger is not asked. */
#include "cli/cli.h"
#include "cli/maillog.h"
#include "maillog/reader.h"
#include "maillog/tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { OUT = 64 << 20, TOP_MOST = 1000, TOP_DEFAULT = 10, BATCHES = 16 };

static const char *zone, *top, *unparsed;
static const struct cli_option report_options[] = {
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
        { .name = "top", .argument = "N", .help = "how many of each list (default: 10)", .value = &top },
        { .name = "unparsed", .help = "only the lines that are not understood", .value = &unparsed },
};
static const struct cli_shape report_shape = { "maillog report FILE... [--zone NAME] [--top N] [--unparsed]",
                                               report_options, COUNT_OF(report_options), 1, 16 };

/* One thread reads, the other counts: what is between them. Whoever waits is woken when the queue is half full: woken at each batch, both
 * would run by turns on one processor. */
struct queue {
        pthread_mutex_t lock;
        pthread_cond_t moved;
        struct maillog_batch *batches[BATCHES];
        size_t put, got;
        bool ended;
};

struct report {
        struct cli cli;
        struct queue queue;
        struct maillog_tally *tally;
        size_t top;
        uint64_t too_long;
        bool shows_progress;
        int64_t shown;
        int status;
};

/* The zone of this run, of libc. */
static int64_t instant(void *arg, int64_t local, bool later)
{
        (void)arg;
        struct tm tm;
        time_t as_if = (time_t)local, at;
        gmtime_r(&as_if, &tm);
        tm.tm_isdst = later ? 0 : 1;
        at = mktime(&tm);
        struct tm back;
        localtime_r(&at, &back);
        if (back.tm_isdst == (later ? 0 : 1))
                return at * SECOND;
        gmtime_r(&as_if, &tm);
        tm.tm_isdst = -1;
        return mktime(&tm) * SECOND;
}

/* --- the two threads --- */

static struct maillog_batch *free_batch(struct queue *q)
{
        pthread_mutex_lock(&q->lock);
        while (q->put - q->got == BATCHES)
                pthread_cond_wait(&q->moved, &q->lock);
        struct maillog_batch *b = q->batches[q->put % BATCHES];
        pthread_mutex_unlock(&q->lock);
        return b;
}

static void move(struct queue *q, size_t *place)
{
        pthread_mutex_lock(&q->lock);
        ++*place;
        if (q->put - q->got == BATCHES / 2)
                pthread_cond_signal(&q->moved);
        pthread_mutex_unlock(&q->lock);
}

static void end(struct queue *q)
{
        pthread_mutex_lock(&q->lock);
        q->ended = true;
        pthread_cond_signal(&q->moved);
        pthread_mutex_unlock(&q->lock);
}

static struct maillog_batch *full_batch(struct queue *q)
{
        pthread_mutex_lock(&q->lock);
        while (q->put == q->got && !q->ended)
                pthread_cond_wait(&q->moved, &q->lock);
        struct maillog_batch *b = q->put == q->got ? NULL : q->batches[q->got % BATCHES];
        pthread_mutex_unlock(&q->lock);
        return b;
}

static void *count(void *arg)
{
        struct report *r = arg;
        for (struct maillog_batch *b; (b = full_batch(&r->queue));) {
                maillog_tally_count(r->tally, b);
                move(&r->queue, &r->queue.got);
        }
        return NULL;
}

/* --- reading --- */

static void print_unparsed(void *arg, struct slice line)
{
        (void)arg;
        autobuf shown;
        buf_init(&shown, (size_t)MAILLOG_LINE_MOST * 4 + 16);
        buf_add_shown(&shown, line);
        buf_addc(&shown, '\n');
        fwrite(buf_cstr(&shown), 1, shown.n, stdout);
}

static void show_progress(struct report *r, const struct maillog_reader *f, const char *file)
{
        int64_t now = time_monotonic();
        if (!r->shows_progress || now - r->shown < SECOND / 4)
                return;
        r->shown = now;
        uint64_t size = maillog_reader_size(f), done = maillog_reader_done(f);
        double lines = (double)maillog_tally_lines(r->tally);
        if (size)
                fprintf(stderr, "\r\033[K%s: %.0f %%, %.1f million lines", file, 100.0 * (double)done / (double)size,
                        lines / 1e6);
        else
                fprintf(stderr, "\r\033[K%s: %.1f million lines", file, lines / 1e6);
}

static int read_file(struct report *r, const char *file)
{
        automaillogreader *f = NULL;
        struct slice piece;
        int failed = maillog_reader_open(file, &f);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "%s: %s", file, strerror(-failed));
        int64_t written = maillog_reader_written(f);
        maillog_tally_file(r->tally, written ? written : time_now());
        while ((failed = maillog_reader_next(f, &piece)) == 1) {
                maillog_tally_read(r->tally, piece, free_batch(&r->queue));
                move(&r->queue, &r->queue.put);
                show_progress(r, f, file);
        }
        if (r->shows_progress)
                fputs("\r\033[K", stderr);
        r->too_long += maillog_reader_too_long(f);
        if (failed < 0)
                return cli_fail(EXIT_SYSTEM, "%s: %s", file, strerror(-failed));
        if (maillog_reader_trouble(f))
                return cli_fail(EXIT_NO, "%s: %s; what stood before is counted", file, maillog_reader_trouble(f));
        return EXIT_DONE;
}

static int read_files(struct report *r)
{
        pthread_t counting;
        r->queue.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        r->queue.moved = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
        for (size_t i = 0; i < BATCHES; i++)
                r->queue.batches[i] = maillog_batch_new();
        int failed = pthread_create(&counting, NULL, count, r);
        for (size_t i = 0; i < r->cli.n_words && !failed; i++) {
                int status = read_file(r, r->cli.words[i]);
                r->status = status > r->status ? status : r->status;
        }
        if (!failed) {
                end(&r->queue);
                pthread_join(counting, NULL);
        }
        for (size_t i = 0; i < BATCHES; i++)
                maillog_batch_free(r->queue.batches[i]);
        return failed ? cli_fail(EXIT_SYSTEM, "a thread: %s", strerror(failed)) : EXIT_DONE;
}

/* --- sums: one row for text and JSON --- */

static const struct {
        const char *key, *text;
        size_t at;
        bool always;
} sums[] = {
        { "messages", "messages received", offsetof(struct maillog_totals, messages), true },
        { "recipients", "  for so many recipients", offsetof(struct maillog_totals, recipients), true },
        { "message_bytes", "  of so many bytes", offsetof(struct maillog_totals, size), true },
        { "made", "messages made here: bounces, forwards", offsetof(struct maillog_totals, made), true },
        { "delivered", "delivered", offsetof(struct maillog_totals, delivered), true },
        { "forwarded", "forwarded", offsetof(struct maillog_totals, forwarded), true },
        { "deferred", "deferred: attempts that will be made again", offsetof(struct maillog_totals, deferred), true },
        { "bounced", "bounced", offsetof(struct maillog_totals, bounced), true },
        { "expired", "given up as too old", offsetof(struct maillog_totals, expired), true },
        { "handed", "handed to a content filter: no deliveries", offsetof(struct maillog_totals, handed), true },
        { "spam", "found to be spam by a filter", offsetof(struct maillog_totals, spam), true },
        { "virus", "found to be a virus by a filter", offsetof(struct maillog_totals, virus), true },
        { "under_way", "still on their way at the end", offsetof(struct maillog_totals, under_way), true },
        { "odd", "refusals that could be read in two ways: somebody plays tricks", offsetof(struct maillog_totals, odd),
          false },
        { "early", "messages let go too early: more are open than are kept", offsetof(struct maillog_totals, early),
          false },
        { "names_lost", "times a name came that there was no room for", offsetof(struct maillog_totals, names_lost),
          false },
        { "hours_lost", "counts in hours more than a year from the first", offsetof(struct maillog_totals, hours_lost),
          false },
};

static uint64_t sum_of(const struct maillog_totals *t, size_t i)
{
        uint64_t n;
        memcpy(&n, (const char *)t + sums[i].at, sizeof n);
        return n;
}

static uint64_t refused_in_all(const struct maillog_totals *t)
{
        uint64_t n = 0;
        for (size_t i = CATEGORY_NONE + 1; i < CATEGORY_REMOTE_SPAM; i++)
                n += t->refused[i];
        return n;
}

/* In parts of `of`, rounded down: one line that is not understood is seen. */
static double share(const struct maillog_totals *t, uint64_t of)
{
        uint64_t all = t->understood + t->unknown + t->broken;
        return (double)(all ? (uint64_t)((__uint128_t)t->understood * of / all) : of) / (double)of;
}

static const struct list {
        const char *key, *title;
        enum maillog_who who;
        enum maillog_by by;
} lists[] = { { "logins", "Logins that sent most", MAILLOG_LOGINS, MAILLOG_BY_MESSAGES },
              { "clients", "Clients that sent most", MAILLOG_CLIENTS, MAILLOG_BY_MESSAGES },
              { "refused_clients", "Clients that were refused most", MAILLOG_CLIENTS, MAILLOG_BY_REFUSED },
              { "guessing_clients", "Clients with most failed logins", MAILLOG_CLIENTS, MAILLOG_BY_AUTH_FAILED } };

/* --- text --- */

static void add_counts(struct table *t, const struct maillog_counts *c)
{
        const uint32_t cells[] = { c->messages, c->recipients, c->delivered,   c->deferred,
                                   c->bounced,  c->refused,    c->auth_failed, c->remote };
        for (size_t i = 0; i < COUNT_OF(cells); i++)
                table_add(t, "%u", cells[i]);
}

static struct table *counts_table(const char *first)
{
        const char *const titles[] = { first,     "messages", "recipients",  "delivered",       "deferred",
                                       "bounced", "refused",  "auth failed", "remote says spam" };
        return table_new(COUNT_OF(titles), titles);
}

static void print_hours(const struct report *r, struct buf *out)
{
        const struct maillog_counts *c;
        int64_t at;
        struct table *t = counts_table("hour");
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                char when[TIME_TEXT_MAX];
                table_add(t, "%.16s", time_print(at, when));
                add_counts(t, c);
        }
        buf_adds(out, "\nBy the hour\n");
        table_print(t, out);
}

static void print_categories(const struct maillog_totals *t, struct buf *out)
{
        buf_addf(out, "%12llu refused\n", (unsigned long long)refused_in_all(t));
        for (size_t i = CATEGORY_NONE + 1; i < CATEGORIES_ALL; i++)
                if (t->refused[i])
                        buf_addf(out, "%12llu   %s\n", (unsigned long long)t->refused[i],
                                 category_name((enum category)i));
        buf_addf(out, "%12llu failed logins\n", (unsigned long long)t->kinds[MAIL_AUTH_FAILED]);
}

static void print_text(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        char from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        if (t->first)
                buf_addf(out, "%s to %s\n", time_print(t->first, from), time_print(t->last, until));
        buf_addf(out, "%12llu lines, %llu bytes; %.2f %% of Postfix's lines understood", (unsigned long long)t->lines,
                 (unsigned long long)t->bytes, 100 * share(t, 10000));
        buf_addf(out, " (%llu not, %llu no lines of a log, %llu too long, %llu of other programs)\n\n",
                 (unsigned long long)t->unknown, (unsigned long long)t->broken, (unsigned long long)r->too_long,
                 (unsigned long long)t->foreign);
        for (size_t i = 0; i < COUNT_OF(sums); i++)
                if (sums[i].always || sum_of(t, i))
                        buf_addf(out, "%12llu %s\n", (unsigned long long)sum_of(t, i), sums[i].text);
        print_categories(t, out);
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
                size_t n = maillog_tally_top(r->tally, lists[i].who, lists[i].by, rows, r->top);
                if (!n)
                        continue;
                struct table *table = counts_table(lists[i].who == MAILLOG_LOGINS ? "login" : "client");
                for (size_t k = 0; k < n; k++) {
                        table_add(table, "%.*s", SLICE_ARGS(rows[k].name));
                        add_counts(table, &rows[k].counts);
                }
                buf_addf(out, "\n%s\n", lists[i].title);
                table_print(table, out);
        }
        print_hours(r, out);
}

/* --- JSON --- */

static void counts_json(struct json *j, const struct maillog_counts *c)
{
        json_int(j, "messages", c->messages);
        json_int(j, "recipients", c->recipients);
        json_int(j, "message_bytes", (int64_t)c->bytes);
        json_int(j, "delivered", c->delivered);
        json_int(j, "deferred", c->deferred);
        json_int(j, "bounced", c->bounced);
        json_int(j, "refused", c->refused);
        json_int(j, "auth_failed", c->auth_failed);
        json_int(j, "remote", c->remote);
        json_object_end(j);
}

static void totals_json(struct json *j, const struct report *r)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        json_object(j, "totals");
        json_int(j, "lines", (int64_t)t->lines);
        json_int(j, "bytes", (int64_t)t->bytes);
        json_int(j, "understood", (int64_t)t->understood);
        json_int(j, "unknown", (int64_t)t->unknown);
        json_int(j, "broken", (int64_t)t->broken);
        json_int(j, "too_long", (int64_t)r->too_long);
        json_int(j, "foreign", (int64_t)t->foreign);
        json_real(j, "share", share(t, 1000));
        for (size_t i = 0; i < COUNT_OF(sums); i++)
                json_int(j, sums[i].key, (int64_t)sum_of(t, i));
        json_int(j, "refused", (int64_t)refused_in_all(t));
        json_int(j, "auth_failed", (int64_t)t->kinds[MAIL_AUTH_FAILED]);
        json_object_end(j);
        json_object(j, "categories");
        for (size_t i = CATEGORY_NONE + 1; i < CATEGORIES_ALL; i++)
                json_int(j, category_name((enum category)i), (int64_t)t->refused[i]);
        json_object_end(j);
}

static void print_json(const struct report *r, struct buf *out)
{
        const struct maillog_totals *t = maillog_tally_totals(r->tally);
        const struct maillog_counts *c;
        struct json j;
        int64_t at;
        autofree struct maillog_row *rows = xcalloc(r->top, sizeof *rows);
        json_report(&j, out);
        json_time(&j, "first", t->first ? t->first : TIME_NEVER);
        json_time(&j, "last", t->first ? t->last : TIME_NEVER);
        totals_json(&j, r);
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
                size_t n = maillog_tally_top(r->tally, lists[i].who, lists[i].by, rows, r->top);
                json_array(&j, lists[i].key);
                for (size_t k = 0; k < n; k++) {
                        json_object(&j, NULL);
                        json_string(&j, "name", rows[k].name);
                        counts_json(&j, &rows[k].counts);
                }
                json_array_end(&j);
        }
        json_array(&j, "hours");
        for (size_t i = 0; (c = maillog_tally_hour(r->tally, &i, &at));) {
                json_object(&j, NULL);
                json_time(&j, "at", at);
                counts_json(&j, c);
        }
        json_array_end(&j);
        json_report_end(&j);
}

/* --- the command --- */

static int take_arguments(struct report *r)
{
        uint64_t n = TOP_DEFAULT;
        if (top && (!slice_u64(slice_of(top), TOP_MOST, &n) || n == 0))
                return cli_fail(EXIT_USAGE, "--top %s: a number from 1 to %d", top, TOP_MOST);
        r->top = (size_t)n;
        cli_zone(&r->cli);
        if (zone && !time_set_zone(slice_of(zone)))
                return cli_fail(EXIT_USAGE, "--zone %s: there is no such zone", zone);
        r->shows_progress = isatty(STDERR_FILENO) && !r->cli.json && !unparsed;
        return EXIT_DONE;
}

static int run_report(int argc, char **argv)
{
        struct report r = { .status = EXIT_DONE };
        int status;
        zone = top = unparsed = NULL;
        if (!cli_parse(&r.cli, &report_shape, argc, argv, &status))
                return status;
        status = take_arguments(&r);
        if (status)
                return status;
        automaillogtally *tally =
            maillog_tally_new((struct syslog_zone){ instant, NULL }, unparsed ? print_unparsed : NULL, NULL);
        r.tally = tally;
        status = read_files(&r);
        if (status)
                return status;
        maillog_tally_end(tally);
        if (r.status == EXIT_SYSTEM && maillog_tally_totals(tally)->lines == 0)
                return r.status; /* told already */
        autobuf out;
        buf_init(&out, OUT);
        if (r.cli.json)
                print_json(&r, &out);
        else if (!unparsed)
                print_text(&r, &out);
        status = cli_print(&out);
        return status ? status : r.status;
}

static const struct cli_verb verbs[] = { { "report", &report_shape, run_report },
                                         { "find", &maillog_find_shape, maillog_find_run },
                                         { "index", &maillog_index_shape, maillog_index_run } };

int cmd_maillog(int argc, char **argv)
{
        return cli_dispatch("maillog", verbs, COUNT_OF(verbs), argc, argv);
}
