/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_put(void **state)
{
        (void)state;
        static const struct {
                struct smtp_reply r;
                uint64_t ref;
                const char *want;
        } rows[] = {
                { { 250, S("2.0.0"), S("Ok") }, 1, "250 2.0.0 Ok\r\n" },
                { { 550, S("5.7.1"), S("No") }, 0, "550 5.7.1 No\r\n" },
                { { 550, S("5.7.1"), S("No") }, 31, "550 5.7.1 No [0000000Z]\r\n" },
                { { 550, S("5.7.1"), S("One\nTwo") }, 31, "550-5.7.1 One\r\n550 5.7.1 Two [0000000Z]\r\n" },
                { { 550, S(""), S("One\r\nTwo\n") }, 0, "550-One\r\n550-Two\r\n550 \r\n" },
                { { 550, S(""), S("") }, 0, "550 \r\n" },
                { { 550, S(""), S("a\tb\0c\rd\x7F") }, 0, "550 a b?c?d?\r\n" },
                { { 550, S(""), S("n\xC3\xA3o \xE3") }, 0, "550 n?o ?\r\n" },
                { { 550, S("5.7.1\r\n250"), S("x") }, 0, "550 5.7.1??250 x\r\n" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autobuf out;
                buf_init(&out, 4096);
                smtp_reply_put(&out, &rows[i].r, rows[i].ref);
                assert_string_equal(buf_cstr(&out), rows[i].want);
        }
}

static void test_lines_fit(void **state)
{
        (void)state;
        char text[2000];
        memset(text, 'x', sizeof text);
        text[700] = '\n';
        struct smtp_reply r = { 550, S("5.7.1"), { text, sizeof text } };
        autobuf out;
        buf_init(&out, 8192);
        smtp_reply_put(&out, &r, 77);
        size_t first = slice_find(buf_slice(&out), '\n') + 1;
        assert_true(first <= SMTP_REPLY_LINE_MOST && out.n - first == SMTP_REPLY_LINE_MOST);
        assert_true(slice_ends(buf_slice(&out), S(" [0000002D]\r\n")));
}

/* Each of our own texts is ASCII, one line, and of the class its codes say. */
static void test_texts(void **state)
{
        (void)state;
        for (enum smtp_text id = 0; id < SMTP_TEXT_COUNT; id++)
                for (enum smtp_language l = SMTP_ENGLISH; l <= SMTP_PORTUGUESE; l++) {
                        struct smtp_reply r = smtp_text(id, l);
                        assert_true(r.text.n > 0 && r.text.n < 200);
                        for (size_t i = 0; i < r.text.n; i++)
                                assert_true(r.text.p[i] >= ' ' && r.text.p[i] < 0x7F);
                        assert_true(r.enhanced.n == 0 || (unsigned)(r.enhanced.p[0] - '0') == r.code / 100);
                        assert_true(r.enhanced.n || r.code == 354);
                }
}

/* What came out: code|enhanced|text; lines parted by "/". */
static const struct {
        const char *name;
        struct slice in;
        const char *want;
} reads[] = {
        { "one", S("250 2.1.0 Ok\r\n"), "250|2.1.0|Ok;" },
        { "two", S("250 a\r\n354 b\r\n"), "250||a;354||b;" },
        { "lines", S("250-a\r\n250-b\r\n250 c\r\n"), "250||a/b/c;" },
        { "lines with an enhanced code", S("550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c\r\n"), "550|5.7.1|a/b/c;" },
        { "an enhanced code in the first line only", S("550-5.7.1 a\r\n550 b\r\n"), "550|5.7.1|a/b;" },
        { "another enhanced code in the second", S("550-5.7.1 a\r\n550 5.7.2 b\r\n"), "550|5.7.1|a/5.7.2 b;" },
        { "a bare enhanced code", S("550 5.7.2\r\n"), "550|5.7.2|;" },
        { "bare enhanced codes", S("550-5.7.2\r\n550 5.7.2\r\n"), "550|5.7.2|/;" },
        { "of another class", S("550 4.7.2 x\r\n"), "550||4.7.2 x;" },
        { "no enhanced code", S("550 5.7 x\r\n"), "550||5.7 x;" },
        { "digits without end", S("550 5.7.1234 x\r\n"), "550||5.7.1234 x;" },
        { "five letters", S("550 5.7.1x\r\n"), "550||5.7.1x;" },
        { "only a code", S("250\r\n"), "250||;" },
        { "a code and a blank", S("250 \r\n"), "250||;" },
        { "an empty line between", S("250-\r\n250 x\r\n"), "250||/x;" },
        { "control bytes",
          S("250 a\tb\x01"
            "c\x7F\r\n"),
          "250||a b?c?;" },
        { "mixed codes", S("250-a\r\n550 b\r\n"), "junk" },
        { "no number", S("hello\r\n"), "junk" },
        { "two digits", S("25 a\r\n"), "junk" },
        { "four digits", S("2500 a\r\n"), "junk" },
        { "a code too small", S("150 a\r\n"), "junk" },
        { "a code too big", S("600 a\r\n"), "junk" },
        { "a bare LF", S("250 a\n250 b\r\n"), "junk" },
        { "a bare CR", S("250 a\rb\r\n"), "junk" },
        { "CR CR LF", S("250 a\r\r\n"), "junk" },
        { "a NUL", S("250 a\0\r\n"), "junk" },
        { "a LF behind the code", S("250\n"), "junk" },
        { "not whole", S("250-a\r\n"), "" },
        { "not whole either", S("250 a\r"), "" },
        { "a greeting of HTTP", S("HTTP/1.1 400 Bad Request\r\n"), "junk" },
};

static bool read_piece(struct smtp_reader *r, struct slice in, struct buf *out)
{
        enum smtp_read found;
        while ((found = smtp_reader_next(r, &in)) == SMTP_READ_REPLY) {
                buf_addf(out, "%u|%.*s|", r->reply.code, SLICE_ARGS(r->reply.enhanced));
                for (size_t i = 0; i < r->reply.text.n; i++)
                        buf_addc(out, r->reply.text.p[i] == '\n' ? '/' : r->reply.text.p[i]);
                buf_addc(out, ';');
        }
        if (found == SMTP_READ_JUNK)
                buf_adds(out, "junk");
        return found != SMTP_READ_JUNK;
}

/* Cut in two at every place. */
static void test_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(reads); i++)
                for (size_t at = 0; at <= reads[i].in.n; at++) {
                        struct smtp_reader r;
                        autobuf out;
                        buf_init(&out, 4096);
                        smtp_reader_init(&r);
                        if (read_piece(&r, (struct slice){ reads[i].in.p, at }, &out))
                                read_piece(&r, slice_from(reads[i].in, at), &out);
                        if (strcmp(buf_cstr(&out), reads[i].want))
                                fail_msg("%s, cut at %zu: %s", reads[i].name, at, buf_cstr(&out));
                        smtp_reader_done(&r);
                }
}

static enum smtp_read read_all(struct smtp_reader *r, const struct buf *text)
{
        struct slice in = buf_slice(text);
        return smtp_reader_next(r, &in);
}

static void test_read_limits(void **state)
{
        (void)state;
        for (int more = 0; more < 2; more++) {
                struct smtp_reader r;
                autobuf text;
                buf_init(&text, 1 << 20);
                smtp_reader_init(&r);
                for (int i = 0; i < SMTP_READ_LINES_MOST - 1 + more; i++)
                        buf_adds(&text, "250-0123456789012345678901234567890123456789\r\n");
                buf_adds(&text, "250 x\r\n");
                assert_int_equal(read_all(&r, &text), more ? SMTP_READ_JUNK : SMTP_READ_REPLY);
                assert_true(r.text.n <= SMTP_READ_TEXT_MOST);
                smtp_reader_done(&r);
                smtp_reader_init(&r);
                buf_clear(&text);
                buf_adds(&text, "250 ");
                while (text.n < SMTP_READ_LINE_MOST - 2u + (unsigned)more)
                        buf_addc(&text, 'x');
                buf_adds(&text, "\r\n");
                assert_int_equal(read_all(&r, &text), more ? SMTP_READ_JUNK : SMTP_READ_REPLY);
                smtp_reader_done(&r);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put),  cmocka_unit_test(test_lines_fit),   cmocka_unit_test(test_texts),
                cmocka_unit_test(test_read), cmocka_unit_test(test_read_limits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
