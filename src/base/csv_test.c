/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/csv.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Rows as "3[a|b]", mistakes as "3!what", each with its line. */
static void read_all(const char *text, size_t n, struct buf *out)
{
        struct csv *c = xcalloc(1, sizeof *c);
        autofree char *exact = xmalloc(n); /* no zero after it */
        memcpy(exact, text, n);
        csv_init(c, (struct slice){ exact, n });
        for (enum csv_found f; (f = csv_next(c)) != CSV_END;) {
                buf_addf(out, "%zu", c->row_line);
                if (f == CSV_BAD)
                        buf_addf(out, "!%s ", c->wrong);
                for (size_t i = 0; f == CSV_ROW && i < c->n_cells; i++)
                        buf_addf(out, "%c%.*s", i ? '|' : '[', SLICE_ARGS(c->cells[i]));
                if (f == CSV_ROW)
                        buf_adds(out, "] ");
        }
        free(c);
}

static void facts(void **state)
{
        (void)state;
        static const struct {
                const char *text, *want;
        } rows[] = {
                { "", "" },
                { "\n\r\n\n", "" },
                { "a,b\n1,2\n", "1[a|b] 2[1|2] " },
                { "a,b\r\n1,2", "1[a|b] 2[1|2] " },
                { "\xef\xbb\xbf"
                  "a,b\n",
                  "1[a|b] " },
                { "a,,\n,\n", "1[a||] 2[|] " },
                { "\"a,\"\"b\"\"\",c\n", "1[a,\"b\"|c] " },
                { "\"a\nb\",c\nd,e\n", "1[a\nb|c] 3[d|e] " },
                { "a;b\n1;2,3\n", "1[a|b] 2[1|2,3] " },
                { "\"x;y\",b\n", "1[x;y|b] " },
                { "a,b\n\n\n1,2\n", "1[a|b] 4[1|2] " },
                { "Jo\xc3\xa3o,b\n", "1[Jo\xc3\xa3o|b] " },
                { "a,b\nJo\xe3o,b\nc,d\n", "1[a|b] 2!text that is not UTF-8 (is the file in Latin-1?): iconv -f LATIN1 "
                                           "-t UTF-8 converts it 3[c|d] " },
                { "a\"b,c\nd,e\n", "1!quotes stand within a cell that does not begin with them 2[d|e] " },
                { "\"a\"b,c\nd,e\n", "1!text stands after closing quotes 2[d|e] " },
                { "a\n\"b\nc\n", "1[a] 2!quotes are opened here and never closed " },
                { "a\rb\nc\n", "1!a carriage return without a line feed 2[c] " },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autobuf got;
                buf_init(&got, 1 << 20);
                read_all(rows[i].text, strlen(rows[i].text), &got);
                if (strcmp(buf_cstr(&got), rows[i].want) != 0)
                        fail_msg("row %zu: got %s, want %s", i, buf_cstr(&got), rows[i].want);
        }
}

static void zero_bytes_are_told(void **state)
{
        (void)state;
        autobuf got;
        buf_init(&got, 1 << 20);
        read_all("a\0b\nc\n", 6, &got);
        assert_string_equal(buf_cstr(&got), "1!a zero byte 2[c] ");
}

static void bounds(void **state)
{
        (void)state;
        autobuf text, got;
        buf_init(&text, 1 << 20);
        buf_init(&got, 1 << 20);
        for (int i = 0; i < CSV_CELLS_MOST; i++)
                buf_addc(&text, ',');
        buf_adds(&text, "\nok\n");
        for (int i = 0; i <= CSV_ROW_MOST; i++)
                buf_addc(&text, 'x');
        buf_adds(&text, "\nok\n");
        read_all(text.p, text.n, &got);
        assert_string_equal(buf_cstr(&got),
                            "1!the row has more than 64 cells 2[ok] 3!the row has more than 65,536 bytes 4[ok] ");
}

static void what_is_written_reads_the_same(void **state)
{
        (void)state;
        static const char *const cells[] = { "",     "a",    " a ",    "a,b",         "a;b", "\"",
                                             "a\"b", "a\nb", "a\r\nb", "Jo\xc3\xa3o", "=1+1" };
        autobuf text, got, want;
        buf_init(&text, 1 << 20);
        buf_init(&got, 1 << 20);
        buf_init(&want, 1 << 20);
        for (size_t i = 0; i < COUNT_OF(cells); i++) {
                if (i)
                        buf_addc(&text, ',');
                csv_put(&text, slice_of(cells[i]));
                buf_addf(&want, "%s%s", i ? "|" : "1[", cells[i]);
        }
        buf_addc(&text, '\n');
        buf_adds(&want, "] ");
        read_all(text.p, text.n, &got);
        assert_string_equal(buf_cstr(&got), buf_cstr(&want));
}

/* No cell begins a formula, whatever character parts cells. */
static void what_strangers_wrote_is_no_formula(void **state)
{
        (void)state;
        static const struct {
                const char *cell, *want;
        } words[] = { { "joe@example.net", "joe@example.net" },
                      { "=1+1", "'=1+1" },
                      { "+1", "'+1" },
                      { "-1", "'-1" },
                      { "@SUM(A1)", "'@SUM(A1)" },
                      { "\t=1", "\\x09=1" },
                      { "\r\n=1", "\\x0d\\x0a=1" },
                      { "a;=cmd|' /C calc'!A0", "\"a;'=cmd|' /C calc'!A0\"" },
                      { "a,+1", "\"a,'+1\"" },
                      { "a\"=1", "\"a\"\"'=1\"" },
                      { "\xef\xbc\x9d"
                        "1",
                        "'\xef\xbc\x9d"
                        "1" },
                      { "\x1b[31m\xe2\x80\xae", "\\x1b[31m\\xe2\\x80\\xae" } };
        for (size_t i = 0; i < COUNT_OF(words); i++) {
                autobuf out;
                buf_init(&out, 4096);
                csv_put_foreign(&out, slice_of(words[i].cell));
                assert_string_equal(buf_cstr(&out), words[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(facts),
                cmocka_unit_test(zero_bytes_are_told),
                cmocka_unit_test(bounds),
                cmocka_unit_test(what_is_written_reads_the_same),
                cmocka_unit_test(what_strangers_wrote_is_no_formula),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
