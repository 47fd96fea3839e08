/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/child.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct pipes {
        int out, err; /* our ends; -1 when done */
};

static int open_pipe(int *ours, int *theirs)
{
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) == -1)
                return -errno;
        *ours = fds[0];
        *theirs = fds[1];
        fcntl(*ours, F_SETFL, O_NONBLOCK);
        return 0;
}

/* The input stands whole in memory before the program starts: were it fed through a pipe, our death would end the text in the middle, and a
 * half may mean something, too. */
static int hold(struct slice text, int *ret)
{
        autoclose int fd = memfd_create("input", MFD_CLOEXEC);
        if (fd == -1)
                return -errno;
        while (text.n) {
                ssize_t n = write(fd, text.p, text.n);
                if (n == -1 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        text = slice_from(text, (size_t)n);
        }
        if (lseek(fd, 0, SEEK_SET) == -1)
                return -errno;
        *ret = take_fd(&fd);
        return 0;
}

/* In the child, with our memory: nothing but calls of the kernel. It ends with us, so that nobody's later work is undone by what we began.
 * Returns errno. */
static int become(const char *const *argv, const int fds[3], pid_t parent)
{
        static char locale[] = "LC_ALL=C";
        char *const bare_environment[] = { locale, NULL };
        struct sigaction usual = { .sa_handler = SIG_DFL };
        sigset_t none;
        sigemptyset(&none);
        for (int i = 0; i < 3; i++)
                if (dup2(fds[i], i) == -1)
                        return errno;
        for (int i = 1; i < NSIG; i++)
                sigaction(i, &usual, NULL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
                return errno;
        if (getppid() != parent)
                return ESRCH;
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(argv[0], (char *const *)argv, bare_environment);
        return errno;
}

static int start(const struct child *c, struct pipes *p, pid_t *pid)
{
        autoclose int in = -1, out = -1, err = -1;
        int failed = hold(c->input, &in);
        failed = failed ? failed : open_pipe(&p->out, &out);
        failed = failed ? failed : open_pipe(&p->err, &err);
        if (failed)
                return failed;
        volatile int wrong = 0;
        const int fds[3] = { in, out, err };
        pid_t parent = getpid();
        sigset_t all, before;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        *pid = vfork();
        if (*pid == 0) {
                wrong = become(c->argv, fds, parent);
                _exit(127);
        }
        failed = *pid == -1 ? -errno : -wrong;
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (*pid != -1 && failed)
                waitpid(*pid, NULL, 0);
        return failed;
}

static void close_end(int *fd)
{
        if (*fd != -1)
                close(take_fd(fd));
}

static void drain(int *fd, struct buf *into)
{
        char bytes[16384];
        ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n > 0 && into)
                buf_add(into, (struct slice){ bytes, (size_t)n });
        if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
                close_end(fd);
}

/* Until both outputs are closed, or the deadline. */
static int exchange(struct pipes *p, const struct child *c, int64_t deadline)
{
        while (p->out != -1 || p->err != -1) {
                int64_t left = deadline - time_monotonic();
                struct pollfd fds[] = { { p->out, POLLIN, 0 }, { p->err, POLLIN, 0 } };
                if (left <= 0)
                        return -ETIMEDOUT;
                if (poll(fds, COUNT_OF(fds), (int)(left / 1000) + 1) == -1 && errno != EINTR)
                        return -errno;
                if (fds[0].revents)
                        drain(&p->out, c->output);
                if (fds[1].revents)
                        drain(&p->err, c->errors);
        }
        return 0;
}

/* A program may close its outputs and live on: the deadline holds for its end, too. */
static int reap(pid_t pid, int64_t deadline, int *status)
{
        for (int64_t nap = 200; waitpid(pid, status, WNOHANG) == 0; nap = nap < 20000 ? nap * 2 : nap) {
                if (time_monotonic() > deadline) {
                        kill(pid, SIGKILL);
                        waitpid(pid, status, 0);
                        return -ETIMEDOUT;
                }
                usleep((useconds_t)nap);
        }
        return 0;
}

int child_run(const struct child *c, int *status)
{
        struct pipes p = { -1, -1 };
        int64_t deadline = time_monotonic() + c->deadline_us;
        pid_t pid;
        int raw = 0;
        int failed = start(c, &p, &pid);
        if (!failed) {
                failed = exchange(&p, c, deadline);
                int late = reap(pid, failed ? 0 : deadline, &raw);
                failed = failed ? failed : late;
        }
        close_end(&p.out);
        close_end(&p.err);
        if (!failed)
                *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
        return failed;
}
