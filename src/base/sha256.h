/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/sha256.h - the SHA-256 digest (FIPS 180-4).
 *
 * Names a policy text by its content; no password and no signature depends on it.
 * Owns:    nothing.
 * Threads: pure.
 * Limits:  none. */
#pragma once

#include "base/slice.h"

enum { SHA256_HEX = 64 };

/* The digest of all of `s` as 64 hexadecimal digits and a final zero. */
void sha256_hex(struct slice s, char out[SHA256_HEX + 1]);
