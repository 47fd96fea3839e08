/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/password.h - passwords and their hashes: made, checked, found to be old.
 *
 * New hashes are yescrypt. Hashes of other systems (ledger/secrets_form.h) are only ever checked, and made anew when their owner logs in.
 * Bytes are taken as they come: "é" as one code point and as two are different passwords, for rewriting what was typed would lock out
 * whose program writes it the other way.
 * Owns:    nothing; working memory is wiped before it is freed.
 * Threads: pure but for libcrypt's working memory, one for each call.
 * Limits:  PASSWORD_LEAST to PASSWORD_MOST bytes for a new one; to check, at most PASSWORD_CHECK_MOST; none with a zero byte. */
#pragma once

#include "ledger/secrets_form.h"

enum { PASSWORD_LEAST = 8, PASSWORD_MOST = 128, PASSWORD_CHECK_MOST = 256 };
/* crypt(5)'s cost for yescrypt: 16 MiB and about 15 ms a check. 4: 8 MiB, 6: 32 MiB. */
enum { PASSWORD_COST = 5 };

/* A hash with a fresh salt into `out` (of SECRET_HASH_MOST + 1 bytes): 0, -EINVAL where the password cannot be hashed, or what the system said. */
int password_hash(struct slice password, char *out);
/* Whether it is the password of this hash; takes as long for a wrong one as for the right one. */
bool password_check(struct slice hash, struct slice password);
/* The work of a check without an answer: a login nobody has costs as much as one that exists. */
void password_waste(struct slice password);
/* To be made anew at the next login: not yescrypt at our cost. */
bool password_is_old(struct slice hash);

/* An application's password: 99 random bits as 20 letters in groups, "k3vq-2mza-…", and what is stored of it. A slow hash makes guessing
 * dear where few guesses find what people choose; 2^99 need no help. A fast one can be looked up, so that a mailbox may have many
 * without each wrong password costing as many checks. */
enum { APP_PASSWORD_TEXT = 24, APP_DIGEST_HEX = 64 };
int app_password_make(char out[APP_PASSWORD_TEXT + 1]);
/* The digest of what was typed, with capitals, blanks and hyphens as they may come; false where it cannot be one. */
bool app_password_digest(struct slice typed, char out[APP_DIGEST_HEX + 1]);
