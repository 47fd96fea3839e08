/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Packets in hexadecimal; blanks part the headers. */
#define IP4(protocol) "450000280001400040" protocol "0000 c633640a cb007182 "
#define IP4_MF(fragment, protocol) "450000280001" fragment "40" protocol "0000 c633640a cb007182 "
#define A6 "20010db8010010000000000000000010 20010db8ffff00000000000000000130 "
#define IP6(next)                                                                                                      \
        "6000000000"                                                                                                   \
        "14" next "40 " A6
#define INNER "6000000000140640 20010db8010010000000000000000010 20010db8ffff00000000000000000140 "
#define TCP "c35000190000000100000000500200000000 0000"
#define UDP "0dd80dd800300000 "
#define AUTH "0001 0000 0102030405060708 00 "
#define ORIGIN "0000 1234 39cc9bf5 "

static size_t unhex(const char *text, char *out)
{
        size_t n = 0;
        unsigned byte;
        for (; *text; text++)
                if (*text != ' ' && sscanf(text, "%2x", &byte) == 1) {
                        out[n++] = (char)byte;
                        text++;
                }
        return n;
}

static const struct {
        const char *name, *bytes, *source, *destination;
        unsigned port;
        bool tunnel, fails;
} cases[] = {
        { "tcp over ipv4", IP4("06") TCP, "198.51.100.10", "203.0.113.130", .port = 25 },
        { "tcp over ipv6", IP6("06") TCP, "2001:db8:100:1000::10", "2001:db8:ffff::130", .port = 25 },
        { "options of ipv4", "460000280001400040060000 c633640a cb007182 01010101 " TCP, "198.51.100.10",
          "203.0.113.130", .port = 25 },
        { "destination options", IP6("3c") "0600010400000000 " TCP, "2001:db8:100:1000::10", "2001:db8:ffff::130",
          .port = 25 },
        { "hop by hop, routing, fragment", IP6("00") "2b00010400000000 2c00000000000000 0600000100000001 " TCP,
          "2001:db8:100:1000::10", "2001:db8:ffff::130", .port = 25 },
        { "authentication header", IP6("33") "0604000000000001000000010102030405060708090a0b0c " TCP,
          "2001:db8:100:1000::10", "2001:db8:ffff::130", .port = 25 },
        { "a later fragment of ipv4", IP4_MF("2001", "06") TCP, "198.51.100.10", "203.0.113.130", .port = 0 },
        { "a later fragment of ipv6", IP6("2c") "0600000800000001 " TCP, "2001:db8:100:1000::10", "2001:db8:ffff::130",
          .port = 0 },
        { "headers without end",
          IP6("3c") "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 "
                    "3c00010400000000 "
                    "3c00010400000000 3c00010400000000 0600010400000000 " TCP,
          "2001:db8:100:1000::10", "2001:db8:ffff::130", .port = 0 },
        { "an extension longer than the packet", IP6("3c") "06ff010400000000 " TCP, "2001:db8:100:1000::10",
          "2001:db8:ffff::130", .port = 0 },
        { "6in4", IP4("29") INNER TCP, "198.51.100.10", "2001:db8:ffff::140", .port = 25, .tunnel = true },
        { "teredo", IP4("11") UDP INNER TCP, "198.51.100.10", "2001:db8:ffff::140", .port = 25, .tunnel = true },
        { "teredo with origin", IP4("11") UDP ORIGIN INNER TCP, "198.51.100.10", "2001:db8:ffff::140", .port = 25,
          .tunnel = true },
        { "teredo with authentication", IP4("11") UDP AUTH INNER TCP, "198.51.100.10", "2001:db8:ffff::140", .port = 25,
          .tunnel = true },
        { "teredo with both", IP4("11") UDP AUTH ORIGIN INNER TCP, "198.51.100.10", "2001:db8:ffff::140", .port = 25,
          .tunnel = true },
        { "6in4 that hides its inside", IP4("29") "00", "198.51.100.10", "203.0.113.130", .port = 0, .tunnel = true },
        { "udp that is no tunnel", IP4("11") UDP "0102030405", "198.51.100.10", "203.0.113.130", .port = 0 },
        { "cut before tcp's ports", IP4("06") "c350", "198.51.100.10", "203.0.113.130", .port = 0 },
        { "cut within ipv4", "450000280001400040060000 c633640a cb0071", .fails = true },
        { "cut within ipv6", "6000000000140640 20010db8010010000000000000000010", .fails = true },
        { "an impossible header length", "420000280001400040060000 c633640a cb007182 " TCP, .fails = true },
        { "version 5", "550000280001400040060000 c633640a cb007182 " TCP, .fails = true },
        { "nothing", "", .fails = true },
};

static void test_packets(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
                char bytes[512], source[ADDR_TEXT_MAX], destination[ADDR_TEXT_MAX];
                struct packet p;
                size_t n = unhex(cases[i].bytes, bytes);
                autofree char *exact = xmalloc(n + 1); /* so that a sanitizer sees one byte too many */
                memcpy(exact, bytes, n);
                exact = xrealloc(exact, n ? n : 1);
                bool good = packet_parse((struct slice){ exact, n }, &p);
                if (good == cases[i].fails)
                        fail_msg("%s: %s", cases[i].name, good ? "was taken" : "was refused");
                if (!good)
                        continue;
                addr_print(&p.source, source);
                addr_print(&p.destination, destination);
                if (strcmp(source, cases[i].source) || strcmp(destination, cases[i].destination) ||
                    p.port != cases[i].port || p.tunnel != cases[i].tunnel)
                        fail_msg("%s: got %s to %s port %u%s", cases[i].name, source, destination, p.port,
                                 p.tunnel ? " in a tunnel" : "");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_packets) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
