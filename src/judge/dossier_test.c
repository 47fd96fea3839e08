/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge/dossier.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const int64_t now = INT64_C(1796133600) * SECOND; /* 2026-12-01 14:00 UTC */
static const struct policy_suspicion usual = { .half_life = DAY,
                                               .points_trap = 5,
                                               .points_divert = 1,
                                               .points_complaint = 10,
                                               .points_syn = 0.01,
                                               .points_other = 1 };

static struct sighting sighting(const char *source, int64_t at, int64_t count)
{
        return (struct sighting){ .source = slice_of(source), .at = now + at, .count = count };
}

static void test_evidence(void **state)
{
        static const uint8_t key[16] = "0123456789abcdef";
        static const struct {
                struct sighting facts[3];
                const char *want;
        } cases[] = {
                { { { .count = 0 } }, "" },
                { { { .source = { "trap", 4 }, .count = 1 } },
                  "1 conversation in the trap since 2026-12-01 14:00:00 +0000" },
                { { { .source = { "trap", 4 }, .count = 30 }, { .source = { "kernel", 6 }, .count = 412 } },
                  "30 conversations in the trap, 412 attempts to about 3 hosts since 2026-12-01 14:00:00 +0000" },
                { { { .source = { "complaint", 9 }, .count = 1 },
                    { .source = { "divert", 6 }, .count = 2 },
                    { .source = { "blocklist", 9 }, .count = 1 } },
                  "2 diverted conversations without login, 1 complaint, 1 other sighting since 2026-12-01 14:00:00 "
                  "+0000" },
        };
        char text[SKETCH_BYTES_MOST];
        struct sketch hosts;
        (void)state;
        setenv("TZ", "UTC", 1);
        sketch_init(&hosts);
        for (int i = 0; i < 3; i++)
                sketch_add(&hosts, key, (struct slice){ (const char *)&i, sizeof i });
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct dossier d;
                autobuf out;
                buf_init(&out, 4096);
                dossier_init(&d, S("10442"));
                for (size_t k = 0; k < 3 && cases[i].facts[k].source.n; k++) {
                        struct sighting s = cases[i].facts[k];
                        s.at = now;
                        s.hosts = sketch_encode(&hosts, text);
                        dossier_add(&d, &usual, &s, now);
                }
                dossier_evidence(&d, &out);
                assert_string_equal(buf_cstr(&out), cases[i].want);
                dossier_done(&d);
        }
}

static void test_what_does_not_count(void **state)
{
        struct dossier d;
        struct sighting before = sighting("trap", -HOUR, 1), at = sighting("trap", -MINUTE, 1),
                        after = sighting("trap", -1, 1);
        struct sighting old = sighting("trap", -11 * DAY, 1000000);
        (void)state;
        dossier_init(&d, S("10442"));
        d.forgiven = now - MINUTE;
        dossier_add(&d, &usual, &before, now);
        dossier_add(&d, &usual, &at, now);
        assert_true(d.sum.hard == 0 && d.first == TIME_NEVER);
        dossier_add(&d, &usual, &after, now);
        assert_int_equal(d.counts[SUSPICION_TRAP], 1);
        d.forgiven = 0;
        dossier_add(&d, &usual, &old, now);
        assert_int_equal(d.counts[SUSPICION_TRAP], 1);
        dossier_done(&d);
}

static void test_when_the_ledger_is_told(void **state)
{
        static const struct {
                double known, score;
                int64_t age;
                bool moved;
        } cases[] = {
                { 10, 10, 0, false },  { 10, 10.4, 0, false }, { 10, 10.6, 0, true },  { 10, 9.4, 0, true },
                { 10, 5, DAY, false }, { 10, 10, DAY, true },  { 19.99, 20, 0, true }, { 20.01, 19.99, 0, true },
                { 0, 0, DAY, false },  { 0, 0.01, DAY, true },
        };
        struct dossier d;
        (void)state;
        dossier_init(&d, S("10442"));
        assert_false(dossier_moved(&d, &usual, 0, 20, now));
        assert_true(dossier_moved(&d, &usual, 0.01, 20, now));
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                d.known = (struct suspicion){ .at = now - cases[i].age, .score = cases[i].known };
                if (dossier_moved(&d, &usual, cases[i].score, 20, now) != cases[i].moved)
                        fail_msg("case %zu", i);
        }
        dossier_done(&d);
}

static void test_counts_do_not_overflow(void **state)
{
        struct dossier d;
        struct sighting s = sighting("kernel", 0, INT64_MAX);
        (void)state;
        dossier_init(&d, S("10442"));
        for (int i = 0; i < 3; i++)
                dossier_add(&d, &usual, &s, now);
        assert_int_equal(d.counts[SUSPICION_SYN], INT64_MAX);
        assert_true(suspicion_score(&d.sum, 20) == 10);
        dossier_done(&d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_evidence),
                cmocka_unit_test(test_what_does_not_count),
                cmocka_unit_test(test_when_the_ledger_is_told),
                cmocka_unit_test(test_counts_do_not_overflow),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
