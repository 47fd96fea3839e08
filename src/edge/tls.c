/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/tls.h"
#include "base/map.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

struct tls {
        struct map names; /* lower case → SSL_CTX */
        char **keys;
        SSL_CTX **contexts;
        size_t n;
};

static const char *reason(void)
{
        unsigned long error = ERR_peek_last_error();
        const char *text = error ? ERR_reason_error_string(error) : NULL;
        return text ? text : "no reason is known";
}

static int refuse_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n,
                       void *arg)
{
        (void)ssl, (void)out, (void)n, (void)in, (void)in_n, (void)arg;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int choose(SSL *ssl, int *alert, void *arg)
{
        const struct tls *t = arg;
        char lower[256];
        (void)alert;
        const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        size_t n = asked ? strlen(asked) : 0;
        if (n == 0 || n >= sizeof lower)
                return SSL_TLSEXT_ERR_NOACK;
        for (size_t i = 0; i < n; i++)
                lower[i] = (char)(asked[i] >= 'A' && asked[i] <= 'Z' ? asked[i] + 32 : asked[i]);
        SSL_CTX *found = map_find(&t->names, (struct slice){ lower, n });
        if (found)
                SSL_set_SSL_CTX(ssl, found);
        return SSL_TLSEXT_ERR_OK;
}

static BIO *bio_of(struct slice pem)
{
        BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
        if (!b)
                panic("out of memory (TLS)");
        return b;
}

/* The first certificate is ours, the others lead from it to a root. */
static bool use_chain(SSL_CTX *ctx, struct slice pem)
{
        BIO *b = bio_of(pem);
        X509 *own = PEM_read_bio_X509_AUX(b, NULL, NULL, (void *)""), *more;
        bool good = own && SSL_CTX_use_certificate(ctx, own) == 1;
        X509_free(own);
        while (good && (more = PEM_read_bio_X509(b, NULL, NULL, (void *)""))) {
                good = SSL_CTX_add0_chain_cert(ctx, more) == 1;
                if (!good)
                        X509_free(more);
        }
        bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; /* the end of the file */
        good = good && whole;
        if (good)
                ERR_clear_error();
        BIO_free(b);
        return good;
}

static bool use_key(SSL_CTX *ctx, struct slice pem)
{
        BIO *b = bio_of(pem);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, (void *)"");
        bool good = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
        EVP_PKEY_free(key);
        BIO_free(b);
        return good;
}

static SSL_CTX *context(const struct setup_certificate *c, struct buf *why)
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
        if (!ctx)
                panic("out of memory (TLS)");
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
        SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_CLEANSE_PLAINTEXT); /* passwords come this way */
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"porteiro", 8);
        SSL_CTX_set_alpn_select_cb(ctx, refuse_alpn, NULL);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        ERR_clear_error();
        bool chain = use_chain(ctx, c->chain);
        if (chain && use_key(ctx, c->key))
                return ctx;
        buf_addf(why, "certificate %.*s: its %s cannot be used: %s\n", SLICE_ARGS(c->name), chain ? "key" : "chain",
                 reason());
        SSL_CTX_free(ctx);
        return NULL;
}

struct tls *tls_new(const struct setup_certificate *all, size_t n, struct buf *why)
{
        struct tls *t = xcalloc(1, sizeof *t);
        t->keys = xcalloc(n + 1, sizeof *t->keys);
        t->contexts = xcalloc(n + 1, sizeof *t->contexts);
        for (size_t i = 0; i < n; i++) {
                SSL_CTX *ctx = context(&all[i], why);
                if (!ctx)
                        continue;
                SSL_CTX_set_tlsext_servername_callback(ctx, choose);
                SSL_CTX_set_tlsext_servername_arg(ctx, t);
                char *key = slice_dup(all[i].name);
                for (char *p = key; *p; p++)
                        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
                map_put(&t->names, slice_of(key), ctx);
                t->keys[t->n] = key;
                t->contexts[t->n++] = ctx;
        }
        if (t->n)
                return t;
        tls_free(t);
        return NULL;
}

void tls_free(struct tls *t)
{
        if (!t)
                return;
        for (size_t i = 0; i < t->n; i++) {
                SSL_CTX_free(t->contexts[i]);
                free(t->keys[i]);
        }
        map_done(&t->names);
        free(t->keys);
        free(t->contexts);
        free(t);
}

struct ssl_ctx_st *tls_server(const struct tls *t)
{
        return t->contexts[0];
}

struct ssl_ctx_st *tls_client(void)
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        if (!ctx)
                panic("out of memory (TLS)");
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return ctx;
}

int tls_check(const struct setup_certificate *c, struct buf *why)
{
        SSL_CTX *ctx = context(c, why);
        SSL_CTX_free(ctx);
        return ctx ? 0 : -1;
}

bool tls_is_over(const struct setup_certificate *c)
{
        autobuf why;
        buf_init(&why, 1024);
        SSL_CTX *ctx = context(c, &why);
        const X509 *own = ctx ? SSL_CTX_get0_certificate(ctx) : NULL;
        bool over = own && X509_cmp_current_time(X509_get0_notAfter(own)) < 0;
        SSL_CTX_free(ctx);
        return over;
}
