/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD "network \"n\" { timezone UTC }\n"

static struct policy *parse(const char *text)
{
        autodiags *d = diags_new();
        autofree char *whole = xasprintf("%s%s", HEAD, text);
        struct policy_input in = { .name = S("test.conf"), .text = slice_of(whole) };
        struct policy *p = policy_parse(&in, d);
        if (!p) {
                autobuf why;
                buf_init(&why, 1 << 20);
                diags_print(d, &why);
                fail_msg("%s", buf_cstr(&why));
        }
        return p;
}

static int64_t instant(const char *text)
{
        int64_t at;
        assert_int_equal(time_parse(slice_of(text), TIME_FIRST_INSTANT, &at), TIME_OK);
        return at;
}

static void print_segments(const struct plan *p, struct buf *out)
{
        char first[ADDR_TEXT_MAX], last[ADDR_TEXT_MAX];
        for (int f = 0; f < FAMILIES; f++)
                for (size_t i = 0; i < p->n_segments[f]; i++) {
                        const struct plan_segment *s = &p->segments[f][i];
                        const struct plan_outcome *o = &p->outcomes[s->outcome];
                        buf_addf(out, "%s-%s %.*s %s\n", addr_print(&s->first, first), addr_print(&s->last, last),
                                 SLICE_ARGS(p->policy->classes[o->class].name), strategy_name(o->strategy));
                }
}

static const struct {
        const char *name, *policy, *at, *want;
} segments[] = {
        { "neighbours with one outcome are one interval",
          "class home { port25 block }\npool a { class home prefix 198.51.100.0/25, 198.51.100.128/25 }\npool b { "
          "class home prefix 198.51.101.0/24 }\n",
          "2027-01-01", "198.51.100.0-198.51.101.255 home block\n" },
        { "a wave's prefix cuts the pool on both sides",
          "class home { port25 open }\npool a { class home prefix 198.51.100.0/24 }\n"
          "wave w { from 2026-01-01 pool a prefix 198.51.100.64/26 port25 block }\n",
          "2027-01-01",
          "198.51.100.0-198.51.100.63 home open\n198.51.100.64-198.51.100.127 home "
          "block\n198.51.100.128-198.51.100.255 home open\n" },
        { "a wave that has not begun cuts nothing",
          "class home { port25 open }\npool a { class home prefix 198.51.100.0/24 }\n"
          "wave w { from 2027-01-02 pool a prefix 198.51.100.64/26 port25 block }\n",
          "2027-01-01", "198.51.100.0-198.51.100.255 home open\n" },
        { "a hole at the very end of the pool",
          "class home { port25 open }\npool a { class home prefix 198.51.100.0/24 }\n"
          "wave w { from 2026-01-01 prefix 198.51.100.255/32 port25 trap }\n",
          "2027-01-01", "198.51.100.0-198.51.100.254 home open\n198.51.100.255-198.51.100.255 home trap\n" },
        { "both families, the last address of all among them",
          "class home { port25 block }\npool a { class home prefix 255.255.255.0/24, ffff::/16 }\n", "2027-01-01",
          "255.255.255.0-255.255.255.255 home block\nffff::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff home block\n" },
        { "two classes side by side stay two",
          "class home { port25 block }\nclass firm { port25 observe }\npool a { class home prefix 198.51.100.0/25 }\n"
          "pool b { class firm prefix 198.51.100.128/25 }\n",
          "2027-01-01", "198.51.100.0-198.51.100.127 home block\n198.51.100.128-198.51.100.255 firm observe\n" },
};

static void test_segments(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(segments); i++) {
                autopolicy *policy = parse(segments[i].policy);
                struct plan_input in = { .policy = policy, .at = instant(segments[i].at) };
                autoplan *plan = plan_new(&in);
                autobuf got;
                buf_init(&got, 1 << 20);
                print_segments(plan, &got);
                if (strcmp(buf_cstr(&got), segments[i].want) != 0)
                        fail_msg("%s: got\n%swant\n%s", segments[i].name, buf_cstr(&got), segments[i].want);
        }
}

static void test_lengths_keep_the_longest_six(void **state)
{
        (void)state;
        struct plan_lengths l = { 0 };
        for (unsigned len = 100; len <= 128; len += 4) {
                struct prefix p = { .len = (uint8_t)len };
                p.addr.b[10] = p.addr.b[11] = 0xff;
                plan_lengths_add(&l, &p);
        }
        assert_int_equal(l.n[FAMILY4], GATE_LENGTHS);
        assert_int_equal(l.v[FAMILY4][0], 128);
        assert_int_equal(l.v[FAMILY4][GATE_LENGTHS - 1], 108);
        assert_true(l.shorter[FAMILY4]);
        assert_false(l.shorter[FAMILY6]);
}

static void test_same_input_same_text(void **state)
{
        (void)state;
        autopolicy *policy =
            parse("server mx { address 203.0.113.25 customers divert }\nclass home { port25 trap }\n"
                  "pool a { class home prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 interface vlan120 }\n");
        struct buf text[2];
        for (int i = 0; i < 2; i++) {
                struct plan_input in = { .policy = policy, .at = instant("2027-01-01") };
                autoplan *plan = plan_new(&in);
                struct nft_slot slot = { .plan = plan, .letter = 'a', .hash = nft_hash(plan) };
                buf_init(&text[i], NFT_TEXT_MOST);
                nft_table(&slot, &text[i]);
        }
        assert_string_equal(buf_cstr(&text[0]), buf_cstr(&text[1]));
        buf_done(&text[0]);
        buf_done(&text[1]);
}

static void test_marks_stay_inside_the_mask(void **state)
{
        (void)state;
        static const struct policy_gate gates[] = { { .mark = 0x2500, .mask = 0xff00 },
                                                    { .mark = 0, .mask = 3 },
                                                    { .mark = 0xc0000000, .mask = 0xc0000000 } };
        for (size_t i = 0; i < COUNT_OF(gates); i++) {
                uint32_t all[] = { mark_edge(&gates[i]), mark_shift(&gates[i]), mark_trap(&gates[i]) };
                for (size_t k = 0; k < 3; k++) {
                        assert_int_equal(all[k] & ~gates[i].mask, 0);
                        assert_int_not_equal(all[k], all[(k + 1) % 3]);
                }
        }
}

static void test_the_marker_can_be_read_back(void **state)
{
        (void)state;
        struct nft_slot slot = { .generation = 42, .hash = 0x5f3a00000000beef, .letter = 'b' };
        autobuf name;
        int64_t n;
        uint64_t hash;
        char letter;
        buf_init(&name, 256);
        nft_marker(&slot, &name);
        assert_true(nft_marker_parse(buf_slice(&name), &n, &hash, &letter));
        assert_int_equal(n, 42);
        assert_true(hash == slot.hash);
        assert_int_equal(letter, 'b');
        assert_false(nft_marker_parse(S("generation_x_5f3a00000000beef_b"), &n, &hash, &letter));
        assert_false(nft_marker_parse(S("generation_1_5f3a_b"), &n, &hash, &letter));
        assert_false(nft_marker_parse(S("generation_1"), &n, &hash, &letter));
}

/* --- people --------------------------------------------------------------------------------------------------------------------- */

static struct lease lease_of(const char *prefix)
{
        struct lease l = { .start = 0, .end = TIME_NEVER, .source = S("static") };
        assert_int_equal(prefix_parse(slice_of(prefix), &l.prefix), PREFIX_OK);
        return l;
}

static void test_a_person_is_all_his_prefixes_in_both_families(void **state)
{
        (void)state;
        autopolicy *policy = parse("class home { port25 block }\npool a { class home prefix 198.51.100.0/24 }\n");
        struct lease leases[] = { lease_of("198.51.100.7"), lease_of("2001:db8:100:700::/56"),
                                  lease_of("2001:db8:1::7") };
        struct person person = {
                .id = S("7"), .port25 = STRATEGY_NONE, .quarantine = LEVEL_SUBMISSION, .leases = leases, .n_leases = 3
        };
        struct entry entries[PERSON_ENTRIES];
        size_t shared = 0;
        assert_int_equal(person_entries(policy, &person, 1, entries, &shared), 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(entries[i].kinds, 1 << KIND_PEOPLE | 1 << KIND_MAIL | 1 << KIND_SUBMISSION);
}

static void test_a_shared_address_is_never_put_in_the_kernel(void **state)
{
        (void)state;
        autopolicy *policy = parse("class home { port25 block }\npool a { class home prefix 198.51.100.0/24 }\n");
        struct lease lease = lease_of("203.0.113.129");
        struct person person = {
                .id = S("7"), .port25 = STRATEGY_NONE, .quarantine = LEVEL_MAIL, .leases = &lease, .n_leases = 1
        };
        struct entry entries[PERSON_ENTRIES];
        size_t shared = 0;
        lease.port_low = 1024;
        lease.port_high = 1535;
        assert_int_equal(person_entries(policy, &person, 1, entries, &shared), 0);
        assert_int_equal(shared, 1);
}

static void test_a_lease_that_is_over_is_nobodys(void **state)
{
        (void)state;
        autopolicy *policy = parse("class home { port25 block }\npool a { class home prefix 198.51.100.0/24 }\n");
        struct lease lease = lease_of("198.51.100.7");
        struct person person = {
                .id = S("7"), .port25 = STRATEGY_OPEN, .quarantine = LEVEL_NONE, .leases = &lease, .n_leases = 1
        };
        struct entry entries[PERSON_ENTRIES];
        size_t shared = 0;
        lease.end = 100;
        assert_int_equal(person_entries(policy, &person, 99, entries, &shared), 1);
        assert_int_equal(person_entries(policy, &person, 100, entries, &shared), 0);
}

static void test_two_people_on_one_prefix_are_counted(void **state)
{
        (void)state;
        struct crowd crowd = { 0 };
        struct deltas d = { 0 };
        struct lease lease = lease_of("198.51.100.7");
        struct entry e = { lease.prefix, 1 << KIND_PEOPLE | 1 << KIND_MAIL };
        crowd_set(&crowd, S("a"), &e, 1, TIME_NEVER, &d);
        assert_int_equal(d.n, 2);
        crowd_set(&crowd, S("b"), &e, 1, TIME_NEVER, &d);
        assert_int_equal(d.n, 2);
        crowd_set(&crowd, S("a"), NULL, 0, TIME_NEVER, &d);
        assert_int_equal(d.n, 2); /* b still holds it */
        crowd_set(&crowd, S("b"), NULL, 0, TIME_NEVER, &d);
        assert_int_equal(d.n, 4);
        assert_int_equal(crowd.counts[FAMILY4][KIND_MAIL], 0);
        assert_int_equal(crowd.claims.n, 0);
        free(d.v);
        crowd_done(&crowd);
}

static void test_bans_are_no_people(void **state)
{
        (void)state;
        struct crowd crowd = { 0 };
        struct deltas d = { 0 };
        struct plan_lengths lengths = { 0 };
        struct entry entry;
        struct prefix back;
        unsigned own = 0;
        autoarena *a = arena_new(1 << 20);
        autopolicy *policy = parse("class home { port25 block }\npool a { class home prefix 198.51.100.0/24 }\n");
        static const char *const texts[] = { "203.0.113.0/24", "203.0.113.9", "2001:db8:bad::/48" };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                struct ban ban = { .prefix = lease_of(texts[i]).prefix };
                struct slice id = ban_member(&ban.prefix, a);
                assert_true(ban_entry(policy, &ban, &entry));
                assert_true(ban_member_parse(id, &back) && prefix_cmp(&back, &ban.prefix) == 0);
                crowd_set(&crowd, id, &entry, 1, 100, &d);
        }
        assert_int_equal(d.n, 3);
        crowd_shape(&crowd, &lengths, &own);
        assert_int_equal(lengths.n[FAMILY4] + lengths.n[FAMILY6], 0);
        assert_int_equal(crowd_short_hash(&crowd, &lengths), 0);
        assert_int_equal(crowd_next_change(&crowd), 100);
        struct ban own_pool = { .prefix = lease_of("198.51.100.7").prefix };
        assert_false(ban_entry(policy, &own_pool, &entry));
        assert_false(ban_member_parse(S("ban 203.0.113.9"), &back));
        free(d.v);
        crowd_done(&crowd);
}

static void test_what_stays_never_leaves_the_kernel(void **state)
{
        (void)state;
        struct crowd crowd = { 0 };
        struct deltas d = { 0 };
        struct entry both[] = { { lease_of("198.51.100.7").prefix, 1 << KIND_PEOPLE | 1 << KIND_MAIL },
                                { lease_of("198.51.100.8").prefix, 1 << KIND_PEOPLE | 1 << KIND_MAIL } };
        crowd_set(&crowd, S("a"), both, 1, TIME_NEVER, &d);
        d.n = 0;
        crowd_set(&crowd, S("a"), both, 2, TIME_NEVER, &d);
        assert_int_equal(d.n, 2);
        for (size_t i = 0; i < d.n; i++) {
                assert_true(d.v[i].add);
                assert_int_equal(prefix_cmp(&d.v[i].prefix, &both[1].prefix), 0);
        }
        free(d.v);
        crowd_done(&crowd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_segments),
                cmocka_unit_test(test_lengths_keep_the_longest_six),
                cmocka_unit_test(test_same_input_same_text),
                cmocka_unit_test(test_marks_stay_inside_the_mask),
                cmocka_unit_test(test_the_marker_can_be_read_back),
                cmocka_unit_test(test_a_person_is_all_his_prefixes_in_both_families),
                cmocka_unit_test(test_a_shared_address_is_never_put_in_the_kernel),
                cmocka_unit_test(test_a_lease_that_is_over_is_nobodys),
                cmocka_unit_test(test_two_people_on_one_prefix_are_counted),
                cmocka_unit_test(test_bans_are_no_people),
                cmocka_unit_test(test_what_stays_never_leaves_the_kernel),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
