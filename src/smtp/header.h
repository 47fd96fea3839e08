/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/header.h - the head of a message as it streams by: what is there, what is missing, who says it wrote it.
 *
 * Fed with what smtp/data lets through, in any pieces. It keeps From and Sender, counts the rest, and tells where the head ends, so that
 * the driver can put what is missing there before it lets the head go.
 * Owns:    the values of From and Sender, until smtp_header_done().
 * Threads: pure.
 * Limits:  SMTP_HEADER_MOST bytes of head (Postfix header_size_limit), SMTP_FIELD_MOST of From and of Sender. */
#pragma once

#include "smtp/mailboxes.h"

enum { SMTP_HEADER_MOST = 102400, SMTP_FIELD_MOST = 8192, SMTP_FIELD_NAME_MOST = 32, SMTP_HOPS_MOST = 50 };

enum smtp_header_found {
        SMTP_HEADER_MORE,
        SMTP_HEADER_END,     /* the empty line; it is not taken from the input: what is missing goes before it */
        SMTP_HEADER_TOO_BIG, /* refuse */
};

/* Fields that are counted: X(id, name) */
#define SMTP_FIELDS(X)                                                                                                 \
        X(FROM, "from")                                                                                                \
        X(SENDER, "sender")                                                                                            \
        X(DATE, "date")                                                                                                \
        X(MESSAGE_ID, "message-id")                                                                                    \
        X(RECEIVED, "received")                                                                                        \
        X(RETURN_PATH, "return-path")                                                                                  \
        X(DELIVERED_TO, "delivered-to")                                                                                \
        X(BCC, "bcc")                                                                                                  \
        X(RESENT_FROM, "resent-from")                                                                                  \
        X(RESENT_SENDER, "resent-sender")
#define SMTP_FIELD_ENUM(id, name) SMTP_FIELD_##id,
enum smtp_field { SMTP_FIELDS(SMTP_FIELD_ENUM) SMTP_FIELD_COUNT };

struct smtp_header {
        uint32_t count[SMTP_FIELD_COUNT];
        struct buf from,
            sender; /* unfolded; of more than one field all, parted by a comma that makes no address of them */
        uint32_t bytes, line;
        bool broken;    /* a line that is no field: others may see the end of the head there */
        bool long_line; /* over 998 (RFC 5322 2.1.1) */
        bool eight_bit;
        uint8_t state, field, name_n;
        char name[SMTP_FIELD_NAME_MOST];
};

void smtp_header_init(struct smtp_header *h);
void smtp_header_done(struct smtp_header *h);
enum smtp_header_found smtp_header_next(struct smtp_header *h, struct slice *in);
/* The message ended within its head: it has no body. */
void smtp_header_end(struct smtp_header *h);

enum smtp_author {
        SMTP_AUTHOR_CLEAR,   /* *ret has every address that a reader may take for the author */
        SMTP_AUTHOR_MISSING, /* no From at all */
        SMTP_AUTHOR_UNCLEAR, /* two From, a list that can be read in two ways, a head with an early end: refuse where it matters */
};
/* Slices of h. */
enum smtp_author smtp_header_author(const struct smtp_header *h, struct smtp_mailboxes *ret);
/* The same of Sender, which is one address where it is there at all. */
enum smtp_author smtp_header_sender(const struct smtp_header *h, struct smtp_mailboxes *ret);

/* ---- what the driver adds, each with its CRLF, folded (RFC 5322 2.2.3, RFC 6409 8) ---- */

/* "Tue, 24 Nov 2026 12:33:43 -0300" */
void smtp_date_put(struct buf *out, int64_t us, int zone_minutes);
void smtp_put_date(struct buf *out, int64_t us, int zone_minutes);
void smtp_put_message_id(struct buf *out, int64_t us, uint64_t random, struct slice host);

struct smtp_trace {
        struct slice host;  /* ours */
        struct slice token; /* which only the abuse desk can open; nothing else of the customer stands in it */
        uint64_t id;        /* the reference */
        bool esmtp, tls, authenticated, utf8;
        int64_t now;
        int zone_minutes;
};
/* Received, for the top of the message (RFC 5321 4.4). */
void smtp_put_received(struct buf *out, const struct smtp_trace *t);
