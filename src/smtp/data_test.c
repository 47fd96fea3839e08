/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"
#include "smtp/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct seen {
        struct buf bytes;
        enum smtp_data_fault fault;
        bool ended, long_line;
        size_t left; /* not used up: what follows the end */
};

static void feed(struct smtp_data *d, struct slice piece, struct seen *s)
{
        enum smtp_data_found found = SMTP_DATA_MORE;
        struct slice span;
        if (s->ended) {
                s->left += piece.n;
                return;
        }
        while ((found = smtp_data_next(d, &piece, &span)) != SMTP_DATA_MORE && found != SMTP_DATA_END)
                if (found == SMTP_DATA_BYTES) {
                        assert_int_equal(d->fault, SMTP_DATA_CLEAN);
                        buf_add(&s->bytes, span);
                }
        s->ended = found == SMTP_DATA_END;
        s->left = piece.n;
        s->fault = d->fault;
        s->long_line = d->long_line;
}

static void read_cut(struct slice in, size_t a, size_t b, uint64_t most, struct seen *s)
{
        struct smtp_data d;
        *s = (struct seen){ .left = 0 };
        buf_init(&s->bytes, 1 << 20);
        smtp_data_init(&d, most);
        feed(&d, (struct slice){ in.p, a }, s);
        feed(&d, (struct slice){ in.p + a, b - a }, s);
        feed(&d, slice_from(in, b), s);
}

static const struct {
        const char *name;
        struct slice in;
        const char *want; /* NULL: the message is refused */
        enum smtp_data_fault fault;
        size_t left;
        bool open; /* no end yet */
} cases[] = {
        { "nothing", .in = S(".\r\n"), .want = "" },
        { "a line", .in = S("a\r\n.\r\n"), .want = "a\r\n" },
        { "commands behind it", .in = S("a\r\n.\r\nQUIT\r\n"), .want = "a\r\n", .left = 6 },
        { "a doubled dot", .in = S("..\r\n...\r\n.x\r\n.\r\n"), .want = ".\r\n..\r\nx\r\n" },
        { "a dot within", .in = S("a.\r\nb\r\n.\r\n"), .want = "a.\r\nb\r\n" },
        { "empty lines", .in = S("\r\n\r\n.\r\n"), .want = "\r\n\r\n" },
        { "tabs and high bytes", .in = S("\t\x01\xE3\r\n.\r\n"), .want = "\t\x01\xE3\r\n" },
        { "no end", .in = S("a\r\n."), .want = "a\r\n", .open = true },
        { "half an end", .in = S("a\r\n.\r"), .want = "a\r\n", .open = true },
        /* the endings that have been tried on mail servers; behind each of them stands the real one */
        { "LF . LF", .in = S("a\n.\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_LF },
        { "CR . CR", .in = S("a\r.\rMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "CR . LF", .in = S("a\r.\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "LF . CR", .in = S("a\n.\rMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_LF },
        { "LF . CRLF", .in = S("a\n.\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_LF },
        { "CRLF . LF", .in = S("a\r\n.\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_LF },
        { "CR . CRLF", .in = S("a\r.\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "CRLF . CR", .in = S("a\r\n.\rMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "CRLF NUL . CRLF", .in = S("a\r\n\0.\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_NUL },
        { "CRLF . NUL CRLF", .in = S("a\r\n.\0\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_NUL },
        { "CRCRLF . CRCRLF", .in = S("a\r\r\n.\r\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "CRLF . CRCRLF", .in = S("a\r\n.\r\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "CRLF CR . CRLF", .in = S("a\r\n\r.\r\nMAIL\r\n.\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_CR },
        { "CRLF . CRLF within", .in = S("a\r\n.\r\nMAIL\r\n.\r\n"), .want = "a\r\n", .left = 9 },
        { "a fault does not hide the end", .in = S("\n\r\n.\r\nQUIT\r\n"), .want = NULL, .fault = SMTP_DATA_BARE_LF,
          .left = 6 },
};

/* Cut into three in every way, the outcome is the same. */
static void test_endings(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++)
                for (size_t a = 0; a <= cases[i].in.n; a++)
                        for (size_t b = a; b <= cases[i].in.n; b++) {
                                struct seen s;
                                read_cut(cases[i].in, a, b, 0, &s);
                                bool good = s.fault == cases[i].fault && s.ended == !cases[i].open &&
                                            s.left == cases[i].left &&
                                            (!cases[i].want || strcmp(buf_cstr(&s.bytes), cases[i].want) == 0);
                                if (!good)
                                        fail_msg("%s, cut at %zu and %zu: fault %d ended %d left %zu \"%s\"",
                                                 cases[i].name, a, b, s.fault, s.ended, s.left, buf_cstr(&s.bytes));
                                buf_done(&s.bytes);
                        }
}

static void test_size(void **state)
{
        (void)state;
        const struct {
                uint64_t most;
                enum smtp_data_fault fault;
        } limits[] = { { 0, SMTP_DATA_CLEAN }, { 9, SMTP_DATA_CLEAN }, { 8, SMTP_DATA_TOO_BIG } };
        struct slice in = S("abc\r\n..x\r\n.\r\n"); /* nine bytes: the doubled dot and the end do not count */
        for (size_t i = 0; i < COUNT_OF(limits); i++)
                for (size_t a = 0; a <= in.n; a++) {
                        struct seen s;
                        read_cut(in, a, a, limits[i].most, &s);
                        assert_true(s.ended);
                        assert_int_equal(s.fault, limits[i].fault);
                        buf_done(&s.bytes);
                }
}

static void test_long_lines_are_flagged(void **state)
{
        (void)state;
        for (size_t n = 990; n < 1005; n++) {
                struct seen s;
                autobuf in;
                buf_init(&in, 4096);
                for (size_t i = 0; i < n; i++)
                        buf_addc(&in, 'x');
                buf_adds(&in, "\r\ny\r\n.\r\n");
                read_cut(buf_slice(&in), 500, 700, 0, &s);
                assert_int_equal(s.long_line, n > SMTP_TEXT_LINE_MOST);
                buf_done(&s.bytes);
        }
}

static uint32_t seed = 2463534242;
static uint32_t draw(uint32_t below)
{
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        return seed % below;
}

/* Writes `clean` framed, in random pieces. */
static bool frame(struct slice clean, struct buf *out)
{
        struct smtp_frame f = { .state = 0 };
        while (clean.n) {
                size_t n = 1 + draw((uint32_t)clean.n);
                struct slice piece = { clean.p, n }, span;
                while (smtp_frame_next(&f, &piece, &span))
                        buf_add(out, span);
                if (f.bad)
                        return false;
                clean = slice_from(clean, n);
        }
        struct slice end = smtp_frame_end(&f);
        buf_add(out, end);
        return end.n > 0;
}

/* Bodies of CR, LF, dots and text: what is let through, framed and read again, is the same message, and its framing has one end. */
static void test_in_and_out_again(void **state)
{
        (void)state;
        size_t clean = 0;
        for (int round = 0; round < 60000; round++) {
                static const char *const parts[] = { "\r\n", "\r\n", "\r\n", ".", ".", "a", "bc", "\r", "\n" };
                struct seen first, again;
                autobuf in, out;
                buf_init(&in, 4096);
                buf_init(&out, 4096);
                for (uint32_t i = draw(24); i; i--)
                        buf_adds(&in, parts[draw(round % 2 ? COUNT_OF(parts) : 7)]);
                buf_adds(&in, "\r\n.\r\n");
                read_cut(buf_slice(&in), draw((uint32_t)in.n), in.n, 0, &first);
                assert_true(first.ended);
                if (first.fault == SMTP_DATA_CLEAN) {
                        clean++;
                        assert_true(frame(buf_slice(&first.bytes), &out));
                        read_cut(buf_slice(&out), draw((uint32_t)out.n), out.n, 0, &again);
                        assert_true(again.ended && again.left == 0 && again.fault == SMTP_DATA_CLEAN);
                        assert_true(slice_eq(buf_slice(&first.bytes), buf_slice(&again.bytes)));
                        buf_done(&again.bytes);
                }
                buf_done(&first.bytes);
        }
        assert_true(clean > 10000);
}

static void test_frame_never_lets_bare_bytes_out(void **state)
{
        (void)state;
        const struct slice bad[] = { S("a\nb"), S("a\rb"), S("\n.\r\n"), S("a\r\n\r"), S("a\0b"), S("\r\r\n") };
        for (size_t i = 0; i < COUNT_OF(bad); i++)
                for (int round = 0; round < 50; round++) {
                        autobuf out;
                        buf_init(&out, 4096);
                        assert_false(frame(bad[i], &out));
                        for (size_t k = 0; k < out.n; k++)
                                assert_true(out.p[k] != '\n' || (k && out.p[k - 1] == '\r'));
                }
}

static void test_a_message_without_a_last_line_end_gets_one(void **state)
{
        (void)state;
        autobuf out;
        buf_init(&out, 64);
        assert_true(frame(S("a"), &out));
        assert_string_equal(buf_cstr(&out), "a\r\n.\r\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_endings),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_long_lines_are_flagged),
                cmocka_unit_test(test_in_and_out_again),
                cmocka_unit_test(test_frame_never_lets_bare_bytes_out),
                cmocka_unit_test(test_a_message_without_a_last_line_end_gets_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
