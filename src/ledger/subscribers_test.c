/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/test_support.h"

static struct subscriber read_one(struct a_ledger *t, const char *id)
{
        struct subscriber s;
        assert_int_equal(ledger_subscriber(t->reader, t->arena, slice_of(id), &s), 0);
        return s;
}

static int64_t last_change(struct a_ledger *t)
{
        int64_t n;
        assert_int_equal(ledger_last_change(t->reader, &n), 0);
        return n;
}

static void adding_and_reading_back(void **state)
{
        struct a_ledger *t = *state;
        struct line lines[] = { { S("mac"), S("0011.22AA.BBCC") }, { S("user"), S("alice@example.net") } };
        struct prefix addresses[] = { prefix_at("192.0.2.7"), prefix_at("2001:db8:100::/56") };
        struct subscriber_change c = {
                .value = { .id = S("10442"),
                           .name = S("Alice"),
                           .class = S("home"),
                           .port25 = STRATEGY_OBSERVE,
                           .never_cut = true },
                .name = true,
                .class = true,
                .port25 = true,
                .never_cut = true,
                .add_lines = lines,
                .n_add_lines = 2,
                .add_addresses = addresses,
                .n_add_addresses = 2,
        };
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_ADD));
        struct subscriber s = read_one(t, "10442");
        assert_slice(s.name, "Alice");
        assert_slice(s.class, "home");
        assert_int_equal(s.port25, STRATEGY_OBSERVE);
        assert_true(s.never_cut);
        assert_int_equal(s.n_lines, 3);
        assert_slice(s.lines[0].value, "00:11:22:aa:bb:cc");
        assert_slice(s.lines[1].kind, "static");
        assert_int_equal(s.n_leases, 2);
        assert_slice(s.leases[0].source, "static");
        assert_no(t, client_subscriber(t->client, &c, SUBSCRIBER_ADD), "known already");
}

static void wrong_values_are_told(void **state)
{
        struct a_ledger *t = *state;
        struct line bad_mac = { S("mac"), S("00:11:22") }, bad_kind = { S("colour"), S("red") };
        char long_text[LEDGER_TEXT_MOST + 2];
        memset(long_text, 'x', sizeof long_text - 1);
        long_text[sizeof long_text - 1] = '\0';
        const struct {
                struct subscriber_change c;
                const char *want;
        } rows[] = {
                { { .value = { .id = S("") } }, "id is empty" },
                { { .value = { .id = S(" 1") } }, "blanks" },
                { { .value = { .id = S("a\nb") } }, "control" },
                { { .value = { .id = S("192.0.2.1") } }, "address" },
                { { .value = { .id = S("2001:db8::/32") } }, "address" },
                { { .value = { .id = S("1"), .name = slice_of(long_text) }, .name = true }, "too long" },
                { { .value = { .id = S("1"), .email = S("a\001b") }, .email = true }, "control" },
                { { .value = { .id = S("1") }, .add_lines = &bad_mac, .n_add_lines = 1 }, "12 hexadecimal" },
                { { .value = { .id = S("1") }, .add_lines = &bad_kind, .n_add_lines = 1 }, "KIND" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_no(t, client_subscriber(t->client, &rows[i].c, SUBSCRIBER_ADD), rows[i].want);
        struct subscriber *all;
        size_t n;
        assert_int_equal(ledger_subscribers(t->reader, t->arena, &all, &n), 0);
        assert_int_equal(n, 0);
}

static void setting_changes_only_what_is_given(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        struct subscriber_change c = { .value = { .id = S("1"), .class = S("plus"), .name = S("not taken") },
                                       .class = true };
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
        struct subscriber s = read_one(t, "1");
        assert_slice(s.class, "plus");
        assert_slice(s.name, "");
        assert_int_equal(s.n_lines, 2);
        assert_int_equal(s.n_leases, 1);
        int64_t before = last_change(t);
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
        assert_int_equal(last_change(t), before);
        c.value.id = S("2");
        assert_no(t, client_subscriber(t->client, &c, SUBSCRIBER_SET), "not known");
}

static void dropping_lines_and_addresses(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        struct line line = { S("user"), S("1") };
        struct prefix prefix = prefix_at("192.0.2.1");
        struct subscriber_change c = { .value = { .id = S("1") },
                                       .drop_lines = &line,
                                       .n_drop_lines = 1,
                                       .drop_addresses = &prefix,
                                       .n_drop_addresses = 1 };
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
        struct subscriber s = read_one(t, "1");
        assert_int_equal(s.n_lines, 1);
        assert_int_equal(s.n_leases, 0);
        assert_no(t, client_subscriber(t->client, &c, SUBSCRIBER_SET), "he has no line user:1");
}

static void a_line_and_an_address_have_one_owner(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", "192.0.2.8/29"));
        struct line line = { S("user"), S("1") };
        struct subscriber_change c = { .value = { .id = S("2") }, .add_lines = &line, .n_add_lines = 1 };
        assert_no(t, client_subscriber(t->client, &c, SUBSCRIBER_ADD), "already belongs to subscriber 1");
        assert_no(t, subscribe(t, "2", "192.0.2.9"), "subscriber 1's");
        assert_no(t, subscribe(t, "2", "192.0.2.0/24"), "subscriber 1's");
        assert_no(t, subscribe(t, "2", "192.0.2.8/29"), "subscriber 1's");
        assert_yes(t, subscribe(t, "2", "192.0.2.16"));
}

static void removal_keeps_history_and_frees_the_id(void **state)
{
        struct a_ledger *t = *state;
        struct told *told;
        struct exemption *exemptions;
        struct quarantine *quarantines;
        size_t n;
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        assert_yes(t, client_told(t->client, S("1"), S("letter"), time_now(), S("")));
        struct quarantine q = { .subscriber = S("1"), .level = LEVEL_MAIL, .until = TIME_NEVER, .reason = S("spam") };
        assert_yes(t, client_quarantine_add(t->client, &q, NULL));
        struct exemption e = { .subscriber = S("1"),
                               .prefix = { .len = 128 },
                               .until = time_now() + DAY,
                               .owner = S("noc"),
                               .reason = S("x") };
        assert_yes(t, client_exemption_add(t->client, &e, NULL));
        int64_t then = time_now();
        assert_yes(t, client_subscriber_remove(t->client, S("1"), S("left")));
        assert_no(t, client_subscriber_remove(t->client, S("1"), S("left")), "not known");

        struct lease *leases;
        assert_int_equal(ledger_holders(t->reader, t->arena, &(struct prefix){ prefix_at("192.0.2.1").addr, 128 }.addr,
                                        then, &leases, &n),
                         0);
        assert_int_equal(n, 1);
        assert_slice(leases[0].subscriber, "1");
        assert_slice(leases[0].why_ended, "subscriber removed");
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        struct person p;
        assert_int_equal(ledger_person(t->reader, t->arena, S("1"), time_now(), &p), 0);
        assert_int_equal(p.quarantine, LEVEL_NONE);
        assert_false(p.exempt);
        assert_int_equal(ledger_told(t->reader, t->arena, S("1"), &told, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(ledger_quarantines(t->reader, t->arena, S("1"), 0, false, &quarantines, &n), 0);
        assert_int_equal(n, 1);
        assert_slice(quarantines[0].release_reason, "subscriber removed");
        assert_int_equal(ledger_exemptions(t->reader, t->arena, &exemptions, &n), 0);
        assert_true(n == 1 && exemptions[0].removed);
}

static void told_is_a_fact_of_the_past(void **state)
{
        struct a_ledger *t = *state;
        struct told *told;
        size_t n;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_no(t, client_told(t->client, S("1"), S("pigeon"), time_now(), S("")), "by:");
        assert_no(t, client_told(t->client, S("1"), S("sms"), time_now() + HOUR, S("")), "future");
        assert_no(t, client_told(t->client, S("2"), S("sms"), time_now(), S("")), "not known");
        assert_yes(t, client_told(t->client, S("1"), S("letter"), 1000 * SECOND, S("old")));
        assert_yes(t, client_told(t->client, S("1"), S("sms"), 2000 * SECOND, S("new")));
        assert_int_equal(ledger_told(t->reader, t->arena, S(""), &told, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(told[0].by, "sms");
        assert_slice(told[1].note, "old");
}

static struct subscriber_change row(const char *id, int64_t line, struct line *lines, size_t n)
{
        return (struct subscriber_change){ .value = { .id = slice_of(id), .port25 = STRATEGY_NONE },
                                           .add_lines = lines,
                                           .n_add_lines = n,
                                           .row = line };
}

static void import_lets_a_line_pass_from_one_to_another(void **state)
{
        struct a_ledger *t = *state;
        struct line a = { S("user"), S("a") }, b = { S("user"), S("b") };
        autobuf report;
        buf_init(&report, 1 << 20);
        struct subscriber_change first[] = { row("1", 2, &a, 1), row("2", 3, &b, 1) };
        assert_yes(t, client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = false, .report = &report },
                                               first, 2));
        struct subscriber_change swapped[] = { row("1", 2, &b, 1), row("2", 3, &a, 1) };
        buf_clear(&report);
        assert_yes(t, client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = true, .report = &report },
                                               swapped, 2));
        assert_slice(read_one(t, "1").lines[0].value, "a");
        assert_non_null(strstr(buf_cstr(&report), "~ 1: - user:a, + user:b"));
        buf_clear(&report);
        assert_yes(t, client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = false, .report = &report },
                                               swapped, 2));
        assert_slice(read_one(t, "1").lines[0].value, "b");
        int64_t before = last_change(t);
        buf_clear(&report);
        assert_yes(t, client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = false, .report = &report },
                                               swapped, 2));
        assert_string_equal(buf_cstr(&report), "0 added, 0 changed, 2 unchanged\n");
        assert_int_equal(last_change(t), before);
}

static void import_tells_all_and_does_nothing_by_halves(void **state)
{
        struct a_ledger *t = *state;
        struct line a = { S("user"), S("a") }, wrong = { S("mac"), S("zz") };
        autobuf report;
        struct subscriber *all;
        size_t n;
        buf_init(&report, 1 << 20);
        struct subscriber_change rows[] = { row("1", 2, &a, 1), row("2", 3, &a, 1), row("3", 4, &wrong, 1),
                                            row("", 5, NULL, 0), row("1", 6, NULL, 0) };
        assert_no(t,
                  client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = false, .report = &report },
                                           rows, COUNT_OF(rows)),
                  "4 errors");
        assert_non_null(strstr(buf_cstr(&report), "line 3: line user:a already belongs to subscriber 1"));
        assert_non_null(strstr(buf_cstr(&report), "line 4: "));
        assert_non_null(strstr(buf_cstr(&report), "line 5: id is empty"));
        assert_non_null(strstr(buf_cstr(&report), "line 6: subscriber 1 stands twice"));
        assert_int_equal(ledger_subscribers(t->reader, t->arena, &all, &n), 0);
        assert_int_equal(n, 0);
}

static void columns_that_are_missing_are_left_alone(void **state)
{
        struct a_ledger *t = *state;
        autobuf report;
        buf_init(&report, 1 << 20);
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        struct subscriber_change c = {
                .value = { .id = S("1"), .name = S("N") }, .name = true, .keep_lines = true, .keep_addresses = true
        };
        assert_yes(t, client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = false, .report = &report },
                                               &c, 1));
        struct subscriber s = read_one(t, "1");
        assert_slice(s.name, "N");
        assert_int_equal(s.n_lines, 2);
        assert_int_equal(s.n_leases, 1);
        c.keep_lines = c.keep_addresses = false;
        assert_yes(t, client_subscriber_import(t->client, &(struct bulk_import){ .dry_run = false, .report = &report },
                                               &c, 1));
        s = read_one(t, "1");
        assert_int_equal(s.n_lines, 1); /* his static line, which carried the address */
        assert_int_equal(s.n_leases, 0);
}

static void each_decision_stands_in_the_trail(void **state)
{
        struct a_ledger *t = *state;
        struct audit_row *rows;
        size_t n;
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        struct subscriber_change c = { .value = { .id = S("1"), .class = S("plus") }, .class = true };
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
        assert_yes(t, client_subscriber_remove(t->client, S("1"), S("moved away")));
        assert_int_equal(ledger_audit(t->reader, t->arena, S("1"), 10, &rows, &n), 0);
        assert_int_equal(n, 3);
        assert_slice(rows[0].verb, "subscriber remove");
        assert_slice(rows[0].why, "moved away");
        assert_int_equal(rows[0].after.n, 0);
        assert_non_null(strstr(rows[1].before.p, "\"class\":null"));
        assert_non_null(strstr(rows[1].after.p, "\"class\":\"plus\""));
        assert_non_null(strstr(rows[1].after.p, "\"prefix\":\"192.0.2.1\""));
        assert_int_equal(rows[2].before.n, 0);
        assert_true(slice_find(rows[2].author, '(') < rows[2].author.n);
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(adding_and_reading_back),
                A_TEST(wrong_values_are_told),
                A_TEST(setting_changes_only_what_is_given),
                A_TEST(dropping_lines_and_addresses),
                A_TEST(a_line_and_an_address_have_one_owner),
                A_TEST(removal_keeps_history_and_frees_the_id),
                A_TEST(told_is_a_fact_of_the_past),
                A_TEST(import_lets_a_line_pass_from_one_to_another),
                A_TEST(import_tells_all_and_does_nothing_by_halves),
                A_TEST(columns_that_are_missing_are_left_alone),
                A_TEST(each_decision_stands_in_the_trail),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
