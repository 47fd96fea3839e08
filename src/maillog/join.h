/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/join.h - one record for each message, from all its lines.
 *
 * A message is known by host, instance and queue id. Where daemons of one server log under different names (myhostname of a service in
 * master.cf), a line whose id is not known under its own host is of the youngest message under way with that id. `removed` ends it; a little later, or when its id is used again, it is told, once.
 * It waits that little because a content filter gives a message back under a new id, often after the old one is gone:
 *
 *     46E0BAB8E5: client=stranger …  message-id=<m>  from=<s>  to=<r> relay=clamav status=sent (dummy)  removed
 *     8BFA4ABD14: uid=501 from=<s>   message-id=<m>  from=<s>  to=<r> relay=mx.example status=sent (250 Ok)  removed
 *
 * What comes from this host itself, with message-id and sender of one that is here, is the same message: it takes over that one's
 * client and login (`again`), and what the first called sent was only handed to the filter (`handed`).
 * Owns:    its records. What `tell` is given lives until it returns.
 * Threads: one at a time.
 * Limits:  `most` records at once; then the oldest is told early (join_early() counts those that were on their way). Who sends with a message-id and a sender that
 *          another message of the same minute has can be taken for its copy only if he sends from
 *          this host. Of two filters in a row, the second counts as a delivery. */
#pragma once

#include "maillog/batch.h"

enum { JOIN_MOST = 1 << 19 };

struct message {
        uint8_t remote, refused; /* enum category */
        bool arrived : 1;        /* its beginning was seen: from a client, or by pickup */
        bool made : 1;           /* begun by Postfix itself: a bounce, a forward */
        bool local : 1;          /* from this host */
        bool queued : 1, closed : 1;
        bool again : 1; /* given back by a filter, or forwarded: counted once already */
        bool spam : 1, virus : 1, expired : 1;
        uint32_t client, login, sender; /* names */
        uint32_t recipients, sent, bounced, deferred, forwarded;
        uint32_t handed;           /* of `sent`, so many to a filter, as it gave back; more than there are: all */
        uint64_t size, message_id; /* a hash of it and the sender, 0: none */
        int64_t first, last;
        uint64_t tag;          /* the hash of place and id, by which it is known: strangers choose neither */
        uint64_t id;           /* of the queue id alone */
        uint32_t older, newer; /* the rest is join's own */
};

static inline uint32_t message_handed(const struct message *m)
{
        return m->handed < m->sent ? m->handed : m->sent;
}

struct join_names {
        struct names *clients, *logins, *senders;
};

/* tell: a message at its end. seen: one that was queued, not again, or a delivery, with what is known of it by then; may be NULL. */
struct join_hooks {
        void (*tell)(void *arg, const struct message *m);
        void (*seen)(void *arg, const struct message *m, const struct entry *e);
        void *arg;
};

struct join;
struct join *join_new(uint32_t most, struct join_names names, struct join_hooks hooks);
void join_free(struct join *j); /* NULL is fine; tells nothing */
/* Memory is slow and lines are many: of some lines at once, first all are expected, then all fetched, …, then each is an event. */
void join_expect(const struct join *j, const struct entry *e);
void join_fetch(const struct join *j, const struct entry *e);
void join_fetch_first(const struct join *j, const struct entry *e); /* where the message's copy would be */
/* A line of a message; any other is left alone. */
void join_event(struct join *j, const struct batch *b, const struct entry *e);
/* So late it is, though no line says so: what waited for its copy until then is told. */
void join_pass(struct join *j, int64_t at);
/* The names of messages under way go into other tables; those before are not looked at any more. */
void join_rename(struct join *j, struct join_names names);
/* The end of all files: what is still here is told. Returns how many of them are still on their way. */
uint64_t join_end(struct join *j);
uint64_t join_early(const struct join *j);
