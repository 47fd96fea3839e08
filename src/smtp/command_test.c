/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/command.h"
#include "smtp/xtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { ALL = 0x7FF };

static void test_verbs(void **state)
{
        (void)state;
        static const struct {
                const char *line, *args;
                enum smtp_verb verb;
        } rows[] = {
                { "EHLO example.com", "example.com", SMTP_VERB_EHLO },
                { "ehlo   example.com  ", "example.com", SMTP_VERB_EHLO },
                { "Mail From:<a@example.com>", "From:<a@example.com>", SMTP_VERB_MAIL },
                { "QUIT", "", SMTP_VERB_QUIT },
                { "QUIT  ", "", SMTP_VERB_QUIT },
                { "QUITE", "", SMTP_VERB_OTHER },
                { "", "", SMTP_VERB_OTHER },
                { " QUIT", "QUIT", SMTP_VERB_OTHER },
                { "STARTTLS", "", SMTP_VERB_STARTTLS },
                { "BDAT 5 LAST", "5 LAST", SMTP_VERB_BDAT },
                { "GET / HTTP/1.1", "/ HTTP/1.1", SMTP_VERB_HTTP },
                { "Host: example.com", "example.com", SMTP_VERB_HTTP },
                { "POST /x HTTP/1.0", "/x HTTP/1.0", SMTP_VERB_HTTP },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice args;
                assert_int_equal(smtp_command_parse(slice_of(rows[i].line), &args), rows[i].verb);
                assert_true(slice_eq(args, slice_of(rows[i].args)));
        }
}

static void test_mail(void **state)
{
        (void)state;
        static const struct {
                const char *args;
                unsigned offered;
                enum smtp_args want;
        } rows[] = {
                { "FROM:<a@example.com>", 0, SMTP_ARGS_OK },
                { "from: <a@example.com>", 0, SMTP_ARGS_OK },
                { "FROM:a@example.com", 0, SMTP_ARGS_OK },
                { "FROM:<>", 0, SMTP_ARGS_OK },
                { "FROM <a@example.com>", 0, SMTP_ARGS_SYNTAX },
                { "FROM", 0, SMTP_ARGS_SYNTAX },
                { "TO:<a@example.com>", 0, SMTP_ARGS_SYNTAX },
                { "FROM:", 0, SMTP_ARGS_ADDRESS },
                { "FROM:<a>", 0, SMTP_ARGS_ADDRESS },
                { "FROM:<postmaster>", 0, SMTP_ARGS_ADDRESS },
                { "FROM:<a@example.com>SIZE=1", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SIZE=1", ALL, SMTP_ARGS_OK },
                { "FROM:<a@example.com>  size=18446744073709551615", ALL, SMTP_ARGS_OK },
                { "FROM:<a@example.com> SIZE=18446744073709551616", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SIZE=-1", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SIZE=", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SIZE", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SIZE=1 SIZE=2", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SIZE=1", 0, SMTP_ARGS_UNKNOWN },
                { "FROM:<a@example.com> BODY=8BITMIME", ALL, SMTP_ARGS_OK },
                { "FROM:<a@example.com> BODY=BINARYMIME", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> SMTPUTF8", ALL, SMTP_ARGS_OK },
                { "FROM:<a@example.com> SMTPUTF8=1", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<\xC3\xA9@example.com> SMTPUTF8", ALL, SMTP_ARGS_OK },
                { "FROM:<\xC3\xA9@example.com>", ALL, SMTP_ARGS_UTF8 },
                { "FROM:<a@example.com> RET=HDRS ENVID=QQ+2B1 AUTH=<>", ALL, SMTP_ARGS_OK },
                { "FROM:<a@example.com> RET=BODY", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> ENVID=a+2b", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> ENVID=a=b", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> ENVID=", ALL, SMTP_ARGS_SYNTAX },
                { "FROM:<a@example.com> AUTH=e+3Dmc2@example.com", ALL, SMTP_ARGS_OK },
                { "FROM:<a@example.com> NOTIFY=NEVER", ALL, SMTP_ARGS_UNKNOWN },
                { "FROM:<a@example.com> XYZ=1", ALL, SMTP_ARGS_UNKNOWN },
                { "FROM:<a@example.com> =", ALL, SMTP_ARGS_UNKNOWN },
                { "FROM:<a@example.com> ORCPT=rfc822;b@example.com", ALL, SMTP_ARGS_UNKNOWN },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct smtp_mail m;
                enum smtp_args got = smtp_mail_parse(slice_of(rows[i].args), rows[i].offered, &m);
                if (got != rows[i].want)
                        fail_msg("%s: %d, not %d", rows[i].args, got, rows[i].want);
        }
}

static void test_values_of_mail(void **state)
{
        (void)state;
        struct smtp_mail m;
        assert_int_equal(
            smtp_mail_parse(S("FROM:<a@example.com> SIZE=10 BODY=8bitmime RET=full ENVID=q+20 SMTPUTF8"), ALL, &m), 0);
        assert_int_equal(m.size, 10);
        assert_int_equal(m.body, SMTP_BODY_8BITMIME);
        assert_int_equal(m.ret, SMTP_RET_FULL);
        assert_true(m.utf8 && slice_eq(m.envid, S("q+20")) && !m.auth.p);
        assert_true(slice_eq(m.from.local, S("a")) && slice_eq(m.from.domain, S("example.com")));
}

static void test_rcpt(void **state)
{
        (void)state;
        static const struct {
                const char *args;
                bool utf8;
                enum smtp_args want;
                unsigned notify;
        } rows[] = {
                { "TO:<a@example.com>", false, SMTP_ARGS_OK, 0 },
                { "TO:<Postmaster>", false, SMTP_ARGS_OK, 0 },
                { "TO:<>", false, SMTP_ARGS_ADDRESS, 0 },
                { "TO:<a@example.com> NOTIFY=SUCCESS,delay", false, SMTP_ARGS_OK,
                  SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY },
                { "TO:<a@example.com> NOTIFY=NEVER", false, SMTP_ARGS_OK, SMTP_NOTIFY_NEVER },
                { "TO:<a@example.com> NOTIFY=NEVER,DELAY", false, SMTP_ARGS_SYNTAX, 0 },
                { "TO:<a@example.com> NOTIFY=DELAY,DELAY", false, SMTP_ARGS_SYNTAX, 0 },
                { "TO:<a@example.com> NOTIFY=", false, SMTP_ARGS_SYNTAX, 0 },
                { "TO:<a@example.com> NOTIFY=DELAY,", false, SMTP_ARGS_SYNTAX, 0 },
                { "TO:<a@example.com> ORCPT=rfc822;b+2Bc@example.com", false, SMTP_ARGS_OK, 0 },
                { "TO:<a@example.com> ORCPT=rfc822", false, SMTP_ARGS_SYNTAX, 0 },
                { "TO:<a@example.com> ORCPT=;x", false, SMTP_ARGS_SYNTAX, 0 },
                { "TO:<a@example.com> SIZE=1", false, SMTP_ARGS_UNKNOWN, 0 },
                { "TO:<\xC3\xA9@example.com>", false, SMTP_ARGS_UTF8, 0 },
                { "TO:<\xC3\xA9@example.com>", true, SMTP_ARGS_OK, 0 },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct smtp_rcpt r = { .notify = 0 };
                enum smtp_args got = smtp_rcpt_parse(slice_of(rows[i].args), ALL, rows[i].utf8, &r);
                if (got != rows[i].want || r.notify != rows[i].notify)
                        fail_msg("%s: %d, not %d; notify %u", rows[i].args, got, rows[i].want, r.notify);
        }
}

static void test_xclient(void **state)
{
        (void)state;
        struct smtp_xclient x;
        char name[64];
        size_t n;
        assert_int_equal(smtp_xclient_parse(S("ADDR=IPV6:2001:db8::1 login=jos+C3+A9 PORT=1234"), &x), SMTP_ARGS_OK);
        assert_true(slice_eq(x.value[SMTP_XCLIENT_ADDR], S("IPV6:2001:db8::1")) && !x.value[SMTP_XCLIENT_NAME].p);
        assert_true(smtp_xtext_decode(x.value[SMTP_XCLIENT_LOGIN], name, &n));
        assert_true(slice_eq((struct slice){ name, n }, S("jos\xC3\xA9")));
        static const char *const bad[] = { "ADDR", "ADDR=", "ADDR=a ADDR=b", "FOO=1", "NAME=a+0", "NAME=a+0d=" };
        for (size_t i = 0; i < COUNT_OF(bad); i++)
                assert_int_equal(smtp_xclient_parse(slice_of(bad[i]), &x), SMTP_ARGS_SYNTAX);
}

static void test_xtext_of_every_byte(void **state)
{
        (void)state;
        for (int c = 0; c < 256; c++) {
                char byte = (char)c, back[4];
                size_t n;
                autobuf out;
                buf_init(&out, 16);
                smtp_xtext_put(&out, (struct slice){ &byte, 1 });
                assert_true(smtp_xtext_decode(buf_slice(&out), back, &n));
                assert_true(n == 1 && back[0] == byte);
                for (size_t i = 0; i < out.n; i++)
                        assert_true(out.p[i] > ' ' && out.p[i] < 0x7F);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verbs),          cmocka_unit_test(test_mail),
                cmocka_unit_test(test_values_of_mail), cmocka_unit_test(test_rcpt),
                cmocka_unit_test(test_xclient),        cmocka_unit_test(test_xtext_of_every_byte),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
