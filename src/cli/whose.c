/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lease whose: one question from the command line, or many from a file. Each is recorded before its answer is printed. */
#include "cli/whose.h"
#include "base/csv.h"
#include "base/file.h"
#include "cli/lease.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20, FILE_MOST = 64 << 20, BATCH = 256 };

/* More than this is no question of clocks. */
#define TOLERANCE_MOST DAY

static const char *at, *proto, *tolerance, *realm, *reason, *from;
static const struct cli_option options[] = {
        { .name = "at", .argument = "TIME", .help = "when: a time that has been, best with its zone", .value = &at },
        { .name = "proto", .argument = "tcp|udp", .help = "the port's protocol", .value = &proto },
        { .name = "tolerance",
          .argument = "DURATION",
          .help = "how wrong clocks may be (default: the policy's feeds, else 2s)",
          .value = &tolerance },
        { .name = "realm", .argument = "NAME", .help = "behind which translation the address is", .value = &realm },
        { .name = "reason", .argument = "TEXT", .help = "why you ask: it is recorded", .value = &reason },
        { .name = "from",
          .argument = "FILE.csv",
          .help = "many: columns address, time and, where known, port, proto; - is standard input",
          .value = &from },
};
const struct cli_shape whose_shape = {
        "lease whose ADDRESS [PORT] --at TIME [--proto tcp|udp] [--tolerance DURATION] [--realm NAME] [--reason TEXT]\n"
        "       porteiro lease whose --from FILE.csv [--tolerance DURATION] [--realm NAME] --reason TEXT",
        options, COUNT_OF(options), 0, 2
};

struct asking {
        const struct cli *cli;
        struct ledger *ledger;
        struct client *client;
        struct lookup_policies policies;
        struct slice reason;
        int64_t now, tolerance;
        bool inexact; /* some answer was not exact */
};

/* --- a question --- */

struct texts {
        struct slice address, port, proto, time;
};

static bool refuse(struct whose *w, struct slice text, const char *why)
{
        w->text = text;
        w->wrong = why;
        return false;
}

static bool read_address(struct whose *w, struct slice text)
{
        struct prefix p;
        if (addr_parse(text, &w->q.address))
                return true;
        bool prefix = prefix_parse(text, &p) != PREFIX_NOT_AN_ADDRESS;
        return refuse(w, text, prefix ? "an address is asked for, not a prefix" : "no IPv4 or IPv6 address");
}

static bool read_port(struct whose *w, struct slice text)
{
        uint64_t n = 0;
        if (text.n && (!slice_u64(text, 65535, &n) || n == 0))
                return refuse(w, text, "a port is a number from 1 to 65535");
        w->q.port = (uint16_t)n;
        return true;
}

static bool read_proto(struct whose *w, struct slice text)
{
        if (text.n == 0)
                return true;
        w->q.proto = slice_ieq(text, S("tcp")) ? S("tcp") : slice_ieq(text, S("udp")) ? S("udp") : S("");
        if (w->q.proto.n == 0)
                return refuse(w, text, "the protocol is tcp or udp");
        return w->q.port ? true : refuse(w, text, "a protocol goes with a port");
}

static bool read_question(const struct asking *a, const struct texts *t, struct whose *w)
{
        w->q.tolerance = a->tolerance;
        w->q.realm = slice_of(realm);
        w->q.has_realm = realm != NULL;
        if (!read_address(w, slice_trim(t->address)) || !read_port(w, slice_trim(t->port)) ||
            !read_proto(w, slice_trim(t->proto)))
                return false;
        const char *wrong = lookup_instant(t->time, a->now, &w->q.at, &w->zoned);
        return wrong ? refuse(w, slice_trim(t->time), wrong) : true;
}

static int answer(struct asking *a, struct arena *arena, struct whose *w)
{
        int status = lookup_policies_at(&a->policies, &w->q);
        if (status)
                return status;
        int failed = resolve(a->ledger, arena, &w->q, &w->r);
        w->q.policies = NULL; /* the next question has others */
        a->inexact = a->inexact || w->r.verdict != RESOLVE_EXACT;
        return failed ? cli_ledger_failed(a->ledger, failed) : EXIT_DONE;
}

static int record(struct asking *a, struct arena *arena, const struct whose *all, size_t n)
{
        struct lookup *lookups = arena_alloc(arena, (n + 1) * sizeof *lookups);
        size_t asked = 0;
        for (size_t i = 0; lookups && i < n; i++)
                if (!all[i].wrong)
                        lookups[asked++] = whose_record(&all[i], arena);
        if (arena_full(arena))
                return cli_fail(EXIT_SYSTEM, "lease whose: the answer is larger than the memory given to it");
        return asked ? lookup_record(a->client, a->reason, lookups, asked) : EXIT_DONE;
}

/* --- one --- */

static int run_one(struct asking *a, struct buf *out)
{
        struct whose w = { .row = 0 };
        struct texts t = { .address = slice_of(a->cli->words[0]),
                           .port = slice_of(a->cli->n_words > 1 ? a->cli->words[1] : NULL),
                           .proto = slice_of(proto),
                           .time = slice_of(at) };
        autoarena *arena = arena_new(ARENA);
        if (a->cli->n_words > 1 && t.port.n == 0)
                return cli_fail(EXIT_USAGE, "lease whose: a port is a number from 1 to 65535");
        if (!read_question(a, &t, &w))
                return cli_fail(EXIT_USAGE, "lease whose: %.*s: %s", SLICE_ARGS(w.text), w.wrong);
        int status = answer(a, arena, &w);
        if (status == EXIT_DONE)
                status = record(a, arena, &w, 1);
        if (status)
                return status;
        if (!a->cli->json) {
                whose_print(&w, &a->policies, out);
                return cli_print(out);
        }
        struct json j;
        json_report(&j, out);
        json_array(&j, "answers");
        whose_json(&j, &w);
        json_array_end(&j);
        json_report_end(&j);
        return cli_print(out);
}

/* --- many --- */

enum column { ADDRESS, PORT, PROTO, TIME, COLUMN_COUNT };
static const char *const columns[] = { "address", "port", "proto", "time" };

struct sheet {
        struct csv csv;
        size_t place[COLUMN_COUNT]; /* CSV_CELLS_MOST where there is no such column */
};

static int read_head(struct sheet *s)
{
        for (size_t i = 0; i < COLUMN_COUNT; i++)
                s->place[i] = CSV_CELLS_MOST;
        if (csv_next(&s->csv) != CSV_ROW)
                return cli_fail(EXIT_NO, "%s: the first row must name the columns: address, time, port, proto", from);
        for (size_t i = 0; i < s->csv.n_cells; i++)
                for (size_t k = 0; k < COLUMN_COUNT; k++)
                        if (slice_ieq(slice_trim(s->csv.cells[i]), slice_of(columns[k])))
                                s->place[k] = i;
        if (s->place[ADDRESS] == CSV_CELLS_MOST || s->place[TIME] == CSV_CELLS_MOST)
                return cli_fail(EXIT_NO, "%s: the first row must name the columns address and time", from);
        return EXIT_DONE;
}

static struct slice cell(const struct sheet *s, enum column c)
{
        return s->place[c] < s->csv.n_cells ? s->csv.cells[s->place[c]] : S("");
}

/* Up to BATCH questions with their answers, not yet recorded; *n 0: the file is at its end. */
static int read_batch(struct asking *a, struct sheet *s, struct arena *arena, struct whose *all, size_t *n)
{
        int status = EXIT_DONE;
        enum csv_found found;
        for (*n = 0; status == EXIT_DONE && *n < BATCH && (found = csv_next(&s->csv)) != CSV_END; (*n)++) {
                struct whose *w = &all[*n];
                *w = (struct whose){ .row = s->csv.row_line };
                struct texts t = { cell(s, ADDRESS), cell(s, PORT), cell(s, PROTO), cell(s, TIME) };
                if (found == CSV_BAD)
                        refuse(w, S(""), s->csv.wrong);
                else if (read_question(a, &t, w))
                        status = answer(a, arena, w);
                w->text = arena_dup(arena, w->text);
                a->inexact = a->inexact || w->wrong;
        }
        return status;
}

static int print_batch(const struct asking *a, const struct whose *all, size_t n, struct json *j, struct buf *out)
{
        for (size_t i = 0; i < n; i++)
                if (a->cli->json)
                        whose_json(j, &all[i]);
                else
                        whose_csv(&all[i], out);
        if (a->cli->json)
                return EXIT_DONE;
        int status = cli_print(out);
        buf_clear(out);
        return status;
}

static int run_many(struct asking *a, struct buf *out)
{
        static struct sheet sheet;
        static struct whose all[BATCH];
        struct json j;
        size_t n = 0;
        autobuf text;
        buf_init(&text, FILE_MOST);
        int failed = file_read(from, &text);
        if (failed < 0)
                return cli_fail(EXIT_NO, "%s: %s", from, strerror(-failed));
        csv_init(&sheet.csv, buf_slice(&text));
        int status = read_head(&sheet);
        if (status)
                return status;
        if (a->cli->json) {
                json_report(&j, out);
                json_array(&j, "answers");
        } else
                whose_csv_head(out);
        autoarena *arena = arena_new(ARENA);
        do {
                arena_clear(arena);
                status = read_batch(a, &sheet, arena, all, &n);
                if (status == EXIT_DONE)
                        status = record(a, arena, all, n);
                if (status == EXIT_DONE)
                        status = print_batch(a, all, n, &j, out);
        } while (status == EXIT_DONE && n == BATCH);
        if (status || !a->cli->json)
                return status;
        json_array_end(&j);
        json_report_end(&j);
        return cli_print(out);
}

/* --- */

static int check_words(const struct cli *cli)
{
        if (from && (cli->n_words || at || proto))
                return cli_fail(EXIT_USAGE, "lease whose: --from: what is asked stands in the file");
        if (!from && cli->n_words == 0)
                return cli_fail(EXIT_USAGE, "lease whose: an address is missing, or --from FILE.csv");
        if (!from && !at)
                return cli_fail(EXIT_USAGE,
                                "lease whose: --at TIME is missing: an address has one holder after another");
        return EXIT_DONE;
}

static int take_tolerance(struct asking *a)
{
        a->tolerance = lookup_tolerance(&a->policies);
        if (!tolerance)
                return EXIT_DONE;
        if (slice_eq(slice_of(tolerance), S("0")) || slice_eq(slice_of(tolerance), S("0s"))) {
                a->tolerance = 0;
                return EXIT_DONE;
        }
        if (!duration_parse(slice_of(tolerance), &a->tolerance) || a->tolerance > TOLERANCE_MOST)
                return cli_fail(EXIT_USAGE, "--tolerance: %s: a duration such as 2s, from 0 to 24h", tolerance);
        return EXIT_DONE;
}

static int run_all(struct asking *a)
{
        autobuf out;
        buf_init(&out, OUT);
        int status = lookup_policies_init(&a->policies, a->cli, a->ledger);
        if (status == EXIT_DONE)
                status = take_tolerance(a);
        autoclient *c = status ? NULL : cli_client(a->cli, &status);
        a->client = c;
        if (status == EXIT_DONE)
                status = from ? run_many(a, &out) : run_one(a, &out);
        lookup_policies_done(&a->policies);
        return status ? status : a->inexact ? EXIT_NO : EXIT_DONE;
}

int lease_whose(int argc, char **argv)
{
        struct cli cli;
        struct asking a = { .cli = &cli, .now = time_now() };
        int status;
        if (!cli_parse(&cli, &whose_shape, argc, argv, &status))
                return status;
        status = check_words(&cli);
        autoarena *arena = arena_new(1 << 20);
        if (status == EXIT_DONE)
                status = lookup_reason(reason, arena, &a.reason);
        if (status)
                return status;
        autoledger *l = cli_ledger(&cli, NULL, &status);
        a.ledger = l;
        return l ? run_all(&a) : status;
}
