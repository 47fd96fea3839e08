/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every way a log is rotated: with a follower that is awake meanwhile, with one that is stopped and goes on from its stored position, and with
 * one that dies besides. One and two were read before; the rest comes. */
#include "maillog/follow_support.h"

static void by_rename(struct scene *s)
{
        append(s, "three\n");
        rename_to(s, "", ".1");
        append(s, "four\nfive\n");
}

static void by_rename_and_a_slow_writer(struct scene *s)
{
        rename_to(s, "", ".1");
        append(s, "");
        put(at(s, ".1"), S("three\nfour\n"), O_APPEND);
        append(s, "five\n");
}

static void by_rename_with_half_a_line(struct scene *s)
{
        append(s, "thr");
        rename_to(s, "", ".1");
        append(s, "four\n");
        put(at(s, ".1"), S("ee\n"), O_APPEND);
        append(s, "five\n");
}

static void by_rename_to_any_name(struct scene *s)
{
        append(s, "three\n");
        rename_to(s, "", ".old");
        append(s, "four\nfive\n");
}

static void by_rename_with_a_date(struct scene *s)
{
        put(at(s, "-20261130"), S("long ago\n"), 0);
        append(s, "three\n");
        rename_to(s, "", "-20261201");
        append(s, "four\n");
        rename_to(s, "", "-20261202");
        append(s, "five\n");
}

static void by_rename_and_gzip(struct scene *s)
{
        append(s, "three\n");
        rename_to(s, "", ".1");
        pack(s, ".1");
        append(s, "four\nfive\n");
}

static void twice_at_once(struct scene *s)
{
        append(s, "three\n");
        rename_to(s, "", ".1");
        append(s, "four\n");
        rename_to(s, ".1", ".2");
        rename_to(s, "", ".1");
        append(s, "five\n");
}

static void three_times_packed(struct scene *s)
{
        put(at(s, ".2.gz"), S("no gzip at all\n"), 0); /* older, and of no concern */
        rename_to(s, ".2.gz", ".10.gz");
        append(s, "three\n");
        rename_to(s, "", ".1");
        pack(s, ".1");
        append(s, "four\n");
        rename_to(s, ".1.gz", ".2.gz");
        rename_to(s, "", ".1");
        rename_to(s, ".2.gz", ".3.gz");
        rename_to(s, ".1", ".2");
        pack(s, ".2");
        append(s, "five\n");
        rename_to(s, "", ".1");
        pack(s, ".1");
}

static void packed_beside_its_plain_one(struct scene *s)
{
        append(s, "three\n");
        rename_to(s, "", ".1");
        append(s, "four\n");
        rename_to(s, ".1", ".2");
        rename_to(s, "", ".1");
        put(at(s, ".1.gz"), S("\x1f\x8b\x08"), 0); /* being packed right now */
        append(s, "five\n");
}

static void by_copy_and_cut(struct scene *s)
{
        append(s, "three\n");
        copy_and_cut(s, ".1");
        append(s, "four\nfive\n");
}

static void by_copy_and_cut_twice_and_packed(struct scene *s)
{
        append(s, "three\n");
        copy_and_cut(s, ".1");
        pack(s, ".1");
        rename_to(s, ".1.gz", ".2.gz");
        append(s, "four\n");
        copy_and_cut(s, ".1");
        append(s, "five\n");
}

static void by_copy_and_cut_and_longer_than_before(struct scene *s)
{
        copy_and_cut(s, ".1");
        append(s, "three\nfour\nfive\n");
}

static void by_a_copy_in_its_place(struct scene *s)
{
        copy(s, "", ".tmp");
        put(at(s, ".tmp"), S("three\nfour\nfive\n"), O_APPEND);
        rename_to(s, ".tmp", "");
}

static void by_copies_in_all_their_places(struct scene *s)
{
        copy(s, "", ".tmp");
        put(at(s, ".tmp"), S("three\n"), O_APPEND);
        rename_to(s, ".tmp", ".1");
        put(at(s, ".tmp"), S("four\nfive\n"), O_APPEND);
        rename_to(s, ".tmp", "");
}

static void by_removal(struct scene *s)
{
        assert_int_equal(unlink(s->path), 0);
        append(s, "three\nfour\nfive\n");
}

static void by_a_link_that_moves(struct scene *s)
{
        append(s, "three\n");
        rename_to(s, "", "-20261201");
        put(at(s, "-20261202"), S("four\n"), 0);
        put(at(s, "-20261203"), S("five\n"), 0);
        assert_int_equal(symlink("mail.log-20261203", s->path), 0);
}

static const struct {
        const char *name;
        void (*run)(struct scene *s);
} rotations[] = {
        { "rename", by_rename },
        { "rename, slow writer", by_rename_and_a_slow_writer },
        { "rename, half a line", by_rename_with_half_a_line },
        { "rename to any name", by_rename_to_any_name },
        { "rename with a date", by_rename_with_a_date },
        { "rename and gzip", by_rename_and_gzip },
        { "twice at once", twice_at_once },
        { "three times, packed", three_times_packed },
        { "packed beside its plain one", packed_beside_its_plain_one },
        { "copytruncate", by_copy_and_cut },
        { "copytruncate twice, packed", by_copy_and_cut_twice_and_packed },
        { "copytruncate, longer than before", by_copy_and_cut_and_longer_than_before },
        { "a copy in its place", by_a_copy_in_its_place },
        { "copies in all their places", by_copies_in_all_their_places },
        { "removed and made anew", by_removal },
        { "a link that moves", by_a_link_that_moves },
};

enum awake { ALIVE, STOPPED, CRASHED };

/* Crashed: what was read is read again, for its position was not stored. */
static void crash(struct scene *s)
{
        struct maillog_piece piece;
        start(s);
        for (int i = 0; i < 6; i++) {
                if (maillog_follow_step(s->follow, s->now, &piece) == 1)
                        maillog_follow_done(s->follow, 0);
                s->now += MAILLOG_FOLLOW_GRACE;
        }
        maillog_follow_free(take(s->follow));
}

static void rotated(struct scene *s, size_t i, enum awake awake)
{
        append(s, "one\ntwo\n");
        read_all(s);
        if (awake != ALIVE)
                stop(s);
        rotations[i].run(s);
        if (awake == CRASHED)
                crash(s);
        if (awake != ALIVE)
                start(s);
        read_on(s);
        if (strcmp(buf_cstr(&s->seen), "one\ntwo\nthree\nfour\nfive\n") != 0)
                fail_msg("%s, %d: %s [%s]", rotations[i].name, awake, buf_cstr(&s->seen), buf_cstr(&s->told));
        append(s, "six\n");
        read_on(s);
        assert_true(slice_ends(buf_slice(&s->seen), S("five\nsix\n")));
        assert_int_equal(maillog_follow_behind(s->follow, 0), 0);
}

static void each_rotation(struct scene *s, enum awake awake)
{
        for (size_t i = 0; i < COUNT_OF(rotations); i++) {
                rotated(s, i, awake);
                maillog_follow_free(s->follow);
                clear_folder(s);
                buf_clear(&s->seen);
                buf_clear(&s->told);
                start(s);
        }
}

static void every_rotation_while_awake(void **state)
{
        each_rotation(*state, ALIVE);
}

static void every_rotation_while_stopped(void **state)
{
        each_rotation(*state, STOPPED);
}

static void every_rotation_and_a_crash(void **state)
{
        each_rotation(*state, CRASHED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(every_rotation_while_awake),
                TEST(every_rotation_while_stopped),
                TEST(every_rotation_and_a_crash),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
