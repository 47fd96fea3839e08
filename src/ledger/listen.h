/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/listen.h - hearing of changes, for duties: joined to the keeper while one runs.
 *
 * Owns:    the connection that notices come over.
 * Threads: one, that of the loop.
 * Limits:  joins only when asked to (listen_try): how often is the duty's to say. */
#pragma once

#include "base/loop.h"
#include "ledger/client.h"

struct listen {
        struct loop *loop;
        const char *dir;
        void (*heard)(void *arg,
                      bool gone); /* something changed; gone: the keeper went away, and the connection with it */
        void *arg;
        struct client *client; /* NULL: no keeper runs */
        struct watch *watch;
};

/* Joins where it is not joined and a keeper runs: whether it is joined now. */
bool listen_try(struct listen *l);
void listen_end(struct listen *l);
