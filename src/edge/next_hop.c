/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/next_hop.h"
#include "base/log.h"
#include "edge/mta.h"
#include "edge/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

enum { PATH_MOST = 1200, IDENTITY_MOST = 2400, ROOM_HIGH = 128 << 10, GATHER = 32 << 10 };

#define LINGER (2 * SECOND)

enum stage { STAGE_NEW, STAGE_IDENTIFYING, STAGE_READY, STAGE_LENT, STAGE_LEAVING };

/* One connection. */
struct hop {
        struct hops *all;
        struct mta *mta;
        struct io *io;
        struct smtp_client smtp;
        struct relay *relay; /* NULL: idle, or on its way to be */
        struct hop *next, *before;
        char *identity;   /* what XCLIENT or the PROXY header said last; NULL: nothing */
        struct buf proxy; /* the header, where there is one */
        int64_t idle_since;
        enum stage stage;
        bool reused;        /* and has not answered since */
        bool working, dead; /* inside its own callback; freed there */
};

struct hops {
        struct loop *loop;
        const struct hops_rules *rules;
        struct mta *mtas;
        struct hop *idle, *busy;     /* lists; idle: the last used first */
        struct relay *first, **last; /* who waits for a connection */
        struct watch *tick;
        struct hops_counts counts;
        size_t turn;
        struct buf out; /* of one step */
};

enum relay_stage { RELAY_NEW, RELAY_WAITS, RELAY_OPEN, RELAY_DATA_SENT, RELAY_BYTES, RELAY_ENDED, RELAY_OVER };

struct relay {
        struct hops *all;
        struct hop *hop;
        const struct mta *mta; /* the last it was lent a connection to */
        struct relay *next;    /* of those who wait */
        void (*on)(void *arg, const struct relay_event *e);
        void *arg;
        int64_t waits_until, touched; /* touched: when something was asked last */
        char *texts;                  /* what mail and rcpt point into */
        struct smtp_mail mail;
        char *rcpt_texts;
        struct smtp_rcpt rcpt; /* the one asked for */
        char *identity;
        struct slice who[SMTP_XCLIENT_COUNT];
        enum relay_stage stage;
        size_t failed;             /* connections that came to nothing */
        struct smtp_reply refusal; /* of MAIL: the answer to every recipient from then on; code 0: none */
        char *refusal_text;
        bool mail_sent, rcpt_sent, asked; /* asked: an answer to the recipient is due */
        bool retried, no_room, telling, freed;
};

/* All values in one string, each behind its attribute's number, which tells identities apart. */
static char *copy_identity(const struct slice who[SMTP_XCLIENT_COUNT], struct slice ret[SMTP_XCLIENT_COUNT])
{
        autobuf b;
        buf_init(&b, IDENTITY_MOST);
        size_t start[SMTP_XCLIENT_COUNT];
        for (size_t i = 0; i < SMTP_XCLIENT_COUNT; i++) {
                buf_addc(&b, (char)('0' + i));
                buf_addc(&b, '=');
                start[i] = b.n;
                buf_add(&b, who[i]);
                buf_addc(&b, '\n');
        }
        bool full = b.full;
        char *text = buf_take(&b);
        for (size_t i = 0; i < SMTP_XCLIENT_COUNT; i++)
                ret[i] = full ? (struct slice){ NULL, 0 } : (struct slice){ text + start[i], who[i].n };
        return text;
}

/* ---- telling ---- */

static bool relay_tell(struct relay *r, const struct relay_event *e)
{
        r->telling = true;
        r->on(r->arg, e);
        r->telling = false;
        if (!r->freed)
                return true;
        free(r);
        return false;
}

static void tell_gone(struct relay *r, const char *why, bool unsure, const struct smtp_reply *said)
{
        struct relay_event e = { .on = RELAY_ON_GONE, .why = why, .unsure = unsure };
        e.reply = said ? *said : smtp_text(SMTP_TEXT_MTA_AWAY, r->all->rules->language);
        r->stage = RELAY_OVER;
        relay_tell(r, &e);
}

/* ---- lists ---- */

static void list_add(struct hop **list, struct hop *h)
{
        h->next = *list;
        h->before = NULL;
        if (*list)
                (*list)->before = h;
        *list = h;
}

static void list_drop(struct hop **list, struct hop *h)
{
        if (h->before)
                h->before->next = h->next;
        else
                *list = h->next;
        if (h->next)
                h->next->before = h->before;
        h->next = h->before = NULL;
}

static void wait_drop(struct relay *r)
{
        struct hops *all = r->all;
        for (struct relay **p = &all->first; *p; p = &(*p)->next)
                if (*p == r) {
                        *p = r->next;
                        if (all->last == &r->next)
                                all->last = p;
                        r->next = NULL;
                        return;
                }
}

static void hop_end(struct hop *h)
{
        smtp_client_done(&h->smtp);
        free(h->identity);
        buf_done(&h->proxy);
        free(h);
}

/* From now on nobody finds it; its memory goes when its callback returns. */
static void hop_free(struct hop *h)
{
        struct hops *all = h->all;
        bool idle = h->stage == STAGE_READY && !h->relay;
        list_drop(idle ? &all->idle : &all->busy, h);
        all->counts.idle -= idle;
        all->counts.lent -= !idle;
        io_free(h->io);
        h->dead = true;
        if (!h->working)
                hop_end(h);
}

/* ---- a connection's life ---- */

static void serve_waiting(struct hops *all);
static void send_asked(struct relay *r);
static void acquire(struct relay *r);

static int64_t patience(const struct hops *all)
{
        return all->rules->wait ? all->rules->wait : HOP_WAIT;
}

static void flush_out(struct hop *h)
{
        struct buf *out = &h->all->out;
        int64_t soon = time_monotonic() + patience(h->all), at = h->smtp.deadline;
        if (at != TIME_NEVER && at > soon && h->stage != STAGE_READY && h->stage != STAGE_LENT)
                at = soon; /* another MTA may answer before the client has no patience left */
        if (out->n)
                io_write(h->io, buf_slice(out)); /* past the backlog nothing is sent: relay_bytes() stops long before */
        buf_clear(out);
        io_deadline(h->io, at == TIME_NEVER ? 0 : at);
}

/* A client waits for what will come of it. */
static bool tried_enough(struct relay *r, bool fresh_failure, bool stale)
{
        if (fresh_failure)
                return ++r->failed >= r->all->rules->n;
        return !stale || r->retried;
}

/* The connection is over. Whoever has it hears of it, or gets another where nothing was said on this one yet. */
static void hop_lost(struct hop *h, const char *why, bool unsure, const struct smtp_reply *said)
{
        struct hops *all = h->all;
        struct relay *r = take(h->relay);
        struct mta *mta = h->mta;
        bool fresh_failure = h->stage == STAGE_NEW, stale = h->reused;
        hop_free(h);
        if (fresh_failure) {
                all->counts.failures++;
                mta_ill(mta, why);
        }
        if (r) {
                r->hop = NULL;
                if (r->asked && r->stage <= RELAY_OPEN && !tried_enough(r, fresh_failure, stale)) {
                        r->retried |= stale;
                        r->mail_sent = r->rcpt_sent = false;
                        r->stage = RELAY_NEW;
                        acquire(r);
                } else {
                        tell_gone(r, why, unsure, said);
                }
        }
        serve_waiting(all);
}

static void lend(struct hop *h, struct relay *r)
{
        h->relay = r;
        r->hop = h;
        r->mta = h->mta;
        h->stage = STAGE_LENT;
        r->stage = RELAY_OPEN;
        send_asked(r);
}

/* Free of any transaction: to who waits, or to the idle ones. */
static void hop_ready(struct hop *h)
{
        struct hops *all = h->all;
        h->stage = STAGE_READY;
        if (h->relay) {
                lend(h, h->relay);
                return;
        }
        list_drop(&all->busy, h);
        list_add(&all->idle, h);
        all->counts.lent--;
        all->counts.idle++;
        h->idle_since = time_monotonic();
        io_deadline(h->io, 0);
        serve_waiting(all);
}

/* READY: nothing is under way on it. Says whose mail comes, if it must be said. */
static void hop_identify(struct hop *h)
{
        struct relay *r = h->relay;
        const struct hops_rules *rules = h->all->rules;
        if (!r || rules->identify != EDGE_IDENTIFY_XCLIENT || (h->identity && strcmp(h->identity, r->identity) == 0)) {
                hop_ready(h);
                return;
        }
        enum smtp_can can = smtp_client_identify(&h->smtp, time_monotonic(), r->who, &h->all->out);
        if (can != SMTP_CAN) {
                h->stage = STAGE_IDENTIFYING; /* no failure of the network: it is not tried again and again */
                hop_lost(h, "it offers no XCLIENT that takes this", false, NULL);
                return;
        }
        free(h->identity);
        h->identity = xstrdup(r->identity);
        h->stage = STAGE_IDENTIFYING;
        flush_out(h);
}

/* ---- what the MTA says ---- */

static void tell_rcpt(struct relay *r, const struct smtp_reply *reply)
{
        r->asked = false;
        relay_tell(r, &(struct relay_event){ .on = RELAY_ON_RCPT, .reply = *reply });
}

static void on_mail_reply(struct relay *r, const struct smtp_reply *reply)
{
        if (reply->code < 300) {
                if (r->asked && !r->rcpt_sent)
                        send_asked(r);
                return;
        }
        autobuf texts;
        buf_init(&texts, SMTP_READ_TEXT_MOST + 16);
        buf_add(&texts, reply->enhanced);
        buf_add(&texts, reply->text);
        r->refusal_text = buf_take(&texts);
        r->refusal = (struct smtp_reply){ .code = reply->code,
                                          .enhanced = { r->refusal_text, reply->enhanced.n },
                                          .text = { r->refusal_text + reply->enhanced.n, reply->text.n } };
        if (r->asked) /* its RCPT gets an answer, too, which nobody waits for */
                tell_rcpt(r, &r->refusal);
}

static void on_client_reply(struct hop *h, const struct smtp_client_event *e)
{
        struct relay *r = h->relay;
        struct relay_event told = { .reply = e->reply };
        h->reused = false;
        if (!r)
                return;
        switch (e->command) {
        case SMTP_SENT_MAIL:
                on_mail_reply(r, &e->reply);
                return;
        case SMTP_SENT_RCPT:
                if (r->asked)
                        tell_rcpt(r, &e->reply);
                return;
        case SMTP_SENT_DATA:
                told.on = RELAY_ON_DATA;
                r->stage = e->reply.code == 354 ? RELAY_BYTES : RELAY_OPEN;
                break;
        default:
                told.on = RELAY_ON_DONE;
                r->stage = RELAY_OVER;
        }
        relay_tell(r, &told);
}

/* Nothing is under way: after the first greeting, after XCLIENT, after RSET. */
static void on_client_ready(struct hop *h)
{
        bool identified = h->stage == STAGE_IDENTIFYING;
        if (h->stage == STAGE_NEW) /* one that is used again says nothing of who takes new ones */
                mta_well(h->mta);
        h->stage = STAGE_READY;
        if (identified || !h->relay)
                hop_ready(h);
        else
                hop_identify(h);
}

static void on_event(struct hop *h, const struct smtp_client_event *e)
{
        switch (e->on) {
        case SMTP_CLIENT_ON_GONE:
                hop_lost(h, smtp_outcome_name(e->outcome), e->unsure, e->reply.code == 421 ? &e->reply : NULL);
                break;
        case SMTP_CLIENT_ON_TLS:
                io_start_tls(h->io, h->all->rules->tls, false, NULL);
                break;
        case SMTP_CLIENT_ON_READY:
                on_client_ready(h);
                break;
        case SMTP_CLIENT_ON_REPLY:
                on_client_reply(h, e);
                break;
        default:
                break;
        }
}

static void work_done(struct hop *h)
{
        h->working = false;
        if (h->dead)
                hop_end(h);
}

static size_t on_bytes(void *arg, struct slice all)
{
        struct hop *h = arg;
        struct slice in = all;
        struct smtp_client_event e;
        h->working = true;
        do {
                smtp_client_next(&h->smtp, time_monotonic(), &in, &h->all->out, &e);
                flush_out(h); /* what is told next may write elsewhere */
                on_event(h, &e);
        } while (!h->dead && e.on != SMTP_CLIENT_ON_NOTHING && e.on != SMTP_CLIENT_ON_TLS);
        work_done(h);
        return all.n;
}

static void on_io_ready(void *arg)
{
        struct hop *h = arg;
        if (io_tls(h->io))
                smtp_client_tls(&h->smtp, time_monotonic(), true, &h->all->out);
        else if (h->proxy.n)
                buf_add(&h->all->out, buf_slice(&h->proxy));
        flush_out(h);
}

static void on_drained(void *arg)
{
        struct hop *h = arg;
        struct relay *r = h->relay;
        h->working = true;
        if (r && r->no_room) {
                r->no_room = false;
                relay_tell(r, &(struct relay_event){ .on = RELAY_ON_ROOM });
        }
        work_done(h);
}

static void on_ended(void *arg, enum io_end why)
{
        struct hop *h = arg;
        struct slice none = { NULL, 0 };
        struct smtp_client_event e;
        if (why == IO_DEADLINE)
                smtp_client_timeout(&h->smtp);
        else
                smtp_client_closed(&h->smtp);
        bool unsure = smtp_client_next(&h->smtp, 0, &none, &h->all->out, &e) == SMTP_CLIENT_ON_GONE && e.unsure;
        buf_clear(&h->all->out);
        h->working = true;
        hop_lost(h, why == IO_CLOSED ? "it closed the connection" : io_end_name(why), unsure, NULL);
        work_done(h);
}

static const struct io_events hop_events = {
        .bytes = on_bytes, .ready = on_io_ready, .drained = on_drained, .ended = on_ended
};

/* ---- connecting ---- */

static struct addr addr_of(struct slice text, struct slice port, uint16_t *ret_port)
{
        struct addr a = { .b = { 0 } };
        uint64_t n = 0;
        addr_parse(slice_starts(text, S("IPV6:")) ? slice_from(text, 5) : text, &a);
        slice_u64(port, UINT16_MAX, &n);
        *ret_port = (uint16_t)n;
        return a;
}

static void introduce(struct hop *h, const struct relay *r)
{
        uint16_t from_port, to_port;
        if (h->all->rules->identify != EDGE_IDENTIFY_PROXY)
                return;
        struct addr from = addr_of(r->who[SMTP_XCLIENT_ADDR], r->who[SMTP_XCLIENT_PORT], &from_port);
        struct addr to = addr_of(r->who[SMTP_XCLIENT_DESTADDR], r->who[SMTP_XCLIENT_DESTPORT], &to_port);
        buf_init(&h->proxy, PROXY_MOST);
        proxy_put(&h->proxy, &from, from_port, &to, to_port);
        h->identity = xstrdup(r->identity);
}

/* NULL: no MTA is to be had. */
static struct hop *hop_new(struct hops *all, struct relay *r)
{
        struct mta *mta;
        while ((mta = mta_choose(all->mtas, all->rules->n))) {
                struct hop *h = xcalloc(1, sizeof *h);
                *h = (struct hop){ .all = all, .mta = mta, .relay = r, .stage = STAGE_NEW };
                h->io = mta_connect(mta, all->loop, &hop_events, h);
                if (h->io) {
                        all->counts.connects++;
                        all->counts.lent++;
                        list_add(&all->busy, h);
                        smtp_client_init(&h->smtp, &all->rules->smtp, time_monotonic());
                        introduce(h, r);
                        io_deadline(h->io, time_monotonic() + HOP_CONNECT);
                        if (!mta->at->path.n)
                                setsockopt(io_fd(h->io), IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
                        return h;
                }
                int failed = errno;
                free(h);
                all->counts.failures++;
                mta_ill(mta, strerror(failed));
        }
        return NULL;
}

/* Of the idle ones the one that was told the same, else the last used. */
static struct hop *idle_for(struct hops *all, const struct relay *r)
{
        struct hop *best = all->idle;
        for (struct hop *h = all->idle; h; h = h->next)
                if (h->identity && r->identity && strcmp(h->identity, r->identity) == 0) {
                        best = h;
                        break;
                }
        bool his = best && best->identity && strcmp(best->identity, r->identity) == 0;
        if (!best || (all->rules->identify == EDGE_IDENTIFY_PROXY && !his))
                return NULL;
        list_drop(&all->idle, best);
        list_add(&all->busy, best);
        all->counts.idle--;
        all->counts.lent++;
        all->counts.reuses++;
        return best;
}

/* Behind all others; who has waited already goes before them. */
static void wait_in_order(struct relay *r)
{
        struct hops *all = r->all;
        bool again = r->waits_until != 0;
        r->stage = RELAY_WAITS;
        if (!again) {
                all->counts.waits++;
                r->waits_until = time_monotonic() + patience(all);
        }
        r->next = again ? all->first : NULL;
        if (!all->first || !again) {
                *all->last = r;
                all->last = &r->next;
        } else {
                all->first = r;
        }
}

/* A connection for the relay, now or later. Where no MTA takes a new one, those that are lent come back: it may serve as many as it can. */
static void acquire(struct relay *r)
{
        struct hops *all = r->all;
        struct hop *h = idle_for(all, r);
        if (h) {
                h->reused = true;
                h->relay = r;
                r->hop = h;
                r->stage = RELAY_WAITS;
                h->stage = STAGE_IDENTIFYING; /* out of the idle list */
                hop_identify(h);
                return;
        }
        h = all->counts.lent < HOP_LENT_MOST ? hop_new(all, r) : NULL;
        if (h) {
                r->hop = h;
                r->stage = RELAY_WAITS;
        } else if (all->counts.lent == 0) {
                tell_gone(r, "no MTA answers", false, NULL);
        } else {
                wait_in_order(r);
        }
}

static void serve_waiting(struct hops *all)
{
        while (all->first && (all->idle || all->counts.lent == 0 ||
                              (all->counts.lent < HOP_LENT_MOST && mta_choose(all->mtas, all->rules->n)))) {
                struct relay *r = all->first;
                wait_drop(r);
                acquire(r);
        }
}

/* ---- the transaction ---- */

struct relay *relay_new(struct hops *all, const struct smtp_mail *mail, const struct slice who[SMTP_XCLIENT_COUNT],
                        void (*on)(void *arg, const struct relay_event *e), void *arg)
{
        struct relay *r = xcalloc(1, sizeof *r);
        *r = (struct relay){ .all = all, .on = on, .arg = arg };
        r->texts = smtp_mail_copy(mail, &r->mail);
        r->identity = copy_identity(who, r->who);
        return r;
}

/* What the MTA does not offer, as an answer. */
static void cannot(struct relay *r, enum smtp_can can)
{
        static const struct {
                unsigned code;
                const char *enhanced, *text;
        } rows[] = {
                [SMTP_CANNOT_NOW] = { 451, "4.3.0", "Try later" },
                [SMTP_CANNOT_8BITMIME] = { 554, "5.6.3", "The mail server takes no 8-bit messages" },
                [SMTP_CANNOT_SMTPUTF8] = { 550, "5.6.7", "The mail server takes no internationalised addresses" },
                [SMTP_CANNOT_SIZE] = { 552, "5.3.4", "Message too big for the mail server" },
                [SMTP_CANNOT_XCLIENT] = { 451, "4.3.5", "Try later" },
        };
        struct smtp_reply reply = { rows[can].code, slice_of(rows[can].enhanced), slice_of(rows[can].text) };
        tell_rcpt(r, &reply);
}

/* The recipient that was asked for, and MAIL before the first. */
static void send_asked(struct relay *r)
{
        struct hop *h = r->hop;
        struct buf *out = &r->all->out;
        int64_t now = time_monotonic();
        enum smtp_can can = SMTP_CAN;
        if (!r->mail_sent)
                can = smtp_client_mail(&h->smtp, now, &r->mail, out);
        r->mail_sent |= can == SMTP_CAN;
        if (can == SMTP_CAN && smtp_client_may_send(&h->smtp)) {
                can = smtp_client_rcpt(&h->smtp, now, &r->rcpt, out);
                r->rcpt_sent = true;
        }
        flush_out(h);
        if (can != SMTP_CAN)
                cannot(r, can);
}

void relay_rcpt(struct relay *r, const struct smtp_rcpt *rcpt)
{
        free(r->rcpt_texts);
        r->rcpt_texts = smtp_rcpt_copy(rcpt, &r->rcpt);
        r->asked = true;
        r->touched = time_monotonic();
        r->rcpt_sent = false;
        if (r->refusal.code)
                tell_rcpt(r, &r->refusal);
        else if (r->stage == RELAY_NEW)
                acquire(r);
        else if (r->stage == RELAY_OPEN)
                send_asked(r);
}

void relay_data(struct relay *r)
{
        enum smtp_can can = r->hop ? smtp_client_data(&r->hop->smtp, time_monotonic(), &r->all->out) : SMTP_CANNOT_NOW;
        if (can != SMTP_CAN) {
                relay_tell(r,
                           &(struct relay_event){ .on = RELAY_ON_DATA,
                                                  .reply = smtp_text(SMTP_TEXT_RCPT_FIRST, r->all->rules->language) });
                return;
        }
        r->stage = RELAY_DATA_SENT;
        flush_out(r->hop);
}

bool relay_bytes(struct relay *r, struct slice bytes)
{
        if (r->stage != RELAY_BYTES)
                return true; /* its end is told, or on the way */
        bool good = smtp_client_bytes(&r->hop->smtp, time_monotonic(), bytes, &r->all->out);
        io_add(r->hop->io, buf_slice(&r->all->out));
        buf_clear(&r->all->out);
        if (io_backlog(r->hop->io) > GATHER)
                io_flush(r->hop->io);
        if (!good)
                panic("bytes that smtp/data let pass are held back by smtp/data");
        r->no_room = io_backlog(r->hop->io) > ROOM_HIGH;
        return !r->no_room;
}

void relay_flush(struct relay *r)
{
        if (r->stage == RELAY_BYTES) {
                io_flush(r->hop->io);
                flush_out(r->hop); /* for the deadline */
        }
}

void relay_end(struct relay *r)
{
        if (r->stage != RELAY_BYTES)
                return;
        smtp_client_end(&r->hop->smtp, time_monotonic(), &r->all->out);
        r->stage = RELAY_ENDED;
        flush_out(r->hop);
}

/* Takes the transaction back where that is still possible; the connection is dropped otherwise. */
static void give_back(struct hop *h, bool over)
{
        h->relay = NULL;
        if (over && h->smtp.state == SMTP_CLIENT_READY) {
                hop_ready(h);
                return;
        }
        if (h->stage == STAGE_NEW || h->stage == STAGE_IDENTIFYING)
                return; /* it becomes idle when it is ready */
        h->stage = STAGE_LEAVING;
        if (smtp_client_reset(&h->smtp, time_monotonic(), &h->all->out) == SMTP_CAN) {
                flush_out(h);
                return;
        }
        struct hops *all = h->all;
        hop_free(h);
        serve_waiting(all);
}

void relay_free(struct relay *r)
{
        if (!r || r->freed)
                return;
        struct hop *h = take(r->hop);
        wait_drop(r);
        free(r->texts);
        free(r->rcpt_texts);
        free(r->identity);
        free(r->refusal_text);
        r->freed = true;
        bool over = r->stage == RELAY_OVER;
        if (!r->telling)
                free(r);
        if (h)
                give_back(h, over);
}

const char *relay_mta(const struct relay *r)
{
        return r->mta ? r->mta->name : "";
}

/* ---- the whole ---- */

/* Who opened an envelope and thinks about it does not keep a connection from those who wait for one. */
static void take_back(struct hops *all, int64_t now)
{
        for (struct hop *h = all->busy, *next; h && all->first; h = next) {
                struct relay *r = h->relay;
                next = h->next;
                if (!r || r->stage != RELAY_OPEN || r->asked || now - r->touched < patience(all) / 2)
                        continue;
                r->hop = NULL;
                give_back(h, false);
                tell_gone(r, "it was idle while others waited for a connection", false, NULL);
        }
}

static void on_tick(void *arg)
{
        struct hops *all = arg;
        int64_t now = time_monotonic();
        size_t n = 0;
        for (struct hop *h = all->idle, *next; h; h = next) {
                next = h->next;
                if (++n > HOP_IDLE_MOST || now - h->idle_since > HOP_IDLE) {
                        smtp_client_quit(&h->smtp, now, &all->out);
                        flush_out(h);
                        hop_free(h);
                }
        }
        take_back(all, now);
        while (all->first && all->first->waits_until < now) {
                struct relay *r = all->first;
                wait_drop(r);
                tell_gone(r, "all connections to the MTA are in use", false, NULL);
        }
        serve_waiting(all); /* an MTA may be tried again */
        watch_again(all->tick, SECOND);
}

struct hops *hops_new(struct loop *l, const struct hops_rules *rules)
{
        struct hops *all = xcalloc(1, sizeof *all);
        *all = (struct hops){ .loop = l, .rules = rules };
        all->last = &all->first;
        all->mtas = xcalloc(rules->n + 1, sizeof *all->mtas);
        for (size_t i = 0; i < rules->n; i++)
                mta_init(&all->mtas[i], &rules->mtas[i]);
        buf_init(&all->out, IO_BACKLOG);
        all->tick = loop_timer(l, SECOND, on_tick, all);
        return all;
}

void hops_free(struct hops *all)
{
        if (!all)
                return;
        while (all->idle)
                hop_free(all->idle);
        while (all->busy)
                hop_free(all->busy);
        watch_free(all->tick);
        buf_done(&all->out);
        free(all->mtas);
        free(all);
}

bool hops_healthy(const struct hops *all)
{
        for (size_t i = 0; i < all->rules->n; i++)
                if (!all->mtas[i].down_until)
                        return true;
        return all->rules->n == 0;
}

struct hops_counts hops_counts(const struct hops *all)
{
        return all->counts;
}
