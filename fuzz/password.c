/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strings that say they are hashes: one spelling, read again it is the same; digests are checked, and what people would type is weighed.
 * (crypt(3) itself is slow on purpose: libxcrypt's own tests see to it.) */
#include "auth/password.h"
#include "auth/quality.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice password, text = slice_cut((struct slice){ (const char *)data, n }, '\n', &password);
        struct secret_form f, again;
        char digest[APP_DIGEST_HEX + 1];
        struct password_owner owner = { .login = text, .name = text };
        password_weak(NULL, password.p ? password : text, &owner);
        app_password_digest(text, digest);
        if (secret_form_parse(text, &f))
                return 0;
        autobuf out;
        buf_init(&out, 4096);
        secret_form_print(&f, &out);
        if (secret_form_parse(buf_slice(&out), &again) || f.digest != again.digest ||
            !slice_eq(f.payload, again.payload))
                panic("a hash came back changed");
        if (f.digest != DIGEST_NONE)
                password_check(buf_slice(&out), password);
        return 0;
}
