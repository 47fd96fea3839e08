/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/archive.c - leases of a network over time, into the archive and found again.
 *
 *     archive STATE fill LEASES DAYS FROM_DAY PEOPLE    through the pile, as an import does; prints seconds, those of adding, those
 *                                                       of the processor, and KiB at the peak
 *     archive STATE look COUNT LEASES DAYS PEOPLE       asks COUNT times who held an address; prints µs at the median, the 99th percentile,
 *                                                       the worst, and how many had their one subscriber
 *
 * 65,536 addresses and as many /56, each held all the time by one subscriber after the other; told in the order of time. */
#include "base/time.h"
#include "ledger/pile.h"

#include <stdio.h>
#include <sys/resource.h>

enum { ADDRESSES = 65536 };

static int64_t now, days;
static long people;

static void die(const char *what, const char *why)
{
        fprintf(stderr, "archive: %s: %s\n", what, why);
        exit(1);
}

static uint64_t mixed(uint64_t v)
{
        v = (v ^ v >> 31) * 0x9e3779b97f4a7c15u;
        v = (v ^ v >> 29) * 0xbf58476d1ce4e5b9u;
        return v ^ v >> 32;
}

static struct prefix prefix_number(uint64_t i)
{
        struct prefix p = { .len = 128 };
        if (i < ADDRESSES)
                p.addr = (struct addr){ .b = { [10] = 0xff,
                                               [11] = 0xff,
                                               [12] = 100,
                                               [13] = 64,
                                               [14] = (uint8_t)(i >> 8),
                                               [15] = (uint8_t)i } };
        else
                p = (struct prefix){ { .b = { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)(i >> 8), (uint8_t)i } }, 56 };
        return p;
}

/* The lease of one address in one turn; `text` holds its words. */
static struct lease lease_of(uint64_t address, int64_t turn, int64_t each, int64_t from, char text[2][64])
{
        struct lease l = { .prefix = prefix_number(address), .source = S("radius"), .why_ended = S("User-Request") };
        uint64_t chance = mixed(address * 1000003 + (uint64_t)turn);
        l.start = from + turn * each + (int64_t)(mixed(address) % (uint64_t)each);
        l.end = l.start + each;
        l.line.kind = S("user");
        l.line.value = (struct slice){ text[0], (size_t)snprintf(text[0], 64, "u%llu@example.net",
                                                                 (unsigned long long)(chance % (uint64_t)people)) };
        l.user = l.line.value;
        l.session = (struct slice){ text[1], (size_t)snprintf(text[1], 32, "%016llx", (unsigned long long)chance) };
        l.evidence = (struct slice){ text[1] + 32, (size_t)snprintf(text[1] + 32, 32, "detail-%lld:%llu",
                                                                    (long long)turn, (unsigned long long)address) };
        l.nas = address % 2 ? S("bras1.example.net") : S("bras2.example.net");
        return l;
}

static void fill(const char *dir, uint64_t leases, int64_t from_day)
{
        autobuf why;
        autopile *p = NULL;
        autoclient *c = NULL;
        struct pile_result r;
        struct rusage used;
        char text[2][64];
        buf_init(&why, 4096);
        int64_t turns = (int64_t)(leases / ADDRESSES / 2), each = days * DAY / (turns ? turns : 1),
                began = time_monotonic();
        if (client_open(dir, &c, &why) < 0 || pile_new(dir, 0, &p, &why) < 0)
                die(dir, buf_cstr(&why));
        for (int64_t turn = 0; turn < turns; turn++)
                for (uint64_t i = 0; i < 2 * ADDRESSES; i++) {
                        struct lease l = lease_of(i, turn, each, now - from_day * DAY, text);
                        if (pile_add(p, &l) < 0)
                                die("pile", pile_why(p));
                }
        double adding = (double)(time_monotonic() - began) / SECOND;
        if (pile_commit(p, c, NULL, 0, false, NULL, &r) != 0)
                die("pile", pile_why(p));
        getrusage(RUSAGE_SELF, &used);
        double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / SECOND;
        printf("%llu leases %.2f s %.2f s %.2f s %ld KiB\n", (unsigned long long)r.added,
               (double)(time_monotonic() - began) / SECOND, adding, cpu, used.ru_maxrss);
}

static int by_time(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return x < y ? -1 : x > y;
}

static void look(const char *dir, size_t count, uint64_t leases, int64_t from_day)
{
        autobuf why;
        autoledger *l = NULL;
        autoarena *a = arena_new(16 << 20);
        autofree int64_t *took = xcalloc(count, sizeof *took);
        size_t exact = 0;
        buf_init(&why, 4096);
        if (ledger_open_why(dir, &l, &why) < 0)
                die(dir, buf_cstr(&why));
        (void)leases;
        /* Twice the same questions: the first time warms what they need. */
        for (size_t i = 0; i < 2 * count; i++) {
                struct lease *found;
                size_t n, k = i % count;
                struct prefix p = prefix_number(mixed(k) % (2 * ADDRESSES));
                int64_t at =
                    now - from_day * DAY + DAY * 6 + (int64_t)(mixed(k + 7) % (uint64_t)((from_day - 12) * DAY));
                arena_clear(a);
                int64_t before = time_monotonic();
                if (ledger_holders(l, a, &p.addr, at, &found, &n) < 0)
                        die("look", ledger_error(l));
                took[k] = time_monotonic() - before;
                exact += i >= count && n == 1 && found[0].subscriber.n;
        }
        qsort(took, count, sizeof *took, by_time);
        printf("%lld %lld %lld us %zu of %zu\n", (long long)took[count / 2], (long long)took[count * 99 / 100],
               (long long)took[count - 1], exact, count);
}

int main(int argc, char **argv)
{
        if (argc != 7)
                return 2;
        now = INT64_C(1793491200) * SECOND; /* a day that is always the same */
        days = atoll(argv[4]);
        people = atol(argv[6]);
        if (strcmp(argv[2], "fill") == 0)
                fill(argv[1], (uint64_t)atoll(argv[3]), atoll(argv[5]));
        else
                look(argv[1], (size_t)atoll(argv[3]), 0, atoll(argv[5]));
        return 0;
}
