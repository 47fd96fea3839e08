/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"
#include "gate/netlink.h"

#include <errno.h>

static const struct cli_shape shape = { .usage = "counters" };

/* A pair of counters in the kernel: packets_GROUP_STRATEGY and attempts_GROUP_STRATEGY. */
struct row {
        char *group, *strategy;
        uint64_t packets, bytes, attempts;
};

struct rows {
        struct row *v;
        size_t n, cap;
};

static struct row *row_of(struct rows *rows, struct slice group, struct slice strategy)
{
        for (size_t i = 0; i < rows->n; i++)
                if (slice_eq(slice_of(rows->v[i].group), group) && slice_eq(slice_of(rows->v[i].strategy), strategy))
                        return &rows->v[i];
        rows->v = xgrow(rows->v, &rows->cap, rows->n + 1, sizeof *rows->v);
        rows->v[rows->n] = (struct row){ .group = slice_dup(group), .strategy = slice_dup(strategy) };
        return &rows->v[rows->n++];
}

static void on_counter(void *arg, const struct counter_value *c)
{
        struct slice rest, what = slice_cut(c->name, '_', &rest);
        size_t at = rest.n;
        while (at > 0 && rest.p[at - 1] != '_')
                at--;
        if (!rest.p || at == 0)
                return;
        struct row *r = row_of(arg, (struct slice){ rest.p, at - 1 }, slice_from(rest, at));
        if (slice_eq(what, S("attempts"))) {
                r->attempts = c->packets;
        } else {
                r->packets = c->packets;
                r->bytes = c->bytes;
        }
}

static int by_name(const void *a, const void *b)
{
        const struct row *r = a, *s = b;
        int order = strcmp(r->group, s->group);
        return order ? order : strcmp(r->strategy, s->strategy);
}

static void print_table(const struct rows *rows, struct buf *out)
{
        static const char *const titles[] = { "who", "strategy", "attempts", "packets", "bytes" };
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < rows->n; i++) {
                const struct row *r = &rows->v[i];
                struct slice group = slice_of(r->group);
                bool class = slice_starts(group, S("class-"));
                table_add(t, "%s%s", class ? "class " : "", class ? r->group + 6 : r->group);
                table_add(t, "%s", r->strategy);
                table_add(t, "%llu", (unsigned long long)r->attempts);
                table_add(t, "%llu", (unsigned long long)r->packets);
                table_add(t, "%llu", (unsigned long long)r->bytes);
        }
        table_print(t, out);
}

static void print_json(const struct rows *rows, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "counters");
        for (size_t i = 0; i < rows->n; i++) {
                const struct row *r = &rows->v[i];
                json_object(&j, NULL);
                json_cstr(&j, "who", r->group);
                json_cstr(&j, "strategy", r->strategy);
                json_int(&j, "attempts", (int64_t)r->attempts);
                json_int(&j, "packets", (int64_t)r->packets);
                json_int(&j, "bytes", (int64_t)r->bytes);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

int cmd_counters(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct rows rows = { 0 };
        autonetlink *netlink = NULL;
        autobuf out;
        buf_init(&out, 4 << 20);
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        int failed = netlink_open(&netlink);
        if (!failed)
                failed = netlink_counters(netlink, on_counter, &rows);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "counters: %s%s", strerror(-failed),
                                failed == -EPERM ? " (this needs root, or CAP_NET_ADMIN)" : "");
        if (rows.n == 0)
                return cli_fail(EXIT_NO, "counters: no gate stands in this kernel");
        qsort(rows.v, rows.n, sizeof *rows.v, by_name);
        if (cli.json)
                print_json(&rows, &out);
        else
                print_table(&rows, &out);
        for (size_t i = 0; i < rows.n; i++) {
                free(rows.v[i].group);
                free(rows.v[i].strategy);
        }
        free(rows.v);
        return cli_print(&out);
}
