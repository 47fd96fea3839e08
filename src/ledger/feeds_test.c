/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/test_support.h"

static struct lease session(const char *prefix, const char *user, int64_t start, int64_t end)
{
        return (struct lease){ .prefix = prefix_at(prefix),
                               .start = start,
                               .end = end,
                               .line = { S("user"), slice_of(user) },
                               .source = S("radius"),
                               .nas = S("bras0"),
                               .session = S("81a0"),
                               .user = slice_of(user),
                               .evidence = S("detail:1") };
}

static size_t holders(struct a_ledger *t, const char *address, int64_t at)
{
        struct lease *l;
        struct addr a;
        size_t n;
        assert_true(addr_parse(slice_of(address), &a));
        assert_int_equal(ledger_holders(t->reader, t->arena, &a, at, &l, &n), 0);
        return n;
}

static void facts_and_position_are_one_commit(void **state)
{
        struct a_ledger *t = *state;
        struct lease l = session("198.51.100.7", "1", 1000, TIME_NEVER);
        struct slice position;
        size_t changed;
        assert_yes(t, client_leases_put(t->client, S("bras"), S("17:0"), &l, 1, &changed));
        assert_int_equal(changed, 1);
        assert_int_equal(ledger_feed_position(t->reader, t->arena, S("bras"), &position), 0);
        assert_slice(position, "17:0");
        struct lease bad[] = { session("198.51.100.8", "2", 1000, 2000), session("198.51.100.9", "3", 2000, 1000) };
        assert_no(t, client_leases_put(t->client, S("bras"), S("99:0"), bad, 2, NULL), "must end after");
        assert_int_equal(ledger_feed_position(t->reader, t->arena, S("bras"), &position), 0);
        assert_slice(position, "17:0");
        assert_int_equal(holders(t, "198.51.100.8", 1500), 0);
}

static void the_same_lease_is_set_anew(void **state)
{
        struct a_ledger *t = *state;
        size_t changed;
        struct lease l = session("198.51.100.7", "1", 1000, TIME_NEVER);
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, &changed));
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, &changed));
        assert_int_equal(changed, 0);
        l.end = 2000;
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, &changed));
        assert_int_equal(changed, 1);
        assert_int_equal(holders(t, "198.51.100.7", 2500), 0);
        l.end = 3000; /* a late stop corrects what was presumed */
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, &changed));
        assert_int_equal(holders(t, "198.51.100.7", 2500), 1);
        l.end = l.start;
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, &changed));
        assert_int_equal(holders(t, "198.51.100.7", 1500), 0);
}

static void two_may_hold_one_address(void **state)
{
        struct a_ledger *t = *state;
        struct lease both[] = { session("198.51.100.7", "1", 1000, TIME_NEVER),
                                session("198.51.100.7", "2", 1500, TIME_NEVER) };
        assert_yes(t, client_leases_put(t->client, S(""), S(""), both, 2, NULL));
        assert_int_equal(holders(t, "198.51.100.7", 1200), 1);
        assert_int_equal(holders(t, "198.51.100.7", 1600), 2);
}

static void a_static_lease_is_no_feeds(void **state)
{
        struct a_ledger *t = *state;
        struct lease l = session("198.51.100.7", "1", 1000, TIME_NEVER);
        l.source = S("static");
        assert_no(t, client_leases_put(t->client, S(""), S(""), &l, 1, NULL), "a person's");
}

/* The same report, read again with another line (of the circuit, not the user): both subscribers have to be looked at. */
static void who_loses_a_lease_is_told_of_too(void **state)
{
        struct a_ledger *t = *state;
        struct lease l = session("198.51.100.7", "a", 1000, TIME_NEVER);
        struct change *changes;
        int64_t before;
        size_t n;
        bool a = false, b = false;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, NULL));
        assert_int_equal(ledger_last_change(t->reader, &before), 0);
        l.line.value = S("b");
        assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, NULL));
        assert_int_equal(ledger_changes(t->reader, t->arena, before, &changes, &n), 0);
        for (size_t i = 0; i < n; i++) {
                a = a || slice_eq(changes[i].key, S("a"));
                b = b || slice_eq(changes[i].key, S("b"));
        }
        assert_true(a && b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(facts_and_position_are_one_commit, a_ledger_new, a_ledger_free),
                cmocka_unit_test_setup_teardown(the_same_lease_is_set_anew, a_ledger_new, a_ledger_free),
                cmocka_unit_test_setup_teardown(two_may_hold_one_address, a_ledger_new, a_ledger_free),
                cmocka_unit_test_setup_teardown(who_loses_a_lease_is_told_of_too, a_ledger_new, a_ledger_free),
                cmocka_unit_test_setup_teardown(a_static_lease_is_no_feeds, a_ledger_new, a_ledger_free),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
