/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/recent.h"

#include "base/arena.h"
#include "base/map.h"

enum { BYTES_EACH = 4096 };

struct member {
        struct slice text;
        int64_t at;
};

struct recent {
        size_t most;
        struct map map; /* to struct member */
        struct arena *arena;
        bool lost;
};

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
        return map_find(&r->map, text) != NULL;
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
