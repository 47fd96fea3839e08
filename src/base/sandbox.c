/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sandbox.h"
#include "base/landlock.h"
#include "base/seccomp.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>

static int fail(struct buf *why, int failed, const char *what)
{
        buf_addf(why, "%s: %s", what, strerror(-failed));
        return failed;
}

/* --- capabilities --- */

static uint64_t held(capng_type_t set)
{
        uint64_t caps = 0;
        capng_get_caps_process();
        for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
                if (capng_have_capability(set, cap))
                        caps |= UINT64_C(1) << cap;
        return caps;
}

static void want(uint64_t caps, capng_type_t sets)
{
        for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
                if (caps & UINT64_C(1) << cap)
                        capng_update(CAPNG_ADD, sets, cap);
}

/* No program we start can ever gain more than `caps`. Needs CAP_SETPCAP; who lacks it has nothing to pass on either. */
static int bound(uint64_t caps)
{
        if (!(held(CAPNG_EFFECTIVE) & UINT64_C(1) << CAP_SETPCAP))
                return 0;
        capng_clear(CAPNG_SELECT_ALL);
        want(caps, CAPNG_BOUNDING_SET);
        return capng_apply(CAPNG_SELECT_BOUNDS) ? -EPERM : 0;
}

/* `caps` and no others, and `inherited` of them for programs we start; then looked at again. */
static int limit(uint64_t caps, uint64_t inherited)
{
        capng_clear(CAPNG_SELECT_ALL);
        want(caps, CAPNG_EFFECTIVE | CAPNG_PERMITTED);
        want(caps & inherited, CAPNG_INHERITABLE | CAPNG_AMBIENT);
        if (capng_apply(CAPNG_SELECT_CAPS) || capng_apply(CAPNG_SELECT_AMBIENT))
                return -EPERM;
        if (held(CAPNG_EFFECTIVE) != caps || held(CAPNG_PERMITTED) != caps || held(CAPNG_AMBIENT) != (caps & inherited))
                return -EPERM;
        return 0;
}

/* --- user and group --- */

/* Groups, then gid, then uid: each needs a right that the next takes away. Then all three are read again. */
static int change_ids(uid_t uid, gid_t gid, const struct group *also)
{
        uid_t u[3];
        gid_t g[3], rest;
        int n = also != NULL;
        if (setgroups((size_t)n, also ? &also->gr_gid : NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
            setresuid(uid, uid, uid) == -1)
                return -errno;
        if (getresuid(&u[0], &u[1], &u[2]) == -1 || getresgid(&g[0], &g[1], &g[2]) == -1)
                return -errno;
        for (size_t i = 0; i < 3; i++)
                if (u[i] != uid || g[i] != gid)
                        return -EPERM;
        return getgroups(1, &rest) == n && (n == 0 || rest == also->gr_gid) ? 0 : -EPERM;
}

int sandbox_become(const struct sandbox *s, const char *user, const char *group, struct buf *why)
{
        const struct passwd *pw = user && geteuid() == 0 ? getpwnam(user) : NULL;
        const struct group *gr = pw ? getgrnam(group) : NULL;
        uint64_t caps = held(CAPNG_PERMITTED) & (s->keep | s->first);
        int failed = bound(caps & s->keep);
        if (failed)
                return fail(why, failed, "reducing the bounding set of capabilities");
        if (gr) {
                /* so that a change of uid away from 0 leaves what is permitted, for limit() to choose from */
                if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
                        return fail(why, -errno, "keeping capabilities over the change of user");
                gid_t gid = gr->gr_gid; /* libc has one place for all of them */
                failed = change_ids(pw->pw_uid, gid, s->also ? getgrnam(s->also) : NULL);
                if (failed) {
                        buf_addf(why, "becoming user %s, group %s: %s", user, group, strerror(-failed));
                        return failed;
                }
                prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
        }
        failed = limit(caps, s->keep);
        if (failed)
                return fail(why, failed, "giving up capabilities");
        return gr ? 0 : 1;
}

int sandbox_lock(const struct sandbox *s, const char *state, int *landlock, struct buf *why)
{
        int failed = limit(held(CAPNG_PERMITTED) & s->keep, s->keep);
        if (failed)
                return fail(why, failed, "giving up capabilities");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
                return fail(why, -errno, "no_new_privs");
        failed = landlock_restrict(s->paths, s->n_paths, state, !(s->calls & SANDBOX_NET), landlock, why);
        if (failed)
                return failed;
        failed = seccomp_restrict(s->calls, s->deadly);
        return failed ? fail(why, failed, "seccomp") : 0;
}
