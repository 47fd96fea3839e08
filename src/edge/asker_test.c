/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/asker.h"
#include "edge/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct a_test {
        struct loop *loop;
        struct asker *asker;
        struct a_auth auth;
        char path[64];
        int told, last; /* how often, and what */
        char address[64];
        bool ask_again; /* inside the answer */
};

static const uint8_t key[16] = { 1, 2, 3 };

static void told(void *arg, enum asker_answer answer, struct account *account)
{
        struct a_test *t = arg;
        t->told++;
        t->last = answer;
        if (account)
                snprintf(t->address, sizeof t->address, "%.*s", SLICE_ARGS(account->address));
        free(account);
        if (t->ask_again) {
                t->ask_again = false;
                asker_check(t->asker, S("eva@example.net"), S("no"), told, t);
        }
}

static int setup(void **state)
{
        struct a_test *t = xcalloc(1, sizeof *t);
        t->loop = loop_new();
        snprintf(t->path, sizeof t->path, "/tmp/porteiro-asker-%d.sock", (int)getpid());
        a_auth_open(&t->auth, t->loop, t->path);
        t->asker = asker_new(t->loop, t->path, key);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct a_test *t = *state;
        asker_free(t->asker);
        a_auth_close(&t->auth);
        loop_free(t->loop);
        free(t);
        return 0;
}

static int ask(struct a_test *t, const char *login, const char *password)
{
        t->told = 0;
        t->last = -1;
        asker_check(t->asker, slice_of(login), slice_of(password), told, t);
        settle(t->loop);
        assert_int_equal(t->told, 1);
        return t->last;
}

static void it_tells_yes_no_and_not_now(void **state)
{
        struct a_test *t = *state;
        assert_int_equal(ask(t, "ana@example.net", "s3cret"), ASKER_YES);
        assert_string_equal(t->address, "ana@example.net");
        assert_int_equal(ask(t, "ana@example.net", "wrong"), ASKER_NO);
        assert_int_equal(ask(t, "ana@example.net", "later"), ASKER_UNAVAILABLE);
}

static void a_yes_is_remembered_and_a_no_is_not(void **state)
{
        struct a_test *t = *state;
        ask(t, "ana@example.net", "s3cret");
        t->told = 0;
        assert_null(asker_check(t->asker, S("ana@example.net"), S("s3cret"), told, t)); /* at once */
        assert_int_equal(t->told, 1);
        assert_int_equal(t->auth.checks, 1);
        ask(t, "ana@example.net", "wrong");
        ask(t, "ana@example.net", "wrong");
        assert_int_equal(t->auth.checks, 3);
        ask(t, "ana@example.net", "later");
        ask(t, "ana@example.net", "later");
        assert_int_equal(t->auth.checks, 5);
}

static void what_is_remembered_ends(void **state)
{
        struct a_test *t = *state;
        asker_keep(t->asker, 20000);
        ask(t, "ana@example.net", "s3cret");
        settle_for(t->loop, 40000);
        assert_int_equal(ask(t, "ana@example.net", "s3cret"), ASKER_YES);
        assert_int_equal(t->auth.checks, 2);
}

static void the_parts_of_a_login_are_not_mistaken(void **state)
{
        struct a_test *t = *state;
        ask(t, "ana@example.net", "s3cret");
        ask(t, "ana@example.nets", "3cret");
        assert_int_equal(t->auth.checks, 2);
}

static void domains_are_remembered_either_way(void **state)
{
        struct a_test *t = *state;
        static const struct slice domains[] = { S("example.net"), S("other.example") };
        for (int i = 0; i < 4; i++) {
                t->told = 0;
                asker_domain(t->asker, domains[i & 1], told, t);
                settle(t->loop);
                assert_int_equal(t->told, 1);
                assert_int_equal(t->last, i & 1 ? ASKER_NO : ASKER_YES);
        }
        assert_int_equal(t->auth.asked, 2);
}

static void too_long_is_a_no(void **state)
{
        struct a_test *t = *state;
        char login[AUTH_LOGIN_MOST + 2], password[AUTH_PASSWORD_MOST + 2];
        memset(login, 'a', sizeof login);
        memset(password, 'a', sizeof password);
        login[sizeof login - 1] = password[sizeof password - 1] = 0;
        assert_int_equal(ask(t, login, "x"), ASKER_NO);
        assert_int_equal(ask(t, "x", password), ASKER_NO);
        assert_int_equal(ask(t, login + 1, password + 1), ASKER_NO);
        assert_int_equal(t->auth.checks, 1); /* the longest that may be */
}

static void nobody_there_is_told_at_once(void **state)
{
        struct a_test *t = *state;
        a_server_close(&t->auth.server);
        assert_int_equal(ask(t, "ana@example.net", "s3cret"), ASKER_UNAVAILABLE);
        a_server_open(&t->auth.server, t->loop, t->path);
        settle_for(t->loop, 350000);
        assert_int_equal(ask(t, "ana@example.net", "s3cret"), ASKER_YES);
}

static void who_goes_with_questions_open_is_unavailable(void **state)
{
        struct a_test *t = *state;
        t->auth.holds = true;
        t->told = 0;
        for (int i = 0; i < 5; i++)
                asker_check(t->asker, S("ana@example.net"), S("s3cret"), told, t);
        settle(t->loop);
        assert_int_equal(t->told, 0);
        a_server_hang_up(&t->auth.server);
        settle(t->loop);
        assert_int_equal(t->told, 5);
        assert_int_equal(t->last, ASKER_UNAVAILABLE);
}

static void who_was_told_may_ask_again(void **state)
{
        struct a_test *t = *state;
        t->auth.holds = t->ask_again = true;
        asker_check(t->asker, S("ana@example.net"), S("no"), told, t);
        asker_check(t->asker, S("ana@example.net"), S("no"), told, t);
        settle(t->loop);
        a_server_hang_up(&t->auth.server);
        settle(t->loop);
        assert_int_equal(t->told, 3); /* it is away: the third is told at once */
}

static void who_is_gone_is_told_nothing(void **state)
{
        struct a_test *t = *state;
        t->auth.holds = true;
        struct question *q = asker_check(t->asker, S("ana@example.net"), S("s3cret"), told, t);
        assert_non_null(q);
        settle(t->loop);
        asker_forget(q);
        a_auth_release(&t->auth);
        settle(t->loop);
        assert_int_equal(t->told, 0);
}

static void no_more_than_so_many_wait(void **state)
{
        struct a_test *t = *state;
        t->auth.holds = true;
        for (int i = 0; i < ASKER_MOST; i++)
                asker_domain(t->asker, S("example.net"), told, t);
        assert_int_equal(t->told, 0);
        assert_null(asker_domain(t->asker, S("example.net"), told, t));
        assert_int_equal(t->told, 1);
        assert_int_equal(t->last, ASKER_UNAVAILABLE);
}

/* Before the connection stands, questions wait in one buffer. */
static void a_question_that_does_not_fit_breaks_no_other(void **state)
{
        struct a_test *t = *state;
        char password[AUTH_PASSWORD_MOST];
        memset(password, 'a', sizeof password);
        for (int i = 0; i < ASKER_MOST; i++)
                asker_check(t->asker, S("ana@example.net"), (struct slice){ password, sizeof password }, told, t);
        int refused = t->told;
        assert_true(refused > 0 && refused < ASKER_MOST);
        settle_for(t->loop, 50000);
        assert_int_equal(t->auth.checks, ASKER_MOST - refused);
        assert_int_equal(t->auth.server.accepted, 1);
}

static void an_answer_may_come_in_pieces(void **state)
{
        struct a_test *t = *state;
        for (t->auth.cut = 1; t->auth.cut < 80; t->auth.cut += 7) {
                t->told = 0;
                asker_check(t->asker, S("ana@example.net"), S("wrong"), told, t);
                settle(t->loop);
                a_auth_rest(&t->auth);
                settle(t->loop);
                assert_int_equal(t->told, 1);
                assert_int_equal(t->last, ASKER_NO);
        }
}

static void what_is_no_answer_ends_the_connection(void **state)
{
        struct a_test *t = *state;
        static const char *const junk[] = { "HTTP/1.1 200 OK\r\n", "\xff\xff\xff\xff", "\0\0\0\3abc" };
        for (size_t i = 0; i < COUNT_OF(junk); i++) {
                t->auth.holds = true;
                t->told = 0;
                asker_check(t->asker, S("ana@example.net"), S("s3cret"), told, t);
                settle(t->loop);
                io_write(t->auth.server.links->io, (struct slice){ junk[i], i == 2 ? 7 : strlen(junk[i]) });
                settle(t->loop);
                assert_int_equal(t->told, 1);
                assert_int_equal(t->last, ASKER_UNAVAILABLE);
                t->auth.n_held = 0;
                settle_for(t->loop, 350000);
        }
}

/* An answer to a question that nobody asked. */
static void strange_answers_are_passed_over(void **state)
{
        struct a_test *t = *state;
        ask(t, "ana@example.net", "wrong");
        a_auth_say(&t->auth, 4711, AUTH_CHECK, AUTH_VERDICT_YES);
        settle(t->loop);
        assert_int_equal(ask(t, "ana@example.net", "wrong"), ASKER_NO);
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(it_tells_yes_no_and_not_now),       A_TEST(a_yes_is_remembered_and_a_no_is_not),
                A_TEST(what_is_remembered_ends),           A_TEST(the_parts_of_a_login_are_not_mistaken),
                A_TEST(domains_are_remembered_either_way), A_TEST(too_long_is_a_no),
                A_TEST(nobody_there_is_told_at_once),      A_TEST(who_goes_with_questions_open_is_unavailable),
                A_TEST(who_was_told_may_ask_again),        A_TEST(who_is_gone_is_told_nothing),
                A_TEST(no_more_than_so_many_wait),         A_TEST(a_question_that_does_not_fit_breaks_no_other),
                A_TEST(an_answer_may_come_in_pieces),      A_TEST(what_is_no_answer_ends_the_connection),
                A_TEST(strange_answers_are_passed_over),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
