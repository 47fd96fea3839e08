/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

enum { MANY = 40 };

static const uint8_t key[16] = "sixteen bytes !!";
static const int64_t T = INT64_C(1790208000) * SECOND; /* begins a slot of an hour's and of a day's window */
static struct window_table *table;
static char texts[MANY][32];
static struct slice names[MANY];

static int fresh(void **state)
{
        enum { ENTRIES = 1 << 14 };
        (void)state;
        free(table);
        table = window_make(xcalloc(1, window_bytes(ENTRIES)), ENTRIES, key);
        for (size_t i = 0; i < MANY; i++) {
                snprintf(texts[i], sizeof texts[i], "r%zu@example.org", i);
                names[i] = slice_of(texts[i]);
        }
        return 0;
}

static struct quota_who ana(void)
{
        struct quota_who who = { .login = S("ana@example.net"),
                                 .subscriber = S("10442"),
                                 .limits = { quota_limits_none, quota_limits_none, quota_limits_none } };
        assert_true(addr_parse(S("198.51.100.10"), &who.address));
        return who;
}

static struct quota_who limited(enum quota_identity whose, enum quota_limit limit, int64_t most)
{
        struct quota_who who = ana();
        who.limits[whose].v[limit] = most;
        return who;
}

static struct quota_answer ask(const struct quota_who *who, size_t from, size_t n, int64_t at)
{
        struct quota_message m = { names + from, n };
        return quota_ask(table, who, &m, at);
}

static void charge(const struct quota_who *who, size_t from, size_t n, int64_t at)
{
        struct quota_message m = { names + from, n };
        quota_charge(table, who, &m, at);
}

static void every_limit_of_every_identity(void **state)
{
        (void)state;
        for (enum quota_identity i = 0; i < QUOTA_IDENTITY_COUNT; i++)
                for (enum quota_limit l = 0; l < QUOTA_INVALID_HOUR; l++) {
                        bool messages = l == QUOTA_MESSAGES_HOUR || l == QUOTA_MESSAGES_DAY;
                        bool hour = l == QUOTA_MESSAGES_HOUR || l == QUOTA_RECIPIENTS_HOUR || l == QUOTA_DISTINCT_HOUR;
                        int64_t back = T + (hour ? 70 * MINUTE : 28 * HOUR);
                        struct quota_who who = limited(i, l, 6);
                        fresh(NULL);
                        for (size_t k = 0; k < (messages ? 6 : 2); k++) {
                                assert_true(ask(&who, 3 * k, 3, T).passes);
                                charge(&who, 3 * k, 3, T);
                        }
                        struct quota_answer no = ask(&who, 20, 1, T + MINUTE);
                        assert_false(no.passes);
                        assert_int_equal(no.whose, i);
                        assert_int_equal(no.limit, l);
                        assert_int_equal(no.most, 6);
                        assert_int_equal(no.used, 6);
                        assert_int_equal(no.room_at, back);
                        assert_false(ask(&who, 20, 1, back - 1).passes);
                        assert_true(ask(&who, 20, 1, back).passes);
                }
}

/* The login's limit first, then the line's, then the address's. */
static void the_first_identity_that_says_no(void **state)
{
        (void)state;
        struct quota_who who = ana();
        for (enum quota_identity i = 0; i < QUOTA_IDENTITY_COUNT; i++)
                who.limits[i].v[QUOTA_MESSAGES_HOUR] = 3 - (int64_t)i;
        charge(&who, 0, 1, T);
        assert_int_equal(ask(&who, 0, 1, T).whose, QUOTA_ADDRESS);
        charge(&who, 0, 1, T);
        assert_int_equal(ask(&who, 0, 1, T).whose, QUOTA_SUBSCRIBER);
        charge(&who, 0, 1, T);
        assert_int_equal(ask(&who, 0, 1, T).whose, QUOTA_LOGIN);
}

static void a_second_mailbox_shares_the_line_only(void **state)
{
        (void)state;
        struct quota_who a = limited(QUOTA_LOGIN, QUOTA_RECIPIENTS_DAY, 5), b = a;
        b.login = S("bia@example.net");
        b.limits[QUOTA_SUBSCRIBER].v[QUOTA_RECIPIENTS_DAY] = 8;
        charge(&a, 0, 5, T);
        assert_false(ask(&a, 0, 1, T).passes);
        assert_true(ask(&b, 0, 3, T).passes);
        assert_false(ask(&b, 0, 4, T).passes);
}

static void asking_costs_nothing(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_LOGIN, QUOTA_MESSAGES_HOUR, 1);
        who.limits[QUOTA_LOGIN].v[QUOTA_DISTINCT_DAY] = 2;
        for (int i = 0; i < 1000; i++)
                assert_true(ask(&who, 0, 2, T).passes);
        assert_int_equal(quota_used(table, &who, QUOTA_LOGIN, QUOTA_MESSAGES_HOUR, T), 0);
        charge(&who, 0, 2, T);
        assert_int_equal(quota_used(table, &who, QUOTA_LOGIN, QUOTA_MESSAGES_HOUR, T), 1);
        assert_int_equal(quota_used(table, &who, QUOTA_LOGIN, QUOTA_RECIPIENTS_DAY, T), 2);
        assert_int_equal(quota_used(table, &who, QUOTA_LOGIN, QUOTA_DISTINCT_DAY, T), 2);
}

static void nothing_and_none_are_two_things(void **state)
{
        (void)state;
        struct quota_who none = ana(), zero = limited(QUOTA_LOGIN, QUOTA_MESSAGES_DAY, 0);
        for (int i = 0; i < 1000; i++) {
                assert_true(ask(&none, 0, MANY, T).passes);
                charge(&none, 0, MANY, T);
        }
        zero.login = S("eva@example.net");
        assert_false(ask(&zero, 0, 1, T).passes);
        assert_int_equal(ask(&zero, 0, 1, T).room_at, TIME_NEVER);
}

static void a_message_larger_than_the_limit_never_passes(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_LOGIN, QUOTA_RECIPIENTS_HOUR, 10);
        assert_true(ask(&who, 0, 10, T).passes);
        assert_int_equal(ask(&who, 0, 11, T).room_at, TIME_NEVER);
}

/* 23:50 and 00:10 are one day, in whatever zone. */
static void there_is_no_midnight(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_LOGIN, QUOTA_MESSAGES_DAY, 10);
        for (int64_t at = T - 5 * DAY; at < T + 5 * DAY; at += 6 * HOUR) {
                fresh(NULL);
                for (int i = 0; i < 10; i++)
                        charge(&who, 0, 1, at - 10 * MINUTE);
                assert_false(ask(&who, 0, 1, at + 10 * MINUTE).passes);
                assert_false(ask(&who, 0, 1, at + DAY - 10 * MINUTE - 1).passes);
                assert_true(ask(&who, 0, 1, at - 10 * MINUTE + 28 * HOUR).passes);
        }
}

/* A limit that was used up over the day comes back over the day. */
static void room_comes_back_by_and_by(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_LOGIN, QUOTA_RECIPIENTS_DAY, 12);
        for (int i = 0; i < 6; i++)
                charge(&who, 0, 2, T + i * 4 * HOUR);
        assert_int_equal(ask(&who, 0, 1, T + 20 * HOUR).room_at, T + 28 * HOUR);
        assert_int_equal(ask(&who, 0, 3, T + 20 * HOUR).room_at, T + 32 * HOUR);
        assert_int_equal(ask(&who, 0, 12, T + 20 * HOUR).room_at, T + 48 * HOUR);
}

static void the_same_recipient_again_is_not_distinct(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_LOGIN, QUOTA_DISTINCT_DAY, 3), other = who;
        other.login = S("bia@example.net");
        for (int64_t at = T; at < T + DAY; at += HOUR) {
                assert_true(ask(&who, 0, 3, at).passes);
                charge(&who, 0, 3, at);
                assert_int_equal(quota_used(table, &who, QUOTA_LOGIN, QUOTA_DISTINCT_DAY, at), 3);
        }
        assert_false(ask(&who, 2, 2, T).passes);
        assert_true(ask(&other, 2, 2, T).passes);
        charge(&who, 0, 3, T + 28 * HOUR);
        assert_int_equal(quota_used(table, &who, QUOTA_LOGIN, QUOTA_DISTINCT_DAY, T + 28 * HOUR), 3);
}

static void unknown_recipients_give_a_stolen_login_away(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_LOGIN, QUOTA_INVALID_HOUR, 5);
        for (int i = 1; i <= 4; i++)
                assert_true(quota_invalid(table, &who, T).passes);
        struct quota_answer no = quota_invalid(table, &who, T);
        assert_false(no.passes);
        assert_int_equal(no.limit, QUOTA_INVALID_HOUR);
        assert_int_equal(no.room_at, T + 70 * MINUTE);
        assert_true(quota_invalid(table, &who, T + 70 * MINUTE).passes);
        assert_true(ask(&who, 0, 1, T).passes);
}

static void nobody_has_no_limit(void **state)
{
        (void)state;
        struct quota_who who = limited(QUOTA_SUBSCRIBER, QUOTA_MESSAGES_HOUR, 0);
        assert_false(ask(&who, 0, 1, T).passes);
        who.subscriber = S("");
        assert_true(ask(&who, 0, 1, T).passes);
        who = limited(QUOTA_ADDRESS, QUOTA_MESSAGES_HOUR, 1);
        assert_true(addr_parse(S("2001:db8:100:1::1"), &who.address));
        charge(&who, 0, 1, T);
        assert_true(addr_parse(S("2001:db8:100:1::2"), &who.address)); /* of the same /64 */
        assert_false(ask(&who, 0, 1, T).passes);
        assert_true(addr_parse(S("2001:db8:100:2::1"), &who.address));
        assert_true(ask(&who, 0, 1, T).passes);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(every_limit_of_every_identity, fresh),
                cmocka_unit_test_setup(the_first_identity_that_says_no, fresh),
                cmocka_unit_test_setup(a_second_mailbox_shares_the_line_only, fresh),
                cmocka_unit_test_setup(asking_costs_nothing, fresh),
                cmocka_unit_test_setup(nothing_and_none_are_two_things, fresh),
                cmocka_unit_test_setup(a_message_larger_than_the_limit_never_passes, fresh),
                cmocka_unit_test_setup(there_is_no_midnight, fresh),
                cmocka_unit_test_setup(room_comes_back_by_and_by, fresh),
                cmocka_unit_test_setup(the_same_recipient_again_is_not_distinct, fresh),
                cmocka_unit_test_setup(unknown_recipients_give_a_stolen_login_away, fresh),
                cmocka_unit_test_setup(nobody_has_no_limit, fresh),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        free(table);
        return failed;
}
