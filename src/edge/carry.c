/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/carry.h"
#include "base/log.h"
#include "edge/sender.h"
#include "guard/quota.h"
#include "smtp/header.h"

#include <stdio.h>
#include <sys/random.h>

#define STILL_FOR (5 * SECOND)

enum { HEAD_MOST = SMTP_HEADER_MOST + 65536, ADDED_MOST = 2048, SIZE_ADDED = 1024 };

struct letter {
        struct relay *relay;
        char *from;         /* in its one form; "" for the null sender */
        struct slice *rcpt; /* those the MTA took, in their one form */
        char *asked;        /* the one that is asked for */
        size_t n_rcpt, cap_rcpt;
        struct question *still; /* may he still send? NULL: not asked, or answered */
        struct smtp_rcpt held;  /* the recipient that came before the answer */
        char *held_texts;       /* what it points into; NULL: there is none */
        struct smtp_header header;
        struct buf head;
        struct smtp_reply refusal; /* decided while it streams; code 0: none. Constant texts */
        int64_t began;
        uint64_t size;
        bool head_done, streams, ended, waits; /* waits: an answer to the machine is due */
};

/* ---- answers ---- */

static struct smtp_reply refusal(const struct session *s, unsigned code, struct slice enhanced, const char *english,
                                 const char *portuguese)
{
        return (struct smtp_reply){ code, enhanced,
                                    slice_of(s->worker->language == SMTP_PORTUGUESE ? portuguese : english) };
}

static void refuse(struct session *s, unsigned code, struct slice enhanced, const char *english, const char *portuguese)
{
        struct smtp_reply r = refusal(s, code, enhanced, english, portuguese);
        session_answer(s, &r);
}

static void refuse_over_limit(struct session *s)
{
        refuse(s, 452, S("4.7.1"), "You reached your sending limit; try again later",
               "Voce atingiu seu limite de envio; tente mais tarde");
}

static void log_letter(struct session *s, const char *event, const struct smtp_reply *r, const char *more)
{
        autobuf where, reply, login, from;
        const struct letter *l = s->letter;
        buf_init(&where, LOG_LINE_MOST);
        buf_init(&reply, LOG_LINE_MOST);
        buf_init(&login, LOG_LINE_MOST);
        buf_init(&from, LOG_LINE_MOST);
        log_event(event, "%s login=%s from=%s recipients=%zu size=%llu mta=%s ms=%lld code=%u reply=%s%s",
                  session_where(s, &where), log_text(&login, s->account ? s->account->address : S("")),
                  log_text(&from, slice_of(l->from)), l->n_rcpt, (unsigned long long)l->size,
                  l->relay ? relay_mta(l->relay) : "", (long long)((time_monotonic() - l->began) / 1000),
                  r ? r->code : 0, log_text(&reply, r ? r->text : S("")), more);
}

/* ---- the envelope ---- */

bool carry_under_way(const struct session *s)
{
        return s->letter && (s->letter->streams || s->letter->ended);
}

/* Nobody says any more when there is room. */
static void drop_relay(struct session *s)
{
        relay_free(take(s->letter->relay));
        if (s->paused)
                session_resume(s);
}

void carry_drop(struct session *s)
{
        struct letter *l = s->letter;
        if (!l)
                return;
        if (l->ended && l->waits) {
                s->worker->n.unheard++;
                log_letter(s, "message-unheard", NULL,
                           " note=\"the customer went before the answer; the MTA may have it\"");
        }
        drop_relay(s);
        asker_forget(l->still);
        free(l->held_texts);
        for (size_t i = 0; i < l->n_rcpt; i++)
                free((char *)l->rcpt[i].p);
        free(l->rcpt);
        free(l->asked);
        free(l->from);
        smtp_header_done(&l->header);
        buf_done(&l->head);
        free(take(s->letter));
}

static char *canonical(const struct smtp_path *p)
{
        autobuf b;
        buf_init(&b, SMTP_ADDRESS_MOST + 8);
        smtp_path_canonical(p, &b);
        return buf_take(&b);
}

static void on_relay(void *arg, const struct relay_event *e);

enum { LEGACY_LOGIN_MAX = 64 };

/* Whom the MTA is told: it trusts who has a login, and a listener of the policy that vouches for its users is "legacy:NAME". */
static struct slice login_of(const struct session *s, char text[LEGACY_LOGIN_MAX])
{
        if (s->account)
                return s->account->address;
        if (s->listener->role != EDGE_LEGACY)
                return S("");
        snprintf(text, LEGACY_LOGIN_MAX, "legacy:%.*s",
                 SLICE_ARGS(s->worker->policy->legacies[s->listener->legacy].name));
        return slice_of(text);
}

struct who_texts {
        char addr[ADDR_TEXT_MAX + 8], port[8], dest[ADDR_TEXT_MAX + 8], dest_port[8], login[LEGACY_LOGIN_MAX];
};

/* An address of IPv6 is "IPV6:2001:db8::1", as Postfix wants it. */
static struct slice print_address(const struct addr *a, char out[ADDR_TEXT_MAX + 8])
{
        char text[ADDR_TEXT_MAX];
        snprintf(out, ADDR_TEXT_MAX + 8, "%s%s", addr_is_v4(a) ? "" : "IPV6:", addr_print(a, text));
        return slice_of(out);
}

static struct slice print_port(uint16_t port, char out[8])
{
        snprintf(out, 8, "%u", port);
        return slice_of(out);
}

static void who_of(const struct session *s, struct who_texts *texts, struct slice who[SMTP_XCLIENT_COUNT])
{
        memset(who, 0, SMTP_XCLIENT_COUNT * sizeof *who);
        who[SMTP_XCLIENT_ADDR] = print_address(&s->peer, texts->addr);
        who[SMTP_XCLIENT_PORT] = print_port(s->peer_port, texts->port);
        who[SMTP_XCLIENT_DESTADDR] = print_address(&s->dest, texts->dest);
        who[SMTP_XCLIENT_DESTPORT] = print_port(s->dest_port, texts->dest_port);
        who[SMTP_XCLIENT_HELO] = slice_of(s->helo);
        who[SMTP_XCLIENT_PROTO] = s->smtp.esmtp ? S("ESMTP") : S("SMTP");
        who[SMTP_XCLIENT_LOGIN] = login_of(s, texts->login);
}

/* The reference in the refusal leads here. */
static void log_refused(struct session *s, struct slice from, const char *why)
{
        autobuf where, login, text;
        buf_init(&where, LOG_LINE_MOST);
        buf_init(&login, LOG_LINE_MOST);
        buf_init(&text, LOG_LINE_MOST);
        s->worker->n.messages_refused++;
        log_event("sender-refused", "%s login=%s from=%s why=%s", session_where(s, &where),
                  log_text(&login, s->account ? s->account->address : S("")), log_text(&text, from), why);
}

static bool refuse_suspended(struct session *s, struct slice from)
{
        if (!s->account || !s->account->suspended)
                return false;
        log_refused(s, from, "suspended");
        refuse(s, 550, S("5.7.1"), "Sending is suspended for this mailbox; receiving is not",
               "O envio desta caixa postal esta suspenso; o recebimento nao");
        return true;
}

static void do_still(struct session *s, void *arg)
{
        struct letter *l = s->letter;
        enum asker_answer answer = *(enum asker_answer *)arg;
        l->still = NULL;
        if (answer == ASKER_YES)
                s->account->seen = time_monotonic();
        s->account->suspended |= answer == ASKER_NO;
        if (!l->held_texts)
                return;
        autofree char *texts = take(l->held_texts);
        carry_rcpt(s, &l->held);
}

static void on_still(void *arg, enum asker_answer answer, struct account *account)
{
        free(account);
        session_within(arg, do_still, &answer);
}

/* A login lasts as long as its conversation, a suspension does not wait for that. The first recipient waits for the answer; where there is
 * none to be had, the login stands. */
static void ask_still(struct session *s)
{
        struct account *a = s->account;
        if (!a || (a->seen && time_monotonic() - a->seen < STILL_FOR))
                return;
        struct question *q = asker_sending(s->worker->asker, a, on_still, s);
        s->letter->still = q;
}

void carry_mail(struct session *s, const struct smtp_mail *m)
{
        struct who_texts texts;
        struct slice who[SMTP_XCLIENT_COUNT];
        struct smtp_mail mail = *m;
        carry_drop(s);
        autofree char *from = m->from.null ? xstrdup("") : canonical(&m->from);
        if (refuse_suspended(s, slice_of(from)))
                return;
        if (!m->from.null && !sender_allowed(s, slice_of(from))) {
                log_refused(s, slice_of(from), "not-his");
                if (s->account && s->account->senders_cut) { /* it may be one that did not fit */
                        session_answer_text(s, SMTP_TEXT_LATER);
                        return;
                }
                refuse(s, 553, S("5.7.1"), "This sender address does not belong to your login",
                       "Este endereco de remetente nao pertence ao seu usuario");
                return;
        }
        mail.auth = (struct slice){ NULL, 0 };
        mail.size += mail.size ? SIZE_ADDED : 0;
        struct letter *l = s->letter = xcalloc(1, sizeof *l);
        l->from = take(from);
        l->began = time_monotonic();
        who_of(s, &texts, who);
        l->relay = relay_new(s->worker->hops, &mail, who, on_relay, s);
        ask_still(s);
        session_answer(s, NULL);
}

/* ---- how much ---- */

_Static_assert((int)SENDING_LIMITS == QUOTA_LIMIT_COUNT && (int)SENDING_WHOSE == QUOTA_IDENTITY_COUNT,
               "the policy has a number for each limit of each identity");

/* Of a machine behind a legacy listener: what its neighbours at the same address submit with a login is not its sending. */
static struct slice legacy_quota_name(const struct session *s)
{
        static char text[LEGACY_LOGIN_MAX + ADDR_TEXT_MAX + 2]; /* read before the next is asked for */
        char login[LEGACY_LOGIN_MAX], addr[ADDR_TEXT_MAX];
        struct slice name = login_of(s, login);
        struct addr key = addr_is_v4(&s->peer) ? s->peer : addr_mask(s->peer, 64);
        snprintf(text, sizeof text, "%.*s %s", SLICE_ARGS(name), addr_print(&key, addr));
        return slice_of(text);
}

static struct quota_who quota_who_of(const struct session *s)
{
        struct quota_who q = { .address = s->peer };
        const struct account *a = s->account;
        for (size_t whose = 0; whose < QUOTA_IDENTITY_COUNT; whose++)
                memcpy(q.limits[whose].v, s->worker->policy->sending.v[whose], sizeof q.limits[whose].v);
        if (s->listener->role == EDGE_LEGACY) {
                q.login = legacy_quota_name(s);
                q.limits[QUOTA_LOGIN].v[QUOTA_MESSAGES_DAY] =
                    s->worker->policy->legacies[s->listener->legacy].messages_day;
        }
        if (!a)
                return q;
        q.login = a->address;
        q.subscriber = a->subscriber;
        int64_t *v = q.limits[QUOTA_LOGIN].v;
        v[QUOTA_MESSAGES_HOUR] = a->messages_hour;
        v[QUOTA_MESSAGES_DAY] = a->messages_day;
        v[QUOTA_RECIPIENTS_HOUR] = a->recipients_hour;
        v[QUOTA_RECIPIENTS_DAY] = a->recipients_day;
        return q;
}

/* Who is named twice is one recipient. */
static bool named(const struct letter *l, const char *address)
{
        for (size_t i = 0; i < l->n_rcpt; i++)
                if (slice_eq(l->rcpt[i], slice_of(address)))
                        return true;
        return false;
}

/* NULL: it fits; else why not, for the log. */
static const char *over_limit(struct session *s, struct quota_answer *ret)
{
        struct letter *l = s->letter;
        struct quota_who who = quota_who_of(s);
        int64_t invalid = who.limits[QUOTA_LOGIN].v[QUOTA_INVALID_HOUR];
        uint64_t used = quota_used(s->worker->counts, &who, QUOTA_LOGIN, QUOTA_INVALID_HOUR, worker_now());
        if (invalid != LIMIT_NONE && used >= (uint64_t)invalid) {
                *ret = (struct quota_answer){
                        .whose = QUOTA_LOGIN, .limit = QUOTA_INVALID_HOUR, .most = invalid, .used = used
                };
                return quota_limit_words(QUOTA_INVALID_HOUR);
        }
        size_t n = l->n_rcpt + (l->asked && !named(l, l->asked));
        l->rcpt = xgrow(l->rcpt, &l->cap_rcpt, n + 1, sizeof *l->rcpt);
        if (n > l->n_rcpt)
                l->rcpt[l->n_rcpt] = slice_of(l->asked);
        *ret = quota_ask(s->worker->counts, &who, &(struct quota_message){ l->rcpt, n }, worker_now());
        return ret->passes ? NULL : quota_limit_words(ret->limit);
}

static bool within_limits(struct session *s)
{
        struct quota_answer q;
        autobuf where, login;
        buf_init(&where, LOG_LINE_MOST);
        buf_init(&login, LOG_LINE_MOST);
        const char *words = s->worker->counts ? over_limit(s, &q) : NULL;
        if (!words)
                return true;
        s->worker->n.over_limit++;
        log_event("over-limit", "%s login=%s whose=%s limit=\"%s\" most=%lld used=%llu", session_where(s, &where),
                  log_text(&login, s->account ? s->account->address : S("")), quota_identity_name(q.whose), words,
                  (long long)q.most, (unsigned long long)q.used);
        return false;
}

void carry_rcpt(struct session *s, const struct smtp_rcpt *r)
{
        struct letter *l = s->letter;
        if (l->still) {
                l->held_texts = smtp_rcpt_copy(r, &l->held);
                return;
        }
        if (refuse_suspended(s, slice_of(l->from)))
                return;
        if (!l->relay) {
                session_answer_text(s, SMTP_TEXT_MTA_AWAY);
                return;
        }
        free(l->asked);
        l->asked = canonical(&r->to);
        if (!within_limits(s)) {
                free(take(l->asked));
                refuse_over_limit(s);
                return;
        }
        l->waits = true;
        relay_rcpt(l->relay, r);
}

static void count_invalid(struct session *s)
{
        struct quota_who who = quota_who_of(s);
        if (s->worker->counts)
                quota_invalid(s->worker->counts, &who, worker_now());
}

static void on_rcpt_answer(struct session *s, const struct smtp_reply *r)
{
        struct letter *l = s->letter;
        l->waits = false;
        if (r->code < 300 && named(l, l->asked)) {
                free(take(l->asked));
        } else if (r->code < 300) {
                l->rcpt = xgrow(l->rcpt, &l->cap_rcpt, l->n_rcpt + 2, sizeof *l->rcpt);
                l->rcpt[l->n_rcpt++] = slice_of(take(l->asked));
                if (s->rcpts < UINT16_MAX)
                        s->rcpts++;
        } else {
                free(take(l->asked));
                if (r->code >= 500)
                        count_invalid(s);
        }
        session_answer(s, r);
}

/* Who still needs the exception: listed by `sightings --source legacy`, held against nobody. */
static void note_legacy(struct session *s)
{
        const struct policy_legacy *l = &s->worker->policy->legacies[s->listener->legacy];
        autobuf detail;
        buf_init(&detail, LOG_LINE_MOST);
        if (s->told || s->listener->role != EDGE_LEGACY)
                return;
        buf_addf(&detail, "listener=%.*s from=\"", SLICE_ARGS(l->name));
        buf_add_escaped(&detail, slice_of(s->letter->from));
        buf_addc(&detail, '"');
        session_fact(s, "legacy", buf_slice(&detail));
}

/* ---- the message ---- */

void carry_data(struct session *s)
{
        struct letter *l = s->letter;
        if (refuse_suspended(s, slice_of(l->from)))
                return;
        if (!l->relay) {
                session_answer_text(s, SMTP_TEXT_MTA_AWAY);
                carry_drop(s);
                return;
        }
        l->waits = true;
        relay_data(l->relay);
}

static void on_data_answer(struct session *s, const struct smtp_reply *r)
{
        struct letter *l = s->letter;
        l->waits = false;
        l->streams = r->code == 354;
        smtp_header_done(&l->header);
        smtp_header_init(&l->header);
        buf_done(&l->head);
        buf_init(&l->head, HEAD_MOST);
        session_answer(s, l->streams ? NULL : r);
        if (!l->streams) /* the envelope is over, and the MTA's connection is somebody else's */
                carry_drop(s);
}

/* From here on its bytes go nowhere; the answer comes at its end. The MTA's connection is dropped without an end. */
static void spoil(struct session *s, unsigned code, struct slice enhanced, const char *english, const char *portuguese)
{
        s->letter->refusal = refusal(s, code, enhanced, english, portuguese);
        drop_relay(s);
}

static void forward(struct session *s, struct slice bytes)
{
        if (bytes.n && s->letter->relay && !relay_bytes(s->letter->relay, bytes))
                session_pause(s);
}

static bool all_his(struct session *s, const struct smtp_mailboxes *who)
{
        for (size_t i = 0; i < who->n; i++) {
                autofree char *one = canonical(&who->path[i]);
                if (!sender_allowed(s, slice_of(one)))
                        return false;
        }
        return true;
}

/* The author must be his: what the reader's program shows is this, not the envelope. */
static bool author_allowed(struct session *s)
{
        struct smtp_mailboxes who, sender;
        enum smtp_author found = smtp_header_author(&s->letter->header, &who);
        enum smtp_author by = smtp_header_sender(&s->letter->header, &sender);
        if (found == SMTP_AUTHOR_MISSING) {
                spoil(s, 550, S("5.6.0"), "The message has no From", "A mensagem nao tem From");
                return false;
        }
        if (found == SMTP_AUTHOR_UNCLEAR || by == SMTP_AUTHOR_UNCLEAR) {
                spoil(s, 550, S("5.6.0"), "The From or Sender of this message can be read in two ways",
                      "O From ou o Sender desta mensagem e ambiguo");
                return false;
        }
        if (!all_his(s, &who) || !all_his(s, &sender)) {
                spoil(s, 550, S("5.7.1"), "The From (or Sender) address does not belong to your login",
                      "O endereco do From (ou Sender) nao pertence ao seu usuario");
                return false;
        }
        return true;
}

/* Whose it was, for the abuse desk alone: a keyed hash of login, address and time would need a table; the reference finds the log line. */
static void put_received(struct session *s, struct buf *out)
{
        char ref[SMTP_REF_TEXT_MAX];
        smtp_put_received(out, &(struct smtp_trace){ .host = s->smtp.rules->host,
                                                     .token = slice_of(session_ref(s, ref)),
                                                     .id = s->smtp.id,
                                                     .esmtp = s->smtp.esmtp,
                                                     .tls = s->smtp.tls,
                                                     .authenticated = s->smtp.authenticated,
                                                     .utf8 = s->smtp.utf8,
                                                     .now = worker_now(),
                                                     .zone_minutes = s->worker->zone_minutes });
}

static void put_missing(struct session *s, struct buf *out)
{
        const struct smtp_header *h = &s->letter->header;
        uint64_t chance;
        if (!h->count[SMTP_FIELD_DATE])
                smtp_put_date(out, worker_now(), s->worker->zone_minutes);
        if (h->count[SMTP_FIELD_MESSAGE_ID])
                return;
        if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
                panic("no random numbers");
        smtp_put_message_id(out, worker_now(), chance, s->smtp.rules->host);
}

/* The head is whole: it goes, or the message does not. */
static void head_done(struct session *s)
{
        struct letter *l = s->letter;
        autobuf added;
        buf_init(&added, ADDED_MOST);
        l->head_done = true;
        if (l->header.count[SMTP_FIELD_RECEIVED] > SMTP_HOPS_MOST) {
                spoil(s, 554, S("5.4.6"), "Too many hops: this message goes in circles",
                      "Saltos demais: esta mensagem esta em circulos");
                return;
        }
        if (!author_allowed(s))
                return;
        put_received(s, &added);
        forward(s, buf_slice(&added));
        forward(s, buf_slice(&l->head));
        buf_clear(&added);
        put_missing(s, &added);
        forward(s, buf_slice(&added));
        buf_done(&l->head);
        l->head = (struct buf){ .max = 0 };
}

void carry_bytes(struct session *s, struct slice bytes)
{
        struct letter *l = s->letter;
        if (!l->relay || l->refusal.code)
                return;
        if (!l->head_done) {
                struct slice rest = bytes;
                enum smtp_header_found found = smtp_header_next(&l->header, &rest);
                buf_add(&l->head, (struct slice){ bytes.p, bytes.n - rest.n });
                if (found == SMTP_HEADER_TOO_BIG || l->head.full) {
                        spoil(s, 552, S("5.3.4"), "The head of the message is too big",
                              "O cabecalho da mensagem e grande demais");
                        return;
                }
                if (found != SMTP_HEADER_END)
                        return;
                head_done(s);
                bytes = rest;
        }
        if (!l->refusal.code)
                forward(s, bytes);
}

void carry_flush(struct session *s)
{
        if (s->letter && s->letter->streams && s->letter->relay)
                relay_flush(s->letter->relay);
}

void carry_end(struct session *s, uint64_t size)
{
        struct letter *l = s->letter;
        l->size = size;
        if (!l->head_done && !l->refusal.code && l->relay) {
                smtp_header_end(&l->header);
                head_done(s);
        }
        l->streams = false;
        if (l->refusal.code || !l->relay) {
                struct smtp_reply r = l->refusal.code ? l->refusal : smtp_text(SMTP_TEXT_MTA_AWAY, s->worker->language);
                s->worker->n.messages_refused++;
                log_letter(s, "message-refused", &r, "");
                carry_drop(s);
                session_answer(s, &r);
                return;
        }
        if (refuse_suspended(s, slice_of(l->from))) {
                carry_drop(s);
                return;
        }
        if (!within_limits(s)) { /* others of the same login were quicker */
                carry_drop(s);
                refuse_over_limit(s);
                return;
        }
        l->ended = l->waits = true;
        relay_end(l->relay);
}

static void on_done(struct session *s, const struct smtp_reply *r)
{
        struct letter *l = s->letter;
        struct worker *w = s->worker;
        l->waits = l->ended = false;
        if (r->code < 300) {
                struct quota_who who = quota_who_of(s);
                note_legacy(s);
                w->n.messages++;
                if (w->counts)
                        quota_charge(w->counts, &who, &(struct quota_message){ l->rcpt, l->n_rcpt }, worker_now());
        } else {
                w->n.messages_refused++;
        }
        log_letter(s, r->code < 300 ? "message-relayed" : "message-refused", r, "");
        struct smtp_reply answer = *r;
        /* what the reply points into is the connection's, and that is given back first */
        autofree char *texts = xmalloc(r->enhanced.n + r->text.n + 1);
        memcpy(texts, r->enhanced.p ? r->enhanced.p : "", r->enhanced.n);
        memcpy(texts + r->enhanced.n, r->text.p ? r->text.p : "", r->text.n);
        answer.enhanced = (struct slice){ texts, r->enhanced.n };
        answer.text = (struct slice){ texts + r->enhanced.n, r->text.n };
        carry_drop(s);
        session_answer(s, &answer);
}

static void on_gone(struct session *s, const struct relay_event *e)
{
        struct letter *l = s->letter;
        autobuf more, why;
        buf_init(&more, LOG_LINE_MOST);
        buf_init(&why, LOG_LINE_MOST);
        buf_addf(&more, " why=%s", log_text(&why, slice_of(e->why)));
        bool ended = l->ended, waits = l->waits;
        l->waits = false;
        if (e->unsure)
                s->worker->n.messages_unsure++;
        log_letter(s, e->unsure ? "message-unsure" : "message-not-relayed", &e->reply, buf_cstr(&more));
        drop_relay(s);
        l->ended = false;
        if (!waits) {
                l->refusal = l->streams ? smtp_text(SMTP_TEXT_MTA_AWAY, s->worker->language) : l->refusal;
                return;
        }
        struct smtp_reply r = smtp_text(SMTP_TEXT_MTA_AWAY, s->worker->language);
        if (!ended)
                r.code = 421; /* RFC 5321 3.8: nothing can be done for him on this connection */
        carry_drop(s);
        session_answer(s, &r);
}

static void do_relay(struct session *s, void *arg)
{
        const struct relay_event *e = arg;
        switch (e->on) {
        case RELAY_ON_RCPT:
                on_rcpt_answer(s, &e->reply);
                break;
        case RELAY_ON_DATA:
                on_data_answer(s, &e->reply);
                break;
        case RELAY_ON_DONE:
                on_done(s, &e->reply);
                break;
        case RELAY_ON_ROOM:
                session_resume(s);
                break;
        case RELAY_ON_GONE:
                on_gone(s, e);
                break;
        }
}

static void on_relay(void *arg, const struct relay_event *e)
{
        session_within(arg, do_relay, (void *)e);
}
