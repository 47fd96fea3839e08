/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/sketch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static const uint8_t key[16] = "sixteen bytes !!";

static void fill(struct sketch *s, unsigned from, unsigned to)
{
        for (unsigned i = from; i < to; i++) {
                char item[32];
                int n = snprintf(item, sizeof item, "host %u", i);
                sketch_add(s, key, (struct slice){ item, (size_t)n });
        }
}

static void counts_within_a_fifth(void **state)
{
        (void)state;
        for (unsigned n = 1; n <= 10000; n += n < 100 ? 1 : n / 20) {
                struct sketch s;
                char text[SKETCH_BYTES_MOST];
                sketch_init(&s);
                fill(&s, 0, n);
                double got = (double)sketch_estimate(sketch_encode(&s, text));
                if (got < 0.8 * n || got > 1.2 * n)
                        fail_msg("%u things are counted as %.0f", n, got);
        }
}

static void same_thing_twice_is_one(void **state)
{
        (void)state;
        struct sketch s;
        sketch_init(&s);
        for (int i = 0; i < 1000; i++)
                fill(&s, 7, 8);
        assert_int_equal(sketch_count(&s), 1);
}

static void merging_is_counting_together(void **state)
{
        (void)state;
        const unsigned sizes[][2] = { { 0, 0 }, { 3, 0 }, { 20, 40 }, { 500, 300 }, { 40, 5000 } };
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
                struct sketch a, b, both;
                char text[SKETCH_BYTES_MOST];
                sketch_init(&a);
                sketch_init(&b);
                sketch_init(&both);
                fill(&a, 0, sizes[i][0]);
                fill(&b, sizes[i][0] / 2, sizes[i][0] / 2 + sizes[i][1]);
                fill(&both, 0, sizes[i][0]);
                fill(&both, sizes[i][0] / 2, sizes[i][0] / 2 + sizes[i][1]);
                assert_true(sketch_merge(&a, sketch_encode(&b, text)));
                assert_memory_equal(&a, &both, sizeof a);
        }
}

static void sparse_until_64_registers(void **state)
{
        (void)state;
        struct sketch s;
        char text[SKETCH_BYTES_MOST];
        sketch_init(&s);
        assert_int_equal(sketch_encode(&s, text).n, 0);
        for (size_t i = 0; i < SKETCH_REGISTERS; i++) {
                s.registers[i] = 1;
                struct slice e = sketch_encode(&s, text);
                assert_int_equal(e.n, i + 1 <= 64 ? 2 * (i + 1) : 256);
                struct sketch back;
                sketch_init(&back);
                assert_true(sketch_merge(&back, e));
                assert_memory_equal(&back, &s, sizeof s);
        }
}

static void hostile_bytes_are_refused(void **state)
{
        (void)state;
        static const char odd[] = { 1, 2, 3 }, too_much[] = { 1, 58 }, zero[] = { 1, 0 }, order[] = { 2, 1, 1, 1 },
                          twice[] = { 1, 1, 1, 2 };
        static const char dense[256] = { [100] = 58 }, middle[200] = { 0 }, long_one[300] = { 0 };
        const struct slice bad[] = { { odd, 3 },   { too_much, 2 }, { zero, 2 },     { order, 4 },
                                     { twice, 4 }, { dense, 256 },  { middle, 200 }, { long_one, 300 } };
        for (size_t i = 0; i < COUNT_OF(bad); i++) {
                struct sketch s, before;
                sketch_init(&s);
                fill(&s, 0, 10);
                before = s;
                assert_false(sketch_merge(&s, bad[i]));
                assert_memory_equal(&s, &before, sizeof s);
                assert_int_equal(sketch_estimate(bad[i]), 0);
        }
        static char all[256];
        memset(all, 57, sizeof all);
        assert_true(sketch_estimate((struct slice){ all, 256 }) > 1000000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts_within_a_fifth),        cmocka_unit_test(same_thing_twice_is_one),
                cmocka_unit_test(merging_is_counting_together), cmocka_unit_test(sparse_until_64_registers),
                cmocka_unit_test(hostile_bytes_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
