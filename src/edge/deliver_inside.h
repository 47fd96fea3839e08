/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/deliver_inside.h - what deliver.c (the duty, its connections) and deliver_talk.c (what is said on one) share.
 *
 * Owns:    see edge/deliver.h.
 * Threads: one.
 * Limits:  private to these two files. */
#pragma once

#include "base/io.h"
#include "edge/deliver.h"
#include "edge/usage.h"
#include "ledger/ledger.h"
#include "smtp/server.h"

enum { DELIVER_SAID_MOST = 255 };

struct envelope {
        struct buf from;
        uint64_t declared; /* MAIL SIZE=; 0: not said */
        int64_t *numbers, *quotas;
        size_t n, cap, cap_quotas;
        unsigned rcpts;
        struct maildir_message *file; /* from DATA on, while nothing failed */
        int failed;                   /* -errno: writing did; the rest of the message is read and thrown away */
        uint64_t taken;               /* bytes that came */
};

struct conversation {
        struct deliver *d;
        struct conversation *next, *before;
        struct io *io;
        struct smtp_server server;
        char *client, *login;  /* as XCLIENT told; NULL: it did not */
        struct envelope *mail; /* NULL outside a transaction */
};

struct deliver {
        const struct deliver_options *o;
        struct loop *loop;
        struct watch *listener, *tick;
        int socket;
        struct smtp_rules rules;
        struct maildir maildir;
        struct usage usage;
        struct ledger *ledger; /* NULL: to be opened */
        struct arena *arena;   /* of one recipient's look-up */
        struct conversation *all;
        unsigned n;
        uint64_t last_id;
        int64_t complained; /* about the ledger */
        int64_t stopping;   /* since then; 0: no */
        bool paused;        /* the listener, for want of descriptors */
};

/* One piece of input; false: the conversation is over, once `out` is written. */
bool talk_bytes(struct conversation *c, struct slice *in, struct buf *out);
/* The transaction is over, however it was. `outcome`: logged where the message had begun; NULL: it is logged already. */
void talk_forget(struct conversation *c, const char *outcome);
void talk_done(struct conversation *c); /* frees what the talk holds, not the conversation */
