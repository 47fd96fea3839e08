/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/window.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const uint8_t key[16] = "sixteen bytes !!";
static const int64_t NOON = INT64_C(1790000000) * SECOND;

static struct window_table *make(size_t entries)
{
        void *memory = mmap(NULL, window_bytes(entries), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(memory, MAP_FAILED);
        return window_make(memory, entries, key);
}

static struct window hourly(const char *name)
{
        return (struct window){ .kind = 1, .period = HOUR, .name = slice_of(name) };
}

static void sums_what_was_counted(void **state)
{
        (void)state;
        struct window_table *t = make(100);
        struct window ana = hourly("ana"), bia = hourly("bia");
        assert_int_equal(window_add(t, &ana, NOON, 3), 3);
        assert_int_equal(window_add(t, &ana, NOON + MINUTE, 4), 7);
        assert_int_equal(window_add(t, &ana, NOON + MINUTE, 0), 7);
        assert_int_equal(window_sum(t, &bia, NOON), 0);
        window_forget(t, &ana);
        assert_int_equal(window_sum(t, &ana, NOON + MINUTE), 0);
}

/* Against a list of all that happened: never less than the true sum of the last hour, never more than that of 7/6 hours. */
static void is_never_too_lax(void **state)
{
        (void)state;
        enum { EVENTS = 20000 };
        static int64_t times[EVENTS];
        struct window_table *t = make(100);
        struct window ana = hourly("ana");
        int64_t now = NOON;
        uint64_t seed = 42;
        for (size_t i = 0; i < EVENTS; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                uint64_t chance = seed >> 33;
                now += chance % 50 == 0 ? (int64_t)(chance % 5000) * SECOND : (int64_t)(chance % 60) * SECOND;
                times[i] = now;
                uint64_t got = window_add(t, &ana, now, 1), least = 0, most = 0;
                for (size_t k = i + 1; k-- > 0 && times[k] > now - 2 * HOUR;) {
                        least += times[k] > now - HOUR;
                        most += times[k] > now - HOUR - HOUR / 6;
                }
                assert_true(got >= least && got <= most);
        }
}

static void kinds_and_periods_are_kept_apart(void **state)
{
        (void)state;
        struct window_table *t = make(100);
        struct window hour = hourly("ana"), day = hour, other = hour;
        day.period = DAY;
        other.kind = 2;
        window_add(t, &hour, NOON, 5);
        assert_int_equal(window_add(t, &day, NOON, 1), 1);
        assert_int_equal(window_add(t, &other, NOON, 1), 1);
        assert_int_equal(window_sum(t, &hour, NOON + 2 * HOUR), 0);
        assert_int_equal(window_sum(t, &day, NOON + 2 * HOUR), 1);
}

static void the_one_not_seen_for_longest_gives_way(void **state)
{
        (void)state;
        char name[32];
        struct window_table *t = make(WINDOW_WAYS);
        for (int i = 0; i < WINDOW_WAYS; i++) {
                snprintf(name, sizeof name, "login %d", i);
                struct window w = hourly(name);
                window_add(t, &w, NOON + i * 20 * MINUTE, 1);
        }
        assert_int_equal(window_evicted(t), 0);
        struct window first = hourly("login 0"), second = hourly("login 1"), late = hourly("late");
        window_add(t, &first, NOON + 160 * MINUTE, 1);
        window_add(t, &late, NOON + 161 * MINUTE, 1);
        assert_int_equal(window_evicted(t), 1);
        assert_int_equal(window_sum(t, &second, NOON + 20 * MINUTE), 0);
        assert_int_equal(window_sum(t, &first, NOON + 161 * MINUTE), 1);
}

static void a_clock_set_back_does_not_lock_for_ever(void **state)
{
        (void)state;
        struct window_table *t = make(100);
        struct window ana = hourly("ana");
        window_add(t, &ana, NOON + 30 * DAY, 100);
        assert_int_equal(window_sum(t, &ana, NOON), 0);
        assert_int_equal(window_add(t, &ana, NOON, 1), 1);
}

static void counts_do_not_wrap(void **state)
{
        (void)state;
        struct window_table *t = make(100);
        struct window ana = hourly("ana");
        window_add(t, &ana, NOON, UINT32_MAX);
        assert_int_equal(window_add(t, &ana, NOON, UINT32_MAX), UINT32_MAX);
}

static void says_when_there_is_room(void **state)
{
        (void)state;
        struct window_table *t = make(100);
        struct window ana = hourly("ana");
        const int64_t ten = 10 * MINUTE, began = NOON - NOON % ten;
        assert_int_equal(window_room(t, &ana, NOON, 0), NOON);
        window_add(t, &ana, began, 4);
        window_add(t, &ana, began + ten, 6);
        assert_int_equal(window_room(t, &ana, began + ten, 10), began + ten);
        assert_int_equal(window_room(t, &ana, began + ten, 9), began + 7 * ten);
        assert_int_equal(window_room(t, &ana, began + ten, 6), began + 7 * ten);
        assert_int_equal(window_room(t, &ana, began + ten, 5), began + 8 * ten);
        assert_int_equal(window_sum(t, &ana, began + 7 * ten - 1), 10);
        assert_int_equal(window_sum(t, &ana, began + 7 * ten), 6);
        assert_int_equal(window_sum(t, &ana, began + 8 * ten), 0);
}

static void processes_count_together(void **state)
{
        (void)state;
        enum { PROCESSES = 4, EACH = 50000 };
        struct window_table *t = make(100);
        struct window ana = hourly("ana");
        window_add(t, &ana, NOON, 1);
        for (int i = 0; i < PROCESSES; i++)
                if (fork() == 0) {
                        for (int k = 0; k < EACH; k++)
                                window_add(t, &ana, NOON, 1);
                        _exit(0);
                }
        for (int i = 0; i < PROCESSES; i++)
                wait(NULL);
        assert_int_equal(window_sum(t, &ana, NOON), PROCESSES * EACH + 1);
}

static void only_its_own_memory_is_joined(void **state)
{
        (void)state;
        struct window_table *t = make(100);
        uint64_t junk[64] = { 0 };
        assert_ptr_equal(window_join(t, window_bytes(100)), t);
        assert_null(window_join(t, window_bytes(1000)));
        assert_null(window_join(junk, sizeof junk));
        assert_null(window_join(junk, 8));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sums_what_was_counted),
                cmocka_unit_test(is_never_too_lax),
                cmocka_unit_test(kinds_and_periods_are_kept_apart),
                cmocka_unit_test(the_one_not_seen_for_longest_gives_way),
                cmocka_unit_test(a_clock_set_back_does_not_lock_for_ever),
                cmocka_unit_test(counts_do_not_wrap),
                cmocka_unit_test(says_when_there_is_room),
                cmocka_unit_test(processes_count_together),
                cmocka_unit_test(only_its_own_memory_is_joined),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
