/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Tokens as one line: kind, text, line:column+length, "^" where it is first on its line. */
static void print_tokens(struct slice text, struct diags *d, struct buf *out)
{
        static const char kinds[] = "wso,x";
        struct lexer l;
        lexer_init(&l, d, diags_source(d, S("f"), text));
        for (struct token t = lexer_next(&l); t.kind != TOKEN_END; t = lexer_next(&l)) {
                if (t.kind == TOKEN_WORD || t.kind == TOKEN_STRING)
                        buf_addf(out, "%c<%.*s>", kinds[t.kind], SLICE_ARGS(t.text));
                else
                        buf_addf(out, "%.*s", SLICE_ARGS(t.text));
                buf_addf(out, "%u:%u+%u%s ", t.place.line, t.place.column, t.place.length, t.first ? "^" : "");
        }
        struct token end = lexer_next(&l);
        assert_int_equal(end.kind, TOKEN_END); /* for ever */
        buf_addf(out, "%u:%u", end.place.line, end.place.column);
}

static void reads_tokens(void **state)
{
        (void)state;
        static const struct {
                const char *text, *want;
        } rows[] = {
                { "", "1:1" },
                { "a", "w<a>1:1+1^ 1:2" },
                { "pool a{class home}", "w<pool>1:1+4^ w<a>1:6+1 {1:7+1 w<class>1:8+5 w<home>1:14+4 }1:18+1 1:19" },
                { "a,b", "w<a>1:1+1^ ,1:2+1 w<b>1:3+1 1:4" },
                { "a,\n  b\nc", "w<a>1:1+1^ ,1:2+1 w<b>2:3+1 w<c>3:1+1^ 3:2" },
                { "a # b\n\t\"c d\" # \"", "w<a>1:1+1^ s<c d>2:2+5^ 2:11" },
                { "a, # goes on\n\n b", "w<a>1:1+1^ ,1:2+1 w<b>3:2+1 3:3" },
                { "\"\"", "s<>1:1+2^ 1:3" },
                { "\"a\\\" b", "s<a\\>1:1+4^ w<b>1:6+1 1:7" }, /* no escapes */
                { "a\r\nb\r\n", "w<a>1:1+1^ w<b>2:1+1^ 3:1" },
                { "\xEF\xBB\xBFx", "w<x>1:4+1^ 1:5" },
                { "0x2500/0xff00 1024-65535 2001:db8::/32 a@b.c", "w<0x2500/0xff00>1:1+13^ w<1024-65535>1:15+10 "
                                                                  "w<2001:db8::/32>1:26+13 w<a@b.c>1:40+5 1:45" },
                { "S\xC3\xA3o x", "w<S\xC3\xA3o>1:1+4^ w<x>1:6+1 1:7" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autodiags *d = diags_new();
                autobuf out;
                buf_init(&out, 10000);
                print_tokens(slice_of(rows[i].text), d, &out);
                assert_string_equal(buf_cstr(&out), rows[i].want);
                assert_int_equal(diags_errors(d), 0);
        }
}

static void complains_and_goes_on(void **state)
{
        (void)state;
        static const struct {
                struct slice text;
                const char *tokens, *said; /* the first line of the messages */
        } rows[] = {
                { { "a\0b", 3 },
                  "w<a>1:1+1^ w<b>1:3+1 1:4",
                  "f:1:2: error: control byte 0x00 does not belong in a policy" },
                { { "a\x01\x02 b", 5 },
                  "w<a>1:1+1^ w<b>1:5+1 1:6",
                  "f:1:2: error: control byte 0x01 does not belong in a policy" },
                { { "a\rb", 3 },
                  "w<a>1:1+1^ w<b>1:3+1 1:4",
                  "f:1:2: error: control byte 0x0d does not belong in a policy" },
                { { "a \xff b", 5 }, "w<a>1:1+1^ w<b>1:5+1 1:6", "f:1:3: error: byte 0xff is not text in UTF-8" },
                { { "\"a\nb", 4 },
                  "s<a>1:1+2^ w<b>2:1+1^ 2:2",
                  "f:1:1: error: this string has no closing quote on its line" },
                { { "\"a", 2 }, "s<a>1:1+2^ 1:3", "f:1:1: error: this string has no closing quote on its line" },
                { { "\"", 1 }, "s<>1:1+1^ 1:2", "f:1:1: error: this string has no closing quote on its line" },
                { { "a#b\nc", 5 },
                  "w<a>1:1+1^ w<c>2:1+1^ 2:2",
                  "f:1:2: error: put a space before a comment, or quotes around the whole word" },
                { { "a\"b\"", 4 },
                  "w<a>1:1+1^ s<b>1:2+3 1:5",
                  "f:1:2: error: put a space before a string, or quotes around the whole word" },
                { { "a; b;", 5 },
                  "w<a>1:1+1^ w<b>1:4+1 1:6",
                  "f:1:2: error: \";\" is not used: an option ends where the next begins" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autodiags *d = diags_new();
                autobuf out, said;
                struct slice rest;
                buf_init(&out, 10000);
                buf_init(&said, 10000);
                print_tokens(rows[i].text, d, &out);
                diags_print(d, &said);
                assert_string_equal(buf_cstr(&out), rows[i].tokens);
                struct slice first = slice_cut(buf_slice(&said), '\n', &rest);
                if (!slice_eq(first, slice_of(rows[i].said)))
                        fail_msg("row %zu says %.*s", i, SLICE_ARGS(first));
                assert_int_equal(diags_errors(d), 1);
        }
}

static void words_have_a_longest(void **state)
{
        (void)state;
        char text[TOKEN_MOST + 2];
        memset(text, 'a', sizeof text);
        for (size_t n = TOKEN_MOST; n <= TOKEN_MOST + 1; n++) {
                autodiags *d = diags_new();
                struct lexer l;
                lexer_init(&l, d, diags_source(d, S("f"), (struct slice){ text, n }));
                struct token t = lexer_next(&l);
                assert_int_equal(t.place.length, n);
                assert_int_equal(diags_errors(d), n > TOKEN_MOST);
                assert_int_equal(t.text.n, TOKEN_MOST);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(reads_tokens), cmocka_unit_test(complains_and_goes_on),
                                            cmocka_unit_test(words_have_a_longest) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
