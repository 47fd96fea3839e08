/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"
#include "smtp/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const unsigned char *p, size_t n, char *out)
{
        size_t w = 0;
        for (size_t i = 0; i < n; i += 3) {
                uint32_t b =
                    (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0u);
                out[w++] = alphabet[b >> 18];
                out[w++] = alphabet[b >> 12 & 63];
                out[w++] = i + 1 < n ? alphabet[b >> 6 & 63] : '=';
                out[w++] = i + 2 < n ? alphabet[b & 63] : '=';
        }
        return w;
}

/* In memory of exactly the size that the contract asks for. */
static bool decode(struct slice in, struct slice *ret, char **bytes)
{
        *bytes = xmalloc(in.n < 4 ? 1 : in.n / 4 * 3);
        ret->p = *bytes;
        return smtp_base64_decode(in, *bytes, &ret->n);
}

static void test_all_lengths_and_ends(void **state)
{
        (void)state;
        static const char *const tails[] = {
                "", "=", "==", "===", "====", "A", "A=", "A==", "AA=", "AA==", "=A", "=A=="
        };
        for (size_t n = 0; n <= 64; n++) {
                unsigned char bytes[64] = { 0 };
                char text[160];
                for (size_t i = 0; i < n; i++)
                        bytes[i] = (unsigned char)(n * 37 + i * 101 + 200);
                size_t length = encode(bytes, n, text), bare = length;
                while (bare && text[bare - 1] == '=')
                        bare--;
                for (size_t k = 0; k < COUNT_OF(tails); k++) {
                        autofree char *out = NULL;
                        struct slice got;
                        size_t t = strlen(tails[k]);
                        memcpy(text + bare, tails[k], t);
                        bool good = decode((struct slice){ text, bare + t }, &got, &out);
                        size_t pad = strspn(tails[k], "=");
                        bool only_pad = pad == t;
                        if (only_pad && t == length - bare) {
                                assert_true(good && got.n == n && memcmp(got.p, bytes, n) == 0);
                        } else if (only_pad || pad) {
                                if (good)
                                        fail_msg("%zu bytes with \"%s\" behind them were taken", n, tails[k]);
                        }
                }
        }
}

static void test_every_byte_in_every_place(void **state)
{
        (void)state;
        for (int c = 0; c < 256; c++)
                for (size_t at = 0; at < 4; at++) {
                        char text[4] = { 'A', 'A', 'A', 'A' };
                        autofree char *out = NULL;
                        struct slice got;
                        text[at] = (char)c;
                        bool good = decode((struct slice){ text, 4 }, &got, &out);
                        assert_int_equal(good, (c && strchr(alphabet, c)) || (c == '=' && at == 3));
                }
}

static void test_bits_left_over(void **state)
{
        (void)state;
        for (size_t i = 0; i < 64; i++) {
                char text[] = "AA==", other[] = "AAA=", bytes[3];
                size_t n;
                text[1] = alphabet[i];
                other[2] = alphabet[i];
                assert_int_equal(smtp_base64_decode(slice_of(text), bytes, &n), i % 16 == 0);
                assert_int_equal(smtp_base64_decode(slice_of(other), bytes, &n), i % 4 == 0);
        }
}

/* Lines of the client; the first is the initial response, "-" for none. */
static const struct {
        const char *name;
        enum smtp_mechanism mechanism;
        const char *lines[3];
        enum smtp_sasl_found want[3];
        const char *login, *password, *authzid;
} talks[] = {
        { "plain at once",
          SMTP_MECHANISM_PLAIN,
          { "AG1hcmlhAHMzY3JldA==" },
          { SMTP_SASL_WHOLE },
          "maria",
          "s3cret",
          "" },
        { "plain asked for",
          SMTP_MECHANISM_PLAIN,
          { "-", "AG1hcmlhAHMzY3JldA==" },
          { SMTP_SASL_ASK, SMTP_SASL_WHOLE },
          "maria",
          "s3cret",
          "" },
        { "plain for another",
          SMTP_MECHANISM_PLAIN,
          { "am9zZQBtYXJpYQBzM2NyZXQ=" },
          { SMTP_SASL_WHOLE },
          "maria",
          "s3cret",
          "jose" },
        { "plain without a password", SMTP_MECHANISM_PLAIN, { "AG1hcmlhAA==" }, { SMTP_SASL_WHOLE }, "maria", "", "" },
        { "plain, one NUL", SMTP_MECHANISM_PLAIN, { "AG1hcmlh" }, { SMTP_SASL_BAD }, .login = NULL },
        { "plain, a NUL too many", SMTP_MECHANISM_PLAIN, { "AG1hcmlhAHMzAHQ=" }, { SMTP_SASL_BAD }, .login = NULL },
        { "plain, no name", SMTP_MECHANISM_PLAIN, { "AABzM2NyZXQ=" }, { SMTP_SASL_BAD }, .login = NULL },
        { "plain, empty", SMTP_MECHANISM_PLAIN, { "=" }, { SMTP_SASL_BAD }, .login = NULL },
        { "plain, cancelled",
          SMTP_MECHANISM_PLAIN,
          { "-", "*" },
          { SMTP_SASL_ASK, SMTP_SASL_CANCELLED },
          .login = NULL },
        { "a star is no initial response", SMTP_MECHANISM_PLAIN, { "*" }, { SMTP_SASL_BAD }, .login = NULL },
        { "a line end in the name", SMTP_MECHANISM_PLAIN, { "AGEKYgBj" }, { SMTP_SASL_BAD }, .login = NULL },
        { "login",
          SMTP_MECHANISM_LOGIN,
          { "-", "bWFyaWE=", "czNjcmV0" },
          { SMTP_SASL_ASK, SMTP_SASL_NAME, SMTP_SASL_WHOLE },
          "maria",
          "s3cret",
          "" },
        { "login with the name at once",
          SMTP_MECHANISM_LOGIN,
          { "bWFyaWE=", "czNjcmV0" },
          { SMTP_SASL_NAME, SMTP_SASL_WHOLE },
          "maria",
          "s3cret",
          "" },
        { "login without a name", SMTP_MECHANISM_LOGIN, { "=" }, { SMTP_SASL_BAD }, .login = NULL },
        { "login, cancelled at the password",
          SMTP_MECHANISM_LOGIN,
          { "bWFyaWE=", "*" },
          { SMTP_SASL_NAME, SMTP_SASL_CANCELLED },
          .login = NULL },
        { "login, a NUL in the password",
          SMTP_MECHANISM_LOGIN,
          { "bWFyaWE=", "AHMz" },
          { SMTP_SASL_NAME, SMTP_SASL_BAD },
          .login = NULL },
        { "login, no base64",
          SMTP_MECHANISM_LOGIN,
          { "-", "maria!" },
          { SMTP_SASL_ASK, SMTP_SASL_BAD },
          .login = NULL },
};

static void test_talks(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(talks); i++) {
                struct smtp_sasl s;
                bool none = strcmp(talks[i].lines[0], "-") == 0;
                enum smtp_sasl_found got =
                    smtp_sasl_begin(&s, talks[i].mechanism, none ? slice_of(NULL) : slice_of(talks[i].lines[0]));
                for (size_t k = 0;; k++) {
                        if (got != talks[i].want[k])
                                fail_msg("%s: line %zu gave %d, not %d", talks[i].name, k, got, talks[i].want[k]);
                        if (got != SMTP_SASL_ASK && got != SMTP_SASL_NAME)
                                break;
                        assert_int_equal(smtp_sasl_challenge(&s).n,
                                         talks[i].mechanism == SMTP_MECHANISM_PLAIN ? 0 : 12);
                        got = smtp_sasl_line(&s, slice_of(talks[i].lines[k + 1]));
                }
                if (talks[i].login && (!slice_eq(s.name, slice_of(talks[i].login)) ||
                                       !slice_eq(s.password, slice_of(talks[i].password)) ||
                                       !slice_eq(s.authzid, slice_of(talks[i].authzid))))
                        fail_msg("%s: not what was sent", talks[i].name);
                smtp_sasl_done(&s);
                assert_null(s.bytes);
        }
}

static void test_limits(void **state)
{
        (void)state;
        for (size_t n = SMTP_PASSWORD_MOST - 1; n < SMTP_PASSWORD_MOST + 2; n++) {
                unsigned char bytes[SMTP_PASSWORD_MOST + 2];
                char text[2 * SMTP_PASSWORD_MOST];
                struct smtp_sasl s;
                memset(bytes, 'x', sizeof bytes);
                assert_int_equal(smtp_sasl_begin(&s, SMTP_MECHANISM_LOGIN, S("bWFyaWE=")), SMTP_SASL_NAME);
                size_t length = encode(bytes, n, text);
                assert_int_equal(smtp_sasl_line(&s, (struct slice){ text, length }),
                                 n <= SMTP_PASSWORD_MOST ? SMTP_SASL_WHOLE : SMTP_SASL_BAD);
                smtp_sasl_done(&s);
                length = encode(bytes, SMTP_LOGIN_MOST + n - SMTP_PASSWORD_MOST, text);
                assert_int_equal(smtp_sasl_begin(&s, SMTP_MECHANISM_LOGIN, (struct slice){ text, length }),
                                 n <= SMTP_PASSWORD_MOST ? SMTP_SASL_NAME : SMTP_SASL_BAD);
                smtp_sasl_done(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_lengths_and_ends),
                cmocka_unit_test(test_every_byte_in_every_place),
                cmocka_unit_test(test_bits_left_over),
                cmocka_unit_test(test_talks),
                cmocka_unit_test(test_limits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
