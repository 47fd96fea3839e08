/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/test_support.h"

static int see(struct a_ledger *t, const char *prefix, int64_t at, int64_t count)
{
        struct sighting s = { .source = S("kernel"),
                              .prefix = prefix_at(prefix),
                              .port = 0,
                              .at = at,
                              .seconds = 60,
                              .count = count,
                              .strategy = S("block"),
                              .hosts = { "\x01\x02", 2 } };
        return client_sightings_add(t->client, &s, 1, 0, 0);
}

static struct sighting only_one(struct a_ledger *t, int64_t at)
{
        struct sighting *all;
        size_t n;
        assert_int_equal(ledger_sightings(t->reader, t->arena, S(""), at, at + 1, 10, &all, &n), 0);
        assert_int_equal(n, 1);
        return all[0];
}

static void joined_with_the_lease_of_that_instant(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, TIME_NEVER));
        assert_yes(t, lease(t, "198.51.100.7", "b", 5000, TIME_NEVER));
        assert_yes(t, see(t, "198.51.100.7", 4000, 3));
        assert_yes(t, see(t, "198.51.100.7", 6000, 4));
        assert_yes(t, see(t, "198.51.100.9", 6001, 5));
        assert_slice(only_one(t, 4000).subscriber, "a");
        assert_slice(only_one(t, 6000).subscriber, "b");
        assert_int_equal(only_one(t, 6000).hosts.n, 2);
        assert_int_equal(only_one(t, 6001).holders, 0);
        struct sighting *all;
        size_t n;
        assert_int_equal(ledger_sightings(t->reader, t->arena, S("a"), 0, TIME_NEVER, 10, &all, &n), 0);
        assert_true(n == 1 && all[0].count == 3);
        /* a late stop: the lease of b began earlier than was thought */
        assert_int_equal(ledger_sightings(t->reader, t->arena, S("b"), 0, TIME_NEVER, 10, &all, &n), 0);
        assert_true(n == 1 && all[0].count == 4);
}

static void several_holders_are_ambiguous(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        struct lease fixed = { .prefix = prefix_at("198.51.100.7"),
                               .start = 1000,
                               .end = 3000,
                               .line = { S("user"), S("a") },
                               .source = S("static") };
        assert_yes(t, client_lease_add(t->client, &fixed)); /* written down for a, and handed to b by RADIUS */
        assert_yes(t, lease(t, "198.51.100.7", "b", 2000, 4000));
        assert_yes(t, see(t, "198.51.100.7", 2500, 1));
        struct sighting s = only_one(t, 2500);
        assert_int_equal(s.holders, 2);
        assert_slice(s.subscriber, "");
}

static void a_prefix_belongs_to_who_holds_it_or_what_is_in_it(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "wide", NULL));
        assert_yes(t, subscribe(t, "one", NULL));
        assert_yes(t, subscribe(t, "two", NULL));
        assert_yes(t, lease(t, "2001:db8:100::/56", "wide", 0, TIME_NEVER));
        assert_yes(t, lease(t, "2001:db8:200:1::5", "one", 0, TIME_NEVER));
        assert_yes(t, lease(t, "2001:db8:200:2::5", "one", 0, TIME_NEVER));
        assert_yes(t, lease(t, "2001:db8:200:2::6", "two", 0, TIME_NEVER));
        assert_yes(t, see(t, "2001:db8:100:7::/64", 10, 1));
        assert_yes(t, see(t, "2001:db8:200:1::/64", 11, 1));
        assert_yes(t, see(t, "2001:db8:200:2::/64", 12, 1));
        assert_slice(only_one(t, 10).subscriber, "wide");
        assert_slice(only_one(t, 11).subscriber, "one");
        assert_int_equal(only_one(t, 12).holders, 2);
        struct sighting *all;
        size_t n;
        assert_int_equal(ledger_sightings(t->reader, t->arena, S("one"), 0, TIME_NEVER, 10, &all, &n), 0);
        assert_true(n == 1 && all[0].at == 11);
}

static void newest_first_and_no_more_than_asked(void **state)
{
        struct a_ledger *t = *state;
        struct sighting *all;
        size_t n;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "a", 0, TIME_NEVER));
        for (int64_t i = 0; i < 20; i++)
                assert_yes(t, see(t, "198.51.100.7", 100 + i, i + 1));
        const struct slice whose[] = { S(""), S("a") };
        for (size_t k = 0; k < 2; k++) {
                assert_int_equal(ledger_sightings(t->reader, t->arena, whose[k], 105, 115, 4, &all, &n), 0);
                assert_int_equal(n, 4);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(all[i].at, 114 - (int64_t)i);
        }
}

static void losses_by_the_minute(void **state)
{
        struct a_ledger *t = *state;
        struct loss *all;
        size_t n;
        assert_yes(t, client_sightings_add(t->client, NULL, 0, 7, 61 * SECOND));
        assert_yes(t, client_sightings_add(t->client, NULL, 0, 5, 119 * SECOND));
        assert_yes(t, client_sightings_add(t->client, NULL, 0, 2, 120 * SECOND));
        assert_yes(t, client_sightings_add(t->client, NULL, 0, 0, 0));
        assert_int_equal(ledger_losses(t->reader, t->arena, 0, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_true(all[0].at == 60 * SECOND && all[0].count == 12 && all[1].count == 2);
}

static void suspicion_is_kept_by_subscriber(void **state)
{
        struct a_ledger *t = *state;
        struct suspicion *all, s = { .subscriber = S("a"), .at = 100, .score = 3.5, .syn_part = 0.5 };
        size_t n;
        assert_no(t, client_suspicion_set(t->client, &s), "not known");
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, client_suspicion_set(t->client, &s));
        s.score = 7;
        assert_yes(t, client_suspicion_set(t->client, &s));
        s.subscriber = S("b");
        s.score = 9;
        assert_yes(t, client_suspicion_set(t->client, &s));
        assert_int_equal(ledger_suspicions(t->reader, t->arena, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(all[0].subscriber, "b");
        assert_true(all[1].score == 7 && all[1].syn_part == 0.5);
        s.score = __builtin_nan("");
        assert_int_equal(client_suspicion_set(t->client, &s), -EBADMSG);
}

static void wrong_sightings_are_refused(void **state)
{
        struct a_ledger *t = *state;
        const struct sighting good = { .source = S("trap"), .prefix = prefix_at("198.51.100.7"), .at = 10, .count = 1 };
        struct sighting rows[4];
        char large[2000] = { 0 };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                rows[i] = good;
        rows[0].source = S("");
        rows[1].count = 0;
        rows[2].at = time_now() + 10 * DAY;
        rows[3].hosts = (struct slice){ large, sizeof large };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct sighting both[] = { good, rows[i] };
                assert_no(t, client_sightings_add(t->client, both, 2, 0, 0),
                          i == 0   ? "source"
                          : i == 3 ? "sketch"
                                   : "count");
        }
        struct sighting *all;
        size_t n;
        assert_int_equal(ledger_sightings(t->reader, t->arena, S(""), 0, TIME_NEVER, 10, &all, &n), 0);
        assert_int_equal(n, 0); /* not the good one of a bad batch either */
}

static void changes_are_few_and_gaps_are_told(void **state)
{
        struct a_ledger *t = *state;
        struct change *all;
        struct sighting many[50];
        int64_t last;
        size_t n;
        for (size_t i = 0; i < COUNT_OF(many); i++)
                many[i] = (struct sighting){ .source = S("kernel"),
                                             .prefix = prefix_at(i % 2 ? "198.51.100.7" : "198.51.100.8"),
                                             .at = 10,
                                             .count = 1 };
        assert_yes(t, client_sightings_add(t->client, many, COUNT_OF(many), 0, 0));
        assert_int_equal(ledger_changes(t->reader, t->arena, 0, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(all[0].kind, "sighting");
        assert_int_equal(ledger_last_change(t->reader, &last), 0);
        assert_int_equal(last, 2);
        assert_int_equal(ledger_changes(t->reader, t->arena, 2, &all, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(ledger_changes(t->reader, t->arena, 3, &all, &n),
                         -ERANGE); /* a ledger older than what was seen */
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(joined_with_the_lease_of_that_instant),
                A_TEST(several_holders_are_ambiguous),
                A_TEST(a_prefix_belongs_to_who_holds_it_or_what_is_in_it),
                A_TEST(newest_first_and_no_more_than_asked),
                A_TEST(losses_by_the_minute),
                A_TEST(suspicion_is_kept_by_subscriber),
                A_TEST(wrong_sightings_are_refused),
                A_TEST(changes_are_few_and_gaps_are_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
