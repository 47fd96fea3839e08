/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/match.h"

static const int64_t SKEW = MATCH_SKEW;

int64_t match_distance(int64_t a, int64_t b)
{
        return a < b ? b - a : a - b;
}

bool match_is_this(const struct binding *n, const struct held *h)
{
        return prefix_cmp(&n->prefix, &h->prefix) == 0 && n->port_low == h->port_low && n->port_high == h->port_high &&
               slice_eq(slice_of(n->proto), (struct slice){ h->proto.p, h->proto.n < 7 ? h->proto.n : 7 });
}

/* The one that stands, or the last one that did. */
struct binding *match_own(const struct session *s, const struct held *h)
{
        struct binding *found = NULL;
        for (struct binding *n = s->held; n; n = n->sibling)
                if (match_is_this(n, h) && (!found || n->end > found->end))
                        found = n;
        return found;
}

static bool holds_any(struct session *s, const struct event *e)
{
        for (size_t i = 0; i < e->n_held; i++)
                if (match_own(s, &e->held[i]))
                        return true;
        return e->n_held == 0;
}

/* When the holding began, as far as the event tells; 0: it does not. */
int64_t match_start_told(const struct event *e)
{
        if (e->start > 0 && e->start <= e->at)
                return e->start;
        return e->kind == EVENT_BEGINS ? e->at : 0;
}

bool match_by_held(const struct event *e)
{
        return e->session.n == 0 || e->expires != TIME_NEVER;
}

bool match_is_stamped(const struct session *s, const struct event *e, int64_t claimed)
{
        if (e->kind == EVENT_BEGINS)
                return !s->start_known && match_distance(claimed, s->last) <= SECOND && s->last - s->start > SKEW;
        if (!s->start_known)
                return e->at == s->last && claimed < s->start - SKEW;
        return match_distance(e->at, s->start) <= SECOND && e->at - claimed > SKEW;
}

/* Where the start disagrees: a NAS that counts a session's time in its own way is still believed to know the id of an open one. */
static bool is_same_anyway(struct session *s, const struct event *e, int64_t claimed)
{
        if (e->kind == EVENT_BEGINS || e->at < s->start || (s->state != SESSION_OPEN && claimed > s->end))
                return false;
        return (s->state != SESSION_ENDED || e->at <= s->end + SECOND) && holds_any(s, e);
}

static struct session *by_start(struct session *s, const struct event *e, int64_t claimed)
{
        struct session *best = NULL, *stamped = NULL, *anyway = NULL;
        int64_t best_by = SKEW + 1;
        for (size_t i = 0; s && i < SESSION_KIN_MOST; i++, s = sessions_next(s)) {
                int64_t by = match_distance(claimed, s->start);
                if (by < best_by && !(e->kind == EVENT_BEGINS && s->state == SESSION_ENDED && claimed >= s->end)) {
                        best = s;
                        best_by = by;
                }
                if (!stamped && match_is_stamped(s, e, claimed))
                        stamped = s;
                if (!anyway && is_same_anyway(s, e, claimed))
                        anyway = s;
        }
        return best ? best : stamped ? stamped : anyway;
}

/* It tells no start: the newest that began before it and holds what it names; else the newest that began before it. */
static struct session *newest(struct session *s, const struct event *e)
{
        struct session *other = NULL;
        for (size_t i = 0; s && i < SESSION_KIN_MOST; i++, s = sessions_next(s)) {
                if (s->start > e->at + SKEW ||
                    (e->kind == EVENT_ENDS && s->state == SESSION_ENDED && s->end < e->at - SKEW))
                        continue;
                if (holds_any(s, e))
                        return s;
                if (!other)
                        other = s;
        }
        return other;
}

static bool goes_on(const struct session *s, const struct event *e, int64_t claimed)
{
        if (e->kind == EVENT_ENDS)
                return s->start <= e->at && claimed <= s->end;
        int64_t until = e->expires != TIME_NEVER ? e->expires : claimed;
        return claimed <= s->end && until >= s->start;
}

static struct session *holding(struct session *s, const struct event *e, int64_t claimed)
{
        for (size_t i = 0; s && i < SESSION_KIN_MOST; i++, s = sessions_next(s))
                if (match_own(s, &e->held[0]) && goes_on(s, e, claimed))
                        return s;
        return NULL;
}

struct session *match_event(struct sessions *t, const struct event *e)
{
        struct nas *nas = sessions_nas(t, e->source, e->nas, false);
        struct session *s = nas ? sessions_find(t, nas, e->session, e->user) : NULL;
        int64_t claimed = match_start_told(e);
        if (!s)
                return NULL;
        if (match_by_held(e) && e->n_held)
                return holding(s, e, claimed ? claimed : e->at);
        return claimed ? by_start(s, e, claimed) : newest(s, e);
}

int64_t match_instant(const struct session *s, const struct event *e)
{
        int64_t claimed = match_start_told(e);
        bool stamped = e->kind != EVENT_BEGINS && claimed && s->start_known &&
                       match_distance(e->at, s->start) <= SECOND && match_distance(claimed, s->start) > SKEW;
        return stamped ? s->start + (e->at - claimed) : e->at;
}
