/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/client.h - asking the keeper to write.
 *
 * Where a keeper runs, the verb travels over its socket; where none does, the caller takes the keeper's lock and is the
 * keeper for this moment. Both ways run the same verbs (ledger/verbs.h), so both give the same answers.
 * Owns:    a socket or the lock, until client_close().
 * Threads: one at a time; calls block until the keeper committed (fsync) or the deadline of 30 s passed.
 * Limits:  one frame a request (base/ipc.h).
 *
 * Every call returns 0 when it is on disk; 1 when the answer is no (client_reason() says why, for people); -errno when the system
 * failed (client_reason() too). */
#pragma once

#include "ledger/mail.h"

struct client;

int client_open(const char *dir, struct client **ret, struct buf *why);
/* For duties, which cannot and must not take the keeper's place: -ENOTCONN where none runs. */
int client_join(const char *dir, struct client **ret, struct buf *why);
void client_close(struct client *c);
void client_close_(struct client **c);
#define autoclient CLEANUP(client_close_) struct client
void client_patience(struct client *c, int64_t seconds); /* another deadline for all calls but imports */
const char *client_reason(const struct client *c);

int client_generation_add(struct client *c, struct slice text, int64_t trial_for, struct slice why,
                          int64_t *ret_n); /* trial_for 0: none */
/* The gate's answer: loaded (state trial or confirmed by what was asked), or failed with a reason. */
int client_generation_loaded(struct client *c, int64_t n, bool ok, struct slice why);
int client_generation_confirm(struct client *c, int64_t *ret_n);
/* Ends the present reign: the generation before returns (n 0: none was before). lapsed: a trial ran out, `at` is when. */
int client_generation_rollback(struct client *c, struct slice why, bool lapsed, int64_t at, int64_t *ret_n);

/* Fields left NULL in the mask are not touched by _set. */
struct subscriber_change {
        struct subscriber value;
        bool name, class, port25, language, email, phone, post, never_cut; /* which of them to set */
        struct line *add_lines, *drop_lines;
        size_t n_add_lines, n_drop_lines;
        struct prefix *add_addresses, *drop_addresses; /* static leases on line static:ID */
        size_t n_add_addresses, n_drop_addresses;
        bool limits[MAIL_LIMIT_COUNT];
        bool keep_lines, keep_addresses; /* PUT: his are left as they are (the file has no such column) */
        int64_t row;                     /* its line in an imported file, for messages; 0: none */
};
enum subscriber_mode {
        SUBSCRIBER_ADD,
        SUBSCRIBER_SET,
        SUBSCRIBER_PUT /* add or set, and lines and addresses become exactly these */
};
int client_subscriber(struct client *c, const struct subscriber_change *change, enum subscriber_mode mode);
int client_subscriber_remove(struct client *c, struct slice id, struct slice why);
/* A file. All or nothing; dry_run: everything is tried and taken back. key (may be empty): the same key with the same rows again is
 * answered with done_at and done_by, and changes nothing. The differences, or the mistakes, come back as lines of text in `report`. */
struct bulk_import {
        bool dry_run;
        struct slice key;
        struct buf *report;
        int64_t errors;       /* how many there were; the first of them are told */
        int64_t done_at;      /* 0: it was not done before */
        struct slice done_by; /* until the next call */
};
int client_subscriber_import(struct client *c, struct bulk_import *im, const struct subscriber_change *all, size_t n);
int client_told(struct client *c, struct slice subscriber, struct slice by, int64_t at, struct slice note);

/* --- mail. Where the answer is yes, client_reason() may hold warnings, one a line. --- */

/* What of the policy the rules of addresses need. */
struct mail_rules {
        int64_t reuse_after;
        struct slice network; /* the network's own domain; empty: none */
};
struct mailbox_change {
        struct mailbox value;                                      /* suspension: its reason counts, empty ends it */
        bool name, principal, forwards, keep, senders, suspension; /* which of them to set */
        bool limits[MAIL_LIMIT_COUNT];
        int64_t row; /* its line in an imported file, for messages; 0: none */
};
enum mailbox_mode { MAILBOX_ADD, MAILBOX_SET, MAILBOX_PUT /* either: imports */ };
int client_mailbox(struct client *c, const struct mailbox_change *change, enum mailbox_mode mode,
                   const struct mail_rules *rules);
int client_mailbox_remove(struct client *c, struct slice address, struct slice why);
int client_mailbox_import(struct client *c, struct bulk_import *im, const struct mailbox_change *all, size_t n,
                          const struct mail_rules *rules);
/* Stops sending, not receiving; an empty reason ends it. */
int client_mailbox_suspend(struct client *c, struct slice address, struct slice reason);
int client_subscriber_suspend(struct client *c, struct slice id, struct slice reason);
/* The same, and the keeper lifts it then (TIME_NEVER: nobody but a person does). recipients: so many an hour are let through, 0: none. Where more than
 * that, or for longer, is forbidden already, it is refused. */
int client_mailbox_suspend_until(struct client *c, struct slice address, struct slice reason, int64_t until,
                                 int64_t recipients);
/* The same by a rule, which has an end and lifts nothing. */
int client_mailbox_restrain(struct client *c, struct slice address, struct slice reason, int64_t until,
                            int64_t recipients);
int client_subscriber_suspend_until(struct client *c, struct slice id, struct slice reason, int64_t until,
                                    int64_t recipients);
int client_alias(struct client *c, struct slice address, const struct slice *targets, size_t n, bool add,
                 const struct mail_rules *rules);
int client_alias_remove(struct client *c, struct slice address, struct slice why);
/* roles: where abuse@ and postmaster@ of a new domain go. catch_all: NULL leaves it as it is, empty refuses. */
int client_domain(struct client *c, struct slice name, bool add, struct slice roles, const struct slice *catch_all);
int client_domain_remove(struct client *c, struct slice name, struct slice why);

/* --- passwords (ledger/secrets.h). A hash may be of any scheme that is known; it is never the password. --- */

int client_password_set(struct client *c, struct slice address, struct slice hash);
/* Only while `former` is what is stored. */
int client_password_rehash(struct client *c, int64_t mailbox, struct slice former, struct slice hash);
struct password_row {
        struct slice address, hash;
        int64_t row; /* its line in the file; 0: none */
};
int client_password_import(struct client *c, struct bulk_import *im, const struct password_row *all, size_t n);
/* digest: of auth/password.h. */
int client_app_password_add(struct client *c, struct slice address, struct slice label, struct slice digest,
                            int64_t *ret_id);
int client_app_password_remove(struct client *c, struct slice address, int64_t id);
int client_app_password_used(struct client *c, int64_t id);

int client_lease_add(struct client *c, const struct lease *lease);
int client_lease_end(struct client *c, const struct prefix *prefix, const struct line *line, int64_t at,
                     struct slice why);

/* For ledger/pile.h: a file in STATE/leases/incoming is looked through, a part of it at each call (*more: call again). Of those that were seen
 * whole, the live table gets the leases of one without a month, some at each call (*from: 0 at first, and when all are in), and the
 * others become part of the ledger, all at once. */
int client_segments_check(struct client *c, struct slice name, bool *more);
int client_segments_live(struct client *c, struct slice name, int64_t *from);
int client_segments_add(struct client *c, const struct slice *names, size_t n);

/* Erases what is older, a part at each call (*more 1: call again; 2: again in a moment); *ret: what is erased by now. */
struct forgotten {
        uint64_t leases, sightings, losses, lines, files;
        bool log_kept; /* a reader had the write-ahead log in use all the time: it still has bytes of what is erased */
};
int client_forget(struct client *c, const struct forget_before *before, struct forgotten *ret, int *more);

/* What a feed found out, and where it stands now, in one commit. Each lease is known by (source, nas, session, user, start, address,
 * length): the same one again sets end, why_ended and evidence anew; an empty interval takes it back. Nothing else is ended by it: what follows
 * from what is for the feed to say. feed empty: no position is kept. *ret_changed (may be NULL): how many were new or different. */
int client_leases_put(struct client *c, struct slice feed, struct slice position, const struct lease *all, size_t n,
                      size_t *ret_changed);

/* That somebody asked whose something was, and what he is going to be told: an answer is given only after this returned 0. One row of the
 * audit trail each, all in one commit. */
struct lookup {
        struct slice what;             /* "lease whose", "lease history" … */
        struct slice key;              /* of the audit row: the address or the subscriber asked for */
        struct slice question, answer; /* in words */
        struct slice *subscribers;     /* whom the answer names, 1000 at most */
        size_t n_subscribers;
};
int client_lookup(struct client *c, struct slice reason, const struct lookup *all, size_t n);

int client_exemption_add(struct client *c, const struct exemption *e, int64_t *ret_id);
int client_exemption_remove(struct client *c, int64_t id, struct slice why);
int client_quarantine_add(struct client *c, const struct quarantine *q,
                          int64_t *ret_id); /* answers no: never-cut without approval, promise… */
int client_quarantine_release(struct client *c, int64_t id, struct slice why);

/* start, author and id are the keeper's. Where the prefix is banned already that ban goes on, until the later end of the two. */
int client_ban_add(struct client *c, const struct ban *b, int64_t *ret_id, int64_t *ret_until);
/* id 0: the one of this prefix. */
int client_ban_release(struct client *c, int64_t id, const struct prefix *prefix, struct slice why);

int client_sightings_add(struct client *c, const struct sighting *all, size_t n, int64_t lost, int64_t lost_at);
int client_suspicion_set(struct client *c, const struct suspicion *s);

/* From now on the socket carries change notices (none where there is no keeper: -ENOTCONN). One notice a commit. */
int client_listen(struct client *c);
int client_fd(const struct client *c);
/* After client_listen(): reads what has arrived without blocking; *last gets the number of the newest change seen (untouched where none).
 * -ECONNRESET when the keeper went away. */
int client_notices(struct client *c, int64_t *last);
