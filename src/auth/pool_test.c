/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With real checkers, of a folder that has no ledger: each says `unavailable`, which is an answer. */
#include "auth/pool.h"
#include "auth/nursery.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

#define LOGIN S("ana@example.net")
#define PASSWORD S("trilho cebola")

static struct auth_reply reply;

struct a_pool {
        struct loop *loop;
        struct pool *pool;
        int nursery;
        size_t answered, given_up; /* with what a checker said; without */
        int64_t last;
        size_t stop_after;
};

static void on_answer(void *arg, const struct pool_ticket *t, const struct checker_answer *a)
{
        struct a_pool *p = arg;
        p->last = t->id;
        p->answered += a != NULL;
        p->given_up += a == NULL;
        if (a) {
                assert_int_equal(auth_reply_get(a->frame, &reply), a->frame.n);
                assert_int_equal(reply.verdict, AUTH_VERDICT_UNAVAILABLE);
        }
        if (p->answered + p->given_up == p->stop_after)
                loop_stop(p->loop, 0);
}

static int a_pool_new(void **state)
{
        struct a_pool *p = xcalloc(1, sizeof *p);
        *state = p;
        if (nursery_start(&(struct nursery_options){ .dir = "/no/such/folder" }, &p->nursery) != 0)
                return -1;
        p->loop = loop_new();
        p->pool = pool_new(&(struct pool_options){
            .loop = p->loop, .nursery = p->nursery, .checkers = 2, .answer = on_answer, .arg = p });
        return 0;
}

static int a_pool_free(void **state)
{
        struct a_pool *p = *state;
        pool_free(p->pool);
        loop_free(p->loop);
        autoclose_(&p->nursery);
        free(p);
        return 0;
}

static bool add(struct a_pool *p, uint64_t asker, int64_t id, int64_t now)
{
        return pool_add(p->pool, &(struct pool_ticket){ asker, id }, LOGIN, PASSWORD, now);
}

static void each_job_is_answered_once(void **state)
{
        struct a_pool *p = *state;
        int64_t now = time_monotonic();
        assert_true(pool_idle(p->pool));
        assert_true(pool_tick(p->pool, now)); /* the checkers come */
        p->stop_after = 20;
        for (int64_t i = 0; i < 20; i++)
                assert_true(add(p, 1, i, now));
        assert_false(pool_idle(p->pool));
        loop_run(p->loop);
        assert_true(p->answered == 20 && p->given_up == 0 && pool_idle(p->pool));
        assert_int_equal(pool_counts(p->pool)->checked, 20);
}

static void the_queue_ends_somewhere(void **state)
{
        struct a_pool *p = *state;
        static char long_one[AUTH_PASSWORD_MOST + 1];
        int64_t now = time_monotonic();
        for (int64_t i = 0; i < POOL_JOBS; i++) /* no checker yet: all of them wait */
                assert_true(add(p, 1, i, now));
        assert_false(add(p, 1, POOL_JOBS, now));
        assert_int_equal(pool_counts(p->pool)->full, 1);
        pool_forget(p->pool, 1);
        p->stop_after = 1;
        assert_true(pool_tick(p->pool, now)); /* those of who left are passed over */
        assert_true(add(p, 2, 7, now));
        loop_run(p->loop);
        assert_true(p->answered == 1 && p->last == 7 && pool_counts(p->pool)->checked == 1);
        assert_false(
            pool_add(p->pool, &(struct pool_ticket){ 1, 1 }, LOGIN, (struct slice){ long_one, sizeof long_one }, now));
}

static void what_is_late_is_given_up_and_never_checked(void **state)
{
        struct a_pool *p = *state;
        int64_t now = time_monotonic();
        assert_true(add(p, 1, 1, now - AUTH_PATIENCE - 1) && add(p, 1, 2, now - 1));
        p->stop_after = 2;
        assert_true(pool_tick(p->pool, now));
        assert_true(p->given_up == 1 && p->last == 1 && pool_counts(p->pool)->late == 1);
        loop_run(p->loop);
        assert_true(p->answered == 1 && p->last == 2);
}

static void one_that_does_not_come_back_ends_the_duty(void **state)
{
        struct a_pool *p = *state;
        int64_t now = time_monotonic();
        assert_true(pool_tick(p->pool, now));
        assert_true(add(p, 1, 1, now)); /* nobody looks at its answer */
        assert_true(pool_tick(p->pool, now + AUTH_PATIENCE));
        assert_int_equal(p->given_up, 0);
        assert_true(pool_tick(p->pool, now + AUTH_PATIENCE + 1));
        assert_true(p->given_up == 1 && p->answered == 0 && pool_idle(p->pool));
        assert_true(pool_tick(p->pool, now + POOL_HUNG));
        assert_false(pool_tick(p->pool, now + POOL_HUNG + 1));
}

static void without_a_nursery_it_ends(void **state)
{
        struct a_pool *p = *state;
        assert_int_equal(shutdown(p->nursery, SHUT_RDWR), 0);
        assert_false(pool_tick(p->pool, time_monotonic()));
}

static void only_what_a_checker_says_is_heard(void **unused)
{
        (void)unused;
        struct checker_answer a;
        static const struct slice rows[] = {
                { "", 0 }, { "\0\0\0\2\0\1", 6 }, { "\0\0\0\2\0\3", 6 }, { "\0\0\0\3\0\2x", 7 }
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_int_equal(checker_heard(rows[i], &a), -EBADMSG);
        assert_int_equal(checker_heard((struct slice){ "\0\0\0\2\0\2", 6 }, &a), 1);
        assert_int_equal(checker_heard((struct slice){ "\0\0\0\2\0\2x", 7 }, &a), -EBADMSG);
}

int main(void)
{
#define A(test) cmocka_unit_test_setup_teardown(test, a_pool_new, a_pool_free)
        const struct CMUnitTest tests[] = { A(each_job_is_answered_once),
                                            A(the_queue_ends_somewhere),
                                            A(what_is_late_is_given_up_and_never_checked),
                                            A(one_that_does_not_come_back_ends_the_duty),
                                            A(without_a_nursery_it_ends),
                                            cmocka_unit_test(only_what_a_checker_says_is_heard) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
