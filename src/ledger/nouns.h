/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/nouns.h - what the nouns of this room ask of each other.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  private to ledger/. */
#pragma once

#include "ledger/line.h"
#include "ledger/verbs.h"

/* TIME_NEVER as SQL: partial indexes want the literal. */
#define SQL_NEVER "9223372036854775807"

/* subscribers.c */
#define LIMITS_OF(t) t ".quota, " t ".messages_hour, " t ".messages_day, " t ".recipients_hour, " t ".recipients_day, "
#define SUSPENSION_OF(t)                                                                                               \
        t ".suspended, " t ".suspend_reason, " t ".suspended_by, " t ".suspended_until, " t ".suspended_to"
struct mail_limits limits_of_row(struct statement *s);
struct suspension suspension_of_row(struct statement *s, struct arena *a);
int subscriber_number(struct ledger *l, struct slice id, int64_t *ret); /* of the present holder of the id; -ENOENT */
int subscriber_snapshot_json(struct verb_call *c, struct slice id,
                             struct slice *ret); /* compact, as he is now; empty where unknown */
/* Lists who is affected when he changes: (subscriber, id). */
int subscriber_changed(struct verb_call *c, struct slice id);

/* leases.c: the columns of a lease l on a line n, and one row of them (subscriber stays empty). */
#define LEASE_COLUMNS                                                                                                  \
        "l.id, l.realm, l.address, l.length, l.port_low, l.port_high, l.proto, l.start, l.end, n.kind, n.value, "      \
        "l.source, "                                                                                                   \
        "l.why_ended, l.evidence, l.nas, l.session, l.user"
struct lease lease_of_row(struct statement *s, struct arena *a);
/* Stores one lease on a line known by number, owned by `subscriber` (0: nobody): 0, 1 with c->why, -errno. *ret_new: whether anything changed. */
int lease_store(struct verb_call *c, const struct lease *lease, int64_t line, int64_t subscriber, bool *ret_new);
int lease_check(struct verb_call *c, struct lease *l); /* 0 and its line in canonical form, or no */
/* Stores it whatever stands there under its key; or takes what stands under its key away. */
int lease_replace(struct verb_call *c, const struct lease *lease, int64_t line, bool *ret_new);
int lease_erase(struct verb_call *c, const struct lease *lease, int64_t line, bool *ret_gone);
/* feeds.c: one lease as its feed now knows it. */
int feed_put(struct verb_call *c, struct lease *lease, bool *ret_changed);
/* For enforcers: look again at the holder (0: nobody, at the address). */
int lease_changed(struct verb_call *c, int64_t subscriber, const struct prefix *p);
/* Ends all leases on the line that are open at `at`, or only those of a source and prefix (NULL: all). */
int leases_end(struct verb_call *c, int64_t line, const struct prefix *only, int64_t at, struct slice why);

/* lines.c */
int line_number(struct ledger *l, const struct line *line, bool make,
                int64_t *ret);                                            /* -ENOENT where unknown and not made */
int line_holder(struct ledger *l, int64_t line, int64_t *ret_subscriber); /* 0: nobody now */
/* Gives the line to the subscriber: 1 with c->why where another has it. */
int line_give(struct verb_call *c, const struct line *line, int64_t subscriber, int64_t *ret_line);
int line_take(struct verb_call *c, int64_t line, int64_t subscriber);
/* For people: the id of a subscriber by number. */
struct slice subscriber_id(struct ledger *l, struct arena *a, int64_t number);
