/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_support.h"

static const struct accounting plain = { .status = ACCOUNTING_START,
                                         .user = { "ana", 3 },
                                         .session = { "s1", 2 },
                                         .nas_id = { "bras", 4 },
                                         .arrival = INT64_C(1795341071) * SECOND,
                                         .session_time = -1 };

static void expect(const struct accounting *r, enum line_choice by, const char *want)
{
        struct said s = { 0 };
        struct event e;
        autoarena *a = arena_new(1 << 20);
        buf_init(&s.text, 1 << 20);
        const char *wrong = accounting_event(r, by, a, &e);
        if (wrong)
                buf_addf(&s.text, "%s\n", wrong);
        else
                say_event(&s, &e);
        assert_string_equal(buf_cstr(&s.text), want);
        buf_done(&s.text);
}

static void hold(struct accounting *r, const char *prefix)
{
        prefix_parse(slice_of(prefix), &r->held[r->n_held++].prefix);
}

static void times(void **state)
{
        (void)state;
        struct accounting r = plain;
        hold(&r, "198.51.100.7");
        expect(&r, LINE_AUTO,
               "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:ana 198.51.100.7 nas=bras session=s1 "
               "user=ana @\n");
        r.status = ACCOUNTING_INTERIM;
        expect(&r, LINE_AUTO, "holds 2026-11-22T09:51:11 user:ana 198.51.100.7 nas=bras session=s1 user=ana @\n");
        r.delay = 11 * SECOND;
        r.session_time = 60 * SECOND;
        expect(&r, LINE_AUTO,
               "holds 2026-11-22T09:51:00 start=2026-11-22T09:50:00 user:ana 198.51.100.7 nas=bras session=s1 user=ana "
               "@\n");
        r.event_time = INT64_C(1795341000) * SECOND;
        r.status = ACCOUNTING_STOP;
        r.cause = S("User-Request");
        expect(&r, LINE_AUTO,
               "ends 2026-11-22T09:50:00 start=2026-11-22T09:49:00 user:ana 198.51.100.7 nas=bras session=s1 user=ana "
               "why=User-Request @\n");
        r.event_time = 77 * SECOND; /* a clock that nobody set */
        r.session_time = INT64_MAX;
        expect(&r, LINE_AUTO,
               "ends 2026-11-22T09:51:00 user:ana 198.51.100.7 nas=bras session=s1 user=ana why=User-Request @\n");
        r.session_time = -1;
        r.event_time = r.arrival + MINUTE; /* as clocks go */
        expect(&r, LINE_AUTO,
               "ends 2026-11-22T09:52:11 user:ana 198.51.100.7 nas=bras session=s1 user=ana why=User-Request @\n");
        r.event_time = r.arrival + MINUTE + 1; /* a clock set wrong: nobody tells what is to come */
        expect(&r, LINE_AUTO,
               "ends 2026-11-22T09:51:00 user:ana 198.51.100.7 nas=bras session=s1 user=ana why=User-Request @\n");
        r.arrival_guessed = true;
        expect(&r, LINE_AUTO,
               "ends 2026-11-22T09:52:11 user:ana 198.51.100.7 nas=bras session=s1 user=ana why=User-Request @\n");
        r.arrival_guessed = false;
        r.arrival = 77 * SECOND; /* here it is the server's that nobody set */
        expect(&r, LINE_AUTO,
               "ends 2026-11-22T09:52:11 user:ana 198.51.100.7 nas=bras session=s1 user=ana why=User-Request @\n");
        r.event_time = r.arrival = 0;
        expect(&r, LINE_AUTO, "it does not say when: neither Event-Timestamp nor a time of arrival\n");
        r.status = 0;
        expect(&r, LINE_AUTO, "it has no Acct-Status-Type\n");
}

static void addresses(void **state)
{
        (void)state;
        struct accounting r = plain;
        hold(&r, "0.0.0.0");
        hold(&r, "255.255.255.255");
        hold(&r, "255.255.255.254");
        hold(&r, "::/0");
        hold(&r, "2001:db8::/56");
        hold(&r, "2001:db8::/56");
        hold(&r, "2001:db8::1");
        hold(&r, "::");
        expect(&r, LINE_AUTO,
               "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 user:ana 2001:db8::/56 2001:db8::1 nas=bras "
               "session=s1 "
               "user=ana @\n");
        r.status = ACCOUNTING_ON;
        r.has_nas = addr_parse(S("192.0.2.9"), &r.nas);
        expect(&r, LINE_AUTO, "nas-resets 2026-11-22T09:51:11 nas=192.0.2.9 session=s1 user=ana @\n");
        r.status = 9; /* Tunnel-Start */
        expect(&r, LINE_AUTO, "holds 2026-11-22T09:51:11 nas=192.0.2.9 session=s1 user=ana @\n");
}

static void lines(void **state)
{
        (void)state;
        static const char begins[] = "begins 2026-11-22T09:51:11 start=2026-11-22T09:51:11 ";
        static const struct {
                enum line_choice by;
                const char *user, *circuit, *remote, *calling, *want;
        } rows[] = {
                { LINE_AUTO, "ana", "c", "r", "aabbccddeeff", "user:ana" },
                { LINE_AUTO, NULL, "c", "r", "aabbccddeeff", "circuit:c" },
                { LINE_AUTO, NULL, NULL, "r", "aabbccddeeff", "remote:r" },
                { LINE_AUTO, NULL, NULL, NULL, "AABB.CCDD.EEFF", "mac:aa:bb:cc:dd:ee:ff" },
                { LINE_AUTO, NULL, NULL, NULL, "+55 43 5550100", NULL },
                { LINE_CIRCUIT, "ana", "c", "r", NULL, "circuit:c" },
                { LINE_CIRCUIT, "ana", NULL, "r", NULL, NULL },
                { LINE_REMOTE, "ana", "c", "r", NULL, "remote:r" },
                { LINE_MAC, "ana", NULL, NULL, "aa-bb-cc-dd-ee-ff", "mac:aa:bb:cc:dd:ee:ff" },
                { LINE_DUID, "ana", "c", "r", "aabbccddeeff", NULL },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                char want[256] = "nothing in it names the line\n";
                struct accounting r = plain;
                hold(&r, "198.51.100.7");
                r.user = slice_of(rows[i].user);
                r.circuit = slice_of(rows[i].circuit);
                r.remote = slice_of(rows[i].remote);
                r.calling = slice_of(rows[i].calling);
                if (rows[i].want)
                        snprintf(want, sizeof want, "%s%s 198.51.100.7 nas=bras session=s1%s%s @\n", begins,
                                 rows[i].want, rows[i].user ? " user=" : "", rows[i].user ? rows[i].user : "");
                expect(&r, rows[i].by, want);
        }
        struct accounting r = plain;
        char name[254];
        memset(name, 1, sizeof name);
        r.user = (struct slice){ name, sizeof name };
        expect(&r, LINE_AUTO, "the name of the line has more than 253 bytes\n");
}

static void causes(void **state)
{
        (void)state;
        assert_true(slice_eq(accounting_cause(1), S("User-Request")));
        assert_true(slice_eq(accounting_cause(18), S("Host-Request")));
        assert_int_equal(accounting_cause(0).n, 0);
        assert_int_equal(accounting_cause(19).n, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(times), cmocka_unit_test(addresses),
                                            cmocka_unit_test(lines), cmocka_unit_test(causes) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
