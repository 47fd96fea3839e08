/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/mail.h - what the nouns mailbox, alias and domain share.
 *
 * Owns:    nothing; a policy is the caller's.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "cli/cli.h"
#include "ledger/address.h"

/* The policy in force, or the file where none is yet, or NULL; and what the rules of addresses need of it. Returns an exit status. */
int mail_policy(const struct cli *cli, struct policy **ret, struct mail_rules *rules);
/* A verb on one thing, with a reason: removing, suspending. */
struct mail_act {
        const struct cli_shape *shape;
        const char *what;
        const char *const *reason; /* what its option gave */
        bool reason_wanted;
        int (*act)(struct client *c, struct slice key, struct slice reason);
};
int mail_act(const struct mail_act *act, int argc, char **argv);
/* Suspending, with its options: for how long, and that so many recipients an hour are let through (else none). */
enum { MAIL_SUSPEND_OPTIONS = 3 };
extern const struct cli_option mail_suspend_options[MAIL_SUSPEND_OPTIONS];
struct mail_suspend {
        const struct cli_shape *shape; /* with mail_suspend_options */
        const char *what;
        int (*until)(struct client *c, struct slice key, struct slice reason, int64_t until, int64_t recipients);
};
int mail_suspend(const struct mail_suspend *s, int argc, char **argv);
/* The exit status of a client's answer; warnings of a yes go to stderr. */
int mail_answer(const struct client *c, const char *what, int answer);
/* The address or domain of a command in canonical form; as it is, where it is none (then there is no such thing). */
struct slice mail_address(struct arena *a, const char *word);
struct slice mail_domain(struct arena *a, const char *word);
/* "NAME=VALUE" words of --limit; prints what is wrong and returns false. */
bool mail_take_limits(const char *const *words, size_t n, struct mail_limits *ret, bool *said);
/* Addresses given by options as slices; the word none alone is an empty list. */
struct slice *mail_addresses(struct arena *a, const char *const *words, size_t *n);

/* "name       Maria": one line of show. */
void show_field(struct buf *out, const char *what, struct slice value);
/* "suspended  since 2026-12-01 14:30:05 -0300 by noc(1001): stolen password" */
void show_suspension(struct buf *out, const char *what, const struct suspension *s);
void show_targets(struct buf *out, const char *what, const struct slice *all, size_t n);
void show_pointers(struct buf *out, const struct pointer *all, size_t n);
void pointers_json(struct json *j, const char *key, const struct pointer *all, size_t n);
