/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"
#include "maillog/index_format.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

enum { LINES = 30000 };
static char folder[] = "/tmp/porteiro-index-XXXXXX";
static char head[INDEX_HEAD];
static char *path; /* of the index */
static uint8_t key[INDEX_KEY];

static struct wanted id_of(int i, char room[24])
{
        return (struct wanted){ .kind = WANTED_ID, .text = { room, (size_t)snprintf(room, 24, "%010X", i) } };
}

static size_t line_of(int i, char room[128])
{
        return (size_t)snprintf(room, 128, "line %d, which says little, and is of some length, as lines are: %0*d\n", i,
                                i % 40, i);
}

/* Lines from `from` on; returns where they end. */
static uint64_t write_lines(struct index_writer *x, int from, int to)
{
        uint64_t at = 0;
        char text[128], id[24], client[40];
        for (int i = 0; i < to; i++) {
                size_t n = line_of(i, text);
                struct mail_event e = { .kind = MAIL_CLIENT, .queue_id = id_of(i, id).text };
                snprintf(client, sizeof client, "10.0.%d.%d", i / 256, i % 256);
                e.client.address = slice_of(client);
                if (i >= from)
                        assert_int_equal(index_add(x, at, (struct slice){ text, n }, i % 3 ? &e : NULL, 1000 + i), 0);
                at += n;
        }
        assert_int_equal(index_end(x), 0);
        return at;
}

static void start(struct index_writer **x)
{
        autobuf why;
        buf_init(&why, 1024);
        assert_int_equal(index_open(folder, "/var/log/mail.log", head, x, &why), 0);
}

static struct index_view *view(void)
{
        struct index_view *v = NULL;
        autobuf why;
        buf_init(&why, 1024);
        assert_int_equal(index_view(folder, key, index_identity(key, head), &v, &why), 0);
        return v;
}

static int setup(void **state)
{
        (void)state;
        memset(head, 'h', sizeof head);
        if (index_key(folder, true, key) < 0)
                return -1;
        path = index_path(folder, index_identity(key, head));
        unlink(path);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        free(path);
        return 0;
}

static void what_is_there_is_found(void **state)
{
        (void)state;
        autoindex *x = NULL;
        start(&x);
        uint64_t end = write_lines(x, 0, LINES), before = 0, at = 0;
        assert_int_equal(index_covered(x), end);
        autoindexview *v = view();
        assert_true(slice_eq(index_view_log(v), S("/var/log/mail.log")));
        size_t blocks = index_view_count(v), falsely = 0, asked = 0;
        assert_true(blocks >= 2);
        char text[128], room[24];
        for (size_t b = 0; b < blocks; b++) {
                struct index_block k = index_view_block(v, b);
                assert_int_equal(k.offset, before);
                assert_true(k.length <= INDEX_BLOCK && k.first <= k.last && k.first >= 1000);
                before = k.offset + k.length;
        }
        assert_int_equal(before, end);
        for (int i = 0; i < LINES; i++) {
                struct wanted id = id_of(i, room);
                uint64_t hash = wanted_hash(key, &id);
                for (size_t b = 0; b < blocks; b++) {
                        struct index_block k = index_view_block(v, b);
                        bool in = i % 3 && at >= k.offset && at < k.offset + k.length;
                        bool can = index_view_can_have(v, b, &hash, 1);
                        assert_true(can || !in);
                        falsely += can && !in;
                        asked += !in;
                }
                at += line_of(i, text);
        }
        assert_true(falsely * 200 < asked); /* 0.12 % are expected */
}

static void the_end_of_a_block_is_known(void **state)
{
        (void)state;
        autoindex *x = NULL;
        start(&x);
        autobuf log;
        buf_init(&log, 1 << 20);
        char text[128];
        for (int i = 0; i < 100; i++) {
                line_of(i, text);
                buf_adds(&log, text);
        }
        write_lines(x, 0, 100);
        autoindexview *v = view();
        assert_int_equal(index_view_count(v), 1);
        assert_true(index_view_ends_so(v, 0, buf_slice(&log)));
        assert_true(index_view_ends_so(v, 0, slice_from(buf_slice(&log), log.n - INDEX_TAIL)));
        log.p[log.n - 2] ^= 1;
        assert_false(index_view_ends_so(v, 0, buf_slice(&log)));
}

static void it_is_gone_on_with_after_a_tear(void **state)
{
        (void)state;
        autoindex *x = NULL, *second = NULL;
        autobuf why;
        buf_init(&why, 1024);
        start(&x);
        assert_int_equal(index_open(folder, "/x", head, &second, &why), -EWOULDBLOCK);
        write_lines(x, 0, LINES);
        index_close_(&x);
        x = NULL;
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        autoindexview *whole = view();
        size_t blocks = index_view_count(whole);
        struct index_block last = index_view_block(whole, blocks - 1);
        static const int cuts[] = { 1, 8, 1000 };
        for (size_t i = 0; i < COUNT_OF(cuts); i++) {
                assert_int_equal(truncate(path, st.st_size - cuts[i]), 0);
                autoindexview *torn = view();
                assert_int_equal(index_view_count(torn), blocks - 1);
                start(&x);
                assert_int_equal(index_covered(x), last.offset);
                write_lines(x, 0, LINES);
                index_close_(&x);
                x = NULL;
                struct stat again;
                assert_int_equal(stat(path, &again), 0);
                assert_int_equal(again.st_size, st.st_size);
        }
}

static void lines_that_are_left_out_make_a_gap(void **state)
{
        (void)state;
        autoindex *x = NULL;
        start(&x);
        uint64_t first = write_lines(x, 0, 100);
        write_lines(x, 200, 300);
        write_lines(x, 50, 250); /* what has a record is not taken again */
        autoindexview *v = view();
        assert_int_equal(index_view_count(v), 2);
        assert_int_equal(index_view_block(v, 0).length, first);
        assert_true(index_view_block(v, 1).offset > first);
}

static void what_others_wrote_is_refused(void **state)
{
        (void)state;
        autoindex *x = NULL;
        start(&x);
        write_lines(x, 0, LINES);
        autobuf bytes, why;
        buf_init(&bytes, 16 << 20);
        buf_init(&why, 1 << 20);
        assert_int_equal(file_read(path, &bytes), 0);
        uint8_t other[INDEX_KEY] = { 1 };
        struct index_view *v = NULL;
        assert_int_equal(index_view_of(other, buf_slice(&bytes), &v, &why), -EBADMSG);
        assert_int_equal(index_view_of(key, (struct slice){ bytes.p, sizeof(struct index_header) - 1 }, &v, &why),
                         -EBADMSG);
        assert_int_equal(index_view(folder, key, 1, &v, &why), -ENOENT);
        for (size_t i = 0; i < bytes.n; i += i < 5000 ? 7 : 4099) { /* a byte turned over anywhere is seen */
                bytes.p[i] ^= 0x10;
                autoindexview *damaged = NULL;
                int failed = index_view_of(key, buf_slice(&bytes), &damaged, &why);
                if (i < sizeof(struct index_header))
                        assert_int_equal(failed, -EBADMSG);
                else
                        assert_true(failed == 0 && index_view_count(damaged) < 4);
                bytes.p[i] ^= 0x10;
        }
        assert_int_equal(file_replace(path, 0640, S("PORTIDX\0 and nothing more")), 0);
        assert_int_equal(index_view(folder, key, index_identity(key, head), &v, &why), -EBADMSG);
        index_close_(&x);
        x = NULL;
        start(&x); /* made anew */
        assert_int_equal(index_covered(x), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_is_there_is_found, setup, teardown),
                cmocka_unit_test_setup_teardown(the_end_of_a_block_is_known, setup, teardown),
                cmocka_unit_test_setup_teardown(it_is_gone_on_with_after_a_tear, setup, teardown),
                cmocka_unit_test_setup_teardown(lines_that_are_left_out_make_a_gap, setup, teardown),
                cmocka_unit_test_setup_teardown(what_others_wrote_is_refused, setup, teardown),
        };
        if (!mkdtemp(folder))
                return 1;
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        static const char *const files[] = { "maillog/index", "maillog/index.key", "maillog", "" };
        for (size_t i = 0; i < COUNT_OF(files); i++) {
                autofree char *name = xasprintf("%s/%s", folder, files[i]);
                if (i == 0) {
                        autofree char *index = index_path(folder, index_identity(key, head));
                        unlink(index);
                }
                remove(name);
        }
        return failed;
}
