/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const uint8_t key[16] = "0123456789abcdef";
static const int64_t start = INT64_C(1800000000) * SECOND;

static struct tally_label label_of(const char *text)
{
        struct tally_label l = { 0 };
        assert_true(tally_label_parse(slice_of(text), &l));
        return l;
}

static struct tally_attempt attempt(const char *source, const char *destination, const char *label)
{
        struct tally_attempt a = { .label = label_of(label), .at = start };
        assert_true(addr_parse(slice_of(source), &a.source));
        assert_true(addr_parse(slice_of(destination), &a.destination));
        return a;
}

/* What was handed out, as text: "198.51.100.10 block 3; " */
static bool note(void *arg, const struct tally_row *row)
{
        char text[PREFIX_TEXT_MAX];
        buf_addf(arg, "%s %.*s %lld; ", prefix_print(&row->prefix, text), SLICE_ARGS(tally_label_strategy(row->label)),
                 (long long)row->count);
        return true;
}

static void taken(struct tally *t, bool all, int64_t now, const char *want)
{
        autobuf got;
        buf_init(&got, 1 << 20);
        tally_take(t, all, now, note, &got);
        assert_string_equal(buf_cstr(&got), want);
}

static void test_labels(void **state)
{
        static const struct {
                const char *text, *strategy, *detail; /* strategy NULL: not ours */
        } cases[] = {
                { "class-home block", "block", "" },
                { "class-a-b observe", "observe", "" },
                { "own shift", "shift", "" },
                { "exempt open", "open", "" },
                { "server divert", "divert", "server" },
                { "tunnel block", "block", "tunnel" },
                { "quarantine mail", "quarantine", "" },
                { "quarantine captive", "quarantine", "" },
                { "quarantine block", NULL, "" },
                { "class-home", NULL, "" },
                { "class-home mail", NULL, "" },
                { "", NULL, "" },
                { "INPUT drop", NULL, "" },
                { "own block ", NULL, "" },
                { "ownblock", NULL, "" },
                { " block", NULL, "" },
                { "class-home none", NULL, "" },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct tally_label l;
                bool ours = tally_label_parse(slice_of(cases[i].text), &l);
                if (ours != (cases[i].strategy != NULL))
                        fail_msg("\"%s\": %s", cases[i].text, ours ? "was taken for ours" : "was not known");
                if (!ours)
                        continue;
                assert_true(slice_eq(tally_label_strategy(l), slice_of(cases[i].strategy)));
                assert_true(slice_eq(tally_label_detail(l), slice_of(cases[i].detail)));
        }
}

static void test_sums_by_source_and_strategy(void **state)
{
        struct tally *t = tally_new(key);
        struct tally_attempt a = attempt("198.51.100.10", "203.0.113.130", "class-home block");
        struct tally_attempt b = attempt("198.51.100.10", "203.0.113.140", "class-home block");
        struct tally_attempt c = attempt("198.51.100.10", "203.0.113.130", "quarantine mail");
        struct tally_attempt d = attempt("2001:db8:100:1000::10", "2001:db8:ffff::130", "own observe");
        (void)state;
        assert_true(tally_add(t, &a, start) && tally_add(t, &b, start) && tally_add(t, &a, start));
        assert_true(tally_add(t, &c, start) && tally_add(t, &d, start));
        assert_int_equal(tally_sources(t), 3);
        taken(t, true, start, "198.51.100.10 block 3; 198.51.100.10 quarantine 1; 2001:db8:100:1000::10 observe 1; ");
        assert_false(tally_pending(t));
        taken(t, true, start, "");
        tally_free(t);
}

static bool keep(void *arg, const struct tally_row *row)
{
        *(struct tally_row *)arg = *row;
        return true;
}

/* A lease may begin within the minute: what came before it is not its holder's. */
static void test_a_row_stands_at_its_first_attempt(void **state)
{
        struct tally *t = tally_new(key);
        struct tally_attempt a = attempt("198.51.100.10", "203.0.113.130", "class-home block");
        struct tally_row got;
        autofree struct sighting *batch = xcalloc(OUTBOX_BATCH, sizeof *batch);
        struct outbox o = { 0 };
        (void)state;
        a.at = start + 20 * SECOND;
        assert_true(tally_add(t, &a, a.at));
        a.at = start + 10 * SECOND; /* the kernel's processors tell when each is ready */
        assert_true(tally_add(t, &a, a.at));
        tally_take(t, true, start, keep, &got);
        assert_true(got.first == start + 10 * SECOND && got.last == start + 20 * SECOND);
        assert_true(outbox_put(&o, &got));
        assert_int_equal(outbox_batch(&o, batch), 1);
        assert_true(batch[0].at == start + 10 * SECOND && batch[0].seconds == 10);
        a.at = start + 30 * SECOND;
        assert_true(tally_add(t, &a, a.at));
        tally_take(t, true, start, keep, &got);
        assert_true(got.first == a.at && got.last == a.at);
        outbox_done(&o);
        tally_free(t);
}

/* Soon at first, then at doubling intervals; a source of the minute before waits for the minute's end. */
static void test_when_rows_are_due(void **state)
{
        struct tally *t = tally_new(key);
        struct tally_attempt a = attempt("198.51.100.10", "203.0.113.130", "class-home block");
        struct tally_attempt b = attempt("198.51.100.11", "203.0.113.130", "class-home block");
        int64_t now = start;
        (void)state;
        for (int64_t wait = TALLY_SOON; wait <= TALLY_SOON * 16; wait *= 2) {
                assert_true(tally_add(t, &a, now));
                taken(t, false, now + wait - 1, "");
                taken(t, false, now += wait, "198.51.100.10 block 1; ");
        }
        assert_true(tally_add(t, &a, now));
        taken(t, false, now + MINUTE, "");
        taken(t, true, now, "198.51.100.10 block 1; ");
        tally_roll(t);
        assert_true(tally_add(t, &a, now) && tally_add(t, &b, now));
        taken(t, false, now + TALLY_SOON, "198.51.100.11 block 1; ");
        taken(t, false, now - DAY, "");
        assert_true(tally_add(t, &b, now + DAY));
        taken(t, false, now, "198.51.100.11 block 1; "); /* the clock was set back by a day */
        tally_free(t);
}

static void test_many_addresses_of_one_64_are_summed_on_it(void **state)
{
        struct tally *t = tally_new(key);
        struct tally_attempt a = attempt("2001:db8:100:1000::", "2001:db8:ffff::130", "class-home block");
        struct tally_attempt other = attempt("2001:db8:100:1001::1", "2001:db8:ffff::130", "class-home block");
        (void)state;
        for (unsigned i = 0; i < 100000; i++) {
                memcpy(a.source.b + 10, &i, sizeof i);
                assert_true(tally_add(t, &a, start));
        }
        assert_true(tally_add(t, &other, start));
        assert_int_equal(tally_sources(t), TALLY_HOSTS_MOST + 2);
        autobuf got;
        buf_init(&got, 1 << 20);
        tally_take(t, true, start, note, &got);
        assert_non_null(strstr(buf_cstr(&got), "2001:db8:100:1000::/64 block 99936; 2001:db8:100:1001::1 block 1; "));
        tally_free(t);
}

static bool stop_at_once(void *arg, const struct tally_row *row)
{
        (void)arg;
        (void)row;
        return false;
}

static void test_full(void **state)
{
        struct tally *t = tally_new(key);
        struct tally_attempt a = attempt("198.18.0.0", "203.0.113.130", "class-home block");
        (void)state;
        for (unsigned i = 0; i < TALLY_SOURCES_MOST; i++) {
                a.source.b[14] = (uint8_t)(i >> 8);
                a.source.b[15] = (uint8_t)i;
                assert_true(tally_add(t, &a, start));
        }
        a.source.b[13] = 19;
        assert_false(tally_add(t, &a, start));
        a.source.b[13] = 18;
        assert_true(tally_add(t, &a, start)); /* who is in it goes on */
        tally_take(t, true, start, stop_at_once, NULL);
        assert_true(tally_pending(t));
        tally_clear(t);
        a.source.b[13] = 19;
        assert_true(tally_add(t, &a, start));
        taken(t, true, start, "198.19.255.255 block 1; ");
        tally_free(t);
}

static bool put(void *arg, const struct tally_row *row)
{
        return outbox_put(arg, row);
}

static void test_outbox_is_first_in_first_out_and_bounded(void **state)
{
        struct outbox o = { 0 };
        struct tally *t = tally_new(key);
        struct tally_attempt a = attempt("198.51.100.10", "203.0.113.130", "server divert");
        autofree struct sighting *batch = xcalloc(OUTBOX_BATCH, sizeof *batch);
        size_t n = 0;
        (void)state;
        for (; n < OUTBOX_MOST + 10; n++) {
                for (size_t k = 0; k <= n % 3; k++)
                        assert_true(tally_add(t, &a, start));
                tally_take(t, true, start, put, &o);
                if (tally_pending(t))
                        break;
        }
        assert_int_equal(n, OUTBOX_MOST);
        assert_int_equal(outbox_drop(&o, 1), 1);
        assert_int_equal(outbox_batch(&o, batch), OUTBOX_BATCH);
        assert_int_equal(batch[0].count, 2);
        assert_int_equal(batch[1].count, 3);
        assert_int_equal(batch[0].at, start);
        assert_int_equal(batch[0].seconds, 0);
        assert_true(slice_eq(batch[0].source, S("kernel")) && slice_eq(batch[0].strategy, S("divert")) &&
                    slice_eq(batch[0].detail, S("server")));
        assert_int_equal(sketch_estimate(batch[0].hosts), 1);
        outbox_drop(&o, o.n - 5);
        assert_int_equal(outbox_batch(&o, batch), 5);
        outbox_done(&o);
        tally_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_labels),
                cmocka_unit_test(test_sums_by_source_and_strategy),
                cmocka_unit_test(test_a_row_stands_at_its_first_attempt),
                cmocka_unit_test(test_when_rows_are_due),
                cmocka_unit_test(test_many_addresses_of_one_64_are_summed_on_it),
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_outbox_is_first_in_first_out_and_bounded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
