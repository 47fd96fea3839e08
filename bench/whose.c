/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/whose.c - how long it takes to say whose an address was.
 *
 *     whose STATE fill 0 LEASES           so many leases of 65,536 inside addresses that go from hand to hand each hour
 *     whose STATE ask QUESTIONS LEASES    asks for random ones, by inside address, and by outside address and port
 *     whose STATE csv QUESTIONS LEASES    prints them for `porteiro lease whose --from`
 *
 * A lease is of a line user:uN, N below 50,000; half of them have a subscriber. */
#include "base/time.h"
#include "identity/resolve.h"
#include "ledger/client.h"

#include <stdio.h>
#include <time.h>

enum { HOSTS = 1 << 16, PEOPLE = 50000, BATCH = 500 };
#define BEGIN (INT64_C(1767225600) * SECOND) /* 2026-01-01 */

static const char conf[] = "network \"Bench\" { timezone UTC }\nclass home { port25 open }\n"
                           "pool all { class home prefix 100.64.0.0/10 }\n"
                           "cgnat n { inside 100.64.0.0/16 outside 203.0.113.0/24 block 128 }\n";

static void die(const char *what, const char *why)
{
        fprintf(stderr, "whose: %s: %s\n", what, why);
        exit(1);
}

static struct addr address_of(uint32_t host)
{
        return (struct addr){ .b = { [10] = 0xff, 0xff, 100, 64, (uint8_t)(host >> 8), (uint8_t)host } };
}

static uint32_t pick(uint32_t below)
{
        static uint64_t seed = 25;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)(((seed >> 32) * below) >> 32);
}

static void add_people(struct client *c)
{
        static struct subscriber_change all[PEOPLE / 2];
        static struct line lines[PEOPLE / 2];
        static char names[PEOPLE / 2][16];
        autobuf report;
        buf_init(&report, 64 << 20);
        for (size_t i = 0; i < COUNT_OF(all); i++) {
                snprintf(names[i], sizeof names[i], "u%zu", i * 2);
                lines[i] = (struct line){ S("user"), slice_of(names[i]) };
                all[i] = (struct subscriber_change){ .value = { .id = lines[i].value, .port25 = STRATEGY_NONE },
                                                     .add_lines = &lines[i],
                                                     .n_add_lines = 1,
                                                     .row = (int64_t)i + 1 };
        }
        struct bulk_import im = { .report = &report };
        if (client_subscriber_import(c, &im, all, COUNT_OF(all)))
                die("subscribers", client_reason(c));
}

static void fill(struct client *c, uint64_t count)
{
        static struct lease all[BATCH];
        static char names[BATCH][16];
        size_t n = 0;
        add_people(c);
        for (uint64_t i = 0; i < count; i++) {
                uint32_t host = (uint32_t)(i % HOSTS);
                int64_t turn = (int64_t)(i / HOSTS);
                snprintf(names[n], sizeof names[n], "u%llu", (unsigned long long)((host * 7ull + i / HOSTS) % PEOPLE));
                struct slice name = slice_of(names[n]);
                all[n++] = (struct lease){ .realm = S("n"),
                                           .prefix = { address_of(host), 128 },
                                           .start = BEGIN + turn * HOUR,
                                           .end = BEGIN + (turn + 1) * HOUR,
                                           .line = { S("user"), name },
                                           .source = S("radius"),
                                           .user = name,
                                           .why_ended = S("User-Request") };
                if (n < BATCH && i + 1 < count)
                        continue;
                if (client_leases_put(c, S(""), S(""), all, n, NULL))
                        die("leases", client_reason(c));
                n = 0;
        }
}

static struct resolve_question question(uint64_t count, const struct cgnat *cgnat, bool outside)
{
        struct cgnat_share s;
        size_t at = 0;
        struct resolve_question q = { .address = address_of(pick(HOSTS)), .tolerance = 2 * SECOND };
        q.at = BEGIN + (int64_t)pick((uint32_t)(count / HOSTS)) * HOUR + MINUTE + (int64_t)pick(3000) * SECOND;
        const struct cgnat_version *v = cgnat_next(cgnat, CGNAT_INSIDE, &q.address, q.at, q.at, &at);
        if (!outside || !v || !cgnat_outward(v, &q.address, &s))
                return q;
        q.address = s.outside;
        q.port = (uint16_t)(s.port_low + pick(128));
        return q;
}

static int by_number(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

static void ask(struct ledger *l, const struct resolve_policy *p, uint64_t count, size_t n, bool outside)
{
        autoarena *a = arena_new(64 << 20);
        autofree int64_t *took = xcalloc(n, sizeof *took);
        size_t exact = 0;
        for (size_t i = 0; i < n + n / 10; i++) { /* the first tenth warms up */
                struct resolve_question q = question(count, p->cgnat, outside);
                struct resolve_answer r;
                q.policies = p;
                q.n_policies = 1;
                arena_clear(a);
                int64_t begin = time_monotonic();
                if (resolve(l, a, &q, &r))
                        die("resolve", ledger_error(l));
                if (i < n / 10)
                        continue;
                took[i - n / 10] = time_monotonic() - begin;
                exact += r.verdict == RESOLVE_EXACT;
        }
        qsort(took, n, sizeof *took, by_number);
        printf("%s %zu exact %zu p50 %lld p99 %lld most %lld us\n", outside ? "outside" : "inside", n, exact,
               (long long)took[n / 2], (long long)took[n * 99 / 100], (long long)took[n - 1]);
}

static void csv(const struct cgnat *cgnat, uint64_t count, size_t n)
{
        char text[ADDR_TEXT_MAX];
        printf("address,port,time\n");
        for (size_t i = 0; i < n; i++) {
                struct resolve_question q = question(count, cgnat, i % 2);
                time_t at = q.at / SECOND;
                char time[32];
                struct tm tm;
                strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
                printf("%s,", addr_print(&q.address, text));
                printf(q.port ? "%u,%s\n" : "%.0u,%s\n", q.port, time);
        }
}

int main(int argc, char **argv)
{
        uint64_t n, count;
        autobuf why;
        buf_init(&why, 8192);
        if (argc != 5 || !slice_u64(slice_of(argv[3]), 1u << 30, &n) || !slice_u64(slice_of(argv[4]), 1u << 30, &count))
                die("usage", "whose STATE fill|ask|csv NUMBER LEASES");
        autodiags *d = diags_new();
        autopolicy *p = policy_parse(&(struct policy_input){ .name = S("bench"), .text = slice_of(conf) }, d);
        autocgnat *cgnat = cgnat_new(p);
        autoclient *c = NULL;
        autoledger *l = NULL;
        struct resolve_policy policy = { 1, p, cgnat };
        if (strcmp(argv[2], "csv") == 0) {
                csv(cgnat, count, n);
                return 0;
        }
        if (strcmp(argv[2], "fill") == 0) {
                if (client_open(argv[1], &c, &why))
                        die(argv[1], buf_cstr(&why));
                fill(c, count);
                return 0;
        }
        if (ledger_open_why(argv[1], &l, &why))
                die(argv[1], buf_cstr(&why));
        ask(l, &policy, count, n, false);
        ask(l, &policy, count, n, true);
        return 0;
}
