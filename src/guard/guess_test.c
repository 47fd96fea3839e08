/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/guess.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static const uint8_t key[16] = "sixteen bytes !!";
/* A whole day, hour and minute of the window's own count. */
static const int64_t T = INT64_C(1790208000) * SECOND;
static const struct guess_rules *const rules = &guess_rules_default;
static struct window_table *table;

static int fresh_table(void **state)
{
        enum { ENTRIES = 1 << 16 };
        (void)state;
        free(table);
        table = window_make(xcalloc(1, window_bytes(ENTRIES)), ENTRIES, key);
        return 0;
}

static struct guess_attempt attempt(const char *source, const char *login, unsigned secret)
{
        struct guess_attempt a = { .login = slice_of(login), .secret12 = (uint16_t)secret };
        assert_true(addr_parse(slice_of(source), &a.source));
        return a;
}

static struct guess_result wrong(const char *source, const char *login, unsigned secret, int64_t at)
{
        struct guess_attempt a = attempt(source, login, secret);
        return guess_failed(table, rules, &a, at);
}

static enum guess_verdict ask(const char *source, const char *login, int64_t at)
{
        struct guess_attempt a = attempt(source, login, 4095);
        return guess_before(table, rules, &a, at).verdict;
}

static void pass(const char *source, const char *login, int64_t at)
{
        struct guess_attempt a = attempt(source, login, 1);
        guess_passed(table, rules, &a, at);
}

static void assert_prefix(const struct guess_result *r, const char *want)
{
        char text[PREFIX_TEXT_MAX];
        assert_true(r->ban);
        assert_string_equal(prefix_print(&r->prefix, text), want);
}

static void typos_are_free_then_slow_then_refused(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 20; i++) {
                struct guess_attempt a = attempt("203.0.113.9", "ana@example.net", i);
                struct guess_result before = guess_before(table, rules, &a, T + i * SECOND);
                assert_int_equal(before.verdict, i < 4 ? GUESS_FREE : GUESS_DELAY);
                assert_int_equal(before.delay, i < 4 ? 0 : i < 13 ? (i - 3) * SECOND : 10 * SECOND);
                assert_false(guess_failed(table, rules, &a, T + i * SECOND).ban);
        }
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T + MINUTE), GUESS_REFUSE);
        /* the 20 of that hour are gone after 7/6 of it, and the day's slow him down */
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T + 70 * MINUTE - 1), GUESS_REFUSE);
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T + 70 * MINUTE), GUESS_DELAY);
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T + 28 * HOUR + 70 * MINUTE), GUESS_FREE);
}

static void nobody_locks_anothers_account(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 4000; i++)
                wrong("203.0.113.9", "ana@example.net", i, T);
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T), GUESS_REFUSE);
        assert_int_equal(ask("192.0.2.1", "ana@example.net", T), GUESS_FREE);
        assert_int_equal(ask("2001:db8::1", "ana@example.net", T), GUESS_FREE);
}

static void one_machine_at_one_login_is_banned(void **state)
{
        struct guess_result r = { .ban = false };
        unsigned n = 0;
        (void)state;
        for (; !r.ban && n < 100; n++)
                r = wrong("203.0.113.9", "ana@example.net", n, T + n * SECOND);
        assert_int_equal(n, 24); /* four typos, and 20 */
        assert_prefix(&r, "203.0.113.9");
        assert_int_equal(r.ban_for, DAY);
        assert_string_equal(r.why, "20 guesses of passwords from 203.0.113.9 within a day");
        /* said once a minute, for as long as he comes by */
        assert_false(wrong("203.0.113.9", "bia@example.net", 1, T + 25 * SECOND).ban);
        assert_int_equal(ask("203.0.113.9", "bia@example.net", T + 25 * SECOND), GUESS_REFUSE);
        assert_true(wrong("203.0.113.9", "bia@example.net", 2, T + 25 * SECOND + 70 * SECOND).ban);
}

/* What is refused before the hash is paid for counts too: or the ban would never come. */
static void who_goes_on_after_a_refusal_is_banned(void **state)
{
        unsigned n = 0;
        (void)state;
        for (; n < 100; n++) {
                struct guess_attempt a = attempt("2001:db8:9::1", "ana@example.net", n);
                struct guess_result r = guess_before(table, rules, &a, T);
                if (r.ban) {
                        assert_prefix(&r, "2001:db8:9::1");
                        break;
                }
                if (r.verdict != GUESS_REFUSE)
                        guess_failed(table, rules, &a, T);
        }
        assert_int_equal(n, 23);
}

static void an_old_phone_counts_once_a_day(void **state)
{
        (void)state;
        struct guess_attempt a = attempt("203.0.113.9", "ana@example.net", 77);
        for (int64_t at = T; at < T + 30 * DAY; at += 10 * MINUTE) {
                assert_int_equal(guess_before(table, rules, &a, at).verdict, GUESS_FREE);
                assert_false(guess_failed(table, rules, &a, at).ban);
        }
        assert_int_equal(ask("203.0.113.9", "bia@example.net", T + 30 * DAY), GUESS_FREE);
}

static void a_known_network_has_generous_limits(void **state)
{
        (void)state;
        pass("203.0.113.9", "ana@example.net", T);
        for (unsigned i = 0; i < 20; i++) /* from another address of his network */
                assert_int_equal(wrong("203.0.113.77", "ana@example.net", i, T + 89 * DAY).verdict,
                                 i < 19 ? GUESS_FREE : GUESS_DELAY);
        for (unsigned i = 20; i < 39; i++)
                assert_false(wrong("203.0.113.77", "ana@example.net", i, T + 89 * DAY).ban);
        assert_int_equal(ask("203.0.113.77", "ana@example.net", T + 89 * DAY), GUESS_DELAY);
        /* and is forgotten: 7/6 of 90 days, at most */
        for (unsigned i = 0; i < 20; i++)
                wrong("203.0.113.77", "ana@example.net", i, T + 105 * DAY);
        assert_int_equal(ask("203.0.113.77", "ana@example.net", T + 105 * DAY), GUESS_REFUSE);
}

static void a_known_user_is_not_refused_for_his_neighbour(void **state)
{
        (void)state;
        pass("203.0.113.9", "ana@example.net", T);
        for (unsigned i = 0; i < 60; i++) {
                char login[32];
                snprintf(login, sizeof login, "x%u@example.net", i);
                wrong("203.0.113.9", login, i, T + HOUR);
                wrong("203.0.113.9", "bia@example.net", i, T + HOUR);
        }
        assert_int_equal(ask("203.0.113.9", "bia@example.net", T + HOUR), GUESS_REFUSE);
        assert_int_equal(ask("203.0.113.9", "eva@example.net", T + HOUR), GUESS_REFUSE);
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T + HOUR), GUESS_DELAY);
}

static void a_right_password_makes_typos_of_the_wrong_ones(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 6; i++)
                wrong("203.0.113.9", "ana@example.net", i, T);
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T), GUESS_DELAY);
        pass("203.0.113.9", "ana@example.net", T);
        assert_int_equal(ask("203.0.113.9", "ana@example.net", T), GUESS_FREE);
}

static void an_outage_is_no_failure(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 10000; i++) {
                struct guess_attempt a = attempt("203.0.113.9", "ana@example.net", i);
                assert_int_equal(guess_before(table, rules, &a, T).verdict, GUESS_FREE);
        }
}

static void own_pools_are_slowed_and_nothing_else(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 4000; i++) {
                char login[32];
                snprintf(login, sizeof login, "x%u@example.net", i);
                struct guess_attempt a = attempt("203.0.113.9", i % 2 ? login : "ana@example.net", i);
                a.own_pool = true;
                struct guess_result before = guess_before(table, rules, &a, T);
                struct guess_result after = guess_failed(table, rules, &a, T);
                assert_false(before.ban || after.ban);
                assert_int_not_equal(before.verdict, GUESS_REFUSE);
                assert_int_not_equal(after.verdict, GUESS_REFUSE);
        }
        struct guess_attempt ana = attempt("203.0.113.9", "ana@example.net", 4095);
        ana.own_pool = true;
        assert_int_equal(guess_before(table, rules, &ana, T).delay, 10 * SECOND);
        ana.login = S("bia@example.net");
        assert_int_equal(guess_before(table, rules, &ana, T).verdict, GUESS_FREE);
}

static void one_password_at_many_logins_is_seen(void **state)
{
        static const struct {
                const char *source, *want;
        } cases[] = { { "203.0.113.9", "203.0.113.9" }, { "2001:db8:9::1", "2001:db8:9::1" } };
        (void)state;
        for (size_t c = 0; c < COUNT_OF(cases); c++) {
                struct guess_result r = { .ban = false };
                unsigned n = 0;
                for (; !r.ban && n < 100; n++) {
                        char login[32];
                        snprintf(login, sizeof login, "x%u@example.net", n);
                        r = wrong(cases[c].source, login, n, T + n * 10 * MINUTE);
                }
                assert_int_equal(n, 60);
                assert_prefix(&r, cases[c].want);
                assert_non_null(strstr(r.why, "60 logins tried in vain from"));
        }
}

/* Each address tries little; their network as a whole does not. */
static void slow_guessing_over_a_network_is_seen(void **state)
{
        static const struct {
                const char *form, *want;
        } cases[] = { { "203.0.113.%u", "203.0.113.0/24" },
                      { "2001:db8:9:%x::1", "2001:db8:9::/56" },
                      { "2001:db8:a:%x00::1", "2001:db8:a::/48" },
                      { "2001:db8:b:1::%x", "2001:db8:b:1::/64" } };
        (void)state;
        for (size_t c = 0; c < COUNT_OF(cases); c++)
                for (int one_login = 0; one_login < 2; one_login++) {
                        struct guess_result r = { .ban = false };
                        char source[40], login[32];
                        fresh_table(NULL);
                        for (unsigned n = 0; !r.ban && n < 200; n++) {
                                snprintf(source, sizeof source, cases[c].form, n);
                                snprintf(login, sizeof login, "x%u@example.net", one_login ? 0 : n);
                                r = wrong(source, login, n, T + n * 5 * MINUTE);
                        }
                        assert_prefix(&r, cases[c].want);
                }
}

/* A network that somebody of ours logs in from is not banned as a whole: those who are not known there are refused. */
static void a_network_with_users_of_ours_is_not_banned(void **state)
{
        char source[40];
        struct guess_result r;
        (void)state;
        pass("203.0.113.200", "ana@example.net", T);
        for (unsigned n = 0; n < 180; n++) {
                snprintf(source, sizeof source, "203.0.113.%u", n);
                r = wrong(source, "bia@example.net", n, T + n * MINUTE);
                assert_false(r.ban);
        }
        assert_int_equal(r.verdict, GUESS_REFUSE);
        assert_int_equal(ask("203.0.113.250", "eva@example.net", T + 3 * HOUR), GUESS_REFUSE);
        assert_int_equal(ask("203.0.113.250", "ana@example.net", T + 3 * HOUR), GUESS_DELAY);
}

/* On their first day, all before anybody got it right: the worst that may happen to an office. */
static void an_office_of_fifty_with_three_typos_each(void **state)
{
        char login[32];
        (void)state;
        for (unsigned round = 0; round < 4; round++)
                for (unsigned i = 0; i < 50; i++) {
                        int64_t at = T + (round * 50 + i) * SECOND;
                        snprintf(login, sizeof login, "p%u@example.com", i);
                        struct guess_attempt a = attempt("203.0.113.9", login, round);
                        assert_int_equal(guess_before(table, rules, &a, at).verdict, GUESS_FREE);
                        if (round == 3)
                                guess_passed(table, rules, &a, at);
                        else
                                assert_false(guess_failed(table, rules, &a, at).ban);
                }
        /* they are fifty more that may be tried from there, now */
        for (unsigned i = 0; i < 59; i++) {
                snprintf(login, sizeof login, "q%u@example.com", i);
                assert_false(wrong("203.0.113.9", login, i, T + HOUR).ban);
        }
}

static void the_hash_is_short_and_salted(void **state)
{
        unsigned equal = 0;
        (void)state;
        uint16_t one = guess_secret12(key, S("ana@example.net"), S("secret"));
        assert_int_equal(one, guess_secret12(key, S("ana@example.net"), S("secret")));
        assert_true(one < 4096);
        for (unsigned i = 0; i < 1000; i++) {
                char login[32];
                snprintf(login, sizeof login, "x%u@example.net", i);
                equal += guess_secret12(key, slice_of(login), S("secret")) == one;
        }
        assert_true(equal < 5);
        assert_int_not_equal(one,
                             guess_secret12((const uint8_t *)"another key, 16 ", S("ana@example.net"), S("secret")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(typos_are_free_then_slow_then_refused, fresh_table),
                cmocka_unit_test_setup(nobody_locks_anothers_account, fresh_table),
                cmocka_unit_test_setup(one_machine_at_one_login_is_banned, fresh_table),
                cmocka_unit_test_setup(who_goes_on_after_a_refusal_is_banned, fresh_table),
                cmocka_unit_test_setup(an_old_phone_counts_once_a_day, fresh_table),
                cmocka_unit_test_setup(a_known_network_has_generous_limits, fresh_table),
                cmocka_unit_test_setup(a_known_user_is_not_refused_for_his_neighbour, fresh_table),
                cmocka_unit_test_setup(a_right_password_makes_typos_of_the_wrong_ones, fresh_table),
                cmocka_unit_test_setup(an_outage_is_no_failure, fresh_table),
                cmocka_unit_test_setup(own_pools_are_slowed_and_nothing_else, fresh_table),
                cmocka_unit_test_setup(one_password_at_many_logins_is_seen, fresh_table),
                cmocka_unit_test_setup(slow_guessing_over_a_network_is_seen, fresh_table),
                cmocka_unit_test_setup(a_network_with_users_of_ours_is_not_banned, fresh_table),
                cmocka_unit_test_setup(an_office_of_fifty_with_three_typos_each, fresh_table),
                cmocka_unit_test(the_hash_is_short_and_salted),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        free(table);
        return failed;
}
