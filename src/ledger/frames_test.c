/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the edge sends is what the keeper reads: each frame is run by the verbs, on a ledger in memory. */
#include "ledger/frames.h"
#include "ledger/schema.h"
#include "ledger/test_support.h"
#include "ledger/verbs.h"

struct a_test {
        struct ledger *ledger;
        struct arena *arena;
        struct buf frame, answer;
};

static int setup(void **state)
{
        struct a_test *t = xcalloc(1, sizeof *t);
        assert_int_equal(ledger_open_memory(&t->ledger), 0);
        t->arena = arena_new(16 << 20);
        buf_init(&t->frame, 1 << 20);
        buf_init(&t->answer, 1 << 20);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct a_test *t = *state;
        ledger_close(t->ledger);
        arena_free(t->arena);
        buf_done(&t->frame);
        buf_done(&t->answer);
        free(t);
        return 0;
}

/* Runs what stands in t->frame as the keeper does, and reads the answer as the edge does. */
static int run(struct a_test *t, int64_t now, struct slice *reason)
{
        struct ipc_reader r;
        int status = -1;
        assert_int_equal(ipc_frame(buf_slice(&t->frame), &r), t->frame.n);
        assert_int_equal(db_do(t->ledger, "BEGIN IMMEDIATE"), 0);
        int said = verbs_run(t->ledger, S("porteiro-edge"), &r, now, &t->answer);
        assert_int_equal(db_do(t->ledger, "COMMIT"), 0);
        struct slice in = buf_slice(&t->answer);
        assert_int_equal(frame_answer(&in, &status, reason), 1);
        assert_int_equal(in.n, 0);
        assert_int_equal(status, said);
        buf_clear(&t->frame);
        return status;
}

static void sightings_arrive(void **state)
{
        struct a_test *t = *state;
        const int64_t now = 1800000000 * SECOND;
        struct slice reason;
        struct sighting *got, put[] = {
                { .source = S("trap"),
                  .prefix = prefix_at("198.51.100.7"),
                  .port = 65535,
                  .at = now - SECOND,
                  .seconds = 12,
                  .count = 1,
                  .strategy = S("trap"),
                  .hosts = S(""),
                  .detail = S("helo=\"a b\" did=early") },
                { .source = S("divert"),
                  .realm = S("norte"),
                  .prefix = prefix_at("2001:db8:100::7"),
                  .port = 1,
                  .at = now,
                  .count = 3,
                  .strategy = S("divert"),
                  .detail = S("") },
        };
        size_t n = 0;
        frame_sightings_add(&t->frame, put, 2, 7, now - MINUTE);
        assert_int_equal(run(t, now, &reason), 0);
        assert_int_equal(ledger_sightings(t->ledger, t->arena, S(""), 0, TIME_NEVER, 10, &got, &n), 0);
        assert_int_equal(n, 2);
        for (size_t i = 0; i < 2; i++) {
                const struct sighting *g = &got[1 - i], *p = &put[i]; /* newest first */
                assert_true(slice_eq(g->source, p->source) && slice_eq(g->realm, p->realm));
                assert_true(slice_eq(g->strategy, p->strategy) && slice_eq(g->detail, p->detail));
                assert_int_equal(prefix_cmp(&g->prefix, &p->prefix), 0);
                assert_int_equal(g->port, p->port);
                assert_int_equal(g->at, p->at);
                assert_int_equal(g->seconds, p->seconds);
                assert_int_equal(g->count, p->count);
        }
        struct loss *lost;
        assert_int_equal(ledger_losses(t->ledger, t->arena, 0, &lost, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(lost[0].count, 7);
}

static void only_what_was_lost_is_told(void **state)
{
        struct a_test *t = *state;
        struct slice reason;
        struct loss *lost;
        size_t n = 0;
        frame_sightings_add(&t->frame, NULL, 0, 3, 1800000000 * SECOND);
        assert_int_equal(run(t, 1800000000 * SECOND, &reason), 0);
        assert_int_equal(ledger_losses(t->ledger, t->arena, 0, &lost, &n), 0);
        assert_int_equal(n, 1);
}

static void bans_arrive_and_a_refusal_has_its_reason(void **state)
{
        struct a_test *t = *state;
        const int64_t now = 1800000000 * SECOND;
        struct ban *got, b = { .prefix = prefix_at("203.0.113.0/24"),
                               .until = now + HOUR,
                               .reason = S("password guessing"),
                               .evidence = S("20 wrong in 60 s"),
                               .by_rule = true };
        struct slice reason;
        size_t n = 0;
        frame_ban_add(&t->frame, &b);
        assert_int_equal(run(t, now, &reason), 0);
        assert_int_equal(ledger_bans(t->ledger, t->arena, now, true, &got, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(prefix_cmp(&got[0].prefix, &b.prefix), 0);
        assert_int_equal(got[0].until, b.until);
        assert_true(got[0].by_rule && slice_eq(got[0].reason, b.reason) && slice_eq(got[0].evidence, b.evidence));
        b.until = now - 1;
        buf_clear(&t->answer);
        frame_ban_add(&t->frame, &b);
        assert_int_equal(run(t, now, &reason), 1);
        assert_true(reason.n > 0);
}

static void what_does_not_fit_is_no_frame(void **state)
{
        struct a_test *t = *state;
        static char text[2000];
        memset(text, 'x', sizeof text);
        struct sighting one = { .source = S("trap"), .detail = { text, sizeof text } };
        autobuf small;
        (void)t;
        buf_init(&small, 1000);
        frame_sightings_add(&small, &one, 1, 0, 0);
        assert_true(small.full);
}

static void an_answer_in_pieces_is_none_yet(void **state)
{
        static const char two[] = "\0\0\0\x16\0\0i\0\0\0\x8\0\0\0\0\0\0\0\1t\0\0\0\2no"
                                  "\0\0\0\x14\0\0i\0\0\0\x8\0\0\0\0\0\0\0\0t\0\0\0\0";
        int status;
        struct slice reason;
        (void)state;
        for (size_t n = 0; n < 26; n++) {
                struct slice in = { two, n };
                assert_int_equal(frame_answer(&in, &status, &reason), 0);
                assert_int_equal(in.n, n); /* nothing is taken */
        }
        struct slice in = { two, sizeof two - 1 };
        assert_int_equal(frame_answer(&in, &status, &reason), 1);
        assert_int_equal(status, 1);
        assert_slice(reason, "no");
        assert_int_equal(frame_answer(&in, &status, &reason), 1);
        assert_int_equal(status, 0);
        assert_int_equal(in.n, 0);
}

static void what_is_no_answer_is_said(void **state)
{
        static const struct slice bad[] = { S("\0\0\0\1x"),
                                            S("\xff\xff\xff\xff"),
                                            S("\0\0\0\2\0\0"),
                                            S("\0\0\0\x0f\0\0i\0\0\0\x8\0\0\0\0\0\0\0\0"),
                                            S("\0\0\0\x13\0\0i\0\0\0\7\0\0\0\0\0\0\0t\0\0\0\0"),
                                            S("\0\0\0\x14\0\0t\0\0\0\x8\0\0\0\0\0\0\0\0t\0\0\0\0") };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(bad); i++) {
                struct slice reason, in = bad[i];
                int status;
                if (frame_answer(&in, &status, &reason) != -EBADMSG)
                        fail_msg("number %zu is an answer", i);
        }
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(sightings_arrive),
                A_TEST(only_what_was_lost_is_told),
                A_TEST(bans_arrive_and_a_refusal_has_its_reason),
                A_TEST(what_does_not_fit_is_no_frame),
                A_TEST(an_answer_in_pieces_is_none_yet),
                A_TEST(what_is_no_answer_is_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
