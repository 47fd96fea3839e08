/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/rings_format.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <cmocka.h>

/* 1 November 2026, 00:00 UTC: a slot of every ring begins. */
static const int64_t MIDNIGHT = INT64_C(1793491200) * SECOND;

static char path[] = "/tmp/porteiro-rings-XXXXXX";

struct box {
        struct rings *r;
        size_t series;
};

static struct box make(enum rings_kind kind)
{
        struct box b = { NULL, 99 };
        autobuf why;
        buf_init(&why, 1024);
        unlink(path);
        assert_int_equal(rings_open(path, &b.r, &why), 0);
        assert_int_equal(rings_series(b.r, S("attempts"), kind, &b.series), 0);
        return b;
}

static struct rings_point one(const struct box *b, int64_t from, int64_t to)
{
        struct rings_point p;
        rings_read(b->r, b->series, from, to, 1, &p);
        return p;
}

static void is_about(double got, double want)
{
        if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want)))) {
                print_error("%.12g, wanted %.12g\n", got, want);
                fail();
        }
}

static void a_counter_is_spread_over_the_time_it_grew_in(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        rings_counter(b.r, b.series, MIDNIGHT + 5 * SECOND, 1000);
        rings_counter(b.r, b.series, MIDNIGHT + 25 * SECOND, 1040); /* 2 a second */
        struct rings_point points[4];
        assert_int_equal(rings_read(b.r, b.series, MIDNIGHT, MIDNIGHT + 40 * SECOND, 4, points), 10);
        is_about(points[0].sum, 10);
        is_about(points[0].known, 5);
        is_about(points[0].mean, 2);
        is_about(points[1].sum, 20);
        is_about(points[1].max, 2);
        is_about(points[2].sum, 10);
        assert_true(isnan(points[3].mean) && isnan(points[3].max) && points[3].known == 0);
        is_about(one(&b, MIDNIGHT, MIDNIGHT + DAY).sum, 40);
        rings_close(b.r);
}

/* A picture that ends now shows all of what came since the last slot began. */
static void a_slot_that_is_not_over_has_all_until_now(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        const int64_t now = MIDNIGHT + 33 * SECOND;
        rings_counter(b.r, b.series, MIDNIGHT, 0);
        rings_counter(b.r, b.series, now, 33);
        is_about(one(&b, now - 40 * SECOND, now).sum, 33);
        is_about(one(&b, now - 40 * SECOND, now).known, 33);
        is_about(one(&b, now - DAY, now).sum, 33);
        is_about(one(&b, now - 3 * SECOND, now).sum, 3);
        is_about(one(&b, now - 365 * DAY, now + 2 * SECOND).sum, 33);
        rings_close(b.r);
}

static void zero_is_known_and_silence_is_not(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        rings_counter(b.r, b.series, MIDNIGHT, 7);
        rings_counter(b.r, b.series, MIDNIGHT + MINUTE, 7);
        rings_counter(b.r, b.series, MIDNIGHT + 2 * MINUTE + RINGS_SILENCE, 9007);
        rings_counter(b.r, b.series, MIDNIGHT + 3 * MINUTE + RINGS_SILENCE, 9067);
        struct rings_point p = one(&b, MIDNIGHT, MIDNIGHT + MINUTE);
        is_about(p.mean, 0);
        is_about(p.known, 60);
        assert_true(isnan(one(&b, MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE + RINGS_SILENCE).mean));
        p = one(&b, MIDNIGHT, MIDNIGHT + HOUR);
        is_about(p.sum, 60);
        is_about(p.known, 120);
        is_about(p.mean, 0.5);
        is_about(p.max, 1);
        rings_close(b.r);
}

static void a_reset_makes_no_spike(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        const uint64_t values[] = { UINT64_MAX - 100, UINT64_MAX - 90, 3, 13, 5000000000u, 0, 10 };
        const double known[] = { 0, 10, 10, 20, 30, 30, 40 };
        const double sum[] = { 0, 10, 10, 20, 20 + 4999999987.0, 20 + 4999999987.0, 30 + 4999999987.0 };
        for (size_t i = 0; i < COUNT_OF(values); i++) {
                rings_counter(b.r, b.series, MIDNIGHT + (int64_t)i * 10 * SECOND, values[i]);
                struct rings_point p = one(&b, MIDNIGHT, MIDNIGHT + HOUR);
                is_about(p.known, known[i]);
                is_about(p.sum, sum[i]);
                assert_true(isnan(p.mean) || p.mean >= 0);
        }
        rings_close(b.r);
}

static void a_burst_is_seen_in_every_ring(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        rings_add(b.r, b.series, MIDNIGHT, MIDNIGHT + HOUR, 3600, MIDNIGHT + HOUR);
        rings_add(b.r, b.series, MIDNIGHT + HOUR, MIDNIGHT + HOUR + 10 * SECOND, 5000, MIDNIGHT + 2 * HOUR);
        rings_add(b.r, b.series, MIDNIGHT + HOUR + 10 * SECOND, MIDNIGHT + DAY, 0, MIDNIGHT + DAY);
        for (size_t i = 0; i < RINGS_COUNT; i++) {
                int64_t seconds = rings_steps[i].seconds, at = (MIDNIGHT + HOUR) / SECOND / seconds * seconds * SECOND;
                struct rings_point p;
                assert_int_equal(rings_read(b.r, b.series, at, at + 4 * seconds * SECOND, 1, &p), seconds);
                is_about(p.max, 500);
                is_about(p.sum, 5000 + (seconds == 86400 ? 3600 : 0));
        }
        rings_close(b.r);
}

/* A count a step, for longer than the ring: what was written last is there, what was before it is not, and nothing of it is taken for now. */
static void goes_round(size_t ring)
{
        struct box b = make(RINGS_RATE);
        int64_t step = rings_steps[ring].seconds * SECOND, slots = rings_steps[ring].slots, begin = 365 * DAY;
        int64_t steps = slots + slots / 3;
        for (int64_t k = 0; k < steps; k++) {
                int64_t at = begin + k * step;
                rings_add(b.r, b.series, at, at + 10 * SECOND, (double)(k + 1), at + 10 * SECOND);
        }
        for (int64_t k = 0; k + 4 <= steps; k++) {
                struct rings_point p;
                int64_t at = begin + k * step, used = rings_read(b.r, b.series, at, at + 4 * step, 1, &p);
                if (k > steps - slots) {
                        assert_int_equal(used, step / SECOND);
                        is_about(p.sum, (double)(4 * k + 10));
                        is_about(p.known, 40);
                } else if (used == step / SECOND && k + 4 <= steps - slots) {
                        assert_true(isnan(p.mean));
                }
        }
        rings_close(b.r);
}

static void every_ring_goes_round(void **state)
{
        (void)state;
        for (size_t i = 0; i < RINGS_COUNT; i++)
                goes_round(i);
}

static void a_clock_that_goes_back_does_no_harm(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        for (int64_t at = 0; at <= 600; at += 10)
                rings_counter(b.r, b.series, MIDNIGHT + at * SECOND, (uint64_t)at);
        uint64_t value = 600;
        for (int64_t at = 300; at <= 900; at += 10) /* five minutes back, and on */
                rings_counter(b.r, b.series, MIDNIGHT + at * SECOND, value += 10);
        struct rings_point p = one(&b, MIDNIGHT, MIDNIGHT + HOUR);
        is_about(p.known, 900);
        is_about(p.sum, 900); /* what was counted in time told of already is lost, not doubled */
        is_about(p.max, 1);
        is_about(one(&b, MIDNIGHT, MIDNIGHT + DAY).sum, 900);
        rings_close(b.r);
}

static void a_time_that_never_came_gives_way(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        const int64_t wrong = MIDNIGHT + 40 * 365 * DAY;
        rings_counter(b.r, b.series, MIDNIGHT, 0);
        rings_counter(b.r, b.series, wrong, 5);
        rings_counter(b.r, b.series, wrong + 5 * MINUTE, 10);
        for (int64_t at = 10; at <= 9000 * 10; at += 10) /* a whole round of the finest ring */
                rings_counter(b.r, b.series, MIDNIGHT + at * SECOND, (uint64_t)at + 10);
        struct rings_point points[25];
        double known = 0, sum = 0;
        rings_read(b.r, b.series, MIDNIGHT, MIDNIGHT + 25 * HOUR, COUNT_OF(points), points);
        for (size_t i = 0; i < COUNT_OF(points); i++) {
                known += points[i].known;
                sum += points[i].sum;
        }
        is_about(known, 90000 - 10); /* the one sample after the clock was set right says only where to count from */
        is_about(sum, 90000 - 10);
        assert_true(isnan(one(&b, MIDNIGHT + 30 * DAY, MIDNIGHT + 31 * DAY).mean));
        rings_close(b.r);
}

/* On 25 October 2026 Lisbon has 25 hours: local time is nowhere in here. */
static void zones_do_not_matter(void **state)
{
        (void)state;
        const int64_t sunday = INT64_C(1792886400) * SECOND;
        for (int zone = 0; zone < 2; zone++) {
                assert_true(time_set_zone(zone ? S("Europe/Lisbon") : S("America/Sao_Paulo")));
                struct box b = make(RINGS_RATE);
                rings_add(b.r, b.series, sunday - HOUR, sunday + 24 * HOUR, 25 * 3600, sunday + DAY);
                struct rings_point points[25];
                rings_read(b.r, b.series, sunday - HOUR, sunday + 24 * HOUR, 25, points);
                for (size_t i = 0; i < 25; i++)
                        is_about(points[i].mean, 1);
                rings_close(b.r);
        }
}

static void a_level_has_a_mean_over_time_and_a_maximum(void **state)
{
        (void)state;
        struct box b = make(RINGS_GAUGE);
        rings_gauge(b.r, b.series, MIDNIGHT, 99); /* for how long it was so, nobody knows */
        rings_gauge(b.r, b.series, MIDNIGHT + 30 * SECOND, 10);
        rings_gauge(b.r, b.series, MIDNIGHT + 40 * SECOND, 50);
        struct rings_point p = one(&b, MIDNIGHT, MIDNIGHT + MINUTE);
        is_about(p.mean, 20);
        is_about(p.max, 50);
        is_about(p.known, 40);
        rings_gauge(b.r, b.series, MIDNIGHT + 50 * SECOND, -5);
        is_about(one(&b, MIDNIGHT + 40 * SECOND, MIDNIGHT + 50 * SECOND).max, -5);
        rings_close(b.r);
}

static void late_events_count_and_old_ones_do_no_harm(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        const int64_t now = MIDNIGHT + 3 * DAY;
        rings_add(b.r, b.series, MIDNIGHT, now, 259200, now);
        rings_add(b.r, b.series, now - MINUTE, now - MINUTE, 5, now);           /* late */
        rings_add(b.r, b.series, MIDNIGHT, now, 777777, now);                   /* told twice */
        rings_add(b.r, b.series, MIDNIGHT + SECOND, MIDNIGHT + SECOND, 3, now); /* older than the finest ring */
        is_about(one(&b, now - MINUTE, now).sum, 65);
        is_about(one(&b, MIDNIGHT, MIDNIGHT + DAY).sum, 86403);
        is_about(one(&b, now - 10 * SECOND, now).sum, 10);
        rings_add(b.r, b.series, now, now + MINUTE, 5, now); /* not yet */
        rings_add(b.r, b.series, now - MINUTE, now, -5, now);
        rings_add(b.r, b.series, now - MINUTE, now, NAN, now);
        is_about(one(&b, now - MINUTE, now).sum, 65);
        rings_close(b.r);
}

static void a_torn_slot_is_unknown(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        autobuf file, why;
        buf_init(&file, 64 << 20);
        buf_init(&why, 1024);
        rings_add(b.r, b.series, MIDNIGHT, MIDNIGHT + MINUTE, 60, MIDNIGHT + MINUTE);
        rings_close(b.r);
        assert_int_equal(file_read(path, &file), 0);
        size_t slot = RINGS_SLOTS_AT + (size_t)(MIDNIGHT / SECOND / 10 % 9000) * sizeof(struct rings_slot);
        file.p[slot + 8] ^= 1;
        assert_int_equal(rings_of(buf_slice(&file), &b.r, &why), 0);
        is_about(one(&b, MIDNIGHT, MIDNIGHT + 50 * SECOND).known, 40);
        rings_close(b.r);
        file.p[8] ^= 2; /* its version */
        assert_int_equal(rings_of(buf_slice(&file), &b.r, &why), -EBADMSG);
        assert_non_null(strstr(buf_cstr(&why), "version"));
}

static void what_was_written_is_read_again(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        struct rings *other = NULL;
        size_t second;
        autobuf why;
        buf_init(&why, 1024);
        rings_counter(b.r, b.series, MIDNIGHT, 100);
        assert_int_equal(rings_open(path, &other, &why), -EWOULDBLOCK);
        assert_int_equal(rings_series(b.r, S("queue"), RINGS_GAUGE, &second), 0);
        assert_int_equal(rings_series(b.r, S("queue"), RINGS_RATE, &second), -EINVAL);
        assert_int_equal(rings_series(b.r, S(""), RINGS_RATE, &second), -EINVAL);
        rings_close(b.r);
        assert_int_equal(rings_open(path, &b.r, &why), 0);
        assert_int_equal(rings_count(b.r), 2);
        assert_int_equal(rings_series(b.r, S("attempts"), RINGS_RATE, &b.series), 0);
        assert_int_equal(rings_last(b.r, b.series), MIDNIGHT);
        rings_counter(b.r, b.series, MIDNIGHT + 10 * SECOND, 130);
        assert_int_equal(rings_view(path, &other, &why), 0);
        struct box view = { other, b.series };
        is_about(one(&view, MIDNIGHT, MIDNIGHT + 10 * SECOND).sum, 30);
        assert_int_equal(rings_series(other, S("new"), RINGS_RATE, &second), -EROFS);
        rings_close(other);
        for (size_t i = 2; i < RINGS_SERIES_MOST; i++) {
                char name[16];
                snprintf(name, sizeof name, "s%zu", i);
                assert_int_equal(rings_series(b.r, slice_of(name), RINGS_RATE, &second), 0);
        }
        assert_int_equal(rings_series(b.r, S("one more"), RINGS_RATE, &second), -ENOSPC);
        is_about(one(&b, MIDNIGHT, MIDNIGHT + 10 * SECOND).sum, 30);
        rings_close(b.r);
}

/* One process writes three a second until it is killed; whoever reads meanwhile sees that rate or nothing. */
static void a_reader_sees_no_half_slot(void **state)
{
        (void)state;
        struct box b = make(RINGS_RATE);
        struct rings *view = NULL;
        autobuf why;
        buf_init(&why, 1024);
        pid_t child = fork();
        assert_true(child != -1);
        if (child == 0)
                alarm(30); /* not for ever, where the test fails */
        for (int64_t at = MIDNIGHT; child == 0; at += 7 * SECOND)
                rings_add(b.r, b.series, at, at + 7 * SECOND, 21, at + 7 * SECOND);
        rings_close(b.r); /* the lock is the child's now */
        assert_int_equal(rings_view(path, &view, &why), 0);
        struct box reader = { view, b.series };
        for (int64_t last = 0; last < MIDNIGHT + DAY;) {
                last = rings_last(view, b.series); /* 0: not begun, or just being written */
                if (!last)
                        continue;
                struct rings_point p = one(&reader, last - 13 * MINUTE, last + MINUTE);
                assert_true(isnan(p.mean) || (p.mean > 2.99 && p.mean < 3.01));
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        rings_close(view);
        assert_int_equal(rings_open(path, &b.r, &why), 0);
        assert_int_equal(rings_series(b.r, S("attempts"), RINGS_RATE, &b.series), 0);
        int64_t last = rings_last(b.r, b.series),
                on = last ? last : MIDNIGHT + 30 * DAY; /* 0: it was killed in between */
        rings_add(b.r, b.series, on, on + MINUTE, 180, on + MINUTE);
        is_about(one(&b, on + 10 * SECOND, on + MINUTE).mean, 3);
        rings_close(b.r);
}

static void a_file_of_others_is_left_alone(void **state)
{
        (void)state;
        struct rings *r = NULL;
        autobuf why, file;
        buf_init(&why, 1024);
        buf_init(&file, 1024);
        assert_int_equal(file_replace(path, 0600, S("a letter that somebody keeps here, longer than a header")), 0);
        assert_int_equal(rings_open(path, &r, &why), -EBADMSG);
        assert_int_equal(file_read(path, &file), 0);
        assert_int_equal(file.n, 55);
        assert_int_equal(file_replace(path, 0600, S("")), 0);
        assert_int_equal(rings_view(path, &r, &why), -EBADMSG);
        assert_int_equal(rings_open(path, &r, &why), 0);
        rings_close(r);
}

static int clean(void **state)
{
        (void)state;
        return unlink(path);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_counter_is_spread_over_the_time_it_grew_in),
                cmocka_unit_test(a_slot_that_is_not_over_has_all_until_now),
                cmocka_unit_test(zero_is_known_and_silence_is_not),
                cmocka_unit_test(a_reset_makes_no_spike),
                cmocka_unit_test(a_burst_is_seen_in_every_ring),
                cmocka_unit_test(every_ring_goes_round),
                cmocka_unit_test(a_clock_that_goes_back_does_no_harm),
                cmocka_unit_test(a_time_that_never_came_gives_way),
                cmocka_unit_test(zones_do_not_matter),
                cmocka_unit_test(a_level_has_a_mean_over_time_and_a_maximum),
                cmocka_unit_test(late_events_count_and_old_ones_do_no_harm),
                cmocka_unit_test(a_torn_slot_is_unknown),
                cmocka_unit_test(what_was_written_is_read_again),
                cmocka_unit_test(a_reader_sees_no_half_slot),
                cmocka_unit_test(a_file_of_others_is_left_alone),
        };
        int fd = mkstemp(path);
        if (fd == -1)
                return 1;
        close(fd);
        return cmocka_run_group_tests(tests, NULL, clean);
}
