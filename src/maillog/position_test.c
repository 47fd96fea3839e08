/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/position.h"

#include "base/file.h"
#include "base/sha256.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#define HEADING "porteiro maillog positions 1\n"
#define PLACE "2049 131077 81920 1784505600000000 1024 4c0f2a61d8e3b597 256 91be02c7f4a8d635 "

static struct maillog_positions positions, again;

static struct buf text; /* what the paths of `positions` point into */

/* The sum is right: only what stands in it can be wrong. */
static const char *parse(struct slice body)
{
        char sum[SHA256_HEX + 1];
        buf_done(&text);
        buf_init(&text, 4 << 20);
        sha256_hex(body, sum);
        buf_add(&text, body);
        buf_addf(&text, "sum %s\n", sum);
        return maillog_positions_parse(buf_slice(&text), &positions);
}

static void fill(struct maillog_positions *p, size_t n)
{
        static char paths[MAILLOG_POSITIONS_MOST + 1][32];
        p->n = n;
        for (size_t i = 0; i < n; i++) {
                snprintf(paths[i], sizeof paths[i], "/var/log/mail %zu.log", i);
                p->all[i].path = slice_of(paths[i]);
                p->all[i].place =
                    (struct tail_place){ UINT64_MAX, i, INT64_MAX, INT64_MAX - (int64_t)i, TAIL_HEAD, 17, "", "" };
                snprintf(p->all[i].place.head, sizeof p->all[i].place.head, "%016zx", i * 7919);
                snprintf(p->all[i].place.before, sizeof p->all[i].place.before, "%016zx", i * 104729);
        }
}

static void assert_same(const struct maillog_positions *a, const struct maillog_positions *b)
{
        assert_int_equal(a->n, b->n);
        for (size_t i = 0; i < a->n; i++) {
                assert_true(slice_eq(a->all[i].path, b->all[i].path));
                assert_memory_equal(&a->all[i].place, &b->all[i].place,
                                    offsetof(struct tail_place, before) + TAIL_DIGEST + 1);
        }
}

static int end(void **state)
{
        (void)state;
        buf_done(&text);
        return 0;
}

static void what_is_printed_reads_the_same(void **state)
{
        (void)state;
        const size_t sizes[] = { 0, 1, 3, MAILLOG_POSITIONS_MOST };
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
                autobuf printed;
                buf_init(&printed, 1 << 20);
                memset(&positions, 0, sizeof positions);
                memset(&again, 0, sizeof again);
                fill(&positions, sizes[i]);
                maillog_positions_print(&positions, &printed);
                assert_null(maillog_positions_parse(buf_slice(&printed), &again));
                assert_same(&positions, &again);
        }
}

static void the_form_of_a_line(void **state)
{
        (void)state;
        assert_null(parse(S(HEADING PLACE "/var/log/mail.log\n")));
        const struct tail_place *p = &positions.all[0].place;
        assert_int_equal(positions.n, 1);
        assert_int_equal(p->device, 2049);
        assert_int_equal(p->inode, 131077);
        assert_int_equal(p->offset, 81920);
        assert_int_equal(p->written, 1784505600000000);
        assert_int_equal(p->head_n, 1024);
        assert_string_equal(p->head, "4c0f2a61d8e3b597");
        assert_int_equal(p->before_n, 256);
        assert_string_equal(p->before, "91be02c7f4a8d635");
        assert_true(slice_eq(positions.all[0].path, S("/var/log/mail.log")));
}

static void bodies_that_are_refused(void **state)
{
        (void)state;
#define NO_LINE "a line of it is no position"
        static const struct {
                struct slice body;
                const char *want;
        } cases[] = {
                { S(""), "it is no file of positions, or of another version" },
                { S("porteiro maillog positions 2\n"), "it is no file of positions, or of another version" },
                { S(HEADING "\n"), NO_LINE },
                { S(HEADING "/var/log/mail.log\n"), NO_LINE },
                { S(HEADING PLACE "\n"), NO_LINE },
                { S(HEADING PLACE "/a\0b\n"), NO_LINE },
                { S(HEADING "-1 2 3 4 5 4c0f2a61d8e3b597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "18446744073709551616 2 3 4 5 4c0f2a61d8e3b597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 9223372036854775808 4 5 4c0f2a61d8e3b597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 9223372036854775808 5 4c0f2a61d8e3b597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 4 1025 4c0f2a61d8e3b597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 300 4 5 4c0f2a61d8e3b597 257 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 4 5 4c0f2a61d8e3b597 4 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 4 5 4C0F2A61D8E3B597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 4 5 4c0f2a61d8e3b59 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 4 5 4c0f2a61d8e3b597 0 91be02c7f4a8d6355 /a\n"), NO_LINE },
                { S(HEADING "1 2 3 4 5  4c0f2a61d8e3b597 0 91be02c7f4a8d635 /a\n"), NO_LINE },
                { S(HEADING PLACE "/a\n" PLACE "/b\n" PLACE "/a\n"), "it names a file twice" },
        };
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                const char *got = parse(cases[i].body);
                if (!got || strcmp(got, cases[i].want) != 0)
                        fail_msg("%s: got %s, want %s", cases[i].body.p, got ? got : "nothing", cases[i].want);
                assert_int_equal(positions.n, 0);
        }
}

static void more_than_there_may_be(void **state)
{
        (void)state;
        autobuf body, path;
        buf_init(&body, 4 << 20);
        buf_adds(&body, HEADING);
        for (int i = 0; i <= MAILLOG_POSITIONS_MOST; i++)
                buf_addf(&body, PLACE "/%d\n", i);
        assert_string_equal(parse(buf_slice(&body)), "it names too many files");
        buf_init(&path, MAILLOG_PATH_MOST);
        while (!path.full)
                buf_addc(&path, 'x');
        buf_clear(&body);
        buf_addf(&body, HEADING PLACE "/%.*s\n", SLICE_ARGS(buf_slice(&path)));
        assert_string_equal(parse(buf_slice(&body)), "a line of it is no position");
}

/* Cut anywhere, or with any byte changed, it is not believed. */
static void torn_and_changed(void **state)
{
        (void)state;
        autobuf printed;
        buf_init(&printed, 1 << 20);
        fill(&positions, 2);
        maillog_positions_print(&positions, &printed);
        assert_string_equal(maillog_positions_parse(S(""), &again), "it is empty");
        for (size_t n = 1; n < printed.n; n++)
                assert_non_null(maillog_positions_parse((struct slice){ printed.p, n }, &again));
        for (size_t i = 0; i < printed.n; i++) {
                printed.p[i] ^= 1;
                assert_non_null(maillog_positions_parse(buf_slice(&printed), &again));
                assert_int_equal(again.n, 0);
                printed.p[i] ^= 1;
        }
        assert_null(maillog_positions_parse(buf_slice(&printed), &again));
        buf_addc(&printed, '\n');
        assert_string_equal(maillog_positions_parse(buf_slice(&printed), &again),
                            "it is damaged: its sum does not agree");
}

static void the_file(void **state)
{
        (void)state;
        char folder[] = "/tmp/porteiro-positions-XXXXXX";
        const char *why = NULL;
        struct stat st;
        assert_non_null(mkdtemp(folder));
        autofree char *file = xasprintf("%s/positions", folder), *beside = xasprintf("%s.new", file);
        autobuf none, loaded, torn;
        assert_int_equal(maillog_positions_load(file, &none, &again, &why), 0);
        assert_int_equal(again.n, 0);
        fill(&positions, 3);
        assert_int_equal(maillog_positions_save(file, &positions), 0);
        assert_int_equal(maillog_positions_load(file, &loaded, &again, &why), 0);
        assert_same(&positions, &again);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(access(beside, F_OK), -1);
        positions.all[1].path = S("two\nlines");
        assert_int_equal(maillog_positions_save(file, &positions), -EINVAL);
        assert_int_equal(truncate(file, st.st_size - 1), 0);
        assert_int_equal(maillog_positions_load(file, &torn, &again, &why), -EBADMSG);
        assert_string_equal(why, "it is damaged: its sum does not agree");
        assert_int_equal(unlink(file) | rmdir(folder), 0);
        assert_int_equal(maillog_positions_save(file, &again), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_printed_reads_the_same),
                cmocka_unit_test(the_form_of_a_line),
                cmocka_unit_test(bodies_that_are_refused),
                cmocka_unit_test(more_than_there_may_be),
                cmocka_unit_test(torn_and_changed),
                cmocka_unit_test(the_file),
        };
        return cmocka_run_group_tests(tests, NULL, end);
}
