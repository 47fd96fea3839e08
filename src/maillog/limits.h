/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/limits.h - who did something too often: the mail-limits of a policy, fed with facts in the order of their time.
 *
 * A fact is counted in a sliding window for each limit that counts it, by login, subscriber, client or network. Who reaches a limit is caught
 * for as long as it lasts, told once, with the lines that led to it, and told again if he is caught anew after that. Meanwhile every
 * message of his is weighed: how many would have been stopped, and how many of those nobody complained of (who would have been harmed).
 * Logins are one whatever their case: who may write them as he likes has one window all the same.
 * Owns:    windows, those who were caught, and copies of a few lines each.
 * Threads: one at a time; `now` is the time of the fact.
 * Limits:  LIMITS_WINDOWS keys in windows (guard/window.h: the one not seen for longest gives way), LIMITS_CAUGHT_MOST keys with a memory: when
 *          it is full, all of it is forgotten. Who runs for months calls limits_tidy().
 *          A sum may be a sixth too strict, never too lax. */
#pragma once

#include "maillog/batch.h"
#include "maillog/rules.h"

enum { LIMITS_WINDOWS = 1 << 17, LIMITS_CAUGHT_MOST = 1 << 18, LIMITS_LINES = 3, LIMITS_LINE_MOST = 400 };

struct limits_fact {
        int64_t at;
        uint8_t category; /* CATEGORY_NONE: it has none */
        uint32_t words;   /* bits of enum limit_word */
        uint32_t n;       /* so many of it, recipients among the words excepted: those are `recipients` */
        uint32_t recipients;
        struct slice client, login; /* empty: not known */
        struct slice line;          /* where it stands, and what follows; may be empty */
};

/* Who reached a limit. */
struct limits_caught {
        const struct policy_mail_limit *limit;
        struct slice key;
        struct slice client; /* of the fact by which he was caught; but for caught(), empty */
        int64_t since, at,
            until;      /* the first fact that led to it, as far as is known; when he was caught; how long it lasts */
        int64_t last;   /* fact */
        uint64_t count; /* in the window, when he was caught */
        uint64_t times, total;    /* caught so often; facts in all, from half of the limit on */
        uint64_t stopped, harmed; /* messages */
        struct slice lines[LIMITS_LINES];
        size_t n_lines;
};

/* What of the words a line is. */
uint32_t limits_words(const struct entry *e);

struct limits;
/* subscriber: whose the client's address was; may be NULL. */
struct limits_who {
        struct slice (*subscriber)(void *arg, struct slice client, int64_t at);
        void (*caught)(void *arg, const struct limits_caught *c); /* may be NULL */
        void *arg;
        /* Whose pools are customers'; NULL, or of none: who logged in alone is known for one. */
        const struct policy *(*pools)(void *arg);
        bool weighs; /* limits_weigh() is of use: it costs as much as all the rest */
};
struct limits *limits_new(const struct rules *r, struct limits_who who);
void limits_free(struct limits *l); /* NULL is fine */
void limits_count(struct limits *l, const struct limits_fact *f);
/* A message that is done with: when it came, whether a remote server held something against it, whether anybody got it. */
struct limits_message {
        int64_t at;
        struct slice client, login;
        bool accused, delivered;
};
void limits_weigh(struct limits *l, const struct limits_message *m);
/* Forgets who is not caught at `now`, and did nothing within the window; looks only where there are many. */
void limits_tidy(struct limits *l, int64_t now);
/* Those caught so far: for (size_t i = 0; (c = limits_next(l, &i));) */
const struct limits_caught *limits_next(const struct limits *l, size_t *i);
uint64_t limits_evicted(const struct limits *l); /* windows that gave way */
