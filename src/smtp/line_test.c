/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"
#include "smtp/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define TEN "0123456789"

/* What came out: lines in brackets, a word for what was refused. The limit is 32. */
static const struct {
        const char *name;
        struct slice in;
        const char *want;
} cases[] = {
        { "two lines", S("EHLO a\r\nQUIT\r\n"), "[EHLO a][QUIT]" },
        { "an empty line", S("\r\n"), "[]" },
        { "a bare LF", S("NOOP\nQUIT\r\nRSET\r\n"), "LF [RSET]" },
        { "a bare CR", S("NOOP\rQUIT\r\nRSET\r\n"), "CR [RSET]" },
        { "CR CR LF", S("NOOP\r\r\nRSET\r\n"), "CR [RSET]" },
        { "LF CR", S("NOOP\n\rRSET\r\nQUIT\r\n"), "LF [QUIT]" },
        { "LF CRLF", S("NOOP\n\r\nQUIT\r\n"), "LF [QUIT]" },
        { "a NUL", S("NO\0OP\r\nQUIT\r\n"), "NUL [QUIT]" },
        { "a NUL between CR and LF", S("NOOP\r\0\nQUIT\r\nRSET\r\n"), "CR [RSET]" },
        { "told once", S("a\nb\nc\rd\0e\r\nQUIT\r\n"), "LF [QUIT]" },
        { "as long as may be", S(TEN TEN TEN "\r\nQUIT\r\n"), "[" TEN TEN TEN "][QUIT]" },
        { "one too long", S(TEN TEN TEN "x\r\nQUIT\r\n"), "LONG [QUIT]" },
        { "long, and then bare", S(TEN TEN TEN TEN "\nx\r\nQUIT\r\n"), "LONG [QUIT]" },
        { "long, and bare at its end", S(TEN TEN TEN "\rx\r\nQUIT\r\n"), "CR [QUIT]" },
        { "no end", S("QUIT"), "" },
        { "only half an end", S("QUIT\r"), "" },
        { "high bytes", S("EHLO \xE3\t\x01\r\n"), "[EHLO \xE3\t\x01]" },
};

static void read_piece(struct smtp_line *l, struct slice piece, struct buf *out)
{
        static const char *const words[] = { [SMTP_LINE_LONG] = "LONG ",
                                             [SMTP_LINE_BARE_CR] = "CR ",
                                             [SMTP_LINE_BARE_LF] = "LF ",
                                             [SMTP_LINE_NUL] = "NUL " };
        enum smtp_line_found found;
        struct slice line;
        while ((found = smtp_line_next(l, &piece, 32, &line)) != SMTP_LINE_MORE) {
                if (found != SMTP_LINE) {
                        buf_adds(out, words[found]);
                        continue;
                }
                buf_addc(out, '[');
                buf_add(out, line);
                buf_addc(out, ']');
        }
        assert_int_equal(piece.n, 0);
}

/* Cut into three in every way. */
static void test_lines(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++)
                for (size_t a = 0; a <= cases[i].in.n; a++)
                        for (size_t b = a; b <= cases[i].in.n; b++) {
                                struct smtp_line l = { .part = NULL };
                                struct slice in = cases[i].in;
                                autobuf out;
                                buf_init(&out, 4096);
                                read_piece(&l, (struct slice){ in.p, a }, &out);
                                read_piece(&l, (struct slice){ in.p + a, b - a }, &out);
                                read_piece(&l, slice_from(in, b), &out);
                                if (strcmp(buf_cstr(&out), cases[i].want))
                                        fail_msg("%s, cut at %zu and %zu: %s", cases[i].name, a, b, buf_cstr(&out));
                                smtp_line_done(&l);
                        }
}

static void test_nothing_is_kept_between_lines(void **state)
{
        (void)state;
        struct smtp_line l = { .part = NULL };
        struct slice line, in = S("NOOP\r"), rest = S("\n");
        assert_int_equal(smtp_line_next(&l, &in, 512, &line), SMTP_LINE_MORE);
        assert_non_null(l.part);
        assert_false(smtp_line_fresh(&l));
        assert_int_equal(smtp_line_next(&l, &rest, 512, &line), SMTP_LINE);
        assert_int_equal(smtp_line_next(&l, &rest, 512, &line), SMTP_LINE_MORE);
        assert_null(l.part);
        assert_true(smtp_line_fresh(&l));
}

static void test_half_a_line_end_is_not_fresh(void **state)
{
        (void)state;
        struct smtp_line l = { .part = NULL };
        struct slice line, in = S("\r");
        assert_int_equal(smtp_line_next(&l, &in, 512, &line), SMTP_LINE_MORE);
        assert_false(smtp_line_fresh(&l));
        smtp_line_done(&l);
}

static void test_special_at_every_place(void **state)
{
        (void)state;
        const char specials[] = "\r\n";
        for (size_t n = 0; n < 40; n++)
                for (size_t at = 0; at <= n; at++)
                        for (size_t k = 0; k < 3; k++) {
                                autofree char *text = xmalloc(n + 1);
                                for (size_t i = 0; i < n; i++)
                                        text[i] = "\t\x01\x0E\x8D\xFF az\x0B"[i % 8];
                                if (at < n)
                                        text[at] = specials[k];
                                assert_int_equal(smtp_special((struct slice){ text, n }), at);
                        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_nothing_is_kept_between_lines),
                cmocka_unit_test(test_half_a_line_end_is_not_fresh),
                cmocka_unit_test(test_special_at_every_place),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
