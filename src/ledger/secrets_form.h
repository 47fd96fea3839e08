/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/secrets_form.h - which strings are password hashes: one row for each scheme, and one spelling of each hash.
 *
 * Hashes come from other systems' exports. A string that is none must never be stored: crypt(3)'s "*0" for "failed", an empty string, or a
 * cost that makes one check take minutes. What crypt(3) understands is kept as it is; digests of old directories get their scheme in
 * front, spelled as Dovecot spells it ("{SSHA}…").
 * Owns:    nothing.
 * Threads: pure.
 * Limits:  SECRET_HASH_MOST bytes; costs of bcrypt to 2^14, of SHA-crypt to 1,000,000 rounds, of yescrypt to 128 MB: about a second a check. */
#pragma once

#include "base/buf.h"

enum { SECRET_HASH_MOST = 384 };
/* What hashes that are made now begin with: "$y$", the cost, "$". */
#define SECRET_CURRENT "$y$j9T$"

enum secret_digest { DIGEST_NONE, DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

struct secret_form {
        const char *scheme;        /* "yescrypt", "SSHA" …: for people, never secret */
        enum secret_digest digest; /* DIGEST_NONE: for crypt(3) */
        struct slice payload;      /* what follows "{SCHEME}"; of crypt(3) the whole hash */
        bool hex;                  /* the payload's writing; else base64 */
        bool salted;               /* the payload holds digest and salt */
};

/* NULL and *ret, or what is wrong with it, without saying any of it. */
const char *secret_form_parse(struct slice text, struct secret_form *ret);
/* The one spelling that is stored and compared. */
void secret_form_print(const struct secret_form *f, struct buf *out);
/* The raw digest and salt of a payload; their length, or 0 where it is no such text. */
enum { SECRET_RAW_MOST = 64 + 64 };
size_t secret_form_raw(const struct secret_form *f, unsigned char out[SECRET_RAW_MOST]);
size_t secret_digest_size(enum secret_digest d);
