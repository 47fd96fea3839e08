/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/mail.h - reading mailboxes, aliases and domains.
 *
 * Everything of a mailbox that outlives a change of its address hangs on `number`. Those that were removed are not shown; their rows stay, and
 * keep their addresses from being given to somebody else (policy: mail { reuse-after }).
 * A removed or changed mailbox writes a row of kind "mailbox" (key: the address) to the changes, an alias "alias", a domain "domain" (key: the
 * name); so does each mailbox of a subscriber whose class, limits or suspension changed.
 * Owns:    results live in the arena the caller gives.
 * Threads: one connection, one thread.
 * Limits:  all return 0 or -errno, as in ledger.h; -ENOENT: there is none of that name. */
#pragma once

#include "ledger/ledger.h"
#include "policy/limits.h"

enum { TARGETS_MOST = 256, SENDERS_MOST = 64, ROUTE_STEPS_MOST = 10 };

struct mailbox {
        int64_t number; /* never given again */
        struct slice address, subscriber, name;
        bool principal; /* of the mailboxes of a subscriber exactly one is */
        struct slice *forwards;
        size_t n_forwards;
        bool keep; /* where there are forwards: a copy stays here */
        /* He may write as these, too, besides his own address and those of aliases that lead to it; "*@domain": anybody there. */
        struct slice *senders;
        size_t n_senders;
        int64_t created;
        struct suspension suspension, subscriber_suspension; /* of itself, of all of its subscriber */
        struct mail_limits limits, subscriber_limits;        /* said of itself, of its subscriber: mail_limit_find() */
        struct slice class;                                  /* the subscriber's own; empty: none */
};

int ledger_mailbox(struct ledger *l, struct arena *a, struct slice address, struct mailbox *ret);
/* By address, those after `after`, at most `most` (0: all). subscriber, domain: only theirs; empty: everybody's. */
struct mail_query {
        struct slice subscriber, domain, after;
        size_t most;
};
int ledger_mailboxes(struct ledger *l, struct arena *a, const struct mail_query *q, struct mailbox **ret, size_t *n);

struct alias {
        int64_t number;
        struct slice address;
        struct slice *targets;
        size_t n_targets;
        bool role; /* abuse@ and postmaster@: exists as long as its domain */
        int64_t created;
};
int ledger_alias(struct ledger *l, struct arena *a, struct slice address, struct alias *ret);
int ledger_aliases(struct ledger *l, struct arena *a, const struct mail_query *q, struct alias **ret,
                   size_t *n); /* no subscriber */

struct domain {
        int64_t number;
        struct slice name;
        struct slice catch_all; /* where mail to unknown addresses goes; empty: it is refused */
        int64_t created;
        int64_t mailboxes, aliases; /* how many it has; the roles are not counted */
};
int ledger_domain(struct ledger *l, struct arena *a, struct slice name, struct domain *ret);
int ledger_hosts(struct ledger *l, struct slice name,
                 bool *ret); /* whether it is ours, and nothing else of it; in its one form */
int ledger_domains(struct ledger *l, struct arena *a, const struct mail_query *q, struct domain **ret,
                   size_t *n); /* after, most */

/* Who sends mail on to this address (which need not exist): aliases, forwards of mailboxes, catch-alls of domains. */
struct pointer {
        struct slice kind, from; /* "alias" "sales@example.net", "mailbox", "domain" */
};
int ledger_points_to(struct ledger *l, struct arena *a, struct slice address, struct pointer **ret, size_t *n);
