/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/tally.h - what lines of mail logs add up to: totals, who sent and who was refused, hour by hour.
 *
 *     maillog_tally_file(t, when it was written);  maillog_tally_add(t, piece) …;  maillog_tally_end(t);
 *
 * A message counts once, whatever a content filter made of it, and in the hour of its first line; a refusal counts for each recipient, as
 * it is logged. `delivered` are recipients.
 * Owns:    its tables, until maillog_tally_free_(); rows point into them.
 * Threads: one may read (maillog_tally_file(), _read(), _lines()) while another counts (_count()) what was read before; all else, and
 *          maillog_tally_add(), which does both, one at a time.
 * Limits:  TALLY_NAMES clients, logins and senders each, the rest as "(others)"; JOIN_MOST messages at once; hours of two years about the
 *          first one. Counters say how much went past a limit. */
#pragma once

#include "maillog/join.h"
#include "maillog/syslog.h"

enum { TALLY_NAMES = 1 << 20, TALLY_HOURS = 24 * 732 };

struct maillog_counts {
        uint32_t messages, recipients, delivered, deferred, bounced, refused, auth_failed, remote;
        uint64_t bytes;
};

struct maillog_totals {
        uint64_t bytes, lines, foreign, broken; /* foreign: of other programs; broken: no line of a log */
        uint64_t understood, unknown;           /* of Postfix */
        uint64_t kinds[MAIL_KINDS_ALL];
        uint64_t refused[CATEGORIES_ALL]; /* and, for the remote ones, what remote servers hold against us */
        uint64_t messages, made, handed, size;
        uint64_t recipients, delivered, forwarded, deferred, bounced, expired, spam, virus, discarded;
        uint64_t under_way, early, names_lost, hours_lost, odd;
        int64_t first, last;
};

struct maillog_row {
        struct slice name;
        struct maillog_counts counts;
};

enum maillog_by { MAILLOG_BY_MESSAGES, MAILLOG_BY_REFUSED, MAILLOG_BY_AUTH_FAILED };
enum maillog_who { MAILLOG_CLIENTS, MAILLOG_LOGINS, MAILLOG_WHO_ALL };

struct maillog_tally;
/* unparsed: gets each line that is not understood; may be NULL. */
struct maillog_tally *maillog_tally_new(struct syslog_zone zone, void (*unparsed)(void *arg, struct slice line),
                                        void *arg);
void maillog_tally_free_(struct maillog_tally **t);
#define automaillogtally __attribute__((cleanup(maillog_tally_free_))) struct maillog_tally

void maillog_tally_file(struct maillog_tally *t, int64_t written);
/* Whole lines; the last may be without its end. */
void maillog_tally_add(struct maillog_tally *t, struct slice piece);
/* The two halves of it. A batch is what was read of a piece, and a copy of the piece. */
struct maillog_batch;
struct maillog_batch *maillog_batch_new(void);
void maillog_batch_free(struct maillog_batch *b); /* NULL is fine */
void maillog_tally_read(struct maillog_tally *t, struct slice piece, struct maillog_batch *ret);
void maillog_tally_count(struct maillog_tally *t, const struct maillog_batch *b);
uint64_t maillog_tally_lines(const struct maillog_tally *t); /* read so far */
void maillog_tally_end(struct maillog_tally *t);

const struct maillog_totals *maillog_tally_totals(const struct maillog_tally *t);
/* The first `most` by what is asked, none with zero. Returns how many. */
size_t maillog_tally_top(const struct maillog_tally *t, enum maillog_who who, enum maillog_by by,
                         struct maillog_row *rows, size_t most);
/* Walks the hours that have something: for (size_t i = 0; (c = maillog_tally_hour(t, &i, &at));) */
const struct maillog_counts *maillog_tally_hour(const struct maillog_tally *t, size_t *i, int64_t *at);
