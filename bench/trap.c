/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/trap.c - bots for the trap, all at once: bench/edge.py measures what they cost.
 *
 *     trap ADDRESS PORT COUNT FIRST   COUNT connections, the first from 127.1.0.0 + FIRST, each from an address of its own. Each says EHLO,
 *                                     MAIL and RCPT, and waits from then on. Prints "ready"; ends with its standard input, and prints how
 *                                     many are left and how many bytes came meanwhile */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, AT_ONCE = 100 }; /* at once: those that the server has not accepted yet; more overflow its queue */

struct bot {
        int fd, step;
        char last[4]; /* of the line that comes: its first characters */
        int n;
        bool greeted;
};

static const char *const words[] = { "EHLO bot.example\r\n", "MAIL FROM:<x@example.com>\r\n",
                                     "RCPT TO:<y@example.org>\r\n" };
static int epoll, greeted, waiting, left;
static long bytes;

static void die(const char *what)
{
        fprintf(stderr, "trap: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void dial(struct bot *b, const struct sockaddr_in *to, uint32_t from)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(from) };
        *b = (struct bot){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
        if (b->fd == -1 || bind(b->fd, (struct sockaddr *)&at, sizeof at) == -1)
                die("bind");
        if (connect(b->fd, (const struct sockaddr *)to, sizeof *to) == -1 && errno != EINPROGRESS)
                die("connect");
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = b };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, b->fd, &e) == -1)
                die("epoll_ctl");
        left++;
}

/* The last line of a reply is over. */
static void answered(struct bot *b)
{
        const char *text = words[b->step++];
        if (send(b->fd, text, strlen(text), MSG_NOSIGNAL) == -1)
                die("send");
        waiting += b->step == 3;
}

static void on_input(struct bot *b)
{
        char in[4096];
        ssize_t n = recv(b->fd, in, sizeof in, 0);
        if (n <= 0) {
                close(b->fd);
                left--;
                return;
        }
        bytes += n;
        for (ssize_t i = 0; i < n; i++) {
                if (b->n < 4)
                        b->last[b->n++] = in[i];
                if (in[i] != '\n')
                        continue;
                greeted += !b->greeted;
                b->greeted = true;
                b->n = 0;
                if (b->last[3] != '-' && b->step < 3)
                        answered(b);
        }
}

static bool turn(int wait)
{
        struct epoll_event e[EVENTS];
        int n = epoll_wait(epoll, e, EVENTS, wait);
        for (int i = 0; i < n; i++) {
                if (!e[i].data.ptr)
                        return false;
                on_input(e[i].data.ptr);
        }
        return true;
}

int main(int argc, char **argv)
{
        if (argc != 5)
                return 2;
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])) };
        inet_pton(AF_INET, argv[1], &to.sin_addr);
        int count = atoi(argv[3]);
        struct bot *bots = calloc((size_t)count, sizeof *bots);
        struct epoll_event end = { .events = EPOLLIN, .data.ptr = NULL };
        epoll = epoll_create1(EPOLL_CLOEXEC);
        epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &end);
        for (int i = 0; i < count; i++) {
                dial(&bots[i], &to, 0x7f010000 + (uint32_t)(atoi(argv[4]) + i));
                while (i - greeted > AT_ONCE)
                        if (!turn(1000))
                                return 1;
        }
        while (waiting < left)
                if (!turn(1000))
                        return 1;
        printf("ready %d\n", left);
        fflush(stdout);
        bytes = 0;
        while (turn(1000))
                ;
        printf("%d %ld\n", left, bytes);
        return 0;
}
