/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/notify.h"
#include "base/slice.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int way_out = -1;

static bool env_number(const char *name, uint64_t max, uint64_t *ret)
{
        return slice_u64(slice_of(getenv(name)), max, ret);
}

static int connect_to(struct slice name)
{
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        if (name.n < 2 || name.n >= sizeof to.sun_path || (name.p[0] != '/' && name.p[0] != '@'))
                return -1;
        memcpy(to.sun_path, name.p, name.n);
        if (to.sun_path[0] == '@')
                to.sun_path[0] = '\0'; /* the abstract name space, unix(7) */
        autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd == -1 ||
            connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.n)) == -1)
                return -1;
        return take_fd(&fd);
}

void notify_open(void)
{
        uint64_t fd;
        struct stat st;
        if (env_number(NOTIFY_FD_VARIABLE, 1 << 20, &fd) && fd > STDERR_FILENO && fstat((int)fd, &st) == 0 &&
            S_ISSOCK(st.st_mode)) {
                way_out = (int)fd;
                fcntl(way_out, F_SETFD, FD_CLOEXEC);
        } else {
                way_out = connect_to(slice_of(getenv("NOTIFY_SOCKET")));
        }
        unsetenv(NOTIFY_FD_VARIABLE);
        unsetenv("NOTIFY_SOCKET");
}

void notify(const char *text)
{
        if (way_out != -1)
                (void)!send(way_out, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int64_t notify_watchdog(void)
{
        uint64_t us, pid;
        if (!env_number("WATCHDOG_USEC", INT64_MAX, &us))
                return 0;
        if (env_number("WATCHDOG_PID", INT32_MAX, &pid) && (pid_t)pid != getpid())
                return 0;
        return (int64_t)us / 2;
}
