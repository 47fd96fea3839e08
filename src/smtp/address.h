/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/address.h - mailboxes and paths as RFC 5321 4.1.2 writes them, with UTF-8 as RFC 6531 3.3 allows.
 *
 * What is accepted is exactly what can be written again: smtp_path_print() of a parsed path parses to the same path. "%" and "!" are letters
 * like others: no routing is hidden in a local part. A source route is read strictly and dropped (RFC 5321 4.1.1.3, F.2): what goes on
 * is the mailbox at its end, and that one is judged. Two things that old programs write are taken though the RFC has them not: "_" in
 * domains, and paths without angle brackets.
 * Owns:    nothing; slices of the input.
 * Threads: pure; forward only.
 * Limits:  64 bytes before the "@", 255 behind it, 254 in all (RFC 5321 4.5.3.1), labels of 63. */
#pragma once

#include "base/buf.h"

enum { SMTP_LOCAL_MOST = 64, SMTP_DOMAIN_MOST = 255, SMTP_ADDRESS_MOST = 254, SMTP_LABEL_MOST = 63 };

struct smtp_path {
        struct slice local, domain; /* as written, with quotes and brackets; no domain only for <Postmaster> */
        bool null;                  /* <> */
        bool quoted, literal, utf8;
};

/* A mailbox at the start of *in, which moves on behind it. False: *in is untouched. */
bool smtp_mailbox_parse(struct slice *in, struct smtp_path *ret);
/* The whole slice is one mailbox. */
bool smtp_address_parse(struct slice s, struct smtp_path *ret);
/* "<" [route ":"] mailbox ">" or "<>", or a mailbox up to a blank or the end; also "<Postmaster>". */
bool smtp_path_parse(struct slice *in, struct smtp_path *ret);
void smtp_path_print(const struct smtp_path *p, struct buf *out); /* without brackets; nothing for the null path */
/* One text for all ways to write one mailbox: ASCII letters small (no provider of ours tells MARIA from maria), quotes only where they
 * must be, address literals in their short form. */
void smtp_path_canonical(const struct smtp_path *p, struct buf *out);
bool smtp_domain_valid(struct slice s);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). */
bool smtp_literal_valid(struct slice s);
