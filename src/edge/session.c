/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/session.h"
#include "base/log.h"
#include "edge/carry.h"
#include "edge/login.h"
#include "edge/trap.h"
#include "guard/sketch.h"

#include <netinet/in.h>
#include <openssl/ssl.h>

enum { OUT_MOST = 64 << 10, HELO_SHOWN = 128 };

static size_t on_bytes(void *arg, struct slice all);
static void on_ready(void *arg);
static void on_late(void *arg);
static void on_ended(void *arg, enum io_end why);

static const struct io_events session_events = {
        .bytes = on_bytes, .ready = on_ready, .late = on_late, .ended = on_ended
};

/* ---- counting connections ---- */

struct peer {
        struct addr addr;
        uint32_t n;
};

static struct addr peer_key(const struct addr *a)
{
        return addr_is_v4(a) ? *a : addr_mask(*a, 64);
}

/* False: it has as many as one may have. */
static bool peer_add(struct worker *w, const struct addr *a)
{
        struct addr key = peer_key(a);
        struct peer *p = map_find(&w->peers, (struct slice){ (const char *)&key, sizeof key });
        if (p && p->n >= (uint64_t)w->policy->edge.each)
                return false;
        if (!p) {
                p = xcalloc(1, sizeof *p);
                p->addr = key;
                map_put(&w->peers, (struct slice){ (const char *)&p->addr, sizeof p->addr }, p);
        }
        p->n++;
        return true;
}

static void peer_drop(struct worker *w, const struct addr *a)
{
        struct addr key = peer_key(a);
        struct slice name = { (const char *)&key, sizeof key };
        struct peer *p = map_find(&w->peers, name);
        if (p && --p->n == 0) {
                map_drop(&w->peers, name);
                free(p);
        }
}

/* ---- birth and death ---- */

static void destination(struct session *s)
{
        struct sockaddr_storage at = { 0 };
        socklen_t n = sizeof at;
        getsockname(io_fd(s->io), (struct sockaddr *)&at, &n);
        if (at.ss_family == AF_INET6) {
                const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at;
                memcpy(s->dest.b, &v6->sin6_addr, 16);
                s->dest_port = ntohs(v6->sin6_port);
        } else if (at.ss_family == AF_INET) {
                const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at;
                memset(s->dest.b + 10, 0xff, 2);
                memcpy(s->dest.b + 12, &v4->sin_addr, 4);
                s->dest_port = ntohs(v4->sin_port);
        }
}

static const struct smtp_rules *rules_of(const struct worker *w, const struct setup_listener *l)
{
        return l->tls ? &w->tls_rules : &w->rules[l->role];
}

static const struct role *role_of(enum edge_role r)
{
        static const struct role *const roles[] = { [EDGE_SUBMISSION] = &role_carry,
                                                    [EDGE_DIVERT] = &role_divert,
                                                    [EDGE_TRAP] = &role_trap,
                                                    [EDGE_LEGACY] = &role_carry };
        return roles[r];
}

static uint64_t next_id(struct worker *w)
{
        uint64_t n = ++w->next_id;
        return hash_with_key(w->key, (struct slice){ (const char *)&n, sizeof n });
}

static void say_and_close(int fd, const char *text)
{
        ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)n; /* who hears nothing sees the end */
        close(fd);
}

void session_new(struct worker *w, const struct setup_listener *l, int fd, const struct addr *peer, uint16_t port)
{
        const struct policy_edge *e = &w->policy->edge;
        bool trap = l->role == EDGE_TRAP;
        w->n.accepted++;
        if (l->role == EDGE_SUBMISSION && !w->tls) { /* the socket is open, and somebody must say so */
                w->n.refused_no_tls++;
                say_and_close(fd, "421 4.3.5 TLS is not available now, try again later\r\n");
                return;
        }
        if (trap ? w->n_trapped >= (uint64_t)e->trap_connections && w->n_hurried >= HURRIED_MOST
                 : w->n_sessions - w->n_trapped - w->n_hurried >= (uint64_t)e->connections) {
                w->n.refused_full++;
                say_and_close(fd, "421 4.3.2 Too many connections, try again later\r\n");
                return;
        }
        if (!trap && !peer_add(w, peer)) {
                w->n.refused_each++;
                say_and_close(fd, "421 4.7.0 Too many connections from you, try again later\r\n");
                return;
        }
        struct session *s = xcalloc(1, sizeof *s);
        *s = (struct session){ .worker = w,
                               .next = w->sessions,
                               .role = role_of(l->role),
                               .listener = l,
                               .peer = *peer,
                               .peer_port = port,
                               .began = worker_now(),
                               .slot = -1,
                               .counted = !trap };
        if (w->sessions)
                w->sessions->before = s;
        w->sessions = s;
        w->n_sessions++;
        s->io = io_new(w->loop, fd, &session_events, s);
        destination(s);
        smtp_server_init(&s->smtp, rules_of(w, l), next_id(w), time_monotonic());
        s->role->begin(s);
}

static void destroy(struct session *s)
{
        struct worker *w = s->worker;
        s->role->over(s);
        if (s->role->drips) {
                trap_forget(s);
        } else {
                carry_drop(s);
                login_drop(s);
                free(s->account);
        }
        if (s->counted)
                peer_drop(w, &s->peer);
        if (s->before)
                s->before->next = s->next;
        else
                w->sessions = s->next;
        if (s->next)
                s->next->before = s->before;
        w->n_sessions--;
        w->n_trapped -= s->trapped;
        w->n_hurried -= s->hurried;
        smtp_server_done(&s->smtp);
        io_free(s->io);
        if (!s->io)
                close(s->parked);
        free(s->helo);
        free(s);
}

void session_park(struct session *s)
{
        int fd = s->io ? io_leave(s->io) : -1;
        if (fd == -1)
                return;
        s->io = NULL;
        s->parked = fd;
}

void session_unpark(struct session *s)
{
        if (!s->io)
                s->io = io_new(s->worker->loop, s->parked, &session_events, s);
}

void session_free(struct session *s)
{
        s->freed = true;
        if (!s->running)
                destroy(s);
}

/* This may be the callback of another conversation, which goes through the list of all: its end is told by its own connection. */
void session_cut(struct session *s)
{
        session_unpark(s); /* its end is heard there */
        shutdown(io_fd(s->io), SHUT_RDWR);
}

bool session_busy(const struct session *s)
{
        return !s->role->drips && s->letter && carry_under_way(s);
}

/* ---- out ---- */

static void close_after_words(struct session *s)
{
        if (s->ending)
                return;
        s->ending = true;
        if (s->role->drips)
                trap_forget(s);
        io_finish(s->io, SESSION_LINGER);
}

/* What was said goes out, the timer is set anew. */
static void flush(struct session *s, struct buf *out)
{
        bool closed = s->smtp.state == SMTP_CLOSED;
        if (s->role->drips && s->told && out->n && !closed) {
                trap_drip(s, out);
                return;
        }
        if (out->full || (out->n && !(closed ? io_add : io_write)(s->io, buf_slice(out)))) {
                session_cut(s); /* it never reads */
                return;
        }
        if (closed)
                close_after_words(s);
        else if (!s->role->drips || s->slot == -1) /* who is dripped to has all the time */
                io_deadline(s->io, s->smtp.deadline == TIME_NEVER ? 0 : s->smtp.deadline);
}

/* Runs `work` with a buffer for what is said, and sends that. May free the session. */
static void with_out(struct session *s, void (*work)(struct session *s, void *arg), void *arg)
{
        if (s->out) {
                work(s, arg);
                return;
        }
        autobuf out;
        session_unpark(s);
        buf_init(&out, OUT_MOST);
        s->out = &out;
        s->running = true;
        work(s, arg);
        s->out = NULL;
        if (!s->freed && !s->role->drips)
                carry_flush(s);
        if (!s->freed)
                flush(s, &out);
        s->running = false;
        if (s->freed)
                destroy(s);
}

static void do_answer(struct session *s, void *arg)
{
        smtp_server_answer(&s->smtp, time_monotonic(), arg, s->out);
}

void session_within(struct session *s, void (*work)(struct session *s, void *arg), void *arg)
{
        session_unpark(s);
        if (!s->out)
                io_more(s->io); /* what came meanwhile is looked at after this */
        with_out(s, work, arg);
}

void session_answer(struct session *s, const struct smtp_reply *r)
{
        session_within(s, do_answer, (void *)r);
}

void session_answer_text(struct session *s, enum smtp_text id)
{
        struct smtp_reply r = smtp_text(id, s->worker->language);
        session_answer(s, &r);
}

static void do_greet(struct session *s, void *arg)
{
        (void)arg;
        smtp_server_greet(&s->smtp, time_monotonic(), NULL, s->out);
}

void session_greet(struct session *s)
{
        with_out(s, do_greet, NULL);
}

static void do_stop(struct session *s, void *arg)
{
        (void)arg;
        smtp_server_stop(&s->smtp, s->out);
}

void session_stop(struct session *s)
{
        with_out(s, do_stop, NULL);
}

void session_pause(struct session *s)
{
        s->paused = true;
}

void session_resume(struct session *s)
{
        s->paused = false;
        io_more(s->io);
}

/* ---- in ---- */

static void keep_helo(struct session *s, struct slice name)
{
        free(s->helo);
        s->helo = slice_dup(name);
}

/* What every role does with an event, then what this one does. */
static void handle(struct session *s, const struct smtp_event *e)
{
        if (e->on == SMTP_ON_HELO && !(s->role->drips && s->told)) /* the trap needs it for its fact alone */
                keep_helo(s, e->text);
        s->role->on(s, e);
}

struct input {
        struct slice in;
        bool secret; /* a password stood in it */
};

static bool start_tls(struct session *s)
{
        struct tls *t = s->worker->tls;
        io_write(s->io, buf_slice(s->out));
        buf_clear(s->out);
        io_start_tls(s->io, tls_server(t), true, NULL);
        return true;
}

static void do_run(struct session *s, void *arg)
{
        struct input *i = arg;
        struct smtp_event e;
        while (!s->paused && !s->freed && (!s->role->drips || s->slot == -1 || s->smtp.state == SMTP_NEW) &&
               smtp_server_next(&s->smtp, time_monotonic(), &i->in, s->out, &e) != SMTP_ON_NOTHING) {
                i->secret |= e.on == SMTP_ON_AUTH;
                if (e.on == SMTP_ON_TLS) {
                        start_tls(s);
                        i->in = slice_from(i->in, i->in.n);
                        return;
                }
                handle(s, &e);
        }
}

static size_t on_bytes(void *arg, struct slice all)
{
        struct session *s = arg;
        struct input i = { .in = all };
        bool secret_line = s->smtp.state == SMTP_AUTH;
        with_out(s, do_run, &i);
        size_t taken = all.n - i.in.n;
        if (i.secret || secret_line)
                explicit_bzero((char *)all.p,
                               taken); /* the buffer that it was read into is io's own, and nobody's now */
        return taken;
}

static void do_tls(struct session *s, void *arg)
{
        (void)arg;
        smtp_server_tls(&s->smtp, time_monotonic(), true);
        if (s->smtp.state == SMTP_NEW)
                smtp_server_greet(&s->smtp, time_monotonic(), NULL, s->out);
}

static void on_ready(void *arg)
{
        with_out(arg, do_tls, NULL);
}

static void do_timeout(struct session *s, void *arg)
{
        (void)arg;
        smtp_server_timeout(&s->smtp, s->out);
}

static void on_late(void *arg)
{
        with_out(arg, do_timeout, NULL);
}

static void on_ended(void *arg, enum io_end why)
{
        struct session *s = arg;
        autobuf where, text;
        buf_init(&where, LOG_LINE_MOST);
        buf_init(&text, LOG_LINE_MOST);
        if (why == IO_TLS && !s->ending)
                log_event("tls-failed", "%s why=%s", session_where(s, &where),
                          log_text(&text, slice_of(io_why(s->io))));
        session_free(s);
}

/* ---- words about it ---- */

const char *session_ref(const struct session *s, char out[SMTP_REF_TEXT_MAX])
{
        return smtp_ref_print(s->smtp.id, out);
}

const char *session_where(const struct session *s, struct buf *out)
{
        char ref[SMTP_REF_TEXT_MAX], peer[ADDR_TEXT_MAX], dest[ADDR_TEXT_MAX];
        buf_addf(out, "id=%s role=%s src=%s port=%u dst=%s dport=%u", session_ref(s, ref),
                 edge_role_name(s->listener->role), addr_print(&s->peer, peer), s->peer_port,
                 addr_print(&s->dest, dest), s->dest_port);
        return buf_cstr(out);
}

void session_behaviour(const struct session *s, struct buf *out)
{
        static const struct {
                unsigned bit;
                const char *word;
        } words[] = { { SMTP_DID_TALK_EARLY, "early" },    { SMTP_DID_TALK_AHEAD, "ahead" },
                      { SMTP_DID_HELO, "helo" },           { SMTP_DID_EHLO, "ehlo" },
                      { SMTP_DID_TRY_TLS, "tls" },         { SMTP_DID_TRY_AUTH, "auth" },
                      { SMTP_DID_BARE, "bare" },           { SMTP_DID_HTTP, "http" },
                      { SMTP_DID_TLS_HELLO, "tls-hello" }, { SMTP_DID_BDAT, "bdat" },
                      { SMTP_DID_QUIT, "quit" },           { SMTP_DID_INJECT, "inject" } };
        const char *before = "did=";
        struct slice helo = slice_of(s->helo);
        if (helo.n > HELO_SHOWN) /* escaped it must leave room for what he did */
                helo.n = HELO_SHOWN;
        buf_adds(out, "helo=");
        buf_addc(out, '"');
        buf_add_escaped(out, helo);
        buf_adds(out, "\" ");
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (s->smtp.did & words[i].bit) {
                        buf_addf(out, "%s%s", before, words[i].word);
                        before = ",";
                }
        if (!s->smtp.did)
                buf_adds(out, "did=nothing");
        buf_addf(out, " recipients=%u", s->rcpts);
}

void session_fact(struct session *s, const char *source, struct slice detail)
{
        char hosts[SKETCH_BYTES_MOST];
        struct sketch sketch;
        const struct policy_cgnat *inside = policy_find_inside(s->worker->policy, &s->peer);
        sketch_init(&sketch);
        sketch_add(&sketch, s->worker->sketch_key, (struct slice){ (const char *)s->dest.b, sizeof s->dest.b });
        facts_add(s->worker->facts, &(struct sighting){ .source = slice_of(source),
                                                        .realm = inside ? inside->name : S(""),
                                                        .prefix = { s->peer, 128 },
                                                        .port = s->peer_port,
                                                        .at = s->began,
                                                        .seconds = (worker_now() - s->began) / SECOND,
                                                        .count = 1,
                                                        .strategy = slice_of(edge_role_name(s->listener->role)),
                                                        .hosts = sketch_encode(&sketch, hosts),
                                                        .detail = detail });
        s->told = true;
}
