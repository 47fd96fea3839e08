/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/reader.h"
#include "base/buf.h"
#include "base/file.h"

#include <fcntl.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

static char path[] = "/tmp/porteiro-reader-XXXXXX";

static void put(struct slice bytes)
{
        autoclose int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
}

/* All pieces in one; every one but the last ends a line. */
static void get(struct buf *out, const char **trouble, uint64_t *too_long)
{
        struct maillog_reader *r = NULL;
        struct slice piece;
        assert_int_equal(maillog_reader_open(path, &r), 0);
        while (maillog_reader_next(r, &piece) == 1) {
                assert_true(!out->n || out->p[out->n - 1] == '\n');
                buf_add(out, piece);
        }
        *trouble = maillog_reader_trouble(r);
        *too_long = maillog_reader_too_long(r);
        maillog_reader_free_(&r);
}

static void comes_back(struct slice file, struct slice want, bool whole)
{
        const char *trouble;
        uint64_t too_long;
        autobuf got;
        buf_init(&got, 64 << 20);
        put(file);
        get(&got, &trouble, &too_long);
        assert_true(whole == !trouble);
        if (!want.p)
                return;
        if (whole ? !slice_eq(buf_slice(&got), want) : !slice_starts(want, buf_slice(&got)))
                fail_msg("%zu bytes became %zu, want %zu", file.n, got.n, want.n);
}

static struct slice sample(struct buf *b)
{
        buf_init(b, 64 << 20);
        for (size_t i = 0; b->n < (3 << 20); i++) {
                buf_addf(b, "line %zu \xff ", i);
                buf_addc(b, '\0');
                for (size_t k = 0; k < i * 7919 % 500; k++)
                        buf_addc(b, (char)('a' + k * i % 26));
                buf_addc(b, '\n');
        }
        buf_adds(b, "half a line");
        return buf_slice(b);
}

static struct slice pack_gzip(struct slice s, char *out, size_t room)
{
        z_stream z = {
                .next_in = (Bytef *)s.p, .avail_in = (uInt)s.n, .next_out = (Bytef *)out, .avail_out = (uInt)room
        };
        assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        deflateEnd(&z);
        return (struct slice){ out, room - z.avail_out };
}

static void plain(void **state)
{
        (void)state;
        autobuf text;
        struct slice all = sample(&text);
        comes_back(all, all, true);
        comes_back(S(""), S(""), true);
        comes_back(S("x"), S("x"), true);
        comes_back(S("\n"), S("\n"), true);
}

static void packed(void **state)
{
        (void)state;
        autobuf text, two;
        struct slice all = sample(&text);
        size_t room = all.n * 2 + 4096, n = 0;
        autofree char *out = xmalloc(room);
        struct slice gz = pack_gzip(all, out, room);
        comes_back(gz, all, true);
        comes_back((struct slice){ gz.p, gz.n / 2 }, all, false);
        buf_init(&two, 64 << 20);
        buf_add(&two, gz);
        buf_add(&two, gz);
        autobuf twice;
        buf_init(&twice, 64 << 20);
        buf_add(&twice, all);
        buf_add(&twice, all);
        comes_back(buf_slice(&two), buf_slice(&twice), true);
        out[gz.n / 2] ^= 0x55;
        comes_back(gz, (struct slice){ 0 }, false);
        n = ZSTD_compress(out, room, all.p, all.n, 1);
        comes_back((struct slice){ out, n }, all, true);
        comes_back((struct slice){ out, n / 2 }, all, false);
        n = 0;
        assert_int_equal(
            lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, (const uint8_t *)all.p, all.n, (uint8_t *)out, &n, room),
            LZMA_OK);
        comes_back((struct slice){ out, n }, all, true);
        comes_back((struct slice){ out, n / 2 }, all, false);
}

static void long_lines(void **state)
{
        (void)state;
        static const size_t sizes[] = { MAILLOG_LINE_MOST - 1, MAILLOG_LINE_MOST * 2, MAILLOG_LINE_MOST * 5 };
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
                const char *trouble;
                uint64_t too_long;
                autobuf text, got;
                buf_init(&text, 64 << 20);
                buf_init(&got, 64 << 20);
                buf_adds(&text, "a\n");
                for (size_t k = 0; k < sizes[i]; k++)
                        buf_addc(&text, 'x');
                buf_adds(&text, "\nb\n");
                put(buf_slice(&text));
                get(&got, &trouble, &too_long);
                assert_int_equal(too_long, i > 0);
                if (i == 0)
                        assert_true(slice_eq(buf_slice(&got), buf_slice(&text)));
                else
                        assert_string_equal(buf_cstr(&got), "a\nb\n");
        }
}

/* From each place on, forwards and back, the same lines come as if all before were cut off. */
static void goes_to(struct slice file, struct slice all)
{
        automaillogreader *r = NULL;
        char ahead[100];
        put(file);
        assert_int_equal(maillog_reader_open(path, &r), 0);
        static const double places[] = { 0, 0.5, 0.5, 0.51, 0.9, 0.1, 1, 0.3, 2, 0 };
        for (size_t i = 0; i < COUNT_OF(places); i++) {
                size_t to = (size_t)((double)all.n * places[i]), at = to < all.n ? to : all.n;
                size_t some = all.n - at < sizeof ahead ? all.n - at : sizeof ahead;
                struct slice piece;
                assert_int_equal(maillog_reader_seek(r, to), 0);
                assert_int_equal(maillog_reader_peek(r, ahead, sizeof ahead), some);
                assert_memory_equal(ahead, all.p + at, some);
                for (int k = 0; k < 3 && maillog_reader_next(r, &piece) == 1; k++) {
                        assert_int_equal(maillog_reader_offset(r), at);
                        assert_true(slice_starts(slice_from(all, at), piece));
                        at += piece.n;
                        assert_true(at == all.n || all.p[at - 1] == '\n');
                }
        }
}

static void elsewhere(void **state)
{
        (void)state;
        autobuf text;
        struct slice all = sample(&text);
        size_t room = all.n * 2 + 4096;
        autofree char *out = xmalloc(room);
        goes_to(all, all);
        goes_to(pack_gzip(all, out, room), all);
        goes_to((struct slice){ out, ZSTD_compress(out, room, all.p, all.n, 1) }, all);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(plain), cmocka_unit_test(packed),
                                            cmocka_unit_test(long_lines), cmocka_unit_test(elsewhere) };
        close(mkstemp(path));
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        unlink(path);
        return failed;
}
