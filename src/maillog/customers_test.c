/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/test_support.h"
#include "maillog/customers.h"

static const int64_t START = INT64_C(498611) * HOUR;

static void assert_whose(struct customers *c, const char *client, int64_t second, const char *want)
{
        assert_slice(customers_of(c, slice_of(client), START + second * SECOND), want);
}

static void a_lease_is_believed(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, subscribe(t, "2", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "1", START, START + 100 * SECOND));
        assert_yes(t, lease(t, "198.51.100.7", "2", START + 100 * SECOND, START + 200 * SECOND));
        struct customers *c = customers_new(t->reader, TIME_NEVER);
        for (int again = 0; again < 2; again++) {
                assert_whose(c, "198.51.100.7", -3600, ""); /* that somebody is nobody's holds for its hour */
                assert_whose(c, "198.51.100.7", 0, "1");
                assert_whose(c, "::ffff:198.51.100.7", 99, "1");
                assert_whose(c, "198.51.100.7", 100, "2");
                assert_whose(c, "198.51.100.7", 200, "");
                assert_whose(c, "198.51.100.8", 50, "");
                assert_whose(c, "unknown", 50, "");
                assert_whose(c, "", 50, "");
        }
        customers_free(c);
}

/* A log is followed: 1 goes, and 2 comes, and what 2 does is not told of 1. */
static void who_comes_next_is_not_who_went(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, subscribe(t, "2", NULL));
        struct customers *c = customers_new(t->reader, MINUTE);
        assert_whose(c, "198.51.100.7", 0, "");
        assert_yes(t, lease(t, "198.51.100.7", "1", START + 10 * SECOND, TIME_NEVER));
        assert_whose(c, "198.51.100.7", 60, "1");
        assert_yes(t, lease(t, "198.51.100.7", "2", START + 100 * SECOND, TIME_NEVER)); /* which ends that of 1 */
        assert_whose(c, "198.51.100.7", 120, "2");
        assert_whose(c, "198.51.100.7", 90, "1"); /* a line that comes late */
        assert_whose(c, "198.51.100.7", 4000000, "2");
        customers_free(c);
}

static void who_cannot_be_told_is_nobody(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, subscribe(t, "2", NULL));
        for (unsigned i = 1; i <= 2; i++) {
                char user[2] = { (char)('0' + i), '\0' };
                struct lease l = { .prefix = prefix_at("203.0.113.9"),
                                   .port_low = (uint16_t)(i * 10000),
                                   .port_high = (uint16_t)(i * 10000 + 9999),
                                   .start = START,
                                   .end = TIME_NEVER,
                                   .line = { S("user"), slice_of(user) },
                                   .source = S("nat") };
                assert_yes(t, client_lease_add(t->client, &l));
        }
        struct customers *c = customers_new(t->reader, TIME_NEVER);
        assert_whose(c, "203.0.113.9", 10, "");
        customers_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_lease_is_believed, a_ledger_new, a_ledger_free),
                cmocka_unit_test_setup_teardown(who_comes_next_is_not_who_went, a_ledger_new, a_ledger_free),
                cmocka_unit_test_setup_teardown(who_cannot_be_told_is_nobody, a_ledger_new, a_ledger_free),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
