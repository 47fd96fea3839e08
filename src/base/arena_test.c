/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <cmocka.h>

static void gives_zeroed_aligned_memory(void **state)
{
        (void)state;
        autoarena *a = arena_new(64 << 20);
        for (size_t n = 0; n < 5000; n = n * 2 + 1) {
                unsigned char *p = arena_alloc(a, n);
                assert_non_null(p);
                assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(p[i], 0);
                memset(p, 0xAA, n);
        }
        unsigned char *big = arena_alloc(a, 5 << 20); /* larger than any block */
        assert_non_null(big);
        big[(5 << 20) - 1] = 1;
        unsigned char *small = arena_alloc(a, 10);
        assert_non_null(small);
        assert_int_equal(small[0], 0);
}

static void stops_at_the_ceiling(void **state)
{
        (void)state;
        autoarena *a = arena_new(10000);
        size_t n = 0;
        while (arena_alloc(a, 100))
                n++;
        assert_in_range(n, 80, 100);
        assert_true(arena_full(a));
        assert_null(arena_alloc(a, 1)); /* for good */
        assert_in_range(arena_used(a), 9000, 10000);
        autoarena *tiny = arena_new(10);
        assert_null(arena_alloc(tiny, 100));
        assert_true(arena_full(tiny));
        assert_null(arena_dup(tiny, S("x")).p);
}

static void copies_end_in_zero(void **state)
{
        (void)state;
        autoarena *a = arena_new(1000);
        struct slice copy = arena_dup(a, S("a\0b"));
        assert_int_equal(copy.n, 3);
        assert_memory_equal(copy.p, "a\0b", 4);
        assert_string_equal(arena_dup(a, (struct slice){ NULL, 0 }).p, "");
}

static void arrays_grow(void **state)
{
        (void)state;
        autoarena *a = arena_new(1 << 20);
        int *v = NULL;
        size_t cap = 0;
        for (int i = 0; i < 1000; i++) {
                v = arena_grow(a, v, &cap, (size_t)i + 1, sizeof *v);
                v[i] = i;
        }
        for (int i = 0; i < 1000; i++)
                assert_int_equal(v[i], i);
        assert_int_equal(cap, 1024);
        autoarena *tiny = arena_new(100);
        cap = 0;
        v = arena_grow(tiny, NULL, &cap, 5, sizeof *v);
        assert_non_null(v);
        assert_null(arena_grow(tiny, v, &cap, 100, sizeof *v));
        assert_int_equal(cap, 8); /* the old array is whole */
}

static void clear_gives_all_of_it_back(void **state)
{
        (void)state;
        autoarena *a = arena_new(10000);
        for (int i = 0; i < 100; i++) {
                char *p = arena_alloc(a, 8000);
                assert_non_null(p);
                assert_int_equal(p[0], 0); /* zeroed again */
                memset(p, 'x', 8000);
                assert_null(arena_alloc(a, 8000));
                assert_true(arena_full(a));
                arena_clear(a);
                assert_false(arena_full(a));
        }
}

static void free_takes_null(void **state)
{
        (void)state;
        arena_free(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gives_zeroed_aligned_memory), cmocka_unit_test(stops_at_the_ceiling),
                cmocka_unit_test(copies_end_in_zero),          cmocka_unit_test(arrays_grow),
                cmocka_unit_test(clear_gives_all_of_it_back),  cmocka_unit_test(free_takes_null)
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
