/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/line.h"
#include "ledger/test_support.h"

static size_t holders(struct a_ledger *t, const char *address, int64_t at, struct lease **ret)
{
        struct addr a;
        size_t n;
        assert_true(addr_parse(slice_of(address), &a));
        assert_int_equal(ledger_holders(t->reader, t->arena, &a, at, ret, &n), 0);
        return n;
}

static void assert_holder(struct a_ledger *t, const char *address, int64_t at, const char *want)
{
        struct lease *l;
        size_t n = holders(t, address, at, &l);
        if (n != (*want ? 1u : 0u))
                print_error("%s at %lld: %zu holders, want %s\n", address, (long long)at, n, *want ? want : "nobody");
        assert_int_equal(n, *want ? 1 : 0);
        if (n)
                assert_slice(l->subscriber, want);
}

static void intervals_are_half_open(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "1", 1000, 2000));
        assert_holder(t, "198.51.100.7", 999, "");
        assert_holder(t, "198.51.100.7", 1000, "1");
        assert_holder(t, "198.51.100.7", 1999, "1");
        assert_holder(t, "198.51.100.7", 2000, "");
        assert_holder(t, "198.51.100.8", 1500, "");
}

static void longest_prefix_comes_first(void **state)
{
        struct a_ledger *t = *state;
        struct lease *l;
        assert_yes(t, subscribe(t, "wide", NULL));
        assert_yes(t, subscribe(t, "narrow", NULL));
        assert_yes(t, lease(t, "2001:db8:100::/48", "wide", 0, TIME_NEVER));
        assert_yes(t, lease(t, "2001:db8:100:5::/64", "narrow", 0, TIME_NEVER));
        assert_int_equal(holders(t, "2001:db8:100:5::1", 10, &l), 2);
        assert_slice(l[0].subscriber, "narrow");
        assert_slice(l[1].subscriber, "wide");
        assert_holder(t, "2001:db8:100:6::1", 10, "wide");
        assert_holder(t, "::ffff:198.51.100.7", 10, "");
}

static void a_new_holder_ends_the_former(void **state)
{
        struct a_ledger *t = *state;
        struct lease *l;
        size_t n;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, TIME_NEVER));
        assert_yes(t, lease(t, "198.51.100.7", "b", 5000, TIME_NEVER));
        assert_holder(t, "198.51.100.7", 4999, "a");
        assert_holder(t, "198.51.100.7", 5000, "b");
        assert_int_equal(ledger_leases_of(t->reader, t->arena, S("a"), 1000, &l, &n), 0);
        assert_slice(l[0].why_ended, "replaced");
        /* told late: it ended when the next one began */
        assert_yes(t, subscribe(t, "c", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "c", 4000, TIME_NEVER));
        assert_int_equal(holders(t, "198.51.100.7", 6000, &l), 1);
        assert_slice(l[0].subscriber, "b");
        assert_int_equal(holders(t, "198.51.100.7", 4500, &l), 2);
}

/* A DHCP lease that was given up early: nobody said so, and the address is another's before its time is over. */
static void leases_with_an_end_do_not_overlap(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, 9000));
        assert_yes(t, lease(t, "198.51.100.7", "b", 5000, 8000));
        assert_holder(t, "198.51.100.7", 4999, "a");
        assert_holder(t, "198.51.100.7", 5000, "b");
        assert_holder(t, "198.51.100.7", 8000, "");
        assert_yes(t, lease(t, "198.51.100.8", "a", 1000, TIME_NEVER));
        assert_yes(t, lease(t, "198.51.100.8", "b", 5000, 8000));
        assert_holder(t, "198.51.100.8", 5000, "b");
        assert_holder(t, "198.51.100.8", 8000, "");
        assert_yes(t, lease(t, "198.51.100.8", "a", 8000, 9000));
        assert_yes(t, lease(t, "198.51.100.8", "b", 8000, 8500)); /* two at one instant: the last word */
        assert_holder(t, "198.51.100.8", 8000, "b");
}

static void static_leases_with_an_end_do_not_overlap(void **state)
{
        struct a_ledger *t = *state;
        struct lease a = { .prefix = prefix_at("203.0.113.8"),
                           .start = 1000,
                           .end = 3000,
                           .line = { S("user"), S("a") },
                           .source = S("static") };
        struct lease b = a;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        b.line.value = S("b");
        b.start = 2999;
        b.end = 4000;
        assert_yes(t, client_lease_add(t->client, &a));
        assert_no(t, client_lease_add(t->client, &b), "subscriber a's");
        b.start = 3000;
        assert_yes(t, client_lease_add(t->client, &b));
        b.start = 500;
        b.end = TIME_NEVER;
        assert_no(t, client_lease_add(t->client, &b), "subscriber a's");
}

static void one_event_told_twice_is_one_lease(void **state)
{
        struct a_ledger *t = *state;
        struct lease *l;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, TIME_NEVER));
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, TIME_NEVER));
        assert_int_equal(holders(t, "198.51.100.7", 1000, &l), 1);
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, 3000)); /* its stop */
        assert_holder(t, "198.51.100.7", 2999, "a");
        assert_holder(t, "198.51.100.7", 3000, "");
}

static void a_line_that_gets_its_subscriber_later(void **state)
{
        struct a_ledger *t = *state;
        struct lease *l;
        struct change *changes;
        size_t n;
        assert_yes(t, lease(t, "198.51.100.7", "late", 1000, TIME_NEVER));
        assert_int_equal(ledger_changes(t->reader, t->arena, 0, &changes, &n), 0);
        assert_slice(changes[n - 1].kind, "address");
        assert_slice(changes[n - 1].key, "198.51.100.7");
        assert_int_equal(holders(t, "198.51.100.7", 1500, &l), 1);
        assert_slice(l[0].subscriber, "");
        assert_yes(t, subscribe(t, "late", NULL));
        assert_holder(t, "198.51.100.7", 1500, "late");
        /* and the next one has it only from then on */
        assert_yes(t, client_subscriber_remove(t->client, S("late"), S("")));
        assert_yes(t, subscribe(t, "late", NULL));
        assert_holder(t, "198.51.100.7", 1500, "late");
        struct lease *mine;
        assert_int_equal(ledger_lease_list(t->reader, t->arena, S("late"), 0, 10, &mine, &n), 0);
        assert_int_equal(n, 1);
}

static void ending_a_lease(void **state)
{
        struct a_ledger *t = *state;
        struct line user = { S("user"), S("a") }, nobody = { S("user"), S("x") };
        struct prefix p = prefix_at("198.51.100.7");
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, lease(t, "198.51.100.7", "a", 1000, TIME_NEVER));
        assert_no(t, client_lease_end(t->client, &p, &nobody, 2000, S("")), "holds no open lease");
        assert_yes(t, client_lease_end(t->client, &p, &user, 2000, S("stop")));
        assert_holder(t, "198.51.100.7", 2000, "");
        assert_no(t, client_lease_end(t->client, &p, &user, 3000, S("")), "holds no open lease");
}

static void wrong_leases_are_refused(void **state)
{
        struct a_ledger *t = *state;
        const struct lease good = { .prefix = prefix_at("198.51.100.7"),
                                    .start = 10,
                                    .end = 20,
                                    .line = { S("user"), S("a") },
                                    .source = S("dhcp") };
        struct lease rows[5];
        const char *const want[] = { "after it starts", "source", "range", "KIND", "tcp or udp" };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                rows[i] = good;
        rows[0].end = 10;
        rows[1].source = S("");
        rows[2].port_low = 9;
        rows[2].port_high = 8;
        rows[3].line.kind = S("login");
        rows[4].port_low = rows[4].port_high = 5;
        rows[4].proto = S("sctp");
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_no(t, client_lease_add(t->client, &rows[i]), want[i]);
}

static void port_blocks_share_an_address(void **state)
{
        struct a_ledger *t = *state;
        struct lease a = { .prefix = prefix_at("203.0.113.128"),
                           .port_low = 1024,
                           .port_high = 1535,
                           .start = 1000,
                           .end = TIME_NEVER,
                           .line = { S("user"), S("a") },
                           .source = S("static") };
        struct lease b = a, overlapping = a;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        b.line.value = overlapping.line.value = S("b");
        b.port_low = 1536;
        b.port_high = 2047;
        overlapping.port_high = 1600;
        assert_yes(t, client_lease_add(t->client, &a));
        assert_no(t, client_lease_add(t->client, &overlapping), "subscriber a's");
        assert_yes(t, client_lease_add(t->client, &b));
        struct lease *l;
        assert_int_equal(holders(t, "203.0.113.128", 2000, &l), 2);
}

static void holders_between_two_instants(void **state)
{
        struct a_ledger *t = *state;
        struct lease block = { .prefix = prefix_at("203.0.113.128"),
                               .port_low = 1024,
                               .port_high = 1535,
                               .proto = S("tcp"),
                               .start = 1000,
                               .end = 3000,
                               .line = { S("user"), S("a") },
                               .source = S("cgnat") };
        static const struct {
                uint16_t port;
                const char *proto;
                int64_t from, until;
                size_t want;
        } rows[] = {
                { 0, "", 0, 9999, 2 },          { 1024, "tcp", 1000, 1001, 1 }, { 1023, "", 0, 9999, 0 },
                { 1536, "", 0, 9999, 1 },       { 1024, "udp", 0, 9999, 0 },    { 0, "", 0, 1000, 0 },
                { 0, "", 3000, 9999, 1 },       { 0, "", 2999, 3000, 1 },       { 0, "", 0, 1001, 1 },
                { 1600, "tcp", 5000, 6000, 1 }, { 1600, "tcp", 6000, 7000, 0 },
        };
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, client_lease_add(t->client, &block));
        block.port_low = 1536;
        block.port_high = 2047;
        block.start = 4000;
        block.end = 6000;
        assert_yes(t, client_lease_add(t->client, &block));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct lease *l;
                size_t n;
                struct addr a;
                assert_true(addr_parse(S("203.0.113.128"), &a));
                assert_int_equal(ledger_holders_between(t->reader, t->arena, &a, rows[i].port, slice_of(rows[i].proto),
                                                        rows[i].from, rows[i].until, &l, &n),
                                 0);
                if (n != rows[i].want)
                        fail_msg("row %zu: %zu holders, want %zu", i, n, rows[i].want);
                for (size_t k = 0; k < n; k++)
                        assert_slice(l[k].subscriber, "a");
        }
}

static void lines_have_one_form(void **state)
{
        (void)state;
        autoarena *a = arena_new(1 << 20);
        static const struct {
                const char *text, *want; /* want NULL: wrong */
        } rows[] = {
                { "mac:00-11-22-AA-BB-CC", "mac:00:11:22:aa:bb:cc" },
                { "mac:001122aabbcc", "mac:00:11:22:aa:bb:cc" },
                { "mac:0011.22aa.bbcc", "mac:00:11:22:aa:bb:cc" },
                { "mac:001122aabbcc0", NULL },
                { "mac:001122aabbcg", NULL },
                { "inside:100.64.0.5", "inside:100.64.0.5" },
                { "inside:::ffff:100.64.0.5", "inside:100.64.0.5" },
                { "inside:2001:DB8:0::1", "inside:2001:db8::1" },
                { "inside:100.64.0.0/24", NULL },
                { "inside:somebody", NULL },
                { "duid:00:01:00:01", "duid:00:01:00:01" },
                { "duid:00010001AABB", "duid:00:01:00:01:aa:bb" },
                { "duid:000", NULL },
                { "user:Alice@example.net", "user:Alice@example.net" },
                { "circuit:OLT1 xpon 0/1/0/3:5.1", "circuit:OLT1 xpon 0/1/0/3:5.1" },
                { "user:", NULL },
                { "user: a", NULL },
                { "user:a\tb", NULL },
                { "user", NULL },
                { "", NULL },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct line line;
                autobuf text;
                buf_init(&text, 1024);
                const char *wrong = line_parse(slice_of(rows[i].text), a, &line);
                if (!wrong)
                        line_print(&line, &text);
                if (!wrong != (rows[i].want != NULL) || (rows[i].want && strcmp(buf_cstr(&text), rows[i].want) != 0))
                        fail_msg("%s: got %s, want %s", rows[i].text, wrong ? wrong : buf_cstr(&text), rows[i].want);
        }
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(intervals_are_half_open),
                A_TEST(longest_prefix_comes_first),
                A_TEST(a_new_holder_ends_the_former),
                A_TEST(leases_with_an_end_do_not_overlap),
                A_TEST(static_leases_with_an_end_do_not_overlap),
                A_TEST(one_event_told_twice_is_one_lease),
                A_TEST(a_line_that_gets_its_subscriber_later),
                A_TEST(ending_a_lease),
                A_TEST(wrong_leases_are_refused),
                A_TEST(port_blocks_share_an_address),
                A_TEST(holders_between_two_instants),
                cmocka_unit_test(lines_have_one_form),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
