/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each fact is tried in a process of its own, as in sandbox_test.c, with the filter that the duty `edge` gives its workers. */
#include "base/confine.h"
#include "base/file.h"
#include "base/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

static struct buf filter, deadly;

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

static void lock(struct slice with)
{
        int landlock = -1;
        autobuf why;
        buf_init(&why, 4096);
        want(confine(with, &landlock, &why) == 0);
        want(landlock >= 0);
}

/* "CapEff:", "Seccomp:" … of what was read before nothing can be read. */
static unsigned long long number_of(const char *text, const char *name)
{
        const char *found = strstr(text, name);
        return found ? strtoull(found + strlen(name), NULL, 16) : 99;
}

static void nothing_is_left_to_gain(void)
{
        char text[16384];
        int fd = open("/proc/self/status", O_RDONLY);
        lock(buf_slice(&filter));
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        want(n > 0);
        text[n] = 0;
        want(number_of(text, "CapEff:") == 0 && number_of(text, "CapPrm:") == 0 && number_of(text, "CapInh:") == 0);
        want(number_of(text, "CapAmb:") == 0);
        want(geteuid() != 0 || number_of(text, "CapBnd:") == 0);
        want(number_of(text, "NoNewPrivs:") == 1 && number_of(text, "Seccomp:") == 2);
}

static void no_file_can_be_opened(void)
{
        char name[] = "/tmp/porteiro-confine-XXXXXX";
        int fd = mkstemp(name);
        want(fd != -1);
        lock(buf_slice(&filter));
        want(open("/etc/passwd", O_RDONLY) == -1);
        want(open("/proc/self/maps", O_RDONLY) == -1);
        want(open(name, O_RDONLY) == -1);
        want(open("/tmp/porteiro-confine-new", O_CREAT | O_WRONLY, 0600) == -1);
        want(unlink(name) == -1 && rename(name, "/tmp/other") == -1 && chmod(name, 0777) == -1);
        want(write(fd, "x", 1) == 1); /* what was open is */
}

static void nothing_can_be_started_or_looked_into(void)
{
        char *const argv[] = { (char *)"true", NULL };
        lock(buf_slice(&filter));
        want(execve("/bin/true", argv, argv) == -1);
        want(fork() == -1);
        want(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == -1);
        want(kill(getppid(), SIGUSR2) == -1);
        want(setuid(0) == -1 || getuid() == 0);
        want(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
        want(socket(AF_NETLINK, SOCK_RAW, 0) == -1 && socket(AF_PACKET, SOCK_RAW, 0) == -1);
        want(socket(AF_INET, SOCK_RAW, IPPROTO_TCP) == -1);
}

/* What it is for: to accept, and to connect to an MTA. */
static void it_can_serve(void)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof at;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        want(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4) == 0);
        want(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
        lock(buf_slice(&filter));
        int out = socket(AF_INET, SOCK_STREAM, 0);
        want(out != -1 && connect(out, (struct sockaddr *)&at, sizeof at) == 0);
        int in = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        want(in != -1);
        want(send(out, "x", 1, MSG_NOSIGNAL) == 1);
}

/* It listens where it was told to, and nowhere else. */
static void it_opens_no_door_of_its_own(void)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        lock(buf_slice(&filter));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        want(bind(fd, (struct sockaddr *)&at, sizeof at) == -1 || listen(fd, 4) == -1);
}

static void a_call_off_the_list(void)
{
        lock(buf_slice(&deadly));
        syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
}

static void a_filter_that_is_none(void)
{
        static const struct slice none[] = { S(""), S("1234567") };
        for (size_t i = 0; i < COUNT_OF(none); i++) {
                int landlock;
                autobuf why;
                buf_init(&why, 4096);
                want(confine(none[i], &landlock, &why) == -EINVAL && why.n);
        }
}

#define PROBE(name)                                                                                                    \
        static void test_##name(void **state)                                                                          \
        {                                                                                                              \
                (void)state;                                                                                           \
                assert_int_equal(status_of(name), 0);                                                                  \
        }
PROBE(nothing_is_left_to_gain)
PROBE(no_file_can_be_opened)
PROBE(nothing_can_be_started_or_looked_into)
PROBE(it_can_serve)
PROBE(it_opens_no_door_of_its_own)
PROBE(a_filter_that_is_none)

static void test_a_call_off_the_list_ends_it(void **state)
{
        (void)state;
        assert_int_equal(status_of(a_call_off_the_list), 1000 + SIGSYS);
}

static int setup(void **state)
{
        (void)state;
        buf_init(&filter, 1 << 16);
        buf_init(&deadly, 1 << 16);
        return seccomp_export(SANDBOX_ACCEPT | SANDBOX_NET, false, &filter) ||
               seccomp_export(SANDBOX_ACCEPT | SANDBOX_NET, true, &deadly);
}

static int teardown(void **state)
{
        (void)state;
        buf_done(&filter);
        buf_done(&deadly);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_left_to_gain),
                cmocka_unit_test(test_no_file_can_be_opened),
                cmocka_unit_test(test_nothing_can_be_started_or_looked_into),
                cmocka_unit_test(test_it_can_serve),
                cmocka_unit_test(test_it_opens_no_door_of_its_own),
                cmocka_unit_test(test_a_filter_that_is_none),
                cmocka_unit_test(test_a_call_off_the_list_ends_it),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
