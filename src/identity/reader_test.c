/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

#define HEAD "Sun Nov 22 09:51:11 2026\n"
#define ANA                                                                                                            \
        HEAD "\tUser-Name = \"ana\"\n\tAcct-Status-Type = Start\n\tFramed-IP-Address = 198.51.100.7\n\tTimestamp = "   \
             "1795341071\n\n"
#define LEASE                                                                                                          \
        "lease 192.0.2.1 {\n  starts 0 2026/11/22 09:52:18;\n  ends never;\n  hardware ethernet "                      \
        "00:0c:01:02:03:04;\n}\n"
#define KEA "address,hwaddr,valid_lifetime,expire\n"
#define CSV "address,line,from\n"
#define JUNOS "2026-07-19T16:13:02Z h x: ASP_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3:1-9\n"

/* What comes in any order, in any pieces; LONG and its like stand for more than a record may have. */
static const char LONG[] = "LONG", QUOTED[] = "QUOTED", LINES[] = "LINES";
static const struct {
        enum reader_format format;
        const char *first;
        const char *parts[9];
} mixtures[] = {
        { READER_DETAIL,
          "",
          { ANA, HEAD "\tUser-Name = \"b\"\n", "\tNAS-Port = ", "\n", "\r\n", LONG, LINES, HEAD, "x" } },
        { READER_ISC, "", { LEASE, "lease 192.0.2.2 {\n", "}\n", "\"", "# \" {\n", LONG, LINES, "ia-na \"\\", "le" } },
        { READER_KEA4,
          KEA,
          { "192.0.2.1,00:0c:01:02:03:04,1,1795341071\n", "a,b", "\n", KEA, LONG, "\r\n", LINES, ",", "\xff" } },
        { READER_CSV,
          CSV,
          { "192.0.2.1,user:a,1795341071\n", "\"", "\n", "\"a\nb\"", LONG, QUOTED, LINES, ",", "\r\n" } },
        { READER_BLOCKS_JUNOS, "", { JUNOS, "x", "\n", LONG, LINES, "_NAT_PBA_ALLOC", "\r\n", "<1>", "Jul" } },
};

static uint32_t random_of(uint32_t *state, uint32_t below)
{
        *state = *state * 1664525 + 1013904223;
        return (uint32_t)(((uint64_t)(*state >> 8) * below) >> 24);
}

static void add_part(struct buf *out, const char *part, uint32_t *random)
{
        if (part != LONG && part != QUOTED && part != LINES) {
                buf_adds(out, part);
                return;
        }
        if (part == QUOTED)
                buf_addc(out, '"');
        size_t n = READER_RECORD_MOST - 100 + random_of(random, 200) + random_of(random, 2) * READER_RECORD_MOST * 3;
        for (size_t i = 0; i < n; i++)
                buf_addc(out, part != LONG && i % 50 == 49 ? '\n' : part == LINES && i % 50 == 0 ? '\t' : 'a');
}

static void any_pieces_read_the_same(void **state)
{
        (void)state;
        uint32_t random = 1;
        for (size_t round = 0; round < 200; round++) {
                size_t m = round % COUNT_OF(mixtures);
                struct reader_options o = { .format = mixtures[m].format,
                                            .name = { "f", 1 },
                                            .now = INT64_C(1795341071) * SECOND };
                struct said whole, pieces;
                autobuf text;
                buf_init(&text, 64 << 20);
                buf_adds(&text, mixtures[m].first);
                for (size_t i = 0; i < 12; i++)
                        add_part(&text, mixtures[m].parts[random_of(&random, 9)], &random);
                read_in_pieces(&o, buf_slice(&text), 0, text.n, &whole);
                for (size_t i = 0; i < 4; i++) {
                        size_t step = i == 0 ? 1000 : 1 + random_of(&random, 200000);
                        read_in_pieces(&o, buf_slice(&text), 1 + random_of(&random, (uint32_t)text.n), step, &pieces);
                        if (!slice_eq(buf_slice(&pieces.text), buf_slice(&whole.text)))
                                fail_msg("round %zu, steps of %zu:\n%s\nbut whole:\n%s", round, step,
                                         buf_cstr(&pieces.text), buf_cstr(&whole.text));
                        buf_done(&pieces.text);
                }
                buf_done(&whole.text);
        }
}

/* What is too long is told once, and what stands behind it is read. */
static void too_long_is_passed_over(void **state)
{
        (void)state;
        static const struct {
                enum reader_format format;
                const char *before, *after, *want;
        } rows[] = {
                { READER_DETAIL, HEAD "\tUser-Name = \"", "\"\n\n" ANA,
                  "wrong 1: the record has more than 65,536 bytes\n"
                  "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:ana 198.51.100.7 user=ana @f:4\n" },
                { READER_ISC, "lease 192.0.2.2 {\n  set x = \"", "\";\n" LEASE,
                  "wrong 1: the record has more than 65,536 bytes\n"
                  "holds 2026-11-22T09:52:18 mac:00:0c:01:02:03:04 192.0.2.1 user=00:0c:01:02:03:04 @f:3\n" },
                { READER_KEA4, KEA, "\n192.0.2.1,00:0c:01:02:03:04,1,1795341072\n",
                  "wrong 2: the record has more than 65,536 bytes\n"
                  "holds 2026-11-22T09:51:11 expires=2026-11-22T09:51:12 mac:00:0c:01:02:03:04 192.0.2.1 "
                  "user=00:0c:01:02:03:04 @f:3\n" },
                { READER_CSV, CSV "\"", "\n192.0.2.1,user:a,1795341071\n",
                  "wrong 2: the record has more than 65,536 bytes\n"
                  "is 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:a 192.0.2.1 user=a @f:3\n" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct reader_options o = { .format = rows[i].format, .name = { "f", 1 } };
                struct said s;
                autobuf text;
                buf_init(&text, 64 << 20);
                buf_adds(&text, rows[i].before);
                for (size_t n = 0; n < 1000000; n++)
                        buf_addc(&text, 'a');
                buf_adds(&text, rows[i].after);
                read_in_pieces(&o, buf_slice(&text), 0, 4096, &s);
                assert_string_equal(buf_cstr(&s.text), rows[i].want);
                buf_done(&s.text);
        }
}

/* The bytes that are passed over end where a line does, and the next begins a record. */
static void too_long_ends_at_the_next(void **state)
{
        (void)state;
        static const struct {
                enum reader_format format;
                const char *before, *line, *after;
        } rows[] = { { READER_DETAIL, HEAD, "\tNAS-Port = 1\n", ANA },
                     { READER_ISC, "lease 192.0.2.2 {\n", "  set x = 1;\n", LEASE } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct reader_options o = { .format = rows[i].format, .name = { "f", 1 } };
                struct said s;
                autobuf text;
                buf_init(&text, 64 << 20);
                buf_adds(&text, rows[i].before);
                while (text.n <= READER_RECORD_MOST)
                        buf_adds(&text, rows[i].line);
                size_t cut = text.n;
                buf_adds(&text, rows[i].after);
                read_in_pieces(&o, buf_slice(&text), cut, 1, &s);
                assert_int_equal(s.wrongs, 1);
                assert_int_equal(s.events, 1);
                buf_done(&s.text);
        }
}

static void formats_are_known_by_their_content(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                enum reader_format want;
        } rows[] = {
                { ANA, READER_DETAIL },
                { "\n" ANA, READER_DETAIL },
                { "# The format of this file is documented in the dhcpd.leases(5) manual page.\n", READER_ISC },
                { LEASE, READER_ISC },
                { "  set a-b = 1;\n}\n" LEASE, READER_ISC },
                { "address,hwaddr,client_id,valid_lifetime\n", READER_KEA4 },
                { "address,duid,valid_lifetime\n", READER_KEA6 },
                { CSV, READER_CSV },
                { "\xef\xbb\xbf\"From\";\"Prefix\";Line\r\n", READER_CSV },
                { "time,event,outside,low,high,inside\n", READER_BLOCKS_CSV },
                { "Jul 19 16:13:02 h sshd: x\n" JUNOS, READER_BLOCKS_JUNOS },
                { "hello\n", READER_FORMAT_COUNT },
                { "", READER_FORMAT_COUNT },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (reader_detect(slice_of(rows[i].text)) != rows[i].want)
                        fail_msg("row %zu: %d", i, reader_detect(slice_of(rows[i].text)));
        for (int f = 0; f < READER_FORMAT_COUNT; f++)
                assert_int_equal(reader_format_of(slice_of(reader_format_name((enum reader_format)f))), f);
        assert_int_equal(reader_format_of(S("xml")), READER_FORMAT_COUNT);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(any_pieces_read_the_same),
                                            cmocka_unit_test(too_long_is_passed_over),
                                            cmocka_unit_test(too_long_ends_at_the_next),
                                            cmocka_unit_test(formats_are_known_by_their_content) };
        time_set_zone(S("UTC"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
