/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/sight.h - the duty that sees: what the gate's rules log becomes sightings in the ledger.
 *
 * Packets come by NFLOG, are summed in a tally, wait in an outbox for the keeper, and are stored by it. The kernel logs
 * only the first packet of an attempt, and only where the source is not forged (gate/nft.c): one event is one attempt.
 * So that the sum of all sightings and of all losses is the kernel's own counter, everything that cannot be kept is
 * counted: numbers the kernel gave and we never saw, attempts for which there was no room, rows the keeper does not
 * take.
 * Owns:    its socket where it opened it, its tally, its outbox.
 * Threads: one process, one loop.
 * Limits:  TALLY_SOURCES_MOST sources at a time, SIGHT_TABLES_MOST such tables a minute; OUTBOX_MOST rows while the
 *          keeper is away. A keeper killed between its commit and its answer may make one batch count twice: what it
 *          wrote is then not known.
 *
 * Destinations are kept as a sketch under the key in the state folder's sketch.key (made at the first start), so that
 * sketches of one subscriber merge over minutes and restarts. */
#pragma once

#include "base/base.h"

enum { SIGHT_TABLES_MOST = 4 };

struct sight_options {
        const char *dir;       /* the state folder */
        int nflog_fd;          /* a descriptor of nflog_open(); -1: opened here, which needs CAP_NET_ADMIN */
        uint16_t group;        /* NFLOG group, where it is opened here */
        void (*lock_in)(void); /* called once everything is open; may be NULL */
        bool (*still)(void);   /* asked at every tick: false ends the duty, to be started anew; may be NULL */
};

/* Runs until SIGTERM or SIGINT. Returns an exit status. */
int sight_run(const struct sight_options *o);

/* The sketch key of a state folder, made where there is none: 0 or -errno. */
int sight_key(const char *dir, uint8_t key[16]);
