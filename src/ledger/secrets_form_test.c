/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/secrets_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define B43 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO12"
#define B86 B43 B43

static void hashes_and_their_one_spelling(void **state)
{
        (void)state;
        static const struct {
                const char *text, *scheme, *printed; /* printed NULL: as it came */
        } rows[] = {
                { "$y$j9T$abcd$" B43, "yescrypt", NULL },
                { "$y$j75$a$" B43, "yescrypt", NULL },
                { "$6$salt$" B86, "SHA512-CRYPT", NULL },
                { "$6$rounds=5000$salt$" B86, "SHA512-CRYPT", NULL },
                { "$5$$" B43, "SHA256-CRYPT", NULL },
                { "$2y$10$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1", "bcrypt", NULL },
                { "$1$abcdefgh$abcdefghijklmnopqrstuv", "MD5-CRYPT", NULL },
                { "rl.3StKT.4T8M", "DES-CRYPT", NULL },
                { "{CRYPT}$1$abcdefgh$abcdefghijklmnopqrstuv", "MD5-CRYPT", "$1$abcdefgh$abcdefghijklmnopqrstuv" },
                { "{md5-crypt}$1$abcdefgh$abcdefghijklmnopqrstuv", "MD5-CRYPT", "$1$abcdefgh$abcdefghijklmnopqrstuv" },
                { "{MD5}$1$abcdefgh$abcdefghijklmnopqrstuv", "MD5-CRYPT", "$1$abcdefgh$abcdefghijklmnopqrstuv" },
                { "{crypt}rl.3StKT.4T8M", "DES-CRYPT", "rl.3StKT.4T8M" },
                { "{MD5}1B2M2Y8AsgTpgAmY7PhCfg==", "LDAP-MD5", "{LDAP-MD5}1B2M2Y8AsgTpgAmY7PhCfg==" },
                { "{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427e", "PLAIN-MD5", NULL },
                { "{sha}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "SHA", "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=" },
                { "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk", "SHA", NULL },
                { "{SSHA}2jmj7l5rSw0yVb/vlWAYkK/YBwlzYWx0", "SSHA", NULL },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct secret_form f;
                autobuf out;
                buf_init(&out, 1024);
                const char *wrong = secret_form_parse(slice_of(rows[i].text), &f);
                if (wrong)
                        fail_msg("%s: %s", rows[i].text, wrong);
                secret_form_print(&f, &out);
                assert_string_equal(f.scheme, rows[i].scheme);
                assert_string_equal(buf_cstr(&out), rows[i].printed ? rows[i].printed : rows[i].text);
        }
}

static void what_is_none(void **state)
{
        (void)state;
        static const struct slice rows[] = {
                S(""),
                S("*"),
                S("*0"),
                S("*1"),
                S("!"),
                S("!!"),
                S("x"),
                S("senha123"),
                S("$"),
                S("$y$"),
                S("$y$j9T"),
                S("$y$j9T$$" B43),          /* no salt */
                S("$y$j9T$abcd$" B43 "x"),  /* too long */
                S("$y$jFT$abcd$" B43),      /* a gigabyte and more a check */
                S("$y$j9T$abcd$" B43 "\0"), /* ends in a zero byte */
                S("$y$j9T$ab\ncd$" B43),
                S("$y$j9T$ab:cd$" B43),
                S("$y$j9T$ab'cd$" B43 "' OR ''='"),
                S("$6$rounds=999999999$salt$" B86), /* minutes a check */
                S("$6$rounds=0$salt$" B86),
                S("$6$rounds=$salt$" B86),
                S("$6$rounds=01000$salt$" B86),
                S("$6$rounds=5000" B86),
                S("$6$salt-that-is-long$" B86),
                S("$6$salt$" B43),
                S("$5$salt$" B86),
                S("$2y$31$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1"), /* days */
                S("$2y$03$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1"),
                S("$2y$10$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ12"),
                S("$2x$10$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1"), /* known broken */
                S("$1$abcdefghi$abcdefghijklmnopqrstuv"),
                S("$1$abcdefgh$abcdefghijklmnopqrstu"),
                S("{}"),
                S("{CRYPT}"),
                S("{CRYPT}*0"),
                S("{PLAIN}secret"),
                S("{CRYPT"),
                S("{CRYPT}{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
                S("{SHA}"),
                S("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=="),
                S("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwl="), /* bits left over */
                S("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwlzYWx0"),
                S("{SSHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="), /* salt where none is, none where one is */
                S("{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427"),
                S("{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427g"),
                S("{PLAIN-MD5}1B2M2Y8AsgTpgAmY7PhCfg=="),
                S("{LDAP-MD5}d41d8cd98f00b204e9800998ecf8427e"),
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct secret_form f;
                if (!secret_form_parse(rows[i], &f))
                        fail_msg("taken: %.*s", SLICE_ARGS(rows[i]));
        }
        char text[SECRET_HASH_MOST + 2];
        memset(text, 'a', sizeof text);
        struct secret_form f;
        assert_string_equal(secret_form_parse((struct slice){ text, SECRET_HASH_MOST + 1 }, &f),
                            "is too long for a password hash");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(hashes_and_their_one_spelling),
                                            cmocka_unit_test(what_is_none) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
