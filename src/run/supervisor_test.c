/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wait between deaths; the supervisor itself is tried with real duties in tests/test_run.py. */
#include "run/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void waits_longer_each_time(void **state)
{
        (void)state;
        static const struct {
                int64_t former, alive, want;
        } facts[] = {
                { 0, 0, BACKOFF_FIRST },
                { 0, HOUR, BACKOFF_FIRST },
                { BACKOFF_FIRST, SECOND, 400 * 1000 },
                { 400 * 1000, 0, 800 * 1000 },
                { 12800 * 1000, 0, 25600 * 1000 },
                { 25600 * 1000, 0, 30 * SECOND },
                { 30 * SECOND, 59 * SECOND, 30 * SECOND },
                { 30 * SECOND, MINUTE, BACKOFF_FIRST },
        };
        for (size_t i = 0; i < COUNT_OF(facts); i++)
                assert_int_equal(backoff_after(facts[i].former, facts[i].alive), facts[i].want);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(waits_longer_each_time) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
