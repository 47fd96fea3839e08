/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/event.h - one statement of an access network about who holds what: the common word of RADIUS, DHCP, CSV and NAT logs.
 *
 * Readers turn bytes into events, bindings.h turns events into leases.
 * Owns:    nothing; slices point into what the reader was given and live until its next record.
 * Threads: values.
 * Limits:  EVENT_HELD_MOST addresses, prefixes and port blocks in one event. */
#pragma once

#include "ledger/ledger.h"

enum { EVENT_HELD_MOST = 8 };

#define EVENT_KINDS(X)                                                                                                 \
        X(BEGINS, "begins")         /* a session or lease began: Start, a new DHCP lease, "block allocated" */         \
        X(HOLDS, "holds")           /* it is going on: Interim-Update, a renewal; may name further prefixes */         \
        X(ENDS, "ends")             /* Stop, release, expiry, "block released" */                                      \
        X(NAS_RESETS, "nas-resets") /* Accounting-On or -Off: all sessions of that NAS are over */                     \
        X(IS, "is")                 /* a whole lease, [start, expires), from who knows: nothing else follows from it */
#define EVENT_ENUM(id, name) EVENT_##id,
enum event_kind { EVENT_KINDS(EVENT_ENUM) };

struct held {
        struct prefix prefix;
        struct slice proto;           /* empty: all */
        uint16_t port_low, port_high; /* 0 and 0: all ports */
};

struct event {
        enum event_kind kind;
        int64_t at;    /* when it was so, µs UTC: the source's own clock, corrected by what it says of delay */
        int64_t start; /* when the holding began, as far as this event tells (Acct-Session-Time …); 0: it does not */
        int64_t expires;                 /* when it ends by itself (DHCP); TIME_NEVER: by an event only */
        struct slice source;             /* "radius", "dhcp", "cgnat", "csv" */
        struct slice realm;              /* empty: the Internet */
        struct slice nas, session, user; /* as the source names them; user is the raw name, for the key of the lease */
        struct line line; /* canonical (ledger/line.h); kind empty: the event names nobody (an end by address) */
        struct held held[EVENT_HELD_MOST];
        size_t n_held;
        struct slice why;      /* of an end, as the source says: "User-Request"; empty where it does not */
        struct slice evidence; /* where to read it again: "FILE:LINE" or "ADDRESS:PORT packet ID" */
};
