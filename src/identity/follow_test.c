/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A real folder, in which a writer does what writers of logs do. */
#include "identity/follow.h"

#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

struct scene {
        char folder[64], path[128], old[128];
        struct follow *follow;
        struct buf seen; /* what was read; "|next|" and "|cut|" where another file began */
        int64_t now;
};

static void put(const char *path, const char *text, int how)
{
        autoclose int fd = open(path, O_WRONLY | O_CREAT | how, 0600);
        assert_true(fd != -1);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void append(struct scene *s, const char *text)
{
        put(s->path, text, O_APPEND);
}

static void read_all(struct scene *s)
{
        char room[7]; /* in pieces */
        size_t n;
        enum tail_found found;
        while ((found = tail_read(follow_tail(s->follow), s->now, room, sizeof room, &n)) != TAIL_WAIT)
                if (found == TAIL_BYTES)
                        buf_add(&s->seen, (struct slice){ room, n });
                else
                        buf_adds(&s->seen, found == TAIL_NEXT ? "|next|" : "|cut|");
}

/* As long as it takes for a successor to be believed. */
static void read_on(struct scene *s)
{
        read_all(s);
        s->now += FOLLOW_GRACE;
        read_all(s);
}

#define assert_seen(s, want) assert_string_equal(buf_cstr(&(s)->seen), want)

static int begin(void **state)
{
        struct scene *s = xcalloc(1, sizeof *s);
        snprintf(s->folder, sizeof s->folder, "/tmp/porteiro-follow-XXXXXX");
        assert_non_null(mkdtemp(s->folder));
        snprintf(s->path, sizeof s->path, "%s/detail", s->folder);
        snprintf(s->old, sizeof s->old, "%s/detail.1", s->folder);
        s->follow = follow_new(s->path);
        s->now = HOUR;
        buf_init(&s->seen, 1 << 20);
        *state = s;
        return 0;
}

static int end(void **state)
{
        struct scene *s = *state;
        unlink(s->path);
        unlink(s->old);
        rmdir(s->folder);
        follow_free(s->follow);
        buf_done(&s->seen);
        free(s);
        return 0;
}

static void a_file_that_is_not_there_yet_and_then_grows(void **state)
{
        struct scene *s = *state;
        read_all(s);
        assert_int_equal(tail_trouble(follow_tail(s->follow)), ENOENT);
        append(s, "one ");
        read_all(s);
        assert_int_equal(tail_trouble(follow_tail(s->follow)), 0);
        append(s, "");
        read_all(s);
        append(s, "and two and ");
        append(s, "three");
        read_all(s);
        assert_seen(s, "one and two and three");
}

static void what_is_no_file_is_not_read(void **state)
{
        struct scene *s = *state;
        assert_int_equal(mkfifo(s->path, 0600), 0);
        read_all(s);
        assert_int_equal(tail_trouble(follow_tail(s->follow)), EINVAL);
}

static void rename_and_create(void **state)
{
        struct scene *s = *state;
        append(s, "one ");
        read_all(s);
        append(s, "two ");
        rename(s->path, s->old);
        append(s, "three ");
        read_all(s); /* two is read; three waits for what may still come */
        assert_seen(s, "one two ");
        put(s->old, "late ", O_APPEND);
        read_on(s);
        append(s, "four");
        read_on(s);
        assert_seen(s, "one two late |next|three four");
}

static void a_writer_who_is_slow_to_notice(void **state)
{
        struct scene *s = *state;
        append(s, "one ");
        read_all(s);
        rename(s->path, s->old);
        append(s, ""); /* made, and nothing in it yet: the old one is still the one */
        for (int i = 0; i < 5; i++) {
                read_on(s);
                put(s->old, "more ", O_APPEND);
        }
        read_on(s);
        assert_seen(s, "one more more more more more ");
        append(s, "two");
        read_on(s);
        assert_seen(s, "one more more more more more |next|two");
}

static void gone_for_a_while(void **state)
{
        struct scene *s = *state;
        append(s, "one ");
        read_all(s);
        unlink(s->path);
        read_on(s);
        assert_int_equal(tail_trouble(follow_tail(s->follow)), ENOENT);
        append(s, "two");
        read_on(s);
        assert_seen(s, "one |next|two");
}

static void replaced_by_a_whole_new_one(void **state)
{
        struct scene *s = *state;
        append(s, "a=1 b=1 ");
        read_all(s);
        append(s, "c=1 "); /* not read before it was replaced: the new one says it again */
        put(s->old, "b=1 c=1 ", O_TRUNC);
        rename(s->old, s->path);
        read_on(s);
        assert_seen(s, "a=1 b=1 c=1 |next|b=1 c=1 ");
}

static void cut_to_nothing_and_shorter(void **state)
{
        struct scene *s = *state;
        append(s, "one two ");
        read_all(s);
        put(s->path, "", O_TRUNC);
        read_all(s);
        append(s, "three ");
        read_all(s);
        put(s->path, "4", O_TRUNC);
        read_all(s);
        assert_seen(s, "one two |cut|three |cut|4");
}

static void cut_and_longer_again_before_anybody_looked(void **state)
{
        struct scene *s = *state;
        append(s, "one two ");
        read_all(s);
        put(s->path, "three four five ", O_TRUNC);
        read_all(s);
        assert_seen(s, "one two |cut|three four five ");
}

/* The same heading, and much of the same behind it. */
static void cut_where_only_the_middle_differs(void **state)
{
        struct scene *s = *state;
        char text[1200];
        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        append(s, text);
        read_all(s);
        buf_clear(&s->seen);
        text[sizeof text - 100] = 'y';
        put(s->path, text, O_TRUNC);
        append(s, "z");
        read_all(s);
        assert_true(slice_starts(buf_slice(&s->seen), S("|cut|xxx")));
        assert_int_equal(s->seen.n, 5 + sizeof text);
}

static void place_of(struct scene *s, uint64_t offset, uint64_t line, struct slice heading, struct buf *out)
{
        buf_clear(out);
        follow_place(s->follow, &(struct reader_place){ offset, line, heading }, out);
        assert_true(out->n > 0);
}

/* As after a crash: all that is known is the text of the place. */
static bool resume(struct scene *s, struct buf *place, struct reader_place *ret)
{
        follow_free(s->follow);
        s->follow = follow_new(s->path);
        buf_clear(&s->seen);
        bool found = follow_resume(s->follow, buf_slice(place), ret);
        read_on(s);
        return found;
}

static void from_the_exact_byte_after_a_restart(void **state)
{
        struct scene *s = *state;
        struct reader_place p;
        autobuf place;
        buf_init(&place, 8192);
        append(s, "head\none\ntwo\nthr");
        read_all(s);
        place_of(s, 13, 4, S("head\n\xff"), &place);
        append(s, "ee\n");
        assert_true(resume(s, &place, &p));
        assert_int_equal(p.offset, 13);
        assert_int_equal(p.line, 4);
        assert_true(slice_eq(p.heading, S("head\n\xff")));
        assert_seen(s, "three\n");
}

static void rotated_while_nobody_followed(void **state)
{
        struct scene *s = *state;
        struct reader_place p;
        autobuf place;
        buf_init(&place, 8192);
        append(s, "one two ");
        read_all(s);
        place_of(s, 4, 1, S(""), &place);
        append(s, "three ");
        rename(s->path, s->old);
        append(s, "four ");
        assert_true(resume(s, &place, &p));
        assert_seen(s, "two three |next|four ");
}

static void another_file_under_the_old_inode(void **state)
{
        struct scene *s = *state;
        struct reader_place p;
        autobuf place;
        buf_init(&place, 8192);
        append(s, "one two ");
        read_all(s);
        place_of(s, 8, 1, S(""), &place);
        put(s->path, "three four five ", O_TRUNC);
        assert_false(resume(s, &place, &p));
        assert_seen(s, "three four five ");
}

static void shorter_than_its_place(void **state)
{
        struct scene *s = *state;
        struct reader_place p;
        autobuf place;
        buf_init(&place, 8192);
        append(s, "one two ");
        read_all(s);
        place_of(s, 8, 1, S(""), &place);
        put(s->path, "one", O_TRUNC);
        assert_false(resume(s, &place, &p));
        assert_seen(s, "one");
}

static void texts_that_are_no_place(void **state)
{
        static const char *const texts[] = {
                "",
                "1",
                "1 2 3 4 3",
                "1 2 3 4 zz ",
                "1 2 3 4 3 0123456789abcdef 3 0123456789abcdef",
                "x 2 3 4 3 0123456789abcdef 3 0123456789abcdef 4 ",
                "1 2 3 4 3 0123456789abcdef 3 0123456789abcdef 4 0",
                "1 2 3 4 3 0123456789abcdef 3 0123456789abcdef 4 0g",
                "1 2 3 4 3 0123456789abcdef 3 0123456789abcdef 4 ff ff",
                "1 2 3 4 1025 0123456789abcdef 3 0123456789abcdef 4 ff",
        };
        struct scene *s = *state;
        struct reader_place p;
        append(s, "one");
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                autobuf place;
                buf_init(&place, 8192);
                buf_adds(&place, texts[i]);
                assert_false(resume(s, &place, &p));
                assert_seen(s, "one");
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_file_that_is_not_there_yet_and_then_grows),
                TEST(what_is_no_file_is_not_read),
                TEST(rename_and_create),
                TEST(a_writer_who_is_slow_to_notice),
                TEST(gone_for_a_while),
                TEST(replaced_by_a_whole_new_one),
                TEST(cut_to_nothing_and_shorter),
                TEST(cut_and_longer_again_before_anybody_looked),
                TEST(cut_where_only_the_middle_differs),
                TEST(from_the_exact_byte_after_a_restart),
                TEST(rotated_while_nobody_followed),
                TEST(another_file_under_the_old_inode),
                TEST(shorter_than_its_place),
                TEST(texts_that_are_no_place),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
