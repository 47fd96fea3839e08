/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/batch.h - what stands in one piece of a log: an entry for each line that counts.
 *
 * Reading a line needs nothing of the lines before it, so pieces are read side by side, each by one thread; everything that depends on order is
 * left to who takes the batches in order (maillog/join.h, maillog/tally.h). Names are hashed here and looked up there.
 * Owns:    the text and the entries, until batch_free(). Entries point into the text by offset.
 * Threads: a batch is one thread's at a time; struct batch_common is shared, and locks what it must.
 * Limits:  pieces of under 4 GB; PLACES_MOST pairs of host and instance, the rest are one. */
#pragma once

#include "maillog/category.h"
#include "maillog/names.h"
#include "maillog/syslog.h"

#include <pthread.h>

enum { BATCH_ID_MOST = 32, PLACES_MOST = 65536 };

/* A text of the piece, and what names_hash() says of it. */
struct entry_text {
        uint32_t at, n;
        uint64_t hash;
};

struct entry {
        int64_t at;        /* µs within its hour; from batch_settle() on, µs UTC */
        uint64_t size;     /* of MAIL_QUEUED */
        uint64_t identity; /* the hash of a message-id, or of a sender; 0: none */
        uint64_t tag;      /* the hash of host, instance and queue id */
        uint64_t id;       /* of the queue id alone */
        uint32_t hour;     /* its number */
        uint32_t line;     /* where its line starts */
        uint32_t nrcpt;
        struct entry_text who;   /* a client's address, or a sender */
        struct entry_text login; /* of a delivery that failed, why: batch_reason() */
        bool of_message;         /* it has a queue id */
        uint8_t kind, status, category;
        uint8_t daemon;
        bool refuses : 1, odd : 1, local : 1 /* from this host */, forwarded : 1, spam : 1, virus : 1;
        uint16_t rule; /* of the policy, that decided the category; else their number */
};

/* Sums of lines, whatever their order. */
struct batch_sums {
        uint64_t bytes, lines, foreign, broken; /* foreign: of other programs; broken: no line of a log */
        uint64_t missing;                       /* dropped, as a logger says (maillog/gaps.h) */
        uint64_t understood, unknown;           /* of mail servers */
        uint64_t kinds[MAIL_KINDS_ALL];
};

struct batch_common {
        const struct categories *categories;
        bool keeps_unparsed;
        bool keeps_reasons;
        struct names *places;
        pthread_mutex_t lock; /* of places */
};

struct batch {
        struct slice text; /* in `memory` */
        char *memory;
        size_t cap_memory;
        bool begins_file; /* and then, when that was written */
        int64_t written;
        struct syslog_hours hours;
        struct entry *v;
        size_t n, cap;
        struct slice *unparsed;
        size_t n_unparsed, unparsed_cap;
        struct batch_sums sums;
        int64_t first, last; /* of all lines, from batch_settle() on; 0: none */
        struct batch_inside *inside;
};

void batch_common_init(struct batch_common *c, const struct categories *categories);
void batch_common_done(struct batch_common *c);
struct batch *batch_new(struct batch_common *c);
void batch_free(struct batch *b); /* NULL is fine */
/* Takes a copy of the piece: whole lines; the last may be without its end. */
void batch_take(struct batch *b, struct slice piece);
void batch_read(struct batch *b);
/* In order: the clock of the file goes on. */
void batch_settle(struct batch *b, struct syslog_clock *c);

void batch_sums_add(struct batch_sums *to, const struct batch_sums *from);
/* Whether a line says something that is counted by itself, and not of a message's delivery. */
bool entry_says_itself(const struct entry *e);
struct slice batch_reason(const struct batch *b, struct entry_text t);
static inline struct slice batch_text(const struct batch *b, struct entry_text t)
{
        return (struct slice){ b->text.p + t.at, t.n };
}
