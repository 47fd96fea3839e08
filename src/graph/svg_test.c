/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/svg.h"
#include "graph/test_support.h"

static void every_picture_is_its_golden(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                autobuf out;
                buf_init(&out, GOLDEN_MOST);
                struct graph g = support_make(&cases[i], 120);
                graph_svg(&g, &out);
                support_golden(cases[i].name, "svg", &out);
        }
}

static void a_year_is_small(void **state)
{
        (void)state;
        for (size_t n = 1; n <= GRAPH_SERIES_MOST; n++) {
                autobuf out;
                buf_init(&out, GOLDEN_MOST);
                struct graph g = { .n_points = GRAPH_SVG_POINTS(n) };
                case_year(&g);
                g.n_series = n;
                for (size_t i = 0; i < n; i++) {
                        support_fill(&g, i, 1);
                        support_series[i].name = S("a name of a length that names have");
                }
                graph_measure(&g);
                graph_svg(&g, &out);
                assert_true(out.n < 100000);
        }
}

/* Whatever names and labels say, no tag is theirs. */
static void nothing_gets_out_of_the_text(void **state)
{
        (void)state;
        autobuf out;
        buf_init(&out, GOLDEN_MOST);
        struct graph g = support_make(&cases[4], 100);
        graph_svg(&g, &out);
        assert_null(strstr(buf_cstr(&out), "<script"));
        assert_null(strstr(buf_cstr(&out), "<b "));
        for (size_t i = 0; i < out.n; i++)
                assert_true((unsigned char)out.p[i] >= 0x20 || out.p[i] == '\n');
        assert_int_equal(slice_utf8_span(buf_slice(&out)), out.n);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_picture_is_its_golden),
                cmocka_unit_test(a_year_is_small),
                cmocka_unit_test(nothing_gets_out_of_the_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
