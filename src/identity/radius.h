/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/radius.h - RADIUS accounting packets (RFC 2866): checked, read, answered.
 *
 * What a NAS reports becomes a struct accounting, whose meaning identity/accounting.h decides. Nothing of a packet is believed
 * before its authenticator agrees with the secret shared with that NAS. Status-Server (RFC 5997) is answered too, so that a
 * NAS can ask whether we are alive.
 * Owns:    nothing; slices point into the datagram, or to constants.
 * Threads: pure.
 * Limits:  RADIUS_MOST bytes a packet (RFC 2865 3). EVENT_HELD_MOST addresses and prefixes; more are passed over and counted.
 *
 * MD5 of libmd versus of OpenSSL: libmd is a few functions without state, start-up or configuration file; OpenSSL may refuse
 * MD5 altogether where it runs in FIPS mode. The protocol knows no other digest: who needs more than MD5 gives, carries
 * RADIUS in a tunnel. */
#pragma once

#include "identity/accounting.h"

enum { RADIUS_LEAST = 20, RADIUS_MOST = 4096, RADIUS_AUTHENTICATOR = 16, RADIUS_SECRET_MOST = 256 };

enum radius_code { RADIUS_ACCOUNTING = 4, RADIUS_ACCOUNTING_RESPONSE = 5, RADIUS_STATUS = 12 };

enum radius_found {
        RADIUS_GOOD,
        RADIUS_MALFORMED,    /* lengths that do not agree, or an attribute of the wrong size */
        RADIUS_OTHER_CODE,   /* neither accounting nor status: not for us */
        RADIUS_WRONG_SECRET, /* the authenticator, or the Message-Authenticator, does not agree with the secret */
};

struct radius_request {
        enum radius_code code;
        struct slice packet; /* of its own length: bytes behind it are padding */
        struct accounting report;
        unsigned passed_over; /* addresses and prefixes past EVENT_HELD_MOST */
        char cause[16];       /* of a termination whose number has no name; report.cause may point here */
};

/* Believes nothing but the lengths of the datagram. *ret is filled where the answer is RADIUS_GOOD: not to be copied, for report.cause may
 * point into it. */
enum radius_found radius_read(struct slice datagram, struct slice secret, struct radius_request *ret);
/* The answer: its length. Proxy-State is given back, all of it, in order. */
size_t radius_answer(const struct radius_request *r, struct slice secret, uint8_t out[RADIUS_MOST]);
