/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each duty can and cannot do once it is locked in with its own row: tried from inside, in a process for each duty.
 * tests/test_run.py looks at the duties themselves while they run. */
#include "run/duties.h"
#include "base/child.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

static char state[] = "/tmp/porteiro-duties-XXXXXX";
static const char outside[] = "/tmp/porteiro-duties-outside";

/* --- what no duty may: each attempt returns -1 and errno where it was refused --- */

static int read_shadow(void)
{
        return open("/etc/shadow", O_RDONLY);
}

static int make_a_file(void)
{
        return open(outside, O_CREAT | O_WRONLY, 0600);
}

static int list_home(void)
{
        return open("/root", O_RDONLY | O_DIRECTORY);
}

static int open_inet(void)
{
        return socket(AF_INET, SOCK_STREAM, 0);
}

static int open_inet6(void)
{
        return socket(AF_INET6, SOCK_DGRAM, 0);
}

static int open_packet(void)
{
        return socket(AF_PACKET, SOCK_RAW, 0);
}

static int run_true(void)
{
        return execl("/bin/true", "true", (char *)NULL);
}

static int trace_parent(void)
{
        return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int read_parent(void)
{
        return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int signal_parent(void)
{
        return kill(getppid(), SIGCONT);
}

static int io_uring(void)
{
        return (int)syscall(425 /* io_uring_setup */, 1, NULL);
}

static int mount_something(void)
{
        return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int load_bpf(void)
{
        return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int add_key(void)
{
        return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static int fault(void)
{
        return (int)syscall(SYS_userfaultfd, 0);
}

static int count_events(void)
{
        return (int)syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static int load_module(void)
{
        return (int)syscall(SYS_init_module, NULL, 0, "");
}

static int new_user_space(void)
{
        return unshare(CLONE_NEWUSER);
}

static int clone_user_space(void)
{
        return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int open_by_handle(void)
{
        return (int)syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY);
}

static int change_root(void)
{
        return chroot("/");
}

static int become_another(void)
{
        return setuid(getuid() + 1);
}

static int take_capabilities(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct all[2] = { { ~0U, ~0U, 0 }, { 0x1ff, 0x1ff, 0 } };
        return (int)syscall(SYS_capset, &header, all);
}

static int reboot_box(void)
{
        return (int)syscall(SYS_reboot, 0, 0, 0, NULL); /* with these numbers it does nothing, anywhere */
}

static const struct attempt {
        const char *name;
        int (*make)(void);
} forbidden[] = {
        { "read /etc/shadow", read_shadow },
        { "make a file outside", make_a_file },
        { "list /root", list_home },
        { "IPv4 socket", open_inet },
        { "IPv6 socket", open_inet6 },
        { "packet socket", open_packet },
        { "execve", run_true },
        { "ptrace", trace_parent },
        { "process_vm_readv", read_parent },
        { "signal another process", signal_parent },
        { "io_uring_setup", io_uring },
        { "mount", mount_something },
        { "bpf", load_bpf },
        { "keyctl", add_key },
        { "userfaultfd", fault },
        { "perf_event_open", count_events },
        { "init_module", load_module },
        { "unshare", new_user_space },
        { "clone into a user name space", clone_user_space },
        { "open_by_handle_at", open_by_handle },
        { "chroot", change_root },
        { "setuid", become_another },
        { "capset", take_capabilities },
        { "reboot", reboot_box },
};

/* --- what some may --- */

static bool refused(int result)
{
        return result == -1 && (errno == EPERM || errno == EACCES);
}

static bool writes_state(void)
{
        autofree char *path = xasprintf("%s/written", state);
        int made = file_replace(path, 0640, S("x"));
        if (made == 0)
                unlink(path);
        return made == 0;
}

static bool serves(void)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        autoclose int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(at.sun_path, sizeof at.sun_path, "%s/served", state);
        bool bound = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
        bool good = bound && listen(fd, 1) == 0;
        if (bound) /* netlink sockets need bind, too */
                unlink(at.sun_path);
        return good;
}

static bool speaks_netlink(void)
{
        autoclose int fd = socket(AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */);
        return fd != -1;
}

/* The whole way: nft is started, keeps the capability, and changes the rules of this name space. */
static bool changes_rules(void)
{
        static const char *const argv[] = { "/usr/sbin/nft", "-f", "-", NULL };
        int status = -1;
        struct child c = { .argv = argv, .input = S("add table inet porteiro_test\n"), .deadline_us = 20 * SECOND };
        return child_run(&c, &status) == 0 && status == 0;
}

static bool forks(void)
{
        pid_t pid = fork();
        if (pid == 0)
                _exit(0);
        return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool knows_zones(void)
{
        return time_set_zone(S("America/Sao_Paulo"));
}

/* --- from inside --- */

static int wrong, landlock;

static void expect(const char *name, bool got, bool want)
{
        if (got != want) {
                fprintf(stderr, "%s: %s\n", name, got ? "possible" : strerror(errno));
                wrong++;
        }
}

static bool writes_beneath_state(const struct sandbox *s)
{
        for (size_t i = 0; i < s->n_paths; i++)
                if (!s->paths[i].path && s->paths[i].rights & SANDBOX_WRITE)
                        return true;
        return landlock == 0;
}

static int try_all(const struct duty_row *row)
{
        const struct sandbox *s = &row->sandbox;
        for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
                bool socket = strncmp(forbidden[i].name, "IPv", 3) == 0;
                expect(forbidden[i].name, !refused(forbidden[i].make()), socket && s->calls & SANDBOX_NET);
        }
        expect("zones", knows_zones(), true);
        expect("netlink", speaks_netlink(), (s->calls & SANDBOX_NETLINK) != 0);
        expect("fork", forks(), (s->calls & SANDBOX_CHILDREN) != 0);
        expect("write the state folder", writes_state(), (s->calls & SANDBOX_FILES) && writes_beneath_state(s));
        expect("listen in the state folder", serves(), (s->calls & SANDBOX_SERVE) && writes_beneath_state(s));
        if (s->calls & SANDBOX_NETLINK && access("/usr/sbin/nft", X_OK) == 0)
                expect("nft", changes_rules(), true);
        return wrong;
}

static int locked(const struct duty_row *row)
{
        autobuf why;
        buf_init(&why, 4096);
        if (unshare(CLONE_NEWNET) == -1)
                return 100;
        if (sandbox_become(&row->sandbox, "no-such-user", DUTY_GROUP, &why) != 1 ||
            sandbox_lock(&row->sandbox, state, &landlock, &why) != 0) {
                fprintf(stderr, "%s\n", buf_cstr(&why));
                return 101;
        }
        if (landlock == 0)
                fprintf(stderr, "this kernel has no Landlock: files are not restricted\n");
        return try_all(row);
}

static void each_is_locked_in(void **unused)
{
        (void)unused;
        if (geteuid() != 0)
                skip();
        assert_non_null(mkdtemp(state));
        int failures = 0;
        for (size_t i = 0; i < n_duties; i++) {
                int status = -1;
                pid_t pid = fork();
                if (pid == 0)
                        _exit(locked(&duties[i]));
                assert_int_equal(waitpid(pid, &status, 0), pid);
                if (status != 0)
                        fprintf(stderr, "duty %s: status %x\n", duties[i].name, (unsigned)status);
                failures += status != 0;
        }
        assert_int_equal(rmdir(state), 0);
        assert_int_equal(failures, 0);
}

static void only_two_keep_a_capability(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < n_duties; i++) {
                bool gate = strcmp(duties[i].name, "gate") == 0, edge = strcmp(duties[i].name, "edge") == 0;
                uint64_t kept = gate ? UINT64_C(1) << CAP_NET_ADMIN : edge ? UINT64_C(1) << CAP_DAC_READ_SEARCH : 0;
                unsigned never = gate   ? SANDBOX_SERVE
                                 : edge ? SANDBOX_NETLINK | SANDBOX_FILES
                                        : SANDBOX_CHILDREN | SANDBOX_NETLINK | SANDBOX_NET;
                assert_true(duties[i].sandbox.keep == kept);
                assert_false(duties[i].sandbox.calls & SANDBOX_FORK); /* a nursery may, which reads nothing */
                assert_false(duties[i].sandbox.calls & never);
        }
        assert_ptr_equal(duty_find(S("keeper")), &duties[0]); /* the supervisor starts it first */
        assert_null(duty_find(S("")));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(each_is_locked_in),
                                            cmocka_unit_test(only_two_keep_a_capability) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
