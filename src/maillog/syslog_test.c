/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/syslog.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char REFERENCE[] = "2027-01-02T00:00:00Z"; /* when the files of these tests were last written */

static int64_t at(const char *text)
{
        int64_t ret;
        assert_int_equal(time_parse(slice_of(text), TIME_FIRST_INSTANT, &ret), TIME_OK);
        return ret;
}

static void is(struct slice got, const char *want, const char *line)
{
        if (!slice_eq(got, slice_of(want)))
                fail_msg("%s: got %.*s, want %s", line, SLICE_ARGS(got), want);
}

static const struct {
        const char *line, *at, *host, *program, *text; /* at NULL: it is no line */
        uint32_t pid;
} known[] = {
        { "Dec 28 13:20:02 mx1 postfix/smtpd[99]: connect from a[192.0.2.1]", "2026-12-28T13:20:02Z", "mx1",
          "postfix/smtpd", "connect from a[192.0.2.1]", 99 },
        { "<22>Dec 28 13:20:02 mx1 postfix-out/smtp[4194304]: x", "2026-12-28T13:20:02Z", "mx1", "postfix-out/smtp",
          "x", 4194304 },
        { "Aug  4 08:28:49 mail1 postfix/qmgr[28827]: removed", "2026-08-04T08:28:49Z", "mail1", "postfix/qmgr",
          "removed", 28827 },
        { "Aug 4 08:28:49 mail1 postfix/qmgr[28827]: removed", "2026-08-04T08:28:49Z", "mail1", "postfix/qmgr",
          "removed", 28827 },
        { "2026-11-28T13:20:02.25-03:00 mx1 postfix/submission/smtpd[1]: hi\r", "2026-11-28T16:20:02.25Z", "mx1",
          "postfix/submission/smtpd", "hi", 1 },
        { "2026-11-28T13:20:02+0530 mx1 dovecot: imap-login: x", "2026-11-28T07:50:02Z", "mx1", "dovecot",
          "imap-login: x", 0 },
        { "<6>2026-11-28T13:20:02.123456Z h p:", "2026-11-28T13:20:02.123456Z", "h", "p", "", 0 },
        { "Dec 31 23:59:60 h p: leap", "2027-01-01T00:00:00Z", "h", "p", "leap", 0 },
        { "Feb 29 12:00:00 h p: x", "2024-02-29T12:00:00Z", "h", "p", "x", 0 },
        { "Dec 28 13:20:02 h postfix/smtpd[99]: [ID 197553 mail.info] connect from a[192.0.2.1]",
          "2026-12-28T13:20:02Z", "h", "postfix/smtpd", "connect from a[192.0.2.1]", 99 },
        { "Dec 28 13:20:02 h last message repeated 3 times", "2026-12-28T13:20:02Z", "h", "",
          "last message repeated 3 times", 0 },
        { "Dec 28 13:20:02 h p[12: x", "2026-12-28T13:20:02Z", "h", "", "p[12: x", 0 },
        { "2026-11-28 13:20:02 1vOuaX-000Jh1-2B Completed", "2026-11-28T13:20:02Z", "", "exim",
          "1vOuaX-000Jh1-2B Completed", 0 },
        { "2026-11-28 13:20:02.5 -0300 Start queue run: pid=7", "2026-11-28T16:20:02.5Z", "", "exim",
          "Start queue run: pid=7", 0 },
        { "Dec 28 13:20:02 imap-login: Info: Login: user=<a>", "2026-12-28T13:20:02Z", "", "dovecot",
          "imap-login: Info: Login: user=<a>", 0 },
        { "Dec 28 13:20:02 imap(joe)<7><x>: Info: Logged out", "2026-12-28T13:20:02Z", "", "dovecot",
          "imap(joe)<7><x>: Info: Logged out", 0 },
        { "Dec 28 13:20:02 auth dovecot: x", "2026-12-28T13:20:02Z", "auth", "dovecot", "x", 0 },
        { "2026-11-28 13:20:02-03:00 h p: x", "2026-11-28T16:20:02Z", "h", "p", "x", 0 },
        { "Dec 28 13:20:02.250000 h p[7]: x", "2026-12-28T13:20:02.25Z", "h", "p", "x",
          7 }, /* journalctl -o short-precise */
        { "<22>1 2026-11-28T13:20:02.5-03:00 h postfix/smtpd 7 - - connect from a", "2026-11-28T16:20:02.5Z", "h",
          "postfix/smtpd", "connect from a", 7 },
        { "<22>1 2026-11-28T13:20:02Z h p - ID1 [a@1 b=\"] \\\" ]\"][c]  \xef\xbb\xbfx", "2026-11-28T13:20:02Z", "h",
          "p", "\xef\xbb\xbfx", 0 },
        { "<22>1 2026-11-28T13:20:02Z h p 99999999999 - - \xef\xbb\xbfx", "2026-11-28T13:20:02Z", "h", "p", "x", 0 },
        { "<22>1 2026-11-28T13:20:02Z h p 7 - -", "2026-11-28T13:20:02Z", "h", "p", "", 7 },
        { "<22>1 2026-11-28T13:20:02Z h p 7 - [a", NULL, NULL, NULL, NULL, 0 },
        { "<22>1 2026-11-28T13:20:02Z h p 7 -", NULL, NULL, NULL, NULL, 0 },
        { "<22>1 2026-11-28T13:20:02Z h", NULL, NULL, NULL, NULL, 0 },
        { "<22>1 - h p 7 - - x", NULL, NULL, NULL, NULL, 0 },
        { "1 2026-11-28T13:20:02Z h p 7 - - x", NULL, NULL, NULL, NULL, 0 },
        { "", NULL, NULL, NULL, NULL, 0 },
        { "<", NULL, NULL, NULL, NULL, 0 },
        { "<192>Dec 28 13:20:02 h p: x", NULL, NULL, NULL, NULL, 0 },
        { "Dec 28 13:20:02", NULL, NULL, NULL, NULL, 0 },
        { "Dec 28 13:20:02 host", NULL, NULL, NULL, NULL, 0 },
        { "Dec 32 13:20:02 h p: x", NULL, NULL, NULL, NULL, 0 },
        { "Feb 30 13:20:02 h p: x", NULL, NULL, NULL, NULL, 0 },
        { "Dec 28 24:20:02 h p: x", NULL, NULL, NULL, NULL, 0 },
        { "2026-02-29T13:20:02Z h p: x", NULL, NULL, NULL, NULL, 0 },
        { "2026-11-28T13:20:02 h p: x", NULL, NULL, NULL, NULL, 0 },
        { "the half of a line", NULL, NULL, NULL, NULL, 0 },
};

static void lines(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(known); i++) {
                struct syslog_clock c;
                struct syslog_line l;
                size_t n = strlen(known[i].line);
                autofree char *exact = xmalloc(n + 1);
                memcpy(exact, known[i].line, n);
                syslog_clock_init(&c, (struct syslog_zone){ 0 }, at(REFERENCE));
                if (syslog_parse(&c, (struct slice){ exact, n }, &l) != (known[i].at != NULL))
                        fail_msg("%s: taken for the other kind", known[i].line);
                if (!known[i].at)
                        continue;
                assert_int_equal(l.at, at(known[i].at));
                assert_int_equal(l.pid, known[i].pid);
                is(l.host, known[i].host, known[i].line);
                is(l.program, known[i].program, known[i].line);
                is(l.text, known[i].text, known[i].line);
        }
}

/* Central Europe's end of summer time in 2026: 25 October, 3:00 becomes 2:00. */
static int64_t europe(void *arg, int64_t local, bool later)
{
        (void)arg;
        int64_t turn = 1792893600; /* 2026-10-25 01:00 UTC, as local time 02:00 */
        bool winter = local >= turn + 3600 || (local >= turn && later);
        return (local - (winter ? 3600 : 7200)) * SECOND;
}

static void order(void **state)
{
        (void)state;
        static const struct {
                const char *line, *at;
        } rows[] = {
                { "Oct 25 01:59:59", "2026-10-24T23:59:59Z" },           { "Oct 25 02:59:59", "2026-10-25T00:59:59Z" },
                { "Oct 25 02:00:00", "2026-10-25T01:00:00Z" },           { "Oct 25 02:00:01", "2026-10-25T01:00:01Z" },
                { "Oct 25 02:59:58", "2026-10-25T01:59:58Z" },           { "Oct 25 03:00:00", "2026-10-25T02:00:00Z" },
                { "2026-10-25T02:00:00+02:00", "2026-10-25T00:00:00Z" }, { "Oct 25 03:00:00", "2026-10-25T02:00:00Z" },
                { "2026-10-25 02:00:00", "2026-10-25T01:00:00Z" },       { "Dec 31 23:59:59", "2026-12-31T22:59:59Z" },
                { "Jan  1 00:00:00", "2026-12-31T23:00:00Z" },           { "Dec 31 23:59:58", "2026-12-31T22:59:58Z" },
                { "Jan  1 00:00:01", "2026-12-31T23:00:01Z" },
        };
        struct syslog_clock c;
        struct syslog_line l;
        syslog_clock_init(&c, (struct syslog_zone){ europe, NULL }, at(REFERENCE));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autofree char *line = xasprintf("%s h p: x\n", rows[i].line);
                assert_int_equal(syslog_next(&c, slice_of(line), &l), (int64_t)strlen(line));
                if (l.at != at(rows[i].at))
                        fail_msg("%s: got %lld, want %lld", line, (long long)l.at, (long long)at(rows[i].at));
        }
}

static void pieces(void **state)
{
        (void)state;
        struct syslog_clock c;
        struct syslog_line l;
        struct slice in = S("Dec 28 13:20:02 h p: x\nnonsense\nDec 28 13:20:03 h p: y");
        syslog_clock_init(&c, (struct syslog_zone){ 0 }, at(REFERENCE));
        assert_int_equal(syslog_next(&c, S(""), &l), SYSLOG_MORE);
        assert_int_equal(syslog_next(&c, in, &l), 23);
        in = slice_from(in, 23);
        assert_int_equal(syslog_next(&c, in, &l), -9);
        in = slice_from(in, 9);
        assert_int_equal(syslog_next(&c, in, &l), SYSLOG_MORE);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(order),
                                            cmocka_unit_test(pieces) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
