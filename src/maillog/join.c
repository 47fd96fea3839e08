/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/join.h"

#include "base/map.h"
#include "base/time.h"

enum { SLOTS_FIRST = 4096, NONE = 0 };
static const int64_t LINGER = MINUTE; /* how long a message that is gone can still be given back by a filter */

struct slot {
        uint32_t tag, at; /* the record's number; 0: free */
};

/* Open addressing; a hole is filled by moving up what stands behind it, so that no look-up passes the dead. */
struct table {
        struct slot *slots;
        uint32_t mask, n;
};

struct list {
        uint32_t oldest, newest;
};

struct join {
        struct message *all; /* [0] stands for none */
        uint32_t most, used, free;
        struct table by_id, by_message;
        struct list open, gone;
        struct join_names names;
        struct names *places;
        struct slice place_host, place_instance; /* the last looked up; copies in `places` */
        uint32_t place;
        void (*tell)(void *arg, const struct message *m);
        void *arg;
        uint64_t early;
        uint64_t secret;
};

/* --- tables --- */

static void table_put(struct table *t, struct slot s)
{
        if (t->n * 2 >= t->mask) {
                struct table wider = { .mask = t->mask ? t->mask * 2 + 1 : SLOTS_FIRST - 1 };
                wider.slots = xcalloc((size_t)wider.mask + 1, sizeof *wider.slots);
                for (uint32_t i = 0; t->slots && i <= t->mask; i++)
                        if (t->slots[i].at)
                                table_put(&wider, t->slots[i]);
                free(t->slots);
                *t = wider;
        }
        uint32_t i = s.tag & t->mask;
        while (t->slots[i].at)
                i = (i + 1) & t->mask;
        t->slots[i] = s;
        t->n++;
}

static void table_drop(struct table *t, uint32_t tag, uint32_t at)
{
        if (!t->slots)
                return;
        uint32_t i = tag & t->mask;
        while (t->slots[i].at && t->slots[i].at != at)
                i = (i + 1) & t->mask;
        if (!t->slots[i].at)
                return;
        for (uint32_t k = (i + 1) & t->mask; t->slots[k].at; k = (k + 1) & t->mask) {
                uint32_t home = t->slots[k].tag & t->mask;
                if (((k - home) & t->mask) >= ((k - i) & t->mask)) {
                        t->slots[i] = t->slots[k];
                        i = k;
                }
        }
        t->slots[i].at = NONE;
        t->n--;
}

/* --- lists by age --- */

static void list_add(struct join *j, struct list *l, uint32_t at)
{
        j->all[at].older = l->newest;
        j->all[at].newer = NONE;
        *(l->newest ? &j->all[l->newest].newer : &l->oldest) = at;
        l->newest = at;
}

static void list_drop(struct join *j, struct list *l, uint32_t at)
{
        const struct message *m = &j->all[at];
        *(m->older ? &j->all[m->older].newer : &l->oldest) = m->newer;
        *(m->newer ? &j->all[m->newer].older : &l->newest) = m->older;
}

/* --- records --- */

static void retire(struct join *j, uint32_t at)
{
        struct message *m = &j->all[at];
        j->tell(j->arg, m);
        list_drop(j, m->closed ? &j->gone : &j->open, at);
        table_drop(&j->by_id, m->tag, at);
        if (m->message_id)
                table_drop(&j->by_message, (uint32_t)m->message_id, at);
        m->newer = j->free;
        j->free = at;
}

static uint32_t add(struct join *j, const struct join_key *key, struct slice id, int64_t at)
{
        if (!j->free && j->used == j->most) {
                uint32_t oldest = j->gone.oldest ? j->gone.oldest : j->open.oldest;
                j->early += j->all[oldest].queued && !j->all[oldest].closed; /* others were given up by their client */
                retire(j, oldest);
        }
        uint32_t n = j->free ? j->free : ++j->used;
        if (n == j->free)
                j->free = j->all[n].newer;
        struct message *m = &j->all[n];
        *m = (struct message){ .id_n = (uint8_t)id.n, .tag = key->tag, .place = key->place, .first = at, .last = at };
        memcpy(m->id, id.p, id.n);
        list_add(j, &j->open, n);
        table_put(&j->by_id, (struct slot){ key->tag, n });
        return n;
}

static uint32_t find(const struct join *j, const struct join_key *key, struct slice id)
{
        if (!j->by_id.slots)
                return NONE;
        for (uint32_t i = key->tag & j->by_id.mask; j->by_id.slots[i].at; i = (i + 1) & j->by_id.mask) {
                const struct slot *s = &j->by_id.slots[i];
                const struct message *m = &j->all[s->at];
                if (s->tag == key->tag && m->place == key->place && m->id_n == id.n && memcmp(m->id, id.p, id.n) == 0)
                        return s->at;
        }
        return NONE;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
        __uint128_t product = (__uint128_t)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Queue ids are Postfix's own, so a multiplication under a secret does. */
static uint32_t tag_of(const struct join *j, struct slice id)
{
        uint64_t w[3] = { 0, 0, 0 };
        memcpy(w, id.p, id.n);
        return (uint32_t)mix(mix(w[0] ^ j->secret, w[1] ^ 0x9e3779b97f4a7c15u) ^ w[2],
                             j->secret ^ j->place ^ id.n << 32);
}

static void set_place(struct join *j, struct slice host, struct slice instance)
{
        char text[512];
        size_t h = host.n < 255 ? host.n : 255, i = instance.n < 255 ? instance.n : 255;
        if (j->place && slice_eq(host, j->place_host) && slice_eq(instance, j->place_instance))
                return;
        memcpy(text, host.p, h);
        text[h] = ' ';
        memcpy(text + h + 1, instance.p, i);
        j->place = names_id(j->places, (struct slice){ text, h + 1 + i });
        struct slice kept = names_text(j->places, j->place);
        bool whole = h == host.n && i == instance.n && j->place >= NAMES_FIRST;
        j->place_host = whole ? (struct slice){ kept.p, h } : S("");
        j->place_instance = whole ? slice_from(kept, h + 1) : S("");
}

/* --- what the events do --- */

static bool is_local(struct slice address)
{
        return slice_starts(address, S("127.")) || slice_eq(address, S("::1"));
}

static void close_message(struct join *j, uint32_t at)
{
        struct message *m = &j->all[at];
        if (m->closed)
                return;
        list_drop(j, &j->open, at);
        m->closed = true;
        list_add(j, &j->gone, at);
}

/* The message with this message-id and sender that was here first. */
static uint32_t find_first(const struct join *j, uint64_t message_id, uint32_t but)
{
        if (!j->by_message.slots || !message_id)
                return NONE;
        for (uint32_t i = (uint32_t)message_id & j->by_message.mask; j->by_message.slots[i].at;
             i = (i + 1) & j->by_message.mask) {
                uint32_t at = j->by_message.slots[i].at;
                if (at != but && j->all[at].message_id == message_id)
                        return at;
        }
        return NONE;
}

static void on_queued(struct join *j, uint32_t at, const struct mail_event *e)
{
        struct message *m = &j->all[at];
        if (m->queued) /* again from the deferred queue */
                return;
        m->queued = true;
        m->size = e->size;
        m->recipients = e->nrcpt < UINT32_MAX ? (uint32_t)e->nrcpt : UINT32_MAX;
        m->sender = names_id(j->names.senders, e->from);
        if (!m->message_id)
                return;
        m->message_id = mix(m->message_id, hash_bytes(e->from) | 1) | 1;
        uint32_t first = m->local || m->made ? find_first(j, m->message_id, at) : NONE;
        if (first) {
                struct message *f = &j->all[first];
                f->handed = f->handed || m->arrived;
                m->again = true;
                m->client = f->client;
                m->login = f->login;
        }
        if (!first)
                table_put(&j->by_message, (struct slot){ (uint32_t)m->message_id, at });
        else
                m->message_id = 0;
}

static void on_delivery(struct message *m, const struct mail_event *e, enum category seen)
{
        if (seen)
                m->remote = (uint8_t)seen;
        switch (e->status) {
        case MAIL_SENT:
                *(slice_starts(e->text, S("forwarded as ")) ? &m->forwarded : &m->sent) += 1;
                break;
        case MAIL_DEFERRED:
                m->deferred++;
                break;
        case MAIL_BOUNCED:
        case MAIL_STATUS_EXPIRED:
                m->bounced++;
                break;
        default:
                break;
        }
}

static void on_begin(struct join *j, struct message *m, const struct mail_event *e)
{
        m->arrived = true;
        m->made = false;
        m->local = e->kind == MAIL_PICKUP || is_local(e->client.address);
        m->client = names_id(j->names.clients, e->client.address);
        m->login = names_id(j->names.logins, e->login);
}

/* Whether a line can only be of a new message, though one of that id is here. */
static bool begins_anew(const struct message *m, enum mail_kind kind)
{
        if (kind == MAIL_CLIENT || kind == MAIL_PICKUP)
                return m->closed || m->arrived || m->queued;
        return m->closed && (kind == MAIL_MESSAGE_ID || kind == MAIL_QUEUED);
}

/* What a message of which nothing was seen yet can be known from; the end of one that was never seen says nothing. */
static bool begins(enum mail_kind kind)
{
        return kind == MAIL_CLIENT || kind == MAIL_PICKUP || kind == MAIL_MESSAGE_ID || kind == MAIL_QUEUED ||
               kind == MAIL_DELIVERY;
}

static bool is_of_message(const struct mail_event *e)
{
        static const bool of[MAIL_KINDS_ALL] = {
                [MAIL_CLIENT] = true,   [MAIL_PICKUP] = true,  [MAIL_MESSAGE_ID] = true, [MAIL_QUEUED] = true,
                [MAIL_DELIVERY] = true, [MAIL_REMOVED] = true, [MAIL_EXPIRED] = true,    [MAIL_CONTENT] = true,
                [MAIL_SAID] = true,     [MAIL_REJECT] = true,  [MAIL_CHECK] = true,
        };
        return of[e->kind] && e->queue_id.n && e->queue_id.n <= JOIN_ID_MOST;
}

static void apply(struct join *j, uint32_t n, const struct mail_event *e, enum category seen)
{
        struct message *m = &j->all[n];
        switch (e->kind) {
        case MAIL_CLIENT:
        case MAIL_PICKUP:
                on_begin(j, m, e);
                break;
        case MAIL_MESSAGE_ID:
                m->made = !m->arrived;
                if (!m->queued && !m->message_id)
                        m->message_id = e->message_id.n > 2 ? hash_bytes(e->message_id) | 1 : 0;
                break;
        case MAIL_QUEUED:
                on_queued(j, n, e);
                break;
        case MAIL_DELIVERY:
                on_delivery(m, e, seen);
                break;
        case MAIL_EXPIRED:
                m->expired = true;
                break;
        case MAIL_CONTENT:
                m->spam = m->spam || slice_ieq(e->action, S("SPAM"));
                m->virus = m->virus || slice_ieq(e->action, S("VIRUS"));
                break;
        case MAIL_SAID:
                m->remote = (uint8_t)(seen ? seen : m->remote);
                break;
        case MAIL_REJECT: /* by cleanup, the whole message, of which nothing more is said */
        case MAIL_CHECK:
                if (e->daemon == MAIL_BY_CLEANUP && seen) {
                        m->refused = (uint8_t)seen;
                        close_message(j, n);
                }
                break;
        default:
                break;
        }
        if (e->kind == MAIL_REMOVED)
                close_message(j, n);
}

bool join_prepare(struct join *j, struct slice host, struct slice instance, const struct mail_event *e,
                  struct join_key *ret)
{
        if (!is_of_message(e))
                return false;
        set_place(j, host, instance);
        *ret = (struct join_key){ j->place, tag_of(j, e->queue_id) };
        if (j->by_id.slots)
                __builtin_prefetch(&j->by_id.slots[ret->tag & j->by_id.mask]);
        if (e->kind == MAIL_QUEUED)
                names_expect(j->names.senders, e->from);
        else if (e->kind == MAIL_CLIENT)
                names_expect(j->names.clients, e->client.address);
        return true;
}

void join_fetch(const struct join *j, const struct join_key *key)
{
        uint32_t at = j->by_id.slots ? j->by_id.slots[key->tag & j->by_id.mask].at : NONE;
        if (at) {
                __builtin_prefetch(&j->all[at]);
                __builtin_prefetch((const char *)&j->all[at] + 64);
        }
}

void join_event(struct join *j, const struct join_key *key, const struct mail_event *e, enum category seen, int64_t at)
{
        uint32_t n = find(j, key, e->queue_id);
        if (n && begins_anew(&j->all[n], e->kind)) {
                retire(j, n);
                n = NONE;
        }
        if (!n && !begins(e->kind))
                return;
        if (!n)
                n = add(j, key, e->queue_id, at);
        j->all[n].last = at;
        apply(j, n, e, seen);
        while (j->gone.oldest && j->all[j->gone.oldest].last + LINGER < at)
                retire(j, j->gone.oldest);
}

/* --- its life --- */

struct join *join_new(uint32_t most, struct join_names names, void (*tell)(void *arg, const struct message *m),
                      void *arg)
{
        struct join *j = xcalloc(1, sizeof *j);
        j->most = most ? most : JOIN_MOST;
        j->all = xcalloc((size_t)j->most + 1, sizeof *j->all); /* the kernel gives memory only to what is used */
        j->names = names;
        j->places = names_new(65536);
        j->tell = tell;
        j->arg = arg;
        j->secret = hash_bytes(S("queue ids")) | 1;
        return j;
}

void join_free(struct join *j)
{
        if (!j)
                return;
        names_free(j->places);
        free(j->by_id.slots);
        free(j->by_message.slots);
        free(j->all);
        free(j);
}

uint64_t join_end(struct join *j)
{
        uint64_t on_their_way = 0;
        while (j->gone.oldest)
                retire(j, j->gone.oldest);
        for (; j->open.oldest; retire(j, j->open.oldest))
                on_their_way += j->all[j->open.oldest].queued;
        return on_their_way;
}

uint64_t join_early(const struct join *j)
{
        return j->early;
}
