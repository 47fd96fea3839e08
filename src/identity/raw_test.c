/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void texts(void **state)
{
        (void)state;
        static const struct {
                struct slice bytes;
                const char *want;
        } rows[] = {
                { { "", 0 }, "" },
                { { "ana@example.net", 15 }, "ana@example.net" },
                { { "jo\xc3\xa3o", 5 }, "jo\xc3\xa3o" },
                { { "LONDRINA\\joao", 13 }, "LONDRINA\\joao" },
                { { "D\\xavier", 8 }, "D\\xavier" },
                { { "\0\1\3\xe9", 4 }, "\\x00\\x01\\x03\\xE9" },
                { { "a b", 3 }, "a b" },
                { { " a ", 3 }, "\\x20a\\x20" },
                { { "\\x01", 4 }, "\\x5Cx01" }, /* not what byte 1 becomes */
                { { "jo\xe3o", 4 }, "jo\\xE3o" },
                { { "a\xe2\x80\xae"
                    "b",
                    5 },
                  "a\\xE2\\x80\\xAE"
                  "b" }, /* would turn the direction of text */
                { { "a\x7f\n", 3 }, "a\\x7F\\x0A" },
        };
        autoarena *a = arena_new(1 << 20);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice got = raw_text(rows[i].bytes, a);
                if (!slice_eq(got, slice_of(rows[i].want)))
                        fail_msg("row %zu: got %.*s, want %s", i, SLICE_ARGS(got), rows[i].want);
        }
}

/* Two names never become one. */
static void nothing_is_lost(void **state)
{
        (void)state;
        static const char some[] = { '\\', 'x', '0', '1', '\1', 'A', '\xc3', '\xa3', ' ' };
        enum { N = sizeof some, ALL = N * N * N };
        autoarena *a = arena_new(64 << 20);
        struct slice *seen = xcalloc(ALL, sizeof *seen);
        for (int i = 0; i < ALL; i++) {
                char bytes[] = { '\\', some[i % N], some[i / N % N], some[i / N / N] };
                struct slice text = raw_text((struct slice){ bytes, 4 }, a);
                seen[i] = arena_dup(a, text);
                for (int j = 0; j < i; j++)
                        assert_false(slice_eq(seen[i], seen[j]));
        }
        free(seen);
}

static void hexadecimal(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                bool right;
                struct slice want;
        } rows[] = {
                { "0x4f4c54", true, { "OLT", 3 } },
                { "4F4C54", true, { "OLT", 3 } },
                { "4f:4c:54", true, { "OLT", 3 } },
                { "0:1:3:e9", true, { "\0\1\3\xe9", 4 } },
                { "", false, { 0 } },
                { "0x", false, { 0 } },
                { "4f4", false, { 0 } },
                { "4f:", false, { 0 } },
                { ":4f", false, { 0 } },
                { "4f::4c", false, { 0 } },
                { "4f:4c54", false, { 0 } },
                { "xyz0", false, { 0 } },
                { "0x4f:4c", false, { 0 } },
        };
        autoarena *a = arena_new(1 << 20);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice got = { 0 };
                if (raw_from_hex(slice_of(rows[i].text), a, &got) != rows[i].right || !slice_eq(got, rows[i].want))
                        fail_msg("%s", rows[i].text);
        }
        assert_true(slice_eq(raw_to_hex(S("\0\xe9"), a), S("00:e9")));
        assert_int_equal(raw_to_hex(S(""), a).n, 0);
}

static void quoted(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                struct slice want;
        } rows[] = { { "a\\\"b\\\\", { "a\"b\\", 4 } },
                     { "\\000\\377\\1",
                       { "\0\377"
                         "1",
                         3 } },
                     { "\\n\\r\\t", { "\n\r\t", 3 } },
                     { "a\\", { "a\\", 2 } } };
        autoarena *a = arena_new(1 << 20);
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_true(slice_eq(raw_unescape(slice_of(rows[i].text), a), rows[i].want));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(texts), cmocka_unit_test(nothing_is_lost),
                                            cmocka_unit_test(hexadecimal), cmocka_unit_test(quoted) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
