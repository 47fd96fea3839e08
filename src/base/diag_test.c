/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/diag.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct place at(uint32_t source, uint32_t line, uint32_t column, uint32_t length)
{
        return (struct place){ source, line, column, length };
}

static void expect(const struct diags *d, const char *want)
{
        autobuf out;
        buf_init(&out, 1 << 20);
        diags_print(d, &out);
        assert_string_equal(buf_cstr(&out), want);
}

static void shows_both_places(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        uint32_t s = diags_source(d, S("porteiro.conf"), S("one\ntwo words\n\tthree\n"));
        diag_error(d, at(s, 3, 2, 5), "\"%s\" overlaps", "three");
        diag_note(d, at(s, 1, 1, 3), "declared here");
        diag_note(d, at(0, 0, 0, 0), "look at both");
        diag_warning(d, at(s, 2, 5, 5), "odd");
        expect(d, "porteiro.conf:2:5: warning: odd\n"
                  "     2 | two words\n"
                  "       |     ^~~~~\n"
                  "porteiro.conf:3:2: error: \"three\" overlaps\n"
                  "     3 | \tthree\n"
                  "       | \t^~~~~\n"
                  "porteiro.conf:1:1: note: declared here\n"
                  "     1 | one\n"
                  "       | ^~~\n"
                  "help: look at both\n");
        assert_int_equal(diags_errors(d), 1);
        assert_int_equal(diags_warnings(d), 1);
}

static void stands_at_the_edges(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        uint32_t s = diags_source(d, S("f"), S("ab\r\nlast"));
        diag_error(d, at(s, 1, 3, 1), "behind the end");
        diag_error(d, at(s, 2, 9, 9), "far behind the end");
        diag_error(d, at(s, 7, 1, 1), "no such line");
        diag_error(d, at(0, 0, 0, 0), "nowhere comes last");
        expect(d, "f:1:3: error: behind the end\n     1 | ab\n       |   ^\n"
                  "f:2:9: error: far behind the end\n     2 | last\n       |     ^\n"
                  "f:7:1: error: no such line\n     7 | \n       | ^\n"
                  "error: nowhere comes last\n");
}

static void accents_keep_the_caret_in_place(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        uint32_t s = diags_source(d, S("f"), S("S\xC3\xA3o\xff Paulo \x1b[2J"));
        diag_error(d, at(s, 1, 7, 5), "city");
        expect(d, "f:1:7: error: city\n     1 | S\xC3\xA3o? Paulo ?[2J\n       |      ^~~~~\n");
}

static void long_lines_are_cut(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        char line[1000];
        memset(line, 'a', sizeof line);
        memcpy(line + 500, "HERE", 4);
        uint32_t s = diags_source(d, S("f"), (struct slice){ line, sizeof line });
        diag_error(d, at(s, 1, 501, 4), "x");
        autobuf out;
        buf_init(&out, 10000);
        diags_print(d, &out);
        assert_in_range(out.n, 100, 400);
        const char *caret = strchr(buf_cstr(&out), '^'), *here = strstr(buf_cstr(&out), "HERE");
        assert_non_null(here);
        const char *second = strstr(here, "\n       | ") + 1, *first = strstr(buf_cstr(&out), "     1 | ");
        assert_int_equal(caret - second, here - first);
}

/* What a stranger wrote must not steer the terminal of who reads it. */
static void escapes_what_it_quotes(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        diag_error(d, at(0, 0, 0, 0), "\"%s\" S\xC3\xA3o", "\x1b[2J\xC2\x9B\xE2\x80\xAE\xff");
        diag_error(d, at(0, 0, 0, 0), "%s", "");
        expect(d, "error: \"\\x1b[2J\\xc2\\x9b\\xe2\\x80\\xae\\xff\" S\xC3\xA3o\nerror: \n");
}

static void counts_what_it_leaves_out(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        for (int i = 0; i < DIAG_MOST + 5; i++) {
                diag_error(d, at(0, 0, 0, 0), "%d", i);
                diag_note(d, at(0, 0, 0, 0), "note of %d", i);
        }
        assert_int_equal(diags_errors(d), DIAG_MOST + 5);
        autobuf out;
        buf_init(&out, 1 << 20);
        diags_print(d, &out);
        assert_true(slice_ends(buf_slice(&out), S("error: 999\nhelp: note of 999\nand 5 more\n")));
}

static void as_json(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        uint32_t s = diags_source(d, S("f"), S("word"));
        diag_error(d, at(s, 1, 1, 4), "wrong");
        diag_note(d, at(0, 0, 0, 0), "so");
        autobuf out;
        struct json j;
        buf_init(&out, 10000);
        json_init_compact(&j, &out);
        json_object(&j, NULL);
        diags_json(d, &j);
        json_object_end(&j);
        json_done(&j);
        assert_string_equal(buf_cstr(&out),
                            "{\"messages\":[{\"level\":\"error\",\"file\":\"f\",\"line\":1,\"column\":1,"
                            "\"message\":\"wrong\",\"notes\":[{\"message\":\"so\"}]}]}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(shows_both_places),
                cmocka_unit_test(stands_at_the_edges),
                cmocka_unit_test(accents_keep_the_caret_in_place),
                cmocka_unit_test(long_lines_are_cut),
                cmocka_unit_test(escapes_what_it_quotes),
                cmocka_unit_test(counts_what_it_leaves_out),
                cmocka_unit_test(as_json),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
