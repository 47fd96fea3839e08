/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/picture.h"
#include "base/time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void numbers_are_short(void **state)
{
        (void)state;
        static const struct {
                double value;
                const char *text;
        } rows[] = { { 0, "0" },         { -0.0, "0" },    { 0.25, "0.25" },      { 0.0012, "0.0012" },
                     { 1, "1" },         { 9.5, "9.5" },   { 99.94, "99.9" },     { 999, "999" },
                     { 999.6, "1k" },    { 1500, "1.5k" }, { 3.2e6, "3.2M" },     { 9.99e8, "999M" },
                     { -1500, "-1.5k" }, { NAN, "–" },     { 1e300, "1.0e+300" }, { 100, "100" },
                     { 20, "20" },       { 1e-9, "0" } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                char out[GRAPH_NUMBER_MAX];
                const char *text = graph_number(rows[i].value, out);
                assert_string_equal(text, rows[i].text);
        }
}

static void steps_are_round(void **state)
{
        (void)state;
        assert_true(fabs(graph_value_step(1, 5) - 0.2) < 1e-9);
        assert_true(fabs(graph_value_step(7, 5) - 2) < 1e-9);
        assert_true(fabs(graph_value_step(12000, 5) - 5000) < 1e-6);
        assert_true(fabs(graph_value_step(0.03, 5) - 0.01) < 1e-9);
}

static void all_ticks(const char *zone, const char *from, const char *to, size_t most, const char *want)
{
        struct graph_tick ticks[GRAPH_TICKS_MOST];
        int64_t a, b;
        autobuf got;
        buf_init(&got, 4096);
        assert_true(time_set_zone(slice_of(zone)));
        assert_int_equal(time_parse(slice_of(from), TIME_FIRST_INSTANT, &a), TIME_OK);
        assert_int_equal(time_parse(slice_of(to), TIME_FIRST_INSTANT, &b), TIME_OK);
        size_t n = graph_time_ticks(&(struct graph){ .from = a, .to = b }, most, ticks);
        assert_true(n <= most);
        for (size_t i = 0; i < n; i++)
                buf_addf(&got, "%s%s@%lld", i ? " " : "", ticks[i].label, (long long)((ticks[i].at - a) / MINUTE));
        assert_string_equal(buf_cstr(&got), want);
}

/* Label and minutes since the left end. */
static void ticks_stand_at_local_hours(void **state)
{
        (void)state;
        all_ticks("America/Sao_Paulo", "2026-11-01 10:07", "2026-11-02 10:07", 5,
                  "12:00@113 18:00@473 Mon 2@833 06:00@1193");
        all_ticks("Europe/Lisbon", "2026-10-25", "2026-10-26", 5,
                  "Sun 25@0 06:00@420 12:00@780 18:00@1140 Mon 26@1500"); /* 25 hours */
        all_ticks("Europe/Lisbon", "2026-03-29", "2026-03-30", 5,
                  "Sun 29@0 06:00@300 12:00@660 18:00@1020 Mon 30@1380"); /* 23 */
        all_ticks("Europe/Lisbon", "2026-10-25 00:30", "2026-10-25 02:30", 8,
                  "00:30@0 01:00@30 01:30@60 01:00@90 01:30@120 02:00@150 02:30@180");
        /* until 2018 Brazil's summer time began at midnight: this day has no 00:00 */
        all_ticks("America/Sao_Paulo", "2018-11-03", "2018-11-06", 4, "Sat 3@0 Sun 4@1440 Mon 5@2820 Tue 6@4260");
        all_ticks("Asia/Kathmandu", "2026-11-01 10:00", "2026-11-01 12:00", 5,
                  "10:00@0 10:30@30 11:00@60 11:30@90 12:00@120");
        all_ticks("UTC", "2026-11-20", "2027-02-20", 5, "Dec@15840 2027@60480 Feb@105120");
        all_ticks("UTC", "2026-11-01", "2026-12-01", 6,
                  "2 Nov@1440 9 Nov@11520 16 Nov@21600 23 Nov@31680 30 Nov@41760");
}

static void a_picture_is_never_without_height(void **state)
{
        (void)state;
        struct rings_point points[2] = { { NAN, NAN, 0, 0 }, { 0, 0, 0, 60 } };
        struct graph_series s = { .name = S("x"), .points = points };
        struct graph g = { .from = DAY, .to = 2 * DAY, .n_points = 2, .series = &s, .n_series = 1 };
        graph_measure(&g);
        assert_true(g.top > 0 && g.burst == 0);
        assert_string_equal(g.unit, "per hour");
        assert_true(s.mean == 0 && s.max == 0 && graph_unknown(&g, 0) && !graph_unknown(&g, 1));
        points[1] = (struct rings_point){ 2, 100, 120, 60 };
        graph_measure(&g);
        assert_true(g.top == 8 && g.burst == 100 && s.last == 2);
        assert_string_equal(g.unit, "per second");
        g.per = HOUR;
        g.language = GRAPH_PORTUGUESE;
        graph_measure(&g);
        assert_true(g.scale == 3600);
        assert_string_equal(g.unit, "por hora");
        struct graph_tick ticks[GRAPH_TICKS_MOST];
        g.to = g.from + 7 * DAY;
        assert_int_equal(graph_time_ticks(&g, 8, ticks), 8);
        assert_string_equal(ticks[0].label, "sex 2");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_short),
                cmocka_unit_test(steps_are_round),
                cmocka_unit_test(ticks_stand_at_local_hours),
                cmocka_unit_test(a_picture_is_never_without_height),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
