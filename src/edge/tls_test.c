/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handshakes in memory: which certificate is shown to whom. */
#include "edge/tls.h"
#include "edge/test_support.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The name on the certificate that was shown; empty where there was no handshake. */
static void shown(struct tls *t, const char *asked, const char *alpn, int version, char name[64])
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL *client = SSL_new(ctx), *server = SSL_new(tls_server(t));
        BIO *one, *other;
        name[0] = 0;
        assert_int_equal(BIO_new_bio_pair(&one, 0, &other, 0), 1);
        SSL_set_bio(client, one, one);
        SSL_set_bio(server, other, other);
        SSL_set_connect_state(client);
        SSL_set_accept_state(server);
        if (version)
                SSL_set_max_proto_version(client, version);
        if (asked)
                SSL_set_tlsext_host_name(client, asked);
        if (alpn)
                SSL_set_alpn_protos(client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
        for (int i = 0; i < 10; i++) {
                SSL_do_handshake(client);
                SSL_do_handshake(server);
        }
        X509 *x =
            SSL_is_init_finished(client) && SSL_is_init_finished(server) ? SSL_get1_peer_certificate(client) : NULL;
        if (x)
                X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, 64);
        X509_free(x);
        SSL_free(client);
        SSL_free(server);
        SSL_CTX_free(ctx);
}

static void the_name_chooses(void **state)
{
        static const struct {
                const char *asked, *alpn;
                int version;
                const char *want;
        } rows[] = {
                { "a.example", NULL, 0, "a.example" },
                { "b.example", NULL, 0, "b.example" },
                { "B.Example", NULL, 0, "b.example" },
                { "b.example", NULL, TLS1_2_VERSION, "b.example" },
                { NULL, NULL, 0, "a.example" },
                { "c.example", NULL, 0, "a.example" },
                { "b.example.", NULL, 0, "a.example" },
                { "x.b.example", NULL, 0, "a.example" },
                { "a.example\\", NULL, 0, "a.example" },
                { "a.example", "\x8http/1.1", 0, "" },
                { "b.example", "\x2h2", TLS1_2_VERSION, "" },
                { "a.example", NULL, TLS1_1_VERSION, "" },
        };
        autobuf why;
        (void)state;
        buf_init(&why, 4096);
        struct setup_certificate all[] = { *a_certificate("a.example"), *a_certificate("b.example") };
        struct tls *t = tls_new(all, 2, &why);
        assert_non_null(t);
        assert_int_equal(why.n, 0);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                char name[64];
                shown(t, rows[i].asked, rows[i].alpn, rows[i].version, name);
                if (strcmp(name, rows[i].want) != 0)
                        fail_msg("%zu: shown \"%s\", not \"%s\"", i, name, rows[i].want);
        }
        tls_free(t);
}

static void a_pair_that_is_broken_is_left_out(void **state)
{
        struct setup_certificate a = *a_certificate("a.example"), b = *a_certificate("b.example");
        struct setup_certificate mixed = { S("mixed.example"), a.chain, b.key },
                                 empty = { S("empty.example"), S(""), S("") };
        struct setup_certificate cut = { S("cut.example"), { a.chain.p, a.chain.n / 2 }, a.key };
        struct setup_certificate all[] = { mixed, cut, empty, b };
        autobuf why, more;
        char name[64];
        (void)state;
        buf_init(&why, 4096);
        buf_init(&more, 4096);
        struct tls *t = tls_new(all, 4, &why);
        assert_non_null(t);
        assert_non_null(strstr(buf_cstr(&why), "certificate mixed.example: its key cannot be used: "));
        assert_non_null(strstr(buf_cstr(&why), "certificate cut.example: its chain cannot be used: "));
        assert_non_null(strstr(buf_cstr(&why), "certificate empty.example: its chain cannot be used: "));
        shown(t, NULL, NULL, 0, name);
        assert_string_equal(name, "b.example");
        tls_free(t);
        assert_null(tls_new(all, 3, &more));
        assert_int_equal(tls_check(&b, &more), 0);
        assert_int_equal(tls_check(&mixed, &more), -1);
}

/* A chain whose second certificate was cut: shown without it, clients that need it would fail, and nobody would know. */
static void a_chain_that_is_cut_is_broken(void **state)
{
        struct setup_certificate a = *a_certificate("a.example"), b = *a_certificate("b.example");
        autobuf chain, why;
        (void)state;
        buf_init(&chain, 1 << 16);
        buf_init(&why, 4096);
        buf_add(&chain, a.chain);
        buf_add(&chain, b.chain);
        a.chain = buf_slice(&chain);
        assert_int_equal(tls_check(&a, &why), 0);
        a.chain.n -= 60;
        assert_int_equal(tls_check(&a, &why), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(the_name_chooses),
                                            cmocka_unit_test(a_pair_that_is_broken_is_left_out),
                                            cmocka_unit_test(a_chain_that_is_cut_is_broken) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
