/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge: a box that has Porteiro's SMTP listeners and no gate: the policy file is what counts, and four duties run until SIGTERM or SIGINT.
 *
 * The policy becomes a generation as in `apply`, but no rule of the kernel is made of it. Where a gate has the state folder, this is not
 * the command. */
#include "cli/load.h"
#include "gate/gate.h"
#include "run/supervisor.h"

#include <errno.h>

enum { ARENA = 256 << 20 };

static const char *const duties_here[] = { "keeper", "auth", "deliver", "edge", NULL };

/* True where this very text is in force already. */
static bool is_in_force(const struct cli *cli, struct slice text)
{
        autoledger *ledger = NULL;
        autoarena *a = arena_new(ARENA);
        struct generation g;
        return ledger_open(cli->state, &ledger) == 0 && ledger_generation_in_force(ledger, a, TIME_NEVER, &g) == 0 &&
               slice_eq(g.text, text);
}

static int store(const struct cli *cli, struct slice text)
{
        autoclient *client = NULL;
        autobuf why;
        int64_t n = 0;
        buf_init(&why, 1 << 20);
        if (is_in_force(cli, text))
                return 0;
        if (client_open(cli->state, &client, &why))
                return cli_fail(EXIT_SYSTEM, "edge: %s", buf_cstr(&why));
        int failed = client_generation_add(client, text, 0, S("edge without a gate"), &n);
        if (!failed)
                failed = client_generation_loaded(client, n, true, S("no gate on this box"));
        return failed ? cli_fail(failed == 1 ? EXIT_NO : EXIT_SYSTEM, "edge: %s", client_reason(client)) : 0;
}

static int no_gate_here(const struct cli *cli)
{
        struct gate gate;
        autobuf why;
        buf_init(&why, 4096);
        int failed = gate_open(&gate, cli->state, &why);
        if (failed == 0)
                gate_close(&gate);
        return failed == -EWOULDBLOCK
                   ? cli_fail(EXIT_NO,
                              "edge: a gate runs with the state folder %s, and with it its edge: porteiro apply",
                              cli->state)
                   : 0;
}

/* The text of the policy, checked, into `text`. */
static int read_policy(const struct cli *cli, struct buf *text)
{
        struct cli_loaded l;
        cli_load(cli, time_now(), &l);
        cli_load_complain(&l);
        bool right = l.policy, written = right && l.policy->edge.written;
        if (right)
                policy_flatten(l.diags, text);
        cli_load_done(&l);
        if (right && !written)
                return cli_fail(EXIT_NO, "edge: the policy has no block edge: nothing would listen");
        return right ? 0 : EXIT_NO;
}

int cmd_edge(int argc, char **argv)
{
        static const struct cli_shape shape = { .usage = "edge [-c FILE] [--state DIR]" };
        struct cli cli;
        autobuf text, why;
        int status;
        buf_init(&text, POLICY_TEXT_MOST + (1 << 20));
        buf_init(&why, 4096);
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        status = read_policy(&cli, &text);
        status = status ? status : no_gate_here(&cli);
        status = status ? status : store(&cli, buf_slice(&text));
        if (status)
                return status;
        if (supervisor_run(cli.state, duties_here, &why) != 0)
                return cli_fail(EXIT_SYSTEM, "edge: %s", buf_cstr(&why));
        return EXIT_DONE;
}
