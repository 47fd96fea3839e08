/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines that servers wrote, from tests/maillog/NAME.facts: a line, then, indented, the event that it is. */
#include "maillog/parse.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Each line stands alone in memory, so that whatever reads past its end is seen. */
static void check(enum mail_daemon daemon, struct slice line, struct slice want)
{
        autofree char *exact = slice_dup(line);
        autobuf got;
        buf_init(&got, 65536);
        struct mail_event e;
        mail_parse(daemon, (struct slice){ exact, line.n }, &e);
        assert_int_equal(e.daemon, daemon);
        mail_event_print(&e, &got);
        if (!slice_eq(buf_slice(&got), want))
                fail_msg("%s\n  got  %s\n  want %.*s", exact, buf_cstr(&got), SLICE_ARGS(want));
}

static void facts(const char *path, enum mail_daemon daemon, size_t least)
{
        autobuf text;
        buf_init(&text, 1 << 20);
        assert_int_equal(file_read(path, &text), 0);
        struct slice rest = buf_slice(&text), before = { 0 };
        size_t n = 0;
        while (rest.n) {
                struct slice line = slice_cut(rest, '\n', &rest);
                if (slice_starts(line, S("#")))
                        continue;
                if (slice_starts(line, S("    "))) {
                        check(daemon, before, slice_from(line, 4));
                        n++;
                }
                before = line;
        }
        assert_true(n >= least);
}

static void exim(void **state)
{
        (void)state;
        facts("tests/maillog/exim.facts", MAIL_BY_EXIM, 180);
}

static void dovecot(void **state)
{
        (void)state;
        facts("tests/maillog/dovecot.facts", MAIL_BY_DOVECOT, 35);
}

static void programs(void **state)
{
        (void)state;
        static const struct {
                const char *program;
                enum mail_daemon daemon;
                const char *instance;
        } rows[] = { { "exim", MAIL_BY_EXIM, "" },
                     { "exim4", MAIL_BY_EXIM, "" },
                     { "dovecot", MAIL_BY_DOVECOT, "" },
                     { "postfix/exim", MAIL_BY_NONE, "postfix" },
                     { "postfix/dovecot", MAIL_BY_NONE, "postfix" },
                     { "postfix/smtpd", MAIL_BY_SMTPD, "postfix" },
                     { "out/submission/smtpd", MAIL_BY_SMTPD, "out" },
                     { "postfix/virus-filter", MAIL_BY_VIRUS_FILTER, "postfix" },
                     { "smtpd", MAIL_BY_NONE, "" },
                     { "exim/smtpd", MAIL_BY_SMTPD, "exim" },
                     { "exim3", MAIL_BY_NONE, "" },
                     { "", MAIL_BY_NONE, "" } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice instance = S("");
                assert_int_equal(mail_daemon_of(slice_of(rows[i].program), &instance), rows[i].daemon);
                assert_true(slice_eq(instance, slice_of(rows[i].instance)));
        }
}

static void each_server_its_own(void **state)
{
        (void)state;
        check(MAIL_BY_QMGR, S("46E0BAB8E5: removed"), S("removed id=46E0BAB8E5"));
        check(MAIL_BY_EXIM, S("1xXK11-00042C-1E Completed"), S("removed id=1xXK11-00042C-1E"));
        check(MAIL_BY_DOVECOT, S("1xXK11-00042C-1E Completed"), S("unknown text=1xXK11-00042C-1E Completed"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(exim), cmocka_unit_test(dovecot),
                                            cmocka_unit_test(programs), cmocka_unit_test(each_server_its_own) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
