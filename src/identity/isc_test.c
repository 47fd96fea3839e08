/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

static const struct reader_options options = { .format = READER_ISC, .name = { "l", 1 } };

#define DATES "  starts 0 2026/11/22 09:52:18;\n  ends 0 2026/11/22 09:57:18;\n  cltt 0 2026/11/22 09:52:18;\n"
#define ANA "  hardware ethernet 00:0c:01:02:03:04;\n  uid \"\\001\\000\\014\\001\\002\\003\\004\";\n"
#define ACTIVE(address) "lease " address " {\n" DATES "  binding state active;\n  next binding state free;\n" ANA "}\n"
#define HOLDS(address)                                                                                                 \
        "holds 2026-11-22T09:52:18 expires=2026-11-22T09:57:18 mac:00:0c:01:02:03:04 " address                         \
        " user=00:0c:01:02:03:04 "

static void leases(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { "# a comment\n\nauthoring-byte-order little-endian;\nserver-duid \"\\000;}\\\"{\";\n\n" ACTIVE(
                      "192.0.2.1"),
                  HOLDS("192.0.2.1") "@l:6\n" },
                /* all on one line, without indentation, with an address in a comment */
                { "lease 192.0.2.1 { starts 0 2026/11/22 09:52:18; ends never; # lease 192.0.2.9 {\n hardware ethernet "
                  "00:0C:01:02:03:04; }",
                  "holds 2026-11-22T09:52:18 mac:00:0c:01:02:03:04 192.0.2.1 user=00:0C:01:02:03:04 "
                  "@l:1\n" },
                { "lease 192.0.2.1 {\n  uid;\n  hardware;\n  option;\n" DATES ANA "}\n", HOLDS("192.0.2.1") "@l:1\n" },
                { "lease 192.0.2.1 {\nlet x;\nia-n y;\n" DATES ANA "}\n", HOLDS("192.0.2.1") "@l:1\n" },
                /* released: it was held, and is no more */
                { "lease 192.0.2.1 {\n" DATES "  tstp 0 2026/11/22 09:57:18;\n  binding state released;\n" ANA "}\n",
                  HOLDS("192.0.2.1") "@l:1\n"
                                     "ends 2026-11-22T09:57:18 mac:00:0c:01:02:03:04 192.0.2.1 "
                                     "user=00:0c:01:02:03:04 why=released @l:1\n" },
                /* never given to anybody */
                { "lease 192.0.2.1 {\n  binding state free;\n}\nlease 192.0.2.2 {\n  binding state backup;\n}\n", "" },
                { "lease 192.0.2.1 {\n" DATES "  binding state abandoned;\n" ANA "}\n",
                  "ends 2026-11-22T09:52:18 192.0.2.1 why=abandoned @l:1\n" },
                { "lease 192.0.2.1 {\n  starts epoch 1795341138; # Sun Nov 22 2026\n  ends epoch 1795341438;\n  cltt "
                  "epoch "
                  "1795341138;\n  binding state active;\n" ANA "}\n",
                  HOLDS("192.0.2.1") "@l:1\n" },
                /* option 82 is the line, the MAC only the device */
                { "lease 192.0.2.1 {\n" DATES "  binding state active;\n" ANA
                  "  option agent.circuit-id \"ge-0/0/1:100\";\n"
                  "  option agent.remote-id 0:6:1:3:e9:d;\n  set ddns-txt = \"{\";\n  on expiry { set x = 1; }\n}\n",
                  "holds 2026-11-22T09:52:18 expires=2026-11-22T09:57:18 circuit:ge-0/0/1:100 192.0.2.1 "
                  "user=00:0c:01:02:03:04 @l:1\n" },
                { "lease 192.0.2.1 {\n" DATES "  binding state active;\n  option agent.circuit-id 0:1:3:e9;\n}\n",
                  "holds 2026-11-22T09:52:18 expires=2026-11-22T09:57:18 circuit:\\x00\\x01\\x03\\xE9 192.0.2.1 "
                  "@l:1\n" },
                { "lease 192.0.2.1 {\n" DATES
                  "  binding state active;\n  uid \"\\377\\000\\000\\000\\001\\000\\003\\000\\001ab\";\n}\n",
                  "holds 2026-11-22T09:52:18 expires=2026-11-22T09:57:18 duid:00:03:00:01:61:62 192.0.2.1 "
                  "user=00:03:00:01:61:62 @l:1\n" },
                /* v6 */
                { "ia-na \"\\001\\000\\000\\000\\000\\003\\000\\001ab\" {\n  cltt 0 2026/11/22 09:52:18;\n"
                  "  iaaddr 2001:db8::1 {\n    binding state active;\n    preferred-life 300;\n    max-life 600;\n"
                  "    ends 0 2026/11/22 10:02:18;\n    set ddns-rev-name = \"x\";\n  }\n"
                  "  iaaddr 2001:db8::2 {\n    binding state expired;\n    ends 0 2026/11/22 10:02:18;\n  }\n}\n"
                  "ia-pd \"\\001\\000\\000\\000\\000\\003\\000\\001ab\" {\n  cltt 0 2026/11/22 09:52:18;\n"
                  "  iaprefix 2001:db8:100::/56 {\n    binding state active;\n    ends 0 2026/11/22 10:02:18;\n  "
                  "}\n}\n",
                  "holds 2026-11-22T09:52:18 expires=2026-11-22T10:02:18 duid:00:03:00:01:61:62 2001:db8::1 "
                  "user=00:03:00:01:61:62 @l:1\n"
                  "holds 2026-11-22T09:52:18 expires=2026-11-22T10:02:18 duid:00:03:00:01:61:62 2001:db8::2 "
                  "user=00:03:00:01:61:62 @l:1\n"
                  "ends 2026-11-22T10:02:18 duid:00:03:00:01:61:62 2001:db8::2 "
                  "user=00:03:00:01:61:62 why=expired @l:1\n"
                  "holds 2026-11-22T09:52:18 expires=2026-11-22T10:02:18 duid:00:03:00:01:61:62 2001:db8:100::/56 "
                  "user=00:03:00:01:61:62 @l:15\n" },
                { "failover peer \"a\" state {\n  my state normal at 0 2026/11/22 09:52:18;\n  partner state normal at "
                  "0 "
                  "2026/11/22 09:52:18;\n  mclt 3600;\n}\nhost x { dynamic; hardware ethernet 00:0c:01:02:03:04; }\n",
                  "" },
        };
        expect_readings(&options, rows, COUNT_OF(rows));
}

static void damage(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { ACTIVE("192.0.2.1") "lease 192.0.2.2 {\n" DATES "  binding sta",
                  HOLDS("192.0.2.1") "@l:1\nwrong 10: the lease is cut off\n" },
                { "lease 192.0.2.2 {\n" DATES "  binding sta\n" ACTIVE("192.0.2.1"),
                  "wrong 1: the lease is cut off\n" HOLDS("192.0.2.1") "@l:6\n" },
                { "lease 192.0.2.2\nlease 192.0.2.1 {\n" DATES ANA "}\n",
                  "wrong 1: the lease is cut off\n" HOLDS("192.0.2.1") "@l:2\n" },
                { "lease 192.0.2.1 {\n  uid \"\\001;\n" DATES "  binding state active;\n" ANA "}\n" ACTIVE("192.0.2.2"),
                  HOLDS("192.0.2.1") "@l:1\n" HOLDS("192.0.2.2") "@l:10\n" },
                { "}\n}\n" ACTIVE("192.0.2.1"), "wrong 1: this is no lease, nor anything else that dhcpd writes\nwrong "
                                                "2: this is no lease, nor anything "
                                                "else that dhcpd writes\n" HOLDS("192.0.2.1") "@l:3\n" },
                { ACTIVE("192.0.2.256"), "wrong 1: its address is none\n" },
                { "lease 192.0.2.1 {\n  starts 2 2026/02/31 09:52:18;\n  binding state active;\n" ANA "}\n",
                  "wrong 1: one of its dates does not exist\n" },
                { "lease 192.0.2.1 {\n" DATES "  binding state odd;\n" ANA "}\n",
                  "wrong 1: its binding state is unknown\n" },
                { "lease 192.0.2.1 {\n" DATES "  binding state active;\n}\n",
                  "wrong 1: nothing in it names the line\n" },
        };
        expect_readings(&options, rows, COUNT_OF(rows));
}

static void the_real_server_s_file(void **state)
{
        (void)state;
        autobuf text;
        buf_init(&text, 64 << 20);
        read_data("isc-dhcpd-4.4.3.leases", &text);
        assert_int_equal(reader_detect((struct slice){ text.p, 4096 }), READER_ISC);
        for (size_t step = 1; step < 2000000; step = step * 7 + 1) {
                struct said s;
                read_in_pieces(&options, buf_slice(&text), 0, step, &s);
                assert_int_equal(s.events,
                                 1743 + 161); /* 161 of the 194 that are free were held for a second or more */
                assert_int_equal(s.wrongs, 0);
                buf_done(&s.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(leases), cmocka_unit_test(damage),
                                            cmocka_unit_test(the_real_server_s_file) };
        time_set_zone(S("UTC"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
