/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a password. */
#include "cli/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>

enum { CTRL_C = 3 };

void typed_wipe(struct typed *t)
{
        explicit_bzero(t, sizeof *t);
}

/* One line, without its end, byte by byte: nothing of it stays in a buffer of stdio's. */
static int read_line(int fd, struct typed *t)
{
        t->n = 0;
        for (;;) {
                char c;
                ssize_t n = read(fd, &c, 1);
                if (n == -1 && errno == EINTR)
                        continue;
                if (n == -1)
                        return -errno;
                if (n == 0 || c == '\n')
                        break;
                if (t->n == sizeof t->text)
                        return -E2BIG;
                t->text[t->n++] = c;
        }
        if (t->n && t->text[t->n - 1] == '\r')
                t->n--;
        return 0;
}

/* Without echo; the keys that end a program are read as letters meanwhile, so that the echo always comes back. */
static int ask(int fd, const char *prompt, struct typed *t)
{
        struct termios before, silent;
        if (tcgetattr(fd, &before) == -1)
                return -errno;
        silent = before;
        silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
        silent.c_lflag |= ICANON;
        /* The question last: what is typed before it is thrown away. */
        if (tcsetattr(fd, TCSAFLUSH, &silent) == -1)
                return -errno;
        bool asked = write(fd, prompt, strlen(prompt)) != -1;
        int status = asked ? read_line(fd, t) : -EIO;
        tcsetattr(fd, TCSAFLUSH, &before);
        if (write(fd, "\n", 1) == -1)
                return -errno;
        return status == 0 && memchr(t->text, CTRL_C, t->n) ? -ECANCELED : status;
}

static int ask_twice(int fd, bool twice, struct typed *t)
{
        autotyped again = { .n = 0 };
        int status = ask(fd, "Password: ", t);
        if (status || !twice)
                return status;
        status = ask(fd, "Once more: ", &again);
        if (status == 0 && (again.n != t->n || memcmp(again.text, t->text, t->n) != 0))
                return -EKEYREJECTED;
        return status;
}

static int complain(const char *what, int status)
{
        switch (status) {
        case -E2BIG:
                return cli_fail(EXIT_NO, "%s: what was given is too long for a password", what);
        case -ECANCELED:
                return cli_fail(EXIT_NO, "%s: given up", what);
        case -EKEYREJECTED:
                return cli_fail(EXIT_NO, "%s: the two are not the same: nothing was changed", what);
        default:
                return cli_fail(EXIT_SYSTEM, "%s: %s", what, strerror(-status));
        }
}

int typed_read(const char *what, bool from_stdin, bool twice, struct typed *ret)
{
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        int status;
        if (from_stdin) {
                status = read_line(STDIN_FILENO, ret);
        } else {
                autoclose int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
                if (fd == -1)
                        return cli_fail(EXIT_USAGE,
                                        "%s: there is no terminal to ask: give it on standard input, with --stdin",
                                        what);
                status = ask_twice(fd, twice, ret);
        }
        return status < 0 ? complain(what, status) : EXIT_DONE;
}
