/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/schema.h"
#include "ledger/test_support.h"
#include "ledger/verbs.h"

/* Time is an argument of verbs: these run on a ledger in memory, at instants of our own. */
struct clocked {
        struct ledger *l;
        struct arena *arena;
};

static int64_t run(struct clocked *t, struct buf *request, int64_t now, int64_t *number, char why[256])
{
        struct ipc_reader frame, answer;
        autobuf reply;
        buf_init(&reply, 1 << 20);
        ipc_end(request, 0);
        assert_true(ipc_frame(buf_slice(request), &frame) > 0);
        verbs_run(t->l, S("tester(1)"), &frame, now, &reply);
        assert_true(ipc_frame(buf_slice(&reply), &answer) > 0);
        int64_t status = ipc_int(&answer);
        struct slice reason = ipc_text(&answer);
        snprintf(why, 256, "%.*s", SLICE_ARGS(reason));
        if (status == 0 && number && answer.left.n)
                *number = ipc_int(&answer);
        buf_done(request);
        return status;
}

static int64_t add(struct clocked *t, int64_t now, int64_t trial_for)
{
        struct buf b;
        int64_t n = 0;
        char why[256];
        buf_init(&b, 1 << 20);
        ipc_begin(&b, VERB_generation_add);
        ipc_put_text(&b, S("network {}"));
        ipc_put_int(&b, trial_for);
        ipc_put_text(&b, S("test"));
        return run(t, &b, now, &n, why) == 0 ? n : -1;
}

static int64_t loaded(struct clocked *t, int64_t now, int64_t n, bool ok)
{
        struct buf b;
        char why[256];
        buf_init(&b, 1 << 20);
        ipc_begin(&b, VERB_generation_loaded);
        ipc_put_int(&b, n);
        ipc_put_int(&b, ok);
        ipc_put_text(&b, S("nft says no"));
        return run(t, &b, now, NULL, why);
}

static int64_t confirm(struct clocked *t, int64_t now, char why[256])
{
        struct buf b;
        buf_init(&b, 1 << 20);
        ipc_begin(&b, VERB_generation_confirm);
        return run(t, &b, now, NULL, why);
}

static int64_t rollback(struct clocked *t, int64_t now, bool lapsed, int64_t at)
{
        struct buf b;
        int64_t n = -1;
        char why[256];
        buf_init(&b, 1 << 20);
        ipc_begin(&b, VERB_generation_rollback);
        ipc_put_text(&b, S("test"));
        ipc_put_int(&b, lapsed);
        ipc_put_int(&b, at);
        return run(t, &b, now, &n, why) == 0 ? n : -1;
}

static int64_t in_force(struct clocked *t, int64_t at)
{
        struct generation g;
        int status = ledger_generation_in_force(t->l, t->arena, at, &g);
        return status == 0 ? g.n : status == -ENOENT ? 0 : -1;
}

static enum generation_state state_of(struct clocked *t, int64_t n)
{
        struct generation g;
        assert_int_equal(ledger_generation(t->l, t->arena, n, &g), 0);
        return g.state;
}

static void reigns_follow_each_other(void **state)
{
        struct clocked *t = *state;
        assert_int_equal(in_force(t, TIME_NEVER), 0);
        assert_int_equal(add(t, 100, 0), 1);
        assert_int_equal(state_of(t, 1), GENERATION_PREPARED);
        assert_int_equal(in_force(t, TIME_NEVER), 0);
        assert_int_equal(loaded(t, 110, 1, true), 0);
        assert_int_equal(state_of(t, 1), GENERATION_CONFIRMED);
        assert_int_equal(add(t, 200, 0), 2);
        assert_int_equal(loaded(t, 210, 2, true), 0);
        assert_int_equal(loaded(t, 220, 2, true), 0); /* told twice */
        const int64_t want[][2] = { { 109, 0 }, { 110, 1 }, { 209, 1 }, { 210, 2 }, { 9999, 2 }, { TIME_NEVER, 2 } };
        for (size_t i = 0; i < COUNT_OF(want); i++)
                assert_int_equal(in_force(t, want[i][0]), want[i][1]);
        struct generation g;
        assert_int_equal(ledger_generation_before(t->l, t->arena, &g), 0);
        assert_int_equal(g.n, 1);
        assert_int_equal(ledger_generation_prepared(t->l, t->arena, &g), -ENOENT);
}

static void a_failure_leaves_the_old_one(void **state)
{
        struct clocked *t = *state;
        struct generation g;
        add(t, 100, 0);
        loaded(t, 110, 1, true);
        add(t, 200, 0);
        assert_int_equal(loaded(t, 210, 2, false), 0);
        assert_int_equal(in_force(t, TIME_NEVER), 1);
        assert_int_equal(ledger_generation(t->l, t->arena, 2, &g), 0);
        assert_int_equal(g.state, GENERATION_FAILED);
        assert_slice(g.why, "nft says no");
        assert_int_equal(loaded(t, 220, 2, true), 1); /* a failed one is not loaded after all */
        assert_int_equal(loaded(t, 220, 7, true), 1);
}

static void rollback_begins_a_new_reign_of_the_older(void **state)
{
        struct clocked *t = *state;
        for (int64_t i = 1; i <= 3; i++) {
                add(t, i * 100, 0);
                loaded(t, i * 100 + 10, i, true);
        }
        assert_int_equal(rollback(t, 400, false, 0), 2);
        assert_int_equal(state_of(t, 3), GENERATION_ROLLED_BACK);
        assert_int_equal(in_force(t, 399), 3);
        assert_int_equal(in_force(t, 400), 2);
        assert_int_equal(rollback(t, 500, false, 0), 1);
        assert_int_equal(rollback(t, 600, false, 0), 0); /* nothing is left */
        assert_int_equal(in_force(t, TIME_NEVER), 0);
        assert_int_equal(rollback(t, 700, false, 0), -1);
        assert_int_equal(in_force(t, 350), 3);
        assert_int_equal(in_force(t, 450), 2);
}

static void a_trial_is_confirmed_in_time_or_never(void **state)
{
        struct clocked *t = *state;
        char why[256];
        struct generation g;
        add(t, 100, 0);
        loaded(t, 110, 1, true);
        assert_int_equal(confirm(t, 120, why), 1);
        assert_int_equal(add(t, 200, 1000), 2);
        assert_int_equal(loaded(t, 210, 2, true), 0);
        assert_int_equal(ledger_generation(t->l, t->arena, 2, &g), 0);
        assert_int_equal(g.trial_until, 1210);
        assert_int_equal(add(t, 300, 0), -1); /* during the trial */
        assert_int_equal(confirm(t, 1210, why), 1);
        assert_non_null(strstr(why, "ended at"));
        assert_int_equal(confirm(t, 1209, why), 0);
        assert_int_equal(state_of(t, 2), GENERATION_CONFIRMED);
        assert_int_equal(confirm(t, 1300, why), 1);
        assert_int_equal(add(t, 1400, 0), 3);
}

static void a_trial_that_lapsed_is_taken_back_as_of_then(void **state)
{
        struct clocked *t = *state;
        add(t, 100, 0);
        loaded(t, 110, 1, true);
        add(t, 200, 1000);
        loaded(t, 210, 2, true);
        assert_int_equal(in_force(t, 1209), 2);
        assert_int_equal(in_force(t, 1210), 1); /* nobody wrote it down yet, and yet it is so */
        assert_int_equal(rollback(t, 1100, true, 1300), -1);
        assert_int_equal(rollback(t, 5000, true, 1210), 1);
        assert_int_equal(in_force(t, 1210), 1);
        assert_int_equal(state_of(t, 2), GENERATION_ROLLED_BACK);
        assert_int_equal(rollback(t, 5000, true, 1210), -1);
        /* with no gate: the next apply settles it */
        add(t, 6000, 1000);
        loaded(t, 6010, 3, true);
        assert_int_equal(add(t, 9000, 0), 4);
        assert_int_equal(state_of(t, 3), GENERATION_ROLLED_BACK);
        assert_int_equal(in_force(t, 7009), 3);
        assert_int_equal(in_force(t, 7010), 1);
}

static void one_prepared_at_a_time(void **state)
{
        struct clocked *t = *state;
        struct generation g, *all;
        size_t n;
        add(t, 100, 0);
        add(t, 200, 0);
        assert_int_equal(state_of(t, 1), GENERATION_FAILED);
        assert_int_equal(ledger_generation_prepared(t->l, t->arena, &g), 0);
        assert_int_equal(g.n, 2);
        assert_slice(g.text, "network {}");
        assert_int_equal(g.hash.n, 64);
        assert_int_equal(ledger_generations(t->l, t->arena, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(all[1].text.n, 0);
}

static int clocked_new(void **state)
{
        struct clocked *t = xcalloc(1, sizeof *t);
        t->arena = arena_new(64 << 20);
        *state = t;
        return ledger_open_memory(&t->l);
}

static int clocked_free(void **state)
{
        struct clocked *t = *state;
        ledger_close(t->l);
        arena_free(t->arena);
        free(t);
        return 0;
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, clocked_new, clocked_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(reigns_follow_each_other),
                A_TEST(a_failure_leaves_the_old_one),
                A_TEST(rollback_begins_a_new_reign_of_the_older),
                A_TEST(a_trial_is_confirmed_in_time_or_never),
                A_TEST(a_trial_that_lapsed_is_taken_back_as_of_then),
                A_TEST(one_prepared_at_a_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
