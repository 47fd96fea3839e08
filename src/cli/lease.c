/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/lease.h"
#include "cli/lookup.h"
#include "ledger/json.h"
#include "ledger/line.h"

#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20 };

static const char *line, *from, *until, *ports, *proto, *at, *reason, *all;
static const struct cli_option add_options[] = {
        { .name = "line", .argument = "KIND:VALUE", .help = "whose it is", .value = &line },
        { .name = "from", .argument = "TIME", .help = "since when (default: now)", .value = &from },
        { .name = "until", .argument = "TIME", .help = "until when (default: no end)", .value = &until },
        { .name = "ports", .argument = "LOW-HIGH", .help = "only these ports of the address", .value = &ports },
        { .name = "proto", .argument = "tcp|udp", .help = "the ports' protocol (default: both)", .value = &proto },
};
static const struct cli_option end_options[] = {
        { .name = "line", .argument = "KIND:VALUE", .help = "whose it was", .value = &line },
        { .name = "at", .argument = "TIME", .help = "when it ended (default: now)", .value = &at },
        { .name = "reason", .argument = "TEXT", .help = "for the audit trail", .value = &reason },
};
static const struct cli_option list_options[] = {
        { .name = "at", .argument = "TIME", .help = "as it was then (default: now)", .value = &at },
        { .name = "all", .help = "also those that ended", .value = &all },
        { .name = "reason", .argument = "TEXT", .help = "why you ask for the past: it is recorded", .value = &reason },
};
static const struct cli_shape add_shape = {
        "lease add PREFIX --line KIND:VALUE [--from TIME] [--until TIME] [--ports LOW-HIGH [--proto tcp|udp]]",
        add_options, COUNT_OF(add_options), 1, 1
};
static const struct cli_shape end_shape = { "lease end PREFIX --line KIND:VALUE [--at TIME] [--reason TEXT]",
                                            end_options, COUNT_OF(end_options), 1, 1 };
static const struct cli_shape list_shape = { "lease list [SUBSCRIBER|ADDRESS] [--at TIME | --all] [--reason TEXT]",
                                             list_options, COUNT_OF(list_options), 0, 1 };

static int take_line(const char *verb, struct arena *a, struct line *ret)
{
        if (!line)
                return cli_fail(EXIT_USAGE, "%s: --line KIND:VALUE is missing", verb);
        const char *wrong = line_parse(slice_of(line), a, ret);
        return wrong ? cli_fail(EXIT_USAGE, "--line: %s: %s", line, wrong) : EXIT_DONE;
}

static int take_ports(struct lease *l)
{
        struct slice high, low = slice_cut(slice_of(ports), '-', &high);
        uint64_t a, b;
        if (!ports)
                return proto ? cli_fail(EXIT_USAGE, "--proto: goes with --ports") : EXIT_DONE;
        if (!slice_u64(low, 65535, &a) || !slice_u64(high.p ? high : low, 65535, &b) || a == 0 || a > b)
                return cli_fail(EXIT_USAGE, "--ports: %s: two ports, LOW-HIGH, from 1 to 65535", ports);
        if (proto && strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
                return cli_fail(EXIT_USAGE, "--proto: %s: tcp or udp", proto);
        l->port_low = (uint16_t)a;
        l->port_high = (uint16_t)b;
        l->proto = slice_of(proto);
        return EXIT_DONE;
}

static int run_add(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct lease l = { .start = time_now(), .end = TIME_NEVER, .source = S("static") };
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        autoarena *a = arena_new(1 << 20);
        status = take_line("lease add", a, &l.line);
        if (status == 0)
                status = take_ports(&l);
        if (status)
                return status;
        cli_zone(&cli);
        if (!cli_prefix("lease add", cli.words[0], &l.prefix) ||
            (from && !cli_time("--from", from, TIME_FIRST_INSTANT, &l.start)) ||
            (until && !cli_time("--until", until, TIME_LAST_INSTANT, &l.end)))
                return EXIT_USAGE;
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "lease add", client_lease_add(c, &l)) : status;
}

static int run_end(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct prefix prefix;
        struct line whose;
        int64_t when = time_now();
        if (!cli_parse(&cli, &end_shape, argc, argv, &status))
                return status;
        autoarena *a = arena_new(1 << 20);
        status = take_line("lease end", a, &whose);
        if (status)
                return status;
        cli_zone(&cli);
        if (!cli_prefix("lease end", cli.words[0], &prefix) || (at && !cli_time("--at", at, TIME_FIRST_INSTANT, &when)))
                return EXIT_USAGE;
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "lease end", client_lease_end(c, &prefix, &whose, when, slice_of(reason))) : status;
}

static void print_table(const struct lease *leases, size_t n, struct buf *out)
{
        static const char *const titles[] = { "address", "ports", "subscriber", "line",
                                              "source",  "from",  "until",      "ended because" };
        char text[PREFIX_TEXT_MAX], start[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct lease *l = &leases[i];
                table_add(t, "%s", prefix_print(&l->prefix, text));
                if (l->port_high)
                        table_add(t, "%u-%u", l->port_low, l->port_high);
                else
                        table_add(t, "all");
                table_add(t, "%.*s", SLICE_ARGS(l->subscriber.n ? l->subscriber : S("unknown")));
                table_add(t, "%.*s:%.*s", SLICE_ARGS(l->line.kind), SLICE_ARGS(l->line.value));
                table_add(t, "%.*s", SLICE_ARGS(l->source));
                table_add(t, "%s", time_print(l->start, start));
                table_add(t, "%s", time_print(l->end, end));
                table_add(t, "%.*s", SLICE_ARGS(l->why_ended));
        }
        table_print(t, out);
}

static void print_json(const struct lease *leases, size_t n, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "leases");
        for (size_t i = 0; i < n; i++)
                lease_json(&j, NULL, &leases[i]);
        json_array_end(&j);
        json_report_end(&j);
}

/* All that ever covered an address: by the instants at which something may have changed this is the list of everybody, filtered. */
static int read_history(struct ledger *l, struct arena *a, const struct prefix *address, struct lease **ret, size_t *n)
{
        int failed = ledger_holders_between(l, a, &address->addr, 0, S(""), 0, TIME_NEVER, ret, n);
        size_t kept = 0;
        for (size_t i = 0; failed == 0 && i < *n; i++)
                if (prefix_covers(&(*ret)[i].prefix, address))
                        (*ret)[kept++] = (*ret)[i];
        *n = failed == 0 ? kept : 0;
        return failed;
}

static int read_leases(struct ledger *l, struct arena *a, const char *word, int64_t when, struct lease **ret, size_t *n)
{
        struct prefix p;
        bool address = word && cli_is_address(word, &p);
        if (address && all)
                return read_history(l, a, &p, ret, n);
        if (address)
                return ledger_holders(l, a, &p.addr, when, ret, n);
        if (!all && word)
                return ledger_leases_of(l, a, slice_of(word), when, ret, n);
        int failed = ledger_lease_list(l, a, slice_of(word), all ? 0 : when, SIZE_MAX, ret, n);
        size_t kept = 0;
        for (size_t i = 0; failed == 0 && i < *n; i++)
                if (all || (*ret)[i].start <= when)
                        (*ret)[kept++] = (*ret)[i];
        *n = failed == 0 ? kept : 0;
        return failed;
}

/* What is in force is an operator's daily bread; who had what in the past is told only where it is recorded that it was. */
static int record_list(const struct cli *cli, struct slice why, int64_t when, size_t n)
{
        char time[TIME_TEXT_MAX];
        autobuf question, answer;
        int status;
        buf_init(&question, LEDGER_TEXT_MOST);
        buf_init(&answer, 64);
        buf_addf(&question, "leases%s%s", all ? ", also those that ended" : " at ", all ? "" : time_print(when, time));
        buf_addf(&answer, "%zu leases", n);
        struct lookup u = { .what = S("lease list"),
                            .key = slice_of(cli->n_words ? cli->words[0] : "all"),
                            .question = buf_slice(&question),
                            .answer = buf_slice(&answer) };
        autoclient *c = cli_client(cli, &status);
        return c ? lookup_record(c, why, &u, 1) : status;
}

static int run_list(int argc, char **argv)
{
        struct cli cli;
        struct slice why = { NULL, 0 };
        struct lease *leases = NULL;
        size_t n = 0;
        bool none;
        int status;
        int64_t when = time_now();
        if (!cli_parse(&cli, &list_shape, argc, argv, &status))
                return status;
        cli_zone(&cli);
        if (at && !cli_time("--at", at, TIME_FIRST_INSTANT, &when))
                return EXIT_USAGE;
        bool past = all || (at && when < time_now() - MINUTE);
        autoarena *a = arena_new(ARENA);
        status = past ? lookup_reason(reason, a, &why) : EXIT_DONE;
        if (status)
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? read_leases(l, a, cli.n_words ? cli.words[0] : NULL, when, &leases, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        if (past && l && (status = record_list(&cli, why, when, n)))
                return status;
        if (cli.json)
                print_json(leases, n, &out);
        else
                print_table(leases, n, &out);
        return cli_print(&out);
}

int cmd_lease(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_add },
                { "end", &end_shape, run_end },
                { "list", &list_shape, run_list },
                { "import", &import_shape, lease_import },
                { "whose", &whose_shape, lease_whose },
                { "history", &history_shape, lease_history },
                { "unknown", &unknown_shape, lease_unknown },
                { "follow", &follow_shape, lease_follow },
        };
        return cli_dispatch("lease", verbs, COUNT_OF(verbs), argc, argv);
}
