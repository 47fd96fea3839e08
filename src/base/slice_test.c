/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void compares(void **state)
{
        (void)state;
        assert_true(slice_eq(S("a\0b"), S("a\0b")));
        assert_false(slice_eq(S("a\0b"), S("a\0c")));
        assert_true(slice_eq(S(""), (struct slice){ NULL, 0 }));
        assert_true(slice_ieq(S("MAIL"), S("mail")));
        assert_false(slice_ieq(S("mail"), S("mai1")));
        assert_true(slice_cmp(S("a"), S("ab")) < 0);
        assert_true(slice_cmp(S("b"), S("ab")) > 0);
        assert_int_equal(slice_cmp(S(""), (struct slice){ NULL, 0 }), 0);
        assert_true(slice_starts(S("port25"), S("port")));
        assert_false(slice_starts(S("por"), S("port")));
        assert_true(slice_ends(S("port25"), S("25")));
        assert_false(slice_ends(S("5"), S("25")));
}

static void cuts(void **state)
{
        (void)state;
        struct slice rest;
        assert_true(slice_eq(slice_cut(S("a/b/c"), '/', &rest), S("a")));
        assert_true(slice_eq(rest, S("b/c")));
        assert_true(slice_eq(slice_cut(S("abc"), '/', &rest), S("abc")));
        assert_null(rest.p);
        assert_true(slice_eq(slice_cut(S("abc/"), '/', &rest), S("abc")));
        assert_non_null(rest.p); /* empty, but there */
        assert_int_equal(rest.n, 0);
        assert_true(slice_eq(slice_trim(S(" \t a b\r\n")), S("a b")));
        assert_int_equal(slice_trim(S(" \t")).n, 0);
        assert_int_equal(slice_find(S("abc"), 'c'), 2);
        assert_int_equal(slice_find(S("abc"), 'd'), 3);
        assert_int_equal(slice_from((struct slice){ NULL, 0 }, 0).n, 0);
}

static void numbers(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                uint64_t max;
                bool good;
                uint64_t want;
        } rows[] = {
                { "0", 9, true, 0 },
                { "007", 9, true, 7 },
                { "65535", 65535, true, 65535 },
                { "65536", 65535, false, 0 },
                { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
                { "18446744073709551616", UINT64_MAX, false, 0 },
                { "99999999999999999999999", UINT64_MAX, false, 0 },
                { "", 9, false, 0 },
                { "-1", 9, false, 0 },
                { "+1", 9, false, 0 },
                { " 1", 9, false, 0 },
                { "1a", 9, false, 0 },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                uint64_t n = 42;
                bool good = slice_u64(slice_of(rows[i].text), rows[i].max, &n);
                if (good != rows[i].good || n != (good ? rows[i].want : 42))
                        fail_msg("\"%s\" gives %d %llu", rows[i].text, good, (unsigned long long)n);
        }
}

static void utf8(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                size_t want;
        } rows[] = {
                { "", 0 },
                { "a", 0 }, /* ASCII is not its business */
                { "\xC3\xA3o", 2 },
                { "\xE2\x82\xAC", 3 },
                { "\xF0\x9F\x98\x80", 4 },
                { "\xC3", 0 },             /* cut off */
                { "\xA3", 0 },             /* a tail alone */
                { "\xC0\xAF", 0 },         /* overlong */
                { "\xE0\x80\xAF", 0 },     /* overlong */
                { "\xF0\x80\x80\xAF", 0 }, /* overlong */
                { "\xED\xA0\x80", 0 },     /* surrogate */
                { "\xF4\x90\x80\x80", 0 }, /* past U+10FFFF */
                { "\xF5\x80\x80\x80", 0 },
                { "\xC2\x9B", 0 },     /* C1: begins an escape sequence */
                { "\xE2\x80\xAE", 0 }, /* turns the text */
                { "\xE2\x81\xA6", 0 },
                { "\xE2\x80\xA8", 0 }, /* line separator */
                { "\xE2\x80\x94", 3 },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (slice_utf8(slice_of(rows[i].text)) != rows[i].want)
                        fail_msg("row %zu: %zu, want %zu", i, slice_utf8(slice_of(rows[i].text)), rows[i].want);
        assert_int_equal(slice_utf8_span(S("")), 0);
        assert_int_equal(slice_utf8_span(S("Jo\xc3\xa3o")), 5);
        assert_int_equal(slice_utf8_span(S("Jo\xe3o")), 2);
        assert_int_equal(slice_utf8_span(S("Jo\xc3")), 2);
        assert_int_equal(slice_utf8_span(S("a\xc2\x85")), 1);
}

static void distances(void **state)
{
        (void)state;
        assert_int_equal(slice_distance(S("prefx"), S("prefix"), 9), 1);
        assert_int_equal(slice_distance(S("Prefix"), S("prefix"), 9), 0); /* case does not count */
        assert_int_equal(slice_distance(S("kitten"), S("sitting"), 9), 3);
        assert_int_equal(slice_distance(S(""), S("abc"), 9), 3);
        assert_int_equal(slice_distance(S("abc"), S("xyzuvw"), 2), 2); /* cut off */
        char many[64];
        memset(many, 'a', sizeof many);
        assert_int_equal(slice_distance((struct slice){ many, sizeof many }, S("a"), 5), 5);
}

static void copies(void **state)
{
        (void)state;
        autofree char *copy = slice_dup(S("a\0b"));
        assert_memory_equal(copy, "a\0b", 4);
        autofree char *empty = slice_dup((struct slice){ NULL, 0 });
        assert_string_equal(empty, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(compares),  cmocka_unit_test(cuts),
                                            cmocka_unit_test(numbers),   cmocka_unit_test(utf8),
                                            cmocka_unit_test(distances), cmocka_unit_test(copies) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
