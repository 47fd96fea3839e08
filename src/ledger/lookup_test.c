/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/pile.h"
#include "ledger/test_support.h"

static size_t audit_rows(struct a_ledger *t, struct slice key, struct audit_row **ret)
{
        size_t n;
        assert_int_equal(ledger_audit(t->reader, t->arena, key, 100, ret, &n), 0);
        return n;
}

static void a_look_up_is_a_row_of_the_audit_trail(void **state)
{
        struct a_ledger *t = *state;
        struct audit_row *rows;
        struct slice named[] = { S("a"), S("quote\" and \\") };
        struct lookup two[] = {
                { S("lease whose"), S("192.0.2.1"), S("192.0.2.1 at \"noon\""), S("ambiguous: 2"), named, 2 },
                { S("lease whose"), S("192.0.2.2"), S("192.0.2.2"), S("unknown"), NULL, 0 },
        };
        assert_yes(t, client_lookup(t->client, S("case 7"), two, 2));
        assert_int_equal(audit_rows(t, S(""), &rows), 2);
        assert_int_equal(audit_rows(t, S("192.0.2.1"), &rows), 1);
        assert_slice(rows[0].verb, "lease whose");
        assert_slice(rows[0].why, "case 7");
        assert_slice(rows[0].before, "{\"question\":\"192.0.2.1 at \\\"noon\\\"\"}");
        assert_slice(rows[0].after, "{\"answer\":\"ambiguous: 2\",\"subscribers\":[\"a\",\"quote\\\" and \\\\\"]}");
        assert_yes(t, client_lookup(t->client, S("case 7"), two, 0)); /* nobody asked */
}

static void what_is_no_look_up(void **state)
{
        struct a_ledger *t = *state;
        struct audit_row *rows;
        struct lookup right = { S("lease whose"), S("192.0.2.1"), S("q"), S("a"), NULL, 0 },
                      wrong[2] = { right, right };
        static struct slice many[1001];
        assert_no(t, client_lookup(t->client, S(""), &right, 1), "needs a reason");
        assert_no(t, client_lookup(t->client, S(" \t"), &right, 1), "needs a reason");
        assert_no(t, client_lookup(t->client, S("a\x1b"), &right, 1), "control character");
        wrong[1].what = S("generation 3"); /* a row that looks like another decision */
        assert_no(t, client_lookup(t->client, S("r"), wrong, 2), "a look-up is of leases");
        wrong[1] = right;
        wrong[1].answer = S("\x07");
        assert_no(t, client_lookup(t->client, S("r"), wrong, 2), "control character");
        wrong[1] = right;
        wrong[1].subscribers = many;
        wrong[1].n_subscribers = COUNT_OF(many);
        assert_no(t, client_lookup(t->client, S("r"), wrong, 2), "1000 subscribers at most");
        assert_int_equal(audit_rows(t, S(""), &rows), 0); /* all or nothing */
}

static void who_had_a_line_and_when(void **state)
{
        struct a_ledger *t = *state;
        struct line line = { S("user"), S("a") }, other = { S("user"), S("nobody") };
        struct line_holder *all;
        size_t n;
        assert_yes(t, subscribe(t, "a", NULL));
        int64_t before = time_now();
        assert_yes(t, client_subscriber_remove(t->client, S("a"), S("left")));
        assert_yes(t, subscribe(t, "a", NULL));
        assert_int_equal(ledger_line_holders(t->reader, t->arena, &line, 0, TIME_NEVER, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_true(all[0].number != all[1].number && all[0].start == 0 && all[0].end >= before);
        assert_true(all[0].removed == all[0].end && all[1].removed == TIME_NEVER);
        assert_int_equal(ledger_line_holders(t->reader, t->arena, &line, 0, before, &all, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(ledger_line_holders(t->reader, t->arena, &other, 0, TIME_NEVER, &all, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(ledger_bearers(t->reader, t->arena, S("a"), &all, &n), 0);
        assert_int_equal(n, 2);
        assert_true(all[0].number < all[1].number && all[0].removed != TIME_NEVER && all[1].removed == TIME_NEVER);
        assert_int_equal(ledger_bearers(t->reader, t->arena, S("b"), &all, &n), 0);
        assert_int_equal(n, 0);
}

static void lines_of_nobody(void **state)
{
        struct a_ledger *t = *state;
        struct unknown_line *all;
        size_t n;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, lease(t, "192.0.2.1", "a", 1000, 2000));
        assert_yes(t, lease(t, "192.0.2.2", "x", 1000, 2000));
        assert_yes(t, lease(t, "192.0.2.3", "x", 3000, 4000));
        assert_yes(t, lease(t, "192.0.2.4", "y", 2000, TIME_NEVER));
        assert_int_equal(ledger_unknown_lines(t->reader, t->arena, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(all[0].line.value, "y"); /* the one seen last */
        assert_true(all[0].last == TIME_NEVER && all[0].leases == 1);
        assert_slice(all[1].line.value, "x");
        assert_true(all[1].leases == 2 && all[1].first == 1000 && all[1].last == 4000);
        struct prefix latest = prefix_at("192.0.2.3");
        assert_int_equal(prefix_cmp(&all[1].prefix, &latest), 0);
}

/* An import goes to the archive: what is asked of both must be of both. */
static void lines_of_nobody_in_the_archive(void **state)
{
        struct a_ledger *t = *state;
        struct unknown_line *all;
        struct pile_result got;
        size_t n;
        autobuf why;
        autopile *p = NULL;
        buf_init(&why, 4096);
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, lease(t, "192.0.2.9", "x", 9000, TIME_NEVER));
        assert_int_equal(pile_new(t->dir, 0, &p, &why), 0);
        static const char *const users[] = { "a", "x", "x", "z" };
        for (size_t i = 0; i < COUNT_OF(users); i++) {
                struct lease l = { .prefix = prefix_at("192.0.2.1"),
                                   .start = 1000 * ((int64_t)i + 1),
                                   .end = 1000 * ((int64_t)i + 2),
                                   .line = { S("user"), slice_of(users[i]) },
                                   .source = S("radius"),
                                   .user = slice_of(users[i]) };
                assert_int_equal(pile_add(p, &l), 0);
        }
        struct lease block = { .prefix = prefix_at("192.0.2.2"),
                               .port_low = 1024,
                               .port_high = 2047,
                               .start = 1000,
                               .end = 2000,
                               .line = { S("inside"), S("100.64.0.1") },
                               .source = S("cgnat"),
                               .user = S("100.64.0.1") };
        assert_int_equal(pile_add(p, &block), 0);
        assert_int_equal(pile_commit(p, t->client, NULL, 0, false, NULL, &got), 0);
        assert_int_equal(got.added, 5);
        assert_int_equal(ledger_unknown_lines(t->reader, t->arena, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(all[0].line.value, "x");
        assert_true(all[0].leases == 3 && all[0].first == 2000 && all[0].last == TIME_NEVER);
        assert_slice(all[1].line.value, "z");
        assert_true(all[1].leases == 1 && all[1].first == 4000 && all[1].last == 5000);
}

#define WITH_LEDGER(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = { WITH_LEDGER(a_look_up_is_a_row_of_the_audit_trail),
                                            WITH_LEDGER(what_is_no_look_up), WITH_LEDGER(who_had_a_line_and_when),
                                            WITH_LEDGER(lines_of_nobody), WITH_LEDGER(lines_of_nobody_in_the_archive) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
