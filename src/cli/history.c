/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lease history: all addresses one subscriber held, and how they looked from outside. lease unknown: the lines nobody has. */
#include "cli/lease.h"
#include "cli/lookup.h"
#include "ledger/json.h"
#include "ledger/line.h"

#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20, LINE_MOST = 1024 };

static const char *since, *until, *reason;
static const struct cli_option history_options[] = {
        { .name = "since", .argument = "TIME", .help = "from then on, or for so long: 7d", .value = &since },
        { .name = "until", .argument = "TIME", .help = "only what began before", .value = &until },
        { .name = "reason", .argument = "TEXT", .help = "why you ask: it is recorded", .value = &reason },
};
const struct cli_shape history_shape = { "lease history SUBSCRIBER [--since TIME] [--until TIME] [--reason TEXT]",
                                         history_options, COUNT_OF(history_options), 1, 1 };
const struct cli_shape unknown_shape = { "lease unknown", NULL, 0, 0, 0 };

/* --- history --- */

struct held {
        struct lease lease; /* while he had the line */
        struct resolve_step *seen;
        size_t n_seen, cap_seen;
};

struct history {
        const struct cli *cli;
        struct ledger *ledger;
        struct arena *arena;
        struct lookup_policies policies;
        struct line_holder who;
        size_t bearers; /* who ever had the id */
        int64_t from, to;
        struct held *all;
        size_t n, cap;
};

static int find_who(struct history *h, struct slice id)
{
        struct line_holder *all;
        size_t n;
        int failed = ledger_bearers(h->ledger, h->arena, id, &all, &n);
        if (failed)
                return cli_ledger_failed(h->ledger, failed);
        if (n == 0)
                return cli_fail(EXIT_NO, "lease history: %.*s: no subscriber has or had this id", SLICE_ARGS(id));
        h->who = all[n - 1];
        h->bearers = n;
        return EXIT_DONE;
}

/* Where an inside address came out, version after version, while it was held. */
static void add_seen(struct history *h, struct held *held)
{
        const struct cgnat_version *v;
        const struct lease *l = &held->lease;
        size_t at = 0;
        if (h->policies.n == 0 || l->prefix.len != 128)
                return;
        const struct resolve_policy *p = &h->policies.loaded[0];
        while ((v = cgnat_next(p->cgnat, CGNAT_INSIDE, &l->prefix.addr, l->start, l->end - 1, &at))) {
                const struct policy_cgnat *b = cgnat_block(v);
                struct resolve_step step = {
                        .computed = true, .realm = b->name, .generation = p->generation, .version = b->from
                };
                if ((l->realm.n && !slice_eq(l->realm, b->name)) || !cgnat_outward(v, &l->prefix.addr, &step.share))
                        continue;
                held->seen = arena_grow(h->arena, held->seen, &held->cap_seen, held->n_seen + 1, sizeof step);
                if (held->seen)
                        held->seen[held->n_seen++] = step;
        }
}

/* The part of a lease in which the line was this subscriber's, and not another's who had the same id. */
static int add_held(struct history *h, const struct lease *l)
{
        struct line_holder *all;
        size_t n;
        int failed = ledger_line_holders(h->ledger, h->arena, &l->line, l->start, l->end, &all, &n);
        for (size_t i = 0; failed == 0 && i < n; i++) {
                if (all[i].number != h->who.number)
                        continue;
                struct held held = { .lease = *l };
                held.lease.start = l->start > all[i].start ? l->start : all[i].start;
                held.lease.end = l->end < all[i].end ? l->end : all[i].end;
                if (held.lease.end <= h->from || held.lease.start >= h->to)
                        continue;
                add_seen(h, &held);
                h->all = arena_grow(h->arena, h->all, &h->cap, h->n + 1, sizeof held);
                if (h->all)
                        h->all[h->n++] = held;
        }
        return failed;
}

static bool same_lease(const struct lease *x, const struct lease *y)
{
        return x->start == y->start && x->end == y->end && prefix_cmp(&x->prefix, &y->prefix) == 0 &&
               x->port_low == y->port_low && slice_eq(x->proto, y->proto) && line_eq(&x->line, &y->line) &&
               slice_eq(x->session, y->session) && slice_eq(x->nas, y->nas) && slice_eq(x->source, y->source);
}

static int by_start(const void *a, const void *b)
{
        const struct held *x = a, *y = b;
        if (x->lease.start != y->lease.start)
                return x->lease.start < y->lease.start ? -1 : 1;
        return prefix_cmp(&x->lease.prefix, &y->lease.prefix);
}

static int read_history(struct history *h)
{
        struct lease *all;
        size_t n;
        int failed = ledger_lease_list(h->ledger, h->arena, h->who.id, h->from, SIZE_MAX, &all, &n);
        for (size_t i = 0; failed == 0 && i < n; i++)
                if (all[i].start < h->to && (i == 0 || !same_lease(&all[i - 1], &all[i])))
                        failed = add_held(h, &all[i]);
        if (failed)
                return cli_ledger_failed(h->ledger, failed);
        if (arena_full(h->arena))
                return cli_fail(EXIT_SYSTEM, "lease history: the answer is larger than the memory given to it");
        if (h->n)
                qsort(h->all, h->n, sizeof *h->all, by_start);
        return EXIT_DONE;
}

static int record_history(const struct history *h, struct slice why)
{
        char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
        autobuf question, answer;
        struct slice id = h->who.id;
        int status;
        buf_init(&question, LEDGER_TEXT_MOST);
        buf_init(&answer, 64);
        buf_addf(&question, "all leases since %s until %s", time_print(h->from, from), time_print(h->to, to));
        buf_addf(&answer, "%zu leases", h->n);
        struct lookup u = { .what = S("lease history"),
                            .key = id,
                            .question = buf_slice(&question),
                            .answer = buf_slice(&answer),
                            .subscribers = &id,
                            .n_subscribers = 1 };
        autoclient *c = cli_client(h->cli, &status);
        return c ? lookup_record(c, why, &u, 1) : status;
}

static void print_history(const struct history *h, struct buf *out)
{
        static const char *const titles[] = { "from", "until",  "address",       "ports",   "seen outside as",
                                              "line", "source", "ended because", "evidence" };
        char text[PREFIX_TEXT_MAX], time[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < h->n; i++) {
                const struct lease *l = &h->all[i].lease;
                autobuf seen;
                buf_init(&seen, 1 << 20);
                for (size_t k = 0; k < h->all[i].n_seen; k++) {
                        const struct cgnat_share *s = &h->all[i].seen[k].share;
                        buf_addf(&seen, "%s%s %u-%u", k ? ", then " : "", addr_print(&s->outside, text), s->port_low,
                                 s->port_high);
                }
                table_add(t, "%s", time_print(l->start, time));
                table_add(t, "%s", time_print(l->end, time));
                table_add(t, "%s", prefix_print(&l->prefix, text));
                if (l->port_high)
                        table_add(t, "%u-%u%s%.*s", l->port_low, l->port_high, l->proto.n ? " " : "",
                                  SLICE_ARGS(l->proto));
                else
                        table_add(t, "all");
                table_add(t, "%s", buf_cstr(&seen));
                table_add(t, "%.*s:%.*s", SLICE_ARGS(l->line.kind), SLICE_ARGS(l->line.value));
                table_add(t, "%.*s", SLICE_ARGS(l->source));
                table_add(t, "%.*s", SLICE_ARGS(l->why_ended));
                table_add(t, "%.*s", SLICE_ARGS(l->evidence));
        }
        table_print(t, out);
        if (h->bearers > 1)
                buf_addf(out, "%zu other subscribers had this id before; their leases are not shown\n", h->bearers - 1);
}

static void json_seen(struct json *j, const struct resolve_step *s)
{
        char text[ADDR_TEXT_MAX];
        json_object(j, NULL);
        json_cstr(j, "outside", addr_print(&s->share.outside, text));
        json_int(j, "port_low", s->share.port_low);
        json_int(j, "port_high", s->share.port_high);
        json_string(j, "cgnat", s->realm);
        json_int(j, "generation", s->generation);
        json_time(j, "version", s->version);
        json_object_end(j);
}

static void json_history(const struct history *h, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_string(&j, "subscriber", h->who.id);
        json_time(&j, "left", h->who.removed);
        json_int(&j, "earlier", (int64_t)h->bearers - 1);
        json_array(&j, "history");
        for (size_t i = 0; i < h->n; i++) {
                struct lease l = h->all[i].lease;
                l.subscriber = h->who.id;
                json_object(&j, NULL);
                lease_json(&j, "lease", &l);
                json_array(&j, "seen");
                for (size_t k = 0; k < h->all[i].n_seen; k++)
                        json_seen(&j, &h->all[i].seen[k]);
                json_array_end(&j);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

static int answer_history(struct history *h, struct slice why)
{
        autobuf out;
        buf_init(&out, OUT);
        int status = lookup_policies_init(&h->policies, h->cli, h->ledger);
        if (status)
                return status;
        if ((since && !cli_since("--since", since, &h->from)) ||
            (until && !cli_time("--until", until, TIME_LAST_INSTANT, &h->to)))
                return EXIT_USAGE;
        status = find_who(h, slice_of(h->cli->words[0]));
        if (status == EXIT_DONE)
                status = read_history(h);
        if (status == EXIT_DONE)
                status = record_history(h, why);
        if (status)
                return status;
        if (h->cli->json)
                json_history(h, &out);
        else
                print_history(h, &out);
        return cli_print(&out);
}

int lease_history(int argc, char **argv)
{
        struct cli cli;
        struct slice why;
        int status;
        if (!cli_parse(&cli, &history_shape, argc, argv, &status))
                return status;
        autoarena *a = arena_new(ARENA);
        status = lookup_reason(reason, a, &why);
        if (status)
                return status;
        autoledger *l = cli_ledger(&cli, NULL, &status);
        if (!l)
                return status;
        struct history h = { .cli = &cli, .ledger = l, .arena = a, .to = TIME_NEVER };
        status = answer_history(&h, why);
        lookup_policies_done(&h.policies);
        return status;
}

/* --- unknown --- */

static void print_unknown(const struct unknown_line *all, size_t n, struct buf *out)
{
        static const char *const titles[] = { "line", "leases", "first seen", "last seen", "address" };
        char text[PREFIX_TEXT_MAX], time[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%.*s:%.*s", SLICE_ARGS(all[i].line.kind), SLICE_ARGS(all[i].line.value));
                table_add(t, "%lld", (long long)all[i].leases);
                table_add(t, "%s", time_print(all[i].first, time));
                table_add(t, "%s", all[i].last == TIME_NEVER ? "now" : time_print(all[i].last, time));
                table_add(t, "%s", prefix_print(&all[i].prefix, text));
        }
        table_print(t, out);
}

static void json_unknown(const struct unknown_line *all, size_t n, struct buf *out)
{
        struct json j;
        char text[PREFIX_TEXT_MAX];
        json_report(&j, out);
        json_array(&j, "lines");
        for (size_t i = 0; i < n; i++) {
                autobuf line;
                buf_init(&line, LINE_MOST);
                line_print(&all[i].line, &line);
                json_object(&j, NULL);
                json_string(&j, "line", buf_slice(&line));
                json_int(&j, "leases", all[i].leases);
                json_time(&j, "first", all[i].first);
                json_time(&j, "last", all[i].last);
                json_cstr(&j, "address", prefix_print(&all[i].prefix, text));
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

int lease_unknown(int argc, char **argv)
{
        struct cli cli;
        struct unknown_line *all = NULL;
        size_t n = 0;
        bool none;
        int status;
        if (!cli_parse(&cli, &unknown_shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        cli_zone(&cli);
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? ledger_unknown_lines(l, a, &all, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        if (cli.json)
                json_unknown(all, n, &out);
        else
                print_unknown(all, n, &out);
        return cli_print(&out);
}
