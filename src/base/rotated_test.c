/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/rotated.h"

#include "base/buf.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

static char folder[] = "/tmp/porteiro-rotated-XXXXXX";

static int begin(void **state)
{
        (void)state;
        return mkdtemp(folder) ? 0 : -1;
}

static void clear(void)
{
        struct dirent *e;
        DIR *d = opendir(folder);
        assert_non_null(d);
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
}

static int end(void **state)
{
        (void)state;
        return rmdir(folder);
}

/* Files of the names, "NAME@TIME" written then; each a second after the one before it else. */
static void make(const char *names)
{
        time_t now = 1000000000;
        for (struct slice rest = slice_of(names), name; rest.n;) {
                uint64_t at = 0;
                name = slice_cut(slice_cut(rest, ' ', &rest), '@', &(struct slice){ 0 });
                const char *end = name.p + name.n;
                slice_u64(*end == '@' ? (struct slice){ end + 1, 1 } : S("0"), 9, &at);
                autofree char *path = xasprintf("%s/%.*s", folder, SLICE_ARGS(name));
                autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                const struct timespec t[2] = { { at ? (time_t)at : now, 0 }, { at ? (time_t)at : now, 0 } };
                assert_int_equal(futimens(fd, t), 0);
                now++;
        }
}

static void the_order_they_were_written_in(void **state)
{
        (void)state;
        static const struct {
                const char *log, *files, *want;
        } cases[] = {
                { "mail.log", "", "" },
                { "mail.log", "mail.log", "mail.log" },
                { "mail.log", "mail.log mail.log.1 mail.log.2.gz mail.log.10.xz mail.log.9.zst",
                  "mail.log.10.xz mail.log.9.zst mail.log.2.gz mail.log.1 mail.log" },
                { "mail.log", "mail.log.0 mail.log.1", "mail.log.1 mail.log.0" },
                { "mail.log", "mail.log-20261202 mail.log-20261201.gz mail.log-20261203 mail.log",
                  "mail.log-20261201.gz mail.log-20261202 mail.log-20261203 mail.log" },
                { "mail.log", "mail-20261202.log mail-20261201.log.gz mail.log",
                  "mail-20261201.log.gz mail-20261202.log mail.log" },
                { "mail.log", "mail.log-2026-12-01_10:00 mail.log-2026-12-01_09:00",
                  "mail.log-2026-12-01_09:00 mail.log-2026-12-01_10:00" },
                { "mail.log", "mail.log.1-20261201 mail.log.1@7 mail.log-1784505600@8",
                  "mail.log.1 mail.log-1784505600 mail.log.1-20261201" },
                { "mail.log", "mail.log.1@9 mail.log-20261201@8 mail.log.2@7 mail.log@1",
                  "mail.log.2 mail.log-20261201 mail.log.1 mail.log" },
                { "mail.log", "mail.log.1 mail.log.1.gz mail.log.2.gz mail.log.2.xz",
                  "mail.log.2.gz mail.log.2.xz mail.log.1" },
                { "mail.log",
                  "mail.log.old mail.log.bak mail.log.1.bz2 mail.log.1a mail.logs.1 mail.err.1 mail.log1 mail", "" },
                { "mail", "mail.log mail.1 mail.log.1", "mail.1" },
                { "a.b.log", "a.b.log.2 a.b-20261201.log a.1.log", "a.b.log.2 a.b-20261201.log" },
        };
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                autobuf got;
                autorotated l = { 0 };
                buf_init(&got, 4096);
                make(cases[i].files);
                rotated_find(&l, folder, cases[i].log, true, 0);
                for (size_t k = 0; k < l.n; k++)
                        buf_addf(&got, "%s%s", k ? " " : "", l.all[k].name);
                clear();
                if (strcmp(buf_cstr(&got), cases[i].want) != 0)
                        fail_msg("%s: got %s, want %s", cases[i].files, buf_cstr(&got), cases[i].want);
        }
}

static void one_inode_under_any_name(void **state)
{
        (void)state;
        struct stat st;
        make("mail.log mail.log.1 other");
        autofree char *path = xasprintf("%s/other", folder);
        assert_int_equal(stat(path, &st), 0);
        autorotated l = { 0 };
        rotated_find(&l, folder, "mail.log", false, st.st_ino);
        assert_int_equal(l.n, 2);
        assert_string_equal(l.all[0].name, "other");
        assert_true(l.has_log);
        clear();
}

static void what_is_no_file_and_what_is_the_log_itself(void **state)
{
        (void)state;
        autofree char *one = xasprintf("%s/mail.log.1", folder), *two = xasprintf("%s/mail.log.2", folder);
        make("mail.log");
        assert_int_equal(symlink("mail.log", one) | mkfifo(two, 0600), 0);
        autorotated l = { 0 }, nowhere = { 0 };
        rotated_find(&l, folder, "mail.log", true, 0);
        assert_int_equal(l.n, 1);
        clear();
        rotated_find(&nowhere, "/nowhere/at/all", "mail.log", true, 0);
        assert_int_equal(nowhere.n, 0);
        assert_false(nowhere.has_log);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_order_they_were_written_in),
                cmocka_unit_test(one_inode_under_any_name),
                cmocka_unit_test(what_is_no_file_and_what_is_the_log_itself),
        };
        return cmocka_run_group_tests(tests, begin, end);
}
