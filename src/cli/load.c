/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/load.h"
#include "gate/others.h"
#include "judge/promise.h"
#include "maillog/rules.h"

#include <errno.h>
#include <stdio.h>

enum { LEDGER_ARENA = 512 << 20 };

static void check_promises(const struct cli_loaded *l, struct ledger *ledger, int64_t now)
{
        autoarena *a = arena_new(LEDGER_ARENA);
        struct promise_facts facts = { .now = now };
        struct subscriber *subscribers = NULL;
        struct told *told = NULL;
        if (ledger && (ledger_subscribers(ledger, a, &subscribers, &facts.n_subscribers) ||
                       ledger_told(ledger, a, S(""), &told, &facts.n_told))) {
                diag_error(l->diags, (struct place){ 0 },
                           "promises cannot be checked: the ledger could not be read: %s", ledger_error(ledger));
                return;
        }
        facts.subscribers = subscribers;
        facts.told = told;
        promise_check(l->policy, &facts, l->diags);
}

static void check_against_running(const struct cli_loaded *l, struct ledger *ledger, int64_t now)
{
        autoarena *a = arena_new(LEDGER_ARENA);
        struct generation g;
        if (!ledger || cli_in_force(ledger, a, TIME_NEVER, &g) != 0)
                return;
        autodiags *unheard = diags_new();
        struct policy_input in = { .name = S("generation in force"), .text = g.text };
        autopolicy *running = policy_parse(&in, unheard);
        /* the zone is the process's: back to this policy's own */
        time_set_zone(l->policy->network.timezone);
        if (running)
                policy_check_against(l->policy, running, now, l->diags);
}

void cli_load(const struct cli *cli, int64_t now, struct cli_loaded *ret)
{
        autoledger *ledger = NULL;
        autobuf why;
        buf_init(&why, 4096);
        *ret = (struct cli_loaded){ .diags = diags_new() };
        ret->policy = policy_load(cli->conf, ret->diags);
        if (!ret->policy)
                return;
        int failed = ledger_open_why(cli->state, &ledger, &why);
        if (failed && failed != -ENOENT)
                diag_warning(ret->diags, (struct place){ 0 },
                             "the ledger could not be read, so promises are checked without it: %s", buf_cstr(&why));
        policy_check_machine(ret->policy, ret->diags);
        rules_check(ret->policy, ret->diags);
        check_against_running(ret, ledger, now);
        check_promises(ret, ledger, now);
        struct plan_input in = { .policy = ret->policy, .at = now };
        autoplan *plan = plan_new(&in);
        others_check(plan, ret->diags);
        if (diags_errors(ret->diags)) {
                policy_free(ret->policy);
                ret->policy = NULL;
        }
}

void cli_load_done(struct cli_loaded *l)
{
        policy_free(l->policy);
        diags_free(l->diags);
        *l = (struct cli_loaded){ 0 };
}

void cli_load_complain(const struct cli_loaded *l)
{
        autobuf text;
        buf_init(&text, 16 << 20);
        diags_print(l->diags, &text);
        fputs(buf_cstr(&text), stderr);
}
