/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/story.h - from lines of mail logs to what became of a message.
 *
 * A queue id is used again, so its lines are cut into lives: each ends where a line can only be of another message. What a content filter
 * or a forward gives back under a new id goes on the same story (join.h draws it): same message-id, same sender, and either
 * it comes from this host itself within a minute of the last line, or the line that handed it on names its id ("queued as"). A refusal
 * before there was a message, and a login that failed, are stories of one line.
 * A story is told if all that is wanted stands in it, and a line of it lies in the time asked for.
 * Owns:    copies of the lines; what is told points into them, until stories_free().
 * Threads: one at a time.
 * Limits:  STORY_BYTES_MOST of lines; stories_full() says that more came. Of all stories, the `most` that matched last are told. What a
 *          stranger writes into a message-id can join his message to another only where he sends from this host. */
#pragma once

#include "maillog/record.h"
#include "maillog/wanted.h"

enum { STORY_BYTES_MOST = 256 << 20 };

struct story_wish {
        const struct wanted *wanted; /* all of them */
        size_t n_wanted;
        int64_t since, until; /* TIME_NEVER: no end */
        size_t most;
};

enum story_kind { STORY_MESSAGE, STORY_REFUSED, STORY_AUTH_FAILED };

struct story_line {
        struct story_line *next;
        int64_t at;
        struct slice text;
};

/* What became of one recipient: the last that is said of him; of who was put off until the message was too old, its status is EXPIRED. */
struct story_recipient {
        struct mail_event last; /* DELIVERY; REJECT: refused; EXPIRED never stands here */
        int64_t at;
        uint32_t times; /* tries, the last included */
};

/* One life of a queue id. */
struct story_part {
        struct slice id, host, instance;
        int64_t first, last;
        struct mail_event client;           /* CLIENT or PICKUP; UNKNOWN: its beginning was not seen */
        struct slice from, message_id;      /* p NULL: not seen */
        struct slice bounce;                /* the id of the notification that was made of it */
        struct mail_event refused;          /* REJECT or CHECK, by cleanup: the whole message */
        uint64_t size, nrcpt;               /* of QUEUED */
        bool queued, made, handed, expired; /* made: begun by the server itself; handed: another part goes on */
        bool removed;
        struct story_recipient *recipients;
        size_t n_recipients;
        const struct story_line *lines;
};

struct story {
        enum story_kind kind;
        int64_t first, last;
        struct story_part *parts; /* MESSAGE: in order */
        size_t n_parts;
        struct record only; /* of all other kinds */
};

struct stories;
struct stories *stories_new(const struct story_wish *wish);
void stories_free(struct stories *s); /* NULL is fine */
/* A line with a queue id. Which ids are worth it, the caller knows. */
void stories_add(struct stories *s, const struct record *e);
/* A line without: true where it is a story. */
bool stories_add_single(struct stories *s, const struct record *e);
/* Message-ids of the lives in which something wanted stands: for (size_t i = 0; stories_message_id(s, &i, &id);) */
bool stories_message_id(const struct stories *s, size_t *i, struct slice *ret);
/* Forgets the lives, keeps the singles: the lines are read again, with more ids. */
void stories_again(struct stories *s);

/* No more lines: returns how many are told, oldest first. */
size_t stories_end(struct stories *s);
size_t stories_count(const struct stories *s);
const struct story *stories_at(const struct stories *s, size_t i);
bool stories_more(const struct stories *s); /* there are older ones that match */
bool stories_full(const struct stories *s);
