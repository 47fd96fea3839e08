/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

/* 2026-07-20T00:00:00Z */
static const struct reader_options junos = {
        .format = READER_BLOCKS_JUNOS, .name = { "b", 1 }, .realm = { "norte", 5 }, .now = INT64_C(1784505600) * SECOND
};
static const struct reader_options csv = { .format = READER_BLOCKS_CSV, .name = { "b", 1 }, .realm = { "norte", 5 } };

#define ZONE "a time without a zone, or with one unknown here: read in the zone of the policy, as all like it\n"

static void junos_messages(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { "Jul 19 16:13:02 cgn1 (FPC Slot 2, PIC Slot 0) 2026-07-19 19:13:02 [FWNAT]:ASP_NAT_PORT_BLOCK_ALLOC: "
                  "100.64.0.9 "
                  "-> 203.0.113.3:1050-1099\n"
                  "Dec 31 23:59:59 cgn1 sset[FWNAT]: ASP_NAT_PORT_BLOCK_RELEASE: 2001:db8:0:0:0:0:0:1 -> "
                  "203.0.113.3:1050-1099\n",
                  "begins 2026-07-19T16:13:02 start=2026-07-19T16:13:02 inside:100.64.0.9 203.0.113.3:1050-1099 "
                  "nas=cgn1 session=1050-1099 "
                  "user=100.64.0.9 @b:1\nwarn 1: " ZONE
                  "ends 2025-12-31T23:59:59 inside:2001:db8::1 203.0.113.3:1050-1099 nas=cgn1 session=1050-1099 "
                  "user=2001:db8::1 @b:2\n" },
                { "2026-07-19T16:13:02.123456+00:00 <158>2026-07-19 16:13:02: CGN{V}[jservices-nat]: "
                  "JSERVICES_NAT_PORT_BLOCK_ACTIVE: 100.64.0.9 -> 203.0.113.3:1050-1099 0x6a5ce900\n",
                  "holds 2026-07-19T16:13:02 start=2026-07-19T15:10:56 inside:100.64.0.9 203.0.113.3:1050-1099 "
                  "session=1050-1099 user=100.64.0.9 @b:1\n" },
                { "<14>Jul 19 16:13:02 bng1 RT_NAT: RT_SRC_NAT_PBA_ALLOC: Subscriber 100.64.60.74 used/maximum [10/15] "
                  "blocks, "
                  "allocates port block [24064-24191] from 203.0.113.100 in source pool P lsys_id: 0 epoch "
                  "0x6a5cf78e\n",
                  "begins 2026-07-19T16:13:02 start=2026-07-19T16:13:02 inside:100.64.60.74 203.0.113.100:24064-24191 "
                  "nas=bng1 "
                  "session=24064-24191 user=100.64.60.74 @b:1\nwarn 1: " ZONE },
                { "<14>1 2026-07-19T16:13:02.269-03:00 bng1 RT_NAT - RT_SRC_NAT_PBA_RELEASE [junos@2636.1.1.1.2.25 "
                  "internal-ip=\"100.64.0.9\" block-used=\"0\" block-max-per-host=\"4\" block-port-low=\"48640\" "
                  "block-port-high=\"48895\" reflexive-ip=\"203.0.113.3\" nat-pool-name=\"g\" logical-system-id=\"0\" "
                  "epoch-time-64=\"6a5cf78e\"]\n",
                  "ends 2026-07-19T19:13:02 start=2026-07-19T16:13:02 inside:100.64.0.9 203.0.113.3:48640-48895 "
                  "nas=bng1 "
                  "session=48640-48895 user=100.64.0.9 @b:1\n" },
                /* others' lines, and other messages */
                { "Jul 19 16:13:02 cgn1 sshd[1]: hello\n"
                  "Jul 19 16:13:02 cgn1 RT_NAT: RT_SRC_NAT_PBA_OUT_OF_BLOCKS: x\n",
                  "" },
                { "Jul 19 16:13:02 cgn1 x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 203.0.113.3:1050-1099\n"
                  "Jul 19 16:13:02 cgn1 x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3\n"
                  "Jul 19 16:13:02 cgn1 x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3:2-1\n"
                  "Feb 31 16:13:02 cgn1 x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3:1050-1099\n",
                  "wrong 1: a message about a port block that cannot be read\n"
                  "wrong 2: a message about a port block that cannot be read\n"
                  "wrong 3: the ports are no range up to 65535\n"
                  "wrong 4: its time is none, or one that does not exist\n" },
        };
        expect_readings(&junos, rows, COUNT_OF(rows));
        struct reader_options early = junos; /* made days before the last line was written */
        early.now -= 2 * DAY;
        expect_said(
            &early,
            S("Jul 18 20:00:00 h x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3:1-9\n"
              "Jul 19 19:00:00 h x: ASP_NAT_PORT_BLOCK_RELEASE: 100.64.0.9 -> 203.0.113.3:1-9\n"),
            "begins 2026-07-18T20:00:00 start=2026-07-18T20:00:00 inside:100.64.0.9 203.0.113.3:1-9 nas=h session=1-9 "
            "user=100.64.0.9 @b:1\nwarn 1: " ZONE
            "ends 2026-07-19T19:00:00 inside:100.64.0.9 203.0.113.3:1-9 nas=h session=1-9 user=100.64.0.9 @b:2\n");
        struct reader_options named = junos;
        named.nas = S("box");
        expect_said(&named, S("2026-07-19T16:13:02Z h x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3:1-9\n"),
                    "begins 2026-07-19T16:13:02 start=2026-07-19T16:13:02 inside:100.64.0.9 203.0.113.3:1-9 nas=box "
                    "session=1-9 user=100.64.0.9 "
                    "@b:1\n");
}

static void csv_rows(void **state)
{
        (void)state;
        static const struct reading rows[] = {
                { "time,event,outside,proto,low,high,inside\n2026-07-19T16:13:02Z,alloc,203.0.113.3,tcp,1024,1151,100."
                  "64.0.9\n"
                  "2026-07-19T17:13:02Z,RELEASE,203.0.113.3,tcp,1024,1151,100.64.0.9\n",
                  "begins 2026-07-19T16:13:02 start=2026-07-19T16:13:02 inside:100.64.0.9 203.0.113.3:1024-1151/tcp "
                  "session=1024-1151/tcp "
                  "user=100.64.0.9 @b:2\n"
                  "ends 2026-07-19T17:13:02 inside:100.64.0.9 203.0.113.3:1024-1151/tcp session=1024-1151/tcp "
                  "user=100.64.0.9 @b:3\n" },
                { "time,event,outside,low,high,user,nas\n2026-07-19T16:13:02Z,interim,203.0.113.3,1024,1151,ana,n1\n",
                  "holds 2026-07-19T16:13:02 user:ana 203.0.113.3:1024-1151 nas=n1 session=1024-1151 user=ana @b:2\n" },
                { "time,event,outside,low,high,inside\n2026-02-31T16:13:02Z,alloc,203.0.113.3,1,2,100.64.0.9\n"
                  "1784505600,lost,203.0.113.3,1,2,100.64.0.9\n1784505600,alloc,203.0.113,1,2,100.64.0.9\n"
                  "1784505600,alloc,203.0.113.3,1,70000,100.64.0.9\n1784505600,alloc,203.0.113.3,1,2,\n",
                  "wrong 2: time is none, or one that does not exist\nwrong 3: event is none of alloc, interim, "
                  "release\n"
                  "wrong 4: the outside address is none\nwrong 5: the ports are no range up to 65535\n"
                  "wrong 6: the inside address is none\n" },
        };
        expect_readings(&csv, rows, COUNT_OF(rows));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(junos_messages), cmocka_unit_test(csv_rows) };
        time_set_zone(S("UTC"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
