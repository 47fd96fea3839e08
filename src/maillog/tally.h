/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/tally.h - what lines of mail logs add up to: totals, who sent and who was refused, hour by hour.
 *
 *     maillog_tally_batch(t, batch) … in order;  maillog_tally_end(t);
 *
 * A message counts once, whatever a content filter made of it, and in the hour of its first line; a refusal counts for each recipient, as
 * it is logged. `delivered` are recipients.
 * Owns:    its tables, until maillog_tally_free_(); rows point into them.
 * Threads: one at a time.
 * Limits:  TALLY_NAMES clients, logins, senders, domains and reasons each, the rest as "(others)"; JOIN_MOST messages at once; hours of two
 *          years about the first one. Counters say how much went past a limit. */
#pragma once

#include "maillog/join.h"
#include "maillog/limits.h"

enum { TALLY_NAMES = 1 << 20, TALLY_HOURS = 24 * 732, TALLY_CATEGORIES = CATEGORIES_ALL + CATEGORY_NAMES_MOST };

struct maillog_counts {
        uint32_t messages, recipients, delivered, deferred, bounced, refused, auth_failed, remote;
        uint64_t bytes;
};

struct maillog_totals {
        struct batch_sums lines;
        uint64_t found[TALLY_CATEGORIES]; /* refusals; for the remote categories, what remote servers hold against us */
        uint64_t refused;                 /* in all */
        uint64_t messages, made, handed, size;
        uint64_t recipients, delivered, forwarded, deferred, bounced, expired, spam, virus;
        uint64_t under_way, early, names_lost, hours_lost, odd;
        int64_t first, last;
};

struct maillog_row {
        struct slice name;
        struct maillog_counts counts;
};

enum maillog_by {
        MAILLOG_BY_MESSAGES,
        MAILLOG_BY_REFUSED,
        MAILLOG_BY_AUTH_FAILED,
        MAILLOG_BY_BOUNCED,
        MAILLOG_BY_DEFERRED,
        MAILLOG_BY_REMOTE
};
/* Domains are of senders; reasons are of deliveries that failed. */
enum maillog_who {
        MAILLOG_CLIENTS,
        MAILLOG_LOGINS,
        MAILLOG_SUBSCRIBERS,
        MAILLOG_DOMAINS,
        MAILLOG_REASONS,
        MAILLOG_WHO_ALL
};

struct maillog_tally;
/* rules: what is counted by a limit; they outlive the tally. */
struct maillog_tally *maillog_tally_new(const struct rules *rules, struct limits_who who, struct syslog_zone zone);
void maillog_tally_free_(struct maillog_tally **t);
#define automaillogtally __attribute__((cleanup(maillog_tally_free_))) struct maillog_tally

void maillog_tally_batch(struct maillog_tally *t, struct batch *b);
void maillog_tally_end(struct maillog_tally *t);

const struct limits *maillog_tally_limits(const struct maillog_tally *t);
const struct maillog_totals *maillog_tally_totals(const struct maillog_tally *t);
/* The first `most` by what is asked, none with zero. Returns how many. */
size_t maillog_tally_top(const struct maillog_tally *t, enum maillog_who who, enum maillog_by by,
                         struct maillog_row *rows, size_t most);
/* Walks the hours that have something: for (size_t i = 0; (c = maillog_tally_hour(t, &i, &at));) */
const struct maillog_counts *maillog_tally_hour(const struct maillog_tally *t, size_t *i, int64_t *at);
