/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/test_support.h"

static int add(struct a_ledger *t, const char *prefix, int64_t until, int64_t *id, int64_t *ends)
{
        struct ban b = { .prefix = prefix_at(prefix), .until = until, .reason = S("guessing"), .by_rule = true };
        return client_ban_add(t->client, &b, id, ends);
}

static size_t in_force(struct a_ledger *t, int64_t at, struct ban **ret)
{
        size_t n = 0;
        assert_int_equal(ledger_bans(t->reader, t->arena, at, true, ret, &n), 0);
        return n;
}

static void a_ban_begins_and_ends(void **state)
{
        struct a_ledger *t = *state;
        struct ban *all;
        int64_t now = time_now(), id, ends;
        assert_yes(t, add(t, "203.0.113.9", now + HOUR, &id, &ends));
        assert_int_equal(ends, now + HOUR);
        assert_int_equal(in_force(t, now + MINUTE, &all), 1);
        assert_int_equal(all[0].id, id);
        assert_slice(all[0].reason, "guessing");
        assert_true(all[0].by_rule && all[0].released == 0);
        assert_int_equal(in_force(t, now + HOUR, &all), 0);
        assert_int_equal(in_force(t, now - MINUTE, &all), 0);
}

static void the_later_end_wins(void **state)
{
        struct a_ledger *t = *state;
        struct ban *all;
        struct audit_row *trail;
        size_t n;
        int64_t now = time_now(), first, id, ends, change, after;
        assert_yes(t, add(t, "203.0.113.0/24", now + HOUR, &first, NULL));
        assert_yes(t, add(t, "203.0.113.0/24", now + 3 * HOUR, &id, &ends));
        assert_int_equal(id, first);
        assert_int_equal(ends, now + 3 * HOUR);
        assert_int_equal(ledger_last_change(t->reader, &change), 0);
        assert_yes(t, add(t, "203.0.113.0/24", now + 2 * HOUR, &id, &ends));
        assert_int_equal(ends, now + 3 * HOUR);
        assert_yes(t, add(t, "203.0.113.0/24", now + 3 * HOUR + SECOND, &id, &ends)); /* another connection of his */
        assert_int_equal(ends, now + 3 * HOUR);
        assert_int_equal(ledger_last_change(t->reader, &after), 0);
        assert_int_equal(after, change);
        assert_int_equal(in_force(t, now + 2 * HOUR, &all), 1);
        assert_int_equal(ledger_audit(t->reader, t->arena, S("203.0.113.0/24"), 10, &trail, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(trail[0].verb, "ban extend");
        assert_true(trail[0].before.n && trail[0].after.n);
        assert_slice(trail[1].verb, "ban add");
        assert_int_equal(trail[1].before.n, 0);
}

static void a_release_by_number_or_by_prefix(void **state)
{
        struct a_ledger *t = *state;
        struct ban *all;
        struct prefix six = prefix_at("2001:db8:bad::/64"), other = prefix_at("2001:db8:bad::/48");
        int64_t now = time_now(), id;
        assert_yes(t, add(t, "203.0.113.9", now + HOUR, &id, NULL));
        assert_yes(t, add(t, "2001:db8:bad::/64", now + HOUR, NULL, NULL));
        assert_yes(t, client_ban_release(t->client, id, NULL, S("a partner")));
        assert_no(t, client_ban_release(t->client, id, NULL, S("again")), "over already");
        assert_no(t, client_ban_release(t->client, 77, NULL, S("x")), "no ban 77");
        assert_no(t, client_ban_release(t->client, 0, &other, S("x")), "2001:db8:bad::/48 is not banned");
        assert_yes(t, client_ban_release(t->client, 0, &six, S("x")));
        assert_int_equal(in_force(t, time_now(), &all), 0);
        /* and it may be banned anew, as another ban */
        assert_yes(t, add(t, "203.0.113.9", now + HOUR, NULL, NULL));
        assert_int_equal(in_force(t, time_now(), &all), 1);
        assert_int_not_equal(all[0].id, id);
}

static void bans_over_an_address(void **state)
{
        static const char *const prefixes[] = { "203.0.113.0/24",    "203.0.113.9",        "203.0.113.8",
                                                "2001:db8:bad::/48", "2001:db8:bad::/56",  "2001:db8:bad::/64",
                                                "2001:db8:bad::1",   "2001:db8:bad:1::/64" };
        struct a_ledger *t = *state;
        struct ban *all;
        struct addr four = prefix_at("203.0.113.9").addr, six = prefix_at("2001:db8:bad::1").addr;
        int64_t now = time_now();
        size_t n;
        for (size_t i = 0; i < COUNT_OF(prefixes); i++)
                assert_yes(t, add(t, prefixes[i], now + HOUR, NULL, NULL));
        assert_int_equal(ledger_bans_over(t->reader, t->arena, &four, time_now(), &all, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(all[0].prefix.len, 128);
        assert_int_equal(ledger_bans_over(t->reader, t->arena, &six, time_now(), &all, &n), 0);
        assert_int_equal(n, 4);
        assert_int_equal(all[3].prefix.len, 48);
        assert_int_equal(ledger_bans_over(t->reader, t->arena, &six, now + HOUR, &all, &n), 0);
        assert_int_equal(n, 0);
}

static void wrong_bans_are_refused(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now();
        const struct {
                const char *want;
                struct ban b;
        } rows[] = {
                { "needs a reason", { .prefix = prefix_at("203.0.113.9"), .until = now + HOUR } },
                { "needs an end", { .prefix = prefix_at("203.0.113.9"), .until = TIME_NEVER, .reason = S("x") } },
                { "over already", { .prefix = prefix_at("203.0.113.9"), .until = now - 1, .reason = S("x") } },
                { "8.0.0.0/8: a ban is of",
                  { .prefix = prefix_at("8.0.0.0/8"), .until = now + HOUR, .reason = S("x") } },
                { "a ban is of", { .prefix = prefix_at("2001:db8::/32"), .until = now + HOUR, .reason = S("x") } },
                { "control", { .prefix = prefix_at("203.0.113.9"), .until = now + HOUR, .reason = S("a\x1b[2J") } },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_no(t, client_ban_add(t->client, &rows[i].b, NULL, NULL), rows[i].want);
}

static void what_a_gate_follows(void **state)
{
        struct a_ledger *t = *state;
        struct change *changes;
        size_t n;
        int64_t before, id;
        assert_int_equal(ledger_last_change(t->reader, &before), 0);
        assert_yes(t, add(t, "203.0.113.9", time_now() + HOUR, &id, NULL));
        assert_yes(t, client_ban_release(t->client, id, NULL, S("x")));
        assert_int_equal(ledger_changes(t->reader, t->arena, before, &changes, &n), 0);
        assert_int_equal(n, 2);
        for (size_t i = 0; i < n; i++) {
                assert_slice(changes[i].kind, "ban");
                assert_slice(changes[i].key, "203.0.113.9");
        }
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)
        const struct CMUnitTest tests[] = {
                A_TEST(a_ban_begins_and_ends), A_TEST(the_later_end_wins),     A_TEST(a_release_by_number_or_by_prefix),
                A_TEST(bans_over_an_address),  A_TEST(wrong_bans_are_refused), A_TEST(what_a_gate_follows)
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
