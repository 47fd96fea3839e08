/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/quarantine.c - how long from the commit of a quarantine until the kernel enforces it.
 *
 *     quarantine STATE one COUNT FIRST       COUNT times: quarantine subscriber sN, wait until the kernel has his address
 *     quarantine STATE burst COUNT FIRST     COUNT at once, by WORKERS processes side by side, then wait until the kernel has all
 *
 * Prints a line each: microseconds of the verb until its answer (it is on disk then), and from there until the kernel has it.
 * The kernel is asked for the one element (NFT_MSG_GETSETELEM) again and again. Subscriber sN holds 10.0.0.0 + 7 N. */
#include "gate/netlink.h"
#include "ledger/client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

enum { WORKERS = 10 };

static struct addr address_of(long n)
{
        uint32_t a = (10u << 24) + (uint32_t)n * 7;
        return (struct addr){ .b = { [10] = 0xff,
                                     [11] = 0xff,
                                     [12] = (uint8_t)(a >> 24),
                                     [13] = (uint8_t)(a >> 16),
                                     [14] = (uint8_t)(a >> 8),
                                     [15] = (uint8_t)a } };
}

static void die(const char *what, const char *why)
{
        fprintf(stderr, "quarantine: %s: %s\n", what, why);
        exit(1);
}

static void wait_for_kernel(struct netlink *n, long subscriber)
{
        struct prefix p = { address_of(subscriber), 128 };
        int64_t deadline = time_monotonic() + 30 * SECOND;
        while (!netlink_has(n, 'a', KIND_MAIL, &p) && !netlink_has(n, 'b', KIND_MAIL, &p) &&
               !netlink_has(n, 'c', KIND_MAIL, &p))
                if (time_monotonic() > deadline)
                        die("the kernel", "did not get it within 30 s");
}

static void add(struct client *c, long subscriber)
{
        char id[32];
        int64_t ret;
        snprintf(id, sizeof id, "s%ld", subscriber);
        int64_t now = time_now();
        struct quarantine q = {
                .subscriber = slice_of(id), .level = LEVEL_MAIL, .reason = S("bench"), .start = now, .until = now + HOUR
        };
        if (client_quarantine_add(c, &q, &ret))
                die(id, client_reason(c));
}

static void one_by_one(struct client *c, struct netlink *n, long count, long first)
{
        for (long i = first; i < first + count; i++) {
                int64_t start = time_monotonic();
                add(c, i);
                int64_t committed = time_monotonic();
                wait_for_kernel(n, i);
                printf("%lld %lld\n", (long long)(committed - start), (long long)(time_monotonic() - committed));
        }
}

static void work(const char *state, long count, long first)
{
        autoclient *c = NULL;
        autobuf why;
        buf_init(&why, 4096);
        if (client_open(state, &c, &why))
                die("the keeper", buf_cstr(&why));
        for (long i = first; i < first + count; i++)
                add(c, i);
}

static void burst(const char *state, struct netlink *n, long count, long first)
{
        int64_t start = time_monotonic();
        for (long w = 0; w < WORKERS; w++)
                if (fork() == 0) {
                        work(state, count / WORKERS, first + w * (count / WORKERS));
                        _exit(0);
                }
        for (int status; wait(&status) > 0;)
                if (status)
                        die("a worker", "failed");
        int64_t committed = time_monotonic();
        for (long i = first; i < first + count / WORKERS * WORKERS; i++)
                wait_for_kernel(n, i);
        printf("%lld %lld\n", (long long)(committed - start), (long long)(time_monotonic() - committed));
}

int main(int argc, char **argv)
{
        autoclient *c = NULL;
        autonetlink *n = NULL;
        autobuf why;
        buf_init(&why, 4096);
        if (argc != 5)
                die("usage", "quarantine STATE one|burst COUNT FIRST");
        if (client_open(argv[1], &c, &why))
                die("the keeper", buf_cstr(&why));
        if (netlink_open(&n))
                die("netlink", strerror(errno));
        if (strcmp(argv[2], "burst") == 0)
                burst(argv[1], n, atol(argv[3]), atol(argv[4]));
        else
                one_by_one(c, n, atol(argv[3]), atol(argv[4]));
        return 0;
}
