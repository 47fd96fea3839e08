/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/address.h - addresses of mail in one form only.
 *
 * Domains are in lower case and in ASCII: an international one is written as A-labels (xn--...), as it stands in the DNS. An address of ours is
 * in lower case as a whole, so that equal addresses are equal bytes in every table and map. An address elsewhere keeps its local part as it was
 * written: only its own server knows what case means there.
 * Quoted local parts (RFC 5321 4.1.2) and local parts outside ASCII (RFC 6531) are refused: too many servers on the way refuse them too, and
 * who asks for one cannot be reached. Ours also lack the characters by which old mailers route and mail stores make paths.
 * Owns:    nothing; canonical text is in the arena the caller gives.
 * Threads: pure functions.
 * Limits:  64 bytes before the @, 254 in all (RFC 5321 4.5.3.1.1 and the path of 4.5.3.1.3), 63 a label. */
#pragma once

#include "base/arena.h"

enum { ADDRESS_MOST = 254, ADDRESS_LOCAL_MOST = 64, DOMAIN_MOST = 253, DOMAIN_LABEL_MOST = 63 };

struct address {
        struct slice whole, local, domain; /* the last two are parts of the first */
};

enum address_whose { ADDRESS_ANY, ADDRESS_OURS };

/* NULL and *ret in canonical form, or what is wrong with it. */
const char *address_parse(struct slice text, enum address_whose whose, struct arena *a, struct address *ret);
const char *domain_parse(struct slice text, struct arena *a, struct slice *ret);
/* abuse and postmaster (RFC 2142): they exist by themselves in each domain. */
bool address_is_role(struct slice local);
/* Names no customer may have for a mailbox; in the network's own domain also those by whose mail certificates are given out. */
bool address_is_reserved(struct slice local, bool own_domain);
