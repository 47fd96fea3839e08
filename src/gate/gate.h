/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate/gate.h - makes the kernel match the ledger.
 *
 * A gate holds one or two slots: the generation in force, and during a trial the one before it too. gate_follow() reads which
 * generations ought to stand, builds what is missing, and switches to it in one nft transaction; gate_changed() brings single
 * people up to date by netlink.
 * Owns:    its slots (policy, plan, crowd), a reader of the ledger, one netlink socket, and gate.lock.
 * Threads: one.
 * Limits:  one gate a state folder (gate.lock). Nothing is read back from the big maps.
 *
 * Files in the state folder: gate.lock, last-good.nft (what a unit loads before the network is up), last-good.nft.fingerprint (of our rules
 * as they were left: what was changed while no gate ran is seen by the next). */
#pragma once

#include "gate/kernel.h"
#include "gate/slot.h"
#include "ledger/client.h"

#include <sys/types.h>

struct gate {
        const char *dir;
        int lock_fd;
        struct netlink *netlink;
        struct ledger *ledger; /* NULL while it cannot be read */
        dev_t ledger_device;   /* which file it is */
        ino_t ledger_inode;
        struct client *client; /* borrowed while a verb is needed; NULL: opened for the moment */
        struct gate_slot standing, trial;
        int64_t trial_until;
        int64_t last_change;     /* of the ledger, already followed */
        uint64_t fingerprint;    /* of our rules as we left them */
        uint32_t ruleset_number; /* of the whole ruleset as we last saw it */
        bool drifted;            /* what stands is not ours: load everything anew */
        bool last_good_old;      /* people changed since last-good.nft was written */
};

/* Takes the lock. -EWOULDBLOCK: another gate runs (why says which). */
int gate_open(struct gate *g, const char *dir, struct buf *why);
void gate_close(struct gate *g);

/* Opens the ledger if it is not open, and anew where another file stands in its place. -ENOENT: there is none, or no generation was ever
 * in force. */
int gate_ledger(struct gate *g, struct buf *why);
/* Loads last-good.nft if our table does not stand; `anew`: also over what stands, for that may hold quarantines and leases whose end nobody
 * can tell. 1: it was loaded, 0: nothing to do. */
int gate_last_good(struct gate *g, bool anew, struct buf *why);
/* Writes last-good.nft anew where people changed since: a fixed address may be another's now. Takes as long as a change of
 * the whole. */
void gate_last_good_renew(struct gate *g, int64_t now);
/* The kernel as the ledger wants it: loads a prepared generation (and tells the ledger how it went), ends a trial that ran out,
 * follows dates, mends what others broke. 0; or -errno with `why`: the kernel is then as it was. */
int gate_follow(struct gate *g, int64_t now, struct buf *why);
/* These subscribers changed, or their time came. */
int gate_changed(struct gate *g, int64_t now, const struct slice *ids, size_t n, struct buf *why);
/* Prefix exemptions of the ledger changed: the wide layer is planned anew. */
int gate_replan(struct gate *g, int64_t now, struct buf *why);
/* When gate_follow() or gate_due() has something to do by the clock alone. */
int64_t gate_next(const struct gate *g);
/* People whose leases, quarantines or exemptions begin or end now. */
int gate_due(struct gate *g, int64_t now, struct buf *why);
/* Whether somebody changed our rules behind our back; then the next gate_follow() loads everything anew. */
int gate_check_drift(struct gate *g, bool *ret);

/* Routes that the kernel forgot, as it does when a link goes down, are made again. */
void gate_mend_routes(const struct gate *g);

/* The duty. lock_in is called once everything is open. Returns an exit status. */
struct gate_options {
        const char *dir;
        void (*lock_in)(void);
};
int gate_run(const struct gate_options *o);
