/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

static void dates(void **state)
{
        (void)state;
        static const struct {
                const char *zone, *text;
                enum when want;
                int64_t at;
        } rows[] = {
                { "UTC", "Jul 10 2024 00:00:00 UTC", WHEN_EXACT, 1720569600 },
                { "UTC", "Jul  9 2024 23:59:59 GMT", WHEN_EXACT, 1720569599 },
                { "UTC", "Jul 9 2024 23:59:59 Z", WHEN_EXACT, 1720569599 },
                { "UTC", "Feb 29 2024 00:00:00 UTC", WHEN_EXACT, 1709164800 },
                { "UTC", "Feb 29 2023 00:00:00 UTC", WHEN_WRONG, 0 },
                { "UTC", "Feb 29 2100 00:00:00 UTC", WHEN_WRONG, 0 },
                { "UTC", "Jul 32 2024 00:00:00 UTC", WHEN_WRONG, 0 },
                { "UTC", "Jul 10 2024 24:00:00 UTC", WHEN_WRONG, 0 },
                { "UTC", "Jul 10 2024 00:00:00 -03", WHEN_EXACT, 1720580400 },
                { "UTC", "Jul 10 2024 00:00:00 +05:30", WHEN_EXACT, 1720549800 },
                { "UTC", "Jul 10 2024 00:00:00 +0530", WHEN_EXACT, 1720549800 },
                { "UTC", "Jul 10 2024 00:00:00 BRT", WHEN_GUESSED, 1720569600 },
                { "UTC", "Wed Jul 10 00:00:00 2024", WHEN_GUESSED, 1720569600 },
                { "UTC", "1720569600", WHEN_EXACT, 1720569600 },
                { "UTC", "2024-07-10T00:00:00Z", WHEN_EXACT, 1720569600 },
                { "UTC", "2024-07-10 00:00:00", WHEN_GUESSED, 1720569600 },
                { "UTC", "2024-07-10", WHEN_GUESSED, 1720569600 },
                { "UTC", "2024-07-10T00:00:00-03:00", WHEN_EXACT, 1720580400 },
                { "UTC", "0", WHEN_WRONG, 0 },
                { "UTC", "", WHEN_WRONG, 0 },
                { "UTC", "Jul", WHEN_WRONG, 0 },
                { "America/Sao_Paulo", "Jul 10 2024 00:00:00", WHEN_GUESSED, 1720580400 },
                { "America/Sao_Paulo", "Wed Jul 10 00:00:00 2024", WHEN_GUESSED, 1720580400 },
                /* an hour that comes twice: the name of the zone tells which */
                { "Europe/Lisbon", "Oct 27 2024 01:30:00 WEST", WHEN_EXACT, 1729989000 },
                { "Europe/Lisbon", "Oct 27 2024 01:30:00 WET", WHEN_EXACT, 1729992600 },
                { "Europe/Lisbon", "Oct 27 2024 01:44:59 WEST", WHEN_EXACT, 1729989899 },
                { "Europe/Lisbon", "Oct 27 2024 01:30:00 XYZ", WHEN_GUESSED, 1729989000 },
                /* and one that does not come */
                { "Europe/Lisbon", "Mar 31 2024 01:30:00", WHEN_WRONG, 0 },
        };
        struct clock c = { 0 };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                int64_t at = 0;
                assert_true(time_set_zone(slice_of(rows[i].zone)));
                if (i && rows[i].zone != rows[i - 1].zone)
                        c = (struct clock){ 0 };
                enum when got = when_date(&c, slice_of(rows[i].text), &at);
                if (got != rows[i].want || (got != WHEN_WRONG && at != rows[i].at * SECOND))
                        fail_msg("%s in %s: got %d %lld", rows[i].text, rows[i].zone, got, (long long)(at / SECOND));
        }
}

/* Every hour of a century as libc has it. */
static void days_are_libc_s(void **state)
{
        (void)state;
        for (time_t t = 3600; t < (time_t)4102444800; t += 3607 * 5) {
                struct tm tm;
                int64_t at;
                gmtime_r(&t, &tm);
                struct fields f = { tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec };
                assert_true(fields_utc(&f, &at));
                assert_int_equal(at, (int64_t)t * SECOND);
        }
}

static void system_logs(void **state)
{
        (void)state;
        static const int64_t now = INT64_C(1709251200) * SECOND; /* 2024-03-01 */
        static const struct {
                const char *text;
                enum when want;
                int64_t at;
                const char *rest;
        } rows[] = {
                { "Feb 29 00:00:00 h", WHEN_GUESSED, 1709164800, " h" },
                { "Mar  1 12:00:00 h", WHEN_GUESSED, 1709294400, " h" }, /* a clock that is ahead by less than a day */
                { "Mar  3 00:00:00 h", WHEN_GUESSED, 1677801600, " h" }, /* last year's */
                { "Dec 31 23:59:59 h", WHEN_GUESSED, 1704067199, " h" },
                { "Feb 30 00:00:00 h", WHEN_WRONG, 0, NULL },
                { "2024-02-29T00:00:00.5+00:00 h", WHEN_EXACT, 1709164800, " h" },
                { "2024-02-29 00:00:00 h", WHEN_GUESSED, 1709164800, " h" },
                { "x", WHEN_WRONG, 0, NULL },
        };
        assert_true(time_set_zone(S("UTC")));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct clock c = { 0 };
                struct slice s = slice_of(rows[i].text);
                int64_t at = 0;
                enum when got = when_syslog(&c, &s, now, &at);
                if (got != rows[i].want || (got != WHEN_WRONG && at / SECOND != rows[i].at))
                        fail_msg("%s: got %d %lld", rows[i].text, got, (long long)(at / SECOND));
                if (got != WHEN_WRONG)
                        assert_true(slice_eq(s, slice_of(rows[i].rest)));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(dates), cmocka_unit_test(days_are_libc_s),
                                            cmocka_unit_test(system_logs) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
