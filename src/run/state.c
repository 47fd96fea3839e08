/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/state.h"
#include "base/file.h"
#include "run/duties.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

enum { FOLDER_ALONE = 0750, FOLDER_SHARED = 01771, LOCK_SHARED = 0660, INNER_ALONE = 0700, INNER_SHARED = 02750 };

struct owners {
        uid_t keeper, gate, auth, deliver, maillog;
        gid_t group;
};

static bool find_owners(struct owners *ret)
{
        const struct {
                const char *name;
                uid_t *uid;
        } users[] = { { KEEPER_USER, &ret->keeper },
                      { GATE_USER, &ret->gate },
                      { AUTH_USER, &ret->auth },
                      { DELIVER_USER, &ret->deliver },
                      { MAILLOG_USER, &ret->maillog } };
        for (size_t i = 0; i < COUNT_OF(users); i++) {
                const struct passwd *pw = getpwnam(users[i].name);
                if (!pw)
                        return false;
                *users[i].uid = pw->pw_uid;
        }
        const struct group *gr = getgrnam(DUTY_GROUP);
        if (gr)
                ret->group = gr->gr_gid;
        return gr != NULL;
}

/* gate.lock is the keeper's too, because of fs.protected_regular: in a sticky folder even root may open with O_CREAT
 * only his own files and those of the folder's owner. */
static int give(int folder, const char *name, const struct owners *o)
{
        struct slice n = slice_of(name);
        struct stat st;
        if (slice_eq(n, S("run.lock")) || slice_eq(n, S(".")) || slice_eq(n, S("..")))
                return 0;
        autoclose int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd == -1 || fstat(fd, &st) == -1)
                return errno == ENOENT ? 0 : -errno;
        /* In a sticky folder a duty takes away only its own: a socket that is left of another user would stay for good. */
        bool auth = slice_eq(n, S("auth.sock")), door = auth || slice_eq(n, S("deliver.sock"));
        if ((!S_ISREG(st.st_mode) && !(S_ISSOCK(st.st_mode) && door)) || st.st_nlink != 1)
                return 0;
        uid_t owner = auth ? o->auth : door ? o->deliver : slice_starts(n, S("last-good.nft")) ? o->gate : o->keeper;
        if ((st.st_uid != owner || st.st_gid != o->group) && fchownat(fd, "", owner, o->group, AT_EMPTY_PATH) == -1)
                return -errno;
        return 0;
}

/* What is for another group than the duties': a folder of its own, whose group the files SQLite makes in it inherit. */
static const struct {
        const char *name, *group;
} inner[] = { { "secrets", AUTH_GROUP }, { "mail", "porteiro-mail" } };

static int give_all(int folder, const struct owners *o);

static int share_inner(int state, const char *name, const char *group, const struct owners *o)
{
        const struct group *gr = getgrnam(group);
        struct owners own = {
                .keeper = o->keeper, .gate = o->keeper, .deliver = o->keeper, .group = gr ? gr->gr_gid : o->group
        };
        if (mkdirat(state, name, INNER_ALONE) == -1 && errno != EEXIST)
                return -errno;
        autoclose int folder = openat(state, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder == -1)
                return -errno;
        int failed = give_all(folder, &own);
        if (failed)
                return failed;
        if (fchown(folder, own.keeper, own.group) == -1 || fchmod(folder, gr ? INNER_SHARED : INNER_ALONE) == -1)
                return -errno;
        return 0;
}

static int give_all(int folder, const struct owners *o)
{
        int again = dup(folder);
        DIR *list = again == -1 ? NULL : fdopendir(again);
        struct dirent *e;
        int failed = list ? 0 : -errno;
        while (list && !failed && (e = readdir(list)))
                failed = give(folder, e->d_name, o);
        if (list)
                closedir(list);
        return failed;
}

/* The archive of leases: leases/ and what is in it, folders in folders, all the keeper's, to be read by the group. */
static int give_folders(int parent, const char *name, const struct owners *o, unsigned depth)
{
        autoclose int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder == -1)
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
        int failed = give_all(folder, o), again = dup(folder);
        DIR *list = again == -1 ? NULL : fdopendir(again);
        struct dirent *e;
        if (list)
                rewinddir(list);
        while (list && depth && !failed && (e = readdir(list)))
                if (e->d_name[0] != '.')
                        failed = give_folders(folder, e->d_name, o, depth - 1);
        if (list)
                closedir(list);
        return !failed && fchown(folder, o->keeper, o->group) == -1 ? -errno : failed;
}

static int share(const char *dir, const struct owners *o)
{
        autoclose int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        autoclose int lock =
            folder == -1 ? -1 : openat(folder, "gate.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, LOCK_SHARED);
        if (folder == -1 || lock == -1)
                return -errno;
        if (fchmod(lock, LOCK_SHARED) == -1)
                return -errno;
        int failed = give_all(folder, o);
        for (size_t i = 0; !failed && i < COUNT_OF(inner); i++)
                failed = share_inner(folder, inner[i].name, inner[i].group, o);
        if (!failed)
                failed = give_folders(folder, "leases", o, 1);
        if (!failed && mkdirat(folder, "maillog", FOLDER_ALONE) == -1 && errno != EEXIST)
                failed = -errno;
        if (!failed)
                failed = give_folders(
                    folder, "maillog",
                    &(struct owners){ o->maillog, o->maillog, o->maillog, o->maillog, o->maillog, o->group }, 1);
        if (failed)
                return failed;
        if (fchown(folder, o->keeper, o->group) == -1 || fchmod(folder, FOLDER_SHARED) == -1)
                return -errno;
        return 0;
}

int state_prepare(const char *dir, struct buf *why)
{
        struct owners owners;
        int failed = folder_make(dir, FOLDER_ALONE);
        if (!failed && duty_own_users() && find_owners(&owners))
                failed = share(dir, &owners);
        if (failed)
                buf_addf(why, "the state folder %s: %s", dir, strerror(-failed));
        return failed;
}
