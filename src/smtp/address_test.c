/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define L16 "0123456789abcdef"
#define L63 L16 L16 L16 "0123456789abcde"

/* Paths as they stand behind FROM: or TO:; canon NULL where refused. */
static const struct {
        const char *in, *canon, *rest;
} paths[] = {
        { "<maria@example.com>", "maria@example.com", "" },
        { "<Maria@EXAMPLE.com> SIZE=1", "maria@example.com", " SIZE=1" },
        { "<>", "", "" },
        { "<> BODY=7BIT", "", " BODY=7BIT" },
        { "maria@example.com", "maria@example.com", "" },
        { "maria@example.com SIZE=1", "maria@example.com", " SIZE=1" },
        { "<postmaster>", "postmaster", "" },
        { "<PostMaster> NOTIFY=NEVER", "postmaster", " NOTIFY=NEVER" },
        { "<maria>", NULL, "" },
        { "postmaster", NULL, "" },
        { "<a.b-c+d_e=f%g!h@example.com>", "a.b-c+d_e=f%g!h@example.com", "" },
        { "<user%other.example@example.com>", "user%other.example@example.com", "" },
        { "<other.example!user@example.com>", "other.example!user@example.com", "" },
        { "<\"a b\"@example.com>", "\"a b\"@example.com", "" },
        { "<\"A.b\"@example.com>", "a.b@example.com", "" },
        { "<\"\\a\\\"\\\\\"@example.com>", "\"a\\\"\\\\\"@example.com", "" },
        { "<\"a@b\"@example.com>", "\"a@b\"@example.com", "" },
        { "<\"\"@example.com>", "\"\"@example.com", "" },
        { "<\"a..b\"@example.com>", "\"a..b\"@example.com", "" },
        { "<\"a>b\"@example.com>", "\"a>b\"@example.com", "" },
        { "<\"a\"b@example.com>", NULL, "" },
        { "<\"a@example.com>", NULL, "" },
        { "<\"a\\\"@example.com>", NULL, "" },
        { "<\"a\tb\"@example.com>", NULL, "" },
        { "<\"a\\\xC3\xA9\"@example.com>", NULL, "" },
        { "<a@[192.0.2.1]>", "a@[192.0.2.1]", "" },
        { "<a@[IPv6:2001:DB8:0:0::1]>", "a@[ipv6:2001:db8::1]", "" },
        { "<a@[ipv6:::ffff:192.0.2.1]>", "a@[192.0.2.1]", "" },
        { "<a@[2001:db8::1]>", NULL, "" },
        { "<a@[IPv6:192.0.2.1]>", NULL, "" },
        { "<a@[192.0.2]>", NULL, "" },
        { "<a@[192.0.2.1>", NULL, "" },
        { "<a@[x400:abc]>", NULL, "" },
        { "<a@[]>", NULL, "" },
        { "<a@192.0.2.1>", "a@192.0.2.1", "" },
        { "<@one.example,@two.example:maria@example.com>", "maria@example.com", "" },
        { "<@one.example:maria@example.com>", "maria@example.com", "" },
        { "<@one.example,maria@example.com>", NULL, "" },
        { "<@one.example,two.example:maria@example.com>", NULL, "" },
        { "<@one.example:>", NULL, "" },
        { "<@:maria@example.com>", NULL, "" },
        { "<one.example:maria@example.com>", NULL, "" },
        { "@one.example:maria@example.com", NULL, "" },
        { "<maria@example.com", NULL, "" },
        { "<maria@example.com>>", "maria@example.com", ">" },
        { "maria@example.com>", NULL, "" },
        { "<<maria@example.com>>", NULL, "" },
        { "< maria@example.com>", NULL, "" },
        { "<maria@example.com >", NULL, "" },
        { "<maria @example.com>", NULL, "" },
        { "<maria@ example.com>", NULL, "" },
        { "<maria@@example.com>", NULL, "" },
        { "<maria@example.com@example.org>", NULL, "" },
        { "<@example.com>", NULL, "" },
        { "<maria@>", NULL, "" },
        { "<.maria@example.com>", NULL, "" },
        { "<maria.@example.com>", NULL, "" },
        { "<ma..ria@example.com>", NULL, "" },
        { "<maria@.example.com>", NULL, "" },
        { "<maria@example.com.>", NULL, "" },
        { "<maria@example..com>", NULL, "" },
        { "<maria@-example.com>", NULL, "" },
        { "<maria@example-.com>", NULL, "" },
        { "<maria@my_host.example.com>", "maria@my_host.example.com", "" },
        { "<maria@exa$mple.com>", NULL, "" },
        { "<maria@exam(x)ple.com>", NULL, "" },
        { "<;rm@example.com>", NULL, "" },
        { "<a`id`@example.com>", "a`id`@example.com", "" }, /* atext, RFC 5322 3.2.3; no shell will ever see it */
        { "<maria@example.com\x01>", NULL, "" },
        { "<jos\xC3\xA9@exemplo.com>", "jos\xC3\xA9@exemplo.com", "" },
        { "<a@caf\xC3\xA9.example>", "a@caf\xC3\xA9.example", "" },
        { "<jos\xE9@exemplo.com>", NULL, "" },       /* Latin-1 */
        { "<jos\xC3@exemplo.com>", NULL, "" },       /* cut off */
        { "<a\xE2\x80\xAE@exemplo.com>", NULL, "" }, /* turns the direction */
        { "<a@exemplo\xE3\x80\x82"
          "com>",
          NULL, "" }, /* an ideographic full stop */
        { "<a@exemplo\xEF\xBC\x8E"
          "com>",
          NULL, "" },
        { "<" L63 "x@example.com>", L63 "x@example.com", "" },
        { "<" L63 "xy@example.com>", NULL, "" },
        { "<a@" L63 ".com>", "a@" L63 ".com", "" },
        { "<a@" L63 "x.com>", NULL, "" },
        { "<a@" L63 "." L63 "." L63 ".example.example.example.example.example.example.example.exam>",
          "a@" L63 "." L63 "." L63 ".example.example.example.example.example.example.example.exam", "" },
        { "<a@" L63 "." L63 "." L63 ".example.example.example.example.example.example.example.example>", NULL, "" },
        { "", NULL, "" },
        { "<", NULL, "" },
};

static void test_paths(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(paths); i++) {
                autofree char *exact = slice_dup(slice_of(paths[i].in)); /* a sanitizer sees one byte too many */
                size_t n = strlen(exact);
                exact = xrealloc(exact, n ? n : 1);
                struct slice in = { exact, n };
                struct smtp_path p;
                autobuf canon;
                buf_init(&canon, 1024);
                bool good = smtp_path_parse(&in, &p);
                if (good)
                        smtp_path_canonical(&p, &canon);
                if (good != !!paths[i].canon)
                        fail_msg("%s: %s", paths[i].in, good ? "was taken" : "was refused");
                if (good && (strcmp(buf_cstr(&canon), paths[i].canon) || !slice_eq(in, slice_of(paths[i].rest))))
                        fail_msg("%s: got %s, left %.*s", paths[i].in, buf_cstr(&canon), SLICE_ARGS(in));
                if (good && p.domain.n) { /* canonical text is canonical */
                        struct smtp_path q;
                        autobuf again;
                        buf_init(&again, 1024);
                        assert_true(smtp_address_parse(buf_slice(&canon), &q));
                        smtp_path_canonical(&q, &again);
                        assert_string_equal(buf_cstr(&again), buf_cstr(&canon));
                }
        }
}

static uint32_t seed = 88172645;
static uint32_t draw(uint32_t below)
{
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        return seed % below;
}

/* Whatever is accepted reads the same when it is written again, and holds no byte that ends a command, an argument or a field. */
static void test_what_is_taken_reads_the_same_again(void **state)
{
        (void)state;
        static const char *const parts[] = { "a",  "a", "x.y", "@",  "b.c",         ".",    "@",   "@",        "\"",
                                             "\\", " ", "<",   ">",  "[192.0.2.1]", "[",    "]",   "IPv6:::1", ":",
                                             ",",  "%", "-",   "\t", "\xC3\xA9",    "\xE9", "\r\n" };
        size_t taken = 0;
        for (int round = 0; round < 400000; round++) {
                struct smtp_path p, q;
                autobuf text, again;
                buf_init(&text, 1024);
                buf_init(&again, 1024);
                for (uint32_t i = 1 + draw(7); i; i--)
                        buf_adds(&text, parts[draw(COUNT_OF(parts))]);
                if (!smtp_address_parse(buf_slice(&text), &p))
                        continue;
                taken++;
                smtp_path_print(&p, &again);
                assert_true(slice_eq(buf_slice(&text), buf_slice(&again)));
                assert_true(smtp_address_parse(buf_slice(&again), &q));
                assert_true(slice_eq(p.local, (struct slice){ text.p, p.local.n }) && p.quoted == q.quoted);
                for (size_t i = 0; i < text.n; i++)
                        assert_true((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7F);
        }
        assert_true(taken > 500);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_what_is_taken_reads_the_same_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
