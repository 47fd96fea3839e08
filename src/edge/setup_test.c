/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/setup.h"
#include "base/ipc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void fill(struct setup *s, struct setup_certificate *c)
{
        *c = (struct setup_certificate){ S("mail.example.net"), S("chain"), S("key") };
        *s = (struct setup){ .policy = S("network \"Example\" { }"),
                             .keeper_socket = S("/run/keeper.sock"),
                             .auth_socket = S("/run/auth.sock"),
                             .deliver_socket = S(""),
                             .sketch_key = S("0123456789abcdef"),
                             .filter = S("filter"),
                             .control = 7,
                             .counts = -1,
                             .counts_bytes = 4096,
                             .worker = 1,
                             .workers = 2,
                             .listeners = { { 8, EDGE_SUBMISSION, true, 0 }, { 9, EDGE_LEGACY, false, 3 } },
                             .n_listeners = 2,
                             .certificates = c,
                             .n_certificates = 1 };
}

static void what_is_put_is_got(void **state)
{
        struct setup_certificate c;
        struct setup s, got;
        struct buf text;
        (void)state;
        fill(&s, &c);
        buf_init(&text, SETUP_MOST);
        setup_put(&s, &text);
        assert_true(setup_get(&text, &got));
        assert_null(text.p); /* it is taken over */
        assert_true(slice_eq(got.policy, s.policy) && slice_eq(got.auth_socket, s.auth_socket));
        assert_true(slice_eq(got.keeper_socket, s.keeper_socket) && got.deliver_socket.n == 0);
        assert_true(slice_eq(got.sketch_key, s.sketch_key) && slice_eq(got.filter, s.filter));
        assert_int_equal(got.control, 7);
        assert_int_equal(got.counts, -1);
        assert_int_equal(got.counts_bytes, 4096);
        assert_int_equal(got.worker, 1);
        assert_int_equal(got.workers, 2);
        assert_int_equal(got.n_listeners, 2);
        assert_int_equal(got.listeners[1].fd, 9);
        assert_int_equal(got.listeners[1].role, EDGE_LEGACY);
        assert_int_equal(got.listeners[1].legacy, 3);
        assert_true(got.listeners[0].tls && !got.listeners[1].tls);
        assert_int_equal(got.n_certificates, 1);
        assert_true(slice_eq(got.certificates[0].key, S("key")));
        setup_done(&got);
        assert_null(got.text.p);
}

/* In a block of its own size, so that a sanitizer sees what is read past it. */
static bool gets(struct slice bytes)
{
        struct buf text = { .p = xmalloc(bytes.n + 1), .n = bytes.n, .cap = bytes.n + 1, .max = SETUP_MOST };
        struct setup got = { .control = 99 };
        memcpy(text.p, bytes.p, bytes.n);
        bool good = setup_get(&text, &got);
        assert_null(text.p);
        if (good)
                setup_done(&got);
        else
                assert_int_equal(got.control, 99); /* untouched */
        return good;
}

static void a_piece_of_it_is_none(void **state)
{
        struct setup_certificate c;
        struct setup s;
        autobuf text;
        (void)state;
        fill(&s, &c);
        buf_init(&text, SETUP_MOST);
        setup_put(&s, &text);
        for (size_t n = 0; n < text.n; n++)
                assert_false(gets((struct slice){ text.p, n }));
        for (size_t n = 4; n < text.n; n++) { /* shorter, and its length says so */
                autofree char *cut = xmalloc(n);
                memcpy(cut, text.p, n);
                for (int i = 0; i < 4; i++)
                        cut[i] = (char)((n - 4) >> (24 - 8 * i));
                assert_false(gets((struct slice){ cut, n }));
        }
        assert_true(gets(buf_slice(&text)));
}

static void hostile_numbers_are_refused(void **state)
{
        static const int64_t high[] = { INT64_MAX, INT64_C(1) << 32, (INT64_C(1) << 32) + 1, INT64_MIN, -2 };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(high); i++)
                for (size_t which = 0; which < 11; which++) {
                        autobuf b;
                        int64_t v[] = { 7, -1, 0, 0, 1, 1, 8, EDGE_TRAP, 0, 0, 0 };
                        buf_init(&b, SETUP_MOST);
                        if (which == 2 && high[i] > 0)
                                continue; /* bytes of a table: mmap() says what it thinks of them */
                        v[which] = high[i];
                        ipc_begin(&b, 1);
                        for (int t = 0; t < 6; t++)
                                ipc_put_text(&b, t == 4 ? S("0123456789abcdef") : S("x"));
                        for (size_t k = 0; k < COUNT_OF(v); k++)
                                ipc_put_int(&b, v[k]);
                        ipc_end(&b, 0);
                        if (gets(buf_slice(&b)))
                                fail_msg("number %zu may be %lld", which, (long long)high[i]);
                }
}

static void too_many_of_something_are_refused(void **state)
{
        (void)state;
        for (int listeners = 0; listeners < 2; listeners++) {
                autobuf b;
                buf_init(&b, SETUP_MOST);
                ipc_begin(&b, 1);
                for (int t = 0; t < 6; t++)
                        ipc_put_text(&b, t == 4 ? S("0123456789abcdef") : S("x"));
                for (int i = 0; i < 5; i++)
                        ipc_put_int(&b, 0);
                ipc_put_int(&b, listeners ? SETUP_LISTENERS_MOST + 1 : 0);
                for (int i = 0; listeners && i < 4 * (SETUP_LISTENERS_MOST + 1); i++)
                        ipc_put_int(&b, 0);
                ipc_put_int(&b, listeners ? 0 : SETUP_CERTIFICATES_MOST + 1);
                for (int i = 0; !listeners && i < 3 * (SETUP_CERTIFICATES_MOST + 1); i++)
                        ipc_put_text(&b, S("x"));
                ipc_end(&b, 0);
                assert_false(gets(buf_slice(&b)));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_put_is_got),
                cmocka_unit_test(a_piece_of_it_is_none),
                cmocka_unit_test(hostile_numbers_are_refused),
                cmocka_unit_test(too_many_of_something_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
