/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/accounting.c - a NAS in a hurry: RADIUS accounting at a given rate, and how long a reconnection takes to reach the kernel.
 *
 *     accounting rate ADDRESS:PORT SECRET RATE SECONDS     Starts, then Interims that bring a prefix, then Stops: each changes the ledger
 *     accounting reconnect ADDRESS:PORT SECRET STATE N     N times: a quarantined subscriber sI starts at another address
 *
 * rate prints: sent, answered, sent again, unanswered, then the microseconds from first sending to the answer: median, 99th percentile, most.
 * What is not answered within a second is sent again, three times. reconnect prints a line each: microseconds from the Start to the kernel. */
#include "gate/netlink.h"
#include "identity/radius.h"
#include "ledger/client.h"

#include <errno.h>
#include <md5.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { SOCKETS = 32, IDS = 256, SLOTS = SOCKETS * IDS, PACKET = 256, TRIES = 4 };

struct slot {
        uint8_t packet[PACKET];
        size_t n;
        int64_t first, last; /* first 0: free */
        int tries;
};

static struct slot slots[SLOTS];
static int sockets[SOCKETS];
static struct sockaddr_in server;
static struct slice secret;
static uint64_t again, unanswered;

static void die(const char *what, const char *why)
{
        fprintf(stderr, "accounting: %s: %s\n", what, why);
        exit(1);
}

static void add(struct slot *s, uint8_t type, const void *value, size_t n)
{
        s->packet[s->n] = type;
        s->packet[s->n + 1] = (uint8_t)(n + 2);
        memcpy(s->packet + s->n + 2, value, n);
        s->n += n + 2;
}

static void add_number(struct slot *s, uint8_t type, uint32_t n)
{
        uint32_t big = htonl(n);
        add(s, type, &big, sizeof big);
}

/* Session k of the user uK, at 10.128.0.0 + k, or at `address`. */
static void fill(struct slot *s, uint8_t id, int status, unsigned k, uint32_t address, uint32_t began)
{
        char text[64];
        uint8_t prefix[10] = { 0, 56, 0x20, 0x01, 0x0d, 0xb8, (uint8_t)(k >> 16), (uint8_t)(k >> 8), (uint8_t)k, 0 };
        MD5_CTX c;
        *s = (struct slot){ .packet = { RADIUS_ACCOUNTING, id }, .n = 20 };
        add_number(s, 40, (uint32_t)status);
        add(s, 1, text, (size_t)snprintf(text, sizeof text, "u%u@example.net", k));
        add(s, 44, text, (size_t)snprintf(text, sizeof text, "%08x-%u", began, k));
        add(s, 32, "bras0", 5);
        add_number(s, 8, address ? address : (10u << 24 | 1u << 23) + k);
        uint32_t now = (uint32_t)(time_now() / SECOND);
        add_number(s, 55, now);
        if (status != ACCOUNTING_START) {
                add_number(s, 46, now - began);
                add(s, 123, prefix, sizeof prefix);
        }
        s->packet[2] = (uint8_t)(s->n >> 8);
        s->packet[3] = (uint8_t)s->n;
        MD5Init(&c);
        MD5Update(&c, s->packet, s->n);
        MD5Update(&c, (const uint8_t *)secret.p, secret.n);
        MD5Final(s->packet + 4, &c);
}

static void send_slot(size_t i, int64_t now)
{
        struct slot *s = &slots[i];
        s->last = now;
        s->first = s->first ? s->first : now;
        s->tries++;
        if (sendto(sockets[i / IDS], s->packet, s->n, 0, (struct sockaddr *)&server, sizeof server) == -1 &&
            errno != EAGAIN)
                die("sendto", strerror(errno));
}

static void open_sockets(const char *where)
{
        struct addr a;
        uint16_t port;
        if (!addr_port_parse(slice_of(where), &a, &port) || !addr_is_v4(&a))
                die(where, "IPv4:PORT");
        server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
        memcpy(&server.sin_addr, a.b + 12, 4);
        for (int i = 0; i < SOCKETS; i++)
                if ((sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) == -1)
                        die("socket", strerror(errno));
}

/* Only answers that the server alone can have written. */
static bool is_answer(const struct slot *s, const uint8_t *p, size_t n)
{
        MD5_CTX c;
        uint8_t digest[16];
        if (n != 20 || !s->first)
                return false;
        MD5Init(&c);
        MD5Update(&c, p, 4);
        MD5Update(&c, s->packet + 4, 16);
        MD5Update(&c, (const uint8_t *)secret.p, secret.n);
        MD5Final(digest, &c);
        return memcmp(digest, p + 4, 16) == 0;
}

static size_t collect(int32_t *latencies, size_t n)
{
        uint8_t p[64];
        ssize_t got;
        for (size_t k = 0; k < SOCKETS; k++)
                while ((got = recv(sockets[k], p, sizeof p, 0)) > 1) {
                        struct slot *s = &slots[k * IDS + p[1]];
                        if (!is_answer(s, p, (size_t)got))
                                continue;
                        latencies[n++] = (int32_t)(time_monotonic() - s->first);
                        s->first = 0;
                }
        return n;
}

static size_t send_again(int64_t now)
{
        size_t waiting = 0;
        for (size_t i = 0; i < SLOTS; i++) {
                struct slot *s = &slots[i];
                if (!s->first)
                        continue;
                waiting++;
                if (now - s->last < SECOND)
                        continue;
                if (s->tries == TRIES) {
                        unanswered++;
                        s->first = 0;
                        continue;
                }
                again++;
                send_slot(i, now);
        }
        return waiting;
}

static int by_size(const void *a, const void *b)
{
        return *(const int32_t *)a - *(const int32_t *)b;
}

static void rate(long per_second, long seconds)
{
        size_t total = (size_t)(per_second * seconds), sent = 0, n = 0, third = (total + 2) / 3;
        int32_t *latencies = xcalloc(total + 1, sizeof *latencies);
        uint32_t began = (uint32_t)(time_now() / SECOND);
        int64_t start = time_monotonic(), looked = start;
        for (size_t waiting = 1; sent < total || waiting;) {
                int64_t now = time_monotonic();
                for (; sent < total && (now - start) * per_second / SECOND >= (int64_t)sent; sent++) {
                        size_t i = sent % SLOTS;
                        if (slots[i].first)
                                break; /* all ids are out: the server is behind by SLOTS packets */
                        fill(&slots[i], (uint8_t)(i % IDS),
                             sent / third == 0   ? 1
                             : sent / third == 1 ? 3
                                                 : 2,
                             (unsigned)(sent % third), 0, began);
                        send_slot(i, now);
                }
                n = collect(latencies, n);
                if (now - looked > 50000 || sent == total) {
                        waiting = send_again(now);
                        looked = now;
                }
                poll(NULL, 0, 0);
                usleep(200);
        }
        double took = (double)(time_monotonic() - start) / 1e6;
        qsort(latencies, n, sizeof *latencies, by_size);
        printf("%zu %zu %llu %llu %d %d %d %.2f\n", sent, n, (unsigned long long)again, (unsigned long long)unanswered,
               latencies[n / 2], latencies[n * 99 / 100], n ? latencies[n - 1] : 0, took);
        free(latencies);
}

static void reconnect(const char *dir, unsigned count)
{
        autobuf why;
        struct netlink *kernel = NULL;
        struct client *c = NULL;
        buf_init(&why, 4096);
        if (client_join(dir, &c, &why) != 0)
                die("the keeper", buf_cstr(&why));
        if (netlink_open(&kernel) != 0)
                die("netlink", "cannot be opened");
        for (unsigned k = 1; k <= count; k++) {
                char id[32];
                int64_t ret, now = time_now();
                snprintf(id, sizeof id, "s%u", k);
                struct quarantine q = { .subscriber = slice_of(id),
                                        .level = LEVEL_MAIL,
                                        .reason = S("bench"),
                                        .start = now,
                                        .until = now + HOUR };
                if (client_quarantine_add(c, &q, &ret))
                        die(id, client_reason(c));
        }
        for (unsigned k = 1; k <= count; k++) {
                uint32_t address = (10u << 24 | 250u << 16) + k;
                struct prefix p = { { .b = { [10] = 0xff, [11] = 0xff } }, 128 };
                uint32_t big = htonl(address);
                memcpy(p.addr.b + 12, &big, 4);
                fill(&slots[k % IDS], (uint8_t)(k % IDS), ACCOUNTING_START, k, address,
                     (uint32_t)(time_now() / SECOND));
                int64_t start = time_monotonic();
                send_slot(k % IDS, start);
                while (!netlink_has(kernel, 'a', KIND_MAIL, &p) && !netlink_has(kernel, 'b', KIND_MAIL, &p) &&
                       !netlink_has(kernel, 'c', KIND_MAIL, &p)) {
                        if (time_monotonic() - start > 30 * SECOND)
                                die("the kernel", "did not get it within 30 s");
                        usleep(200);
                }
                printf("%lld\n", (long long)(time_monotonic() - start));
                usleep(20000);
        }
        netlink_close(kernel);
        client_close(c);
}

int main(int argc, char **argv)
{
        if (argc != 6)
                die("usage",
                    "accounting rate ADDRESS:PORT SECRET RATE SECONDS | reconnect ADDRESS:PORT SECRET STATE N");
        secret = slice_of(argv[3]);
        open_sockets(argv[2]);
        if (strcmp(argv[1], "rate") == 0)
                rate(atol(argv[4]), atol(argv[5]));
        else
                reconnect(argv[4], (unsigned)atol(argv[5]));
        return 0;
}
