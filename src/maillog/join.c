/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/join.h"

#include "base/time.h"

enum { SLOTS_FIRST = 4096, NONE = 0 };
static const int64_t LINGER = MINUTE / 2; /* how long a message that is gone can still be given back by a filter */

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
        struct table by_id, by_message, by_any; /* by_any: by the queue id alone */
        struct list open, gone;
        struct join_names names;
        struct join_hooks hooks;
        uint64_t early;
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
        j->hooks.tell(j->hooks.arg, m);
        list_drop(j, m->closed ? &j->gone : &j->open, at);
        table_drop(&j->by_id, (uint32_t)m->tag, at);
        table_drop(&j->by_any, (uint32_t)m->id, at);
        if (m->message_id)
                table_drop(&j->by_message, (uint32_t)m->message_id, at);
        m->newer = j->free;
        j->free = at;
}

static uint32_t add(struct join *j, const struct entry *e)
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
        *m = (struct message){ .tag = e->tag, .id = e->id, .first = e->at, .last = e->at };
        list_add(j, &j->open, n);
        table_put(&j->by_id, (struct slot){ (uint32_t)e->tag, n });
        table_put(&j->by_any, (struct slot){ (uint32_t)e->id, n });
        return n;
}

static uint32_t find(const struct join *j, uint64_t tag)
{
        if (!j->by_id.slots)
                return NONE;
        for (uint32_t i = (uint32_t)tag & j->by_id.mask; j->by_id.slots[i].at; i = (i + 1) & j->by_id.mask)
                if (j->by_id.slots[i].tag == (uint32_t)tag && j->all[j->by_id.slots[i].at].tag == tag)
                        return j->by_id.slots[i].at;
        return NONE;
}

/* Whether a line can be of this message, though it stands under another host. */
static bool may_be_of(const struct message *m, const struct entry *e)
{
        return m->id == e->id && !m->closed && m->queued != (e->kind == MAIL_MESSAGE_ID || e->kind == MAIL_QUEUED);
}

/* The youngest with that id under another host; from then on it is of this one. */
static uint32_t find_elsewhere(struct join *j, const struct entry *e)
{
        const struct table *t = &j->by_any;
        uint32_t n = NONE;
        if (!t->slots || e->kind == MAIL_CLIENT || e->kind == MAIL_PICKUP)
                return NONE;
        for (uint32_t i = (uint32_t)e->id & t->mask; t->slots[i].at; i = (i + 1) & t->mask)
                if (t->slots[i].tag == (uint32_t)e->id && may_be_of(&j->all[t->slots[i].at], e) &&
                    (!n || j->all[t->slots[i].at].first >= j->all[n].first))
                        n = t->slots[i].at;
        if (!n)
                return NONE;
        table_drop(&j->by_id, (uint32_t)j->all[n].tag, n);
        j->all[n].tag = e->tag;
        table_put(&j->by_id, (struct slot){ (uint32_t)e->tag, n });
        return n;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
        __uint128_t product = (__uint128_t)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* --- what the events do --- */

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

/* A filter gives back what it was handed, in one message or in several. Not every server says for how many. */
static uint32_t handed_with(uint32_t before, const struct message *back)
{
        uint32_t n = !back->arrived ? 0 : back->recipients ? back->recipients : UINT32_MAX;
        return n > UINT32_MAX - before ? UINT32_MAX : before + n;
}

static void on_queued(struct join *j, uint32_t at, const struct batch *b, const struct entry *e)
{
        struct message *m = &j->all[at];
        m->queued = true;
        m->size = e->size;
        m->recipients = e->nrcpt;
        m->sender = names_id(j->names.senders, batch_text(b, e->who), e->who.hash);
        if (!m->message_id)
                return;
        m->message_id = mix(m->message_id, e->identity) | 1;
        uint32_t first = m->local || m->made ? find_first(j, m->message_id, at) : NONE;
        if (first) {
                struct message *f = &j->all[first];
                f->handed = handed_with(f->handed, m);
                m->again = true;
                m->client = f->client;
                m->login = f->login;
        }
        if (!first)
                table_put(&j->by_message, (struct slot){ (uint32_t)m->message_id, at });
        else
                m->message_id = 0;
}

static void on_delivery(struct message *m, const struct entry *e)
{
        if (e->category)
                m->remote = e->category;
        switch (e->status) {
        case MAIL_SENT:
                *(e->forwarded ? &m->forwarded : &m->sent) += 1;
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

static void on_begin(struct join *j, struct message *m, const struct batch *b, const struct entry *e)
{
        m->arrived = true;
        m->made = false;
        m->local = e->local;
        m->client = names_id(j->names.clients, batch_text(b, e->who), e->who.hash);
        m->login = names_id(j->names.logins, batch_text(b, e->login), e->login.hash);
}

/* Whether a line can only be of a new message, though one of that id is here. */
static bool begins_anew(const struct message *m, uint8_t kind)
{
        if (kind == MAIL_CLIENT || kind == MAIL_PICKUP)
                return m->closed || m->arrived || m->queued;
        return m->closed && (kind == MAIL_MESSAGE_ID || kind == MAIL_QUEUED);
}

/* What a message of which nothing was seen yet can be known from; the end of one that was never seen says nothing. */
static bool begins(uint8_t kind)
{
        return kind == MAIL_CLIENT || kind == MAIL_PICKUP || kind == MAIL_MESSAGE_ID || kind == MAIL_QUEUED ||
               kind == MAIL_DELIVERY;
}

static bool is_of_message(const struct entry *e)
{
        static const bool of[MAIL_KINDS_ALL] = {
                [MAIL_CLIENT] = true,   [MAIL_PICKUP] = true,  [MAIL_MESSAGE_ID] = true, [MAIL_QUEUED] = true,
                [MAIL_DELIVERY] = true, [MAIL_REMOVED] = true, [MAIL_EXPIRED] = true,    [MAIL_CONTENT] = true,
                [MAIL_SAID] = true,     [MAIL_REJECT] = true,  [MAIL_CHECK] = true,
        };
        return e->of_message && of[e->kind];
}

static void tell_seen(struct join *j, const struct message *m, const struct entry *e)
{
        if (j->hooks.seen)
                j->hooks.seen(j->hooks.arg, m, e);
}

static void apply(struct join *j, uint32_t n, const struct batch *b, const struct entry *e)
{
        struct message *m = &j->all[n];
        switch (e->kind) {
        case MAIL_CLIENT:
        case MAIL_PICKUP:
                on_begin(j, m, b, e);
                break;
        case MAIL_MESSAGE_ID:
                m->made = !m->arrived;
                if (!m->queued && !m->message_id)
                        m->message_id = e->identity;
                break;
        case MAIL_QUEUED:
                if (m->queued) /* again from the deferred queue */
                        break;
                on_queued(j, n, b, e);
                if (!m->again)
                        tell_seen(j, m, e);
                break;
        case MAIL_DELIVERY:
                on_delivery(m, e);
                tell_seen(j, m, e);
                break;
        case MAIL_EXPIRED:
                m->expired = true;
                break;
        case MAIL_CONTENT:
                m->spam = m->spam || e->spam;
                m->virus = m->virus || e->virus;
                break;
        case MAIL_SAID:
                m->remote = e->category ? e->category : m->remote;
                break;
        case MAIL_REMOVED:
                close_message(j, n);
                break;
        default: /* a refusal: by cleanup (or Exim), of the whole message, of which nothing more is said */
                if ((e->daemon == MAIL_BY_CLEANUP || e->daemon == MAIL_BY_EXIM) && e->category && e->refuses) {
                        m->refused = e->category;
                        close_message(j, n);
                }
                break;
        }
}

void join_expect(const struct join *j, const struct entry *e)
{
        if (j->by_id.slots)
                __builtin_prefetch(&j->by_id.slots[(uint32_t)e->tag & j->by_id.mask]);
        if (e->who.n)
                names_expect(e->kind == MAIL_QUEUED ? j->names.senders : j->names.clients, e->who.hash);
}

void join_fetch(const struct join *j, const struct entry *e)
{
        uint32_t at = j->by_id.slots ? j->by_id.slots[(uint32_t)e->tag & j->by_id.mask].at : NONE;
        if (at) {
                __builtin_prefetch(&j->all[at]);
                __builtin_prefetch((const char *)&j->all[at] + 64);
        }
}

void join_fetch_first(const struct join *j, const struct entry *e)
{
        uint32_t at = e->kind == MAIL_QUEUED ? find(j, e->tag) : NONE;
        if (at && j->by_message.slots)
                __builtin_prefetch(
                    &j->by_message.slots[(uint32_t)(mix(j->all[at].message_id, e->identity) | 1) & j->by_message.mask]);
}

void join_pass(struct join *j, int64_t at)
{
        while (j->gone.oldest && j->all[j->gone.oldest].last + LINGER < at)
                retire(j, j->gone.oldest);
}

void join_event(struct join *j, const struct batch *b, const struct entry *e)
{
        if (!is_of_message(e))
                return;
        uint32_t n = find(j, e->tag);
        if (n && begins_anew(&j->all[n], e->kind)) {
                retire(j, n);
                n = NONE;
        }
        if (!n)
                n = find_elsewhere(j, e);
        if (!n && !begins(e->kind))
                return;
        if (!n)
                n = add(j, e);
        j->all[n].last = e->at;
        apply(j, n, b, e);
        join_pass(j, e->at);
}

static void rename_one(uint32_t *id, const struct names *from, struct names *to)
{
        struct slice text = names_text(from, *id);
        *id = *id == NAMES_OTHERS ? NAMES_OTHERS : names_id(to, text, names_hash(text));
}

static void rename_list(struct join *j, const struct list *l, struct join_names names)
{
        for (uint32_t at = l->oldest; at; at = j->all[at].newer) {
                rename_one(&j->all[at].client, j->names.clients, names.clients);
                rename_one(&j->all[at].login, j->names.logins, names.logins);
                rename_one(&j->all[at].sender, j->names.senders, names.senders);
        }
}

void join_rename(struct join *j, struct join_names names)
{
        rename_list(j, &j->open, names);
        rename_list(j, &j->gone, names);
        j->names = names;
}

/* --- its life --- */

struct join *join_new(uint32_t most, struct join_names names, struct join_hooks hooks)
{
        struct join *j = xcalloc(1, sizeof *j);
        j->most = most ? most : JOIN_MOST;
        j->all = xcalloc((size_t)j->most + 1, sizeof *j->all); /* the kernel gives memory only to what is used */
        j->names = names;
        j->hooks = hooks;
        return j;
}

void join_free(struct join *j)
{
        if (!j)
                return;
        free(j->by_id.slots);
        free(j->by_message.slots);
        free(j->by_any.slots);
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
