/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/load.h"

static const struct cli_shape shape = { .usage = "check [-c FILE]" };

static void print_sum(const struct cli *cli, const struct policy *p, struct buf *out)
{
        const struct {
                size_t n;
                const char *one, *many;
        } parts[] = {
                { p->n_pools, "pool", "pools" },
                { p->n_prefixes, "prefix", "prefixes" },
                { p->n_classes, "class", "classes" },
                { p->n_waves, "wave", "waves" },
                { p->n_exemptions, "exemption", "exemptions" },
        };
        buf_addf(out, "%s: right: ", cli->conf);
        for (size_t i = 0; i < COUNT_OF(parts); i++)
                buf_addf(out, "%s%zu %s", i ? ", " : "", parts[i].n, parts[i].n == 1 ? parts[i].one : parts[i].many);
        buf_addc(out, '\n');
}

static void print_json(const struct cli_loaded *l, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_bool(&j, "right", l->policy != NULL);
        json_int(&j, "errors", (int64_t)diags_errors(l->diags));
        json_int(&j, "warnings", (int64_t)diags_warnings(l->diags));
        diags_json(l->diags, &j);
        json_report_end(&j);
}

int cmd_check(int argc, char **argv)
{
        struct cli cli;
        struct cli_loaded l;
        autobuf out = { 0 };
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        buf_init(&out, 16 << 20);
        cli_load(&cli, time_now(), &l);
        if (cli.json)
                print_json(&l, &out);
        else
                cli_load_complain(&l);
        if (!cli.json && l.policy)
                print_sum(&cli, l.policy, &out);
        bool right = l.policy;
        cli_load_done(&l);
        status = cli_print(&out);
        return status ? status : right ? EXIT_DONE : EXIT_NO;
}
