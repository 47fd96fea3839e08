/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/feed.h - sources of leases, followed live: sockets for RADIUS accounting, and files that grow.
 *
 * Bytes become events, events leases, and leases go to the keeper with the place the source stands at, in one commit. Only
 * then is a NAS answered. While the keeper is away, or says that it cannot write, nothing more is read and nobody is answered:
 * who reports keeps his report and sends it again. So whatever this process is killed in, nothing that was acknowledged is lost,
 * and nothing is read twice to another effect.
 * Owns:    sockets, followed files, the sessions it knows of, and one batch on its way to the keeper.
 * Threads: one, with its own loop; waiting for the keeper stops all of it, at most as long as the keeper's deadline.
 * Limits:  FEED_PACKETS_MOST packets, or of a file FEED_BACKLOG leases, a batch; what comes meanwhile waits in the socket's buffer of
 *          FEED_BUFFER bytes. FEED_SEEN requests are remembered for FEED_SEEN_FOR, so that one sent again is not one more. */
#pragma once

#include "identity/reader.h"
#include "policy/policy.h"

enum {
        FEED_PACKETS_MOST = 256,
        FEED_PIECE = 256 << 10,
        FEED_BUFFER = 8 << 20,
        FEED_BACKLOG = 50000,
        FEED_SEEN = 65536
};

#define FEED_SEEN_FOR MINUTE

struct feed_source {
        struct slice name; /* where it stands is kept under this name */
        bool radius;
        struct addr listen;
        uint16_t port;
        const struct prefix *nas; /* who may report */
        size_t n_nas;
        struct slice secret_file, file;
        enum reader_format format;
        struct slice realm;
        enum line_choice line;
};

#define FEED_COUNTS(X)                                                                                                 \
        X(packets) /* from who may report */                                                                           \
        X(answered)                                                                                                    \
        X(again) /* seen before */                                                                                     \
        X(malformed)                                                                                                   \
        X(wrong_secret)                                                                                                \
        X(unknown_nas) /* from who may not report, or to nobody's feed */                                              \
        X(unusable)    /* reports that say nothing a ledger could keep */                                              \
        X(overrun)     /* lost in the kernel, because we were slow */                                                  \
        X(bytes)       /* of a file */                                                                                 \
        X(events)                                                                                                      \
        X(wrong) /* records of a file */                                                                               \
        X(rotated)                                                                                                     \
        X(cut)                                                                                                         \
        X(leases)  /* new in the ledger, or changed there */                                                           \
        X(refused) /* leases the keeper will never take */
#define FEED_COUNT_FIELD(name) uint64_t name;
struct feed_counts {
        FEED_COUNTS(FEED_COUNT_FIELD)
};

struct feeds_options {
        const char *dir;
        const struct feed_source *sources;
        size_t n;
        bool alone; /* where no keeper runs, be it for a moment; a source that cannot be opened is the end */
        /* Called when all is open, with the folders that must stay readable; may be NULL. */
        void (*lock_in)(const char *const *folders, size_t n);
        bool (*still)(void); /* asked every second: false ends it, to be started anew; may be NULL */
        void (*progress)(const struct feed_counts *sum, size_t open, bool last); /* every second; may be NULL */
};

/* Until SIGTERM or SIGINT. Returns an exit status; what hinders it is on stderr. */
int feeds_run(const struct feeds_options *o);

/* What a policy says, and as text, to be compared with another policy's. The array is the caller's to free; texts are the policy's. */
struct feed_source *feeds_of_policy(const struct policy *p, size_t *n);
void feeds_wanted(const struct policy *p, struct buf *out);
