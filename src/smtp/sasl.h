/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/sasl.h - the server's side of AUTH PLAIN (RFC 4616) and LOGIN, one line of base64 at a time.
 *
 * LOGIN tells the name before the password is asked for, so that a customer of another provider can be sent away with his password unsaid.
 * Owns:    name and password, of exactly their size, until smtp_sasl_done(), which wipes them.
 * Threads: pure.
 * Limits:  names of SMTP_LOGIN_MOST bytes, passwords of SMTP_PASSWORD_MOST; none may hold a NUL, a name no control byte. */
#pragma once

#include "base/slice.h"

enum { SMTP_LOGIN_MOST = 320, SMTP_PASSWORD_MOST = 1024 };

enum smtp_mechanism { SMTP_MECHANISM_NONE, SMTP_MECHANISM_PLAIN, SMTP_MECHANISM_LOGIN };

enum smtp_sasl_found {
        SMTP_SASL_ASK,       /* send smtp_sasl_challenge() and read another line */
        SMTP_SASL_NAME,      /* LOGIN: `name` is known; if it is welcome, send the challenge and read on */
        SMTP_SASL_WHOLE,     /* name and password are there */
        SMTP_SASL_CANCELLED, /* "*" (RFC 4954 4) */
        SMTP_SASL_BAD,       /* no base64, or not what the mechanism says */
};

struct smtp_sasl {
        char *bytes, *secret; /* what the slices point into */
        struct slice authzid, name, password;
        uint8_t mechanism;
};

enum smtp_mechanism smtp_mechanism_of(struct slice word);
/* `initial` as it stood behind AUTH MECHANISM; p is NULL where there was none, "=" stands for an empty one. */
enum smtp_sasl_found smtp_sasl_begin(struct smtp_sasl *s, enum smtp_mechanism mechanism, struct slice initial);
enum smtp_sasl_found smtp_sasl_line(struct smtp_sasl *s, struct slice line);
/* Base64 of what is asked for next: nothing, "Username:", "Password:". */
struct slice smtp_sasl_challenge(const struct smtp_sasl *s);
void smtp_sasl_done(struct smtp_sasl *s);

/* RFC 4648 4, strictly: no blanks, padding where it belongs, no bits left over. `out` has room for in.n / 4 * 3 bytes. */
bool smtp_base64_decode(struct slice in, char *out, size_t *n);
