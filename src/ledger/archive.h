/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/archive.h - the leases that are over: segments listed in the table `segment`, and how the readers of the ledger see them.
 *
 * What is listed is part of the ledger, and what is not is none of it: a file without a row is swept away, a row without its file is damage.
 * A lease may stand in more than one place under one key; what counts is the live table first, then a correction in a newer segment of
 * the same month. So a lease that is archived can still be put right by its feed: the live table gets it anew.
 * Ranks order the segments of a month by age: a merged one has the rank of its newest part.
 * Owns:    the mappings, as part of a struct ledger.
 * Threads: one.
 * Limits:  private to ledger/. Called within a transaction (db_snapshot). -EAGAIN: a segment went away since the transaction began. */
#pragma once

#include "ledger/rows.h"
#include "ledger/segment.h"

struct part {
        int64_t id, rank, added;
        struct segment_info info;
        struct segment *segment; /* NULL until it is looked into */
};

struct merge;

struct archive {
        char *dir;          /* the state folder */
        int64_t version;    /* of the list; -1: not read */
        struct part *parts; /* by rank */
        size_t n, cap;
        struct archive_writing *writing; /* the keeper's (archive_keep.h); NULL in readers */
};

struct archive *archive_new(const char *dir);
void archive_free(struct archive *a);  /* NULL is fine */
void archive_stale(struct archive *a); /* a rollback: what was read may never have been */
/* Brings the list up to date. Without an archive (a ledger in memory) it is empty. */
int archive_refresh(struct ledger *l);
int archive_open_part(struct ledger *l, struct part *p);
/* Whether anything in the archive may have ended after `at`. */
bool archive_reaches(const struct ledger *l, int64_t at);

/* Who asks, and for what: the port 0, the protocol empty: any. */
struct asked {
        uint16_t port;
        struct slice proto;
        int64_t from, until;
};
/* Adds the leases that cover the address, each once for each subscriber who had its line then. In no order. */
int archive_holders(struct rows *rows, const struct addr *addr, const struct asked *q);
/* Those inside a prefix, and narrower than it, in one realm. */
int archive_inside(struct rows *rows, const struct prefix *p, struct slice realm, int64_t at, size_t most);
/* Those that ended after `since` and had begun at `at` (TIME_NEVER: whenever), on a line a subscriber had then (meanwhile). number 0: by
 * id, whoever had that id. */
int archive_of_subscriber(struct rows *rows, struct slice id, int64_t number, int64_t since, int64_t at);
/* Everybody's that ended after `since`, by prefix and start, at most `most`. */
int archive_walk(struct rows *rows, int64_t since, size_t most);
/* Every lease that counts and is wanted, in no order, and kept nowhere: its texts live until the callback returns. `wanted` is asked first, for
 * whether one counts costs a look at the live table. */
int archive_each(struct ledger *l, bool (*wanted)(void *arg, const struct lease *lease),
                 void (*each)(void *arg, const struct lease *lease), void *arg);
/* Whether the archive has a lease of this key that counts. */
int archive_has(struct ledger *l, const struct lease *key, bool *ret);
/* Whether a newer segment of its month corrects this part's lease of that key. */
int archive_corrected(struct ledger *l, const struct part *p, const struct lease *key, bool *ret);
void leases_sort(struct rows *rows, size_t most); /* by prefix and start */

/* A folder is there; one that was missing gets the owner of its parent, where we may give it. */
int archive_folder(const char *path, const char *parent);
/* STATE/leases and STATE/leases/incoming are there. */
int archive_folders(const char *dir);
/* STATE/leases/incoming */
char *archive_incoming(const char *dir);
/* STATE/leases/2026-11/7.seg */
char *archive_path(const char *dir, int64_t month, int64_t id);
