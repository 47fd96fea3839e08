/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/prefix.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <cmocka.h>

static struct addr addr(const char *text)
{
        struct addr a;
        if (!addr_parse(slice_of(text), &a))
                fail_msg("not an address: %s", text);
        return a;
}

static struct prefix prefix(const char *text)
{
        struct prefix p;
        if (prefix_parse(slice_of(text), &p) != PREFIX_OK)
                fail_msg("not a prefix: %s", text);
        return p;
}

static void parses_and_prints(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                enum prefix_error want;
                const char *shown; /* of what is returned, also the masked one */
        } rows[] = {
                { "192.0.2.0/24", PREFIX_OK, "192.0.2.0/24" },
                { "192.0.2.1", PREFIX_OK, "192.0.2.1" },
                { "192.0.2.1/32", PREFIX_OK, "192.0.2.1" },
                { "0.0.0.0/0", PREFIX_OK, "0.0.0.0/0" },
                { "2001:db8::/32", PREFIX_OK, "2001:db8::/32" },
                { "2001:DB8:0:0::/32", PREFIX_OK, "2001:db8::/32" },
                { "2001:db8::1/128", PREFIX_OK, "2001:db8::1" },
                { "::/0", PREFIX_OK, "::/0" },
                { "::ffff:192.0.2.0/120", PREFIX_OK, "192.0.2.0/24" }, /* one key with the IPv4 form */
                { "::ffff:192.0.2.1", PREFIX_OK, "192.0.2.1" },
                { "192.0.2.1/24", PREFIX_HOST_BITS, "192.0.2.0/24" },
                { "2001:db8::1/64", PREFIX_HOST_BITS, "2001:db8::/64" },
                { "192.0.2.0/33", PREFIX_BAD_LENGTH, NULL },
                { "2001:db8::/129", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2.0/", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2.0/-1", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2.0/2 4", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2.0/255.255.255.0", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2.0/24/24", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2.0/00000024", PREFIX_BAD_LENGTH, NULL },
                { "192.0.2/24", PREFIX_NOT_AN_ADDRESS, NULL },
                { "192.0.2.256", PREFIX_NOT_AN_ADDRESS, NULL },
                { "192.0.2.01", PREFIX_NOT_AN_ADDRESS, NULL }, /* octal to some, decimal to others */
                { "fe80::1%eth0", PREFIX_NOT_AN_ADDRESS, NULL },
                { "example.net", PREFIX_NOT_AN_ADDRESS, NULL },
                { "", PREFIX_NOT_AN_ADDRESS, NULL },
                { "/24", PREFIX_NOT_AN_ADDRESS, NULL },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct prefix p = { 0 };
                char text[PREFIX_TEXT_MAX];
                enum prefix_error got = prefix_parse(slice_of(rows[i].text), &p);
                if (got != rows[i].want)
                        fail_msg("%s: %d, want %d", rows[i].text, got, rows[i].want);
                if (rows[i].shown)
                        assert_string_equal(prefix_print(&p, text), rows[i].shown);
        }
        struct addr a;
        assert_false(addr_parse(S("192.0.2.1\0"), &a));
        assert_false(addr_parse(S("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"), &a));
}

static void walks(void **state)
{
        (void)state;
        char text[ADDR_TEXT_MAX];
        struct addr a = addr("192.0.2.255");
        assert_true(addr_next(&a));
        assert_string_equal(addr_print(&a, text), "192.0.3.0");
        assert_true(addr_previous(&a));
        assert_string_equal(addr_print(&a, text), "192.0.2.255");
        a = addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_false(addr_next(&a));
        assert_int_equal(a.b[15], 0xff);
        a = addr("::");
        assert_false(addr_previous(&a));
        assert_int_equal(a.b[15], 0);
        a = addr_last(addr("192.0.2.0"), 96 + 24);
        assert_string_equal(addr_print(&a, text), "192.0.2.255");
        a = addr_last(addr("2001:db8::"), 0);
        assert_string_equal(addr_print(&a, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        a = addr_mask(addr("2001:db8:ffff::"), 33);
        assert_string_equal(addr_print(&a, text), "2001:db8:8000::");
        a = addr_mask(addr("2001:db8::1"), 128);
        assert_string_equal(addr_print(&a, text), "2001:db8::1");
}

static void nests(void **state)
{
        (void)state;
        struct prefix wide = prefix("192.0.2.0/24"), narrow = prefix("192.0.2.128/25"), all = prefix("::/0");
        struct addr in = addr("192.0.2.200"), out = addr("192.0.3.0");
        assert_true(prefix_has(&wide, &in));
        assert_false(prefix_has(&wide, &out));
        assert_true(prefix_covers(&wide, &narrow));
        assert_false(prefix_covers(&narrow, &wide));
        assert_true(prefix_covers(&wide, &wide));
        assert_true(prefix_covers(&all, &wide)); /* mapped: all of IPv6 holds it */
        assert_true(prefix_cmp(&wide, &narrow) < 0);
        struct prefix half = prefix("192.0.2.0/25");
        assert_true(prefix_cmp(&wide, &half) < 0); /* wider first */
        assert_true(prefix_is_v4(&wide));
        assert_false(prefix_is_v4(&all));
        assert_int_equal(prefix_shown_len(&wide), 24);
}

static void every_byte_prints_and_reads(void **state)
{
        (void)state;
        for (unsigned n = 0; n < 256; n++) {
                char want[32], got[ADDR_TEXT_MAX];
                struct addr a;
                snprintf(want, sizeof want, "%u.%u.%u.%u", n, 255 - n, n / 2, n / 26);
                assert_true(addr_parse(slice_of(want), &a));
                assert_string_equal(addr_print(&a, got), want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(every_byte_prints_and_reads),
                                            cmocka_unit_test(parses_and_prints), cmocka_unit_test(walks),
                                            cmocka_unit_test(nests) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
