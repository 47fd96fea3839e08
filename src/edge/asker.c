/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/asker.h"
#include "auth/wire.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/un.h>

enum { DIGEST = 32, WAYS = 4, IN_MOST = AUTH_REPLY_MOST + IO_KEPT_MOST };

#define AGAIN (300 * INT64_C(1000))

struct question {
        struct asker *asker;
        asker_told *told;
        void *arg;
        int64_t id, until;
        struct question *next, *before;
        uint8_t digest[DIGEST];
        bool forgotten;
};

/* What was answered lately. */
struct memory {
        uint8_t digest[DIGEST];
        int64_t until; /* 0: free */
        enum asker_answer answer;
        struct account *account; /* NULL of a domain */
};

struct asker {
        struct loop *loop;
        struct sockaddr_un to;
        struct io *io;
        struct watch *tick;
        struct question *open;
        size_t n;
        int64_t last_id, again; /* again: when to try to connect anew */
        int64_t keep;
        uint8_t key[16];
        bool connected, away;
        struct buf out; /* not yet connected: what will be sent; wiped */
        struct buf in;  /* the beginning of an answer: io joins no pieces */
        struct memory memory[ASKER_REMEMBERS];
};

/* ---- accounts ---- */

static struct slice put_copy(char **at, struct slice s)
{
        memcpy(*at, s.p ? s.p : "", s.n);
        struct slice copy = { *at, s.n };
        *at += s.n;
        return copy;
}

struct account *account_copy(const struct account *a)
{
        size_t bytes = a->address.n + a->subscriber.n + a->weak.n;
        for (size_t i = 0; i < a->n_senders; i++)
                bytes += a->senders[i].n;
        struct account *c = xmalloc(sizeof *c + a->n_senders * sizeof(struct slice) + bytes);
        char *at = (char *)(c + 1) + a->n_senders * sizeof(struct slice);
        *c = *a;
        c->senders = (struct slice *)(c + 1);
        c->address = put_copy(&at, a->address);
        c->subscriber = put_copy(&at, a->subscriber);
        c->weak = put_copy(&at, a->weak);
        for (size_t i = 0; i < a->n_senders; i++)
                c->senders[i] = put_copy(&at, a->senders[i]);
        return c;
}

bool account_may_write_as(const struct account *a, struct slice address)
{
        return auth_may_write_as(a->senders, a->n_senders, address);
}

/* ---- what is remembered ---- */

static void digest_of(const struct asker *a, struct slice kind, struct slice first, struct slice second,
                      uint8_t ret[DIGEST])
{
        uint8_t text[AUTH_LOGIN_MOST + AUTH_PASSWORD_MOST + 16];
        size_t n = 0;
        const struct slice parts[] = { kind, first, second };
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
                memcpy(text + n, parts[i].p ? parts[i].p : "", parts[i].n);
                n += parts[i].n;
                text[n++] = 0; /* none of them holds one */
        }
        if (!HMAC(EVP_sha256(), a->key, sizeof a->key, text, n, ret, NULL))
                panic("out of memory (HMAC)");
        explicit_bzero(text, sizeof text);
}

static struct memory *set_of(struct asker *a, const uint8_t digest[DIGEST])
{
        uint32_t n;
        memcpy(&n, digest, sizeof n);
        return a->memory + n % (ASKER_REMEMBERS / WAYS) * WAYS;
}

static const struct memory *recall(struct asker *a, const uint8_t digest[DIGEST])
{
        struct memory *set = set_of(a, digest);
        for (size_t i = 0; i < WAYS; i++)
                if (set[i].until > time_monotonic() && memcmp(set[i].digest, digest, DIGEST) == 0)
                        return &set[i];
        return NULL;
}

/* In the place of the one that is over first. */
static void remember(struct asker *a, const uint8_t digest[DIGEST], enum asker_answer answer,
                     const struct account *account)
{
        struct memory *set = set_of(a, digest), *oldest = set;
        for (size_t i = 1; i < WAYS; i++)
                if (set[i].until < oldest->until)
                        oldest = &set[i];
        free(oldest->account);
        *oldest = (struct memory){ .until = time_monotonic() + a->keep,
                                   .answer = answer,
                                   .account = account ? account_copy(account) : NULL };
        memcpy(oldest->digest, digest, DIGEST);
}

/* ---- questions ---- */

static void question_end(struct question *q)
{
        struct asker *a = q->asker;
        if (q->before)
                q->before->next = q->next;
        else
                a->open = q->next;
        if (q->next)
                q->next->before = q->before;
        a->n--;
        free(q);
}

static void tell(struct question *q, enum asker_answer answer, struct account *account)
{
        asker_told *told = q->told;
        void *arg = q->arg;
        bool forgotten = q->forgotten;
        question_end(q);
        if (forgotten)
                free(account);
        else
                told(arg, answer, account);
}

static void away(struct asker *a, const char *why)
{
        if (!a->away)
                log_event("auth-away", "asked=%zu why=\"%s\"", a->n, why);
        a->away = true;
        a->connected = false;
        a->again = time_monotonic() + AGAIN;
        io_free(take(a->io));
        auth_wipe(&a->out);
        buf_clear(&a->out);
        buf_clear(&a->in);
        int64_t last = a->last_id; /* those asked meanwhile are of the next connection */
        for (struct question *q = a->open, *next; q; q = next) {
                next = q->next;
                if (q->id <= last) {
                        tell(q, ASKER_UNAVAILABLE, NULL);
                        next = a->open; /* who was told may have forgotten others */
                }
        }
}

static struct question *find(struct asker *a, int64_t id)
{
        for (struct question *q = a->open; q; q = q->next)
                if (q->id == id)
                        return q;
        return NULL;
}

static struct account account_of(struct auth_reply *r)
{
        return (struct account){ .mailbox = r->mailbox,
                                 .address = r->address,
                                 .subscriber = r->subscriber,
                                 .suspended = r->suspended,
                                 .senders_cut = r->senders_cut,
                                 .weak = r->weak,
                                 .messages_hour = r->limits[AUTH_LIMIT_MESSAGES_HOUR],
                                 .messages_day = r->limits[AUTH_LIMIT_MESSAGES_DAY],
                                 .recipients_hour = r->limits[AUTH_LIMIT_RECIPIENTS_HOUR],
                                 .recipients_day = r->limits[AUTH_LIMIT_RECIPIENTS_DAY],
                                 .senders = r->senders,
                                 .n_senders = r->n_senders };
}

static void answered(struct asker *a, struct auth_reply *r)
{
        static const enum asker_answer answers[] = { [AUTH_VERDICT_NO] = ASKER_NO,
                                                     [AUTH_VERDICT_YES] = ASKER_YES,
                                                     [AUTH_VERDICT_UNAVAILABLE] = ASKER_UNAVAILABLE };
        struct question *q = find(a, r->id);
        if (!q)
                return;
        enum asker_answer answer = answers[r->verdict];
        bool account = answer == ASKER_YES && r->verb == AUTH_CHECK;
        struct account who = account_of(r);
        /* Who is suspended asks again as soon as he was told that he is not any more. */
        bool good = account && !who.suspended;
        if (good || (r->verb == AUTH_DOMAIN && answer != ASKER_UNAVAILABLE))
                remember(a, q->digest, answer, account ? &who : NULL);
        tell(q, answer, account ? account_copy(&who) : NULL);
}

static size_t on_bytes(void *arg, struct slice all)
{
        struct asker *a = arg;
        static struct auth_reply r; /* large; nothing of it outlives answered() */
        int64_t n = 0;
        buf_add(&a->in, all);
        struct slice in = buf_slice(&a->in);
        while (!a->in.full && (n = auth_reply_get(in, &r)) > 0) {
                in = slice_from(in, (size_t)n);
                answered(a, &r);
        }
        if (n < 0 || a->in.full) {
                away(a, "the answer is malformed");
                return all.n;
        }
        if (in.n)
                memmove(a->in.p, in.p, in.n);
        a->in.n = in.n;
        return all.n;
}

static void on_ready(void *arg)
{
        struct asker *a = arg;
        if (a->away)
                log_event("auth-back", "asked=%zu", a->n);
        a->away = false;
        a->connected = true;
        if (a->out.n)
                io_write(a->io, buf_slice(&a->out));
        auth_wipe(&a->out);
        buf_clear(&a->out);
}

static void on_ended(void *arg, enum io_end why)
{
        away(arg, io_end_name(why));
}

static const struct io_events auth_events = { .bytes = on_bytes, .ready = on_ready, .ended = on_ended };

static bool connected(struct asker *a)
{
        if (a->io)
                return true;
        if (time_monotonic() < a->again)
                return false;
        a->io = io_connect(a->loop, (struct sockaddr *)&a->to, sizeof a->to, NULL, 0, &auth_events, a);
        if (!a->io) {
                a->again = time_monotonic() + AGAIN;
                if (!a->away)
                        log_event("auth-away", "asked=%zu why=\"nobody listens\"", a->n);
                a->away = true;
                return false;
        }
        io_secret(a->io);
        return true;
}

static struct question *ask(struct asker *a, struct auth_question *wanted, const uint8_t digest[DIGEST],
                            asker_told *told, void *arg)
{
        size_t before = a->out.n;
        bool room = a->n < ASKER_MOST && connected(a);
        wanted->id = a->last_id + 1;
        if (room)
                auth_question_put(&a->out, wanted);
        if (!room || a->out.full) { /* half a frame would end the connection, and what all others asked on it */
                a->out.n = before;
                a->out.full = false;
                told(arg, ASKER_UNAVAILABLE, NULL);
                return NULL;
        }
        struct question *q = xcalloc(1, sizeof *q);
        *q = (struct question){ .asker = a,
                                .told = told,
                                .arg = arg,
                                .id = ++a->last_id,
                                .until = time_monotonic() + ASKER_PATIENCE,
                                .next = a->open };
        memcpy(q->digest, digest, DIGEST);
        if (a->open)
                a->open->before = q;
        a->open = q;
        a->n++;
        if (a->connected) {
                io_write(a->io, buf_slice(&a->out)); /* past its backlog nothing is asked, and the time runs out */
                auth_wipe(&a->out);
                buf_clear(&a->out);
        }
        return q;
}

struct question *asker_check(struct asker *a, struct slice login, struct slice password, asker_told *told, void *arg)
{
        uint8_t digest[DIGEST];
        if (login.n > AUTH_LOGIN_MOST || password.n > AUTH_PASSWORD_MOST) {
                told(arg, ASKER_NO, NULL);
                return NULL;
        }
        digest_of(a, S("login"), login, password, digest);
        const struct memory *m = recall(a, digest);
        if (m) {
                told(arg, m->answer, account_copy(m->account));
                return NULL;
        }
        struct auth_question wanted = { .verb = AUTH_CHECK, .login = login, .password = password };
        return ask(a, &wanted, digest, told, arg);
}

struct question *asker_domain(struct asker *a, struct slice domain, asker_told *told, void *arg)
{
        uint8_t digest[DIGEST];
        if (domain.n > AUTH_DOMAIN_MOST) {
                told(arg, ASKER_NO, NULL);
                return NULL;
        }
        digest_of(a, S("domain"), domain, S(""), digest);
        const struct memory *m = recall(a, digest);
        if (m) {
                told(arg, m->answer, NULL);
                return NULL;
        }
        struct auth_question wanted = { .verb = AUTH_DOMAIN, .domain = domain };
        return ask(a, &wanted, digest, told, arg);
}

struct question *asker_sending(struct asker *a, const struct account *account, asker_told *told, void *arg)
{
        static const uint8_t nothing[DIGEST];
        struct auth_question wanted = { .verb = AUTH_SENDING,
                                        .mailbox = account->mailbox,
                                        .address = account->address };
        return ask(a, &wanted, nothing, told, arg);
}

void asker_forget(struct question *q)
{
        if (q)
                q->forgotten = true;
}

static void on_tick(void *arg)
{
        struct asker *a = arg;
        int64_t now = time_monotonic();
        for (struct question *q = a->open, *next; q; q = next) {
                next = q->next;
                if (q->until <= now) {
                        tell(q, ASKER_UNAVAILABLE, NULL);
                        next = a->open;
                }
        }
        watch_again(a->tick, SECOND);
}

struct asker *asker_new(struct loop *l, const char *socket, const uint8_t key[16])
{
        struct asker *a = xcalloc(1, sizeof *a);
        a->loop = l;
        a->to.sun_family = AF_UNIX;
        snprintf(a->to.sun_path, sizeof a->to.sun_path, "%s", socket);
        memcpy(a->key, key, sizeof a->key);
        a->keep = ASKER_KEEP;
        buf_init(&a->in, IN_MOST);
        buf_init(&a->out, IO_BACKLOG);
        auth_reserve(&a->out, IO_BACKLOG);
        a->tick = loop_timer(l, SECOND, on_tick, a);
        return a;
}

void asker_keep(struct asker *a, int64_t us)
{
        a->keep = us;
}

void asker_free(struct asker *a)
{
        if (!a)
                return;
        while (a->open)
                question_end(a->open);
        for (size_t i = 0; i < ASKER_REMEMBERS; i++)
                free(a->memory[i].account);
        io_free(a->io);
        watch_free(a->tick);
        auth_wipe(&a->out);
        buf_done(&a->out);
        buf_done(&a->in);
        explicit_bzero(a->key, sizeof a->key);
        free(a);
}
