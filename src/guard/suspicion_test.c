/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/suspicion.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct policy_suspicion usual = { .half_life = DAY,
                                               .points_trap = 5,
                                               .points_divert = 1,
                                               .points_complaint = 10,
                                               .points_syn = 0.01,
                                               .points_other = 1 };
static const int64_t now = 1800000000 * SECOND;

static const struct {
        const char *name;
        struct suspicion_fact facts[3];
        double score, syn; /* of 20 */
} cases[] = {
        { "nothing", { { 0, 0, 0 } }, 0, 0 },
        { "one conversation in the trap", { { SUSPICION_TRAP, 0, 1 } }, 5, 0 },
        { "four", { { SUSPICION_TRAP, 0, 4 } }, 20, 0 },
        { "a day old: half", { { SUSPICION_TRAP, -DAY, 4 } }, 10, 0 },
        { "two days: a quarter", { { SUSPICION_COMPLAINT, -2 * DAY, 1 } }, 2.5, 0 },
        { "from the future: as now", { { SUSPICION_DIVERT, 5 * DAY, 3 } }, 3, 0 },
        { "attempts", { { SUSPICION_SYN, 0, 100 } }, 1, 1 },
        { "attempts stop at half", { { SUSPICION_SYN, 0, 100000000 } }, 10, 10 },
        { "half by attempts, half by talk", { { SUSPICION_SYN, 0, 100000 }, { SUSPICION_TRAP, 0, 2 } }, 20, 10 },
        { "all sources",
          { { SUSPICION_OTHER, 0, 2 }, { SUSPICION_COMPLAINT, 0, 1 }, { SUSPICION_DIVERT, 0, 3 } },
          15,
          0 },
        { "a count below zero", { { SUSPICION_TRAP, 0, -7 } }, 0, 0 },
        { "a count without end",
          { { SUSPICION_TRAP, 0, INT64_MAX }, { SUSPICION_TRAP, 0, INT64_MAX } },
          SUSPICION_MOST,
          0 },
};

static void test_scores(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct suspicion_sum s = { .at = now };
                for (size_t k = 0; k < COUNT_OF(cases[i].facts); k++) {
                        struct suspicion_fact fact = cases[i].facts[k];
                        fact.at += now;
                        suspicion_add(&s, &usual, &fact, now);
                }
                double score = suspicion_score(&s, 20), syn = suspicion_syn_part(&s, 20);
                if (fabs(score - cases[i].score) > 1e-9 || fabs(syn - cases[i].syn) > 1e-9)
                        fail_msg("%s: got %g (%g by attempts), want %g (%g)", cases[i].name, score, syn, cases[i].score,
                                 cases[i].syn);
        }
}

static void test_the_order_of_facts_does_not_matter(void **state)
{
        struct suspicion_sum forward = { .at = 0 }, backward = { .at = 0 };
        (void)state;
        for (int i = 0; i <= 100; i++) {
                struct suspicion_fact early = { SUSPICION_TRAP, now + i * HOUR, 1 },
                                      late = { SUSPICION_TRAP, now + (100 - i) * HOUR, 1 };
                suspicion_add(&forward, &usual, &early, now + i * HOUR);
                suspicion_add(&backward, &usual, &late, now + 100 * HOUR);
        }
        assert_true(fabs(forward.hard - backward.hard) < 1e-6);
}

static void test_nothing_breaks_it(void **state)
{
        static const double odd[] = { 0, -1, NAN, INFINITY, -INFINITY, 1e308, 1 };
        static const int64_t times[] = { INT64_MIN, -1, 0, 1, DAY, INT64_MAX };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(odd); i++)
                for (size_t k = 0; k < COUNT_OF(times); k++)
                        for (size_t m = 0; m < COUNT_OF(times); m++) {
                                struct policy_suspicion p = { .half_life = times[k],
                                                              .points_trap = odd[i],
                                                              .points_syn = odd[i] };
                                struct suspicion_sum s = { .hard = odd[i], .syn = odd[i], .at = times[m] };
                                struct suspicion_fact fact = { SUSPICION_TRAP, times[k], times[m] };
                                suspicion_add(&s, &p, &fact, times[k]);
                                fact.source = SUSPICION_SYN;
                                suspicion_add(&s, &p, &fact, now);
                                double score = suspicion_score(&s, odd[i]);
                                assert_true(score >= 0 && score <= SUSPICION_MOST);
                                assert_true(suspicion_since(times[k], times[m]) >= 0);
                        }
}

static void test_sources_by_name(void **state)
{
        (void)state;
        assert_int_equal(suspicion_source_of(S("kernel")), SUSPICION_SYN);
        assert_int_equal(suspicion_source_of(S("trap")), SUSPICION_TRAP);
        assert_int_equal(suspicion_source_of(S("complaint")), SUSPICION_COMPLAINT);
        assert_int_equal(suspicion_source_of(S("blocklist")), SUSPICION_OTHER);
        assert_int_equal(suspicion_source_of(S("")), SUSPICION_OTHER);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scores),
                cmocka_unit_test(test_the_order_of_facts_does_not_matter),
                cmocka_unit_test(test_nothing_breaks_it),
                cmocka_unit_test(test_sources_by_name),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
