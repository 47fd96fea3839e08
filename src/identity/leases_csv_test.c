/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

static const struct reader_options options = { .format = READER_CSV, .name = { "c", 1 } };

#define HEAD "address,line,from,until\n"
#define ROW "192.0.2.7,user:ana,2026-12-01T00:00:00Z,\n"
#define ANA "is 2026-12-01T00:00:00 start=2026-12-01T00:00:00 user:ana 192.0.2.7 user=ana "
#define ZONE "a time without a zone, or with one unknown here: read in the zone of the policy, as all like it\n"

static void rows(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { HEAD ROW, ANA "@c:2\n" },
                /* as a spreadsheet set to Portuguese writes it; no line end at the end; columns in any order */
                { "\xef\xbb\xbf"
                  "From;Until;\"Mac\";Prefix\r\n1764547200;never;AA-BB-CC-00-11-22;198.51.100.8/29",
                  "is 2025-12-01T00:00:00 start=2025-12-01T00:00:00 mac:aa:bb:cc:00:11:22 198.51.100.8/29 "
                  "user=aa:bb:cc:00:11:22 @c:2\n" },
                { "address,subscriber,from,until\n2001:db8:1::/"
                  "56,10442,2026-12-01T00:00:00-03:00,2027-01-01T00:00:00Z\n",
                  "is 2026-12-01T03:00:00 start=2026-12-01T03:00:00 expires=2027-01-01T00:00:00 static:10442 "
                  "2001:db8:1::/56 user=10442 @c:2\n" },
                { "address,vlan,from,ports,proto,realm,nas,session\n192.0.2.7,120,0020-01-01,1,,,,\n"
                  "100.64.0.9,120,1764547200,,,norte,b1,s1\n192.0.2.7,120,1764547200,1024-2047,tcp,,,\n",
                  "wrong 2: from is a day or time that does not exist\n"
                  "is 2025-12-01T00:00:00 start=2025-12-01T00:00:00 vlan:120 100.64.0.9 realm=norte nas=b1 "
                  "session=s1 "
                  "user=120 @c:3\n"
                  "is 2025-12-01T00:00:00 start=2025-12-01T00:00:00 vlan:120 192.0.2.7:1024-2047/tcp "
                  "session=1024-2047/tcp user=120 @c:4\n" },
                /* a day is all of that day, in the zone of the policy, and that is said once */
                { HEAD "192.0.2.7,user:ana,2026-12-01,2026-12-31\n192.0.2.7,user:ana,2027-01-01 10:00,\n",
                  "warn 2: " ZONE
                  "is 2026-12-01T00:00:00 start=2026-12-01T00:00:00 expires=2026-12-31T23:59:59 user:ana 192.0.2.7 "
                  "user=ana @c:2\n"
                  "is 2027-01-01T10:00:00 start=2027-01-01T10:00:00 user:ana 192.0.2.7 user=ana @c:3\n" },
                /* a note with line ends in it, in a column that means nothing here */
                { "note,address,line,from\n\"one\ntwo, \"\"three\"\"\",192.0.2.7,user:ana,2026-12-01T00:00:00Z\n",
                  "warn 1: column 1 of the heading means nothing here and is passed over\n" ANA "@c:2\n" },
        };
        expect_readings(&options, rows, COUNT_OF(rows));
}

static void mistakes(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { HEAD "192.0.2.7,user:ana,2026-02-31,\n192.0.2.7,user:ana,01/12/2026,\n192.0.2.7,user:ana,,\n" ROW,
                  "wrong 2: from is a day or time that does not exist\n"
                  "wrong 3: from is no time: write 2026-12-01, or 2026-12-01 14:30:05 -0300\n"
                  "wrong 4: from is no time: write 2026-12-01, or 2026-12-01 14:30:05 -0300\n" ANA "@c:5\n" },
                { HEAD "192.0.2.7,user:ana,2026-12-01T00:00:00Z,2026-11-01T00:00:00Z\n" ROW,
                  "wrong 2: until is not after from\n" ANA "@c:3\n" },
                { HEAD "192.0.2.7,user:jo\xe3o,2026-12-01T00:00:00Z,\n" ROW,
                  "wrong 2: text that is not UTF-8 (is the file in Latin-1?): iconv -f LATIN1 -t UTF-8 converts "
                  "it\n" ANA "@c:3\n" },
                { HEAD "192.0.2.7/24,user:ana,2026-12-01T00:00:00Z,\n192.0.2.7/40,user:ana,1,\nx,user:ana,1,\n" ROW,
                  "wrong 2: the prefix has bits behind its length: of one address, write /32 or /128, or no length\n"
                  "wrong 3: the length of the prefix is none: 0 to 32, or 0 to 128 for IPv6\nwrong 4: address is "
                  "none\n" ANA "@c:5\n" },
                { HEAD "192.0.2.7,ana,1,\n192.0.2.7,,1,\n", "wrong 2: a line is KIND:VALUE with KIND one of user, "
                                                            "circuit, remote, mac, duid, vlan, static, inside\n"
                                                            "wrong 3: it names no line\n" },
                { HEAD "\"192.0.2.7,user:ana,1,\n" ROW ROW,
                  "wrong 2: quotes are opened here and never closed\n" ANA "@c:3\n" ANA "@c:4\n" },
                { "192.0.2.7,user:ana\n" ROW,
                  "wrong 1: the first line must name the columns, at least: address, line (or user, mac, subscriber "
                  "…), from\n"
                  "warn 1: column 1 of the heading means nothing here and is passed over\n"
                  "warn 1: column 2 of the heading means nothing here and is passed over\n" },
        };
        expect_readings(&options, rows, COUNT_OF(rows));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(mistakes) };
        time_set_zone(S("UTC"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
