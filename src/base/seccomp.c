/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/seccomp.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define CALL(name) SCMP_SYS(name)

static bool locked;

/* What libc, libevent, SQLite as a reader and our own base need. Some are of one architecture only; libseccomp passes
 * over them. */
static const int always[] = {
        /* memory; mmap and mprotect are below */
        CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(memfd_create),
        /* descriptors */
        CALL(read), CALL(readv), CALL(pread64), CALL(preadv), CALL(write), CALL(writev), CALL(pwrite64), CALL(pwritev),
        CALL(lseek), CALL(close), CALL(dup), CALL(dup2), CALL(dup3), CALL(fcntl), CALL(pipe), CALL(pipe2),
        CALL(ftruncate), CALL(flock),
        /* files, as far as Landlock and the owner allow */
        CALL(open), CALL(openat), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(stat), CALL(fstat), CALL(lstat),
        CALL(newfstatat), CALL(statx), CALL(statfs), CALL(fstatfs), CALL(readlink), CALL(readlinkat), CALL(getdents64),
        CALL(getcwd),
        /* waiting */
        CALL(epoll_create), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
        CALL(epoll_pwait2), CALL(poll), CALL(ppoll), CALL(select), CALL(pselect6), CALL(eventfd2), CALL(timerfd_create),
        CALL(timerfd_settime), CALL(nanosleep), CALL(clock_nanosleep), CALL(futex), CALL(sched_yield),
        CALL(restart_syscall),
        /* sockets we have; making one is below */
        CALL(connect), CALL(sendto), CALL(sendmsg), CALL(sendmmsg), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg),
        CALL(shutdown), CALL(getsockopt), CALL(setsockopt), CALL(getsockname), CALL(getpeername),
        /* time, chance, and who we are */
        CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(getrandom), CALL(getpid),
        CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getresuid),
        CALL(getresgid), CALL(getgroups), CALL(uname), CALL(sysinfo), CALL(getrusage), CALL(sched_getaffinity),
        /* signals to ourselves, and the end */
        CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(exit), CALL(exit_group)
};

static const int files[] = { CALL(mkdir),          CALL(mkdirat),   CALL(rmdir),     CALL(unlink),    CALL(unlinkat),
                             CALL(link),           CALL(linkat),    CALL(rename),    CALL(renameat),  CALL(renameat2),
                             CALL(fsync),          CALL(fdatasync), CALL(fallocate), CALL(truncate),  CALL(chmod),
                             CALL(fchmod),         CALL(fchmodat),  CALL(fchown),    CALL(utimensat), CALL(umask),
                             CALL(sync_file_range) };

static const int watching[] = { CALL(inotify_init1), CALL(inotify_add_watch), CALL(inotify_rm_watch) };

static const int accepting[] = { CALL(accept), CALL(accept4) };

static const int serve[] = { CALL(bind), CALL(listen), CALL(accept), CALL(accept4) };

/* From arch_prctl on: what a program and its libc do first. */
static const int children[] = { CALL(execve),   CALL(fork),       CALL(vfork),           CALL(wait4),
                                CALL(waitid),   CALL(kill),       CALL(tgkill),          CALL(setpgid),
                                CALL(chdir),    CALL(arch_prctl), CALL(set_tid_address), CALL(set_robust_list),
                                CALL(rseq),     CALL(prlimit64),  CALL(getrlimit),       CALL(mmap),
                                CALL(mprotect), CALL(ioctl) };

#define NAME_SPACES                                                                                                    \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static int rule_for_all(scmp_filter_ctx c, uint32_t action, const int *numbers, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                int failed = seccomp_rule_add(c, action, numbers[i], 0);
                if (failed)
                        return failed;
        }
        return 0;
}

static int allow_all(scmp_filter_ctx c, const int *numbers, size_t n)
{
        return rule_for_all(c, SCMP_ACT_ALLOW, numbers, n);
}

static int allow_if(scmp_filter_ctx c, int number, struct scmp_arg_cmp condition)
{
        return seccomp_rule_add(c, SCMP_ACT_ALLOW, number, 1, condition);
}

static int allow_family(scmp_filter_ctx c, int family)
{
        int failed = allow_if(c, CALL(socket), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0));
        return failed ? failed : allow_if(c, CALL(socketpair), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0));
}

/* Who starts no programs needs no memory that is both his and executable, no ioctl but these, and no signal but to
 * himself. */
static int allow_without_children(scmp_filter_ctx c)
{
        int failed = allow_if(c, CALL(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        failed = failed ? failed : allow_if(c, CALL(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        failed = failed ? failed : allow_if(c, CALL(ioctl), SCMP_A1(SCMP_CMP_EQ, TCGETS, 0));
        failed = failed ? failed : allow_if(c, CALL(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0));
        failed = failed ? failed : allow_if(c, CALL(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
        return failed ? failed : allow_if(c, CALL(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
}

static int allow_children(scmp_filter_ctx c)
{
        int failed = allow_all(c, children, COUNT_OF(children));
        failed = failed ? failed : allow_if(c, CALL(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, NAME_SPACES, 0));
        failed = failed ? failed : allow_if(c, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0));
        return failed ? failed : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

/* What fork(2) of libc does, and no program is started. */
static int allow_fork(scmp_filter_ctx c)
{
        int failed = allow_if(c, CALL(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, NAME_SPACES, 0));
        failed = failed ? failed : allow_if(c, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0));
        failed = failed ? failed : allow_if(c, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
        failed = failed ? failed : seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(set_robust_list), 0);
        return failed ? failed : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

/* Who may not write still tries, in order to say so: the ledger's client looks whether it could be the keeper. That is no
 * reason to die. */
static int add_files(scmp_filter_ctx c, unsigned calls, bool deadly)
{
        if (calls & SANDBOX_FILES)
                return allow_all(c, files, COUNT_OF(files));
        return deadly ? rule_for_all(c, SCMP_ACT_ERRNO(EPERM), files, COUNT_OF(files)) : 0;
}

static int allow_net(scmp_filter_ctx c)
{
        int failed = allow_family(c, AF_INET);
        return failed ? failed : allow_family(c, AF_INET6);
}

/* Of a child that gives up more: its capabilities, the file system, calls. */
static int allow_confining(scmp_filter_ctx c)
{
        static const int calls[] = { CALL(capset),
                                     CALL(capget),
                                     CALL(landlock_create_ruleset),
                                     CALL(landlock_add_rule),
                                     CALL(landlock_restrict_self),
                                     CALL(seccomp) };
        static const int options[] = { PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_SET_NAME,
                                       PR_SET_DUMPABLE };
        int failed = allow_all(c, calls, COUNT_OF(calls));
        for (size_t i = 0; i < COUNT_OF(options) && !failed; i++)
                failed = allow_if(c, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options[i], 0));
        return failed;
}

static int build(scmp_filter_ctx c, unsigned calls, bool deadly)
{
        seccomp_attr_set(c, SCMP_FLTATR_CTL_LOG, 1); /* not where the kernel is older than 4.14 */
        int failed = allow_all(c, always, COUNT_OF(always));
        failed = failed ? failed : allow_family(c, AF_UNIX);
        failed = failed ? failed : add_files(c, calls, deadly);
        if (!failed && calls & SANDBOX_SERVE)
                failed = allow_all(c, serve, COUNT_OF(serve));
        if (!failed && calls & SANDBOX_ACCEPT)
                failed = allow_all(c, accepting, COUNT_OF(accepting));
        if (!failed && calls & SANDBOX_WATCH)
                failed = allow_all(c, watching, COUNT_OF(watching));
        if (!failed && calls & SANDBOX_FORK)
                failed = allow_fork(c);
        if (!failed && calls & SANDBOX_NETLINK)
                failed = allow_family(c, AF_NETLINK);
        if (!failed && calls & SANDBOX_NETLINK)
                failed = seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(bind), 0);
        if (!failed && calls & SANDBOX_NET)
                failed = allow_net(c);
        if (!failed && calls & SANDBOX_CONFINE)
                failed = allow_confining(c);
        if (failed)
                return failed;
        return calls & SANDBOX_CHILDREN ? allow_children(c) : allow_without_children(c);
}

int seccomp_restrict(unsigned calls, bool deadly)
{
        scmp_filter_ctx c = seccomp_init(deadly ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
        if (!c)
                return -ENOMEM;
        int failed = build(c, calls, deadly);
        failed = failed ? failed : seccomp_load(c);
        seccomp_release(c);
        locked = !failed;
        return failed;
}

int seccomp_export(unsigned calls, bool deadly, struct buf *ret)
{
        char piece[4096];
        ssize_t n;
        scmp_filter_ctx c = seccomp_init(deadly ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
        if (!c)
                return -ENOMEM;
        autoclose int fd = memfd_create("filter", MFD_CLOEXEC);
        int failed = fd == -1 ? -errno : build(c, calls, deadly);
        failed = failed ? failed : seccomp_export_bpf(c, fd);
        seccomp_release(c);
        if (failed || lseek(fd, 0, SEEK_SET) == -1)
                return failed ? failed : -errno;
        while ((n = read(fd, piece, sizeof piece)) > 0)
                buf_add(ret, (struct slice){ piece, (size_t)n });
        return n < 0 ? -errno : 0;
}

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_LOOKED_FOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_LOOKED_FOR
#endif
#endif

#ifdef LEAKS_ARE_LOOKED_FOR
/* The leak sanitizer stops all threads with ptrace when the process ends: one that is locked in cannot have that. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
        return locked;
}
#endif
