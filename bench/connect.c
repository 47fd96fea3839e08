/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/connect.c - opens and closes TCP connections one after another, or accepts them, as plainly as can be.
 *
 *     connect serve PORT                     accept, greet, answer one line, close, for ever; prints "ready"
 *     connect bare ADDRESS PORT COUNT FROM…  COUNT connections in turn from the given source addresses (several: taken in rotation),
 *                                            each closed as soon as it stands, with a reset: four packets
 *     connect talk ADDRESS PORT COUNT FROM…  the same, but each waits for the greeting, says QUIT and waits for the end */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
        fprintf(stderr, "connect: %s: %s\n", what, strerror(errno));
        exit(1);
}

static struct sockaddr_in6 address(const char *text, int port)
{
        struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        char mapped[64];
        snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
        if (inet_pton(AF_INET6, mapped, &a.sin6_addr) != 1)
                die(text);
        return a;
}

static int tcp(void)
{
        int one = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);
        if (fd == -1)
                die("socket");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        return fd;
}

static void serve(int port)
{
        struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        int fd = tcp();
        if (bind(fd, (struct sockaddr *)&any, sizeof any) == -1 || listen(fd, 1024) == -1)
                die("listen");
        puts("ready");
        fflush(stdout);
        for (;;) {
                int one = accept(fd, NULL, NULL);
                char line[64];
                if (one == -1)
                        continue;
                if (write(one, "220 ready\r\n", 11) == 11 && read(one, line, sizeof line) > 0 &&
                    write(one, "221 bye\r\n", 9) == -1)
                        perror("write");
                close(one);
        }
}

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void talk(int fd)
{
        char line[64];
        if (read(fd, line, sizeof line) <= 0 || write(fd, "QUIT\r\n", 6) != 6)
                die("talk");
        while (read(fd, line, sizeof line) > 0)
                ;
}

static void dial(bool talks, int argc, char **argv)
{
        const struct linger gone = { .l_onoff = 1 };
        struct sockaddr_in6 to = address(argv[0], atoi(argv[1]));
        long count = atol(argv[2]);
        double start = now();
        for (long i = 0; i < count; i++) {
                struct sockaddr_in6 from = address(argv[3 + i % (argc - 3)], 0);
                int fd = tcp();
                if (bind(fd, (struct sockaddr *)&from, sizeof from) == -1)
                        die("bind");
                if (connect(fd, (struct sockaddr *)&to, sizeof to) == -1)
                        die("connect");
                if (talks)
                        talk(fd);
                else
                        setsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, sizeof gone);
                close(fd);
        }
        printf("%.6f\n", now() - start);
}

int main(int argc, char **argv)
{
        signal(SIGPIPE, SIG_IGN);
        if (argc == 3 && strcmp(argv[1], "serve") == 0)
                serve(atoi(argv[2]));
        if (argc >= 6 && (strcmp(argv[1], "bare") == 0 || strcmp(argv[1], "talk") == 0)) {
                dial(argv[1][0] == 't', argc - 2, argv + 2);
                return 0;
        }
        fputs("usage: connect serve PORT | connect bare|talk ADDRESS PORT COUNT FROM…\n", stderr);
        return 2;
}
