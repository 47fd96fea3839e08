/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/confine.h"
#include "base/landlock.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int fail(struct buf *why, const char *what)
{
        int failed = -errno;
        buf_addf(why, "%s: %s", what, strerror(-failed));
        return failed;
}

/* The bounding set can only be reduced by who still may; who may not has nothing to gain by execve() either (no_new_privs). */
static int drop_capabilities(struct buf *why)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = { 0 }, now[2];
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
                prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if (syscall(SYS_capset, &header, none) == -1 || syscall(SYS_capget, &header, now) == -1)
                return fail(why, "giving up capabilities");
        if (now[0].effective || now[0].permitted || now[1].effective || now[1].permitted) {
                buf_adds(why, "capabilities are left");
                return -EPERM;
        }
        return 0;
}

int confine(struct slice filter, int *landlock, struct buf *why)
{
        struct sock_fprog program = { .len = (unsigned short)(filter.n / sizeof(struct sock_filter)) };
        if (program.len == 0 || filter.n % sizeof(struct sock_filter)) {
                buf_adds(why, "there is no filter of system calls");
                return -EINVAL;
        }
        autofree struct sock_filter *copy = xmalloc(filter.n); /* aligned */
        memcpy(copy, filter.p, filter.n);
        program.filter = copy;
        int failed = drop_capabilities(why);
        if (failed)
                return failed;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
                return fail(why, "no_new_privs");
        failed = landlock_restrict(NULL, 0, "", false, landlock, why);
        if (failed)
                return failed;
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == -1 ? fail(why, "seccomp") : 0;
}
