/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* include/uapi/linux/landlock.h of Linux 6.15; the numbers of the calls are the same on every architecture */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { ASK_VERSION = 1, RULE_BENEATH = 1, VERSION_KNOWN = 7 };

struct ruleset {
        uint64_t files, tcp, scoped;
};

struct beneath {
        uint64_t allowed;
        int32_t fd;
} __attribute__((packed));

#define BIT(n) (UINT64_C(1) << (n))
#define EXECUTE BIT(0)
#define WRITE_FILE BIT(1)
#define READ_FILE BIT(2)
#define READ_DIR BIT(3)
#define REMOVE_DIR BIT(4)
#define REMOVE_FILE BIT(5)
#define MAKE_DIR BIT(7)
#define MAKE_REG BIT(8)
#define MAKE_SOCK BIT(9)
#define REFER BIT(13)
#define TRUNCATE BIT(14)

#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE)
#define OF_VERSION_1 (BIT(13) - 1)
#define TCP_BIND_AND_CONNECT (BIT(0) | BIT(1))
#define SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS (BIT(0) | BIT(1))

/* All that a version can refuse is refused. */
static struct ruleset ruleset_of(int version, bool tcp)
{
        struct ruleset r = { .files = OF_VERSION_1 };
        if (version >= 2)
                r.files |= REFER;
        if (version >= 3)
                r.files |= TRUNCATE;
        if (version >= 4 && tcp)
                r.tcp = TCP_BIND_AND_CONNECT;
        if (version >= 5)
                r.files |= BIT(15); /* ioctl of devices */
        if (version >= 6)
                r.scoped = SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS;
        return r;
}

static uint64_t allowed_of(unsigned rights)
{
        uint64_t allowed = 0;
        if (rights & SANDBOX_READ)
                allowed |= READ_FILE | READ_DIR;
        if (rights & SANDBOX_WRITE)
                allowed |= WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER;
        if (rights & SANDBOX_EXECUTE)
                allowed |= EXECUTE;
        return allowed;
}

static int allow(int ruleset, uint64_t handled, const char *path, unsigned rights)
{
        autoclose int fd = open(path, O_PATH | O_CLOEXEC);
        struct stat st;
        if (fd == -1 || fstat(fd, &st) == -1)
                return -errno;
        struct beneath b = { .allowed = allowed_of(rights) & handled, .fd = fd };
        if (!S_ISDIR(st.st_mode))
                b.allowed &= OF_FILES;
        return syscall(ADD_RULE, ruleset, RULE_BENEATH, &b, 0) == -1 ? -errno : 0;
}

int landlock_restrict(const struct sandbox_path *paths, size_t n, const char *state, bool tcp, int *version,
                      struct buf *why)
{
        long known = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
        *version = known < 0 ? 0 : known > VERSION_KNOWN ? VERSION_KNOWN : (int)known;
        if (*version == 0) /* ENOSYS: built without; EOPNOTSUPP: switched off at boot */
                return 0;
        struct ruleset wanted = ruleset_of(*version, tcp);
        autoclose int ruleset = (int)syscall(CREATE_RULESET, &wanted, sizeof wanted, 0);
        if (ruleset == -1) {
                int failed = -errno;
                buf_addf(why, "landlock: %s", strerror(-failed));
                return failed;
        }
        for (size_t i = 0; i < n; i++) {
                const char *path = paths[i].path ? paths[i].path : state;
                int failed = allow(ruleset, wanted.files, path, paths[i].rights);
                if (failed && !(failed == -ENOENT && paths[i].path)) {
                        buf_addf(why, "landlock: %s: %s", path, strerror(-failed));
                        return failed;
                }
        }
        if (syscall(RESTRICT_SELF, ruleset, 0) == -1) {
                int failed = -errno;
                buf_addf(why, "landlock: %s", strerror(-failed));
                return failed;
        }
        return 0;
}
