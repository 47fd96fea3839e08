/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void assert_slice(struct slice got, struct slice want)
{
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
}

/* Each cut of the frame asks for more; whole, all of it is taken; with a byte more inside it is none. */
static void assert_frame(const struct buf *b, bool question)
{
        static struct auth_reply r;
        struct auth_question q;
        struct slice whole = buf_slice(b);
        for (size_t n = 0; n <= whole.n; n++) {
                autofree char *end = xmalloc(n + 1); /* so that a sanitizer sees a byte read behind it */
                memcpy(end, whole.p, n);
                struct slice cut = { end, n };
                int64_t got = question ? auth_question_get(cut, &q) : auth_reply_get(cut, &r);
                assert_int_equal(got, n == whole.n ? (int64_t)n : 0);
        }
        autobuf longer;
        buf_init(&longer, 1 << 20);
        buf_add(&longer, whole);
        buf_addc(&longer, 'x');
        ipc_end(&longer, 0);
        assert_int_equal(question ? auth_question_get(buf_slice(&longer), &q) : auth_reply_get(buf_slice(&longer), &r),
                         -EBADMSG);
}

static void questions_come_back_as_they_were(void **unused)
{
        (void)unused;
        static const struct auth_question rows[] = {
                { .verb = AUTH_CHECK, .id = 7, .login = { "ana@example.net", 15 }, .password = { "a\0b", 3 } },
                { .verb = AUTH_CHECK, .id = INT64_MIN, .login = { "", 0 }, .password = { "", 0 } },
                { .verb = AUTH_DOMAIN, .id = -1, .domain = { "example.net", 11 } },
                { .verb = AUTH_SENDING, .id = 9, .mailbox = 42, .address = { "ana@example.net", 15 } },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct auth_question q;
                autobuf b;
                buf_init(&b, AUTH_QUESTION_MOST);
                auth_question_put(&b, &rows[i]);
                assert_false(b.full);
                assert_frame(&b, true);
                assert_int_equal(auth_question_get(buf_slice(&b), &q), b.n);
                assert_true(q.verb == rows[i].verb && q.id == rows[i].id);
                assert_slice(q.login, rows[i].login);
                assert_slice(q.password, rows[i].password);
                assert_slice(q.domain, rows[i].domain);
        }
}

static void the_longest_question_fits_and_a_longer_one_is_refused(void **unused)
{
        (void)unused;
        static char many[AUTH_PASSWORD_MOST + 1];
        struct auth_question q = { .verb = AUTH_CHECK,
                                   .login = { many, AUTH_LOGIN_MOST },
                                   .password = { many, AUTH_PASSWORD_MOST } };
        autobuf b;
        buf_init(&b, AUTH_QUESTION_MOST);
        auth_question_put(&b, &q);
        assert_true(!b.full && auth_question_get(buf_slice(&b), &q) == (int64_t)b.n);
        q.password.n++;
        auth_question_put(&b, &q);
        assert_true(b.full);
        buf_clear(&b);
        q.password.n--;
        q.login.n++;
        auth_question_put(&b, &q);
        assert_true(b.full);
        /* A length that is too great is refused before its bytes are there. */
        assert_int_equal(auth_question_get((struct slice){ "\0\1\0\0", 4 }, &q), -EBADMSG);
        assert_int_equal(auth_question_get((struct slice){ "\0\0\0\1", 4 }, &q), -EBADMSG);
}

static struct auth_reply reply, back;

static void answers_come_back_as_they_were(void **unused)
{
        (void)unused;
        autobuf b;
        buf_init(&b, AUTH_REPLY_MOST);
        reply = (struct auth_reply){ .verb = AUTH_CHECK,
                                     .id = 3,
                                     .verdict = AUTH_VERDICT_YES,
                                     .mailbox = 12,
                                     .address = S("ana@example.net"),
                                     .subscriber = S("10442"),
                                     .weak = S("word"),
                                     .suspended = true,
                                     .limits = { 10, AUTH_LIMIT_NONE, 0, 500 },
                                     .senders = { S("ana@example.net"), S("*@firm.example") },
                                     .n_senders = 2 };
        auth_reply_put(&b, &reply);
        assert_frame(&b, false);
        assert_int_equal(auth_reply_get(buf_slice(&b), &back), b.n);
        assert_true(back.id == 3 && back.verdict == AUTH_VERDICT_YES && back.mailbox == 12);
        assert_true(back.suspended && !back.application && !back.senders_cut && back.n_senders == 2);
        assert_slice(back.address, reply.address);
        assert_slice(back.subscriber, reply.subscriber);
        assert_slice(back.weak, reply.weak);
        assert_memory_equal(back.limits, reply.limits, sizeof reply.limits);
        assert_slice(back.senders[1], reply.senders[1]);
        for (int verdict = 0; verdict < AUTH_VERDICT_COUNT; verdict++) {
                buf_clear(&b);
                auth_reply_put(
                    &b, &(struct auth_reply){ .verb = AUTH_DOMAIN, .id = 4, .verdict = (enum auth_verdict)verdict });
                assert_frame(&b, false);
                assert_int_equal(auth_reply_get(buf_slice(&b), &back), b.n);
                assert_true(back.verb == AUTH_DOMAIN && (int)back.verdict == verdict && back.n_senders == 0);
        }
}

static void more_senders_than_fit_are_cut(void **unused)
{
        (void)unused;
        static char local[254];
        autobuf b;
        buf_init(&b, 1 << 20);
        memset(local, 'x', sizeof local);
        reply = (struct auth_reply){ .verb = AUTH_CHECK,
                                     .verdict = AUTH_VERDICT_YES,
                                     .mailbox = 1,
                                     .address = S("a@example.net"),
                                     .n_senders = AUTH_SENDERS_MOST };
        for (size_t i = 0; i < AUTH_SENDERS_MOST; i++)
                reply.senders[i] = (struct slice){ local, sizeof local };
        auth_reply_put(&b, &reply);
        assert_true(b.n <= AUTH_REPLY_MOST && b.n > AUTH_REPLY_MOST - sizeof local - 5);
        assert_int_equal(auth_reply_get(buf_slice(&b), &back), b.n);
        assert_true(back.senders_cut && back.n_senders > 200 && back.n_senders < AUTH_SENDERS_MOST);
}

static void what_is_no_answer_is_refused(void **unused)
{
        (void)unused;
        static const struct {
                int64_t mailbox, limit, suspended, senders;
                bool good;
        } rows[] = { { 1, 5, 0, 0, true },  { 0, 5, 0, 0, false },  { 1, -2, 0, 0, false },     { 1, 5, 2, 0, false },
                     { 1, 5, 0, 1, false }, { 1, 5, 0, -1, false }, { 1, 5, 0, 1 << 20, false } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autobuf b;
                buf_init(&b, 4096);
                ipc_begin(&b, AUTH_CHECK);
                const int64_t head[] = { 9, AUTH_VERDICT_YES, rows[i].mailbox };
                for (size_t k = 0; k < COUNT_OF(head); k++)
                        ipc_put_int(&b, head[k]);
                const struct slice texts[] = { S("a@example.net"), S("1"), S("") };
                for (size_t k = 0; k < COUNT_OF(texts); k++)
                        ipc_put_text(&b, texts[k]);
                const int64_t rest[] = { rows[i].suspended, 0, rows[i].limit, 0, 0, 0, 0, rows[i].senders };
                for (size_t k = 0; k < COUNT_OF(rest); k++)
                        ipc_put_int(&b, rest[k]);
                ipc_end(&b, 0);
                assert_int_equal(auth_reply_get(buf_slice(&b), &back), rows[i].good ? (int64_t)b.n : -EBADMSG);
        }
}

static void as_whom_he_may_write(void **unused)
{
        (void)unused;
        static const struct slice senders[] = { { "ana@example.net", 15 }, { "*@firm.example", 14 } };
        static const struct {
                struct slice address;
                bool may;
        } rows[] = {
                { S("ana@example.net"), true },   { S("Ana@EXAMPLE.net"), true },    { S("eva@example.net"), false },
                { S("x@firm.example"), true },    { S("X@Firm.Example"), true },     { S("@firm.example"), false },
                { S("x@a.firm.example"), false }, { S("x@notfirm.example"), false }, { S(""), false },
                { S("*@firm.example"), true }
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (auth_may_write_as(senders, COUNT_OF(senders), rows[i].address) != rows[i].may)
                        fail_msg("%.*s: %s", SLICE_ARGS(rows[i].address), rows[i].may ? "refused" : "taken");
        assert_false(auth_may_write_as(NULL, 0, S("ana@example.net")));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(questions_come_back_as_they_were),
                                            cmocka_unit_test(the_longest_question_fits_and_a_longer_one_is_refused),
                                            cmocka_unit_test(answers_come_back_as_they_were),
                                            cmocka_unit_test(more_senders_than_fit_are_cut),
                                            cmocka_unit_test(what_is_no_answer_is_refused),
                                            cmocka_unit_test(as_whom_he_may_write) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
