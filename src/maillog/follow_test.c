/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that come and go, lines, places, and when to look. Rotations are in follow_rotation_test.c, all of it at random in follow_random_test.c. */
#include "maillog/follow_support.h"

#include <poll.h>

/* File systems tell times in ticks, and a test is quicker: what must be older than what comes is made so. */
static void age(struct scene *s, const char *ending)
{
        struct stat st;
        assert_int_equal(stat(at(s, ending), &st), 0);
        const struct timespec t[2] = { { st.st_mtime - 1, 0 }, { st.st_mtime - 1, 0 } };
        assert_int_equal(utimensat(AT_FDCWD, at(s, ending), t, 0), 0);
}

/* --- files that come and go --- */

static void a_file_that_appears_later(void **state)
{
        struct scene *s = *state;
        for (int i = 0; i < 5; i++)
                read_on(s);
        assert_string_equal(buf_cstr(&s->told), "0: there is no such file; it is waited for\n");
        append(s, "one\n");
        read_all(s);
        assert_seen(s, "one\n");
        assert_string_equal(buf_cstr(&s->told), "0: there is no such file; it is waited for\n0: it can be read\n");
}

static void a_file_that_appears_while_stopped_and_is_rotated(void **state)
{
        struct scene *s = *state;
        put(at(s, ".2"), S("long ago\n"), 0);
        age(s, ".2");
        maillog_follow_free(take(s->follow));
        start(s);
        read_all(s);
        stop(s);
        append(s, "one\n");
        rename_to(s, "", ".1");
        append(s, "two\n");
        start(s);
        read_on(s);
        assert_seen(s, "one\ntwo\n");
}

static void a_file_that_appears_and_is_rotated_before_anybody_looks(void **state)
{
        struct scene *s = *state;
        put(at(s, ".2"), S("long ago\n"), 0);
        age(s, ".2");
        maillog_follow_free(take(s->follow));
        start(s);
        append(s, "one\n");
        rename_to(s, "", ".1");
        append(s, "two\n");
        read_on(s);
        assert_seen(s, "one\ntwo\n");
}

static void a_file_that_vanishes_and_is_still_written(void **state)
{
        struct scene *s = *state;
        append(s, "one\n");
        read_all(s);
        autoclose int fd = open(s->path, O_WRONLY | O_APPEND);
        unlink(s->path);
        read_all(s);
        assert_int_equal(write(fd, "two\n", 4), 4);
        read_on(s);
        append(s, "");
        read_on(s);
        assert_int_equal(write(fd, "three\n", 6), 6);
        read_on(s);
        append(s, "four\n");
        read_on(s);
        assert_seen(s, "one\ntwo\nthree\nfour\n");
        assert_string_equal(buf_cstr(&s->told), "0: there is no such file; it is waited for\n0: it can be read\n");
}

static void a_file_that_was_removed_unread(void **state)
{
        struct scene *s = *state;
        append(s, "one\n");
        read_all(s);
        stop(s);
        unlink(s->path);
        append(s, "three\n");
        start(s);
        read_on(s);
        assert_seen(s, "one\nthree\n");
        assert_int_equal(maillog_follow_counts(s->follow).gone, 1);
        assert_non_null(strstr(buf_cstr(&s->told), "is gone"));
}

/* The file of the position went the way of old files; what is younger is all unread. */
static void the_oldest_went_away_while_stopped(void **state)
{
        struct scene *s = *state;
        put(at(s, ".1"), S("long ago\n"), 0);
        age(s, ".1");
        maillog_follow_free(take(s->follow));
        start(s);
        append(s, "one\n");
        age(s, "");
        read_all(s);
        stop(s);
        append(s, "lost\n");
        rename_to(s, ".1", ".3");
        unlink(s->path);
        put(at(s, ".2"), S("two\n"), 0);
        pack(s, ".2");
        put(at(s, ".1"), S("three\n"), 0);
        append(s, "four\n");
        start(s);
        read_on(s);
        assert_seen(s, "one\ntwo\nthree\nfour\n");
}

static void a_folder_that_is_not_mounted_yet(void **state)
{
        struct scene *s = *state;
        char elsewhere[80];
        append(s, "one\n");
        read_all(s);
        stop(s);
        append(s, "two\n");
        snprintf(elsewhere, sizeof elsewhere, "%s-away", s->folder);
        autofree char *store = xstrdup(s->store);
        snprintf(s->store, sizeof s->store, "%s/positions", elsewhere);
        assert_int_equal(rename(s->folder, elsewhere), 0);
        start(s);
        read_on(s);
        assert_int_equal(rename(elsewhere, s->folder), 0);
        snprintf(s->store, sizeof s->store, "%s", store);
        read_on(s);
        assert_seen(s, "one\ntwo\n");
        assert_int_equal(maillog_follow_counts(s->follow).gone, 0);
}

static void without_permission_for_a_while(void **state)
{
        struct scene *s = *state;
        bool root = geteuid() == 0; /* whom nothing is refused */
        append(s, "one\n");
        read_all(s);
        stop(s);
        append(s, "two\n");
        rename_to(s, "", ".1");
        append(s, "three\n");
        assert_int_equal(chmod(at(s, ".1"), 0) | chmod(s->path, 0644) | chmod(s->store, 0644), 0);
        assert_int_equal(chmod(s->folder, 0755) | (root ? seteuid(65534) : 0), 0);
        start(s);
        for (int i = 0; i < 5; i++)
                read_on(s);
        assert_seen(s, "one\n"); /* what may be in the other one comes first */
        assert_string_equal(
            buf_cstr(&s->told),
            "0: it, or a file it was rotated to, cannot be read: Permission denied; tried again and again\n");
        assert_int_equal(root ? seteuid(0) : 0, 0);
        assert_int_equal(chmod(at(s, ".1"), 0600), 0);
        read_on(s);
        assert_seen(s, "one\ntwo\nthree\n");
        assert_true(slice_ends(buf_slice(&s->told), S("again\n0: it can be read\n")));
}

static void an_inode_that_comes_again(void **state)
{
        struct scene *s = *state;
        struct stat old, new;
        for (int i = 0; i < 20; i++) {
                autofree char *text = xasprintf("%d %d\n", i, i * 7919);
                append(s, text);
                assert_int_equal(stat(s->path, &old), 0);
                read_all(s);
                stop(s);
                unlink(s->path);
                append(s, i % 2 ? "longer than it was before\n" : "new\n");
                assert_int_equal(stat(s->path, &new), 0);
                buf_clear(&s->seen);
                start(s);
                read_on(s);
                assert_seen(s, i % 2 ? "longer than it was before\n" : "new\n");
        }
        print_message("inode %s\n", old.st_ino == new.st_ino ? "came again" : "did not come again");
}

/* --- lines --- */

static void half_lines(void **state)
{
        struct scene *s = *state;
        append(s, "one\ntw");
        read_on(s);
        assert_seen(s, "one\n");
        assert_int_equal(maillog_follow_behind(s->follow, 0), 0);
        append(s, "o\nthr");
        read_on(s);
        assert_seen(s, "one\ntwo\n");
        stop(s);
        append(s, "ee");
        start(s);
        read_on(s);
        append(s, "\nfo");
        read_on(s);
        assert_seen(s, "one\ntwo\nthree\n");
        rename_to(s, "", ".1");
        append(s, "five\n");
        read_all(s);
        s->now += MAILLOG_FOLLOW_GRACE - 1;
        read_all(s);
        assert_seen(s, "one\ntwo\nthree\n");
        s->now++;
        read_all(s);
        assert_seen(s, "one\ntwo\nthree\nfofive\n");
}

/* It is known where each piece stood, be it the half line of a file that is no longer read. */
static void pieces_say_where_they_stood(void **state)
{
        struct scene *s = *state;
        struct maillog_piece piece;
        struct stat st;
        append(s, "one\ntwo\nhalf");
        assert_int_equal(stat(s->path, &st), 0);
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 1);
        assert_int_equal(piece.offset, 0);
        rename_to(s, "", ".1");
        append(s, "next\n");
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 0);
        s->now += MAILLOG_FOLLOW_GRACE;
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 1);
        assert_true(slice_eq(piece.lines, S("half")));
        assert_int_equal(piece.offset, 8);
        assert_int_equal(piece.inode, st.st_ino);
        assert_int_equal(piece.device, st.st_dev);
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 1);
        assert_int_equal(piece.offset, 0);
        assert_true(piece.inode != st.st_ino);
}

static void what_is_not_done_comes_again(void **state)
{
        struct scene *s = *state;
        struct maillog_piece piece;
        append(s, "one\n");
        read_all(s);
        append(s, "two\n");
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 1);
        rename_to(s, "", ".1");
        append(s, "three\n");
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 0);
        s->now += MAILLOG_FOLLOW_GRACE;
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 1);
        assert_true(slice_eq(piece.lines, S("three\n")));
        stop(s);
        start(s);
        read_on(s);
        assert_seen(s, "one\ntwo\nthree\n");
}

static void put_long(struct scene *s, size_t n)
{
        autofree char *text = xmalloc(n);
        memset(text, 'x', n);
        put(s->path, (struct slice){ text, n }, O_APPEND);
}

static void lines_that_are_too_long(void **state)
{
        struct scene *s = *state;
        append(s, "one\n");
        put_long(s, 3 << 20);
        append(s, "\ntwo\n");
        put_long(s, MAILLOG_LINE_MOST + 1);
        append(s, "\n");
        read_all(s);
        assert_seen(s, "one\ntwo\n");
        assert_int_equal(maillog_follow_counts(s->follow).too_long, 2);
        put_long(s, MAILLOG_LINE_MOST);
        append(s, "\n");
        read_all(s);
        assert_int_equal(s->seen.n, 8 + MAILLOG_LINE_MOST + 1);
        buf_clear(&s->seen);
        put_long(s, 2 << 20);
        read_all(s); /* its rest is no line of its own, to whoever comes later either */
        stop(s);
        append(s, "rest\nthree\n");
        start(s);
        read_all(s);
        assert_seen(s, "three\n");
        assert_int_equal(maillog_follow_counts(s->follow).too_long, 1);
        put_long(s, 2 << 20);
        read_all(s);
        rename_to(s, "", ".1");
        append(s, "four\n");
        read_on(s);
        assert_seen(s, "three\nfour\n");
}

static void bytes_that_are_no_text(void **state)
{
        struct scene *s = *state;
        put(s->path, S("a\0b\n\0\n\xff\xfe"), O_APPEND);
        read_all(s);
        stop(s);
        put(s->path, S("\0\n"), O_APPEND);
        rename_to(s, "", ".1");
        pack(s, ".1");
        start(s);
        append(s, "c\n");
        read_on(s);
        assert_true(slice_eq(buf_slice(&s->seen), S("a\0b\n\0\n\xff\xfe\0\nc\n")));
}

/* Who does not append writes on at his old offset. */
static void a_hole_where_it_was_cut(void **state)
{
        struct scene *s = *state;
        put_long(s, 2 << 20);
        append(s, "\n");
        autoclose int fd = open(s->path, O_WRONLY);
        assert_true(lseek(fd, 0, SEEK_END) > 0);
        assert_int_equal(write(fd, "one\n", 4), 4);
        read_all(s);
        assert_int_equal(truncate(s->path, 0), 0);
        assert_int_equal(write(fd, "two\n", 4), 4);
        read_all(s);
        stop(s);
        assert_int_equal(write(fd, "three\n", 6), 6);
        start(s);
        read_all(s);
        assert_seen(s, "one\ntwo\nthree\n");
}

static void cut_without_a_copy(void **state)
{
        struct scene *s = *state;
        append(s, "one\ntw");
        read_all(s);
        assert_int_equal(truncate(s->path, 0), 0);
        append(s, "three\n");
        read_on(s);
        assert_seen(s, "one\ntwthree\n");
        assert_int_equal(maillog_follow_counts(s->follow).cut, 1);
}

static void damaged_packed_data(void **state)
{
        struct scene *s = *state;
        struct stat st;
        append(s, "one\n");
        read_all(s);
        stop(s);
        rename_to(s, "", ".2");
        append(s, "two\n");
        for (int i = 0; i < 1000; i++)
                append(s, "and more\n");
        rename_to(s, "", ".1");
        pack(s, ".1");
        assert_int_equal(stat(at(s, ".1.gz"), &st), 0);
        assert_int_equal(truncate(at(s, ".1.gz"), st.st_size - 8), 0);
        append(s, "three\n");
        start(s);
        read_on(s);
        assert_true(slice_starts(buf_slice(&s->seen), S("one\ntwo\nand more\n")));
        assert_true(slice_ends(buf_slice(&s->seen), S("and more\nthree\n")));
        assert_non_null(strstr(buf_cstr(&s->told), "could not be read to its end: it ends in the middle"));
}

static void bytes_that_are_behind(void **state)
{
        struct scene *s = *state;
        append(s, "one\n");
        read_all(s);
        stop(s);
        append(s, "two\n");
        rename_to(s, "", ".1");
        append(s, "three\n");
        start(s);
        struct maillog_piece piece;
        assert_int_equal(maillog_follow_step(s->follow, s->now, &piece), 1);
        assert_int_equal(maillog_follow_behind(s->follow, 0), 6);
        read_on(s);
        assert_int_equal(maillog_follow_behind(s->follow, 0), 0);
}

/* --- when to look --- */

static bool readable(struct scene *s)
{
        struct pollfd p = { maillog_follow_fd(s->follow), POLLIN, 0 };
        return poll(&p, 1, 0) == 1;
}

static void wakes_only_when_there_is_something(void **state)
{
        struct scene *s = *state;
        bool listen;
        append(s, "one\n");
        read_all(s);
        assert_int_equal(maillog_follow_pause(s->follow, s->now, &listen), MAILLOG_FOLLOW_BATCH);
        assert_false(listen);
        s->now += MAILLOG_FOLLOW_BATCH;
        read_all(s);
        assert_int_equal(maillog_follow_pause(s->follow, s->now, &listen), MAILLOG_FOLLOW_POLL);
        assert_true(listen);
        assert_false(readable(s));
        put(at(s, ".neighbour"), S(""), 0);
        read_all(s);
        put(at(s, ".neighbour"), S("of no concern"), 0);
        assert_false(readable(s));
        append(s, "two\n");
        assert_true(readable(s));
        read_all(s);
        s->now += MAILLOG_FOLLOW_BATCH;
        read_all(s);
        assert_false(readable(s));
        rename_to(s, "", ".1");
        append(s, "three\n");
        assert_true(readable(s));
        read_all(s);
        assert_int_equal(maillog_follow_pause(s->follow, s->now, &listen), MAILLOG_FOLLOW_GRACE);
        s->now += MAILLOG_FOLLOW_GRACE;
        read_all(s);
        assert_seen(s, "one\ntwo\nthree\n");
}

/* 231 lines a second for a minute. */
static void four_wakes_a_second_under_a_trickle(void **state)
{
        struct scene *s = *state;
        bool listen = true;
        int64_t wake = s->now;
        int wakes = 0;
        for (int i = 0; i < 231 * 60; i++) {
                append(s, "a line\n");
                s->now += SECOND / 231;
                if (s->now < wake && !(listen && readable(s)))
                        continue;
                read_all(s);
                wakes++;
                wake = s->now + maillog_follow_pause(s->follow, s->now, &listen);
        }
        s->now = wake;
        read_all(s);
        assert_int_equal(s->seen.n, 231 * 60 * 7);
        assert_in_range(wakes, 230, 242);
}

static void many_files_take_turns(void **state)
{
        struct scene *s = *state;
        static struct maillog_positions p;
        struct maillog_piece piece;
        char paths[3][160];
        const char *list[3];
        size_t n[3] = { 0 };
        for (size_t i = 0; i < 3; i++) {
                snprintf(paths[i], sizeof paths[i], "%s/%zu.log", s->folder, i);
                list[i] = paths[i];
                put(paths[i], S("a line\n"), O_APPEND);
        }
        for (int i = 0; i < 5; i++) {
                autofree char *much = xmalloc(MAILLOG_FOLLOW_PIECE);
                memset(much, '\n', MAILLOG_FOLLOW_PIECE);
                put(paths[0], (struct slice){ much, MAILLOG_FOLLOW_PIECE }, O_APPEND);
        }
        struct maillog_follow *f = maillog_follow_open(&(struct maillog_follow_options){ list, 3, NULL, NULL, NULL });
        for (int i = 0; i < 3; i++) {
                assert_int_equal(maillog_follow_step(f, s->now, &piece), 1);
                n[piece.file]++;
        }
        assert_true(n[0] == 1 && n[1] == 1 && n[2] == 1);
        maillog_follow_positions(f, &p);
        assert_int_equal(p.n, 3);
        assert_int_equal(maillog_follow_behind(f, 0), 7 + 4 * MAILLOG_FOLLOW_PIECE);
        maillog_follow_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_file_that_appears_later),
                TEST(a_file_that_appears_while_stopped_and_is_rotated),
                TEST(a_file_that_appears_and_is_rotated_before_anybody_looks),
                TEST(a_file_that_vanishes_and_is_still_written),
                TEST(a_file_that_was_removed_unread),
                TEST(the_oldest_went_away_while_stopped),
                TEST(a_folder_that_is_not_mounted_yet),
                TEST(without_permission_for_a_while),
                TEST(an_inode_that_comes_again),
                TEST(half_lines),
                TEST(pieces_say_where_they_stood),
                TEST(what_is_not_done_comes_again),
                TEST(lines_that_are_too_long),
                TEST(bytes_that_are_no_text),
                TEST(a_hole_where_it_was_cut),
                TEST(cut_without_a_copy),
                TEST(damaged_packed_data),
                TEST(bytes_that_are_behind),
                TEST(wakes_only_when_there_is_something),
                TEST(four_wakes_a_second_under_a_trickle),
                TEST(many_files_take_turns),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
