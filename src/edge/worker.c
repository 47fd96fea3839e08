/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/worker.h"
#include "base/confine.h"
#include "base/log.h"
#include "edge/session.h"
#include "edge/trap.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

enum {
        ACCEPTS_MOST = 64,
        TEXT_MOST = 1024,
        STATUS_SYSTEM = 3,
        COMMANDS_MOST = 1000,
        ERRORS_MOST = 20,
        MESSAGES_MOST = 1000
};

#define COUNTS_EVERY MINUTE

int64_t worker_now(void)
{
        return time_now();
}

/* ---- accepting ---- */

static bool peer_of(const struct sockaddr_storage *from, struct addr *addr, uint16_t *port)
{
        if (from->ss_family == AF_INET6) {
                const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
                memcpy(addr->b, &v6->sin6_addr, 16);
                *port = ntohs(v6->sin6_port);
                return true;
        }
        if (from->ss_family != AF_INET)
                return false;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        memset(addr->b, 0, 10);
        memset(addr->b + 10, 0xff, 2);
        memcpy(addr->b + 12, &v4->sin_addr, 4);
        *port = ntohs(v4->sin_port);
        return true;
}

struct door {
        struct worker *worker;
        const struct setup_listener *listener;
};
static struct door doors[SETUP_LISTENERS_MOST];

static bool in_legacy(const struct worker *w, const struct setup_listener *l, const struct addr *a)
{
        const struct policy_legacy *p = &w->policy->legacies[l->legacy];
        if (worker_now() >= p->until)
                return false;
        for (size_t i = 0; i < p->n_from; i++)
                if (prefix_has(&p->from[i], a))
                        return true;
        return false;
}

/* Anybody who reaches the socket may come as often as he likes: a line a second is enough, the counter has them all. */
static void refuse_legacy(struct worker *w, const struct setup_listener *l, const struct addr *peer)
{
        char text[ADDR_TEXT_MAX];
        int64_t now = time_monotonic();
        w->n.refused_legacy++;
        if (now - w->legacy_logged < SECOND)
                return;
        w->legacy_logged = now;
        log_event("legacy-refused", "src=%s listener=\"%.*s\" so_far=%llu", addr_print(peer, text),
                  SLICE_ARGS(w->policy->legacies[l->legacy].name), (unsigned long long)w->n.refused_legacy);
}

static void watch_listeners(struct worker *w, int what)
{
        for (size_t i = 0; i < w->setup.n_listeners; i++)
                if (w->listeners[i])
                        watch_set(w->listeners[i], what);
}

/* The kernel's queue keeps them until somebody goes; meanwhile those who are here are served, not the loop turned. */
static void pause_accepting(struct worker *w)
{
        log_event("out-of-descriptors", "sessions=%zu action=accept-later why=\"%s\"", w->n_sessions, strerror(errno));
        w->full = true;
        watch_listeners(w, 0);
}

static void on_accept(void *arg, int what)
{
        struct door *d = arg;
        struct addr peer;
        uint16_t port;
        (void)what;
        for (int i = 0; i < ACCEPTS_MOST; i++) {
                struct sockaddr_storage from;
                socklen_t n = sizeof from;
                int fd = accept4(d->listener->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd == -1) {
                        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                                pause_accepting(d->worker);
                        return;
                }
                if (!peer_of(&from, &peer, &port)) {
                        close(fd);
                        continue;
                }
                if (d->listener->role == EDGE_LEGACY && !in_legacy(d->worker, d->listener, &peer)) {
                        refuse_legacy(d->worker, d->listener, &peer);
                        close(fd);
                        continue;
                }
                session_new(d->worker, d->listener, fd, &peer, port);
        }
}

static void stop_accepting(struct worker *w)
{
        for (size_t i = 0; i < w->setup.n_listeners; i++) {
                watch_free(take(w->listeners[i]));
                if (w->setup.listeners[i].fd != -1)
                        close(w->setup.listeners[i].fd);
                w->setup.listeners[i].fd = -1;
        }
}

/* ---- ending ---- */

static void end_if_empty(struct worker *w)
{
        if ((w->draining || w->stopping) && w->n_sessions == 0 && facts_quiet(w->facts))
                loop_stop(w->loop, 0);
}

static void on_end(void *arg)
{
        struct worker *w = arg;
        log_event("ended-with", "sessions=%zu facts=%zu", w->n_sessions, facts_counts(w->facts).waiting);
        loop_stop(w->loop, 0);
}

/* All but who has a message under way. */
static void stop_idle(struct worker *w)
{
        for (struct session *s = w->sessions, *next; s; s = next) {
                next = s->next;
                if (!session_busy(s))
                        session_stop(s);
        }
}

static void drain(struct worker *w, bool stop)
{
        if (w->stopping || (w->draining && !stop))
                return;
        log_event(stop ? "stopping" : "draining", "sessions=%zu", w->n_sessions);
        stop_accepting(w);
        w->draining = true;
        w->stopping = stop;
        watch_free(w->end);
        w->end = loop_timer(w->loop, stop ? WORKER_STOP : WORKER_DRAIN, on_end, w);
        if (stop)
                stop_idle(w);
        end_if_empty(w);
}

static void on_control(void *arg, int what)
{
        struct worker *w = arg;
        char said;
        (void)what;
        ssize_t n = recv(w->setup.control, &said, 1, MSG_DONTWAIT);
        if (n == -1 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n == 1 && said == 'd') {
                drain(w, false);
                return;
        }
        if (n <= 0)
                watch_free(take(w->control));
        drain(w, true);
}

static void on_signal(void *arg)
{
        drain(arg, true);
}

/* ---- the clock ---- */

static void log_counts(struct worker *w)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        struct hops_counts h = hops_counts(w->hops);
        struct facts_counts f = facts_counts(w->facts);
#define COUNT_PUT(name) buf_addf(&text, #name "=%llu ", (unsigned long long)w->n.name);
        WORKER_COUNTS(COUNT_PUT)
        log_event("edge-counts",
                  "worker=%lld %ssessions=%zu in_trap=%zu mta_connects=%llu mta_reuses=%llu mta_failures=%llu "
                  "mta_waits=%llu facts=%llu facts_lost=%llu table_evicted=%llu",
                  (long long)w->setup.worker, buf_cstr(&text), w->n_sessions, w->n_trapped,
                  (unsigned long long)h.connects, (unsigned long long)h.reuses, (unsigned long long)h.failures,
                  (unsigned long long)h.waits, (unsigned long long)f.stored, (unsigned long long)f.lost,
                  (unsigned long long)(w->counts ? window_evicted(w->counts) : 0));
        w->n_logged = w->n;
}

/* A dated exception ends at its date, not with the process. */
static void keep_dates(struct worker *w, int64_t now)
{
        struct smtp_rules *divert = &w->rules[EDGE_DIVERT];
        divert->auth_without_tls = now < w->policy->edge.plain_auth_until;
        divert->needs_tls = !divert->auth_without_tls;
}

static void on_tick(void *arg)
{
        struct worker *w = arg;
        int64_t now = time_monotonic();
        trap_tick(w);
        if (now - w->counts_logged >= COUNTS_EVERY && memcmp(&w->n, &w->n_logged, sizeof w->n) != 0) {
                w->counts_logged = now;
                log_counts(w);
        }
        if (w->full)
                watch_listeners(w, LOOP_READ);
        w->full = false;
        keep_dates(w, worker_now());
        if (w->stopping)
                stop_idle(w);
        end_if_empty(w);
        watch_again(w->tick, DRIP_TICK);
}

/* ---- the rules of the roles ---- */

static struct slice keep_text(struct worker *w, size_t at, struct buf *b)
{
        w->texts[at] = buf_take(b);
        return slice_of(w->texts[at]);
}

/* What a diverted customer is told, with the page that helps. */
static struct slice divert_words(struct worker *w, size_t at)
{
        autobuf b;
        buf_init(&b, TEXT_MOST);
        bool pt = w->language == SMTP_PORTUGUESE;
        buf_adds(&b, pt ? "A porta 25 e so para servidores. No seu programa de e-mail use a porta 587 ou 465, com "
                          "usuario e senha"
                        : "Port 25 is for servers. In your mail program use port 587 or 465, with login and password");
        if (w->policy->edge.help.n) {
                buf_addc(&b, '\n');
                buf_add(&b, w->policy->edge.help);
        }
        return keep_text(w, at, &b);
}

static void make_rules(struct worker *w)
{
        const struct policy_edge *e = &w->policy->edge;
        unsigned mail = SMTP_EXT_PIPELINING | SMTP_EXT_8BITMIME | SMTP_EXT_SIZE | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN |
                        SMTP_EXT_ENHANCED | SMTP_EXT_LIMITS;
        unsigned tls = w->tls ? SMTP_EXT_STARTTLS : 0;
        struct smtp_rules base = { .host = e->name,
                                   .language = w->language,
                                   .size_most = (uint64_t)e->size,
                                   .rcpts_most = (uint32_t)e->recipients,
                                   .messages_most = MESSAGES_MOST,
                                   .commands_most = COMMANDS_MOST,
                                   .errors_most = ERRORS_MOST,
                                   .command_wait = 5 * MINUTE,
                                   .data_wait = 3 * MINUTE,
                                   .conversation_wait = 30 * MINUTE };
        struct smtp_rules *submission = &w->rules[EDGE_SUBMISSION], *divert = &w->rules[EDGE_DIVERT],
                          *trap = &w->rules[EDGE_TRAP], *legacy = &w->rules[EDGE_LEGACY];
        *submission = *divert = *trap = *legacy = base;
        submission->offers = mail | tls | SMTP_EXT_AUTH;
        submission->needs_tls = submission->needs_auth = true;
        w->tls_rules = *submission;
        w->tls_rules.tls_at_once = true;
        w->tls_rules.offers &= ~(unsigned)SMTP_EXT_STARTTLS;
        *divert = *submission;
        divert->tls_words = divert->auth_words = divert_words(w, 0);
        keep_dates(w, worker_now());
        trap->offers = SMTP_EXT_PIPELINING | SMTP_EXT_8BITMIME | SMTP_EXT_SIZE | SMTP_EXT_ENHANCED;
        trap->errors_most = 0;
        legacy->offers = mail | tls;
        autobuf hello;
        buf_init(&hello, TEXT_MOST);
        buf_addf(&hello, "220-%.*s\r\n", SLICE_ARGS(e->name));
        w->trap_hello = keep_text(w, 1, &hello);
}

static void make_hops(struct worker *w)
{
        const struct policy_edge *e = &w->policy->edge;
        struct hops_rules *r = &w->hops_rules;
        w->deliver.path = w->setup.deliver_socket;
        *r = (struct hops_rules){ .mtas = e->maildir.n ? &w->deliver : e->mtas,
                                  .n = e->maildir.n ? 1 : e->n_mtas,
                                  .smtp = { .helo = e->name,
                                            .tls =
                                                e->maildir.n ? SMTP_TLS_NEVER : (enum smtp_client_tls)e->next_hop_tls },
                                  .identify = e->maildir.n ? EDGE_IDENTIFY_XCLIENT : e->identify,
                                  .language = w->language };
        if (r->smtp.tls != SMTP_TLS_NEVER)
                r->tls = tls_client();
        w->hops = hops_new(w->loop, r);
}

/* ---- the beginning ---- */

static int fail(const char *what, const char *why)
{
        fprintf(stderr, "porteiro-edge: %s: %s\n", what, why);
        return STATUS_SYSTEM;
}

static int read_policy(struct worker *w)
{
        autodiags *d = diags_new();
        autobuf text;
        buf_init(&text, 64 << 10);
        w->policy = policy_parse(&(struct policy_input){ .name = S("generation"), .text = w->setup.policy }, d);
        if (w->policy)
                return 0;
        diags_print(d, &text);
        return fail("the policy", buf_cstr(&text));
}

static int read_certificates(struct worker *w)
{
        autobuf why;
        buf_init(&why, 16 << 10);
        if (!w->setup.n_certificates)
                return 0;
        w->tls = tls_new(w->setup.certificates, w->setup.n_certificates, &why);
        for (size_t i = 0; i < w->setup.n_certificates; i++) /* OpenSSL has its own copy, and one is enough */
                explicit_bzero((char *)w->setup.certificates[i].key.p, w->setup.certificates[i].key.n);
        if (why.n) {
                autobuf text;
                buf_init(&text, LOG_LINE_MOST);
                log_event("certificate-left-out", "why=%s", log_text(&text, buf_slice(&why)));
        }
        return 0;
}

static int join_counts(struct worker *w)
{
        if (w->setup.counts == -1)
                return 0;
        void *memory = mmap(NULL, w->setup.counts_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, w->setup.counts, 0);
        if (memory == MAP_FAILED)
                return fail("the table of counts", strerror(errno));
        w->counts = window_join(memory, w->setup.counts_bytes);
        return w->counts ? 0 : fail("the table of counts", "it is none");
}

/* Of the network's zone, as it is now. */
static int zone_minutes(void)
{
        time_t now = time(NULL);
        struct tm local;
        localtime_r(&now, &local);
        return (int)(local.tm_gmtoff / 60);
}

int worker_open(struct worker *w, struct setup *setup)
{
        w->setup = *setup;
        int failed = read_policy(w);
        failed = failed ? failed : read_certificates(w);
        failed = failed ? failed : join_counts(w);
        if (failed)
                return failed;
        for (size_t i = 0; i < w->setup.n_listeners; i++)
                if (w->setup.listeners[i].role == EDGE_LEGACY && w->setup.listeners[i].legacy >= w->policy->n_legacies)
                        return fail("the setup", "it has a listener that the policy has not");
        if (getrandom(w->key, sizeof w->key, 0) != (ssize_t)sizeof w->key)
                panic("no random numbers");
        memcpy(w->sketch_key, w->setup.sketch_key.p, sizeof w->sketch_key);
        w->language = slice_starts(w->policy->network.language, S("pt")) ? SMTP_PORTUGUESE : SMTP_ENGLISH;
        w->zone_minutes = zone_minutes();
        w->loop = loop_new();
        autofree char *keeper = slice_dup(w->setup.keeper_socket), *auth = slice_dup(w->setup.auth_socket);
        w->facts = facts_new(w->loop, keeper);
        w->asker = asker_new(w->loop, auth, w->key);
        make_rules(w);
        make_hops(w);
        w->tick = loop_timer(w->loop, DRIP_TICK, on_tick, w);
        return 0;
}

static void listen_all(struct worker *w)
{
        for (size_t i = 0; i < w->setup.n_listeners; i++) {
                const struct setup_listener *l = &w->setup.listeners[i];
                if (l->role == EDGE_SUBMISSION && !w->tls)
                        log_event("no-certificate", "role=submission tls=%s action=\"421 to all\"",
                                  l->tls ? "yes" : "no");
                doors[i] = (struct door){ w, l };
                w->listeners[i] = loop_fd(w->loop, l->fd, LOOP_READ, on_accept, &doors[i]);
        }
        w->control = loop_fd(w->loop, w->setup.control, LOOP_READ, on_control, w);
        loop_signal(w->loop, SIGTERM, on_signal, w);
        loop_signal(w->loop, SIGINT, on_signal, w);
}

void worker_close(struct worker *w)
{
        while (w->sessions)
                session_free(w->sessions);
        log_counts(w);
        hops_free(w->hops);
        asker_free(w->asker);
        facts_free(w->facts);
        loop_free(w->loop);
        trap_done(w);
        map_done(&w->peers);
        tls_free(w->tls);
        policy_free(w->policy);
        for (size_t i = 0; i < COUNT_OF(w->texts); i++)
                free(w->texts[i]);
        if (w->counts)
                munmap(w->counts, w->setup.counts_bytes);
        setup_done(&w->setup);
}

int worker_run(struct setup *setup)
{
        static struct worker worker;
        struct worker *w = &worker;
        autobuf why;
        int landlock = 0;
        buf_init(&why, 4096);
        int failed = worker_open(w, setup);
        if (failed)
                return failed;
        if (confine(w->setup.filter, &landlock, &why) != 0)
                return fail("cannot lock itself in", buf_cstr(&why));
        listen_all(w);
        log_event("edge-ready", "worker=%lld listeners=%zu landlock=%d", (long long)w->setup.worker,
                  w->setup.n_listeners, landlock);
        ssize_t n = send(w->setup.control, "r", 1, MSG_NOSIGNAL);
        (void)n; /* a host that is gone is seen at the next read */
        int status = loop_run(w->loop);
        worker_close(w);
        return status;
}
