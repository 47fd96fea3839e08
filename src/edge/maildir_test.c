/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is on disk after a delivery, and after one that was stopped at any of its system calls. */
#include "edge/maildir.h"
#include "base/time.h"
#include "edge/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)kind, (void)at;
        return remove(path);
}

static int setup(void **state)
{
        (void)state;
        snprintf(folder, sizeof folder, "/tmp/porteiro-maildir-XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
        (void)state;
        return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct maildir opened(const struct maildir_hook *hook)
{
        struct maildir m;
        autobuf why;
        buf_init(&why, 4096);
        if (maildir_open(&m, folder, hook, &why) != 0)
                fail_msg("%s", buf_cstr(&why));
        return m;
}

/* How many files a folder has; the path of one of them in `one`. */
static size_t files_in(const char *relative, char one[512])
{
        size_t n = 0;
        autofree char *path = xasprintf("%s/%s", folder, relative);
        DIR *list = opendir(path);
        struct dirent *e;
        while (list && (e = readdir(list)))
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
                        n++;
                        if (one)
                                snprintf(one, 512, "%s/%s", path, e->d_name);
                }
        if (list)
                closedir(list);
        return n;
}

static size_t files_of(int64_t number, const char *leaf, char one[512])
{
        char path[MAILDIR_FOLDER_MAX];
        autofree char *inner = xasprintf("%s/%s", maildir_folder(number, path), leaf);
        return files_in(inner, one);
}

static void assert_file(const char *path, const char *want)
{
        char got[4096];
        autoclose int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, got, sizeof got - 1);
        assert_true(n >= 0);
        got[n] = 0;
        assert_string_equal(got, want);
}

static const char text[] = "Return-Path: <a@example.org>\r\nSubject: x\r\n\r\n.\r\nend\r\n";
static const char on_disk[] = "Return-Path: <a@example.org>\nSubject: x\n\n.\nend\n";
static const int64_t three[] = { 7, 107, 10442 };

static int deliver(struct maildir *m, const int64_t *numbers, size_t n)
{
        struct maildir_message *w = NULL;
        int failed = maildir_begin(m, time_now(), &w);
        for (size_t i = 0; !failed && i < sizeof text - 1; i += 5)
                failed =
                    maildir_write(w, (struct slice){ text + i, sizeof text - 1 - i < 5 ? sizeof text - 1 - i : 5 });
        if (!failed)
                failed = maildir_commit(w, numbers, n);
        maildir_drop(w);
        return failed;
}

static void folders_are_those_of_mail_db(void **state)
{
        static const struct {
                int64_t number;
                const char *want;
        } rows[] = { { 1, "01/1/Maildir" },
                     { 42, "42/42/Maildir" },
                     { 100, "00/100/Maildir" },
                     { 10442, "42/10442/Maildir" },
                     { INT64_MAX, "07/9223372036854775807/Maildir" } };
        char got[MAILDIR_FOLDER_MAX];
        (void)state;
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_string_equal(maildir_folder(rows[i].number, got), rows[i].want);
}

static void one_file_for_all(void **state)
{
        char one[512], other[512];
        struct stat a, b;
        (void)state;
        struct maildir m = opened(NULL);
        assert_int_equal(deliver(&m, three, 3), 0);
        assert_int_equal(files_of(7, "new", one), 1);
        assert_int_equal(files_of(10442, "new", other), 1);
        assert_int_equal(files_of(7, "tmp", NULL) + files_of(7, "cur", NULL) + files_in("tmp", NULL), 0);
        assert_file(one, on_disk);
        assert_int_equal(stat(one, &a) | stat(other, &b), 0);
        assert_true(a.st_ino == b.st_ino && a.st_nlink == 3 && (a.st_mode & 0777) == 0600);
        autofree char *size = xasprintf(",S=%zu,W=%zu", sizeof on_disk - 1, sizeof text - 1);
        assert_non_null(strstr(one, size));
        assert_int_equal(deliver(&m, three, 1), 0);
        assert_int_equal(files_of(7, "new", NULL), 2);
        maildir_done(&m);
}

static void pieces_of_any_size(void **state)
{
        enum { LINES = 3000 };
        (void)state;
        struct maildir m = opened(NULL);
        autobuf sent, want;
        buf_init(&sent, 1 << 20);
        buf_init(&want, 1 << 20);
        for (int i = 0; i < LINES; i++) {
                buf_addf(&sent, "%*d\r\n", 1 + i % 60, i);
                buf_addf(&want, "%*d\n", 1 + i % 60, i);
        }
        for (size_t step = 1; step < 70000; step = step * 7 + 1) {
                struct maildir_message *w;
                char one[512];
                int64_t number = (int64_t)step;
                assert_int_equal(maildir_begin(&m, time_now(), &w), 0);
                for (struct slice rest = buf_slice(&sent); rest.n;) {
                        size_t n = rest.n < step ? rest.n : step;
                        assert_int_equal(maildir_write(w, (struct slice){ rest.p, n }), 0);
                        rest = slice_from(rest, n);
                }
                assert_int_equal(maildir_commit(w, &number, 1), 0);
                assert_int_equal(maildir_size(w), want.n);
                maildir_drop(w);
                assert_int_equal(files_of(number, "new", one), 1);
                autofree char *got = xcalloc(1, want.n + 2);
                autoclose int fd = open(one, O_RDONLY);
                assert_int_equal(read(fd, got, want.n + 1), want.n);
                assert_memory_equal(got, want.p, want.n);
        }
        maildir_done(&m);
}

/* --- the order --- */

static int note(void *arg, const char *call)
{
        buf_addf(arg, "%s ", call);
        return 0;
}

static void flushed_before_and_after_it_is_seen(void **state)
{
        autobuf calls;
        (void)state;
        buf_init(&calls, 4096);
        struct maildir m = opened(&(struct maildir_hook){ note, &calls });
        assert_int_equal(deliver(&m, three, 1), 0);
        /* 07, 07/7, Maildir, tmp, cur, new; then the root and the three above the leaves */
        assert_string_equal(buf_cstr(&calls),
                            "open write fsync mkdir mkdir mkdir mkdir mkdir mkdir fsync fsync fsync fsync "
                            "link fsync unlink ");
        buf_clear(&calls);
        assert_int_equal(deliver(&m, three, 2), 0);
        assert_string_equal(buf_cstr(&calls),
                            "open write fsync link mkdir mkdir mkdir mkdir mkdir mkdir fsync fsync fsync "
                            "fsync link fsync fsync unlink ");
        buf_clear(&calls);
        assert_int_equal(deliver(&m, three, 2), 0);
        assert_string_equal(buf_cstr(&calls), "open write fsync link link fsync fsync unlink ");
        maildir_done(&m);
}

/* --- stopped at the k-th call --- */

struct at {
        int left, error; /* 0: killed */
        const char *no_links;
};

static int at_the_kth(void *arg, const char *call)
{
        struct at *at = arg;
        if (--at->left == 0) {
                if (!at->error)
                        raise(SIGKILL);
                return at->error;
        }
        return at->no_links && strcmp(call, "link") == 0 ? EXDEV : 0;
}

/* Bits; 0: refused. */
enum { ACKNOWLEDGED = 1, NOT_REACHED = 2, KILLED = 4 };

static int in_a_child(struct at *at)
{
        int status;
        pid_t pid = fork();
        if (pid == 0) {
                struct maildir m = opened(&(struct maildir_hook){ at_the_kth, at });
                int good = deliver(&m, three, 3) == 0 ? ACKNOWLEDGED : 0;
                _exit(good | (at->left > 0 ? NOT_REACHED : 0));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? KILLED : WEXITSTATUS(status);
}

/* Files that readers would see. */
static size_t seen_by(int64_t number)
{
        char one[512] = "";
        size_t n = files_of(number, "new", one);
        if (n != 1)
                return n;
        if (strrchr(one, '/')[1] == '.')
                return 0;
        assert_file(one, on_disk);
        return 1;
}

static void clear(void)
{
        assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        assert_int_equal(mkdir(folder, 0700), 0);
}

/* How many calls there are. */
static int each_call(int error, const char *no_links)
{
        for (int k = 1;; k++) {
                struct at at = { k, error, no_links };
                int what = in_a_child(&at);
                size_t sum = 0;
                bool each = true;
                for (size_t i = 0; i < 3; i++) {
                        size_t seen = seen_by(three[i]);
                        sum += seen;
                        each = each && seen == 1;
                }
                if (what & ACKNOWLEDGED && !each)
                        fail_msg("call %d: acknowledged, and %zu of 3 copies are there", k, sum);
                if (what == 0 && sum) /* one call failed, and all that took back worked */
                        fail_msg("call %d: refused, and %zu are seen", k, sum);
                struct maildir m = opened(NULL); /* the next one that starts clears what was left */
                assert_int_equal(files_in("tmp", NULL), 0);
                maildir_done(&m);
                clear();
                if (what & NOT_REACHED)
                        return k - 1;
        }
}

static void killed_at_each_call(void **state)
{
        (void)state;
        assert_true(each_call(0, NULL) > 30);
        assert_true(each_call(0, "none") > 40);
}

static void each_call_fails(void **state)
{
        (void)state;
        each_call(EIO, NULL);
        each_call(ENOSPC, NULL);
        each_call(EIO, "none");
}

static void copies_where_no_link_is_possible(void **state)
{
        char one[512], other[512];
        struct stat a, b;
        struct at at = { -1, 0, "none" };
        (void)state;
        struct maildir m = opened(&(struct maildir_hook){ at_the_kth, &at });
        assert_int_equal(deliver(&m, three, 2), 0);
        /* one that was never finished, long ago, and one of now */
        char path[MAILDIR_FOLDER_MAX];
        autofree char *old = xasprintf("%s/%s/new/.old", folder, maildir_folder(three[2], path));
        assert_int_equal(deliver(&m, three + 2, 1), 0);
        assert_int_equal(files_of(7, "new", one), 1);
        assert_int_equal(files_of(107, "new", other), 1);
        assert_int_equal(stat(one, &a) | stat(other, &b), 0);
        assert_true(a.st_ino != b.st_ino && a.st_nlink == 1);
        assert_file(one, on_disk);
        assert_file(other, on_disk);
        maildir_done(&m);
        close(open(old, O_CREAT | O_WRONLY, 0600));
        const struct timespec long_ago[2] = { { time_now() / SECOND - 37 * 3600, 0 },
                                              { time_now() / SECOND - 37 * 3600, 0 } };
        assert_int_equal(utimensat(AT_FDCWD, old, long_ago, 0), 0);
        m = opened(&(struct maildir_hook){ at_the_kth, &at });
        assert_int_equal(deliver(&m, three + 2, 1), 0);
        assert_int_equal(access(old, F_OK), -1);
        maildir_done(&m);
}

static void a_folder_that_goes_comes_back(void **state)
{
        (void)state;
        struct maildir m = opened(NULL);
        assert_int_equal(deliver(&m, three, 1), 0);
        autofree char *gone = xasprintf("%s/07", folder);
        assert_int_equal(nftw(gone, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        assert_int_equal(deliver(&m, three, 1), 0);
        assert_int_equal(files_of(7, "new", NULL), 1);
        maildir_done(&m);
}

static void one_at_a_time(void **state)
{
        int status;
        (void)state;
        struct maildir m = opened(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                struct maildir other;
                autobuf why;
                buf_init(&why, 4096);
                int failed = maildir_open(&other, folder, NULL, &why);
                _exit(failed == -EWOULDBLOCK && strstr(buf_cstr(&why), "another process") ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        maildir_done(&m);
        struct maildir nowhere;
        autobuf why;
        buf_init(&why, 4096);
        autofree char *deep = xasprintf("%s/no/such", folder);
        assert_int_equal(maildir_open(&nowhere, deep, NULL, &why), -ENOENT);
}

static void a_full_disk(void **state)
{
        static char line[1002];
        (void)state;
        if (geteuid() != 0 || mount("none", folder, "tmpfs", 0, "size=256k") == -1) {
                print_message("needs root: a file system of its own\n");
                skip();
        }
        struct maildir m = opened(NULL);
        struct maildir_message *w = NULL;
        memset(line, 'x', sizeof line - 2);
        memcpy(line + sizeof line - 2, "\r\n", 2);
        assert_int_equal(maildir_begin(&m, time_now(), &w), 0);
        int failed = 0;
        for (int i = 0; i < 1000 && !failed; i++)
                failed = maildir_write(w, (struct slice){ line, sizeof line });
        assert_int_equal(failed, -ENOSPC);
        assert_int_equal(files_in("tmp", NULL), 0); /* at once, not at the end of the message */
        assert_int_equal(maildir_commit(w, three, 1), -ENOSPC);
        maildir_drop(w);
        assert_int_equal(files_of(7, "new", NULL), 0);
        assert_int_equal(deliver(&m, three, 1), 0); /* a small one has room */
        maildir_done(&m);
        assert_int_equal(umount(folder), 0);
}

/* --- how much is used --- */

static void put_file(const char *relative, size_t bytes)
{
        autofree char *path = xasprintf("%s/%s", folder, relative);
        autoclose int fd = open(path, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
}

static void sizes_of_names(void **state)
{
        static const struct {
                const char *name;
                bool said;
                uint64_t want;
        } rows[] = { { "1.M2P3Q4.host,S=100,W=110", true, 100 },
                     { "1.host,S=5:2,S", true, 5 },
                     { "1.host,W=110,S=7:2,", true, 7 },
                     { "1.host", false, 0 },
                     { "1.host:2,S=9", false, 0 },
                     { "1.host,S=", false, 0 },
                     { "1.host,S=-1", false, 0 },
                     { "1.host,S=99999999999999999999", false, 0 } };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                uint64_t got = 0;
                assert_true(usage_of_name(slice_of(rows[i].name), &got) == rows[i].said);
                assert_int_equal(got, rows[i].want);
        }
}

static void counted_once_then_added_to(void **state)
{
        bool full;
        (void)state;
        struct maildir m = opened(NULL);
        struct usage u = { .root = m.root };
        assert_int_equal(usage_full(&u, 7, 1000, 0, 0, &full), 0);
        assert_false(full); /* not there yet */
        usage_done(&u);
        u = (struct usage){ .root = m.root };
        assert_int_equal(deliver(&m, three, 1), 0);
        autofree char *sent = xasprintf("%s/07/7/Maildir/.Sent", folder), *cur = xasprintf("%s/cur", sent);
        assert_int_equal(mkdir(sent, 0700) | mkdir(cur, 0700), 0);
        put_file("07/7/Maildir/.Sent/cur/1.host:2,S", 300);     /* no S=: the file itself is asked */
        put_file("07/7/Maildir/cur/1.host,S=400,W=410:2,S", 0); /* the name is believed */
        put_file("07/7/Maildir/dovecot.index", 5000);           /* no mail */
        uint64_t sum = 700 + sizeof on_disk - 1;
        assert_int_equal(usage_full(&u, 7, (int64_t)sum, 0, 1, &full), 0);
        assert_true(full);
        assert_int_equal(usage_full(&u, 7, (int64_t)sum + 1, 1, 1, &full), 0);
        assert_false(full);
        usage_add(&u, 7, 1);
        assert_int_equal(usage_full(&u, 7, (int64_t)sum + 1, 0, 2, &full), 0);
        assert_true(full);
        assert_int_equal(u.counts, 1);
        /* full: looked at again after a minute, and believed until then */
        assert_int_equal(usage_full(&u, 7, (int64_t)sum + 1, 0, 2 + USAGE_FULL_FRESH, &full), 0);
        assert_false(full);
        assert_int_equal(u.counts, 2);
        assert_int_equal(usage_full(&u, 7, (int64_t)sum + 1, 0, 3 + USAGE_FULL_FRESH + USAGE_FRESH, &full), 0);
        assert_int_equal(u.counts, 3);
        assert_int_equal(usage_full(&u, 7, INT64_MAX, UINT64_MAX, 4 + USAGE_FULL_FRESH + USAGE_FRESH, &full), 0);
        assert_true(full);
        usage_done(&u);
        maildir_done(&m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = { T(folders_are_those_of_mail_db),
                                            T(one_file_for_all),
                                            T(pieces_of_any_size),
                                            T(flushed_before_and_after_it_is_seen),
                                            T(killed_at_each_call),
                                            T(each_call_fails),
                                            T(copies_where_no_link_is_possible),
                                            T(a_folder_that_goes_comes_back),
                                            T(one_at_a_time),
                                            T(a_full_disk),
                                            T(sizes_of_names),
                                            T(counted_once_then_added_to) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
