/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void sizes_read_and_print(void **state)
{
        static const struct {
                const char *text;
                int64_t bytes;
                const char *printed;
        } facts[] = {
                { "0", 0, "0" },
                { "1", 1, "1" },
                { "1023", 1023, "1023" },
                { "1024", KIB, "1K" },
                { "1536", 1536, "1536" },
                { "1K", KIB, "1K" },
                { "500M", 500 * MIB, "500M" },
                { "2G", 2 * GIB, "2G" },
                { "2048M", 2 * GIB, "2G" },
                { "3T", 3 * TIB, "3T" },
                { "1024T", SIZE_BYTES_MOST, "1024T" },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(facts); i++) {
                int64_t got = -1;
                char out[SIZE_TEXT_MAX];
                assert_true(size_parse(slice_of(facts[i].text), &got));
                assert_int_equal(got, facts[i].bytes);
                assert_string_equal(size_print(got, out), facts[i].printed);
        }
}

static void what_is_no_size(void **state)
{
        static const char *const facts[] = { "",
                                             "K",
                                             "-1",
                                             "+1",
                                             "1.5G",
                                             "1k",
                                             "2GB",
                                             "2 G",
                                             "1025T",
                                             "9007199254740993M",
                                             "18446744073709551616",
                                             "none",
                                             "0x10" };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(facts); i++) {
                int64_t got = -7;
                assert_false(size_parse(slice_of(facts[i]), &got));
                assert_int_equal(got, -7);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(sizes_read_and_print), cmocka_unit_test(what_is_no_size) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
