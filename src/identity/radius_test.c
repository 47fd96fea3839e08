/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/radius.h"

#include "base/time.h"

#include <md5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct slice secret = S("testing123");

static size_t bytes_of(const char *hex, uint8_t *out)
{
        size_t n = strlen(hex) / 2;
        for (size_t i = 0; i < n; i++) {
                char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };
                out[i] = (uint8_t)strtoul(pair, NULL, 16);
        }
        return n;
}

static struct slice slice_at(const uint8_t *p, size_t n)
{
        return (struct slice){ (const char *)p, n };
}

/* As radclient of FreeRADIUS 3.2.1 sent it, with a Message-Authenticator. */
static const char stop[] =
    "0406010334e5249bdeb3843fe966816e9d8db2a20113616c696365406578616d706c652e6e65742806000000022c0a38316130303030310406"
    "c00002fe200762726173305f1220010db80000000000000000000002540806c63364076114004020010db801ff000700000000000000007b14"
    "003820010db8010007000000000000000000a81220010db801ff000000000000000000071f1330302d35332d30302d30302d30302d30371a1a"
    "00000de901146f6c74312065746820302f312f373a3130301a0f00000de902094f4e543030303737066b057c402906000000052e0600000e10"
    "31060000000221040102210303501267e8c9992e77ba0accbd64ddec347fe2";

#define assert_text(got, want) assert_true(slice_eq(got, S(want)))

static void assert_held(const struct radius_request *r, size_t i, const char *want)
{
        char text[PREFIX_TEXT_MAX];
        assert_true(i < r->report.n_held);
        assert_string_equal(prefix_print(&r->report.held[i].prefix, text), want);
}

static void what_radclient_sends_is_read(void **state)
{
        (void)state;
        uint8_t packet[RADIUS_MOST];
        char text[ADDR_TEXT_MAX];
        struct radius_request r;
        size_t n = bytes_of(stop, packet);
        assert_int_equal(radius_read(slice_at(packet, n), secret, &r), RADIUS_GOOD);
        assert_int_equal(r.code, RADIUS_ACCOUNTING);
        assert_int_equal(r.report.status, ACCOUNTING_STOP);
        assert_text(r.report.user, "alice@example.net");
        assert_text(r.report.session, "81a00001");
        assert_text(r.report.cause, "Lost-Carrier");
        assert_text(r.report.nas_id, "bras0");
        assert_text(r.report.calling, "00-53-00-00-00-07");
        assert_text(r.report.circuit, "olt1 eth 0/1/7:100");
        assert_text(r.report.remote, "ONT0007");
        assert_true(r.report.has_nas);
        assert_string_equal(addr_print(&r.report.nas, text), "192.0.2.254"); /* before its IPv6 address */
        assert_true(r.report.event_time == 1795521600 * SECOND);
        assert_true(r.report.delay == 5 * SECOND);
        assert_true(r.report.session_time == HOUR);
        assert_int_equal(r.report.n_held, 4);
        assert_held(&r, 0, "198.51.100.7");
        assert_held(&r, 1, "2001:db8:1ff:7::/64");
        assert_held(&r, 2, "2001:db8:100:700::/56");
        assert_held(&r, 3, "2001:db8:1ff::7");
}

static void one_bit_is_enough_to_be_refused(void **state)
{
        (void)state;
        uint8_t packet[RADIUS_MOST];
        struct radius_request r;
        size_t n = bytes_of(stop, packet);
        assert_int_equal(radius_read(slice_at(packet, n), S("testing12"), &r), RADIUS_WRONG_SECRET);
        for (size_t i = 1; i < n; i++) {
                packet[i] ^= 1;
                assert_int_not_equal(radius_read(slice_at(packet, n), secret, &r), RADIUS_GOOD);
                packet[i] ^= 1;
        }
        for (size_t cut = 0; cut < n; cut++)
                assert_int_equal(radius_read(slice_at(packet, cut), secret, &r), RADIUS_MALFORMED);
        packet[n] = 0x17; /* padding: RFC 2865 3 */
        assert_int_equal(radius_read(slice_at(packet, n + 1), secret, &r), RADIUS_GOOD);
}

static void an_answer_gives_proxy_state_back(void **state)
{
        (void)state;
        uint8_t packet[RADIUS_MOST], answer[RADIUS_MOST], want[MD5_DIGEST_LENGTH];
        struct radius_request r;
        MD5_CTX c;
        size_t n = bytes_of(stop, packet);
        assert_int_equal(radius_read(slice_at(packet, n), secret, &r), RADIUS_GOOD);
        n = radius_answer(&r, secret, answer);
        assert_int_equal(n, 27);
        assert_memory_equal(answer, "\x05\x06\x00\x1b", 4);
        assert_memory_equal(answer + 20, "\x21\x04\x01\x02\x21\x03\x03", 7);
        MD5Init(&c);
        MD5Update(&c, answer, 4);
        MD5Update(&c, packet + 4, 16);
        MD5Update(&c, answer + 20, 7);
        MD5Update(&c, (const uint8_t *)secret.p, secret.n);
        MD5Final(want, &c);
        assert_memory_equal(answer + 4, want, 16);
}

/* RFC 5997 6.2, packet by packet. */
static void status_server_is_answered(void **state)
{
        (void)state;
        uint8_t packet[RADIUS_MOST], answer[RADIUS_MOST], want[64];
        struct radius_request r;
        size_t n = bytes_of("0cb30026925f6b66dd5fed571fcb1db7ad3882605012e8d6eabda910875cd91fdade26367858", packet);
        assert_int_equal(radius_read(slice_at(packet, n), S("xyzzy5461"), &r), RADIUS_GOOD);
        assert_int_equal(r.code, RADIUS_STATUS);
        n = bytes_of("05b300140f6f92145f107e2f504e860a4860669c", want);
        assert_int_equal(radius_answer(&r, S("xyzzy5461"), answer), n);
        assert_memory_equal(answer, want, n);
        assert_int_equal(radius_read(slice_at(packet, 38), S("xyzzy546"), &r), RADIUS_WRONG_SECRET);
        packet[3] = 20; /* without its Message-Authenticator nothing says who asks */
        assert_int_equal(radius_read(slice_at(packet, 20), S("xyzzy5461"), &r), RADIUS_WRONG_SECRET);
}

/* Signed packets of the attributes given. */
static const struct {
        const char *name, *attributes;
        enum radius_found found;
        size_t held;
        unsigned passed_over;
} cases[] = {
        { "nothing", "", RADIUS_GOOD, 0, 0 },
        { "an attribute of no length", "0100", RADIUS_MALFORMED, 0, 0 },
        { "an attribute of length 1", "0101", RADIUS_MALFORMED, 0, 0 },
        { "half an attribute", "01", RADIUS_MALFORMED, 0, 0 },
        { "an attribute past the end", "010561", RADIUS_MALFORMED, 0, 0 },
        { "a user of no bytes", "0102", RADIUS_GOOD, 0, 0 },
        { "an address of three bytes", "0805c63364", RADIUS_MALFORMED, 0, 0 },
        { "the user may choose", "0806ffffffff", RADIUS_GOOD, 0, 0 },
        { "the NAS will choose", "0806fffffffe", RADIUS_GOOD, 0, 0 },
        { "no address", "080600000000", RADIUS_GOOD, 0, 0 },
        { "an address", "0806c6336407", RADIUS_GOOD, 1, 0 },
        { "the same twice", "0806c63364070806c6336407", RADIUS_GOOD, 1, 0 },
        { "a prefix in as few bytes as it needs", "7b0b003820010db8000001", RADIUS_GOOD, 1, 0 },
        { "a prefix in too few", "7b0a003820010db80000", RADIUS_MALFORMED, 0, 0 },
        { "a prefix of 129 bits",
          "7b140081"
          "20010db8000000000000000000000000",
          RADIUS_MALFORMED, 0, 0 },
        { "a prefix without a length", "7b0300", RADIUS_MALFORMED, 0, 0 },
        { "bits past the length", "7b0b003820010db80000ff", RADIUS_GOOD, 1, 0 },
        { "all of IPv6", "7b040000", RADIUS_GOOD, 0, 0 },
        { "all of IPv4",
          "7b140060"
          "00000000000000000000ffff00000000",
          RADIUS_GOOD, 0, 0 },
        { "IPv4 as IPv6",
          "a812"
          "00000000000000000000ffffc6336407",
          RADIUS_GOOD, 0, 0 },
        { "nine addresses",
          "0806c63364010806c63364020806c63364030806c63364040806c63364050806c63364060806c63364070806c63364080806c633640"
          "9",
          RADIUS_GOOD, 8, 1 },
        { "a vendor without a number", "1a05000de9", RADIUS_MALFORMED, 0, 0 },
        { "another vendor's bytes are his", "1a0800000009ffff", RADIUS_GOOD, 0, 0 },
        { "the ADSL forum's lengths", "1a0800000de901ff", RADIUS_MALFORMED, 0, 0 },
        { "a status of two bytes", "28040001", RADIUS_MALFORMED, 0, 0 },
        { "two Message-Authenticators", "501200000000000000000000000000000000501200000000000000000000000000000000",
          RADIUS_MALFORMED, 0, 0 },
        { "a short Message-Authenticator", "500400ff", RADIUS_MALFORMED, 0, 0 },
        { "a wrong Message-Authenticator", "501200000000000000000000000000000000", RADIUS_WRONG_SECRET, 0, 0 },
};

static size_t sign(uint8_t *packet, const char *attributes)
{
        MD5_CTX c;
        uint8_t digest[MD5_DIGEST_LENGTH];
        size_t n = 20 + bytes_of(attributes, packet + 20);
        memset(packet, 0, 20);
        packet[0] = RADIUS_ACCOUNTING;
        packet[2] = (uint8_t)(n >> 8);
        packet[3] = (uint8_t)n;
        MD5Init(&c);
        MD5Update(&c, packet, n);
        MD5Update(&c, (const uint8_t *)secret.p, secret.n);
        MD5Final(digest, &c);
        memcpy(packet + 4, digest, 16);
        return n;
}

static void lengths_and_values(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                uint8_t room[RADIUS_MOST];
                struct radius_request r = { .code = 0 };
                size_t n = sign(room, cases[i].attributes);
                autofree uint8_t *exact = xmalloc(n); /* no byte after it */
                memcpy(exact, room, n);
                enum radius_found found = radius_read(slice_at(exact, n), secret, &r);
                if (found != cases[i].found)
                        fail_msg("%s: found %d, want %d", cases[i].name, found, cases[i].found);
                if (found == RADIUS_GOOD && (r.report.n_held != cases[i].held || r.passed_over != cases[i].passed_over))
                        fail_msg("%s: %zu held, %u passed over", cases[i].name, r.report.n_held, r.passed_over);
        }
}

static void a_cause_without_a_name_is_its_number(void **state)
{
        (void)state;
        uint8_t packet[RADIUS_MOST];
        struct radius_request r;
        size_t n = sign(packet, "310600001234");
        assert_int_equal(radius_read(slice_at(packet, n), secret, &r), RADIUS_GOOD);
        assert_text(r.report.cause, "4660");
        assert_true(r.report.session_time == -1);
        assert_int_equal(r.report.status, 0);
        assert_false(r.report.has_nas);
}

static void other_codes_are_not_for_us(void **state)
{
        (void)state;
        for (unsigned code = 0; code < 256; code++) {
                uint8_t packet[RADIUS_MOST];
                struct radius_request r;
                size_t n = sign(packet, "");
                packet[0] = (uint8_t)code;
                enum radius_found want = code == 4 ? RADIUS_GOOD : code == 12 ? RADIUS_WRONG_SECRET : RADIUS_OTHER_CODE;
                assert_int_equal(radius_read(slice_at(packet, n), secret, &r), want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_radclient_sends_is_read),
                cmocka_unit_test(one_bit_is_enough_to_be_refused),
                cmocka_unit_test(an_answer_gives_proxy_state_back),
                cmocka_unit_test(status_server_is_answered),
                cmocka_unit_test(lengths_and_values),
                cmocka_unit_test(a_cause_without_a_name_is_its_number),
                cmocka_unit_test(other_codes_are_not_for_us),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
