/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/bindings.h"
#include "identity/match.h"

#include "base/time.h"

enum { MOST = 4000000, RUN = 8, GAPS = 2 };
static const int64_t SKEW = MATCH_SKEW;
static const int64_t FAR = 100 * 365 * DAY;                   /* later than anything that is due */
static const int64_t LATEST = INT64_C(253402300800) * SECOND; /* the year 10000 */

struct bindings {
        struct bindings_rules rules;
        struct bindings_counts counts;
        struct sessions table;
        int64_t clock; /* newest instant believed */
        int64_t jump;  /* where the events are that disagree with the clock */
        unsigned ahead, behind;
        struct session *dirty; /* live: to be told at the end of this event */
        struct buf evidence;
};

struct bindings *bindings_new(const struct bindings_rules *r)
{
        struct bindings *b = xcalloc(1, sizeof *b);
        b->rules = *r;
        if (b->rules.most == 0)
                b->rules.most = MOST;
        if (b->rules.settle == 0)
                b->rules.settle = HOUR;
        sessions_init(&b->table);
        buf_init(&b->evidence, 2 * SESSION_TEXT_MOST + 16);
        return b;
}

void bindings_free(struct bindings *b)
{
        if (!b)
                return;
        sessions_done(&b->table);
        buf_done(&b->evidence);
        free(b);
}

void bindings_free_(struct bindings **b)
{
        bindings_free(*b);
}

const struct bindings_counts *bindings_counts(const struct bindings *b)
{
        return &b->counts;
}

size_t bindings_open(const struct bindings *b)
{
        return b->table.n_open;
}

int64_t bindings_newest(const struct bindings *b)
{
        return b->clock;
}

static int64_t least(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

/* --- telling ---------------------------------------------------------------------------------------------------------------- */

static void tell(struct bindings *b, struct session *s, struct binding *n, bool settled)
{
        struct lease l;
        if (!session_has_line(s))
                return;
        session_lease(s, n, &b->evidence, &l);
        if (l.end != TIME_NEVER)
                l.end = most(l.end, n->start + SECOND);
        if (n->end < s->end)
                l.why_ended = S("moved");
        b->rules.emit(b->rules.arg, &l, settled);
        n->changed = false;
        n->published = true;
}

static void take_back(struct bindings *b, struct session *s, struct binding *n)
{
        struct lease l;
        if (!n->published || !session_has_line(s))
                return;
        session_lease(s, n, &b->evidence, &l);
        l.end = l.start;
        b->rules.emit(b->rules.arg, &l, true);
        n->published = false;
        n->id = 0;
}

static void mark(struct bindings *b, struct session *s)
{
        if (!b->rules.live || s->dirty)
                return;
        s->dirty = true;
        s->dirty_next = b->dirty;
        b->dirty = s;
}

static void mark_all(struct bindings *b, struct session *s)
{
        for (struct binding *n = s->held; n; n = n->sibling)
                n->changed = true;
        mark(b, s);
}

static void tell_changed(struct bindings *b, struct session *s, bool settled)
{
        for (struct binding *n = s->held; n; n = n->sibling)
                if (n->changed)
                        tell(b, s, n, settled);
}

static void tell_dirty(struct bindings *b)
{
        while (b->dirty) {
                struct session *s = b->dirty;
                b->dirty = s->dirty_next;
                s->dirty = false;
                tell_changed(b, s, s->state == SESSION_ENDED);
        }
}

/* --- the life of a session -------------------------------------------------------------------------------------------------- */

static bool silent_at(const struct session *s, int64_t when)
{
        return s->gaps >= GAPS && s->expires == TIME_NEVER && when - s->last > most(3 * s->interval, HOUR);
}

static int64_t deadline(const struct bindings *b, const struct session *s)
{
        if (s->state != SESSION_OPEN)
                return s->touched + b->rules.settle;
        if (s->expires != TIME_NEVER)
                return s->expires;
        return s->gaps >= GAPS ? s->last + most(3 * s->interval, HOUR) : s->last + FAR;
}

static void end(struct bindings *b, struct session *s, enum session_state state, int64_t at, struct slice why,
                struct slice evidence)
{
        sessions_close(&b->table, s, state, most(at, s->start + SECOND), why, evidence);
        s->touched = b->clock;
        sessions_due(&b->table, s, deadline(b, s));
        mark_all(b, s);
}

static void reopen(struct bindings *b, struct session *s)
{
        b->counts.reopened++;
        sessions_open(&b->table, s);
        sessions_due(&b->table, s, deadline(b, s));
        mark_all(b, s);
}

static void let_go(struct bindings *b, struct session *s)
{
        if (!b->rules.live)
                tell_changed(b, s, true);
        sessions_drop(&b->table, s);
}

/* What became due on its own instant, whoever is late to look. */
static void pass(struct bindings *b, struct session *s)
{
        if (s->state != SESSION_OPEN) {
                let_go(b, s);
                return;
        }
        int64_t when = deadline(b, s);
        bool expired = s->expires != TIME_NEVER;
        b->counts.silent += !expired;
        end(b, s, SESSION_PRESUMED, expired ? s->expires : s->last, expired ? S("expired") : S("silent"), S(""));
        s->touched = when;
        sessions_due(&b->table, s, deadline(b, s));
}

static void pass_due(struct bindings *b)
{
        struct sessions *t = &b->table;
        while (t->n && t->heap[0].at <= b->clock) {
                struct session *s = t->heap[0].s;
                int64_t due = deadline(b, s);
                if (due > t->heap[0].at) {
                        sessions_due(t, s, due);
                        continue;
                }
                pass(b, s);
                tell_dirty(b);
        }
}

static void forget(struct bindings *b)
{
        tell_dirty(b);
        struct session *s = b->table.heap[0].s;
        b->counts.forgotten++;
        if (s->state == SESSION_OPEN && s->expires == TIME_NEVER && !b->rules.live)
                end(b, s, SESSION_PRESUMED, s->last, S("no stop seen"), S(""));
        let_go(b, s);
}

/* One wrong clock must not make everything silent and settled; but a file may have a gap, or be followed by an older one. */
static void advance(struct bindings *b, int64_t at)
{
        if (b->clock == 0)
                b->clock = at;
        if (match_distance(at, b->clock) <= DAY) {
                b->clock = most(b->clock, at);
                b->ahead = b->behind = 0;
        } else if (at > b->clock) {
                b->behind = 0;
                b->jump = b->ahead ? least(b->jump, at) : at;
                if (++b->ahead >= RUN)
                        b->clock = b->jump;
        } else {
                b->counts.backward++;
                b->ahead = 0;
                b->jump = b->behind ? most(b->jump, at) : at;
                if (++b->behind >= RUN)
                        b->clock = b->jump;
        }
}

static void sign(struct bindings *b, struct session *s, const struct event *e, int64_t at)
{
        int64_t gap = at - s->last;
        bool regular = e->kind == EVENT_HOLDS && gap >= MINUTE; /* what comes sooner was told for another reason */
        if (regular && (s->gaps < GAPS || gap <= most(3 * s->interval, HOUR))) {
                s->interval = most(s->interval, gap);
                s->gaps += s->gaps < GAPS;
                if (s->state == SESSION_OPEN)
                        sessions_due(&b->table, s, most(at, s->last) + most(3 * s->interval, HOUR));
        }
        if (s->state != SESSION_OPEN && at > s->end + (s->state == SESSION_ENDED ? SKEW : 0)) {
                s->last = at;
                reopen(b, s);
        }
        s->last = most(s->last, at);
}

/* The key of a lease has neither ports nor realm, and two sessions of one id may meet in an instant: a microsecond sets them apart. */
static void make_unique(struct bindings *b, struct binding *n)
{
        struct session *s = sessions_kin(&b->table, n->of);
        for (size_t i = 0; s && i < SESSION_KIN_MOST; i++, s = sessions_next(s))
                for (struct binding *o = s->held; o; o = o->sibling)
                        if (o != n && o->start == n->start && prefix_cmp(&o->prefix, &n->prefix) == 0) {
                                n->start++;
                                make_unique(b, n);
                                return;
                        }
}

static void set_start(struct bindings *b, struct session *s, int64_t start)
{
        int64_t former = s->start;
        s->start = start;
        for (struct binding *n = s->held; n; n = n->sibling) {
                if (n->start != former || start >= n->end)
                        continue;
                take_back(b, s, n);
                n->start = start;
                n->changed = true;
                make_unique(b, n);
        }
        if (s->state != SESSION_OPEN)
                session_ends(s, most(s->end, start + SECOND));
        mark(b, s);
}

/* The NAS stamps its reports with the start: what was taken for the time of a report is the start. */
static void shift(struct bindings *b, struct session *s)
{
        int64_t lasted = s->last - s->start, start = s->last;
        bool ended = s->state == SESSION_ENDED;
        set_start(b, s, start);
        s->start_known = true;
        s->last = start + lasted;
        if (ended)
                session_ends(s, s->last);
        mark_all(b, s);
}

/* --- who holds what --------------------------------------------------------------------------------------------------------- */

static void replace(struct bindings *b, struct session *s, int64_t at, struct slice evidence)
{
        if (s->expires < at) {
                end(b, s, SESSION_PRESUMED, s->expires, S("expired"), S(""));
        } else if (silent_at(s, at)) {
                b->counts.silent++;
                end(b, s, SESSION_PRESUMED, s->last, S("silent"), S(""));
        } else {
                b->counts.replaced++;
                end(b, s, SESSION_PRESUMED, at, S("replaced"), evidence);
        }
}

/* `n` is new in `s`; `o` is held by another since an earlier instant, or the same. */
static void meet_earlier(struct bindings *b, struct binding *n, struct binding *o, const struct event *e)
{
        struct session *other = o->of;
        if (other->last <= n->start) {
                if (other->state != SESSION_ENDED)
                        replace(b, other, n->start, e->evidence);
        } else if (e->kind != EVENT_BEGINS && other->last <= e->at) {
                /* it was the other's after our session began: ours when that one ended, or somewhen between its last sign and now */
                n->start = most(n->start, least(other->last, other->end));
                if (other->state == SESSION_OPEN && other->last < e->at)
                        replace(b, other, e->at, e->evidence);
        } /* else both gave signs of holding it: both hold it */
}

static void take_over(struct bindings *b, struct session *s, struct binding *n, const struct event *e)
{
        struct binding *o = n;
        for (size_t i = 0; i < SESSION_KIN_MOST && (o = sessions_next_holder(o, n->start)); i++) {
                if (o->of == s || o->end != TIME_NEVER)
                        continue;
                if (o->start <= n->start)
                        meet_earlier(b, n, o, e);
                else if (s->state != SESSION_ENDED && e->at < o->start && o->start < s->end &&
                         o->start <= b->clock + DAY)
                        replace(b, s, o->start, S("")); /* told late: the next one came already */
        }
}

/* One whose addresses change all the time does not grow for ever: what he left is told. */
static void prune(struct bindings *b, struct session *s)
{
        struct binding *next;
        size_t n = 0;
        for (struct binding *o = s->held; o; o = o->sibling)
                n++;
        for (struct binding *o = s->held; n >= SESSION_KIN_MOST && o; o = next) {
                next = o->sibling;
                if (o->end == TIME_NEVER)
                        continue;
                if (o->changed)
                        tell(b, s, o, true);
                sessions_leave(&b->table, o);
        }
}

static void hold(struct bindings *b, struct session *s, const struct event *e, const struct held *h, int64_t start)
{
        prune(b, s);
        struct binding *n = sessions_hold(&b->table, s, h, start);
        take_over(b, s, n, e);
        make_unique(b, n);
        mark(b, s);
}

/* What the report no longer names and `h` stands for: the address of before. Port blocks come and go one by one. */
static struct binding *former_of(struct session *s, const struct event *e, const struct held *h)
{
        for (struct binding *n = s->held; n; n = n->sibling) {
                bool named = n->end != TIME_NEVER || n->port_high || h->port_high ||
                             prefix_is_v4(&n->prefix) != prefix_is_v4(&h->prefix) || n->prefix.len != h->prefix.len;
                for (size_t i = 0; i < e->n_held && !named; i++)
                        named = match_is_this(n, &e->held[i]);
                if (!named)
                        return n;
        }
        return NULL;
}

/* `at`: when the report says this; what is older than the session's last sign moves nothing. */
static void take_held(struct bindings *b, struct session *s, const struct event *e, int64_t at)
{
        for (size_t i = 0; i < e->n_held; i++) {
                struct binding *stands = match_own(s, &e->held[i]);
                if (stands && (stands->end == TIME_NEVER || at <= stands->end))
                        continue;
                struct binding *former = former_of(s, e, &e->held[i]);
                if (former && at < s->last)
                        continue;
                int64_t start = former || stands ? (e->kind == EVENT_ENDS ? s->last : at) : s->start;
                if (former) {
                        former->end = most(start, former->start + SECOND);
                        former->changed = true;
                }
                hold(b, s, e, &e->held[i], start);
        }
}

/* --- events ------------------------------------------------------------------------------------------------------------------- */

static struct session *begin(struct bindings *b, const struct event *e)
{
        int64_t claimed = match_start_told(e);
        if (b->table.n >= b->rules.most)
                forget(b);
        struct nas *nas = sessions_nas(&b->table, e->source, e->nas, true);
        struct session *s = sessions_add(&b->table, nas, e, e->at + FAR);
        s->start = claimed ? claimed : e->kind == EVENT_ENDS ? e->at - SECOND : e->at;
        s->last = e->kind == EVENT_ENDS ? s->start : e->at;
        s->start_known = e->kind == EVENT_BEGINS;
        if (e->kind != EVENT_ENDS && e->expires != TIME_NEVER)
                session_expires(s, most(e->expires, s->start + SECOND));
        b->counts.opened++;
        sessions_due(&b->table, s, deadline(b, s));
        return s;
}

/* What a server's log says last is so; what it said before is told again when the file is written anew. */
static void renew(struct bindings *b, struct session *s, const struct event *e)
{
        if (e->at < s->last || (s->state == SESSION_ENDED && e->at < s->end - SECOND))
                return;
        int64_t expires = e->expires == TIME_NEVER ? TIME_NEVER : most(e->expires, s->start + SECOND);
        if (s->state == SESSION_OPEN && expires == s->expires)
                return;
        session_expires(s, expires);
        if (s->state != SESSION_OPEN)
                reopen(b, s);
        sessions_due(&b->table, s, deadline(b, s));
        mark_all(b, s);
}

/* The session it is of, with what it says of start and line taken in. *ret_new: it was not known. */
static struct session *session_of(struct bindings *b, const struct event *e, bool *ret_new)
{
        int64_t claimed = match_start_told(e);
        struct session *s = match_event(&b->table, e);
        *ret_new = !s;
        if (!s)
                return begin(b, e);
        bool learns = !session_has_line(s) && e->line.kind.n;
        if (learns)
                session_learn(s, &e->line);
        if (learns || (s->loaded && !b->rules.live)) /* of a file it is told again, and counted as known */
                mark_all(b, s);
        if (claimed && match_distance(claimed, s->start) > SKEW && !s->start_known && match_is_stamped(s, e, claimed))
                shift(b, s);
        if (e->kind == EVENT_BEGINS && !s->start_known && match_distance(claimed, s->start) <= SKEW) {
                if (claimed != s->start)
                        set_start(b, s, claimed);
                s->start_known = true;
                b->counts.late++;
        } else if (match_by_held(e) && claimed && claimed < s->start && (b->rules.live || !s->loaded)) {
                set_start(b, s, claimed);
        }
        return s;
}

static void on_holds(struct bindings *b, const struct event *e)
{
        bool is_new;
        size_t before = b->table.n_held;
        uint64_t reopened = b->counts.reopened;
        struct session *s = session_of(b, e, &is_new);
        int64_t at = match_instant(s, e), last = s->last;
        take_held(b, s, e, at);
        if (is_new)
                return;
        if (match_by_held(e))
                renew(b, s, e);
        else
                sign(b, s, e, at);
        s->last = most(s->last, at);
        b->counts.duplicates += s->last == last && before == b->table.n_held && reopened == b->counts.reopened;
}

static void end_one(struct bindings *b, struct session *s, struct binding *n, const struct event *e)
{
        size_t standing = 0;
        for (struct binding *o = s->held; o; o = o->sibling)
                standing += o->end == TIME_NEVER;
        if (standing > 1) {
                n->end = most(e->at, n->start + SECOND);
                n->changed = true;
                mark(b, s);
                return;
        }
        b->counts.ended++;
        end(b, s, SESSION_ENDED, least(e->at, s->expires), e->why.n ? e->why : S("ended"), e->evidence);
}

/* It names nobody: whoever holds what it names at its instant. */
static void end_by_address(struct bindings *b, const struct event *e)
{
        bool found = false;
        for (size_t i = 0; i < e->n_held; i++) {
                struct binding *n = sessions_holder(&b->table, e->source, e->realm, &e->held[i]);
                for (size_t j = 0; n && j < SESSION_KIN_MOST; j++, n = sessions_next_holder(n, 0)) {
                        struct session *s = n->of;
                        if (n->end != TIME_NEVER || n->start > e->at || s->state == SESSION_ENDED ||
                            (s->state == SESSION_PRESUMED && s->end < e->at))
                                continue;
                        end_one(b, s, n, e);
                        found = true;
                }
        }
        b->counts.stray += !found;
}

static void stop(struct bindings *b, struct session *s, const struct event *e, int64_t at)
{
        int64_t when = least(at, s->expires);
        if (s->state == SESSION_ENDED && when >= s->end - SECOND) {
                b->counts.duplicates++;
                return;
        }
        if (when < s->last - SKEW) { /* it went on after that */
                b->counts.duplicates++;
                return;
        }
        b->counts.late += s->state == SESSION_PRESUMED;
        b->counts.ended++;
        s->last = most(s->last, at);
        end(b, s, SESSION_ENDED, when, e->why.n ? e->why : S("ended"), e->evidence);
}

static void on_ends(struct bindings *b, const struct event *e)
{
        bool is_new;
        if (e->user.n == 0 && e->line.kind.n == 0) {
                end_by_address(b, e);
                return;
        }
        if ((e->line.kind.n == 0 || e->n_held == 0) && !match_event(&b->table, e)) {
                b->counts.stray++;
                return;
        }
        struct session *s = session_of(b, e, &is_new);
        int64_t at = match_instant(s, e);
        b->counts.startless += is_new && !s->start_known;
        take_held(b, s, e, at);
        stop(b, s, e, at);
}

static void on_reset(struct bindings *b, const struct event *e)
{
        struct nas *nas = sessions_nas(&b->table, e->source, e->nas, false);
        if (!nas || nas->reset == e->at)
                return;
        nas->reset = e->at;
        b->counts.nas_resets++;
        for (struct session *s = nas->open, *next; s; s = next) {
                next = s->open_next;
                if (s->start < e->at && s->last <= e->at)
                        end(b, s, SESSION_PRESUMED, silent_at(s, e->at) ? s->last : least(e->at, s->expires),
                            S("nas-reset"), e->evidence);
        }
}

/* Nothing follows from it for others, and nothing for it from them. */
static void tell_whole(struct bindings *b, const struct event *e)
{
        struct lease l = { .realm = e->realm,
                           .start = match_start_told(e),
                           .end = e->expires,
                           .line = e->line,
                           .source = e->source,
                           .nas = e->nas,
                           .session = e->session,
                           .user = e->user,
                           .evidence = e->evidence };
        if (l.start == 0)
                l.start = e->at;
        l.end = most(l.end, l.start + SECOND);
        b->counts.stray += e->n_held == 0 || e->line.kind.n == 0;
        for (size_t i = 0; i < e->n_held && e->line.kind.n; i++) {
                const struct held *h = &e->held[i];
                l.prefix = h->prefix;
                l.proto = h->proto;
                l.port_low = h->port_low;
                l.port_high = h->port_high;
                b->counts.opened++;
                b->rules.emit(b->rules.arg, &l, true);
        }
}

static void handle(struct bindings *b, const struct event *e)
{
        if (e->kind == EVENT_NAS_RESETS)
                on_reset(b, e);
        else if (e->kind == EVENT_ENDS)
                on_ends(b, e);
        else if (e->user.n && (e->session.n || e->n_held))
                on_holds(b, e);
        else
                b->counts.stray++;
}

void bindings_event(struct bindings *b, const struct event *given)
{
        struct event e = *given;
        b->counts.events++;
        if (e.at <= 0 || e.at >= LATEST) {
                b->counts.stray++;
                return;
        }
        if (e.user.n == 0)
                e.user = e.line.value;
        if (e.expires <= 0 || e.expires >= LATEST)
                e.expires = TIME_NEVER;
        e.n_held = e.n_held < EVENT_HELD_MOST ? e.n_held : EVENT_HELD_MOST;
        advance(b, e.at);
        pass_due(b);
        if (e.kind == EVENT_IS)
                tell_whole(b, &e);
        else if (match_by_held(&e) && e.n_held > 1) /* each is a lease of its own */
                for (size_t i = 0, n = e.n_held; i < n; i++) {
                        e.held[0] = given->held[i];
                        e.n_held = 1;
                        handle(b, &e);
                }
        else
                handle(b, &e);
        tell_dirty(b);
}

/* --- the ledger before, and the end of the input ------------------------------------------------------------------------------ */

static bool was_presumed(struct slice why)
{
        const struct slice words[] = { S("replaced"), S("silent"), S("expired"), S("nas-reset"), S("no stop seen") };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (slice_eq(why, words[i]))
                        return true;
        return false;
}

static struct session *load_session(struct bindings *b, const struct lease *l)
{
        const struct event e = {
                .realm = l->realm, .session = l->session, .user = l->user, .line = l->line, .evidence = l->evidence
        };
        struct nas *nas = sessions_nas(&b->table, l->source, l->nas, true);
        struct session *s = sessions_find(&b->table, nas, l->session, l->user);
        bool alone = l->session.n == 0 || (l->end != TIME_NEVER && l->why_ended.n == 0);
        for (; s && !alone; s = sessions_next(s))
                if (s->start == l->start)
                        return s;
        s = sessions_add(&b->table, nas, &e, l->start + FAR);
        s->start = s->last = l->start;
        s->start_known = s->loaded = true;
        if (l->end != TIME_NEVER && l->why_ended.n == 0)
                session_expires(s, l->end);
        else if (l->end != TIME_NEVER)
                sessions_close(&b->table, s, was_presumed(l->why_ended) ? SESSION_PRESUMED : SESSION_ENDED, l->end,
                               l->why_ended, S(""));
        s->touched = l->end;
        return s;
}

void bindings_load(struct bindings *b, const struct lease *l)
{
        const struct held h = {
                .prefix = l->prefix, .proto = l->proto, .port_low = l->port_low, .port_high = l->port_high
        };
        if (l->start < 0 || l->start >= LATEST || l->user.n == 0)
                return;
        if (b->table.n >= b->rules.most)
                forget(b);
        struct session *s = load_session(b, l);
        struct binding *n = sessions_hold(&b->table, s, &h, l->start);
        n->id = l->id;
        n->published = true;
        n->changed = false;
        sessions_due(&b->table, s, deadline(b, s));
}

void bindings_tick(struct bindings *b, int64_t now)
{
        b->clock = now;
        pass_due(b);
}

static void finish_open(struct bindings *b, struct session *s, int64_t now)
{
        bool today = b->clock >= now - DAY;
        if (s->expires != TIME_NEVER && s->expires <= now)
                sessions_close(&b->table, s, SESSION_PRESUMED, s->expires, S("expired"), S(""));
        else if (s->expires == TIME_NEVER && !today && !s->loaded)
                sessions_close(&b->table, s, SESSION_PRESUMED, most(b->clock, s->last), S("no stop seen"), S(""));
        tell_changed(b, s, s->state != SESSION_OPEN);
}

void bindings_finish(struct bindings *b, int64_t now)
{
        pass_due(b);
        for (size_t i = 0; i < b->table.n; i++) {
                struct session *s = b->table.heap[i].s;
                if (s->state == SESSION_OPEN)
                        finish_open(b, s, now);
                else
                        tell_changed(b, s, true);
        }
}
