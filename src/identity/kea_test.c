/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

static const struct reader_options v4 = { .format = READER_KEA4, .name = { "k", 1 } };
static const struct reader_options v6 = { .format = READER_KEA6, .name = { "k", 1 } };

#define HEAD_20                                                                                                        \
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
#define HEAD_24                                                                                                        \
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_" \
        "id\n"
#define MAC "00:0c:01:02:03:04"
#define ROW "192.0.2.1," MAC ",01:" MAC ",120,1795341278,7,0,0,,0,"
#define HOLDS "holds 2026-11-22T09:52:38 expires=2026-11-22T09:54:38 "
#define BY_MAC "mac:" MAC " 192.0.2.1 user=" MAC " "

static void rows4(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { HEAD_20 ROW "\n", HOLDS BY_MAC "@k:2\n" },
                { "\xef\xbb\xbf" HEAD_20 ROW "\r\n", HOLDS BY_MAC "@k:2\n" },
                /* 2.4 to 2.6: sub-options; before: the bytes alone; both with commas escaped */
                { HEAD_24 ROW "{ \"ISC\": { \"relay-agent-info\": { \"remote-id\": \"0A0B\"&#x2c \"sub-options\": "
                              "\"0x0108657468302F312F3702020A0B\" } } },0\n",
                  HOLDS "circuit:eth0/1/7 192.0.2.1 user=" MAC " @k:2\n" },
                { HEAD_20 ROW "{ \"ISC\": { \"relay-agent-info\": \"0x020472323031\" } }\n",
                  HOLDS "remote:r201 192.0.2.1 user=" MAC " @k:2\n" },
                { HEAD_20 ROW "{ \"ISC\": { \"relay-agent-info\": \"0x01FF72\" } }\n", HOLDS BY_MAC "@k:2\n" },
                /* 1.0, without state */
                { "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname\n"
                  "192.0.2.1," MAC ",,120,1795341278,7,0,0,a&#x2cb\n",
                  HOLDS BY_MAC "@k:2\n" },
                /* declined, reclaimed, released */
                { HEAD_20 "192.0.2.1,,,86400,1795427558,7,0,0,,1,\n",
                  "ends 2026-11-22T09:52:38 192.0.2.1 why=declined @k:2\n" },
                { HEAD_20 "192.0.2.1," MAC ",,120,1795341278,7,0,0,,2,\n",
                  HOLDS BY_MAC "@k:2\nends 2026-11-22T09:54:38 " BY_MAC "why=expired @k:2\n" },
                { HEAD_20 "192.0.2.1," MAC ",,0,1795341158,7,0,0,,0,\n", "" },
                { HEAD_20 ROW "\n192.0.2.2," MAC ",,120,1795341288,7,0,0,,0,\n192.0.2.1," MAC
                              ",,0,1795341158,7,0,0,,0,\n",
                  HOLDS BY_MAC
                  "@k:2\nholds 2026-11-22T09:52:48 expires=2026-11-22T09:54:48 mac:" MAC " 192.0.2.2 user=" MAC
                  " @k:3\nends 2026-11-22T09:52:48 start=2026-11-22T09:52:38 " BY_MAC "why=released @k:4\n" },
                /* for ever, in 64 bits and in 32 */
                { HEAD_20 "192.0.2.1," MAC ",,4294967295,6090308453,7,0,0,,0,\n192.0.2.1," MAC
                          ",,4294967295,1795341157,7,0,0,,0,\n",
                  "holds 2026-11-22T09:52:38 " BY_MAC "@k:2\nholds 2026-11-22T09:52:38 " BY_MAC "@k:3\n" },
                /* the client names itself by a DUID, and has no MAC */
                { HEAD_20 "192.0.2.1,,ff:00:00:00:01:00:03:00:01:61:62,120,1795341278,7,0,0,,0,\n",
                  HOLDS "duid:00:03:00:01:61:62 192.0.2.1 user=ff:00:00:00:01:00:03:00:01:61:62 @k:2\n" },
        };
        expect_readings(&v4, rows, COUNT_OF(rows));
}

#define HEAD6                                                                                                          \
        "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,"     \
        "hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n"

static void rows6(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { HEAD6 "2001:db8::5,00:03:00:01:61:62,120,1795341278,1,60,0,7,128,0,0,,,0,,,,0\n"
                        "2001:db8:100::,00:03:00:01:61:62,120,1795341278,1,60,2,7,56,0,0,," MAC ",0,,,,0\n",
                  HOLDS "duid:00:03:00:01:61:62 2001:db8::5 user=00:03:00:01:61:62 @k:2\n" HOLDS
                        "duid:00:03:00:01:61:62 2001:db8:100::/56 user=00:03:00:01:61:62 @k:3\n" },
                { HEAD6
                  "2001:db8::5,00:03:00:01:61:62,120,1795341278,1,60,0,7,128,0,0,,,0,{ \"ISC\": { \"relay-info\": [ { "
                  "\"hop\": 0&#x2c \"options\": \"0x0025000900000DE97231323334001200036F6C74\"&#x2c \"link\": \"::\" } "
                  "] } "
                  "},,,0\n",
                  HOLDS "circuit:olt 2001:db8::5 user=00:03:00:01:61:62 @k:2\n" },
                { HEAD6 "2001:db8:100::1,00:03:00:01:61:62,120,1795341278,1,60,2,7,56,0,0,,,0,,,,0\n"
                        "2001:db8:100::,00:03:00:01:61:62,120,1795341278,1,60,2,7,256,0,0,,,0,,,,0\n",
                  "wrong 2: its prefix has bits behind its length\nwrong 3: its prefix_len is no length of a "
                  "prefix\n" },
        };
        expect_readings(&v6, rows, COUNT_OF(rows));
}

static void damage(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { ROW "\n" ROW "\n" HEAD_20 ROW "\n",
                  "wrong 1: the heading is missing: the first line must name the columns\n" HOLDS BY_MAC "@k:4\n" },
                { "address,hwaddr,expire\n" ROW "\n",
                  "wrong 1: the heading lacks one of address, valid_lifetime, expire, hwaddr\n"
                  "wrong 2: the heading is missing: the first line must name the columns\n" },
                { HEAD_20 "192.0.2.1," MAC ",,12\n" ROW "\n"
                          "192.0.2.300," ROW "\n"
                          "2001:db8::1,,\n192.0.2.1,zz,,1,1795341278,,,,,0,",
                  "wrong 2: valid_lifetime or expire is no number\n" HOLDS BY_MAC "@k:3\nwrong 4: its address is none\n"
                  "wrong 5: its address is none\nwrong 6: nothing in it names the line\n" },
                { HEAD_20 "192.0.2.1," MAC ",,120,1795341278,7,0,0,,x,\n", "wrong 2: its state is no number\n" },
        };
        expect_readings(&v4, rows, COUNT_OF(rows));
}

static void goes_on_where_it_stood(void **state)
{
        (void)state;
        struct said first, second;
        struct reader_options o = v4;
        static const char text[] = HEAD_20 ROW "\n" ROW "\n192.0.2";
        o.event = say_event;
        o.wrong = say_wrong;
        first = second = (struct said){ 0 };
        buf_init(&first.text, 1 << 20);
        buf_init(&second.text, 1 << 20);
        o.arg = &first;
        autoreader *a = reader_new(&o);
        reader_feed(a, (struct slice){ text, sizeof text - 1 });
        struct reader_place place = reader_place(a);
        assert_int_equal(place.offset, sizeof text - 1 - strlen("192.0.2"));
        assert_int_equal(place.line, 4);
        o.arg = &second;
        autoreader *b = reader_new(&o);
        reader_resume(b, &place);
        reader_feed(b, S(ROW "\n"));
        assert_string_equal(buf_cstr(&second.text), HOLDS BY_MAC "@k:4\n");
        assert_int_equal(reader_place(b).offset, place.offset + sizeof ROW);
        buf_done(&first.text);
        buf_done(&second.text);
}

static void the_real_server_s_file(void **state)
{
        (void)state;
        autobuf text;
        buf_init(&text, 64 << 20);
        read_data("kea-2.2.0-leases4.csv", &text);
        assert_int_equal(reader_detect((struct slice){ text.p, 4096 }), READER_KEA4);
        for (size_t step = 1; step < 2000000; step = step * 7 + 1) {
                struct said s;
                read_in_pieces(&v4, buf_slice(&text), 0, step, &s);
                assert_int_equal(s.events, 2445);
                assert_int_equal(s.wrongs, 0);
                buf_done(&s.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(rows4), cmocka_unit_test(rows6), cmocka_unit_test(damage),
                                            cmocka_unit_test(goes_on_where_it_stood),
                                            cmocka_unit_test(the_real_server_s_file) };
        time_set_zone(S("UTC"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
