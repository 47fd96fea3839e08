/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - the table of subcommands; nothing else. */
#include "cli/cli.h"

#include <stdio.h>

static const struct command commands[] = {
        { "check", "[-c FILE]", "is the policy right?", cmd_check },
        { "explain", "ADDRESS|SUBSCRIBER [--at TIME]", "which strategy applies, and why, line by line", cmd_explain },
        { "plan", "[--at TIME] [--diff]", "the ruleset that would be loaded", cmd_plan },
        { "apply", "[--confirm 5m]", "store the policy as the next generation and enforce it", cmd_apply },
        { "confirm", "", "keep the generation that is on trial", cmd_confirm },
        { "rollback", "", "return to the generation before", cmd_rollback },
        { "generations", "", "which policies were in force, and when", cmd_generations },
        { "run", "", "all duties, supervised", cmd_run },
        { "edge", "", "the SMTP listeners alone, on a box without a gate", cmd_edge },
        { "duty", "keeper|gate|judge|sight|lease|auth|deliver|edge", "one duty alone", cmd_duty },
        { "subscriber", "add|set|show|list|remove|suspend|resume|told|import|export …",
          "customers, their lines and fixed addresses", cmd_subscriber },
        { "mailbox", "add|set|show|list|remove|suspend|resume|import|export …", "logins and addresses of customers",
          cmd_mailbox },
        { "alias", "add|set|show|list|remove …", "addresses that lead to others", cmd_alias },
        { "domain", "add|set|show|list|remove …", "whose mail is ours", cmd_domain },
        { "lease", "add|end|list|whose|history|unknown …", "which line holds which address, and whose it was",
          cmd_lease },
        { "exemption", "add|list|remove …", "who is let out, until when, and why", cmd_exemption },
        { "quarantine", "add|list|release …", "who is restricted, and why", cmd_quarantine },
        { "ban", "add|list|remove …", "who outside is shut out for guessing passwords", cmd_ban },
        { "sightings", "[add] …", "who tried port 25", cmd_sightings },
        { "suspects", "", "whose machine is infected, with the evidence", cmd_suspects },
        { "impact", "WAVE", "whom a coming wave touches: the people to tell first", cmd_impact },
        { "forget", "[--dry-run]", "erase what is older than the policy's keep, and prove it", cmd_forget },
        { "counters", "", "what the gate counted, by class and strategy", cmd_counters },
        { "graph", "[SERIES…] | sample", "counters over time, as a picture", cmd_graph },
        { "audit", "[--key KEY]", "every decision: who, when, why, before and after", cmd_audit },
        { "maillog", "report|try|follow|find|index …",
          "mail logs: what they add up to, who abuses the service, and what became of one message", cmd_maillog },
        { "demo", "", "an ISP in miniature on this machine", cmd_demo },
        { "help", "[conf]", "this list, or the options of the policy file", cmd_help },
};

static void usage(FILE *to)
{
        fprintf(to, "usage: porteiro COMMAND [-c FILE] [--state DIR] [--json] …\n\n");
        for (size_t i = 0; i < COUNT_OF(commands); i++)
                fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
        fprintf(to, "\nporteiro COMMAND --help shows the options of one command.\n");
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                usage(stderr);
                return EXIT_USAGE;
        }
        struct slice name = slice_of(argv[1]);
        if (slice_eq(name, S("--help")) || slice_eq(name, S("-h")) || (slice_eq(name, S("help")) && argc == 2)) {
                usage(stdout);
                return EXIT_DONE;
        }
        for (size_t i = 0; i < COUNT_OF(commands); i++)
                if (slice_eq(name, slice_of(commands[i].name)))
                        return commands[i].run(argc - 1, argv + 1);
        usage(stderr);
        return cli_fail(EXIT_USAGE, "%.*s: no such command", SLICE_ARGS(name));
}
