/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/io.h"
#include "base/buf.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* One end of a connection, with what it saw. */
struct peer {
        struct loop *loop;
        struct io *io;
        struct buf got;
        size_t most; /* taken of one offer */
        int ready, drained, ended;
        enum io_end why;
        bool echo, free_at_once, stop_at_end;
        size_t stop_at; /* bytes */
        SSL_CTX *tls;   /* begun, as a client, when bytes come */
};

static size_t take_bytes(void *arg, struct slice all)
{
        struct peer *p = arg;
        size_t n = all.n < p->most ? all.n : p->most;
        buf_add(&p->got, (struct slice){ all.p, n });
        if (p->echo)
                io_write(p->io, (struct slice){ all.p, n });
        if (p->free_at_once) {
                io_free(take(p->io));
                loop_stop(p->loop, 0);
        }
        if (p->tls)
                io_start_tls(p->io, take(p->tls), false, NULL);
        if (p->stop_at && p->got.n >= p->stop_at)
                loop_stop(p->loop, 0);
        return n;
}

static void is_ready(void *arg)
{
        struct peer *p = arg;
        p->ready++;
}

static void is_drained(void *arg)
{
        struct peer *p = arg;
        p->drained++;
}

static void has_ended(void *arg, enum io_end why)
{
        struct peer *p = arg;
        p->ended++;
        p->why = why;
        io_free(take(p->io));
        if (p->stop_at_end)
                loop_stop(p->loop, 0);
}

static const struct io_events events = { take_bytes, is_ready, is_drained, has_ended, NULL };

struct pair {
        struct loop *loop;
        struct peer a, b;
        struct watch *guard;
};

static void too_late(void *arg)
{
        (void)arg;
        panic("test: nothing happens any more");
}

static void peer_init(struct peer *p, struct loop *l, int fd)
{
        *p = (struct peer){ .loop = l, .most = SIZE_MAX };
        buf_init(&p->got, 64 << 20);
        p->io = io_new(l, fd, &events, p);
}

static int setup(void **state)
{
        struct pair *t = xcalloc(1, sizeof *t);
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
                return -1;
        t->loop = loop_new();
        t->guard = loop_timer(t->loop, 60 * SECOND, too_late, NULL);
        peer_init(&t->a, t->loop, fds[0]);
        peer_init(&t->b, t->loop, fds[1]);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct pair *t = *state;
        io_free(t->a.io);
        io_free(t->b.io);
        buf_done(&t->a.got);
        buf_done(&t->b.got);
        loop_free(t->loop);
        free(t);
        return 0;
}

static void stop(void *arg)
{
        loop_stop(arg, 0);
}

/* Until all that can happen now has happened. */
static void settle(struct loop *l)
{
        struct watch *w = loop_timer(l, 20000, stop, l);
        loop_run(l);
        watch_free(w);
}

static void what_is_written_comes_back(void **state)
{
        struct pair *t = *state;
        t->b.echo = true;
        t->a.stop_at = 5;
        assert_true(io_write(t->a.io, S("hello")));
        loop_run(t->loop);
        assert_int_equal(t->a.got.n, 5);
        assert_memory_equal(t->a.got.p, "hello", 5);
}

static void who_takes_less_is_not_offered_more_until_he_asks(void **state)
{
        struct pair *t = *state;
        t->b.most = 3;
        io_write(t->a.io, S("abcdefgh"));
        settle(t->loop);
        assert_string_equal(buf_cstr(&t->b.got), "abc");
        io_write(t->a.io, S("ij"));
        settle(t->loop);
        assert_string_equal(buf_cstr(&t->b.got), "abc");
        io_more(t->b.io);
        settle(t->loop);
        assert_string_equal(buf_cstr(&t->b.got), "abcdef");
        t->b.most = SIZE_MAX;
        io_more(t->b.io);
        settle(t->loop);
        assert_string_equal(buf_cstr(&t->b.got), "abcdefghij");
}

/* What is written behind io_more(), and a deadline that is moved, watch anew: pipelined commands were left where they lay. */
static void who_asks_for_more_and_then_writes_is_offered_more(void **state)
{
        struct pair *t = *state;
        t->b.most = 3;
        io_write(t->a.io, S("abcdef"));
        settle(t->loop);
        io_more(t->b.io);
        io_write(t->b.io, S("answer"));
        io_deadline(t->b.io, time_monotonic() + MINUTE);
        settle(t->loop);
        assert_string_equal(buf_cstr(&t->b.got), "abcdef");
}

static void a_peer_that_never_reads_fills_the_backlog_and_no_more(void **state)
{
        struct pair *t = *state;
        static char block[8192];
        size_t n = 0;
        t->b.most = 0;
        while (io_write(t->a.io, (struct slice){ block, sizeof block }) && n < 1000)
                n++;
        assert_true(n < 1000);
        assert_true(io_backlog(t->a.io) <= IO_BACKLOG);
        t->b.most = SIZE_MAX;
        io_more(t->b.io);
        t->b.stop_at = n * sizeof block;
        loop_run(t->loop);
        settle(t->loop);
        assert_int_equal(t->b.got.n, n * sizeof block);
        assert_int_equal(t->a.drained, 1);
        assert_int_equal(io_backlog(t->a.io), 0);
}

static void a_deadline_ends_it_also_when_bytes_keep_coming(void **state)
{
        struct pair *t = *state;
        io_deadline(t->b.io, time_monotonic() + 30000);
        t->b.stop_at_end = true;
        t->b.echo = true;
        t->a.echo = true; /* the two never fall silent */
        io_write(t->a.io, S("x"));
        loop_run(t->loop);
        assert_int_equal(t->b.ended, 1);
        assert_int_equal(t->b.why, IO_DEADLINE);
}

static void says_last_words(void *arg)
{
        struct peer *p = arg;
        io_write(p->io, S("421 too late"));
        io_finish(p->io, SECOND);
}

static void last_words_can_be_said_at_a_deadline(void **state)
{
        static const struct io_events with_words = { take_bytes, is_ready, is_drained, has_ended, says_last_words };
        struct pair *t = *state;
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        io_free(t->b.io);
        io_free(t->a.io);
        t->b.io = io_new(t->loop, ends[0], &with_words, &t->b);
        t->a.io = io_new(t->loop, ends[1], &events, &t->a);
        io_deadline(t->b.io, time_monotonic() + 10000);
        t->a.stop_at_end = true;
        loop_run(t->loop);
        assert_string_equal(buf_cstr(&t->a.got), "421 too late");
        assert_int_equal(t->a.why, IO_CLOSED);
}

static void it_may_be_freed_in_its_own_callback(void **state)
{
        struct pair *t = *state;
        t->b.free_at_once = true;
        t->a.stop_at_end = true;
        io_write(t->a.io, S("bye"));
        loop_run(t->loop);
        t->b.free_at_once = false;
        if (!t->a.ended)
                loop_run(t->loop);
        assert_int_equal(t->a.ended, 1);
        assert_int_equal(t->b.ended, 0);
}

/* A close with input unread is a reset, which takes the last words back. Only a TCP connection shows it. */
/* The last of it went out in a flush of the session's own, not because the descriptor had room. */
static void room_is_told_whoever_made_it(void **state)
{
        struct pair *t = *state;
        static char much[IO_BACKLOG], in[64 << 10];
        assert_true(io_add(t->a.io, (struct slice){ much, sizeof much }));
        assert_int_equal(io_backlog(t->a.io), sizeof much);
        io_flush(t->a.io);
        assert_true(io_backlog(t->a.io) > 0);
        while (io_backlog(t->a.io)) {
                assert_true(recv(io_fd(t->b.io), in, sizeof in, 0) > 0);
                io_flush(t->a.io);
        }
        settle(t->loop);
        assert_int_equal(t->a.drained, 1);
}

static void a_descriptor_may_be_left_and_come_back_to(void **state)
{
        struct pair *t = *state;
        t->a.most = 0;
        assert_true(io_write(t->b.io, S("kept")));
        settle(t->loop);
        assert_int_equal(io_leave(t->a.io), -1); /* those bytes would be lost */
        t->a.most = SIZE_MAX;
        io_more(t->a.io);
        settle(t->loop);
        int fd = io_leave(t->a.io);
        assert_true(fd >= 0);
        assert_true(io_write(t->b.io, S(" and unread")));
        settle(t->loop);
        assert_int_equal(send(fd, "x", 1, 0), 1);
        t->a.io = io_new(t->loop, fd, &events, &t->a);
        settle(t->loop);
        assert_int_equal(t->a.got.n, 15);
        assert_memory_equal(t->a.got.p, "kept and unread", 15);
        assert_int_equal(t->b.got.n, 1);
}

static void the_last_words_arrive(void **state)
{
        struct pair *t = *state;
        t->b.most = 0;
        io_write(t->a.io, S("much that is never read"));
        settle(t->loop);
        io_write(t->b.io, S("421 goodbye"));
        io_finish(t->b.io, SECOND);
        t->a.stop_at_end = t->b.stop_at_end = true;
        loop_run(t->loop);
        assert_string_equal(buf_cstr(&t->a.got), "421 goodbye");
        assert_int_equal(t->a.why, IO_CLOSED);
}

static void nobody_there_is_said(void **state)
{
        struct pair *t = *state;
        struct sockaddr_storage to = { .ss_family = AF_INET };
        socklen_t n = sizeof(struct sockaddr_storage);
        autoclose int fd =
            socket(AF_INET, SOCK_STREAM, 0); /* bound, but not listening: nobody else gets its port meanwhile */
        assert_int_equal(bind(fd, (struct sockaddr *)&to, 16), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &n), 0);
        io_free(take(t->a.io));
        t->a.io = io_connect(t->loop, (struct sockaddr *)&to, n, NULL, 0, &events, &t->a);
        t->a.stop_at_end = true;
        assert_non_null(t->a.io);
        loop_run(t->loop);
        assert_int_equal(t->a.why, IO_REFUSED);
        assert_int_equal(t->a.ready, 0);
}

/* --- TLS --- */

static SSL_CTX *server_context(void)
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *cert = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        X509_gmtime_adj(X509_getm_notBefore(cert), -60);
        X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
        X509_set_pubkey(cert, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"a.example",
                                   -1, -1, 0);
        X509_set_issuer_name(cert, X509_get_subject_name(cert));
        X509_sign(cert, key, EVP_sha256());
        assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
        X509_free(cert);
        EVP_PKEY_free(key);
        return ctx;
}

struct contexts {
        SSL_CTX *server, *client;
};

static struct contexts encrypt(struct pair *t)
{
        struct contexts c = { server_context(), SSL_CTX_new(TLS_client_method()) };
        io_start_tls(t->a.io, c.client, false, NULL);
        io_start_tls(t->b.io, c.server, true, NULL);
        return c;
}

static void contexts_done(struct contexts *c)
{
        SSL_CTX_free(c->server);
        SSL_CTX_free(c->client);
}

static void tls_carries_what_is_written(void **state)
{
        struct pair *t = *state;
        static char block[100000];
        struct contexts c = encrypt(t);
        memset(block, 'x', sizeof block);
        t->b.echo = true;
        assert_true(io_write(t->a.io, (struct slice){ block, sizeof block }));
        t->a.stop_at = sizeof block;
        loop_run(t->loop);
        assert_int_equal(t->a.ready, 1);
        assert_int_equal(t->b.ready, 1);
        assert_non_null(io_tls(t->a.io));
        assert_int_equal(t->a.got.n, sizeof block);
        assert_memory_equal(t->a.got.p, block, sizeof block);
        contexts_done(&c);
}

static void what_was_read_before_tls_is_thrown_away(void **state)
{
        struct pair *t = *state;
        t->b.most = 8;
        io_write(t->a.io, S("STARTTLSRCPT TO:<x@example.org>"));
        settle(t->loop);
        SSL_CTX *ctx = server_context();
        assert_int_equal(io_start_tls(t->b.io, ctx, true, NULL), 23);
        t->b.most = SIZE_MAX;
        settle(t->loop);
        assert_string_equal(buf_cstr(&t->b.got), "STARTTLS");
        SSL_CTX_free(ctx);
}

/* Nobody else will: the one who is to begin must not wait for the other. */
static void tls_begins_inside_the_callback_that_asks_for_it(void **state)
{
        struct pair *t = *state;
        SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = server_context();
        t->a.tls = client;
        io_write(t->b.io, S("220 go ahead\r\n"));
        io_start_tls(t->b.io, server, true, NULL);
        settle(t->loop);
        assert_non_null(io_tls(t->a.io));
        assert_non_null(io_tls(t->b.io));
        SSL_CTX_free(client);
        SSL_CTX_free(server);
}

static void the_end_of_tls_is_told_from_a_cut(void **state)
{
        struct pair *t = *state;
        struct contexts c = encrypt(t);
        settle(t->loop);
        t->b.stop_at_end = true;
        io_finish(t->a.io, SECOND);
        loop_run(t->loop);
        assert_int_equal(t->b.why, IO_CLOSED);
        contexts_done(&c);
}

static void a_cut_is_no_end(void **state)
{
        struct pair *t = *state;
        struct contexts c = encrypt(t);
        settle(t->loop);
        t->b.stop_at_end = true;
        io_free(take(t->a.io));
        loop_run(t->loop);
        assert_int_equal(t->b.why, IO_BROKEN);
        contexts_done(&c);
}

static void no_tls_is_a_failure_of_tls(void **state)
{
        struct pair *t = *state;
        SSL_CTX *ctx = server_context();
        io_start_tls(t->b.io, ctx, true, NULL);
        io_write(t->a.io, S("EHLO example.org\r\n"));
        t->b.stop_at_end = true;
        loop_run(t->loop);
        assert_int_equal(t->b.why, IO_TLS);
        assert_int_equal(t->b.got.n, 0);
        SSL_CTX_free(ctx);
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(what_is_written_comes_back),
                A_TEST(who_takes_less_is_not_offered_more_until_he_asks),
                A_TEST(who_asks_for_more_and_then_writes_is_offered_more),
                A_TEST(a_peer_that_never_reads_fills_the_backlog_and_no_more),
                A_TEST(a_deadline_ends_it_also_when_bytes_keep_coming),
                A_TEST(last_words_can_be_said_at_a_deadline),
                A_TEST(it_may_be_freed_in_its_own_callback),
                A_TEST(room_is_told_whoever_made_it),
                A_TEST(a_descriptor_may_be_left_and_come_back_to),
                A_TEST(the_last_words_arrive),
                A_TEST(nobody_there_is_said),
                A_TEST(tls_carries_what_is_written),
                A_TEST(what_was_read_before_tls_is_thrown_away),
                A_TEST(tls_begins_inside_the_callback_that_asks_for_it),
                A_TEST(the_end_of_tls_is_told_from_a_cut),
                A_TEST(a_cut_is_no_end),
                A_TEST(no_tls_is_a_failure_of_tls),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
