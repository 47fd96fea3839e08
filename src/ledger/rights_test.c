/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/rights.h"
#include "ledger/verbs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* As if the users of the duties were there: gate 101, judge 102, sight 103, auth 104, lease 105, edge 106. */
static const struct rights rights = {
        .users = { { true, 101 }, { true, 102 }, { true, 103 }, { true, 104 }, { true, 105 }, { true, 106 } }
};

static const struct {
        uid_t uid;
        uint16_t verb;
        bool want;
} cases[] = {
        { 101, VERB_generation_loaded, true },
        { 101, VERB_generation_rollback, true },
        { 101, VERB_listen, true },
        { 101, VERB_generation_add, false },
        { 101, VERB_quarantine_release, false },
        { 102, VERB_quarantine_add, true },
        { 102, VERB_suspicion_set, true },
        { 102, VERB_listen, true },
        { 102, VERB_quarantine_release, false },
        { 102, VERB_exemption_add, false },
        { 103, VERB_sightings_add, true },
        { 103, VERB_listen, false },
        { 103, VERB_quarantine_add, false },
        { 103, VERB_subscriber_import, false },
        { 101, VERB_password_set, false },
        { 103, VERB_password_rehash, false },
        { 103, VERB_app_password_add, false },
        { 104, VERB_password_rehash, true },
        { 104, VERB_app_password_used, true },
        { 104, VERB_password_set, false },
        { 104, VERB_password_import, false },
        { 104, VERB_app_password_add, false },
        { 104, VERB_mailbox_remove, false },
        { 0, VERB_password_set, true },
        { 105, VERB_leases_put, true },
        { 105, VERB_lease_add, false },
        { 105, VERB_listen, false },
        { 105, VERB_subscriber_import, false },
        { 106, VERB_sightings_add, true },
        { 106, VERB_ban_add, true },
        { 106, VERB_listen, true },
        { 106, VERB_ban_release, false },
        { 106, VERB_quarantine_add, false },
        { 106, VERB_password_rehash, false },
        { 105, VERB_ban_add, false },
        { 1000, VERB_ban_release, true },
        { 0, VERB_generation_add, true },
        { 1000, VERB_quarantine_release, true },
        { 103, 9999, false },
};

static void test_a_duty_may_ask_for_its_own_verbs_alone(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++)
                if (rights_allow(&rights, cases[i].uid, cases[i].verb) != cases[i].want)
                        fail_msg("uid %u, verb %u: want %d", (unsigned)cases[i].uid, cases[i].verb, cases[i].want);
}

static void test_a_user_that_does_not_exist_is_nobody(void **state)
{
        (void)state;
        const struct rights none = { 0 };
        assert_true(rights_allow(&none, 0, VERB_generation_add));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_duty_may_ask_for_its_own_verbs_alone),
                cmocka_unit_test(test_a_user_that_does_not_exist_is_nobody),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
