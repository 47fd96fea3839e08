/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/cli.h - what every subcommand is made of: its row, its exit status, and what all of them share.
 *
 * A command parses its arguments, calls verbs, prints. Nothing here decides anything.
 * Owns:    the global options of this run.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "ledger/client.h"
#include "policy/policy.h"

enum exit_status { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_SYSTEM = 3 };

struct command {
        const char *name, *arguments, *summary;
        int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit_status */
};

/* One for each noun, in src/cli/NOUN.c. */
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_confirm(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_generations(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_edge(int argc, char **argv);
int cmd_duty(int argc, char **argv);
int cmd_subscriber(int argc, char **argv);
int cmd_mailbox(int argc, char **argv);
int cmd_alias(int argc, char **argv);
int cmd_domain(int argc, char **argv);
int cmd_lease(int argc, char **argv);
int cmd_exemption(int argc, char **argv);
int cmd_quarantine(int argc, char **argv);
int cmd_ban(int argc, char **argv);
int cmd_sightings(int argc, char **argv);
int cmd_suspects(int argc, char **argv);
int cmd_impact(int argc, char **argv);
int cmd_forget(int argc, char **argv);
int cmd_counters(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_maillog(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* "porteiro: what: why" on stderr; returns `status`, so that a command can say `return cli_fail(EXIT_NO, …)`. */
int cli_fail(enum exit_status status, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Options of one command, as a table: the parser and the help print come from the same rows. */
struct cli_option {
        const char *name, *argument, *help; /* argument NULL: a switch */
        const char **value;                 /* the last one given, or "" for a switch */
        const char **values;                /* several: an array of CLI_VALUES_MOST, filled in order */
        size_t *n_values;
};
enum { CLI_VALUES_MOST = 64 };

enum { CLI_WORDS_MOST = 256 }; /* a month of packed logs, and more */

struct cli {
        const char *conf; /* -c, default /etc/porteiro/porteiro.conf */
        bool conf_given;
        const char *state; /* --state, default /var/lib/porteiro */
        bool json;
        const char *words[CLI_WORDS_MOST]; /* what is no option, in order */
        size_t n_words;
};

/* Parses argv by the command's options and the global ones. Prints usage and returns EXIT_USAGE (or EXIT_DONE for --help);
 * 0 and `cli` filled otherwise. words_least/most bound n_words. */
struct cli_shape {
        const char *usage; /* "explain ADDRESS|SUBSCRIBER" */
        const struct cli_option *options;
        size_t n_options, words_least, words_most;
};
bool cli_parse(struct cli *cli, const struct cli_shape *shape, int argc, char **argv, int *status);

/* "subscriber add …": runs the verb named by argv[1], or prints all of the noun's. */
struct cli_verb {
        const char *name;
        const struct cli_shape *shape;
        int (*run)(int argc, char **argv);
};
int cli_dispatch(const char *noun, const struct cli_verb *verbs, size_t n, int argc, char **argv);

/* "now", "2026-12-01", …; prints what is wrong and returns false. */
bool cli_time(const char *what, const char *text, enum time_edge edge, int64_t *ret);
/* The same, or "24h": so long ago. */
bool cli_since(const char *what, const char *text, int64_t *ret);
/* "yes", "no"; false where it is neither. */
bool cli_yes_no(struct slice text, bool *ret);
/* A prefix with nothing set past its length; prints what is wrong and returns false. */
bool cli_prefix(const char *what, const char *text, struct prefix *ret);
/* Whether a word that may also be a subscriber's id is an address or prefix. Prints nothing. */
bool cli_is_address(const char *text, struct prefix *ret);
/* Loads the file named by -c, prints every diagnostic to stderr; NULL: *status is what to return. */
struct policy *cli_policy(const struct cli *cli, int *status);
/* The generation in force at `at` (TIME_NEVER: now), parsed; with -c given or without a ledger, the file. */
struct policy *cli_policy_in_force(const struct cli *cli, int64_t at, int *status);
/* The same; `sources` can print its places. */
struct policy *cli_policy_at(const struct cli *cli, int64_t at, struct diags *sources, int *status);
/* The generation in force at `at` (TIME_NEVER: now). A trial whose time is over counts as taken back, though nobody may have been there to
 * write that down: the kernel returned to the former rules by itself. */
struct generation;
int cli_in_force(struct ledger *l, struct arena *a, int64_t at, struct generation *ret);
bool cli_trial_lapsed(const struct generation *g);
/* What decisions about people are held against: the generation in force; where there is none, the file; where there is no file either, *ret
 * is NULL. Returns an exit status. */
int cli_policy_of_people(const struct cli *cli, struct diags *sources, struct policy **ret);
/* What a picture or a list is better with, and can do without: NULL where there is none, and nothing is said. */
struct policy *cli_policy_if_any(const struct cli *cli);
/* Sets the zone that times are shown in to the network's, where there is a policy that says it. */
void cli_zone(const struct cli *cli);

/* The ledger to read. NULL: *status is what to return; with `none` given, a ledger that is not there yet is no failure (*none, EXIT_DONE). */
struct ledger *cli_ledger(const struct cli *cli, bool *none, int *status);
int cli_ledger_failed(const struct ledger *l, int failed); /* says it; returns the exit status */
/* The ledger to write. NULL: *status is what to return. */
struct client *cli_client(const struct cli *cli, int *status);
/* Exit status of a call's answer; "porteiro: what: reason" where it was no or failed. */
int cli_answer(const struct client *c, const char *what, int answer);
/* Output goes to stdout at once, at the end: a table or JSON is whole or not at all. Returns EXIT_DONE or EXIT_SYSTEM. */
int cli_print(struct buf *out);

/* Where a file that comes with the program stands ("lab/demo"). EXIT_DONE, or told on stderr. */
enum { CLI_PATH_MOST = 4096 };
int cli_share(const char *name, char out[CLI_PATH_MOST]);

/* A table for people: cells are escaped, columns as wide as needed. */
struct table;
struct table *table_new(size_t columns, const char *const *titles);
void table_add(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3); /* next cell; rows fill up by themselves */
void table_add_text(struct table *t, struct slice text,
                    size_t most);                   /* cut where it has more than so many characters */
void table_print(struct table *t, struct buf *out); /* and frees it */
