/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which lines belong together. */
#include "maillog/story_inside.h"

#include "base/map.h"
#include "base/time.h"

enum { TOLD_BYTES_MOST = 256 << 20, LOOK_BACK = 64, KEY_MOST = 512 };
static const int64_t LINGER = MINUTE; /* how long after its last line a message can still be given back */

struct life {
        struct slice id, host, instance, message_id, from;
        uint32_t mask; /* of what is wanted */
        int64_t first, last, matched;
        bool arrived, made, local, queued, closed, goes_on;
        struct story_line *lines, **tail;
        struct life *older_same; /* of its message-id and sender */
        const struct life *root; /* the first of its story */
        size_t at;               /* in order of time */
};

struct single {
        int64_t at;
        char *line;
        size_t n;
};

/* What may be told: lives that are one story, or a single. */
struct candidate {
        int64_t first, last, matched;
        uint32_t mask;
        size_t n_parts;
        const struct life *root;
        const struct single *single;
        struct story_part *parts;
};

struct stories {
        struct story_wish wish;
        struct arena *arena, *told_arena;
        struct map by_id; /* place and id to the last life of it */
        struct life **lives;
        size_t n_lives, lives_cap;
        struct single *singles;
        size_t n_singles, singles_cap;
        struct story *told;
        size_t n_told;
        bool more, full;
};

struct stories *stories_new(const struct story_wish *wish)
{
        struct stories *s = xcalloc(1, sizeof *s);
        s->wish = *wish;
        s->arena = arena_new(STORY_BYTES_MOST);
        s->told_arena = arena_new(TOLD_BYTES_MOST);
        return s;
}

void stories_free(struct stories *s)
{
        if (!s)
                return;
        for (size_t i = 0; i < s->n_singles; i++)
                free(s->singles[i].line);
        free(s->singles);
        free(s->lives);
        free(s->told);
        map_done(&s->by_id);
        arena_free(s->arena);
        arena_free(s->told_arena);
        free(s);
}

void stories_again(struct stories *s)
{
        map_done(&s->by_id);
        s->n_lives = 0;
        arena_free(s->arena);
        s->arena = arena_new(STORY_BYTES_MOST);
        s->full = false;
}

static uint32_t all_wanted(const struct stories *s)
{
        return (UINT32_C(1) << s->wish.n_wanted) - 1;
}

/* --- lives --- */

static bool is_local(struct slice address)
{
        return slice_starts(address, S("127.")) || slice_eq(address, S("::1"));
}

/* Whether a line can only be of another message, though one of that id is here. */
static bool begins_anew(const struct life *l, enum mail_kind kind)
{
        if (kind == MAIL_CLIENT || kind == MAIL_PICKUP)
                return l->closed || l->arrived || l->queued;
        return l->closed && (kind == MAIL_MESSAGE_ID || kind == MAIL_QUEUED);
}

/* Host, instance and id with what cannot stand in them between; an empty slice where they are too long to be any. */
static struct slice key_of(const struct record *e, char room[KEY_MOST])
{
        const struct slice parts[] = { e->host, e->instance, e->event.queue_id };
        size_t n = 0;
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
                if (parts[i].n >= KEY_MOST - n)
                        return (struct slice){ 0 };
                memcpy(room + n, parts[i].p, parts[i].n);
                n += parts[i].n;
                room[n++] = ' ';
        }
        return (struct slice){ room, n };
}

static struct life *begin(struct stories *s, const struct record *e, struct slice key)
{
        struct life *l = arena_alloc(s->arena, sizeof *l);
        struct slice copy = arena_dup(s->arena, key);
        if (!l || !copy.p)
                return NULL;
        *l = (struct life){ .host = { copy.p, e->host.n },
                            .instance = { copy.p + e->host.n + 1, e->instance.n },
                            .id = { copy.p + e->host.n + e->instance.n + 2, e->event.queue_id.n },
                            .first = e->at,
                            .last = e->at };
        l->tail = &l->lines;
        map_put(&s->by_id, copy, l);
        s->lives = xgrow(s->lives, &s->lives_cap, s->n_lives + 1, sizeof(struct life *));
        s->lives[s->n_lives++] = l;
        return l;
}

static void learn(struct stories *s, struct life *l, const struct mail_event *e)
{
        switch (e->kind) {
        case MAIL_CLIENT:
        case MAIL_PICKUP:
                l->arrived = true;
                l->made = false;
                l->local = e->kind == MAIL_PICKUP || is_local(e->client.address);
                break;
        case MAIL_MESSAGE_ID:
                l->made = !l->arrived;
                if (!l->message_id.p && e->message_id.n > 2)
                        l->message_id = arena_dup(s->arena, e->message_id);
                break;
        case MAIL_QUEUED:
                if (!l->queued)
                        l->from = arena_dup(s->arena, e->from);
                l->queued = true;
                break;
        case MAIL_REMOVED:
                l->closed = true;
                break;
        case MAIL_REJECT: /* by cleanup, the whole message, of which nothing more is said */
        case MAIL_CHECK:
                l->closed = l->closed || (e->daemon == MAIL_BY_CLEANUP && slice_ends(e->action, S("reject")));
                break;
        default:
                break;
        }
}

static bool keep_line(struct stories *s, struct life *l, const struct record *e)
{
        struct story_line *line = arena_alloc(s->arena, sizeof *line);
        struct slice copy = line ? arena_dup(s->arena, e->line) : (struct slice){ 0 };
        if (!copy.p)
                return false;
        *line = (struct story_line){ .at = e->at, .text = copy };
        *l->tail = line;
        l->tail = &line->next;
        return true;
}

void stories_add(struct stories *s, const struct record *e)
{
        char room[KEY_MOST];
        struct slice key = key_of(e, room);
        if (!e->event.queue_id.n || !key.n)
                return;
        struct life *l = map_find(&s->by_id, key);
        if (!l || begins_anew(l, e->event.kind))
                l = begin(s, e, key);
        if (!l || !keep_line(s, l, e)) {
                s->full = true;
                return;
        }
        l->first = e->at < l->first ? e->at : l->first;
        l->last = e->at > l->last ? e->at : l->last;
        uint32_t here = wanted_in(s->wish.wanted, s->wish.n_wanted, &e->event);
        l->mask |= here;
        if (here)
                l->matched = e->at > l->matched ? e->at : l->matched;
        learn(s, l, &e->event);
}

bool stories_message_id(const struct stories *s, size_t *i, struct slice *ret)
{
        while (*i < s->n_lives) {
                const struct life *l = s->lives[(*i)++];
                if (l->mask && l->message_id.n) {
                        *ret = l->message_id;
                        return true;
                }
        }
        return false;
}

/* --- singles --- */

static int newer_single(const void *a, const void *b)
{
        const struct single *x = a, *y = b;
        return (x->at < y->at) - (x->at > y->at);
}

static bool is_story(const struct mail_event *e)
{
        return e->kind == MAIL_REJECT || e->kind == MAIL_ACTION || e->kind == MAIL_AUTH_FAILED;
}

bool stories_add_single(struct stories *s, const struct record *e)
{
        if (e->event.queue_id.n || !is_story(&e->event) || e->at < s->wish.since || e->at > s->wish.until ||
            wanted_in(s->wish.wanted, s->wish.n_wanted, &e->event) != all_wanted(s))
                return false;
        if (s->n_singles >= 2 * s->wish.most) {
                qsort(s->singles, s->n_singles, sizeof *s->singles, newer_single);
                while (s->n_singles > s->wish.most)
                        free(s->singles[--s->n_singles].line);
                s->more = true;
        }
        s->singles = xgrow(s->singles, &s->singles_cap, s->n_singles + 1, sizeof *s->singles);
        s->singles[s->n_singles++] = (struct single){ e->at, slice_dup(e->line), e->line.n };
        return true;
}

/* --- lives that are one story --- */

static int earlier_life(const void *a, const void *b)
{
        const struct life *x = *(struct life *const *)a, *y = *(struct life *const *)b;
        if (x->first != y->first)
                return x->first < y->first ? -1 : 1;
        return (x->at > y->at) - (x->at < y->at);
}

static bool names_id(const struct life *a, struct slice id)
{
        for (const struct story_line *l = a->lines; l; l = l->next) {
                if (!memmem(l->text.p, l->text.n, id.p, id.n))
                        continue;
                struct record e = story_read(l->text, l->at);
                if (story_hands_to(&e.event, id))
                        return true;
        }
        return false;
}

/* Which of those that began before it, with its message-id and sender, it goes on from; `former` is the last of them. Who handed it on
 * says so; else it is the last that nobody goes on from yet. */
static struct life *find_origin(const struct life *l, struct life *former)
{
        struct life *best = NULL;
        int look = LOOK_BACK;
        for (struct life *a = former; a && look; a = a->older_same, look--) {
                if (names_id(a, l->id))
                        return a;
                if ((l->local || l->made) && slice_eq(a->host, l->host) && l->first <= a->last + LINGER &&
                    (!best || (best->goes_on && !a->goes_on)))
                        best = a;
        }
        return best;
}

/* Its message-id and sender; no line has a line end in it. Empty: they are not known. */
static struct slice same_key(struct stories *s, const struct life *l)
{
        size_t n = l->message_id.n;
        char *room = n && l->queued ? arena_alloc(s->arena, n + 1 + l->from.n) : NULL;
        if (!room)
                return (struct slice){ 0 };
        memcpy(room, l->message_id.p, n);
        room[n] = '\n';
        if (l->from.n)
                memcpy(room + n + 1, l->from.p, l->from.n);
        return (struct slice){ room, n + 1 + l->from.n };
}

/* Lives in order of their beginnings, each with the first of its story. */
static void link_lives(struct stories *s)
{
        automap same = { 0 };
        for (size_t i = 0; i < s->n_lives; i++)
                s->lives[i]->at = i;
        if (s->n_lives)
                qsort(s->lives, s->n_lives, sizeof *s->lives, earlier_life);
        for (size_t i = 0; i < s->n_lives; i++) {
                struct life *l = s->lives[i], *origin = NULL;
                struct slice key = same_key(s, l);
                l->at = i;
                if (key.n) {
                        l->older_same = map_put(&same, key, l);
                        origin = find_origin(l, l->older_same);
                }
                if (origin)
                        origin->goes_on = true;
                l->root = origin ? origin->root : l;
        }
        s->full = s->full || arena_full(s->arena);
}

static void add_to(struct candidate *c, const struct life *l)
{
        if (!c->root)
                *c = (struct candidate){ .first = l->first, .last = l->last, .matched = l->matched, .root = l };
        c->last = l->last > c->last ? l->last : c->last;
        c->matched = l->matched > c->matched ? l->matched : c->matched;
        c->mask |= l->mask;
        c->n_parts++;
}

/* One for each root, by the root's place in time; NULL roots between them. */
static struct candidate *gather(struct stories *s)
{
        struct candidate *all = xcalloc(s->n_lives + s->n_singles + 1, sizeof *all);
        for (size_t i = 0; i < s->n_lives; i++)
                add_to(&all[s->lives[i]->root->at], s->lives[i]);
        for (size_t i = 0; i < s->n_singles; i++) {
                int64_t at = s->singles[i].at;
                all[s->n_lives + i] =
                    (struct candidate){ .first = at, .last = at, .matched = at, .single = &s->singles[i] };
        }
        return all;
}

static bool is_wanted(const struct stories *s, const struct candidate *c)
{
        return c->single ||
               (c->root && c->mask == all_wanted(s) && c->last >= s->wish.since && c->first <= s->wish.until);
}

/* --- telling --- */

static int matched_later(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;
        if (x->matched != y->matched)
                return x->matched < y->matched ? 1 : -1;
        return (x->first < y->first) - (x->first > y->first);
}

static int began_earlier(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;
        if (x->first != y->first)
                return x->first < y->first ? -1 : 1;
        return (x->last > y->last) - (x->last < y->last);
}

static void tell_part(struct stories *s, struct story *to, const struct life *l)
{
        struct story_part *p = &to->parts[to->n_parts++];
        *p = (struct story_part){ .id = l->id,
                                  .host = l->host,
                                  .instance = l->instance,
                                  .first = l->first,
                                  .last = l->last,
                                  .handed = l->goes_on,
                                  .lines = l->lines };
        story_part_tell(s->told_arena, p);
}

static void tell(struct stories *s, const struct candidate *c)
{
        struct story *to = &s->told[s->n_told];
        *to = (struct story){ .first = c->first, .last = c->last };
        if (c->single) {
                to->only = story_read((struct slice){ c->single->line, c->single->n }, c->first);
                to->kind = to->only.event.kind == MAIL_AUTH_FAILED ? STORY_AUTH_FAILED : STORY_REFUSED;
                s->n_told++;
                return;
        }
        to->parts = arena_alloc(s->told_arena, c->n_parts * sizeof *to->parts);
        if (!to->parts) {
                s->full = true;
                return;
        }
        s->n_told++;
        for (size_t i = c->root->at; i < s->n_lives && to->n_parts < c->n_parts; i++)
                if (s->lives[i]->root == c->root)
                        tell_part(s, to, s->lives[i]);
}

size_t stories_end(struct stories *s)
{
        link_lives(s);
        autofree struct candidate *all = gather(s);
        size_t n = 0;
        for (size_t i = 0; i < s->n_lives + s->n_singles; i++)
                if (is_wanted(s, &all[i]))
                        all[n++] = all[i];
        qsort(all, n, sizeof *all, matched_later);
        s->more = s->more || n > s->wish.most;
        n = n < s->wish.most ? n : s->wish.most;
        qsort(all, n, sizeof *all, began_earlier);
        s->told = xcalloc(n + 1, sizeof *s->told);
        for (size_t i = 0; i < n; i++)
                tell(s, &all[i]);
        s->full = s->full || arena_full(s->told_arena);
        return s->n_told;
}

size_t stories_count(const struct stories *s)
{
        return s->n_told;
}

const struct story *stories_at(const struct stories *s, size_t i)
{
        return &s->told[i];
}

bool stories_more(const struct stories *s)
{
        return s->more;
}

bool stories_full(const struct stories *s)
{
        return s->full;
}
