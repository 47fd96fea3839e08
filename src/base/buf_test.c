/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void grows_to_its_maximum(void **state)
{
        (void)state;
        autobuf b;
        buf_init(&b, 10);
        assert_string_equal(buf_cstr(&b), "");
        buf_adds(&b, "12345");
        buf_addf(&b, "%d%s", 67, "890");
        assert_string_equal(buf_cstr(&b), "1234567890");
        assert_false(b.full);
        buf_addc(&b, 'x');
        assert_true(b.full);
        assert_string_equal(buf_cstr(&b), "1234567890");
        buf_add(&b, S(""));
        assert_int_equal(b.n, 10);
        buf_clear(&b);
        assert_false(b.full);
        assert_string_equal(buf_cstr(&b), "");
}

/* What does not fit is left out whole, and nothing shorter slips in behind it. */
static void stays_full(void **state)
{
        (void)state;
        autobuf b;
        buf_init(&b, 4);
        buf_adds(&b, "abc");
        buf_addf(&b, "%s", "too long");
        buf_addc(&b, 'd');
        assert_true(b.full);
        assert_string_equal(buf_cstr(&b), "abc");
}

static void keeps_nul(void **state)
{
        (void)state;
        autobuf b;
        buf_init(&b, 100);
        buf_add(&b, S("a\0b"));
        assert_int_equal(buf_slice(&b).n, 3);
        autofree char *taken = buf_take(&b);
        assert_memory_equal(taken, "a\0b", 4);
        assert_int_equal(b.n, 0);
        buf_adds(&b, "again");
        assert_string_equal(buf_cstr(&b), "again");
        autobuf none;
        buf_init(&none, 1);
        autofree char *empty = buf_take(&none);
        assert_string_equal(empty, "");
}

static void escapes(void **state)
{
        (void)state;
        static const struct {
                struct slice text;
                const char *want;
        } rows[] = {
                { { "plain text", 10 }, "plain text" },
                { { "S\xC3\xA3o Paulo", 10 }, "S\xC3\xA3o Paulo" },
                { { "a\0b", 3 }, "a\\x00b" },
                { { "\x1b[2J", 4 }, "\\x1b[2J" },
                { { "say \"x\\\"", 8 }, "say \\x22x\\x5c\\x22" },
                { { "\xC2\x9B", 2 }, "\\xc2\\x9b" },
                { { "\xE2\x80\xAE", 3 }, "\\xe2\\x80\\xae" },
                { { "\xFF\xC3", 2 }, "\\xff\\xc3" },
                { { "\x7f\r\n", 3 }, "\\x7f\\x0d\\x0a" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autobuf b;
                buf_init(&b, 100);
                buf_add_escaped(&b, rows[i].text);
                assert_string_equal(buf_cstr(&b), rows[i].want);
        }
}

static void shows_quotes_to_people(void **state)
{
        (void)state;
        autobuf b;
        buf_init(&b, 100);
        buf_add_shown(&b, S("Padaria \"Boa\" \\ \x1b[31m\n"));
        assert_string_equal(buf_cstr(&b), "Padaria \"Boa\" \\ \\x1b[31m\\x0a");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(grows_to_its_maximum), cmocka_unit_test(stays_full),
                                            cmocka_unit_test(keeps_nul), cmocka_unit_test(escapes),
                                            cmocka_unit_test(shows_quotes_to_people) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
