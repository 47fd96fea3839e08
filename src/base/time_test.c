/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A time as UTC shows it: wants are written so, whatever zone is set. */
static int64_t utc(const char *text)
{
        int64_t us;
        assert_true(time_set_zone(S("UTC")));
        if (time_parse(slice_of(text), TIME_FIRST_INSTANT, &us) != TIME_OK)
                fail_msg("not a time: %s", text);
        return us;
}

static void parses(void **state)
{
        (void)state;
        static const struct {
                const char *zone, *text, *first, *last; /* in UTC; last NULL: the same */
        } rows[] = {
                { "UTC", "2026-12-01 14:30", "2026-12-01 14:30:00", NULL },
                { "UTC", "2026-12-01T14:30:05", "2026-12-01 14:30:05", NULL },
                { "UTC", "2026-12-01T14:30:05.25", "2026-12-01 14:30:05.250000", NULL },
                { "America/Sao_Paulo", "2026-12-01 14:30", "2026-12-01 17:30:00", NULL },
                { "America/Sao_Paulo", "2026-12-01 14:30:00 +0200", "2026-12-01 12:30:00", NULL },
                { "America/Sao_Paulo", "2026-12-01 14:30:00Z", "2026-12-01 14:30:00", NULL },
                { "America/Sao_Paulo", "2026-12-01 14:30:00-03:00", "2026-12-01 17:30:00", NULL },
                { "America/Sao_Paulo", "2026-12-01", "2026-12-01 03:00:00", "2026-12-02 02:59:59.999999" },
                { "Africa/Maputo", "2026-12-01", "2026-11-30 22:00:00", "2026-12-01 21:59:59.999999" },
                { "America/Sao_Paulo", "2028-02-29", "2028-02-29 03:00:00", "2028-03-01 02:59:59.999999" },
                { "America/Sao_Paulo", "2026-12-31", "2026-12-31 03:00:00", "2027-01-01 02:59:59.999999" },
                /* clocks went from 00:00 to 01:00: the day begins at 01:00, and the day before ends as ever */
                { "America/Sao_Paulo", "2018-11-04", "2018-11-04 03:00:00", "2018-11-05 01:59:59.999999" },
                { "America/Sao_Paulo", "2018-11-03", "2018-11-03 03:00:00", "2018-11-04 02:59:59.999999" },
                /* clocks went from 24:00 back to 23:00: the day has 25 hours */
                { "America/Sao_Paulo", "2018-02-17", "2018-02-17 02:00:00", "2018-02-18 02:59:59.999999" },
                /* 23:30 came twice: the first is meant */
                { "America/Sao_Paulo", "2018-02-17 23:30", "2018-02-18 01:30:00", NULL },
                { "Europe/Lisbon", "2026-10-25 01:30", "2026-10-25 00:30:00", NULL },
                /* 00:00 came twice on the Azores */
                { "Atlantic/Azores", "2026-10-25", "2026-10-25 00:00:00", "2026-10-26 00:59:59.999999" },
                /* Samoa left out 30 December 2011 */
                { "Pacific/Apia", "2011-12-29", "2011-12-29 10:00:00", "2011-12-30 09:59:59.999999" },
                { "Pacific/Apia", "2011-12-31", "2011-12-30 10:00:00", "2011-12-31 09:59:59.999999" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                int64_t first = utc(rows[i].first), last = rows[i].last ? utc(rows[i].last) : first, a = 0, b = 0;
                assert_true(time_set_zone(slice_of(rows[i].zone)));
                assert_int_equal(time_parse(slice_of(rows[i].text), TIME_FIRST_INSTANT, &a), TIME_OK);
                assert_int_equal(time_parse(slice_of(rows[i].text), TIME_LAST_INSTANT, &b), TIME_OK);
                if (a != first || b != last)
                        fail_msg("%s %s: off by %lld s and %lld s", rows[i].zone, rows[i].text,
                                 (long long)((a - first) / SECOND), (long long)((b - last) / SECOND));
        }
}

static void refuses(void **state)
{
        (void)state;
        static const struct {
                const char *zone, *text;
                enum time_error want;
        } rows[] = {
                { "UTC", "2026-02-29", TIME_NO_SUCH_DAY },
                { "UTC", "2026-02-31 10:00", TIME_NO_SUCH_DAY },
                { "UTC", "2026-13-01", TIME_NO_SUCH_DAY },
                { "UTC", "2026-00-01", TIME_NO_SUCH_DAY },
                { "UTC", "2026-01-00", TIME_NO_SUCH_DAY },
                { "UTC", "2026-12-01 24:00", TIME_NO_SUCH_DAY },
                { "UTC", "2026-12-01 10:60", TIME_NO_SUCH_DAY },
                { "UTC", "1969-12-31", TIME_NO_SUCH_DAY },
                { "America/Sao_Paulo", "2018-11-04 00:30", TIME_NO_SUCH_DAY }, /* the clocks jumped over it */
                { "Pacific/Apia", "2011-12-30", TIME_NO_SUCH_DAY },
                { "UTC", "", TIME_BAD_FORM },
                { "UTC", "now", TIME_BAD_FORM },
                { "UTC", "01/12/2026", TIME_BAD_FORM },
                { "UTC", "2026-1-1", TIME_BAD_FORM },
                { "UTC", "2026-12-01 ", TIME_BAD_FORM },
                { "UTC", "2026-12-01 10", TIME_BAD_FORM },
                { "UTC", "2026-12-01 10:00:", TIME_BAD_FORM },
                { "UTC", "2026-12-01 10:00x", TIME_BAD_FORM },
                { "UTC", "2026-12-01 10:00+3", TIME_BAD_FORM },
                { "UTC", "2026-12-01 10:00 +2500", TIME_BAD_FORM },
                { "UTC", "2026-12-01Z", TIME_BAD_FORM },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                int64_t us;
                assert_true(time_set_zone(slice_of(rows[i].zone)));
                enum time_error got = time_parse(slice_of(rows[i].text), TIME_FIRST_INSTANT, &us);
                if (got != rows[i].want)
                        fail_msg("\"%s\": %d, want %d", rows[i].text, got, rows[i].want);
        }
}

static void prints_what_it_parses(void **state)
{
        (void)state;
        char text[TIME_TEXT_MAX];
        int64_t at = utc("2026-12-01 17:30:05"), again;
        assert_true(time_set_zone(S("America/Sao_Paulo")));
        assert_string_equal(time_print(at, text), "2026-12-01 14:30:05 -0300");
        assert_int_equal(time_parse(slice_of(text), TIME_FIRST_INSTANT, &again), TIME_OK);
        assert_int_equal(at, again);
        assert_string_equal(time_print(TIME_NEVER, text), "no end");
}

static void knows_its_zones(void **state)
{
        (void)state;
        static const char *const bad[] = {
                "",          "America",        "America/",        "America/Sao_Paul", "zone.tab",
                "tzdata.zi", "/etc/localtime", "../zoneinfo/UTC", "America/../UTC",   "BRT"
        };
        char before[TIME_TEXT_MAX], after[TIME_TEXT_MAX];
        assert_true(time_set_zone(S("Africa/Maputo")));
        time_print(0, before);
        for (size_t i = 0; i < COUNT_OF(bad); i++)
                if (time_set_zone(slice_of(bad[i])))
                        fail_msg("\"%s\" is taken for a zone", bad[i]);
        assert_string_equal(time_print(0, after), before); /* and nothing changed */
}

static void durations(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int64_t want; /* 0: refused */
                const char *shown;
        } rows[] = {
                { "90s", 90 * SECOND, "1m 30s" },
                { "5m", 5 * MINUTE, "5m" },
                { "1h30m", 90 * MINUTE, "1h 30m" },
                { "24h", DAY, "1d" },
                { "2w", 14 * DAY, "14d" },
                { "1d2h3m", DAY + 2 * HOUR + 3 * MINUTE, "1d 2h" },
                { "100d", 100 * DAY, "100d" },
                { "36525d", 36525 * DAY, "36525d" },
                { "36526d", 0, NULL },
                { "0s", 0, NULL },
                { "", 0, NULL },
                { "5", 0, NULL },
                { "h", 0, NULL },
                { "5y", 0, NULL },
                { "-5m", 0, NULL },
                { "5 m", 0, NULL },
                { "99999999999999999999s", 0, NULL },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                int64_t us = 0;
                char text[TIME_TEXT_MAX];
                if (duration_parse(slice_of(rows[i].text), &us) != (rows[i].want != 0) || us != rows[i].want)
                        fail_msg("\"%s\" gives %lld", rows[i].text, (long long)us);
                if (rows[i].shown)
                        assert_string_equal(duration_print(us, text), rows[i].shown);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(parses), cmocka_unit_test(refuses),
                                            cmocka_unit_test(prints_what_it_parses), cmocka_unit_test(knows_its_zones),
                                            cmocka_unit_test(durations) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
