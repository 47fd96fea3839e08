/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/test_support.h - what stands around a worker, scripted: an MTA, the duties auth and keeper, and a client, all in its own loop.
 *
 *     struct a_mta mta; a_mta_open(&mta, loop, path);  mta.dies_at = "RCPT";  …  settle(loop);
 *
 * A server that is not told otherwise says yes. settle() runs until nothing happens any more; real time hardly passes.
 * Owns:    each struct a_… its sockets and what it heard, until its …_close().
 * Threads: one loop.
 * Limits:  for *_test.c and fuzz/ only. */
#pragma once

#include "auth/wire.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/time.h"
#include "edge/session.h"
#include "edge/worker.h"
#include "ledger/verbs.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { A_TURNS = 60, A_TEXT = 1 << 20, A_ENTRIES = 512 };

static inline void settle(struct loop *l)
{
        for (int i = 0; i < A_TURNS; i++)
                loop_poll(l);
}

/* What needs the clock, too: timers of up to `us` come. */
static inline void settle_for(struct loop *l, int64_t us)
{
        int64_t end = time_monotonic() + us;
        while (time_monotonic() < end) {
                settle(l);
                usleep(500);
        }
}

/* ---- a server on a Unix socket ---- */

struct a_server;

struct a_link {
        struct a_server *server;
        struct io *io;
        struct buf in;
        struct a_link *next;
        bool in_message, greeted;
};

struct a_server {
        struct loop *loop;
        int fd;
        struct watch *watch;
        char path[96];
        struct a_link *links;
        size_t accepted;
        void (*begin)(struct a_link *k); /* may be NULL */
        void (*read)(struct a_link *k);  /* takes from k->in; may drop k */
        void *owner;
};

static inline void a_link_drop(struct a_link *k)
{
        struct a_link **p = &k->server->links;
        while (*p != k)
                p = &(*p)->next;
        *p = k->next;
        io_free(k->io);
        buf_done(&k->in);
        free(k);
}

static inline void a_link_say(struct a_link *k, const char *text)
{
        io_write(k->io, slice_of(text));
}

static inline void a_link_took(struct a_link *k, size_t n)
{
        memmove(k->in.p, k->in.p + n, k->in.n - n);
        k->in.n -= n;
}

static inline size_t a_link_bytes(void *arg, struct slice all)
{
        struct a_link *k = arg;
        size_t n = all.n;
        buf_add(&k->in, all);
        explicit_bzero((char *)all.p, all.n); /* a question to auth stood there, and memory is searched for it */
        k->server->read(k);
        return n;
}

static inline void a_link_ended(void *arg, enum io_end why)
{
        (void)why;
        a_link_drop(arg);
}

static inline void a_server_accepts(void *arg, int what)
{
        static const struct io_events events = { .bytes = a_link_bytes, .ended = a_link_ended };
        struct a_server *s = arg;
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        (void)what;
        if (fd == -1)
                return;
        struct a_link *k = xcalloc(1, sizeof *k);
        *k = (struct a_link){ .server = s, .next = s->links };
        buf_init(&k->in, A_TEXT);
        k->io = io_new(s->loop, fd, &events, k);
        s->links = k;
        s->accepted++;
        if (s->begin)
                s->begin(k);
}

static inline void a_server_open(struct a_server *s, struct loop *l, const char *path)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        s->loop = l;
        snprintf(s->path, sizeof s->path, "%s", path);
        snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
        unlink(path);
        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s->fd == -1 || bind(s->fd, (struct sockaddr *)&at, sizeof at) == -1 || listen(s->fd, 512) == -1)
                panic("test: %s: %s", path, strerror(errno));
        s->watch = loop_fd(l, s->fd, LOOP_READ, a_server_accepts, s);
}

static inline void a_server_hang_up(struct a_server *s)
{
        while (s->links)
                a_link_drop(s->links);
}

static inline void a_server_close(struct a_server *s)
{
        if (!s->watch)
                return;
        a_server_hang_up(s);
        watch_free(take(s->watch));
        close(s->fd);
        unlink(s->path);
}

/* ---- the MTA ---- */

struct a_mta {
        struct a_server server;
        const char *offers;            /* lines of EHLO behind the first, each "250-…\r\n" */
        const char *dies_at, *mute_at; /* a verb, GREETING, or "." for the end of a message */
        const char *verb, *reply;      /* this one is answered by this, with its CRLF */
        struct buf heard;              /* commands, one a line; messages as "(message)" */
        struct buf message;            /* the last one, as it came */
        size_t messages;
        bool extra_reply; /* one that nobody asked for, behind that to `verb` */
};

static inline bool a_mta_is(const char *what, struct slice line)
{
        return what && slice_starts(line, slice_of(what));
}

/* False: the link is gone. */
static inline bool a_mta_answer(struct a_link *k, struct slice step, const char *usual)
{
        struct a_mta *m = k->server->owner;
        if (a_mta_is(m->dies_at, step)) {
                a_link_drop(k);
                return false;
        }
        if (!a_mta_is(m->mute_at, step))
                a_link_say(k, a_mta_is(m->verb, step) ? m->reply : usual);
        return true;
}

static inline void a_mta_begin(struct a_link *k)
{
        a_mta_answer(k, S("GREETING"), "220 mta.example.net ESMTP\r\n");
}

static inline bool a_mta_command(struct a_link *k, struct slice line)
{
        struct a_mta *m = k->server->owner;
        autobuf hello;
        buf_init(&hello, 4096);
        buf_add(&m->heard, line);
        buf_addc(&m->heard, '\n');
        if (slice_starts(line, S("EHLO"))) {
                buf_addf(&hello, "250-mta.example.net\r\n%s250 HELP\r\n", m->offers);
                return a_mta_answer(k, line, buf_cstr(&hello));
        }
        if (slice_starts(line, S("XCLIENT")))
                return a_mta_answer(k, line, "220 mta.example.net ESMTP\r\n");
        if (!slice_starts(line, S("DATA")))
                return a_mta_answer(k, line, slice_starts(line, S("QUIT")) ? "221 2.0.0 Bye\r\n" : "250 2.0.0 Ok\r\n");
        k->in_message = !m->verb || !a_mta_is(m->verb, line);
        return a_mta_answer(k, line, "354 Go ahead\r\n");
}

static inline bool a_mta_message(struct a_link *k)
{
        struct a_mta *m = k->server->owner;
        struct slice in = buf_slice(&k->in);
        const char *end = slice_starts(in, S(".\r\n")) ? in.p - 2 : memmem(in.p, in.n, "\r\n.\r\n", 5);
        if (!end)
                return false;
        size_t n = (size_t)(end + 2 - in.p);
        buf_clear(&m->message);
        buf_add(&m->message, (struct slice){ in.p, n });
        buf_adds(&m->heard, "(message)\n");
        m->messages++;
        k->in_message = false;
        a_link_took(k, n + 3);
        return a_mta_answer(k, S("."), "250 2.0.0 Queued as 1\r\n");
}

static inline void a_mta_read(struct a_link *k)
{
        for (;;) {
                if (k->in_message) {
                        if (!a_mta_message(k))
                                return;
                        continue;
                }
                size_t n = slice_find(buf_slice(&k->in), '\n');
                if (n == k->in.n)
                        return;
                autofree char *line = slice_dup((struct slice){ k->in.p, n - (n && k->in.p[n - 1] == '\r') });
                a_link_took(k, n + 1);
                if (!a_mta_command(k, slice_of(line)))
                        return;
        }
}

#define A_MTA_OFFERS "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 1000000\r\n250-DSN\r\n"
#define A_MTA_XCLIENT "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n"

static inline void a_mta_open(struct a_mta *m, struct loop *l, const char *path)
{
        *m = (struct a_mta){ .offers = A_MTA_OFFERS A_MTA_XCLIENT };
        m->server.begin = a_mta_begin;
        m->server.read = a_mta_read;
        m->server.owner = m;
        buf_init(&m->heard, A_TEXT);
        buf_init(&m->message, A_TEXT);
        a_server_open(&m->server, l, path);
}

static inline void a_mta_close(struct a_mta *m)
{
        a_server_close(&m->server);
        buf_done(&m->heard);
        buf_done(&m->message);
}

/* ---- the duty auth: example.net is ours, "s3cret" is right, "later" cannot be said ---- */

struct a_auth {
        struct a_server server;
        bool holds;           /* answers when a_auth_release() is called */
        bool suspended;       /* who logged in before may not send any more */
        size_t asked, checks; /* questions; those for a password */
        int64_t held[64];
        enum auth_verb verbs[64];
        enum auth_verdict verdicts[64];
        size_t n_held;
        size_t cut; /* after so many bytes of an answer it pauses; 0: never */
        struct buf rest;
};

static inline void a_auth_say(struct a_auth *t, int64_t id, enum auth_verb verb, enum auth_verdict verdict)
{
        static struct auth_reply r;
        autobuf out;
        buf_init(&out, AUTH_REPLY_MOST + 4096);
        r = (struct auth_reply){ .verb = verb,
                                 .id = id,
                                 .verdict = verdict,
                                 .mailbox = 1,
                                 .address = S("ana@example.net"),
                                 .subscriber = S("1"),
                                 .limits = { -1, -1, -1, -1 },
                                 .senders = { S("ana@example.net"), S("*@ana.example") },
                                 .n_senders = 2 };
        auth_reply_put(&out, &r);
        if (!t->server.links)
                return;
        size_t first = t->cut && t->cut < out.n ? t->cut : out.n;
        io_write(t->server.links->io, (struct slice){ out.p, first });
        buf_add(&t->rest, slice_from(buf_slice(&out), first));
}

static inline void a_auth_release(struct a_auth *t)
{
        for (size_t i = 0; i < t->n_held; i++)
                a_auth_say(t, t->held[i], t->verbs[i], t->verdicts[i]);
        t->n_held = 0;
}

/* What `cut` kept back. */
static inline void a_auth_rest(struct a_auth *t)
{
        io_write(t->server.links->io, buf_slice(&t->rest));
        buf_clear(&t->rest);
}

static inline enum auth_verdict a_auth_verdict(const struct a_auth *t, const struct auth_question *q)
{
        if (q->verb == AUTH_SENDING)
                return t->suspended || q->mailbox != 1 ? AUTH_VERDICT_NO : AUTH_VERDICT_YES;
        if (q->verb == AUTH_DOMAIN)
                return slice_eq(q->domain, S("example.net")) ? AUTH_VERDICT_YES : AUTH_VERDICT_NO;
        return slice_eq(q->password, S("s3cret"))  ? AUTH_VERDICT_YES
               : slice_eq(q->password, S("later")) ? AUTH_VERDICT_UNAVAILABLE
                                                   : AUTH_VERDICT_NO;
}

static inline void a_auth_read(struct a_link *k)
{
        struct a_auth *t = k->server->owner;
        struct auth_question q;
        int64_t n;
        while ((n = auth_question_get(buf_slice(&k->in), &q)) > 0) {
                t->asked++;
                t->checks += q.verb == AUTH_CHECK;
                if (t->n_held < COUNT_OF(t->held)) {
                        t->held[t->n_held] = q.id;
                        t->verbs[t->n_held] = q.verb;
                        t->verdicts[t->n_held++] = a_auth_verdict(t, &q);
                }
                auth_wipe(&(struct buf){ .p = k->in.p, .cap = (size_t)n }); /* it keeps no password */
                a_link_took(k, (size_t)n);
        }
        if (n < 0)
                panic("test: a malformed question");
        if (!t->holds)
                a_auth_release(t);
}

static inline void a_auth_open(struct a_auth *t, struct loop *l, const char *path)
{
        *t = (struct a_auth){ .server = { .read = a_auth_read, .owner = t } };
        buf_init(&t->rest, A_TEXT);
        a_server_open(&t->server, l, path);
}

static inline void a_auth_close(struct a_auth *t)
{
        a_server_close(&t->server);
        buf_done(&t->rest);
}

/* ---- the keeper ---- */

struct a_keeper {
        struct a_server server;
        size_t requests, rows, bans;
        int64_t lost;
        int status; /* of the next answers */
        bool holds;
        size_t most; /* rows of one request */
};

static inline void a_keeper_answer(struct a_keeper *t)
{
        autobuf out;
        buf_init(&out, 4096);
        ipc_begin(&out, 0);
        ipc_put_int(&out, t->status);
        ipc_put_text(&out, t->status ? S("it is refused") : S(""));
        ipc_end(&out, 0);
        if (t->server.links)
                io_write(t->server.links->io, buf_slice(&out));
}

static inline void a_keeper_read(struct a_link *k)
{
        struct a_keeper *t = k->server->owner;
        struct ipc_reader r;
        int64_t n;
        while ((n = ipc_frame(buf_slice(&k->in), &r)) > 0) {
                t->requests++;
                if (r.verb == VERB_ban_add) {
                        t->bans++;
                } else {
                        t->lost += ipc_int(&r);
                        ipc_int(&r);
                        size_t rows = ipc_count(&r);
                        t->rows += rows;
                        t->most = rows > t->most ? rows : t->most;
                }
                a_link_took(k, (size_t)n);
                if (!t->holds)
                        a_keeper_answer(t);
        }
}

static inline void a_keeper_open(struct a_keeper *t, struct loop *l, const char *path)
{
        *t = (struct a_keeper){ .server = { .read = a_keeper_read, .owner = t } };
        a_server_open(&t->server, l, path);
}

static inline void a_keeper_close(struct a_keeper *t)
{
        a_server_close(&t->server);
}

/* ---- a certificate, signed by itself; lives as long as the process ---- */

static inline char *a_pem(int (*write_it)(BIO *b, void *what), void *what, size_t *n)
{
        char *text, *copy;
        BIO *b = BIO_new(BIO_s_mem());
        if (write_it(b, what) != 1)
                panic("test: no PEM");
        *n = (size_t)BIO_get_mem_data(b, &text);
        copy = slice_dup((struct slice){ text, *n });
        BIO_free(b);
        return copy;
}

static inline int a_pem_key(BIO *b, void *key)
{
        return PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
}

static inline int a_pem_certificate(BIO *b, void *certificate)
{
        return PEM_write_bio_X509(b, certificate);
}

static inline struct setup_certificate *a_certificate(const char *name)
{
        static struct setup_certificate made[4];
        static size_t n;
        struct setup_certificate *c = &made[n++ % COUNT_OF(made)];
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                   0);
        X509_set_issuer_name(x, X509_get_subject_name(x));
        X509_sign(x, key, EVP_sha256());
        free((char *)c->chain.p);
        free((char *)c->key.p);
        c->name = slice_of(name);
        c->chain.p = a_pem(a_pem_certificate, x, &c->chain.n);
        c->key.p = a_pem(a_pem_key, key, &c->key.n);
        X509_free(x);
        EVP_PKEY_free(key);
        return c;
}

/* ---- a worker with all of them around it ---- */

struct a_worker {
        char dir[64];
        struct worker w;
        struct a_mta mta;
        struct a_auth auth;
        struct a_keeper keeper;
        int counts;
};

#define A_POLICY                                                                                                       \
        "network \"Test\" { domain example.net  timezone UTC  language en }\n"                                         \
        "class home { port25 divert }\npool homes { class home  prefix 198.51.100.0/24 }\n"                            \
        "edge { submission port 587  certificate mail.example.net chain /none/c.pem key /none/k.pem\n"                 \
        "  next-hop relay unix:%s/mta.sock  plain-auth-until 2099-01-01  trap-connections 2  connections 10 }\n"       \
        "legacy panels { listen 192.0.2.1:2626  from 192.0.2.0/24  sender @panel.example\n"                            \
        "  until 2099-01-01  owner noc@example.net }\n"

/* The table of counts that the host makes. */
static inline int a_table(size_t *bytes)
{
        static const uint8_t key[16] = { 1 };
        *bytes = window_bytes(A_ENTRIES);
        int fd = memfd_create("counts", MFD_CLOEXEC);
        void *memory = fd != -1 && ftruncate(fd, (off_t)*bytes) == 0
                           ? mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                           : MAP_FAILED;
        if (memory == MAP_FAILED)
                panic("test: no table");
        window_make(memory, A_ENTRIES, key);
        munmap(memory, *bytes);
        return fd;
}

static inline void a_worker_open(struct a_worker *t, const struct setup_certificate *certificate)
{
        static const char key[16] = "0123456789abcdef";
        struct setup s = { .control = -1, .n_certificates = certificate != NULL };
        autobuf policy;
        autobuf text;
        char auth[96], keeper[96], mta[96];
        buf_init(&policy, 8192);
        buf_init(&text, SETUP_MOST);
        *t = (struct a_worker){ .dir = "/tmp/porteiro-edge-XXXXXX" };
        if (!mkdtemp(t->dir))
                panic("test: no folder");
        snprintf(mta, sizeof mta, "%s/mta.sock", t->dir);
        snprintf(auth, sizeof auth, "%s/auth.sock", t->dir);
        snprintf(keeper, sizeof keeper, "%s/keeper.sock", t->dir);
        buf_addf(&policy, A_POLICY, t->dir);
        s.policy = buf_slice(&policy);
        s.keeper_socket = slice_of(keeper);
        s.auth_socket = slice_of(auth);
        s.deliver_socket = S("");
        s.sketch_key = (struct slice){ key, 16 };
        s.certificates = (struct setup_certificate *)certificate;
        t->counts = s.counts = a_table(&s.counts_bytes);
        setup_put(&s, &text);
        if (!setup_get(&text, &s) || worker_open(&t->w, &s) != 0)
                panic("test: no worker");
        a_mta_open(&t->mta, t->w.loop, mta);
        a_auth_open(&t->auth, t->w.loop, auth);
        a_keeper_open(&t->keeper, t->w.loop, keeper);
}

static inline void a_worker_close(struct a_worker *t)
{
        a_mta_close(&t->mta);
        a_auth_close(&t->auth);
        a_keeper_close(&t->keeper);
        worker_close(&t->w);
        close(t->counts);
        rmdir(t->dir);
}

/* As after a_worker_open(), but quicker: nothing is known, nobody is there. */
static inline void a_worker_again(struct a_worker *t)
{
        struct worker *w = &t->w;
        while (w->sessions)
                session_free(w->sessions);
        a_server_hang_up(&t->mta.server);
        a_server_hang_up(&t->auth.server);
        a_server_hang_up(&t->keeper.server);
        hops_free(w->hops);
        asker_free(w->asker);
        facts_free(w->facts);
        w->hops = hops_new(w->loop, &w->hops_rules);
        w->asker = asker_new(w->loop, t->auth.server.path, w->key);
        w->facts = facts_new(w->loop, t->keeper.server.path);
        memset(w->counts, 0, w->setup.counts_bytes);
        window_make(w->counts, A_ENTRIES, w->key);
        w->n = w->n_logged = (struct worker_counts){ .accepted = 0 };
        t->auth.n_held = 0;
        t->auth.holds = false;
        t->mta.messages = 0;
        buf_clear(&t->mta.heard);
        settle(w->loop);
}

/* The client's end of a new conversation. */
static inline int a_worker_dial(struct a_worker *t, enum edge_role role)
{
        static struct setup_listener listeners[EDGE_ROLE_COUNT];
        struct addr peer = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7 } };
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == -1)
                panic("test: no sockets");
        listeners[role] = (struct setup_listener){ .fd = -1, .role = role };
        session_new(&t->w, &listeners[role], ends[0], &peer, 40000);
        return ends[1];
}

static inline void a_worker_send(struct a_worker *t, int fd, struct slice bytes)
{
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        (void)n; /* a worker that hung up is what the test looks at */
        settle(t->w.loop);
}

/* What came, as text. */
static inline const char *a_worker_hear(struct a_worker *t, int fd, struct buf *out)
{
        char piece[4096];
        ssize_t n;
        settle(t->w.loop);
        buf_clear(out);
        while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
                buf_add(out, (struct slice){ piece, (size_t)n });
        return buf_cstr(out);
}
