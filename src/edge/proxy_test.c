/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct addr addr(const char *text)
{
        struct addr a;
        assert_true(addr_parse(slice_of(text), &a));
        return a;
}

/* As HAProxy 2.6 sends it with "send-proxy-v2" for such connections. */
static void it_is_what_haproxy_sends(void **state)
{
        static const struct {
                const char *from, *to;
                struct slice head;
                size_t n;
        } rows[] = {
                { "198.51.100.7", "203.0.113.25", S("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\xcb\0\x71\x19"),
                  28 },
                { "2001:db8::7", "2001:db8::25",
                  S("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"), 52 },
                { "198.51.100.7", "2001:db8::25",
                  S("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x07"), 52 },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct addr from = addr(rows[i].from), to = addr(rows[i].to);
                autobuf out;
                buf_init(&out, PROXY_MOST);
                proxy_put(&out, &from, 0x1234, &to, 587);
                assert_false(out.full);
                assert_int_equal(out.n, rows[i].n);
                assert_true(slice_starts(buf_slice(&out), rows[i].head));
                assert_true(slice_ends(buf_slice(&out), S("\x12\x34\x02\x4b")));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(it_is_what_haproxy_sends) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
