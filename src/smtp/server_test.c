/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the talks cannot show: time, memory, answers that come too late. */
#include "smtp/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct smtp_rules rules = { .host = S("mx.example.net.br"),
                                         .offers = SMTP_EXT_PIPELINING | SMTP_EXT_AUTH | SMTP_EXT_STARTTLS,
                                         .auth_without_tls = true,
                                         .command_wait = 5 * MINUTE,
                                         .data_wait = 3 * MINUTE,
                                         .conversation_wait = HOUR };

static enum smtp_on next(struct smtp_server *s, struct slice *in, struct buf *out, struct smtp_event *e)
{
        return smtp_server_next(s, 0, in, out, e);
}

static void begin(struct smtp_server *s, struct buf *out)
{
        buf_init(out, 1 << 16);
        smtp_server_init(s, &rules, 1, 0);
        smtp_server_greet(s, 0, NULL, out);
}

/* Up to the question that `text` ends in. */
static enum smtp_on ask(struct smtp_server *s, struct slice text, struct buf *out, struct smtp_event *e)
{
        enum smtp_on on = SMTP_ON_NOTHING, last;
        while ((last = next(s, &text, out, e)) != SMTP_ON_NOTHING) {
                on = last;
                if (!text.n)
                        break;
                smtp_server_answer(s, 0, NULL, out);
        }
        return on;
}

static void test_nothing_is_kept_while_idle(void **state)
{
        (void)state;
        static const char *const pieces[] = { "EHLO cli", "ent\r", "\nAUTH PL", "AIN AG1hcmlhAHMzY3JldA==\r\nNO",
                                              "OP\r\n" };
        struct a_talk t;
        for (enum a_way way = 0; way < WAYS; way++) {
                a_talk_init(&t, &rules, way);
                smtp_server_greet(&t.server, t.now, NULL, &t.out);
                for (size_t i = 0; i < COUNT_OF(pieces); i++)
                        a_talk_feed(&t, slice_of(pieces[i]));
                assert_true(t.server.authenticated);
                assert_null(t.server.held);
                assert_null(t.server.sasl);
                assert_null(t.server.line.part);
                a_talk_done(&t);
        }
}

/* The client went, or we stopped, while a password was checked: the late answer says nothing any more. */
static void test_late_answers(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                enum smtp_on on;
        } rows[] = {
                { "EHLO x\r\n", SMTP_ON_HELO },
                { "EHLO x\r\nAUTH LOGIN bWFyaWE=\r\n", SMTP_ON_LOGIN },
                { "EHLO x\r\nAUTH LOGIN bWFyaWE=\r\nczNjcmV0\r\n", SMTP_ON_AUTH },
                { "EHLO x\r\nMAIL FROM:<>\r\n", SMTP_ON_MAIL },
                { "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\n", SMTP_ON_RCPT },
                { "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n", SMTP_ON_DATA },
                { "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n.\r\n", SMTP_ON_END },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                for (int how = 0; how < 2; how++) {
                        struct smtp_server s;
                        struct smtp_event e;
                        struct slice none = S("");
                        struct buf out;
                        begin(&s, &out);
                        assert_int_equal(ask(&s, slice_of(rows[i].text), &out, &e), rows[i].on);
                        assert_true(s.deadline == TIME_NEVER && !smtp_server_wants_input(&s));
                        buf_clear(&out);
                        if (how)
                                smtp_server_timeout(&s, &out);
                        else
                                smtp_server_stop(&s, &out);
                        size_t said = out.n;
                        assert_true(slice_starts(buf_slice(&out), S("421 ")));
                        smtp_server_answer(&s, 0, NULL, &out);
                        assert_int_equal(out.n, said);
                        assert_int_equal(next(&s, &none, &out, &e), SMTP_ON_CLOSE);
                        assert_int_equal(e.why, how ? SMTP_WHY_TIMEOUT : SMTP_WHY_SHUTDOWN);
                        assert_int_equal(next(&s, &none, &out, &e), SMTP_ON_NOTHING);
                        assert_true(!s.mail && !s.rcpts && !s.authenticated && !s.sasl);
                        smtp_server_done(&s);
                        buf_done(&out);
                }
}

static void test_held_input_is_bounded(void **state)
{
        (void)state;
        static char noise[SMTP_HELD_MOST + 1];
        for (size_t more = 0; more < 2; more++) {
                struct smtp_server s;
                struct smtp_event e;
                struct slice in = { noise, SMTP_HELD_MOST + more };
                struct buf out;
                begin(&s, &out);
                ask(&s, S("EHLO x\r\n"), &out, &e);
                smtp_server_hold(&s, &in);
                assert_int_equal(s.state == SMTP_CLOSED, more);
                if (!more)
                        assert_false(smtp_server_wants_input(&s));
                smtp_server_done(&s);
                buf_done(&out);
        }
}

static void test_deadlines(void **state)
{
        (void)state;
        struct smtp_server s;
        struct smtp_event e;
        struct buf out;
        begin(&s, &out);
        assert_int_equal(s.deadline, 5 * MINUTE);
        struct slice half = S("EHL"), rest = S("O x\r\n"), noop = S("NOOP\r\n");
        smtp_server_next(&s, 2 * MINUTE, &half, &out, &e);
        assert_int_equal(s.deadline, 5 * MINUTE); /* half a command buys no time */
        assert_int_equal(smtp_server_next(&s, 4 * MINUTE, &rest, &out, &e), SMTP_ON_HELO);
        assert_true(s.deadline == TIME_NEVER);
        smtp_server_answer(&s, 6 * MINUTE, NULL, &out);
        assert_int_equal(s.deadline, 11 * MINUTE);
        smtp_server_next(&s, 58 * MINUTE, &noop, &out, &e);
        assert_int_equal(s.deadline, HOUR); /* the whole conversation has an end, too */
        smtp_server_done(&s);
        buf_done(&out);
}

/* After the handshake nothing is left of what was said in clear. */
static void test_tls_forgets(void **state)
{
        (void)state;
        struct smtp_server s;
        struct smtp_event e;
        struct buf out;
        begin(&s, &out);
        ask(&s, S("EHLO x\r\nAUTH PLAIN AG1hcmlhAHMzY3JldA==\r\nNOOP\r\n"), &out, &e);
        assert_true(s.authenticated);
        struct slice starttls = S("STARTTLS\r\n"), mail = S("MAIL FROM:<>\r\n");
        assert_int_equal(next(&s, &starttls, &out, &e), SMTP_ON_TLS);
        assert_false(smtp_server_wants_input(&s));
        smtp_server_tls(&s, 0, true);
        assert_true(s.tls && !s.authenticated && !s.esmtp && s.state == SMTP_FRESH);
        buf_clear(&out);
        assert_int_equal(next(&s, &mail, &out, &e), SMTP_ON_NOTHING);
        assert_true(slice_starts(buf_slice(&out), S("503 ")));
        smtp_server_done(&s);
        buf_done(&out);
}

/* A driver that had read on before it saw the event gets no command through the handshake either. */
static void test_nothing_is_held_through_a_handshake(void **state)
{
        (void)state;
        struct smtp_server s;
        struct smtp_event e;
        struct buf out;
        begin(&s, &out);
        ask(&s, S("EHLO x\r\nNOOP\r\n"), &out, &e);
        struct slice starttls = S("STARTTLS\r\n"), mail = S("MAIL FROM:<>\r\n"), none = S("");
        assert_int_equal(next(&s, &starttls, &out, &e), SMTP_ON_TLS);
        smtp_server_hold(&s, &mail);
        smtp_server_tls(&s, 0, true);
        assert_int_equal(next(&s, &none, &out, &e), SMTP_ON_CLOSE);
        assert_int_equal(e.why, SMTP_WHY_INJECTED);
        smtp_server_done(&s);
        buf_done(&out);
}

/* A refusal that is no mistake of the client does not count, and a message taken begins the count anew. */
static void test_what_counts_as_an_error(void **state)
{
        (void)state;
        struct smtp_rules strict = rules;
        struct a_talk t;
        strict.errors_most = 2;
        a_talk_init(&t, &strict, AT_ONCE);
        smtp_server_greet(&t.server, t.now, NULL, &t.out);
        a_talk_feed(&t, S("EHLO x\r\nMAIL FROM:<later@example.com>\r\nMAIL FROM:<later@example.com>\r\nFROB\r\n"));
        assert_int_equal(t.server.errors, 1);
        a_talk_feed(&t, S("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nx\r\n.\r\n"));
        assert_int_equal(t.server.errors, 0);
        a_talk_feed(&t, S("FROB\r\nFROB\r\n"));
        assert_int_equal(t.server.state, SMTP_CLOSED);
        a_talk_done(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_kept_while_idle),
                cmocka_unit_test(test_late_answers),
                cmocka_unit_test(test_held_input_is_bounded),
                cmocka_unit_test(test_deadlines),
                cmocka_unit_test(test_tls_forgets),
                cmocka_unit_test(test_nothing_is_held_through_a_handshake),
                cmocka_unit_test(test_what_counts_as_an_error),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
