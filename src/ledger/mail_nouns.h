/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/mail_nouns.h - what mailboxes, aliases and domains ask of each other.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  private to ledger/. Functions with a verb_call answer 0, 1 with the reason in c->why, or -errno. */
#pragma once

#include "ledger/address.h"
#include "ledger/client.h"
#include "ledger/nouns.h"

/* domains.c */
int domain_number(struct ledger *l, struct slice name, int64_t *ret); /* -ENOENT: not ours */
/* An address in a domain of ours, in canonical form. `what` is said where it is wrong. */
int own_address(struct verb_call *c, const char *what, struct slice text, struct address *ret, int64_t *ret_domain);

/* targets.c: where an alias or the forwards of a mailbox lead. */
int targets_read(struct ledger *l, struct arena *a, const char *kind, int64_t number, struct slice **ret, size_t *n);
/* In canonical form, sorted, each once; in place. */
int targets_check(struct verb_call *c, const char *what, struct slice *all, size_t *n);
int targets_store(struct verb_call *c, const char *kind, int64_t number, const struct slice *all, size_t n);
/* One of ours is compared as a whole in lower case; one elsewhere keeps its local part. */
int target_canonical(struct verb_call *c, const char *what, struct slice *target);
size_t targets_settle(struct slice *all, size_t n); /* sorted, each once; how many are left */
bool targets_eq(const struct slice *a, size_t n_a, const struct slice *b, size_t n_b);

/* senders.c: as whom a mailbox may write; like targets. */
int senders_read(struct ledger *l, struct arena *a, int64_t mailbox, struct slice **ret, size_t *n);
int senders_check(struct verb_call *c, struct slice *all, size_t *n);
int senders_store(struct verb_call *c, int64_t mailbox, const struct slice *all, size_t n);

/* routes.c: no way may come back to where it began, or be longer than ROUTE_STEPS_MOST. */
int route_check(struct verb_call *c, struct slice address);
int route_check_removed(struct verb_call *c, struct slice address);   /* a catch-all may have taken its place */
int address_known(struct ledger *l, struct slice address, bool *ret); /* a mailbox or alias has it */
/* Adds to c->why, as warnings: targets in our domains that lead nowhere; who still sends mail to this address. */
int route_warn_dangling(struct verb_call *c, const struct slice *all, size_t n);
int route_warn_pointers(struct verb_call *c, struct slice address);

/* reuse.c: whether this address, if it was another's lately, may be given to these. */
struct claim {
        struct slice address;
        int64_t subscriber;          /* of a mailbox; 0: an alias */
        const struct slice *targets; /* of an alias */
        size_t n_targets;
};
int reuse_check(struct verb_call *c, const struct claim *claim, const struct mail_rules *rules);

/* mailboxes.c */
int mailboxes_changed(struct verb_call *c, int64_t subscriber); /* lists all of his */
/* aliases.c: the roles of a new domain, and of one that goes. */
int roles_make(struct verb_call *c, int64_t domain, struct slice name, struct slice target);
int roles_remove(struct verb_call *c, int64_t domain);
/* mailbox_put.c: his are removed with him. */
int mailboxes_remove(struct verb_call *c, int64_t subscriber, struct slice why);
