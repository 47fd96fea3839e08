/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipc.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

static void make_one(struct buf *b)
{
        size_t start = b->n;
        ipc_begin(b, 0x1234);
        ipc_put_text(b, S("a\0b"));
        ipc_put_int(b, INT64_MIN);
        ipc_put_text(b, S(""));
        ipc_put_int(b, -1);
        ipc_end(b, start);
}

static void what_goes_in_comes_out(void **state)
{
        (void)state;
        autobuf b;
        struct ipc_reader r;
        buf_init(&b, 1 << 20);
        make_one(&b);
        make_one(&b); /* two in a row */
        int64_t n = ipc_frame(buf_slice(&b), &r);
        assert_int_equal(n, b.n / 2);
        assert_int_equal(r.verb, 0x1234);
        assert_true(slice_eq(ipc_text(&r), S("a\0b")));
        assert_true(ipc_int(&r) == INT64_MIN);
        assert_int_equal(ipc_text(&r).n, 0);
        assert_true(ipc_int(&r) == -1);
        assert_true(ipc_end_of(&r));
        ipc_int(&r); /* one too many */
        assert_true(r.bad);
        assert_false(ipc_end_of(&r));
}

static void other_types_are_bad_for_good(void **state)
{
        (void)state;
        autobuf b;
        struct ipc_reader r;
        buf_init(&b, 1 << 20);
        make_one(&b);
        ipc_frame(buf_slice(&b), &r);
        assert_int_equal(ipc_int(&r), 0);
        assert_true(r.bad);
        assert_int_equal(ipc_text(&r).n, 0);
        assert_true(r.bad);
}

/* Every beginning of a frame asks for more; it ends where memory ends, so that one byte read past it is a fault. */
static void cut_anywhere_it_wants_more(void **state)
{
        (void)state;
        autobuf b;
        struct ipc_reader r;
        buf_init(&b, 1 << 20);
        make_one(&b);
        long page = sysconf(_SC_PAGESIZE);
        char *two = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_int_equal(mprotect(two + page, (size_t)page, PROT_NONE), 0);
        for (size_t n = 0; n <= b.n; n++) {
                char *p = two + page - n;
                memcpy(p, b.p, n);
                assert_int_equal(ipc_frame((struct slice){ p, n }, &r), n < b.n ? 0 : (int64_t)b.n);
        }
        munmap(two, 2 * (size_t)page);
}

static void lengths_out_of_bounds(void **state)
{
        (void)state;
        static const struct {
                const char *bytes;
                size_t n;
                int64_t want;
        } rows[] = {
                { "\xff\xff\xff\xff", 4, -EBADMSG },
                { "\x04\x00\x00\x00", 4, -EBADMSG }, /* with its head past IPC_FRAME_MOST */
                { "\x03\xff\xff\xfc", 4, 0 },
                { "\0\0\0\0", 4, -EBADMSG },
                { "\0\0\0\1", 4, -EBADMSG },
                { "\0\0\0\2", 4, 0 },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct ipc_reader r;
                assert_int_equal(ipc_frame((struct slice){ rows[i].bytes, rows[i].n }, &r), rows[i].want);
        }
        static const char cut[] = "\0\0\0\x07\0\1t\0\0\0\1"; /* a text of one byte that is not there */
        struct ipc_reader r;
        assert_int_equal(ipc_frame((struct slice){ cut, 11 }, &r), 11);
        assert_int_equal(ipc_text(&r).n, 0);
        assert_true(r.bad);
}

static void counts_fit_what_follows(void **state)
{
        (void)state;
        const int64_t counts[][2] = { { 0, 0 }, { 2, 2 }, { 3, 0 }, { -1, 0 }, { INT64_MAX, 0 } };
        for (size_t i = 0; i < COUNT_OF(counts); i++) {
                autobuf b;
                struct ipc_reader r;
                buf_init(&b, 1 << 20);
                ipc_begin(&b, 1);
                ipc_put_int(&b, counts[i][0]);
                ipc_put_text(&b, S(""));
                ipc_put_text(&b, S(""));
                ipc_end(&b, 0);
                ipc_frame(buf_slice(&b), &r);
                assert_int_equal(ipc_count(&r), counts[i][1]);
                assert_int_equal(r.bad, counts[i][0] != counts[i][1]);
        }
}

static void past_its_ceiling_a_buf_is_full(void **state)
{
        (void)state;
        autobuf b;
        buf_init(&b, 10);
        make_one(&b);
        assert_true(b.full);
}

static void over_a_socket(void **state)
{
        (void)state;
        int fd[2];
        autobuf b, in;
        struct ipc_reader r;
        buf_init(&b, 1 << 20);
        buf_init(&in, 1 << 20);
        make_one(&b);
        make_one(&b);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        assert_int_equal(ipc_send(fd[0], buf_slice(&b), time_monotonic() + SECOND), 0);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(ipc_receive(fd[1], &in, &r, time_monotonic() + SECOND), 0);
                assert_true(slice_eq(ipc_text(&r), S("a\0b")));
        }
        int64_t start = time_monotonic();
        assert_int_equal(ipc_receive(fd[1], &in, &r, start + SECOND / 20), -ETIMEDOUT);
        assert_true(time_monotonic() - start >= SECOND / 20);
        assert_int_equal(ipc_send(fd[0], (struct slice){ b.p, 7 }, time_monotonic() + SECOND), 0);
        close(fd[0]);
        assert_int_equal(ipc_receive(fd[1], &in, &r, time_monotonic() + SECOND), -ECONNRESET);
        assert_int_equal(ipc_send(fd[1], buf_slice(&b), time_monotonic() + SECOND), -EPIPE);
        close(fd[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_goes_in_comes_out),
                cmocka_unit_test(other_types_are_bad_for_good),
                cmocka_unit_test(cut_anywhere_it_wants_more),
                cmocka_unit_test(lengths_out_of_bounds),
                cmocka_unit_test(counts_fit_what_follows),
                cmocka_unit_test(past_its_ceiling_a_buf_is_full),
                cmocka_unit_test(over_a_socket),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
