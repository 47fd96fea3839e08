/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"

#include <stdio.h>

enum { ARENA = 256 << 20, OUT = 64 << 20, HASH_SHOWN = 12 };

static const struct cli_shape shape = { .usage = "generations" };

static void print_table(const struct generation *all, size_t n, struct buf *out)
{
        static const char *const titles[] = {
                "", "number", "applied", "state", "trial until", "hash", "author", "why"
        };
        char at[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct generation *g = &all[i];
                table_add(t, "%s", g->in_force ? "*" : "");
                table_add(t, "%lld", (long long)g->n);
                table_add(t, "%s", time_print(g->at, at));
                table_add(t, "%s", generation_state_name(g->state));
                table_add(t, "%s", g->trial_until == TIME_NEVER ? "" : time_print(g->trial_until, at));
                table_add(t, "%.*s", (int)(g->hash.n < HASH_SHOWN ? g->hash.n : HASH_SHOWN), g->hash.p);
                table_add(t, "%.*s", SLICE_ARGS(g->author));
                table_add(t, "%.*s", SLICE_ARGS(g->why));
        }
        table_print(t, out);
        if (n)
                buf_adds(out, "* in force\n");
}

static void print_json(const struct generation *all, size_t n, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "generations");
        for (size_t i = 0; i < n; i++) {
                json_object(&j, NULL);
                json_int(&j, "number", all[i].n);
                json_bool(&j, "in_force", all[i].in_force);
                json_time(&j, "applied", all[i].at);
                json_cstr(&j, "state", generation_state_name(all[i].state));
                json_time(&j, "trial_until", all[i].trial_until);
                json_string(&j, "hash", all[i].hash);
                json_string(&j, "author", all[i].author);
                json_string(&j, "why", all[i].why);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

/* As it is enforced: a trial that lapsed with no process alive is shown as what the next one to write will make of it. */
static void settle(struct ledger *l, struct arena *a, struct generation *all, size_t n)
{
        struct generation now = { .n = 0 };
        size_t lapsed = n;
        for (size_t i = 0; i < n; i++)
                if (all[i].in_force && cli_trial_lapsed(&all[i]))
                        lapsed = i;
        if (lapsed == n)
                return;
        all[lapsed].state = GENERATION_ROLLED_BACK;
        all[lapsed].in_force = false;
        if (ledger_generation_before(l, a, &now) != 0)
                return;
        for (size_t i = 0; i < n; i++)
                all[i].in_force = all[i].n == now.n;
}

int cmd_generations(int argc, char **argv)
{
        struct cli cli;
        struct generation *all = NULL;
        size_t n = 0;
        bool none;
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? ledger_generations(l, a, &all, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        settle(l, a, all, n);
        cli_zone(&cli);
        if (cli.json)
                print_json(all, n, &out);
        else
                print_table(all, n, &out);
        return cli_print(&out);
}
