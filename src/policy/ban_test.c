/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/ban.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char policy_text[] = "network \"Lab\" { domain example.net.br timezone UTC language en }\n"
                                  "server mx { address 203.0.113.25, 2001:db8:b01a:70da::25 }\n"
                                  "class home { port25 block }\n"
                                  "pool a { class home prefix 198.51.100.0/26, 2001:db8:100::/40 delegated 56 }\n"
                                  "pool b { class home prefix 198.51.100.200/29 }\n"
                                  "cgnat n { from 2026-01-01 inside 100.64.0.0/16 outside 192.0.2.128/26\n"
                                  "  ports 1024-65535 block 512 }\n"
                                  "edge { listen 203.0.113.26 certificate m.example.net.br chain /c key /k\n"
                                  "  next-hop relay 127.0.0.1:10025 }\n"
                                  "never-ban { prefix 203.0.113.64/28, 2001:db8:fff::/48 }\n";

static const struct {
        const char *prefix;
        enum ban_objection want;
        unsigned line;
} cases[] = {
        { "203.0.113.9", BAN_NO_OBJECTION, 0 },
        { "2001:db8:bad::1", BAN_NO_OBJECTION, 0 },
        { "2001:db8:bad::/48", BAN_NO_OBJECTION, 0 },
        { "2001:db8:bad::/56", BAN_NO_OBJECTION, 0 },
        { "2001:db8:bad::/64", BAN_NO_OBJECTION, 0 },
        { "192.0.3.0/24", BAN_NO_OBJECTION, 0 },
        { "192.0.2.0/25", BAN_LENGTH, 0 },
        { "8.0.0.0/8", BAN_LENGTH, 0 },
        { "8.0.0.0/7", BAN_LENGTH, 0 },
        { "2001:db8::/32", BAN_LENGTH, 0 },
        { "::/0", BAN_LENGTH, 0 },
        { "127.0.0.1", BAN_SPECIAL, 0 },
        { "::1", BAN_SPECIAL, 0 },
        { "::/48", BAN_SPECIAL, 0 },
        { "fe80::1", BAN_SPECIAL, 0 },
        { "255.255.255.255", BAN_SPECIAL, 0 },
        { "0.0.0.0", BAN_SPECIAL, 0 },
        { "198.51.100.0", BAN_POOL, 4 },
        { "198.51.100.63", BAN_POOL, 4 },
        { "198.51.100.64", BAN_NO_OBJECTION, 0 },
        { "198.51.100.199", BAN_NO_OBJECTION, 0 },
        { "198.51.100.207", BAN_POOL, 5 },
        { "198.51.100.208", BAN_NO_OBJECTION, 0 },
        { "198.51.100.0/24", BAN_POOL, 4 },
        { "2001:db8:1ff:ffff::/64", BAN_POOL, 4 },
        { "2001:db8:200::/48", BAN_NO_OBJECTION, 0 },
        { "203.0.113.25", BAN_SERVER, 2 },
        { "203.0.113.0/24", BAN_SERVER, 2 },
        { "2001:db8:b01a::/48", BAN_SERVER, 2 },
        { "192.0.2.130", BAN_CGNAT, 6 },
        { "192.0.2.0/24", BAN_CGNAT, 6 },
        { "192.0.2.192", BAN_NO_OBJECTION, 0 },
        { "100.64.9.9", BAN_CGNAT, 6 },
        { "203.0.113.26", BAN_SERVER, 8 },
        { "203.0.113.27", BAN_NO_OBJECTION, 0 },
        { "203.0.113.70", BAN_SPARED, 10 },
        { "2001:db8:fff:1::/64", BAN_SPARED, 10 },
};

static void who_may_be_banned(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("test"), .text = slice_of(policy_text) };
        autopolicy *p = policy_parse(&in, d);
        assert_non_null(p);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct prefix prefix;
                assert_int_equal(prefix_parse(slice_of(cases[i].prefix), &prefix), PREFIX_OK);
                struct ban_answer a = ban_look(p, &prefix);
                if (a.objection != cases[i].want || a.place.line != cases[i].line)
                        fail_msg("%s: %d, line %u", cases[i].prefix, (int)a.objection, (unsigned)a.place.line);
                assert_int_equal(ban_allowed(p, &prefix), cases[i].want == BAN_NO_OBJECTION);
        }
}

static void nothing_is_ours_where_the_policy_says_nothing(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("test"),
                                   .text = S("network \"Lab\" { timezone UTC }\n"
                                             "class home { port25 open }\npool a { class home interface eth9 }\n") };
        autopolicy *p = policy_parse(&in, d);
        struct prefix prefix;
        assert_non_null(p);
        assert_int_equal(prefix_parse(S("198.51.100.0/24"), &prefix), PREFIX_OK);
        assert_true(ban_allowed(p, &prefix));
}

static void objections_in_words(void **state)
{
        (void)state;
        struct ban_answer a = { .objection = BAN_POOL, .name = S("londrina") };
        autobuf text;
        buf_init(&text, 1024);
        ban_objection_print(&a, &text);
        assert_string_equal(buf_cstr(&text), "is of our own customers: pool londrina");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(who_may_be_banned),
                                            cmocka_unit_test(nothing_is_ours_where_the_policy_says_nothing),
                                            cmocka_unit_test(objections_in_words) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
