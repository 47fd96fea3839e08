/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/next_hop.h - the MTAs behind the edge: connections that are kept and lent, one transaction at a time.
 *
 *     relay_new ──► [waits for a connection ─► XCLIENT] ─► MAIL+RCPT ─► RCPT… ─► DATA ─► bytes ─► end ─► relay_free
 *                                                           each answered by one event
 *
 * MAIL is not asked for by itself: it goes out with the first RCPT, and what the MTA says against the sender is the answer to that one. So
 * a refused login, a mistyped recipient or a conversation without mail cost the MTA nothing, and accepted ones a round trip less.
 * The MTA is told whose mail it is by XCLIENT, anew only where that differs from what the connection was told last; or by the PROXY
 * protocol, at the beginning of a connection, which then serves that client alone.
 *
 * WAITING VERSUS REFUSING when all connections are lent, or no MTA takes a new one: a transaction waits, in order, up to HOP_WAIT; then
 * the client is told to come again. A connection that was kept and proves dead at its first command is replaced once, unseen by the
 * client; each MTA is tried once, and until the envelope it has HOP_WAIT for each answer, not the minutes of RFC 5321: it is near.
 * Owns:    its connections, and relays until relay_free().
 * Threads: one loop.
 * Limits:  HOP_LENT_MOST connections of a process, HOP_IDLE_MOST of them kept idle for HOP_IDLE. */
#pragma once

#include "base/io.h"
#include "base/time.h"
#include "policy/policy.h"
#include "smtp/client.h"

enum { HOP_LENT_MOST = 64, HOP_IDLE_MOST = 32 };
#define HOP_CONNECT (10 * SECOND)
#define HOP_WAIT (30 * SECOND)
#define HOP_IDLE (60 * SECOND)

struct hops;
struct relay;

enum relay_on {
        RELAY_ON_RCPT, /* the MTA's answer to the recipient asked for last */
        RELAY_ON_DATA, /* 354: bytes may come; else a refusal */
        RELAY_ON_DONE, /* the MTA's answer to the message */
        RELAY_ON_ROOM, /* bytes are wanted again */
        RELAY_ON_GONE, /* no MTA, or it went away: `reply` says what the client is told, `why` what the log says */
};

struct relay_event {
        enum relay_on on;
        struct smtp_reply reply;
        const char *why;
        bool unsure; /* GONE: the whole message was sent and no answer came: the MTA may have it */
};

struct hops_rules {
        const struct policy_mta *mtas; /* outlive the hops, as all of this */
        size_t n;
        struct smtp_client_rules smtp;
        struct ssl_ctx_st *tls; /* NULL: never */
        enum edge_identify identify;
        enum smtp_language language;
        int64_t wait; /* 0: HOP_WAIT */
};

struct hops *hops_new(struct loop *l, const struct hops_rules *rules);
void hops_free(struct hops *h); /* no relay is left by then */
/* Whether an MTA answered lately, or none was tried yet. */
bool hops_healthy(const struct hops *h);
struct hops_counts {
        uint64_t connects, reuses, failures, waits;
        size_t lent, idle;
};
struct hops_counts hops_counts(const struct hops *h);

/* `on` is called for every event; relay_free() may be called inside it. `mail` and `who` are copied. */
struct relay *relay_new(struct hops *h, const struct smtp_mail *mail, const struct slice who[SMTP_XCLIENT_COUNT],
                        void (*on)(void *arg, const struct relay_event *e), void *arg);
/* One question at a time. SMTP_CANNOT_…: the MTA does not offer what this recipient needs; no event follows. */
void relay_rcpt(struct relay *r, const struct smtp_rcpt *rcpt);
void relay_data(struct relay *r);
/* False: enough for now, RELAY_ON_ROOM follows. */
bool relay_bytes(struct relay *r, struct slice bytes);
/* A few bytes wait for more, for relay_end(), or for this: it is called when no more are at hand. */
void relay_flush(struct relay *r);
void relay_end(struct relay *r);
/* Its connection is kept where the transaction can be taken back, else dropped: an unfinished message is never ended. */
void relay_free(struct relay *r);
const char *relay_mta(const struct relay *r); /* "127.0.0.1:10025", for the log; "" while none */
