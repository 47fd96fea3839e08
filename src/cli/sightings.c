/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"
#include "guard/sketch.h"

#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20, SHOWN = 1000 };

static const char *since, *most, *source, *port, *at, *count, *detail;
static const struct cli_option list_options[] = {
        { .name = "since",
          .argument = "TIME",
          .help = "from then on, or for so long: 24h (the default), 7d",
          .value = &since },
        { .name = "source", .argument = "NAME", .help = "only of this source", .value = &source },
        { .name = "most", .argument = "N", .help = "the newest N (default: 1000)", .value = &most },
};
static const struct cli_option add_options[] = {
        { .name = "source",
          .argument = "NAME",
          .help = "trap, divert, complaint, maillog, blocklist …",
          .value = &source },
        { .name = "port", .argument = "PORT", .help = "his port, where it is known", .value = &port },
        { .name = "at", .argument = "TIME", .help = "when (default: now)", .value = &at },
        { .name = "count", .argument = "N", .help = "how often (default: 1)", .value = &count },
        { .name = "detail", .argument = "TEXT", .help = "what was seen", .value = &detail },
};
static const struct cli_shape list_shape = { "sightings [SUBSCRIBER|ADDRESS] [--source NAME] [--since TIME] [--most N]",
                                             list_options, COUNT_OF(list_options), 0, 1 };
static const struct cli_shape add_shape = {
        "sightings add ADDRESS --source NAME [--port PORT] [--at TIME] [--count N] [--detail TEXT]", add_options,
        COUNT_OF(add_options), 1, 1
};

/* --- add --- */

static bool take_number(const char *what, const char *text, uint64_t max, int64_t *ret)
{
        uint64_t n;
        if (!text)
                return true;
        if (!slice_u64(slice_of(text), max, &n) || n == 0) {
                cli_fail(EXIT_USAGE, "%s: %s: a number from 1 to %llu", what, text, (unsigned long long)max);
                return false;
        }
        *ret = (int64_t)n;
        return true;
}

static int run_add(int argc, char **argv)
{
        struct cli cli;
        int status;
        int64_t its_port = 0;
        struct sighting s = { .at = time_now(), .seconds = 0, .count = 1 };
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        if (!source || !*source)
                return cli_fail(EXIT_USAGE, "sightings add: --source is missing");
        cli_zone(&cli);
        if (!cli_prefix("sightings add", cli.words[0], &s.prefix) || !take_number("--port", port, 65535, &its_port) ||
            !take_number("--count", count, INT32_MAX, &s.count) ||
            (at && !cli_time("--at", at, TIME_FIRST_INSTANT, &s.at)))
                return EXIT_USAGE;
        s.port = (uint16_t)its_port;
        s.source = slice_of(source);
        s.detail = slice_of(detail);
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "sightings add", client_sightings_add(c, &s, 1, 0, 0)) : status;
}

/* --- list --- */

struct seen {
        struct sighting *all;
        size_t n;
        int64_t lost;
        bool cut; /* there are more */
};

/* prefix NULL: any. */
static bool wanted(const struct sighting *s, const struct prefix *prefix)
{
        if (source && !slice_eq(s->source, slice_of(source)))
                return false;
        return !prefix || prefix_covers(prefix, &s->prefix) || prefix_covers(&s->prefix, prefix);
}

static int read_seen(struct ledger *l, struct arena *a, const char *word, int64_t from, size_t limit, struct seen *ret)
{
        struct prefix p;
        struct loss *losses;
        size_t n_losses = 0, kept = 0;
        bool address = word && cli_is_address(word, &p), all = !address && !source;
        struct slice whose = address ? S("") : slice_of(word);
        int failed = ledger_sightings(l, a, whose, from, TIME_NEVER, all ? limit + 1 : SIZE_MAX, &ret->all, &ret->n);
        for (size_t i = 0; failed == 0 && i < ret->n && kept <= limit; i++)
                if (wanted(&ret->all[i], address ? &p : NULL))
                        ret->all[kept++] = ret->all[i];
        if (failed == 0)
                failed = ledger_losses(l, a, from, &losses, &n_losses);
        for (size_t i = 0; failed == 0 && i < n_losses; i++)
                ret->lost += losses[i].count;
        ret->cut = kept > limit;
        ret->n = ret->cut ? limit : kept;
        return failed;
}

static void add_subscriber(struct table *t, const struct sighting *s)
{
        if (s->subscriber.n)
                table_add(t, "%.*s", SLICE_ARGS(s->subscriber));
        else if (s->holders > 1)
                table_add(t, "ambiguous (%zu)", s->holders);
        else
                table_add(t, "unknown");
}

static void print_table(const struct seen *seen, struct buf *out)
{
        static const char *const titles[] = { "time",   "subscriber", "address", "strategy",
                                              "source", "count",      "hosts≈",  "detail" };
        char text[PREFIX_TEXT_MAX], when[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < seen->n; i++) {
                const struct sighting *s = &seen->all[i];
                table_add(t, "%s", time_print(s->at, when));
                add_subscriber(t, s);
                table_add(t, "%s", prefix_print(&s->prefix, text));
                table_add(t, "%.*s", SLICE_ARGS(s->strategy));
                table_add(t, "%.*s", SLICE_ARGS(s->source));
                table_add(t, "%lld", (long long)s->count);
                if (s->hosts.n)
                        table_add(t, "%llu", (unsigned long long)sketch_estimate(s->hosts));
                else
                        table_add(t, "%s", "");
                table_add(t, "%.*s", SLICE_ARGS(s->detail));
        }
        table_print(t, out);
        if (seen->cut)
                buf_addf(out, "only the newest %zu are shown (--most)\n", seen->n);
        buf_addf(out, "events lost by the kernel: %lld\n", (long long)seen->lost);
}

static void print_one_json(struct json *j, const struct sighting *s)
{
        char text[PREFIX_TEXT_MAX];
        json_object(j, NULL);
        json_time(j, "at", s->at);
        json_int(j, "seconds", s->seconds);
        json_cstr(j, "address", prefix_print(&s->prefix, text));
        json_string(j, "realm", s->realm);
        json_int(j, "port", s->port);
        json_string(j, "source", s->source);
        json_string(j, "strategy", s->strategy);
        json_int(j, "count", s->count);
        if (s->hosts.n)
                json_int(j, "hosts", (int64_t)sketch_estimate(s->hosts));
        else
                json_null(j, "hosts");
        json_string(j, "detail", s->detail);
        if (s->subscriber.n)
                json_string(j, "subscriber", s->subscriber);
        else
                json_null(j, "subscriber");
        json_int(j, "holders", (int64_t)s->holders);
        json_object_end(j);
}

static void print_json(const struct seen *seen, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "sightings");
        for (size_t i = 0; i < seen->n; i++)
                print_one_json(&j, &seen->all[i]);
        json_array_end(&j);
        json_bool(&j, "more", seen->cut);
        json_int(&j, "lost", seen->lost);
        json_report_end(&j);
}

static int run_list(int argc, char **argv)
{
        struct cli cli;
        struct seen seen = { .n = 0 };
        int64_t from = time_now() - DAY, shown = SHOWN;
        bool none;
        int status;
        if (!cli_parse(&cli, &list_shape, argc, argv, &status))
                return status;
        cli_zone(&cli);
        if ((since && !cli_since("--since", since, &from)) || !take_number("--most", most, INT32_MAX, &shown))
                return EXIT_USAGE;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? read_seen(l, a, cli.n_words ? cli.words[0] : NULL, from, (size_t)shown, &seen) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        if (cli.json)
                print_json(&seen, &out);
        else
                print_table(&seen, &out);
        return cli_print(&out);
}

int cmd_sightings(int argc, char **argv)
{
        if (argc > 1 && strcmp(argv[1], "add") == 0)
                return run_add(argc - 1, argv + 1);
        return run_list(argc, argv);
}
