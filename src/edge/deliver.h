/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/deliver.h - the next hop where no MTA stands behind: SMTP on DIR/deliver.sock, Maildirs behind it.
 *
 * For a first try and for small networks. The edge speaks to it as to any MTA: EHLO, XCLIENT, MAIL, RCPT, DATA; no TLS and no AUTH, for the
 * socket is the duties' own. 250 after DATA means that the message is on disk (edge/maildir.h); all that goes wrong is a 4xx with a
 * reason; what has no mailbox here is a 550, for nobody would send it on (edge/route.h).
 *
 * ALL OR NOBODY VERSUS WHO HAS ROOM. Where an alias leads to several mailboxes and one of them is full, the recipient is put off: to take it
 * for the others would lose that one's copy, and there is no queue to keep it in.
 * Owns:    the socket, the maildir folder while it runs, conversations.
 * Threads: one, with its own loop. The flush of a message stops all conversations for its moment.
 * Limits:  connections, bytes of a message: options. DELIVER_RCPTS_MOST recipients, DELIVER_BOXES_MOST mailboxes a message. A conversation
 *          costs a kilobyte, a message under way MAILDIR_PIECE more; who does not read is dropped at IO_BACKLOG or at his deadline. */
#pragma once

#include "edge/maildir.h"
#include "policy/policy.h"

enum {
        DELIVER_CONNECTIONS_MOST = 200,
        DELIVER_SIZE_MOST = 50 << 20,
        DELIVER_RCPTS_MOST = 100,
        DELIVER_BOXES_MOST = 1000,
};

struct deliver_options {
        const char *dir;
        const char *maildir;                  /* NULL: no generation wants one: locks itself in and waits for still() */
        const struct policy *(*policy)(void); /* for quotas, and whose postmaster is meant; may be NULL */
        uint64_t size_most;                   /* 0: DELIVER_SIZE_MOST */
        unsigned rcpts_most;                  /* 0: DELIVER_RCPTS_MOST */
        unsigned connections_most;            /* 0: DELIVER_CONNECTIONS_MOST */
        int64_t command_wait;                 /* µs a client may take for a command; 0: five minutes */
        void (*lock_in)(const char *maildir); /* called when all is open; may be NULL */
        bool (*still)(void);                  /* asked every second: false ends it, to be started anew; may be NULL */
        const struct maildir_hook *hook;      /* for tests */
};

/* Until SIGTERM or SIGINT. Returns an exit status; what hinders it is on stderr. */
int deliver_run(const struct deliver_options *o);
