/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/cgnat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEAD                                                                                                           \
        "network \"Example\" { timezone UTC }\nclass home { port25 open }\npool a { class home prefix 100.64.0.0/10 "  \
        "}\n"

static struct policy *parse(const char *text)
{
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("test.conf"), .text = slice_of(text) };
        struct policy *p = policy_parse(&in, d);
        if (!p) {
                autobuf said;
                buf_init(&said, 1 << 20);
                diags_print(d, &said);
                fail_msg("%s", buf_cstr(&said));
        }
        return p;
}

static struct addr at(const char *text)
{
        struct addr a;
        if (!addr_parse(slice_of(text), &a))
                panic("%s is no address", text);
        return a;
}

static int64_t when(const char *text)
{
        int64_t t;
        if (time_parse(slice_of(text), TIME_FIRST_INSTANT, &t))
                panic("%s is no time", text);
        return t;
}

static const struct cgnat_version *only(const struct cgnat *c, enum cgnat_side side, const char *address, int64_t t)
{
        size_t i = 0;
        struct addr a = at(address);
        const struct cgnat_version *v = cgnat_next(c, side, &a, t, t, &i);
        if (v)
                assert_null(cgnat_next(c, side, &a, t, t, &i));
        return v;
}

#define expect_addr(a, want)                                                                                           \
        do {                                                                                                           \
                char text_[ADDR_TEXT_MAX];                                                                             \
                assert_string_equal(addr_print(&(a), text_), want);                                                    \
        } while (0)

/* Worked by hand from the formula in cgnat.h: 126 blocks of 512 in 1024-65535, two inside prefixes and two outside ones. */
static void rows_worked_by_hand(void **state)
{
        (void)state;
        static const struct {
                const char *inside, *outside;
                uint16_t low, high;
        } rows[] = {
                { "100.64.0.0", "203.0.113.9", 1024, 1535 }, /* the network address counts */
                { "100.64.0.1", "203.0.113.9", 1536, 2047 },
                { "100.64.0.125", "203.0.113.9", 65024, 65535 }, /* the last block: 1024 + 125 * 512 */
                { "100.64.0.126", "203.0.113.4", 1024, 1535 },   /* the next address is the next one written */
                { "100.64.0.255", "203.0.113.5", 2560, 3071 },   /* 255 = 2 * 126 + 3; broadcast counts, too */
                { "100.70.0.0", "203.0.113.5", 3072, 3583 },     /* 256: the second inside prefix goes on */
        };
        autopolicy *p =
            parse(HEAD "cgnat n { inside 100.64.0.0/24, 100.70.0.0/30 outside 203.0.113.9, 203.0.113.4/31 }\n");
        autocgnat *c = cgnat_new(p);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct addr inside = at(rows[i].inside), outside = at(rows[i].outside);
                const struct cgnat_version *v = only(c, CGNAT_INSIDE, rows[i].inside, when("2026-01-01"));
                struct cgnat_share s;
                assert_non_null(v);
                assert_ptr_equal(v, only(c, CGNAT_OUTSIDE, rows[i].outside, when("2026-01-01")));
                assert_true(cgnat_outward(v, &inside, &s));
                expect_addr(s.outside, rows[i].outside);
                assert_int_equal(s.port_low, rows[i].low);
                assert_int_equal(s.port_high, rows[i].high);
                assert_true(cgnat_inward(v, &outside, rows[i].high, &s));
                expect_addr(s.inside, rows[i].inside);
                assert_int_equal(s.port_low, rows[i].low);
        }
}

static void what_nobody_has(void **state)
{
        (void)state;
        /* 1000 ports in blocks of 300: three, and 100 ports at the end are nobody's; 2 * 3 blocks for 8 addresses */
        autopolicy *p = parse(HEAD "cgnat n { inside 100.64.0.0/29 outside 203.0.113.0/31 ports 2000-2999 block 300 }\n"
                                   "cgnat few { inside 100.65.0.0/31 outside 203.0.113.2/31 block 60000 }\n"
                                   "cgnat log { inside 100.66.0.0/31 outside 203.0.113.4/31 mapping logged }\n");
        autocgnat *c = cgnat_new(p);
        struct cgnat_share s;
        struct addr a = at("203.0.113.1"), b = at("203.0.113.3"), first = at("203.0.113.2"), six = at("100.64.0.6");
        const struct cgnat_version *n = only(c, CGNAT_OUTSIDE, "203.0.113.1", 0);
        const struct cgnat_version *few = only(c, CGNAT_OUTSIDE, "203.0.113.3", 0);
        const struct cgnat_version *logged = only(c, CGNAT_OUTSIDE, "203.0.113.4", 0);
        assert_false(cgnat_inward(n, &a, 1999, &s));
        assert_true(cgnat_inward(n, &a, 2000, &s));
        assert_true(cgnat_inward(n, &a, 2899, &s));
        assert_int_equal(s.port_high, 2899);
        assert_false(cgnat_inward(n, &a, 2900, &s));
        assert_false(cgnat_inward(n, &a, 0, &s));
        assert_false(cgnat_inward(n, &a, 65535, &s));
        assert_false(cgnat_outward(n, &six, &s));
        assert_int_equal(cgnat_sharers(n, &a), 3);
        assert_true(cgnat_inward(few, &b, 1024, &s)); /* the second inside address */
        expect_addr(s.inside, "100.65.0.1");
        assert_int_equal(cgnat_sharers(few, &first), 1);
        a = at("203.0.113.4");
        assert_false(cgnat_inward(logged, &a, 1024, &s));
        assert_int_equal(cgnat_sharers(logged, &a), 0);
        a = at("100.66.0.0");
        assert_false(cgnat_outward(logged, &a, &s));
        assert_null(only(c, CGNAT_OUTSIDE, "203.0.113.6", 0));
        assert_null(only(c, CGNAT_INSIDE, "203.0.113.1", 0));
        assert_null(only(c, CGNAT_INSIDE, "::", 0));
}

static void versions_follow_each_other(void **state)
{
        (void)state;
        autopolicy *p =
            parse(HEAD "cgnat n { from 2026-03-01 inside 100.64.0.0/24 outside 203.0.113.0/30 block 1024 }\n"
                       "cgnat n { from 2026-01-01 inside 100.64.0.0/25 outside 203.0.113.0/31 }\n"
                       "cgnat m { from 2026-02-01 inside 100.65.0.0/25 outside 203.0.113.8/31 }\n");
        autocgnat *c = cgnat_new(p);
        int64_t change = when("2026-03-01");
        struct addr a = at("203.0.113.1");
        size_t i = 0;
        struct slice realm;
        assert_null(only(c, CGNAT_OUTSIDE, "203.0.113.1", when("2026-01-01") - 1));
        assert_int_equal(cgnat_block(only(c, CGNAT_OUTSIDE, "203.0.113.1", when("2026-01-01")))->block, 512);
        assert_int_equal(cgnat_block(only(c, CGNAT_OUTSIDE, "203.0.113.1", change - 1))->block, 512);
        assert_int_equal(cgnat_block(only(c, CGNAT_OUTSIDE, "203.0.113.1", change))->block, 1024);
        assert_int_equal(cgnat_until(only(c, CGNAT_OUTSIDE, "203.0.113.1", change - 1)), change);
        assert_null(only(c, CGNAT_OUTSIDE, "203.0.113.3", change - 1)); /* only the later version has it */
        const struct cgnat_version *old = cgnat_next(c, CGNAT_OUTSIDE, &a, change - SECOND, change, &i);
        const struct cgnat_version *new = cgnat_next(c, CGNAT_OUTSIDE, &a, change - SECOND, change, &i);
        assert_true(old && new &&old != new);
        assert_null(cgnat_next(c, CGNAT_OUTSIDE, &a, change - SECOND, change, &i));
        a = at("100.65.0.3");
        assert_true(cgnat_realm(c, &a, &realm) && slice_eq(realm, S("m")));
        a = at("100.66.0.3");
        assert_false(cgnat_realm(c, &a, &realm));
}

static void ipv6_counts_past_64_bits(void **state)
{
        (void)state;
        autopolicy *p =
            parse(HEAD "cgnat six { inside 2001:db8:1::/48, 2001:db8:2::/64 outside 2001:db8:a::/48 block 64512 }\n"
                       "cgnat all { inside 8000::/1 outside 203.0.113.0/24 }\n");
        autocgnat *c = cgnat_new(p);
        struct cgnat_share s;
        struct addr inside = at("2001:db8:1:ffff:ffff:ffff:ffff:ffff"), outside;
        const struct cgnat_version *v = only(c, CGNAT_INSIDE, "2001:db8:1::1", 0);
        assert_true(cgnat_outward(v, &inside, &s));
        expect_addr(s.outside, "2001:db8:a:ffff:ffff:ffff:ffff:ffff");
        outside = s.outside;
        assert_true(cgnat_inward(v, &outside, 1024, &s));
        assert_true(addr_cmp(&s.inside, &inside) == 0);
        inside = at("2001:db8:2::"); /* one past the last block */
        assert_false(cgnat_outward(v, &inside, &s));
        v = only(c, CGNAT_INSIDE, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0);
        inside = at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_non_null(v);
        assert_false(cgnat_outward(v, &inside, &s));
}

/* --- against a slow reading of the formula --- */

static uint32_t seed = 1;

static uint32_t pick(uint32_t below)
{
        seed = seed * 1664525 + 1013904223;
        return (uint32_t)(((uint64_t)seed * below) >> 32);
}

enum { HOSTS_MOST = 512, PREFIXES_MOST = 4 };

/* Prefixes of a side that never overlap, in any order, and all their addresses in the order of the prefixes. */
struct listed {
        struct prefix prefixes[PREFIXES_MOST];
        size_t n_prefixes, n;
        struct addr all[HOSTS_MOST];
};

static void list_side(struct listed *l, uint8_t second)
{
        unsigned order = pick(PREFIXES_MOST);
        *l = (struct listed){ .n_prefixes = 1 + pick(PREFIXES_MOST) };
        for (size_t i = 0; i < l->n_prefixes; i++) {
                struct addr a = { { [10] = 0xff, 0xff, 100, second, (uint8_t)(16 * ((i * 3 + order) % 5)), 0 } };
                l->prefixes[i] = prefix_of(a, 122 + pick(7));
                for (uint32_t k = 0; k < 1u << (128 - l->prefixes[i].len); k++, l->n++) {
                        l->all[l->n] = l->prefixes[i].addr;
                        l->all[l->n].b[15] = (uint8_t)k;
                }
        }
}

static void check_ports(const struct cgnat_version *v, const struct policy_cgnat *b, const struct listed *in,
                        const struct listed *out)
{
        size_t per = (1u + b->port_high - b->port_low) / b->block;
        for (int tries = 0; tries < 2000; tries++) {
                size_t o = pick((uint32_t)out->n), port = pick(65536);
                size_t block = (port - b->port_low) / b->block, number = o * per + block;
                bool has = port >= b->port_low && block < per && number < in->n;
                struct cgnat_share s, back;
                assert_int_equal(cgnat_inward(v, &out->all[o], (uint16_t)port, &s), has);
                if (!has)
                        continue;
                assert_true(addr_cmp(&s.inside, &in->all[number]) == 0);
                assert_true(s.port_low <= port && port <= s.port_high && s.port_high - s.port_low + 1u == b->block);
                assert_true(cgnat_outward(v, &s.inside, &back));
                assert_memory_equal(&s, &back, sizeof s);
                back = cgnat_sharer(v, &out->all[o], block);
                assert_memory_equal(&s, &back, sizeof s);
        }
}

static void every_host_and_port_agrees_with_a_slow_reading(void **state)
{
        (void)state;
        for (int round = 0; round < 200; round++) {
                struct listed in, out;
                list_side(&in, 64);
                list_side(&out, 65);
                uint16_t low = (uint16_t)(1 + pick(30000));
                struct policy_cgnat b = { .name = S("n"),
                                          .inside = in.prefixes,
                                          .outside = out.prefixes,
                                          .n_inside = in.n_prefixes,
                                          .n_outside = out.n_prefixes,
                                          .port_low = low,
                                          .port_high = (uint16_t)(low + pick(65536u - low)) };
                b.block = 1 + pick(1u + b.port_high - b.port_low);
                struct policy p = { .cgnats = &b, .n_cgnats = 1 };
                autocgnat *c = cgnat_new(&p);
                size_t i = 0, seen = 0, per = (1u + b.port_high - b.port_low) / b.block;
                const struct cgnat_version *v = cgnat_next(c, CGNAT_OUTSIDE, &out.all[0], 0, 0, &i);
                check_ports(v, &b, &in, &out);
                for (size_t o = 0; o < out.n; o++)
                        seen += cgnat_sharers(v, &out.all[o]);
                assert_int_equal(seen, in.n < out.n * per ? in.n : out.n * per); /* nobody twice, nobody left out */
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(rows_worked_by_hand), cmocka_unit_test(what_nobody_has),
                                            cmocka_unit_test(versions_follow_each_other),
                                            cmocka_unit_test(ipv6_counts_past_64_bits),
                                            cmocka_unit_test(every_host_and_port_agrees_with_a_slow_reading) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
