/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/nursery.h"
#include "auth/checker.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Room for one descriptor beside the one byte that a message must have. */
struct parcel {
        char byte;
        struct iovec bytes;
        union {
                struct cmsghdr head;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message;
};

static void parcel_init(struct parcel *p)
{
        *p = (struct parcel){ .byte = 0 };
        p->bytes = (struct iovec){ &p->byte, 1 };
        p->message = (struct msghdr){ .msg_iov = &p->bytes,
                                      .msg_iovlen = 1,
                                      .msg_control = p->control.room,
                                      .msg_controllen = sizeof p->control.room };
}

static int send_fd(int to, int fd)
{
        struct parcel p;
        parcel_init(&p);
        p.control.head =
            (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&p.control.head), &fd, sizeof fd);
        return sendmsg(to, &p.message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

/* -1: the duty is gone. */
static int receive_fd(int from)
{
        struct parcel p;
        int fd = -1;
        ssize_t n;
        do {
                parcel_init(&p);
                n = recvmsg(from, &p.message, MSG_CMSG_CLOEXEC);
        } while (n == -1 && errno == EINTR);
        const struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&p.message) : NULL;
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
                memcpy(&fd, CMSG_DATA(c), sizeof fd);
        return fd;
}

/* The kernel ends us when our parent ends; where it was gone before we asked, nobody is left to wait for. */
static void end_with(pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
                _exit(0);
}

static struct words *read_words(const char *path)
{
        struct words *words = NULL;
        size_t line = 0;
        autobuf shown;
        buf_init(&shown, LOG_LINE_MOST);
        int failed = path ? words_load(path, &words, &line) : 0;
        if (failed)
                log_event("weak-words-unreadable", "path=%s line=%zu error=\"%s\"", log_text(&shown, slice_of(path)),
                          line, strerror(-failed));
        return words;
}

/* A SIGTERM or an interrupt of the whole group is the duty's to answer: it ends, and then we do. */
NORETURN static void raise_checkers(const struct nursery_options *o, int own)
{
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        signal(SIGCHLD, SIG_IGN); /* they are reaped by themselves: who talks to them sees them go */
        prctl(PR_SET_NAME, "auth-nursery", 0, 0, 0);
        struct words *words = read_words(o->words);
        if (o->lock_in)
                o->lock_in();
        pid_t self = getpid();
        for (int fd; (fd = receive_fd(own)) != -1; close(fd)) {
                if (fork() != 0)
                        continue; /* where it failed, closing its socket says so */
                end_with(self);
                prctl(PR_SET_NAME, "auth-checker", 0, 0, 0);
                close(own);
                checker_run(o->dir, words, fd);
                _exit(0);
        }
        _exit(0);
}

int nursery_start(const struct nursery_options *o, int *ret)
{
        static const struct rlimit none = { 0, 0 };
        int ends[2];
        pid_t self = getpid();
        if (setrlimit(RLIMIT_CORE, &none) == -1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
                return -errno;
        autoclose int ours = ends[0], its = ends[1];
        pid_t pid = fork();
        if (pid == -1)
                return -errno;
        if (pid == 0) {
                end_with(self);
                close(take_fd(&ours));
                raise_checkers(o, its);
        }
        *ret = take_fd(&ours);
        return 0;
}

int nursery_ask(int nursery, int *ret)
{
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
                return -errno;
        autoclose int ours = ends[0], its = ends[1];
        int failed = send_fd(nursery, its);
        if (!failed)
                *ret = take_fd(&ours);
        return failed;
}
