/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/tls.h - the edge's certificates as OpenSSL wants them: one context, and one more for each name.
 *
 * The name a client asks for (SNI) is a key for an exact look-up and nothing else (CVE-2019-15846); unknown names and none get the first
 * certificate. A client that offers other protocols by ALPN, such as a browser made to speak to us (ALPACA), gets an alert.
 * Owns:    its contexts.
 * Threads: one.
 * Limits:  TLS 1.2 and 1.3; no renegotiation, no compression, no client certificates. */
#pragma once

#include "edge/setup.h"

struct ssl_ctx_st;
struct tls;

/* Certificates that cannot be used are left out, each with a sentence in `why` (one a line). NULL where none is left. */
struct tls *tls_new(const struct setup_certificate *all, size_t n, struct buf *why);
void tls_free(struct tls *t);
struct ssl_ctx_st *tls_server(const struct tls *t);
/* For connections to an MTA: encrypts, and takes any certificate (the MTA is ours). */
struct ssl_ctx_st *tls_client(void);
/* 0 where the pair can be used; else a sentence in `why`. A certificate that is over can be used: the client judges it. */
int tls_check(const struct setup_certificate *c, struct buf *why);
/* Its end has passed. Of a pair that can be used. */
bool tls_is_over(const struct setup_certificate *c);
