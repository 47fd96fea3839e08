/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/bars.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void draw(const struct graph_bar *bars, size_t n, struct buf *out)
{
        buf_init(out, 1 << 20);
        graph_bars_part(S("<b>title"), bars, n, "x", out);
}

static void the_highest_is_the_longest(void **state)
{
        (void)state;
        static const struct graph_bar bars[] = { { S("one"), S("1,000"), 1000 },
                                                 { S("half"), S("500"), 500 },
                                                 { S("few"), S("1"), 0.001 },
                                                 { S("none"), S("0"), 0 } };
        autobuf out;
        draw(bars, COUNT_OF(bars), &out);
        static const char *const wanted[] = { "width=\"560.0\"",
                                              "width=\"280.0\"",
                                              "width=\"1.0\"",
                                              "width=\"0.0\"",
                                              "<title id=\"tx\">&#60;b&#62;title</title>",
                                              ">1,000</text>" };
        for (size_t i = 0; i < COUNT_OF(wanted); i++)
                assert_non_null(strstr(buf_cstr(&out), wanted[i]));
}

static void nothing_gets_out_of_the_text(void **state)
{
        (void)state;
        static const struct graph_bar bars[] = { { S("</text><script>"), S("\"><b>"), 1 },
                                                 { S("ção, e um nome muito mais longo do que cabe"), S("\x1b[31m"),
                                                   NAN } };
        autobuf out;
        draw(bars, COUNT_OF(bars), &out);
        assert_null(strstr(buf_cstr(&out), "<script"));
        assert_null(strstr(buf_cstr(&out), "<b>"));
        assert_null(strchr(buf_cstr(&out), '\x1b'));
        assert_null(strstr(buf_cstr(&out), "nan"));
        assert_non_null(strstr(buf_cstr(&out), "ção, e um nome muito mais lo…"));
}

static void more_than_there_is_room_for(void **state)
{
        (void)state;
        struct graph_bar bars[GRAPH_BARS_MOST + 5];
        for (size_t i = 0; i < COUNT_OF(bars); i++)
                bars[i] = (struct graph_bar){ S("a"), S("1"), 1 };
        autobuf out, none;
        draw(bars, COUNT_OF(bars), &out);
        size_t n = 0;
        for (const char *p = buf_cstr(&out); (p = strstr(p, "class=\"key\"")); p++)
                n++;
        assert_int_equal(n, GRAPH_BARS_MOST);
        draw(bars, 0, &none);
        assert_non_null(strstr(buf_cstr(&none), "</svg>"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_highest_is_the_longest),
                cmocka_unit_test(nothing_gets_out_of_the_text),
                cmocka_unit_test(more_than_there_is_room_for),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
