/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the lines of one life of a queue id say. */
#include "maillog/story_inside.h"

#include "base/map.h"

struct record story_read(struct slice line, int64_t at)
{
        struct syslog_clock c;
        struct record e;
        syslog_clock_init(&c, (struct syslog_zone){ 0 }, at);
        if (!record_read(&c, line, &e))
                panic("a line that was read once is none");
        e.at = at;
        return e;
}

bool story_hands_to(const struct mail_event *delivery, struct slice id)
{
        static const struct slice words[] = { S("queued as "), S("forwarded as ") };
        struct slice s = delivery->text;
        if (delivery->kind != MAIL_DELIVERY || delivery->status != MAIL_SENT || !slice_ends(s, id))
                return false;
        s.n -= id.n;
        return slice_ends(s, words[0]) || slice_ends(s, words[1]);
}

struct telling {
        struct arena *arena;
        struct story_part *part;
        struct map by_name; /* to the recipient's index + 1 */
        size_t cap;
};

static void on_recipient(struct telling *t, const struct record *e)
{
        struct story_part *p = t->part;
        uintptr_t known = (uintptr_t)map_find(&t->by_name, e->event.to);
        if (!known) {
                struct story_recipient *wider =
                    arena_grow(t->arena, p->recipients, &t->cap, p->n_recipients + 1, sizeof *wider);
                if (!wider)
                        return;
                p->recipients = wider;
                p->recipients[p->n_recipients] = (struct story_recipient){ 0 };
                known = ++p->n_recipients;
                map_put(&t->by_name, e->event.to, (void *)known);
        }
        struct story_recipient *r = &p->recipients[known - 1];
        r->last = e->event;
        r->at = e->at;
        r->times++;
}

static void on_refusal(struct telling *t, const struct record *e)
{
        if (e->event.daemon == MAIL_BY_CLEANUP)
                t->part->refused = e->event;
        else if (e->event.to.n)
                on_recipient(t, e);
}

static void on_queued(struct story_part *p, const struct mail_event *e)
{
        if (p->queued) /* again from the deferred queue */
                return;
        p->queued = true;
        p->from = e->from;
        p->size = e->size;
        p->nrcpt = e->nrcpt;
}

/* Too old: Postfix says so once, of all who were put off. */
static void on_expired(struct story_part *p)
{
        p->expired = true;
        for (size_t i = 0; i < p->n_recipients; i++)
                if (p->recipients[i].last.kind == MAIL_DELIVERY && p->recipients[i].last.status == MAIL_DEFERRED)
                        p->recipients[i].last.status = MAIL_STATUS_EXPIRED;
}

static void on_line(struct telling *t, const struct record *e)
{
        struct story_part *p = t->part;
        switch (e->event.kind) {
        case MAIL_CLIENT:
        case MAIL_PICKUP:
                p->client = e->event;
                break;
        case MAIL_MESSAGE_ID:
                if (!p->message_id.p)
                        p->message_id = e->event.message_id;
                break;
        case MAIL_QUEUED:
                on_queued(p, &e->event);
                break;
        case MAIL_DELIVERY:
                on_recipient(t, e);
                break;
        case MAIL_REJECT:
                on_refusal(t, e);
                break;
        case MAIL_CHECK:
                if (slice_eq(e->event.action, S("reject")))
                        on_refusal(t, e);
                break;
        case MAIL_EXPIRED:
                on_expired(p);
                break;
        case MAIL_NOTICE:
                p->bounce = e->event.other_id;
                break;
        case MAIL_REMOVED:
                p->removed = true;
                break;
        default:
                break;
        }
}

void story_part_tell(struct arena *a, struct story_part *part)
{
        struct telling t = { .arena = a, .part = part };
        for (const struct story_line *l = part->lines; l; l = l->next) {
                struct record e = story_read(l->text, l->at);
                on_line(&t, &e);
        }
        part->made = part->client.kind == MAIL_UNKNOWN && part->message_id.p;
        map_done(&t.by_name);
}
