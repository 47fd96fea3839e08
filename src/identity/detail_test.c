/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

#define HEAD "Sun Nov 22 09:51:11 2026\n"
#define STAMP "\tTimestamp = 1795341071\n\n"
#define AT_2024 "\tEvent-Timestamp = \"Jul 10 2024 00:00:00 UTC\"\n"

static const struct reader_options options = { .format = READER_DETAIL, .name = { "d", 1 } };

static void records(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { "", "" },
                { "\n\n\r\n", "" },
                /* what 3.2 writes */
                { HEAD "\tUser-Name = \"ana\"\n\tNAS-IP-Address = 192.0.2.9\n\tNAS-Identifier = \"bras0\"\n"
                       "\tFramed-IP-Address = 198.51.100.7\n\tAcct-Session-Id = \"81a00000\"\n" AT_2024
                       "\tFramed-IPv6-Prefix = 2001:db8:1::/64\n\tDelegated-IPv6-Prefix = 2001:db8:2::/56\n"
                       "\tFramed-Interface-Id = 0:0:0:1\n\tAcct-Status-Type = Start\n\tAcct-Delay-Time = 0\n" STAMP,
                  "begins 2024-07-10T00:00:00 start=2024-07-10T00:00:00 user:ana 198.51.100.7 2001:db8:1::/64 "
                  "2001:db8:2::/56 nas=192.0.2.9 session=81a00000 user=ana @d:1\n" },
                /* status by number, CRLF, tags, +=, a header of another form, an address that is none */
                { "2026-11-22 09:51\r\n\tUser-Name:0 = \"ana\"\r\n\tAcct-Status-Type = 3\r\n\tAcct-Session-Id = "
                  "\"1\"\r\n"
                  "\tFramed-IPv6-Prefix += 2001:db8:1::/64\r\n\tFramed-IPv6-Prefix += 2001:db8:9::/64\r\n"
                  "\tFramed-IP-Address = 255.255.255.254\r\n\tAcct-Session-Time = 600\r\n"
                  "\tNAS-Identifier = \"bras 0\"\r\n\tTimestamp = 1795341071\r\n\r\n",
                  "holds 2026-11-22T09:51:11 start=2026-11-22T09:41:11 user:ana 2001:db8:1::/64 2001:db8:9::/64 "
                  "nas=bras 0 session=1 user=ana @d:1\n" },
                /* a stop, sent late; a cause by number */
                { HEAD
                  "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Stop\n\tAcct-Delay-Time = 11\n"
                  "\tAcct-Session-Time = 60\n\tFramed-IP-Address = 198.51.100.7\n\tAcct-Terminate-Cause = 4\n" STAMP,
                  "ends 2026-11-22T09:51:00 start=2026-11-22T09:50:00 user:ana 198.51.100.7 user=ana why=Idle-Timeout "
                  "@d:1\n" },
                /* a clock that was never set */
                { HEAD "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Start\n\tFramed-IP-Address = 198.51.100.7\n"
                       "\tEvent-Timestamp = \"Jan  2 1970 00:00:07 UTC\"\n" STAMP,
                  "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:ana 198.51.100.7 user=ana @d:1\n" },
                /* names as bytes: UTF-8 stays, all else is escaped and differs */
                { HEAD "\tUser-Name = \"jo\\303\\243o\\\\x\\\"\\001\\377\"\n\tAcct-Status-Type = Start\n"
                       "\tFramed-IP-Address = 198.51.100.7\n" STAMP,
                  "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:jo\xc3\xa3o\\x\"\\x01\\xFF 198.51.100.7 "
                  "user=jo\xc3\xa3o\\x\"\\x01\\xFF @d:1\n" },
                /* no user name: circuit id, in octets */
                { HEAD "\tAcct-Status-Type = Start\n\tFramed-IP-Address = 198.51.100.7\n"
                       "\tADSL-Agent-Circuit-Id = 0x4f4c5431\n\tADSL-Agent-Remote-Id = \"r\"\n" STAMP,
                  "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 circuit:OLT1 198.51.100.7 @d:1\n" },
                { HEAD "\tAcct-Status-Type = Start\n\tFramed-IP-Address = 198.51.100.7\n"
                       "\tCalling-Station-Id = \"AA-BB-CC-00-11-22\"\n" STAMP,
                  "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 mac:aa:bb:cc:00:11:22 198.51.100.7 @d:1\n" },
                { HEAD "\tNAS-IP-Address = 192.0.2.9\n\tAcct-Status-Type = Accounting-On\n" STAMP,
                  "nas-resets 2026-11-22T09:51:11 nas=192.0.2.9 @d:1\n" },
                { HEAD "\tPacket-Type = Access-Request\n\tUser-Name = \"ana\"\n" STAMP, "" },
                /* zones: a number is exact; a name that the zone of the policy (here UTC) has not is guessed, and said once */
                { HEAD "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Start\n\tEvent-Timestamp = \"Jul 10 2024 00:00:00 "
                       "-03\"\n" STAMP HEAD "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Start\n\tEvent-Timestamp = "
                       "\"Jul 10 2024 00:00:00 XYZ\"\n" STAMP HEAD
                       "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Start\n\tEvent-Timestamp = \"Jul 10 2024 "
                       "00:00:01\"\n" STAMP,
                  "begins 2024-07-10T03:00:00 start=2024-07-10T03:00:00 user:ana user=ana @d:1\n"
                  "warn 7: a time without a zone, or with one unknown here: read in the zone of the policy, as all "
                  "like it\n"
                  "begins 2024-07-10T00:00:00 start=2024-07-10T00:00:00 user:ana user=ana @d:7\n"
                  "begins 2024-07-10T00:00:01 start=2024-07-10T00:00:01 user:ana user=ana @d:13\n" },
        };
        expect_readings(&options, rows, COUNT_OF(rows));
}

#define ANA "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Start\n\tFramed-IP-Address = 198.51.100.7\n"
#define ANA_BEGINS "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:ana 198.51.100.7 user=ana "

/* One clock that is ahead keeps nobody in an address that he left. */
static void future(void **state)
{
        (void)state;
        struct reader_options o = options;
        o.latest = INT64_C(1795341071) * SECOND + DAY;
        const struct reading rows[] = {
                { HEAD ANA "\tEvent-Timestamp = \"Nov 22 2036 00:00:00 UTC\"\n" STAMP, ANA_BEGINS "@d:1\n" },
                { "x\n" ANA "\tEvent-Timestamp = \"Nov 24 2026 00:00:00 UTC\"\n\n" HEAD ANA STAMP,
                  "wrong 1: its time is in the future: the clock of who wrote it is wrong\n" ANA_BEGINS "@d:7\n" },
        };
        expect_readings(&o, rows, COUNT_OF(rows));
}

/* Nothing is lost of what was right. */
static void damage(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { HEAD ANA STAMP HEAD ANA, ANA_BEGINS "@d:1\nwrong 7: the record is cut off\n" },
                { HEAD ANA "\tFramed-IP-Addr" HEAD ANA STAMP,
                  "wrong 1: a line of it is no attribute\n" ANA_BEGINS "@d:5\n" },
                { HEAD ANA "\tNAS-Port-Id = \"ae" HEAD ANA STAMP,
                  "wrong 1: User-Name says twice what can be said once: are these two records?\n" ANA_BEGINS "@d:5\n" },
                { HEAD ANA "\tFramed-IP-Address = 198.51." HEAD ANA STAMP,
                  "wrong 1: Framed-IP-Address is no address\n" ANA_BEGINS "@d:5\n" },
                /* no blank line between, but Timestamp is always the last */
                { HEAD ANA "\tTimestamp = 1795341071\n" HEAD ANA STAMP, ANA_BEGINS "@d:1\n" ANA_BEGINS "@d:6\n" },
                { HEAD ANA HEAD ANA STAMP, "wrong 1: the record is cut off\n" ANA_BEGINS "@d:5\n" },
                { HEAD ANA "\tTimestamp = 1795341071\n", ANA_BEGINS "@d:1\n" },
                { HEAD ANA "\tTimestamp = 17953", "wrong 1: the record is cut off\n" },
                { "garbage \x80\n\n" HEAD ANA STAMP, "wrong 1: it has no Acct-Status-Type\n" ANA_BEGINS "@d:3\n" },
                { "\tgarbage\n\n" HEAD ANA STAMP, "wrong 1: a line of it is no attribute\n" ANA_BEGINS "@d:3\n" },
                { HEAD ANA "\tEvent-Timestamp = \"Feb 31 2024 00:00:00 UTC\"\n" STAMP,
                  "wrong 1: Event-Timestamp is no date that exists\n" },
                { HEAD "\tAcct-Status-Type = Start\n\tFramed-IP-Address = 198.51.100.7\n" STAMP,
                  "wrong 1: nothing in it names the line\n" },
                { HEAD "\tUser-Name = \"ana\n" STAMP, "wrong 1: User-Name cannot be read\n" },
        };
        expect_readings(&options, rows, COUNT_OF(rows));
}

static void the_real_server_s_file(void **state)
{
        (void)state;
        autobuf text;
        buf_init(&text, 64 << 20);
        read_data("freeradius-3.2.1.detail", &text);
        assert_int_equal(reader_detect((struct slice){ text.p, 4096 }), READER_DETAIL);
        for (size_t step = 1; step < 2000000; step = step * 7 + 1) {
                struct said s;
                read_in_pieces(&options, buf_slice(&text), 0, step, &s);
                assert_int_equal(s.events, 2284);
                assert_int_equal(s.wrongs, 0);
                assert_int_equal(s.warnings, 0);
                buf_done(&s.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(records), cmocka_unit_test(damage),
                                            cmocka_unit_test(future), cmocka_unit_test(the_real_server_s_file) };
        time_set_zone(S("UTC"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
