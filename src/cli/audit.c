/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"

#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20, SHOWN = 100 };

static const char *key, *most, *full;
static const struct cli_option options[] = {
        { .name = "key",
          .argument = "KEY",
          .help = "of this subscriber, prefix or \"generation 3\" only",
          .value = &key },
        { .name = "most", .argument = "N", .help = "the newest N (default: 100)", .value = &most },
        { .name = "full", .help = "with what was before and after", .value = &full },
};
static const struct cli_shape shape = { "audit [--key KEY] [--most N] [--full]", options, COUNT_OF(options), 0, 0 };

static void print_table(const struct audit_row *rows, size_t n, struct buf *out)
{
        static const char *const titles[] = { "number", "time", "author", "decision", "key", "why" };
        char at[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%lld", (long long)rows[i].n);
                table_add(t, "%s", time_print(rows[i].at, at));
                table_add(t, "%.*s", SLICE_ARGS(rows[i].author));
                table_add(t, "%.*s", SLICE_ARGS(rows[i].verb));
                table_add(t, "%.*s", SLICE_ARGS(rows[i].key));
                table_add(t, "%.*s", SLICE_ARGS(rows[i].why));
        }
        table_print(t, out);
}

/* JSON escapes control characters itself, so it may stand as it is; only what turns text around must not. */
static void print_state(const char *what, struct slice json, struct buf *out)
{
        if (json.n == 0)
                return;
        buf_addf(out, "    %-7s", what);
        for (size_t i = 0; i < json.n;) {
                struct slice rest = slice_from(json, i);
                size_t n = (unsigned char)rest.p[0] < 0x80 ? 1 : slice_utf8(rest);
                if (n)
                        buf_add(out, (struct slice){ rest.p, n });
                else
                        buf_addf(out, "\\x%02x", (unsigned char)rest.p[0]);
                i += n ? n : 1;
        }
        buf_addc(out, '\n');
}

static void print_full(const struct audit_row *rows, size_t n, struct buf *out)
{
        char at[TIME_TEXT_MAX];
        for (size_t i = 0; i < n; i++) {
                buf_addf(out, "%lld  %s  ", (long long)rows[i].n, time_print(rows[i].at, at));
                buf_add_escaped(out, rows[i].author);
                buf_addf(out, "  %.*s  ", SLICE_ARGS(rows[i].verb));
                buf_add_escaped(out, rows[i].key);
                buf_adds(out, rows[i].why.n ? ": " : "");
                buf_add_escaped(out, rows[i].why);
                buf_addc(out, '\n');
                print_state("before", rows[i].before, out);
                print_state("after", rows[i].after, out);
        }
}

static void print_json(const struct audit_row *rows, size_t n, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "audit");
        for (size_t i = 0; i < n; i++) {
                json_object(&j, NULL);
                json_int(&j, "number", rows[i].n);
                json_time(&j, "at", rows[i].at);
                json_string(&j, "author", rows[i].author);
                json_string(&j, "decision", rows[i].verb);
                json_string(&j, "key", rows[i].key);
                json_string(&j, "why", rows[i].why);
                json_raw(&j, "before", rows[i].before);
                json_raw(&j, "after", rows[i].after);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

int cmd_audit(int argc, char **argv)
{
        struct cli cli;
        struct audit_row *rows = NULL;
        size_t n = 0;
        uint64_t shown = SHOWN;
        bool none;
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        if (most && (!slice_u64(slice_of(most), INT64_MAX, &shown) || shown == 0))
                return cli_fail(EXIT_USAGE, "--most: %s: a number from 1", most);
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? ledger_audit(l, a, slice_of(key), shown, &rows, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        cli_zone(&cli);
        if (cli.json)
                print_json(rows, n, &out);
        else if (full)
                print_full(rows, n, &out);
        else
                print_table(rows, n, &out);
        return cli_print(&out);
}
