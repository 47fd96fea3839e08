/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* What comes of the bytes, given `step` at a time. */
static bool convert(struct slice in, size_t step, struct buf *out, uint64_t *left_out)
{
        struct journal *j = journal_new();
        bool good = true;
        buf_init(out, 64 << 20);
        for (size_t n; good && in.n; in = slice_from(in, n)) {
                n = step < in.n ? step : in.n;
                good = journal_feed(j, (struct slice){ in.p, n }, out);
        }
        good = good && journal_end(j, out);
        *left_out = journal_left_out(j);
        journal_free(j);
        return good;
}

static void same_at_every_step(struct slice in, const char *want, bool good)
{
        static const size_t steps[] = { 1, 2, 7, 1000, SIZE_MAX };
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
                autobuf out;
                uint64_t left_out;
                if (convert(in, steps[i], &out, &left_out) != good || strcmp(buf_cstr(&out), want) != 0)
                        fail_msg("%.*s\n  got  %s\n  want %s", SLICE_ARGS(in), buf_cstr(&out), want);
                assert_int_equal(left_out, 0);
        }
}

#define AT "__REALTIME_TIMESTAMP=1795872002123456\n"
#define WHEN "2026-11-28T13:20:02.123456+00:00"

static void entries(void **state)
{
        (void)state;
        static const struct {
                const char *in, *want;
        } rows[] = {
                { "__CURSOR=s=1;i=2\n" AT
                  "_HOSTNAME=mx1\nSYSLOG_IDENTIFIER=postfix/smtpd\nSYSLOG_PID=99\n_PID=98\nMESSAGE=connect "
                  "from a[192.0.2.1]\n\n",
                  WHEN " mx1 postfix/smtpd[99]: connect from a[192.0.2.1]\n" },
                /* when it was said before when it was heard; the pid that the kernel saw; the command for a name */
                { AT "_SOURCE_REALTIME_TIMESTAMP=1795872001000007\n_HOSTNAME=mx1\n_COMM=exim4\n_PID=98\nMESSAGE=x\n\n",
                  "2026-11-28T13:20:01.000007+00:00 mx1 exim4[98]: x\n" },
                { AT "MESSAGE=x\n\n", WHEN " - -: x\n" },
                { AT "MESSAGE=\n\n", WHEN " - -: \n" },
                /* no message, no time, a time that is none: no line */
                { AT "_HOSTNAME=mx1\n\n", "" },
                { "MESSAGE=x\n\n", "" },
                { "__REALTIME_TIMESTAMP=x\nMESSAGE=x\n\n", "" },
                { "__REALTIME_TIMESTAMP=99999999999999999999\nMESSAGE=x\n\n", "" },
                { "__REALTIME_TIMESTAMP=253402300800000000\nMESSAGE=x\n\n", "" },
                /* the last one may lack its empty line; more empty lines say nothing; a value may be there twice, and hold '=' */
                { "\n\n" AT "MESSAGE=a=b\nMESSAGE=c\n\n\n\n" AT "MESSAGE=d\n", WHEN " - -: a=b\n" WHEN " - -: d\n" },
                /* names cannot end themselves */
                { AT "_HOSTNAME=a b\nSYSLOG_IDENTIFIER=x[1]: y\nMESSAGE=m\n\n", WHEN " a_b x_1___y: m\n" },
                { "", "" },
                { "\n", "" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                same_at_every_step(slice_of(rows[i].in), rows[i].want, true);
}

#define EIGHT(n) n "\0\0\0\0\0\0\0"

/* A message with line ends, with what looks like the end of its entry, and of no bytes. */
static void binary(void **state)
{
        (void)state;
        same_at_every_step(S(AT "MESSAGE\n" EIGHT("\x03") "a\nb\n_HOSTNAME=h\n\n"), WHEN " h -: a b\n", true);
        same_at_every_step(S(AT "MESSAGE\n" EIGHT("\x14") "a\n\n__CURSOR=x\n_PID=1\n_HOSTNAME=h\n\n"),
                           WHEN " h -: a  __CURSOR=x _PID=1\n", true);
        same_at_every_step(S(AT "MESSAGE\n" EIGHT("\0") "\n\n"), WHEN " - -: \n", true);
        same_at_every_step(S(AT "X\n" EIGHT("\x0b") "\nMESSAGE=no\nMESSAGE=yes\n\n"), WHEN " - -: yes\n", true);
}

static void damage(void **state)
{
        (void)state;
        same_at_every_step(S(AT "MESSAGE=x\n\nno export\n"), WHEN " - -: x\n", false);
        same_at_every_step(S(AT "MESSAGE\n" EIGHT("\x03") "abc_HOSTNAME=h\n\n"), "", false);
        same_at_every_step(S(AT "MESSAGE\n" EIGHT("\x03") "ab"), "", false);
        same_at_every_step(S(AT "MESSAGE=x\n_HOST"), "", false);
        same_at_every_step(S(AT "MESSAGE\n\x03"), "", false);
        same_at_every_step(S(AT "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff"
                                "abc"),
                           "", false);
        same_at_every_step(S("=x\n"), "", false);
        same_at_every_step(S("A12345678901234567890123456789012345678901234567890123456789012345=x\n"), "", false);
}

static void too_long(void **state)
{
        (void)state;
        static const size_t sizes[] = { JOURNAL_ENTRY_MOST - 100, JOURNAL_ENTRY_MOST, JOURNAL_ENTRY_MOST * 5 };
        static const char *const fields[] = { "MESSAGE=", "COREDUMP=" };
        for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(fields); i++) {
                autobuf in, out;
                uint64_t left_out;
                buf_init(&in, 64 << 20);
                buf_adds(&in, AT "MESSAGE=a\n\n" AT);
                buf_adds(&in, i % 2 ? "MESSAGE=b\n" : "");
                buf_adds(&in, fields[i % 2]);
                for (size_t k = 0; k < sizes[i / 2]; k++)
                        buf_addc(&in, 'x');
                buf_adds(&in, "\n\n" AT "MESSAGE=c\n\n");
                assert_true(convert(buf_slice(&in), 65536, &out, &left_out));
                assert_int_equal(left_out, i / 2 > 0);
                if (left_out)
                        assert_string_equal(buf_cstr(&out), WHEN " - -: a\n" WHEN " - -: c\n");
                else
                        assert_true(out.n > 3 * strlen(WHEN) && slice_ends(buf_slice(&out), S(": c\n")));
        }
}

static void beginnings(void **state)
{
        (void)state;
        assert_true(journal_begins(S("__CURSOR=s=1")));
        assert_false(journal_begins(S("__CURSOR")));
        assert_false(journal_begins(S("Nov 28 13:20:02 mx1")));
        assert_false(journal_begins(S("")));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(entries), cmocka_unit_test(binary),
                                            cmocka_unit_test(damage), cmocka_unit_test(too_long),
                                            cmocka_unit_test(beginnings) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
