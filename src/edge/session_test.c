/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole conversations with a worker in memory, and the ways they can end in the middle of something. */
#include "edge/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>

static int setup(void **state)
{
        struct a_worker *t = xcalloc(1, sizeof *t);
        a_worker_open(t, NULL);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct a_worker *t = *state;
        a_worker_close(t);
        free(t);
        return 0;
}

/* Says `text`, and the last line of what comes must begin with `want`. */
#define assert_reply(t, fd, text, want) assert_reply_at(t, fd, text, want, __LINE__)
static void assert_reply_at(struct a_worker *t, int fd, const char *text, const char *want, int line)
{
        autobuf got;
        buf_init(&got, A_TEXT);
        if (text)
                a_worker_send(t, fd, slice_of(text));
        a_worker_hear(t, fd, &got);
        size_t at = got.n > 2 ? got.n - 2 : 0;
        while (at > 0 && got.p[at - 1] != '\n')
                at--;
        if (!slice_starts(slice_from(buf_slice(&got), at), slice_of(want)))
                fail_msg("line %d: got \"%s\", want %s", line, buf_cstr(&got), want);
}

/* "\0ana@example.net\0s3cret" and the like, as RFC 4616 has it. */
#define RIGHT "AUTH PLAIN AGFuYUBleGFtcGxlLm5ldABzM2NyZXQ=\r\n"
#define WRONG "AUTH PLAIN AGFuYUBleGFtcGxlLm5ldABub3Q=\r\n"
#define LATER "AUTH PLAIN AGFuYUBleGFtcGxlLm5ldABsYXRlcg==\r\n"
#define FOREIGN "AUTH PLAIN AGFuYUBvdGhlci5leGFtcGxlAHMzY3JldA==\r\n"
#define MESSAGE "From: <ana@example.net>\r\nSubject: x\r\n\r\nHello\r\n.\r\n"

static int logged_in(struct a_worker *t)
{
        int fd = a_worker_dial(t, EDGE_DIVERT);
        assert_reply(t, fd, NULL, "220 ");
        assert_reply(t, fd, "EHLO pc.example\r\n", "250 ");
        assert_reply(t, fd, RIGHT, "235 ");
        return fd;
}

static void mail_goes_to_the_mta(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = logged_in(t);
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\n", "250 ");
        assert_reply(t, fd, "RCPT TO:<rui@example.org>\r\n", "250 ");
        assert_reply(t, fd, "DATA\r\n", "354 ");
        assert_reply(t, fd, MESSAGE, "250 2.0.0 Queued as 1");
        assert_int_equal(t->mta.messages, 1);
        assert_non_null(strstr(buf_cstr(&t->mta.message), "\r\nSubject: x\r\nDate: "));
        assert_non_null(strstr(buf_cstr(&t->mta.heard), "LOGIN=ana@example.net"));
        assert_reply(t, fd, "QUIT\r\n", "221 ");
}

/* His password was stolen, and is used in a conversation that is open already. */
static void a_suspension_does_not_wait_for_the_end(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = logged_in(t);
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\nRCPT TO:<rui@example.org>\r\nDATA\r\n", "354 ");
        assert_reply(t, fd, MESSAGE, "250 ");
        t->auth.suspended = true;
        usleep(10000);
        assert_true(t->w.sessions->account->seen > 0);
        t->w.sessions->account->seen = 1; /* long ago */
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\n", "250 ");
        assert_reply(t, fd, "RCPT TO:<rui@example.org>\r\n", "550 5.7.1 Sending is suspended");
        assert_reply(t, fd, "RSET\r\n", "250 ");
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\n", "550 5.7.1 Sending is suspended");
        assert_int_equal(t->mta.messages, 1);
}

static void all_at_once_is_the_same(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = logged_in(t);
        assert_reply(
            t, fd, "MAIL FROM:<ana@example.net>\r\nRCPT TO:<rui@example.org>\r\nRCPT TO:<eva@example.org>\r\nDATA\r\n",
            "354 ");
        assert_reply(t, fd, MESSAGE "MAIL FROM:<ana@example.net>\r\nRCPT TO:<rui@example.org>\r\nDATA\r\n", "354 ");
        assert_reply(t, fd, MESSAGE "QUIT\r\n", "221 ");
        assert_int_equal(t->mta.messages, 2);
        assert_int_equal(t->mta.server.accepted, 1);
}

static void logins_are_answered(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = a_worker_dial(t, EDGE_DIVERT);
        assert_reply(t, fd, "EHLO pc.example\r\n", "250 ");
        assert_reply(t, fd, WRONG, "535 ");
        assert_reply(t, fd, LATER, "454 ");
        assert_reply(t, fd, FOREIGN, "535 5.7.8 This server is for customers of your access provider");
        assert_int_equal(t->auth.checks, 2); /* another provider's secret is sent nowhere */
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\n", "530 ");
        assert_reply(t, fd, RIGHT, "235 ");
        assert_reply(t, fd, "MAIL FROM:<eva@example.net>\r\n", "553 ");
}

/* The domain is known from the login before, so the password is the only question that is open. */
static void a_client_may_go_while_his_password_is_checked(void **state)
{
        struct a_worker *t = *state;
        int first = logged_in(t), fd = a_worker_dial(t, EDGE_DIVERT);
        close(first);
        t->auth.holds = true;
        assert_reply(t, fd, "EHLO pc.example\r\n", "250 ");
        a_worker_send(t, fd, S(WRONG));
        assert_int_equal(t->auth.n_held, 1);
        close(fd);
        settle(t->w.loop);
        assert_int_equal(t->w.n_sessions, 0);
        a_auth_release(&t->auth);
        settle(t->w.loop);
        assert_int_equal(t->w.n_sessions, 0);
}

/* An MTA that was found dead is left alone for a second. */
static void anew(struct a_worker *t)
{
        a_worker_close(t);
        a_worker_open(t, NULL);
}

static void a_client_may_go_at_any_step(void **state)
{
        static const char *const steps[] = { "EHLO pc.example\r\n",
                                             RIGHT,
                                             "MAIL FROM:<ana@example.net>\r\n",
                                             "RCPT TO:<rui@example.org>\r\n",
                                             "DATA\r\n",
                                             "From: <ana@example.net>\r\n\r\n",
                                             "Hello\r\n",
                                             ".\r\n" };
        static const char *const mute[] = { NULL, "GREETING", "EHLO", "XCLIENT", "MAIL", "RCPT", "DATA", "." };
        struct a_worker *t = *state;
        for (size_t m = 0; m < COUNT_OF(mute); m++)
                for (size_t n = 0; n <= COUNT_OF(steps); n++) {
                        anew(t);
                        t->mta.mute_at = mute[m];
                        int fd = a_worker_dial(t, EDGE_DIVERT);
                        for (size_t i = 0; i < n; i++)
                                a_worker_send(t, fd, slice_of(steps[i]));
                        close(fd);
                        settle(t->w.loop);
                        a_server_hang_up(&t->mta.server); /* who sent more than he was answered is missed only then */
                        settle(t->w.loop);
                        if (t->w.n_sessions || hops_counts(t->w.hops).lent)
                                fail_msg("silent at %s, gone after %zu steps", mute[m], n);
                }
}

static void an_mta_may_die_at_any_step(void **state)
{
        static const char *const steps[] = { "GREETING", "EHLO", "XCLIENT", "MAIL", "RCPT", "DATA", "." };
        struct a_worker *t = *state;
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
                autobuf got;
                buf_init(&got, A_TEXT);
                anew(t);
                t->mta.dies_at = steps[i];
                int fd = logged_in(t);
                a_worker_send(t, fd, S("MAIL FROM:<ana@example.net>\r\nRCPT TO:<rui@example.org>\r\nDATA\r\n"));
                a_worker_send(t, fd, S(MESSAGE));
                a_worker_hear(t, fd, &got);
                if (strstr(buf_cstr(&got), "Queued") || !strstr(buf_cstr(&got), "4.4.1"))
                        fail_msg("it died at %s: %s", steps[i], buf_cstr(&got));
                close(fd);
                bool heard = i + 1 == COUNT_OF(steps); /* the end of the message */
                assert_int_equal(t->mta.messages, heard);
                assert_int_equal(t->w.n.messages_unsure, heard);
        }
}

/* The connection to the client breaks as the answer to STARTTLS is written. */
static void a_client_may_go_at_starttls(void **state)
{
        struct a_worker *t = *state;
        a_worker_close(t);
        a_worker_open(t, a_certificate("mail.example.net"));
        for (int i = 0; i < 2; i++) {
                int fd = a_worker_dial(t, EDGE_SUBMISSION);
                settle(t->w.loop);
                ssize_t n = send(fd, "EHLO pc.example\r\nSTARTTLS\r\n", 27, MSG_NOSIGNAL);
                assert_int_equal(n, 27);
                if (i)
                        shutdown(fd, SHUT_RD); /* we hear him, he hears nothing more */
                else
                        close(fd);
                settle(t->w.loop);
                if (i)
                        close(fd);
                settle(t->w.loop);
                assert_int_equal(t->w.n_sessions, 0);
        }
}

/* Whoever sends commands and reads no answer is cut off when he cost 256 kB. */
static void who_never_reads_is_cut_off(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = a_worker_dial(t, EDGE_DIVERT);
        autobuf many;
        buf_init(&many, A_TEXT);
        for (int i = 0; i < 900; i++)
                buf_adds(&many, "EHLO pc.example\r\n");
        a_worker_send(t, fd, buf_slice(&many));
        assert_int_equal(t->w.n_sessions, 0);
}

static void a_dated_exception_ends_at_its_date(void **state)
{
        struct a_worker *t = *state;
        autoclose int before = a_worker_dial(t, EDGE_DIVERT);
        assert_reply(t, before, "EHLO pc.example\r\n", "250 ");
        t->w.policy->edge.plain_auth_until = worker_now();
        settle_for(t->w.loop, DRIP_TICK + 100000);
        assert_reply(t, before, RIGHT, "538 "); /* also who was there already */
        autoclose int after = a_worker_dial(t, EDGE_DIVERT);
        assert_reply(t, after, "EHLO pc.example\r\n", "250 ");
        assert_reply(t, after, RIGHT, "538 ");
        assert_int_equal(t->auth.asked, 0);
}

static void a_refused_data_gives_the_connection_back(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = logged_in(t);
        t->mta.verb = "DATA";
        t->mta.reply = "451 4.3.0 Not now\r\n";
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\n", "250 ");
        assert_reply(t, fd, "RCPT TO:<rui@example.org>\r\n", "250 ");
        assert_reply(t, fd, "DATA\r\n", "451 4.3.0 Not now");
        assert_int_equal(hops_counts(t->w.hops).lent, 0);
        assert_int_equal(hops_counts(t->w.hops).idle, 1);
        assert_reply(t, fd, "RCPT TO:<rui@example.org>\r\n", "503 ");
        t->mta.verb = NULL;
        assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\nRCPT TO:<rui@example.org>\r\nDATA\r\n", "354 ");
        assert_reply(t, fd, MESSAGE, "250 2.0.0 Queued");
}

static void a_message_that_is_not_his_ends_nowhere(void **state)
{
        static const struct {
                const char *message, *want;
        } rows[] = {
                { "From: <eva@example.net>\r\n\r\nHello\r\n.\r\n", "550 5.7.1 The From (or Sender) address" },
                { "Subject: x\r\n\r\nHello\r\n.\r\n", "550 5.6.0 The message has no From" },
                { "From: <ana@example.net>\r\nFrom: <eva@example.net>\r\n\r\n.\r\n", "550 5.6.0 " },
                { "From: <ana@example.net>\r\n\r\nbare\nlf\r\n.\r\n", "554 5.6.0 " },
                { ".\r\n", "550 5.6.0 " },
        };
        struct a_worker *t = *state;
        autoclose int fd = logged_in(t);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                assert_reply(t, fd, "MAIL FROM:<ana@example.net>\r\nRCPT TO:<rui@example.org>\r\nDATA\r\n", "354 ");
                assert_reply(t, fd, rows[i].message, rows[i].want);
        }
        assert_int_equal(t->mta.messages, 0);
        assert_int_equal(hops_counts(t->w.hops).lent, 0);
}

/* One reply is written to a client that is gone or full while another is being told to stop. */
static void all_may_be_told_to_stop(void **state)
{
        struct a_worker *t = *state;
        int fds[4];
        for (size_t i = 0; i < COUNT_OF(fds); i++) {
                fds[i] = logged_in(t);
                assert_reply(t, fds[i], "MAIL FROM:<ana@example.net>\r\n", "250 ");
                t->mta.mute_at = "RCPT";
                a_worker_send(t, fds[i], S("RCPT TO:<rui@example.org>\r\n"));
        }
        close(fds[1]);
        a_server_close(&t->mta.server);
        for (struct session *s = t->w.sessions, *next; s; s = next) {
                next = s->next;
                session_stop(s);
        }
        for (size_t i = 0; i < COUNT_OF(fds); i++)
                if (i != 1)
                        close(fds[i]);
        settle(t->w.loop);
        assert_int_equal(t->w.n_sessions, 0);
}

/* Five wrong ones are typos and one is slowed down; twenty in an hour from one network are no longer looked at. */
static void who_guesses_waits_and_is_shut_out(void **state)
{
        struct a_worker *t = *state;
        autobuf got;
        size_t slow = 0;
        buf_init(&got, A_TEXT);
        for (int i = 0; i < 40; i++) {
                char name[32], coded[64], line[96];
                int n = snprintf(name, sizeof name, "%cana@example.net%cguess-%d", 0, 0, i);
                EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)name, n);
                snprintf(line, sizeof line, "EHLO pc.example\r\nAUTH PLAIN %s\r\n", coded);
                int fd = a_worker_dial(t, EDGE_DIVERT);
                a_worker_send(t, fd, slice_of(line));
                a_worker_hear(t, fd, &got);
                bool refused = strstr(buf_cstr(&got), "421 4.7.0 Too many wrong passwords");
                slow += !refused && !strstr(buf_cstr(&got), "\r\n535 ");
                close(fd); /* who is slowed down may go, too */
                settle(t->w.loop);
                assert_int_equal(t->w.n_sessions, 0);
                if (refused)
                        break;
        }
        assert_true(slow > 0);
        assert_true(t->auth.checks >= 20 && t->auth.checks < 40);
        assert_non_null(strstr(buf_cstr(&got), "421 4.7.0 "));
        for (int i = 0; i < 100 && !facts_quiet(t->w.facts); i++)
                settle_for(t->w.loop, 10000);
        assert_true(t->w.n.login_failures > 0);
}

/* --- what stays in memory --- */

/* How often the bytes stand in what this process can write. `backwards`, so that the search itself does not hold them. */
static size_t found_in_memory(const char *backwards)
{
        size_t n = strlen(backwards), found = 0;
        char line[512];
        FILE *maps = fopen("/proc/self/maps", "r");
        autoclose int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        assert_non_null(maps);
        while (fgets(line, sizeof line, maps)) {
                unsigned long from, to;
                char rights[8];
                if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[1] != 'w' || to - from > (64 << 20))
                        continue;
                char *copy = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                ssize_t got = pread(memory, copy, to - from, (off_t)from);
                for (ssize_t i = 0; i + (ssize_t)n <= got; i++) {
                        size_t k = 0;
                        while (k < n && copy[i + (ssize_t)k] == backwards[n - 1 - k])
                                k++;
                        found += k == n;
                }
                munmap(copy, to - from);
        }
        fclose(maps);
        return found;
}

static void send_backwards(struct a_worker *t, int fd, const char *before, const char *backwards, size_t n)
{
        char text[256], *at = stpcpy(text, before);
        for (size_t i = n; i > 0; i--)
                *at++ = backwards[i - 1];
        at = stpcpy(at, "\r\n");
        a_worker_send(t, fd, (struct slice){ text, (size_t)(at - text) });
        explicit_bzero(text, sizeof text);
}

/* "c2VjcmV0LXdvcmQtOTE3" is secret-word-917; the text in base64 counts as the password does. */
static void no_password_stays_in_memory(void **state)
{
        static const char plain[] = "719-drow-terces", coded[] = "3ETOtQmcvdXL0VmcjV2c";
        struct a_worker *t = *state;
        int fd = a_worker_dial(t, EDGE_DIVERT);
        assert_reply(t, fd, "EHLO pc.example\r\n", "250 ");
        assert_reply(t, fd, "AUTH LOGIN\r\n", "334 ");
        /* login and password in one piece, so that the password is kept while the domain is asked for */
        send_backwards(t, fd, "YW5hQGV4YW1wbGUubmV0\r\n", coded, sizeof coded - 1);
        assert_int_equal(t->auth.checks, 1);
        assert_reply(t, fd, NULL, "535 ");
        assert_int_equal(found_in_memory(coded), 0);
        assert_int_equal(found_in_memory(plain), 0);
        close(fd);
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(mail_goes_to_the_mta),
                A_TEST(a_suspension_does_not_wait_for_the_end),
                A_TEST(all_at_once_is_the_same),
                A_TEST(logins_are_answered),
                A_TEST(a_client_may_go_while_his_password_is_checked),
                A_TEST(a_client_may_go_at_any_step),
                A_TEST(an_mta_may_die_at_any_step),
                A_TEST(a_client_may_go_at_starttls),
                A_TEST(who_never_reads_is_cut_off),
                A_TEST(a_dated_exception_ends_at_its_date),
                A_TEST(a_refused_data_gives_the_connection_back),
                A_TEST(a_message_that_is_not_his_ends_nowhere),
                A_TEST(all_may_be_told_to_stop),
                A_TEST(who_guesses_waits_and_is_shut_out),
                A_TEST(no_password_stays_in_memory),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
