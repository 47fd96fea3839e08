/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/keeper.h"
#include "base/ipc.h"
#include "ledger/test_support.h"
#include "ledger/verbs.h"
#include "ledger/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static pid_t keeper;

static int connect_raw(const struct a_ledger *t)
{
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        snprintf(to.sun_path, sizeof to.sun_path, "%s/keeper.sock", t->dir);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
                return fd;
        close(fd);
        return -1;
}

static void start_keeper(const struct a_ledger *t)
{
        fflush(NULL);
        keeper = fork();
        if (keeper == 0) {
                autobuf why;
                buf_init(&why, 8192);
                int quiet = open("/dev/null", O_WRONLY);
                dup2(quiet, STDERR_FILENO);
                _exit(keeper_run(t->dir, NULL, NULL, &why) ? 1 : 0);
        }
        for (int i = 0; i < 500; i++) {
                int fd = connect_raw(t);
                if (fd != -1) {
                        close(fd);
                        return;
                }
                usleep(10000);
        }
        fail_msg("the keeper does not answer");
}

static int end_keeper(int signal)
{
        int status = -1;
        kill(keeper, signal);
        waitpid(keeper, &status, 0);
        keeper = 0;
        return status;
}

static int kept_new(void **state)
{
        autobuf why;
        buf_init(&why, 8192);
        if (a_folder_new(state))
                return -1;
        struct a_ledger *t = *state;
        start_keeper(t);
        return client_open(t->dir, &t->client, &why) || ledger_open(t->dir, &t->reader);
}

static int kept_free(void **state)
{
        if (keeper)
                end_keeper(SIGTERM);
        return a_ledger_free(state);
}

static struct client *another(struct a_ledger *t)
{
        struct client *c;
        autobuf why;
        buf_init(&why, 8192);
        if (client_open(t->dir, &c, &why))
                fail_msg("%s", buf_cstr(&why));
        return c;
}

static void verbs_travel(void **state)
{
        struct a_ledger *t = *state;
        struct subscriber s;
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        assert_no(t, subscribe(t, "1", "192.0.2.1"), "known already");
        assert_int_equal(ledger_subscriber(t->reader, t->arena, S("1"), &s), 0);
        assert_int_equal(WEXITSTATUS(end_keeper(SIGTERM)), 0);
        assert_int_equal(connect_raw(t), -1);
        struct client *here = another(t); /* who is the keeper for its moment now */
        assert_int_equal(client_fd(here), -1);
        client_close(here);
}

static void listeners_hear_of_commits(void **state)
{
        struct a_ledger *t = *state;
        int64_t last = 0, now;
        struct client *listener = another(t);
        assert_int_equal(client_listen(listener), 0);
        assert_int_equal(client_notices(listener, &last), 0);
        assert_int_equal(last, 0);
        assert_yes(t, subscribe(t, "1", NULL));
        struct pollfd p = { .fd = client_fd(listener), .events = POLLIN };
        assert_int_equal(poll(&p, 1, 2000), 1);
        assert_int_equal(client_notices(listener, &last), 0);
        assert_int_equal(ledger_last_change(t->reader, &now), 0);
        assert_int_equal(last, now);
        assert_no(t, subscribe(t, "1", NULL), "known"); /* nothing changed: nothing is told */
        assert_int_equal(poll(&p, 1, 100), 0);
        end_keeper(SIGTERM);
        assert_int_equal(poll(&p, 1, 2000), 1);
        assert_int_equal(client_notices(listener, &last), -ECONNRESET);
        client_close(listener);
}

/* 200 requests in one write: all are answered, in order, and share commits. */
static void a_burst_is_answered_in_order(void **state)
{
        struct a_ledger *t = *state;
        autobuf out, in;
        struct ipc_reader answer;
        enum { BURST = 200 };
        buf_init(&out, 1 << 20);
        buf_init(&in, 1 << 20);
        for (int i = 0; i < BURST; i++) {
                char id[16];
                int n = snprintf(id, sizeof id, "n%d", i / 2); /* every second one is there already */
                size_t start = out.n;
                ipc_begin(&out, VERB_subscriber_put);
                ipc_put_int(&out, SUBSCRIBER_ADD);
                struct subscriber_change c = { .value = { .id = { id, (size_t)n }, .port25 = STRATEGY_NONE } };
                wire_put_subscriber_change(&out, &c);
                ipc_end(&out, start);
        }
        autoclose int fd = connect_raw(t);
        int64_t deadline = time_monotonic() + 10 * SECOND;
        assert_int_equal(ipc_send(fd, buf_slice(&out), deadline), 0);
        for (int i = 0; i < BURST; i++) {
                assert_int_equal(ipc_receive(fd, &in, &answer, deadline), 0);
                assert_int_equal(ipc_int(&answer), i % 2);
        }
}

static bool closed(int fd, int ms)
{
        char byte;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        return poll(&p, 1, ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void hostile_peers_harm_nobody(void **state)
{
        struct a_ledger *t = *state;
        static const char huge[] = "\xff\xff\xff\xff", tiny[] = "\0\0\0\1\0\0", unknown[] = "\0\0\0\2\x30\x39";
        static const char cut[] = "\0\0\0\x0b\0\x0at\0\0\0\xff"
                                  "12345"; /* a field longer than its frame */
        autoclose int a = connect_raw(t), b = connect_raw(t), c = connect_raw(t), d = connect_raw(t),
                      half = connect_raw(t);
        assert_int_equal(send(a, huge, 4, 0), 4);
        assert_int_equal(send(b, tiny, 6, 0), 6);
        assert_true(closed(a, 2000) && closed(b, 2000));
        autobuf in;
        struct ipc_reader answer;
        buf_init(&in, 1 << 20);
        assert_int_equal(send(c, unknown, 6, 0), 6);
        assert_int_equal(ipc_receive(c, &in, &answer, time_monotonic() + 2 * SECOND), 0);
        assert_int_equal(ipc_int(&answer), -EOPNOTSUPP);
        assert_int_equal(send(d, cut, 15, 0), 15);
        assert_int_equal(ipc_receive(d, &in, &answer, time_monotonic() + 2 * SECOND), 0);
        assert_int_equal(ipc_int(&answer), -EBADMSG);
        assert_int_equal(send(half, "\0\0\1", 3, 0), 3);
        assert_yes(t, subscribe(t, "1", NULL)); /* meanwhile */
        assert_false(closed(half, 100));
        assert_true(closed(half, 13000)); /* KEEPER_HALF_FRAME, looked at once a second */
}

static void the_lock_names_its_holder(void **state)
{
        struct a_ledger *t = *state;
        autobuf why;
        char want[64];
        buf_init(&why, 8192);
        snprintf(want, sizeof want, "held by process %d", (int)keeper);
        assert_int_equal(keeper_run(t->dir, NULL, NULL, &why), -EBUSY);
        assert_non_null(strstr(buf_cstr(&why), want));
        kill(keeper, SIGSTOP); /* it holds the lock, and a full queue answers nobody */
        autofree char *path = xasprintf("%s/keeper.sock", t->dir);
        assert_int_equal(unlink(path), 0);
        struct client *c;
        int64_t start = time_monotonic();
        assert_int_equal(client_open(t->dir, &c, &why), -EBUSY);
        assert_true(time_monotonic() - start >= 2 * SECOND - 10000);
        assert_non_null(strstr(buf_cstr(&why), want));
        kill(keeper, SIGCONT);
}

static void killed_in_the_middle_it_starts_again(void **state)
{
        struct a_ledger *t = *state;
        struct subscriber s;
        assert_yes(t, subscribe(t, "1", NULL));
        end_keeper(SIGKILL);
        assert_int_equal(subscribe(t, "2", NULL), -ECONNRESET);
        start_keeper(t); /* over the dead one's socket and log */
        client_close(take(t->client));
        t->client = another(t);
        assert_yes(t, subscribe(t, "3", NULL));
        assert_int_equal(ledger_subscriber(t->reader, t->arena, S("1"), &s), 0);
        assert_int_equal(ledger_subscriber(t->reader, t->arena, S("2"), &s), -ENOENT);
        assert_int_equal(ledger_subscriber(t->reader, t->arena, S("3"), &s), 0);
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, kept_new, kept_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(verbs_travel),
                A_TEST(listeners_hear_of_commits),
                A_TEST(a_burst_is_answered_in_order),
                A_TEST(hostile_peers_harm_nobody),
                A_TEST(the_lock_names_its_holder),
                A_TEST(killed_in_the_middle_it_starts_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
