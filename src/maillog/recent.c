/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/recent.h"

#include "base/arena.h"
#include "base/map.h"

enum { BYTES_EACH = 4096, TAGS = 1 << 17 };

struct member {
        struct slice text;
        int64_t at;
};

struct recent {
        size_t most;
        struct map map; /* to struct member */
        struct arena *arena;
        bool lost;
        uint64_t tags[TAGS / 64]; /* a bit for each text that is here: most that are asked for are not */
};

/* Of its first and last bytes. Whoever chooses texts to share a tag makes us look twice. */
static uint32_t tag_of(struct slice s)
{
        uint64_t first = 0, last = 0;
        size_t n = s.n < 8 ? s.n : 8;
        memcpy(&first, s.p, n);
        memcpy(&last, s.p + s.n - n, n);
        return (uint32_t)((first * 0x9e3779b97f4a7c15u ^ last * 0xc2b2ae3d27d4eb4fu) >> 40) % TAGS;
}

static bool has_tag(const struct recent *r, struct slice text)
{
        uint32_t tag = tag_of(text);
        return r->tags[tag / 64] >> tag % 64 & 1;
}

struct recent *recent_new(size_t most)
{
        struct recent *r = xcalloc(1, sizeof *r);
        r->most = most;
        r->arena = arena_new((2 * most + 16) * BYTES_EACH);
        return r;
}

void recent_free(struct recent *r)
{
        if (!r)
                return;
        map_done(&r->map);
        arena_free(r->arena);
        free(r);
}

static void put(struct recent *r, struct slice text, int64_t at)
{
        struct member *m = arena_alloc(r->arena, sizeof *m);
        struct slice copy = m ? arena_dup(r->arena, text) : (struct slice){ 0 };
        if (!copy.p) {
                r->lost = true;
                return;
        }
        *m = (struct member){ copy, at };
        map_put(&r->map, copy, m);
        uint32_t tag = tag_of(text);
        r->tags[tag / 64] |= UINT64_C(1) << tag % 64;
}

bool recent_add(struct recent *r, struct slice text, int64_t at)
{
        struct member *m = map_find(&r->map, text);
        if (m) {
                m->at = at > m->at ? at : m->at;
                return false;
        }
        if (r->map.n >= 2 * r->most)
                recent_trim(r, r->most);
        put(r, text, at);
        return true;
}

bool recent_has(const struct recent *r, struct slice text)
{
        return has_tag(r, text) && map_find(&r->map, text);
}

static int by_age(const void *a, const void *b)
{
        const struct member *x = *(const struct member *const *)a, *y = *(const struct member *const *)b;
        return x->at != y->at ? (x->at < y->at) - (x->at > y->at) : slice_cmp(x->text, y->text);
}

void recent_trim(struct recent *r, size_t most)
{
        if (r->map.n <= most)
                return;
        size_t n = 0;
        struct map_entry *e;
        struct map old = r->map;
        struct arena *texts = r->arena;
        autofree const struct member **all = xcalloc(old.n, sizeof *all);
        for (size_t i = 0; (e = map_next(&old, &i));)
                all[n++] = e->value;
        qsort(all, n, sizeof(struct member *), by_age);
        r->map = (struct map){ 0 };
        memset(r->tags, 0, sizeof r->tags);
        r->arena = arena_new((2 * r->most + 16) * BYTES_EACH);
        r->lost = true;
        for (size_t i = 0; i < most; i++)
                put(r, all[i]->text, all[i]->at);
        map_done(&old);
        arena_free(texts);
}

size_t recent_count(const struct recent *r)
{
        return r->map.n;
}

bool recent_lost(const struct recent *r)
{
        return r->lost;
}

bool recent_next(const struct recent *r, size_t *i, struct slice *text)
{
        const struct map_entry *e = map_next(&r->map, i);
        if (e)
                *text = e->key;
        return e;
}
