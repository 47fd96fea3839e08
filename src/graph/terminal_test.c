/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/terminal.h"
#include "graph/test_support.h"

static void draw(const struct support_case *c, struct graph_terminal t, struct buf *out)
{
        struct graph g = support_make(c, t.columns - GRAPH_GUTTER);
        buf_init(out, GOLDEN_MOST);
        graph_terminal(&g, &t, out);
}

static void every_picture_is_its_golden(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                autobuf text = { 0 }, plain = { 0 };
                draw(&cases[i], (struct graph_terminal){ .columns = 80 }, &text);
                support_golden(cases[i].name, "txt", &text);
                draw(&cases[i], (struct graph_terminal){ .columns = 80, .ascii = true }, &plain);
                support_golden(cases[i].name, "ascii", &plain);
        }
}

static void ascii_is_ascii_and_no_line_is_too_long(void **state)
{
        (void)state;
        for (size_t i = 0; i < 4; i++) {
                autobuf out = { 0 };
                draw(&cases[i], (struct graph_terminal){ .columns = GRAPH_COLUMNS_LEAST, .ascii = true }, &out);
                size_t line = 0;
                for (size_t k = 0; k < out.n; k++) {
                        assert_true(out.p[k] == '\n' || (out.p[k] >= 0x20 && out.p[k] < 0x7F));
                        line = out.p[k] == '\n' ? 0 : line + 1;
                        assert_true(line <= 80);
                }
        }
}

static void colours_change_nothing_else(void **state)
{
        (void)state;
        autobuf plain = { 0 }, coloured = { 0 }, stripped;
        buf_init(&stripped, GOLDEN_MOST);
        draw(&cases[1], (struct graph_terminal){ .columns = 100 }, &plain);
        draw(&cases[1], (struct graph_terminal){ .columns = 100, .colour = true }, &coloured);
        for (size_t i = 0; i < coloured.n; i++) {
                if (coloured.p[i] == 0x1b)
                        while (coloured.p[i] != 'm')
                                i++;
                else
                        buf_addc(&stripped, coloured.p[i]);
        }
        assert_true(coloured.n > plain.n);
        assert_string_equal(buf_cstr(&stripped), buf_cstr(&plain));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_picture_is_its_golden),
                cmocka_unit_test(ascii_is_ascii_and_no_line_is_too_long),
                cmocka_unit_test(colours_change_nothing_else),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
