/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/facts.h"
#include "edge/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct a_test {
        struct loop *loop;
        struct facts *facts;
        struct a_keeper keeper;
        char path[64];
};

static int setup(void **state)
{
        struct a_test *t = xcalloc(1, sizeof *t);
        t->loop = loop_new();
        snprintf(t->path, sizeof t->path, "/tmp/porteiro-facts-%d.sock", (int)getpid());
        a_keeper_open(&t->keeper, t->loop, t->path);
        t->facts = facts_new(t->loop, t->path);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct a_test *t = *state;
        facts_free(t->facts);
        a_keeper_close(&t->keeper);
        loop_free(t->loop);
        free(t);
        return 0;
}

static void add(struct a_test *t, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                autofree char *detail = xasprintf("row %zu", i); /* freed at once: it must be copied */
                facts_add(t->facts, &(struct sighting){ .source = S("trap"),
                                                        .prefix = { .len = 128 },
                                                        .at = 1000 + (int64_t)i,
                                                        .count = 1,
                                                        .strategy = S("trap"),
                                                        .detail = slice_of(detail) });
        }
}

static void ban(struct a_test *t, size_t n)
{
        for (size_t i = 0; i < n; i++)
                facts_ban(t->facts, &(struct ban){ .prefix = { .len = 128 }, .until = 5, .reason = S("guessing") });
}

/* Until nothing waits, or for two seconds. */
static void wait_quiet(struct a_test *t)
{
        for (int i = 0; i < 200 && !facts_quiet(t->facts); i++)
                settle_for(t->loop, 10000);
}

static void rows_go_in_batches(void **state)
{
        struct a_test *t = *state;
        add(t, 2 * FACTS_BATCH + 10);
        assert_false(facts_quiet(t->facts));
        wait_quiet(t);
        assert_true(facts_quiet(t->facts));
        assert_int_equal(t->keeper.rows, 2 * FACTS_BATCH + 10);
        assert_int_equal(t->keeper.most, FACTS_BATCH);
        assert_int_equal(t->keeper.requests, 3);
        assert_int_equal(facts_counts(t->facts).stored, 2 * FACTS_BATCH + 10);
}

static void rows_that_are_long_go_in_smaller_ones(void **state)
{
        struct a_test *t = *state;
        static char text[4000];
        memset(text, 'x', sizeof text);
        for (int i = 0; i < 100; i++)
                facts_add(t->facts, &(struct sighting){ .source = S("trap"), .detail = { text, sizeof text } });
        wait_quiet(t);
        assert_int_equal(t->keeper.rows, 100);
        assert_true(t->keeper.most < 100);
}

static void one_request_at_a_time(void **state)
{
        struct a_test *t = *state;
        t->keeper.holds = true;
        add(t, 1);
        settle_for(t->loop, 40000);
        add(t, 1);
        ban(t, 1);
        settle_for(t->loop, 40000);
        assert_int_equal(t->keeper.requests, 1);
        t->keeper.holds = false;
        a_keeper_answer(&t->keeper);
        wait_quiet(t);
        assert_int_equal(t->keeper.rows, 2);
        assert_int_equal(t->keeper.bans, 1);
}

static void a_keeper_that_is_away_loses_nothing(void **state)
{
        struct a_test *t = *state;
        a_server_close(&t->keeper.server);
        add(t, 3);
        ban(t, 2);
        settle_for(t->loop, 60000);
        assert_int_equal(facts_counts(t->facts).waiting, 3);
        a_server_open(&t->keeper.server, t->loop, t->path);
        wait_quiet(t);
        assert_int_equal(t->keeper.rows, 3);
        assert_int_equal(t->keeper.bans, 2);
}

/* Between its commit and its answer: they go again. */
static void a_keeper_that_dies_is_told_again(void **state)
{
        struct a_test *t = *state;
        t->keeper.holds = true;
        add(t, 3);
        settle_for(t->loop, 40000);
        assert_int_equal(t->keeper.rows, 3);
        a_server_hang_up(&t->keeper.server);
        t->keeper.holds = false;
        wait_quiet(t);
        assert_int_equal(t->keeper.rows, 6);
        assert_int_equal(facts_counts(t->facts).stored, 3);
}

static void what_is_refused_is_not_sent_for_ever(void **state)
{
        struct a_test *t = *state;
        t->keeper.status = 1;
        add(t, 3);
        ban(t, 1);
        wait_quiet(t);
        assert_true(facts_quiet(t->facts));
        assert_int_equal(facts_counts(t->facts).stored, 0);
        assert_int_equal(facts_counts(t->facts).lost, 3);
}

static void past_the_limit_it_counts(void **state)
{
        struct a_test *t = *state;
        add(t, FACTS_MOST + 7);
        ban(t, FACTS_BANS_MOST + 3);
        assert_int_equal(facts_counts(t->facts).waiting, FACTS_MOST);
        assert_int_equal(facts_counts(t->facts).lost, 7);
        for (int i = 0; i < 20 && !facts_quiet(t->facts); i++)
                wait_quiet(t);
        assert_int_equal(t->keeper.rows, FACTS_MOST);
        assert_int_equal(t->keeper.lost, 7);
        assert_int_equal(t->keeper.bans, FACTS_BANS_MOST);
}

static void an_answer_may_come_in_pieces(void **state)
{
        struct a_test *t = *state;
        static const char answer[] = "\0\0\0\x14\0\0i\0\0\0\x8\0\0\0\0\0\0\0\0t\0\0\0\0";
        t->keeper.holds = true;
        for (size_t cut = 1; cut < sizeof answer - 1; cut++) {
                add(t, 1);
                settle_for(t->loop, 30000);
                io_write(t->keeper.server.links->io, (struct slice){ answer, cut });
                settle(t->loop);
                assert_false(facts_quiet(t->facts));
                io_write(t->keeper.server.links->io, (struct slice){ answer + cut, sizeof answer - 1 - cut });
                settle(t->loop);
                assert_true(facts_quiet(t->facts));
        }
}

static void what_is_no_answer_ends_the_connection(void **state)
{
        struct a_test *t = *state;
        t->keeper.holds = true;
        add(t, 1);
        settle_for(t->loop, 40000);
        io_write(t->keeper.server.links->io, S("\xff\xff\xff\xff nonsense"));
        settle(t->loop);
        assert_null(t->keeper.server.links);
        t->keeper.holds = false;
        wait_quiet(t);
        assert_int_equal(facts_counts(t->facts).stored, 1);
}

static void nobody_asked_for_this_answer(void **state)
{
        struct a_test *t = *state;
        add(t, 1);
        wait_quiet(t);
        a_keeper_answer(&t->keeper);
        settle(t->loop);
        add(t, 1);
        wait_quiet(t);
        assert_int_equal(t->keeper.rows, 2);
        assert_int_equal(facts_counts(t->facts).stored, 2);
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(rows_go_in_batches),
                A_TEST(rows_that_are_long_go_in_smaller_ones),
                A_TEST(one_request_at_a_time),
                A_TEST(a_keeper_that_is_away_loses_nothing),
                A_TEST(a_keeper_that_dies_is_told_again),
                A_TEST(what_is_refused_is_not_sent_for_ever),
                A_TEST(past_the_limit_it_counts),
                A_TEST(an_answer_may_come_in_pieces),
                A_TEST(what_is_no_answer_ends_the_connection),
                A_TEST(nobody_asked_for_this_answer),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
