/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/feed_inside.h - what the files feed*.c share: the driver, its batch, and the two kinds of sources.
 *
 * Owns:    see feed.h.
 * Threads: one.
 * Limits:  private to feed*.c. */
#pragma once

#include "base/loop.h"
#include "identity/bindings.h"
#include "identity/feed.h"
#include "identity/follow.h"
#include "ledger/client.h"

#include <netinet/in.h>

#define FEED_LOOK_EVERY (100 * INT64_C(1000)) /* at files */
#define FEED_POSITION_EVERY (5 * SECOND)      /* where nothing was found in what was read */

struct feeds;
struct listener;

/* One machine for all feeds of one kind: two servers of a pair tell of the same sessions. */
struct machine {
        struct slice source; /* of its events */
        struct bindings *bindings;
};

struct feed {
        struct feeds *feeds;
        const struct feed_source *source;
        struct machine *machine;
        struct feed_counts counts, shown;
        int64_t complained; /* monotonic: when a wrong record or packet was last told */
        /* a socket */
        struct buf secret;
        /* a file */
        char *path;
        struct follow *follow;
        struct reader *reader;
        struct slice place; /* as the ledger had it at the start */
        int trouble;
        bool shut_out;        /* its folder was not there when we locked ourselves in */
        bool caught_up, told; /* at its end; which was said once */
        bool moved;           /* moved: read on since the position was last written */
        int64_t written;
};

/* A request whose answer waits until its facts are in the ledger. */
struct waiting {
        struct listener *listener;
        struct feed *feed;
        struct sockaddr_in6 from; /* of either family */
        socklen_t from_n;
        struct in6_pktinfo to6; /* the address it was sent to: the answer comes from there */
        struct in_pktinfo to4;
        struct slice answer;
        size_t seen; /* its number among those seen */
        bool refused;
};

struct batch {
        struct arena *arena;
        struct lease *leases;
        size_t *of; /* of each lease, the request it follows from; SIZE_MAX: of none */
        size_t n, cap, of_cap, done;
        struct map places; /* of leases that follow from a file, by their key: index + 1 */
        struct waiting *waiting;
        size_t n_waiting, waiting_cap;
        struct feed *feed; /* whose place goes along; NULL: none */
        struct buf place;
        size_t request; /* what is emitted now follows from this one */
};

struct feeds {
        const struct feeds_options *o;
        struct loop *loop;
        struct watch *look, *tick, *retry;
        struct client *client;
        bool away, said_away; /* the batch waits for the keeper: nothing is read */
        struct machine *machines;
        struct feed *feeds;
        struct listener *listeners;
        size_t n_machines, n_feeds, n_listeners;
        struct seen *seen;
        struct batch batch;
        int64_t anew; /* monotonic: when to be started anew because something could not be opened; 0: all was */
        int64_t judged, counted; /* monotonic: when silence was judged, and the counts shown */
        char *piece;             /* FEED_PIECE bytes of a file */
};

/* --- feed.c --- */

/* What is in the batch, and where its source stands, into the ledger; then the answers. false: the keeper is away, and all is paused until
 * it is back. */
bool feeds_commit(struct feeds *f);
/* Whether a wrong record or packet of this feed may be told now: not more than a few a minute. */
bool feed_may_complain(struct feed *feed);

/* --- feed_socket.c --- */

/* One socket for each address and port. false: *why says what could not be had. */
bool sockets_open(struct feeds *f, struct buf *why);
void sockets_pause(struct feeds *f, bool pause);
void sockets_watch(struct feeds *f);
void sockets_answer(struct feeds *f);
void sockets_close(struct feeds *f);

/* --- feed_file.c --- */

void file_begin(struct feed *feed);
/* Reads and commits; true: there is more at once. */
bool file_look(struct feed *feed);
bool file_keep_place(struct feed *feed); /* and what is in the batch */
void file_end(struct feed *feed);
