/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/submit.c - many SMTP conversations at once, one process, one epoll: the client of bench/edge.py, the same for every server.
 *
 *     submit mail ADDRESS PORT HOW AT_ONCE CONNECTIONS MESSAGES SIZE LOGIN PASSWORD
 *         CONNECTIONS conversations, AT_ONCE of them at a time, with MESSAGES of SIZE bytes each; prints seconds, messages, failures
 *     submit logins ADDRESS PORT HOW RATE SECONDS LOGIN PASSWORD
 *         RATE conversations a second, whether or not the one before is answered, that log in and leave; prints count, failures and the
 *         milliseconds of AUTH: median, 99th percentile
 *     submit noop ADDRESS PORT HOW CONVERSATIONS SECONDS
 *         each says NOOP five times a second; prints how many, and milliseconds of a reply: median, 99th percentile, longest
 *
 * HOW: plain, tls (at once) or starttls. LOGIN: "" for none; one %d in it becomes the number of the conversation. Every command waits for
 * the answer to the one before; every TLS handshake is a full one. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { IN_MOST = 4096, EVENTS = 256, NOOPS_A_SECOND = 5, LINE = 76 };
enum how { PLAIN, TLS, STARTTLS };
enum step { GREETING, EHLO, START, SHAKE, AUTH, MAIL, RCPT, DATA, BODY, IDLE, QUIT };

struct conversation {
        int fd;
        SSL *ssl;
        enum step step;
        int number, messages;
        const char *out;
        size_t n_out;
        char in[IN_MOST], command[512];
        size_t n_in;
        double asked; /* when the last command went */
};

static struct sockaddr_in server;
static enum how how;
static SSL_CTX *tls;
static const char *login = "", *password = "";
static char *body;
static size_t body_n;
static int messages, epoll, alive, begun, failed, done;
static bool stays; /* after the handshake, for NOOP */
static double *times;
static size_t n_times, cap_times;

static void die(const char *what)
{
        fprintf(stderr, "submit: %s: %s\n", what, strerror(errno));
        exit(1);
}

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note(double seconds)
{
        if (n_times == cap_times) {
                cap_times = cap_times ? cap_times * 2 : 4096;
                double *more = realloc(times, cap_times * sizeof *times);
                if (!more)
                        abort();
                times = more;
        }
        times[n_times++] = seconds * 1000;
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

static double part(double p)
{
        return n_times ? times[(size_t)((double)(n_times - 1) * p)] : 0;
}

/* ---- one conversation ---- */

static struct conversation *begin(void)
{
        struct conversation *c = calloc(1, sizeof *c);
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd == -1 || (connect(c->fd, (struct sockaddr *)&server, sizeof server) == -1 && errno != EINPROGRESS))
                die("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        c->step = how == TLS ? SHAKE : GREETING;
        c->number = begun++;
        alive++;
        struct epoll_event e = { .events = EPOLLIN | (how == TLS ? EPOLLOUT : 0), .data.ptr = c };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) == -1)
                die("epoll_ctl");
        return c;
}

static void over(struct conversation *c, const char *why)
{
        if (why && failed++ == 0)
                fprintf(stderr, "submit: step %d: %s\n", (int)c->step, why);
        SSL_free(c->ssl);
        close(c->fd);
        free(c);
        alive--;
}

static void watch(const struct conversation *c, bool write)
{
        struct epoll_event e = { .events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = (void *)c };
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void push(struct conversation *c)
{
        bool waited = c->asked < 0;
        while (c->n_out) {
                ssize_t n =
                    c->ssl ? SSL_write(c->ssl, c->out, (int)c->n_out) : send(c->fd, c->out, c->n_out, MSG_NOSIGNAL);
                if (n <= 0) {
                        watch(c, true); /* an error shows at the next read */
                        c->asked = -1;
                        return;
                }
                c->out += n;
                c->n_out -= (size_t)n;
        }
        if (waited)
                watch(c, false);
        c->asked = now();
}

static void say(struct conversation *c, enum step next, const char *text, size_t n)
{
        c->step = next;
        c->out = text;
        c->n_out = n;
        push(c);
}

static void say_auth(struct conversation *c)
{
        char plain[256], name[128], *command = c->command;
        snprintf(name, sizeof name, login, c->number);
        int n = snprintf(plain, sizeof plain, "%c%s%c%s", 0, name, 0, password);
        size_t at = (size_t)snprintf(command, sizeof c->command, "AUTH PLAIN ");
        at += (size_t)EVP_EncodeBlock((unsigned char *)command + at, (unsigned char *)plain, n);
        memcpy(command + at, "\r\n", 2);
        say(c, AUTH, command, at + 2);
}

#define SAY(c, step, text) say(c, step, text, sizeof(text) - 1)

/* False: it is no more. */
static bool shake(struct conversation *c)
{
        if (!c->ssl) {
                c->ssl = SSL_new(tls);
                SSL_set_fd(c->ssl, c->fd);
                SSL_set_connect_state(c->ssl);
        }
        int n = SSL_do_handshake(c->ssl);
        if (n != 1) {
                int e = SSL_get_error(c->ssl, n);
                if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
                        over(c, "handshake");
                        return false;
                }
                watch(c, e == SSL_ERROR_WANT_WRITE);
                return true;
        }
        watch(c, false);
        if (how == TLS)
                c->step = GREETING;
        else
                SAY(c, EHLO, "EHLO client.example.net\r\n");
        return true;
}

static void next_message(struct conversation *c)
{
        if (stays) {
                c->step = IDLE;
                done++;
        } else if (c->messages == messages) {
                SAY(c, QUIT, "QUIT\r\n");
        } else {
                SAY(c, MAIL, "MAIL FROM:<bench@example.net>\r\n");
        }
}

static bool answered(struct conversation *c, const char *text)
{
        if (text[0] != (c->step == DATA ? '3' : '2')) {
                over(c, text);
                return false;
        }
        switch (c->step) {
        case GREETING:
                SAY(c, EHLO, "EHLO client.example.net\r\n");
                break;
        case EHLO:
                if (how == STARTTLS && !c->ssl)
                        SAY(c, START, "STARTTLS\r\n");
                else if (*login)
                        say_auth(c);
                else
                        next_message(c);
                break;
        case START:
                c->step = SHAKE;
                return shake(c);
        case AUTH:
                if (messages == 0)
                        note(now() - c->asked);
                next_message(c);
                break;
        case MAIL:
                SAY(c, RCPT, "RCPT TO:<someone@example.org>\r\n");
                break;
        case RCPT:
                SAY(c, DATA, "DATA\r\n");
                break;
        case DATA:
                say(c, BODY, body, body_n);
                break;
        case BODY:
                done++;
                c->messages++;
                next_message(c);
                break;
        case IDLE:
                note(now() - c->asked);
                break;
        default:
                over(c, NULL);
                return false;
        }
        return true;
}

static void on_input(struct conversation *c)
{
        for (;;) {
                size_t room = sizeof c->in - 1 - c->n_in;
                ssize_t n =
                    c->ssl ? SSL_read(c->ssl, c->in + c->n_in, (int)room) : recv(c->fd, c->in + c->n_in, room, 0);
                if (n <= 0) {
                        bool wait =
                            c->ssl ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ : n == -1 && errno == EAGAIN;
                        if (!wait)
                                over(c, "it closed the connection");
                        return;
                }
                c->n_in += (size_t)n;
                c->in[c->n_in] = 0;
                char *end, *start = c->in;
                while ((end = strchr(start, '\n'))) {
                        *end = 0;
                        bool last = end - start >= 4 && start[3] != '-';
                        if (last && !answered(c, start))
                                return;
                        start = end + 1;
                }
                c->n_in = (size_t)(c->in + c->n_in - start);
                memmove(c->in, start, c->n_in);
                if (c->step == SHAKE)
                        return;
        }
}

static void turn(int wait)
{
        struct epoll_event e[EVENTS];
        int n = epoll_wait(epoll, e, EVENTS, wait);
        for (int i = 0; i < n; i++) {
                struct conversation *c = e[i].data.ptr;
                if (c->step == SHAKE) {
                        shake(c);
                        continue;
                }
                if (e[i].events & EPOLLOUT)
                        push(c);
                if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        on_input(c);
        }
}

/* ---- what is measured ---- */

static void make_body(size_t size)
{
        static const char head[] =
            "From: <bench@example.net>\r\nTo: <someone@example.org>\r\nSubject: bench\r\n"
            "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@client.example.net>\r\n\r\n";
        body = malloc(size + 256);
        body_n = sizeof head - 1;
        memcpy(body, head, body_n);
        while (body_n < size) {
                size_t n = size - body_n < LINE ? size - body_n : LINE;
                memset(body + body_n, 'x', n);
                memcpy(body + body_n + n, "\r\n", 2);
                body_n += n + 2;
        }
        memcpy(body + body_n, ".\r\n", 3);
        body_n += 3;
}

static void mail(int at_once, int connections)
{
        double start = now();
        while (begun < connections || alive) {
                while (alive < at_once && begun < connections)
                        begin();
                turn(1000);
        }
        printf("%.6f %d %d\n", now() - start, done, failed);
}

static void logins(double rate, double seconds)
{
        double start = now();
        while (now() - start < seconds || alive) {
                while (begun < (now() - start) * rate && now() - start < seconds)
                        begin();
                turn(2);
        }
        qsort(times, n_times, sizeof *times, compare);
        printf("%zu %d %.3f %.3f\n", n_times, failed, part(0.5), part(0.99));
}

static void noop(int count, double seconds)
{
        struct conversation **all = calloc((size_t)count, sizeof *all);
        long said = 0, most = (long)(seconds * NOOPS_A_SECOND * count);
        stays = true;
        for (int i = 0; i < count; i++) {
                all[i] = begin();
                while (done <= i && !failed)
                        turn(1000);
        }
        for (double start = now(); said < most && !failed; turn(1))
                for (; !failed && said < (now() - start) * NOOPS_A_SECOND * count; said++)
                        SAY(all[said % count], IDLE, "NOOP\r\n");
        while (n_times < (size_t)said && !failed)
                turn(1000);
        qsort(times, n_times, sizeof *times, compare);
        printf("%zu %.3f %.3f %.3f\n", n_times, part(0.5), part(0.99), part(1));
        free(all);
        if (failed)
                exit(1);
}

static int usage(void)
{
        fputs("usage: submit mail ADDRESS PORT plain|tls|starttls AT_ONCE CONNECTIONS MESSAGES SIZE LOGIN PASSWORD |\n"
              "       logins ADDRESS PORT HOW RATE SECONDS LOGIN PASSWORD | noop ADDRESS PORT HOW CONVERSATIONS "
              "SECONDS\n",
              stderr);
        return 2;
}

int main(int argc, char **argv)
{
        signal(SIGPIPE, SIG_IGN);
        if (argc < 7)
                return usage();
        server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3])) };
        if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
                die(argv[2]);
        how = strcmp(argv[4], "tls") == 0 ? TLS : strcmp(argv[4], "starttls") == 0 ? STARTTLS : PLAIN;
        tls = SSL_CTX_new(TLS_client_method());
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (argc == 11 && strcmp(argv[1], "mail") == 0) {
                messages = atoi(argv[7]);
                login = argv[9];
                password = argv[10];
                make_body((size_t)atol(argv[8]));
                mail(atoi(argv[5]), atoi(argv[6]));
        } else if (argc == 9 && strcmp(argv[1], "logins") == 0) {
                login = argv[7];
                password = argv[8];
                logins(atof(argv[5]), atof(argv[6]));
        } else if (argc == 7 && strcmp(argv[1], "noop") == 0) {
                noop(atoi(argv[5]), atof(argv[6]));
        } else {
                return usage();
        }
        return 0;
}
