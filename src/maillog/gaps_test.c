/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/gaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void what_loggers_say(void **state)
{
        (void)state;
        static const struct {
                const char *program, *text;
                uint64_t missing;
        } rows[] = {
                { "rsyslogd-2177", "imuxsock lost 516 messages from pid 159386 due to rate-limiting", 516 },
                { "rsyslogd", "imjournal: 406 messages lost due to rate-limiting", 406 },
                { "systemd-journald", "Suppressed 97 messages from postfix@-.service", 97 },
                { "journal", "Suppressed 7124 messages from /system.slice/postfix.service", 7124 },
                { "rsyslogd", "imjournal: begin to drop messages due to rate-limiting", 0 },
                { "postfix/smtpd", "Suppressed 97 messages from x", 0 },
                { "rsyslogd", "imuxsock lost many messages from pid 1", 0 },
                { "", "", 0 },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (gaps_told(slice_of(rows[i].program), slice_of(rows[i].text)) != rows[i].missing)
                        fail_msg("%s: %s", rows[i].program, rows[i].text);
}

static void what_they_write_once(void **state)
{
        (void)state;
        static const struct {
                const char *text, *said;
                uint64_t times;
        } rows[] = {
                { "message repeated 3 times: [ connect from x[192.0.2.1]]", "connect from x[192.0.2.1]", 3 },
                { "last message repeated 2 times", "", 2 },
                { "message repeated 99999999 times: [ x]", "x", REPEATS_MOST },
                { "message repeated 0 times: [ x]", "message repeated 0 times: [ x]", 1 },
                { "message repeated 2 times: x", "message repeated 2 times: x", 1 },
                { "last message repeated 2 times: [ x]", "last message repeated 2 times: [ x]", 1 },
                { "connect from x", "connect from x", 1 },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice text = slice_of(rows[i].text);
                assert_int_equal(gaps_repeated(&text), rows[i].times);
                if (!slice_eq(text, slice_of(rows[i].said)))
                        fail_msg("%s", rows[i].text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(what_loggers_say),
                                            cmocka_unit_test(what_they_write_once) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
