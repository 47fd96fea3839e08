/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nflog.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <cmocka.h>

/* A datagram of packets, as the kernel writes them. */
static size_t add_packet(char *room, size_t n, uint32_t sequence, const char *prefix, const char *payload)
{
        struct nlmsghdr *h = mnl_nlmsg_put_header(room + n);
        h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
        mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
        struct nfulnl_msg_packet_timestamp when = { .sec = htobe64(1800000000), .usec = htobe64(250000) };
        mnl_attr_put_strz(h, NFULA_PREFIX, prefix);
        mnl_attr_put(h, NFULA_TIMESTAMP, sizeof when, &when);
        mnl_attr_put_u32(h, NFULA_MARK, 7);
        mnl_attr_put(h, NFULA_PAYLOAD, strlen(payload), payload);
        mnl_attr_put_u32(h, NFULA_SEQ, htonl(sequence));
        return n + MNL_ALIGN(h->nlmsg_len);
}

static size_t add_done(char *room, size_t n)
{
        struct nlmsghdr *h = mnl_nlmsg_put_header(room + n);
        h->nlmsg_type = NLMSG_DONE;
        return n + MNL_ALIGN(h->nlmsg_len);
}

static void note(void *arg, const struct nflog_event *e)
{
        buf_addf(arg, "%u \"%.*s\" %.*s %lld; ", e->sequence, SLICE_ARGS(e->prefix), SLICE_ARGS(e->packet),
                 (long long)e->at);
        assert_true(e->has_sequence);
}

static void test_a_datagram(void **state)
{
        alignas(8) char room[4096];
        autobuf got;
        buf_init(&got, 4096);
        size_t n = add_packet(room, 0, 4, "class-home block", "one");
        n = add_packet(room, n, 5, "own observe", "two");
        n = add_done(room, n);
        (void)state;
        assert_int_equal(nflog_parse((struct slice){ room, n }, note, &got), 2);
        assert_string_equal(buf_cstr(&got),
                            "4 \"class-home block\" one 1800000000250000; 5 \"own observe\" two 1800000000250000; ");
}

static void ignore(void *arg, const struct nflog_event *e)
{
        size_t *sum = arg;
        for (size_t i = 0; i < e->packet.n; i++)
                *sum += (uint8_t)e->packet.p[i];
        for (size_t i = 0; i < e->prefix.n; i++)
                *sum += (uint8_t)e->prefix.p[i];
}

/* Cut anywhere, or with any one byte changed: never a read outside (a sanitizer looks on). */
static void test_a_damaged_datagram(void **state)
{
        alignas(8) char room[4096];
        size_t sum = 0, n = add_done(room, add_packet(room, add_packet(room, 0, 4, "class-home block", "one"), 5,
                                                      "own observe", "two"));
        (void)state;
        for (size_t cut = 0; cut < n; cut++) {
                autofree char *exact = xmalloc(cut + !cut);
                memcpy(exact, room, cut);
                nflog_parse((struct slice){ exact, cut }, ignore, &sum);
        }
        for (size_t i = 0; i < n; i++)
                for (int bit = 0; bit < 8; bit++) {
                        autofree char *exact = xmalloc(n);
                        memcpy(exact, room, n);
                        exact[i] = (char)(exact[i] ^ 1 << bit);
                        nflog_parse((struct slice){ exact, n }, ignore, &sum);
                }
        assert_true(sum > 0);
}

static void test_gaps(void **state)
{
        static const struct {
                bool known;
                uint32_t numbers[4], missing;
        } cases[] = {
                { true, { 0, 1, 2, 3 }, 0 },
                { true, { 5, 6, 7, 8 }, 5 },
                { false, { 5, 6, 7, 8 }, 0 },
                { true, { 0, 3, 4, 9 }, 6 },
                { true, { 2, 0, 1, 2 }, 2 },                        /* bound anew */
                { false, { UINT32_MAX - 1, UINT32_MAX, 0, 1 }, 0 }, /* goes round */
                { false, { UINT32_MAX - 1, 2, 3, 4 }, 3 },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                struct nflog_sequence s = { .known = cases[i].known };
                uint32_t missing = 0;
                for (size_t k = 0; k < 4; k++) {
                        struct nflog_event e = { .sequence = cases[i].numbers[k], .has_sequence = true };
                        missing += nflog_missing(&s, &e);
                }
                if (missing != cases[i].missing)
                        fail_msg("case %zu: %u are missing, want %u", i, missing, cases[i].missing);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_datagram),
                cmocka_unit_test(test_a_damaged_datagram),
                cmocka_unit_test(test_gaps),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
