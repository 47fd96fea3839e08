/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each fact is tried in a process of its own, which tells by its exit status. What each duty's row allows is in
 * run/duties_test.c. */
#include "base/sandbox.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#define NET_ADMIN (UINT64_C(1) << CAP_NET_ADMIN)

static char dir[] = "/tmp/porteiro-sandbox-XXXXXX";

/* In the child: the line that failed is its exit status. */
#define want(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition))                                                                                      \
                        _exit(__LINE__ > 255 ? 255 : __LINE__);                                                        \
        } while (0)

static int status_of(void (*probe)(void))
{
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
                probe();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static unsigned long long status_line(const char *name)
{
        autobuf text;
        buf_init(&text, 65536);
        want(file_read("/proc/self/status", &text) == 0);
        const char *found = strstr(buf_cstr(&text), name);
        want(found != NULL);
        return strtoull(found + strlen(name), NULL, 16);
}

static void lock(const struct sandbox *s, const char *state)
{
        autobuf why;
        int landlock;
        buf_init(&why, 4096);
        want(sandbox_become(s, "no-such-user", "no-such-group", &why) == 1);
        want(sandbox_lock(s, state, &landlock, &why) == 0);
}

static void become_nobody(void)
{
        static const struct sandbox s = { .keep = NET_ADMIN };
        autobuf why;
        buf_init(&why, 4096);
        want(sandbox_become(&s, "nobody", "nogroup", &why) == 0);
        want(getuid() == getpwnam("nobody")->pw_uid && geteuid() == getuid());
        want(getgid() == getgrnam("nogroup")->gr_gid && getegid() == getgid());
        want(getgroups(0, NULL) == 0);
        want(setuid(0) == -1 && errno == EPERM);
        want(status_line("CapEff:") == NET_ADMIN);
        want(status_line("CapPrm:") == NET_ADMIN);
        want(status_line("CapAmb:") == NET_ADMIN);
        want(status_line("CapBnd:") == NET_ADMIN);
}

static void become_nobody_of_two_groups(void)
{
        static const struct sandbox s = { .also = "daemon" };
        gid_t also;
        autobuf why;
        buf_init(&why, 4096);
        want(sandbox_become(&s, "nobody", "nogroup", &why) == 0);
        want(getgid() == getgrnam("nogroup")->gr_gid);
        want(getgroups(1, &also) == 1 && also == getgrnam("daemon")->gr_gid);
}

static void become_nobody_where_the_second_is_missing(void)
{
        static const struct sandbox s = { .also = "no-such-group" };
        autobuf why;
        buf_init(&why, 4096);
        want(sandbox_become(&s, "nobody", "nogroup", &why) == 0);
        want(getgroups(0, NULL) == 0);
}

static void keep_until_locked(void)
{
        static const struct sandbox_path paths[] = { { "/proc", SANDBOX_READ } };
        static const struct sandbox s = { .first = NET_ADMIN, .paths = paths, .n_paths = 1 };
        autobuf why;
        int landlock;
        buf_init(&why, 4096);
        want(sandbox_become(&s, "nobody", "nogroup", &why) == 0);
        want(status_line("CapEff:") == NET_ADMIN && status_line("CapAmb:") == 0);
        want(sandbox_lock(&s, NULL, &landlock, &why) == 0);
        want(status_line("CapEff:") == 0 && status_line("CapPrm:") == 0 && status_line("CapBnd:") == 0);
        want(status_line("NoNewPrivs:") == 1 && status_line("Seccomp:") == 2);
}

static void stay_who_we_are(void)
{
        static const struct sandbox s = { .keep = 0 };
        uid_t before = getuid();
        lock(&s, NULL);
        want(getuid() == before);
        want(setuid(getuid() + 1) == -1 && errno == EPERM);
}

static void read_only_is_read_only(void)
{
        static const struct sandbox_path paths[] = { { NULL, SANDBOX_READ }, { "/no/such/path", SANDBOX_READ } };
        static const struct sandbox s = { .calls = SANDBOX_FILES, .paths = paths, .n_paths = 2 };
        want(chdir(dir) == 0);
        want(close(open("here", O_CREAT | O_WRONLY, 0600)) == 0);
        lock(&s, dir);
        want(open("here", O_RDONLY) != -1);
        want(open("here", O_WRONLY) == -1 && errno == EACCES);
        want(open("there", O_CREAT | O_WRONLY, 0600) == -1 && errno == EACCES);
        want(rename("here", "there") == -1 && errno == EACCES);
        want(unlink("here") == -1 && errno == EACCES);
        want(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
}

static void written_where_it_may_be(void)
{
        static const struct sandbox_path paths[] = { { NULL, SANDBOX_READ | SANDBOX_WRITE } };
        static const struct sandbox s = { .calls = SANDBOX_FILES, .paths = paths, .n_paths = 1 };
        want(chdir(dir) == 0);
        lock(&s, dir);
        want(file_replace("file", 0600, S("text")) == 0);
        want(truncate("file", 1) == 0 && unlink("file") == 0);
        want(mkdir("folder", 0700) == 0 && rmdir("folder") == 0);
        want(symlink("/etc/passwd", "link") == -1);
        want(mknod("pipe", S_IFIFO | 0600, 0) == -1);
        want(open("../beside", O_CREAT | O_WRONLY, 0600) == -1 && errno == EACCES);
}

static void die_of_a_forbidden_call(void)
{
        static const struct sandbox s = { .deadly = true };
        lock(&s, NULL);
        socket(AF_INET, SOCK_STREAM, 0);
}

static void no_memory_to_execute(void)
{
        static const struct sandbox s = { .keep = 0 };
        lock(&s, NULL);
        void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        want(data != MAP_FAILED);
        want(mprotect(data, 4096, PROT_READ | PROT_EXEC) == -1 && errno == EPERM);
        want(mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM);
}

static void no_signal_but_to_ourselves(void)
{
        static const struct sandbox s = { .keep = 0 };
        lock(&s, NULL);
        want(kill(getppid(), 0) == -1 && errno == EPERM);
        abort();
}

static void fork_and_no_more(void)
{
        static const struct sandbox s = { .calls = SANDBOX_FORK };
        int ends[2];
        char byte = 0;
        want(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        lock(&s, NULL);
        signal(SIGCHLD, SIG_IGN);
        pid_t pid = fork();
        if (pid == 0) {
                bool good = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && execl("/bin/true", "true", (char *)NULL) == -1 &&
                            errno == EPERM && socket(AF_INET, SOCK_STREAM, 0) == -1;
                _exit(send(ends[1], good ? "y" : "n", 1, 0) == 1 ? 0 : 1);
        }
        want(pid > 0 && read(ends[0], &byte, 1) == 1 && byte == 'y');
        want(execl("/bin/true", "true", (char *)NULL) == -1 && errno == EPERM);
        want(kill(pid, 0) == -1 && errno == EPERM);
        want(mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

static void accept_and_not_listen(void)
{
        static const struct sandbox s = { .calls = SANDBOX_ACCEPT };
        autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "" };
        want(bind(fd, (struct sockaddr *)&at, sizeof(sa_family_t)) == 0 && listen(fd, 1) == 0); /* unix(7), autobind */
        lock(&s, NULL);
        want(accept(fd, NULL, NULL) == -1 && errno == EAGAIN);
        autoclose int other = socket(AF_UNIX, SOCK_STREAM, 0);
        want(bind(other, (struct sockaddr *)&at, sizeof(sa_family_t)) == -1 && errno == EPERM);
        want(listen(other, 1) == -1 && errno == EPERM);
}

static void state_must_be_there(void)
{
        static const struct sandbox_path paths[] = { { NULL, SANDBOX_READ } };
        static const struct sandbox s = { .paths = paths, .n_paths = 1 };
        autobuf why;
        int landlock = 0;
        buf_init(&why, 4096);
        int failed = sandbox_lock(&s, "/no/such/folder", &landlock, &why);
        want(failed == (landlock ? -ENOENT : 0));
        want(!failed || strstr(buf_cstr(&why), "/no/such/folder"));
}

static void needs_root(void (*probe)(void))
{
        if (geteuid() != 0)
                skip();
        assert_int_equal(status_of(probe), 0);
}

static void test_become(void **state)
{
        (void)state;
        needs_root(become_nobody);
        needs_root(become_nobody_of_two_groups);
        needs_root(become_nobody_where_the_second_is_missing);
        needs_root(keep_until_locked);
}

static void test_lock(void **state)
{
        (void)state;
        assert_int_equal(status_of(stay_who_we_are), 0);
        assert_int_equal(status_of(no_memory_to_execute), 0);
        assert_int_equal(status_of(no_signal_but_to_ourselves), 1000 + SIGABRT);
        assert_int_equal(status_of(die_of_a_forbidden_call), 1000 + SIGSYS);
        assert_int_equal(status_of(fork_and_no_more), 0);
        assert_int_equal(status_of(accept_and_not_listen), 0);
        assert_int_equal(status_of(state_must_be_there), 0);
}

static void test_paths(void **state)
{
        (void)state;
        assert_non_null(mkdtemp(dir));
        int read_only = status_of(read_only_is_read_only), written = status_of(written_where_it_may_be);
        autofree char *here = xasprintf("%s/here", dir);
        unlink(here);
        assert_int_equal(rmdir(dir), 0);
        assert_int_equal(read_only, 0);
        assert_int_equal(written, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_become), cmocka_unit_test(test_lock),
                                            cmocka_unit_test(test_paths) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
