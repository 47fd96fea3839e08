/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge/rules.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const int64_t now = INT64_C(1800000000) * SECOND;
static const struct policy_quarantine usual = {
        .by_rule = true, .after = 20, .level = LEVEL_SUBMISSION, .duration = DAY, .grace = 2 * HOUR
};

#define NONE .present = LEVEL_NONE, .proposed = LEVEL_NONE

static const struct {
        const char *name;
        struct rules_facts facts;
        enum rules_action action;
        enum rules_reason reason;
        int64_t again; /* from now; 0: never */
} cases[] = {
        { "nothing known", { NONE }, RULES_NOTHING, RULES_LOW, 0 },
        { "a little less", { NONE, .score = 19.89 }, RULES_NOTHING, RULES_LOW, 0 },
        { "as good as reached", { NONE, .score = 19.91 }, RULES_QUARANTINE, RULES_HIGH, 0 },
        { "exactly", { NONE, .score = 20 }, RULES_QUARANTINE, RULES_HIGH, 0 },
        { "no number", { NONE, .score = NAN }, RULES_NOTHING, RULES_LOW, 0 },
        { "in force",
          { .score = 99, .present = LEVEL_SUBMISSION, .proposed = LEVEL_NONE },
          RULES_NOTHING,
          RULES_PRESENT,
          0 },
        { "a stricter one in force",
          { .score = 99, .present = LEVEL_CAPTIVE, .proposed = LEVEL_NONE },
          RULES_NOTHING,
          RULES_PRESENT,
          0 },
        { "a milder one in force",
          { .score = 99, .present = LEVEL_MAIL, .proposed = LEVEL_NONE },
          RULES_QUARANTINE,
          RULES_HIGH,
          0 },
        { "released just now", { NONE, .score = 99, .ended = now }, RULES_NOTHING, RULES_GRACE, 2 * HOUR },
        { "the last instant of grace",
          { NONE, .score = 99, .ended = now - 2 * HOUR + 1 },
          RULES_NOTHING,
          RULES_GRACE,
          1 },
        { "grace is over", { NONE, .score = 99, .ended = now - 2 * HOUR }, RULES_QUARANTINE, RULES_HIGH, 0 },
        { "never cut", { NONE, .score = 99, .never_cut = true }, RULES_PROPOSE, RULES_NEVER_CUT, 0 },
        { "never cut, and exempt",
          { NONE, .score = 99, .never_cut = true, .exempt = true },
          RULES_PROPOSE,
          RULES_NEVER_CUT,
          0 },
        { "exempt", { NONE, .score = 99, .exempt = true }, RULES_PROPOSE, RULES_EXEMPT, 0 },
        { "promised", { NONE, .score = 99, .promised = true }, RULES_PROPOSE, RULES_PROMISED, 0 },
        { "proposed already",
          { .score = 99, .present = LEVEL_NONE, .proposed = LEVEL_SUBMISSION, .promised = true },
          RULES_NOTHING,
          RULES_PROPOSED,
          0 },
        { "a milder one proposed",
          { .score = 99, .present = LEVEL_NONE, .proposed = LEVEL_MAIL, .promised = true },
          RULES_PROPOSE,
          RULES_PROMISED,
          0 },
        { "proposed, and nothing hinders any more",
          { .score = 99, .present = LEVEL_NONE, .proposed = LEVEL_SUBMISSION },
          RULES_QUARANTINE,
          RULES_HIGH,
          0 },
        { "never cut, in grace",
          { NONE, .score = 99, .never_cut = true, .ended = now - HOUR },
          RULES_NOTHING,
          RULES_GRACE,
          HOUR },
};

static void test_verdicts(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct rules_verdict v = rules_judge(&cases[i].facts, &usual, now);
                int64_t again = cases[i].again ? now + cases[i].again : TIME_NEVER;
                if (v.action != cases[i].action || v.reason != cases[i].reason || v.again != again)
                        fail_msg("%s: got action %d because %s", cases[i].name, v.action, rules_reason_words(v.reason));
        }
}

static void test_no_rule_without_a_quarantine_block(void **state)
{
        struct policy_quarantine off = usual;
        (void)state;
        off.by_rule = false;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct rules_verdict v = rules_judge(&cases[i].facts, &off, now);
                assert_int_equal(v.action, RULES_NOTHING);
                assert_int_equal(v.reason, RULES_OFF);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_no_rule_without_a_quarantine_block),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
