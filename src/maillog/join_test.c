/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/join.h"
#include "maillog/test_support.h"
#include "base/time.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <cmocka.h>

struct told {
        struct buf out;
        struct join_names names;
};

static void tell(void *arg, const struct message *m)
{
        struct told *t = arg;
        buf_addf(&t->out, "%.*s %.*s %.*s %llu", SLICE_ARGS(names_text(t->names.clients, m->client)),
                 SLICE_ARGS(names_text(t->names.logins, m->login)), SLICE_ARGS(names_text(t->names.senders, m->sender)),
                 (unsigned long long)m->size);
        const struct {
                const char *name;
                bool is;
        } flags[] = { { "arrived", m->arrived }, { "made", m->made },     { "again", m->again },
                      { "handed", m->handed },   { "closed", m->closed }, { "spam", m->spam } };
        for (size_t i = 0; i < COUNT_OF(flags); i++)
                if (flags[i].is)
                        buf_addf(&t->out, " %s", flags[i].name);
        buf_addf(&t->out, " sent=%u deferred=%u bounced=%u", m->sent, m->deferred, m->bounced);
        if (m->refused)
                buf_addf(&t->out, " (%s)", test_category_name(m->refused));
        buf_addc(&t->out, '\n');
}

/* Lines as "host program: text"; each a second later. Returns what was told, which the caller frees. */
static char *run(const char *const *lines, size_t n, uint32_t most, uint64_t *early)
{
        struct told t = { .names = { names_new(100), names_new(100), names_new(100) } };
        buf_init(&t.out, 1 << 20);
        struct join *j = join_new(most, t.names, (struct join_hooks){ .tell = tell, .arg = &t });
        struct batch_common common;
        struct syslog_clock clock;
        autobuf text;
        buf_init(&text, 1 << 20);
        for (size_t i = 0; i < n; i++)
                buf_addf(&text, "2026-11-28T13:%02zu:%02zuZ %s\n", i / 60, i % 60, lines[i]);
        syslog_clock_init(&clock, (struct syslog_zone){ 0 }, 0);
        batch_common_init(&common, test_categories()->all);
        struct batch *b = batch_new(&common);
        batch_take(b, buf_slice(&text));
        batch_read(b);
        batch_settle(b, &clock);
        assert_int_equal(b->sums.unknown + b->sums.broken, 0);
        for (size_t i = 0; i < b->n; i++)
                join_event(j, b, &b->v[i]);
        batch_free(b);
        batch_common_done(&common);
        join_end(j);
        *early = join_early(j);
        join_free(j);
        names_free(t.names.clients);
        names_free(t.names.logins);
        names_free(t.names.senders);
        return buf_take(&t.out);
}

static void check(const char *const *lines, size_t n, uint32_t most, const char *want)
{
        uint64_t early;
        autofree char *got = run(lines, n, most, &early);
        if (strcmp(got ? got : "", want) != 0)
                fail_msg("got\n%swant\n%s", got, want);
}

static void the_seed_is_one_message(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "mail1 postfix/smtpd[13109]: 46E0BAB8E5: client=mail.viatrafego.com.br[207.44.182.69]",
                "mail1 postfix/cleanup[11111]: 46E0BAB8E5: "
                "message-id=<20050804132547.B53974BB2ED@mail.viatrafego.com.br>",
                "mail1 postfix/qmgr[28827]: 46E0BAB8E5: from=<informativo@affinato120.com.br>, size=10127, nrcpt=1 "
                "(queue active)",
                "mail1 postfix/virus-filter[23105]: 46E0BAB8E5: crm=SPAM Sender=informativo@affinato120.com.br cid=0 "
                "rcpts=1",
                "mail1 postfix/pickup[21271]: 8BFA4ABD14: uid=501 from=<informativo@affinato120.com.br>",
                "mail1 postfix/cleanup[22078]: 8BFA4ABD14: "
                "message-id=<20050804132547.B53974BB2ED@mail.viatrafego.com.br>",
                "mail1 postfix/pipe[20218]: 46E0BAB8E5: to=<lbordignonn@click21.com.br>, relay=clamav, delay=2, "
                "status=sent (dummy)",
                "mail1 postfix/qmgr[28827]: 46E0BAB8E5: removed",
                "mail1 postfix/qmgr[28827]: 8BFA4ABD14: from=<informativo@affinato120.com.br>, size=10200, nrcpt=1 "
                "(queue active)",
                "mail1 postfix/virtual[1]: 8BFA4ABD14: to=<lbordignonn@click21.com.br>, relay=virtual, delay=0, "
                "dsn=2.0.0, status=sent (delivered to maildir)",
                "mail1 postfix/qmgr[28827]: 8BFA4ABD14: removed",
        };
        check(lines, COUNT_OF(lines), 0,
              "207.44.182.69  informativo@affinato120.com.br 10127 arrived handed closed spam sent=1 "
              "deferred=0 bounced=0\n"
              "207.44.182.69  informativo@affinato120.com.br 10200 arrived again closed sent=1 deferred=0 "
              "bounced=0\n");
}

static void ids_come_again(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "a postfix/smtpd: AAAAA: client=x[192.0.2.1]",
                "b postfix/smtpd: AAAAA: client=x[192.0.2.2]",
                "a postfix-out/smtpd: AAAAA: client=x[192.0.2.3], sasl_method=LOGIN, sasl_username=joe",
                "a postfix/qmgr: AAAAA: from=<s@x>, size=1, nrcpt=1 (queue active)",
                "a postfix/smtp: AAAAA: to=<r@y>, relay=y[203.0.113.1]:25, delay=1, dsn=4.0.0, status=deferred (host "
                "y[203.0.113.1] said: 450 later)",
                "a postfix/qmgr: AAAAA: from=<s@x>, size=1, nrcpt=1 (queue active)",
                "a postfix/smtp: AAAAA: to=<r@y>, relay=y[203.0.113.1]:25, delay=1, dsn=5.0.0, status=bounced (host "
                "y[203.0.113.1] said: 550 no)",
                "a postfix/qmgr: AAAAA: removed",
                "a postfix/smtpd: AAAAA: client=x[192.0.2.4]",
                "c postfix/qmgr: CCCCC: removed",
                "c postfix/smtp: DDDDD: to=<r@y>, relay=y[203.0.113.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)",
        };
        check(lines, COUNT_OF(lines), 0,
              "192.0.2.1  s@x 1 arrived closed sent=0 deferred=1 bounced=1\n"
              "192.0.2.2   0 arrived sent=0 deferred=0 bounced=0\n"
              "192.0.2.3 joe  0 arrived sent=0 deferred=0 bounced=0\n"
              "192.0.2.4   0 arrived sent=0 deferred=0 bounced=0\n"
              "   0 sent=1 deferred=0 bounced=0\n");
}

/* smtpd, cleanup and smtp under names of their own, as `-o myhostname` in master.cf has them; the other server's message is another. */
static void daemons_of_one_server_under_several_names(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "in.example postfix/smtpd: AAAAA: client=x[192.0.2.1]",
                "other postfix/smtpd: BBBBB: client=x[192.0.2.2]",
                "mx.example postfix/cleanup: AAAAA: message-id=<m@x>",
                "mx.example postfix/qmgr: AAAAA: from=<s@x>, size=1, nrcpt=1 (queue active)",
                "out.example postfix/smtp: AAAAA: to=<r@y>, relay=y[203.0.113.1]:25, delay=1, dsn=2.0.0, status=sent "
                "(250 ok)",
                "mx.example postfix/qmgr: AAAAA: removed",
                "other postfix/cleanup: BBBBB: message-id=<n@x>",
                "other postfix/qmgr: BBBBB: from=<t@x>, size=2, nrcpt=1 (queue active)",
        };
        check(lines, COUNT_OF(lines), 0,
              "192.0.2.1  s@x 1 arrived closed sent=1 deferred=0 bounced=0\n"
              "192.0.2.2  t@x 2 arrived sent=0 deferred=0 bounced=0\n");
}

static void the_oldest_gives_way(void **state)
{
        (void)state;
        char text[64][80];
        const char *lines[64];
        uint64_t early;
        for (size_t i = 0; i < 64; i++) {
                lines[i] = text[i];
                snprintf(text[i], sizeof text[i], "a postfix/qmgr: A%05zX: from=<%zu>, size=1, nrcpt=1 (queue active)",
                         i, i);
        }
        autofree char *got = run(lines, 64, 16, &early);
        assert_int_equal(early, 48);
        assert_true(strncmp(got, "  0 1 ", 6) == 0);
        size_t lines_told = 0;
        for (size_t i = 0; got[i]; i++)
                lines_told += got[i] == '\n';
        assert_int_equal(lines_told, 64);
}

/* A stranger who copies message-id and sender of another message is a message of his own. */
static void copies_from_outside_are_messages(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "a postfix/smtpd: AAAAA: client=x[192.0.2.1]",
                "a postfix/cleanup: AAAAA: message-id=<m@x>",
                "a postfix/qmgr: AAAAA: from=<s@x>, size=1, nrcpt=1 (queue active)",
                "a postfix/smtpd: BBBBB: client=y[192.0.2.2]",
                "a postfix/cleanup: BBBBB: message-id=<m@x>",
                "a postfix/qmgr: BBBBB: from=<s@x>, size=2, nrcpt=1 (queue active)",
                "a postfix/cleanup: BBBBC: milter-reject: END-OF-MESSAGE from y[192.0.2.2]: 5.7.1 Spam message "
                "rejected; from=<s@x> to=<t@x> proto=ESMTP helo=<y>",
                "a postfix/cleanup: BBBBB: milter-reject: END-OF-MESSAGE from y[192.0.2.2]: 5.7.1 Spam message "
                "rejected; from=<s@x> to=<t@x> proto=ESMTP helo=<y>",
        };
        check(lines, COUNT_OF(lines), 0,
              "192.0.2.2  s@x 2 arrived closed sent=0 deferred=0 bounced=0 (spam)\n"
              "192.0.2.1  s@x 1 arrived sent=0 deferred=0 bounced=0\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(the_seed_is_one_message), cmocka_unit_test(ids_come_again),
                                            cmocka_unit_test(daemons_of_one_server_under_several_names),
                                            cmocka_unit_test(the_oldest_gives_way),
                                            cmocka_unit_test(copies_from_outside_are_messages) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
