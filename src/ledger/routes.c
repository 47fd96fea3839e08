/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways of mail through aliases, forwards and catch-alls: none may come back to where it began, and none may be endless.
 *
 * The ways are walked step by step, all places of one step before the next. Nothing is remembered of earlier steps, so a place on ways of two
 * lengths counts for the longer; that ends, for ROUTE_STEPS_MOST bounds the steps. What was there before a change had no loop: a new one goes
 * through the address that was changed, and that is where the walk begins. */
#include "ledger/mail_nouns.h"
#include "ledger/rows.h"

#include <errno.h>

enum { PLACES_MOST = 100000, WARNINGS_MOST = 10 };

struct place_on {
        struct slice address;
        const struct place_on *from;
};

struct walk {
        struct verb_call *c;
        struct slice start;
        struct place_on **now, **next;
        size_t n_now, n_next, cap_now, cap_next, places;
        bool back; /* it came to where it began */
};

static int add_place(struct walk *w, struct map *seen, struct slice address, const struct place_on *from)
{
        char *folded = arena_alloc(w->c->arena, address.n + 1);
        struct place_on *p = arena_alloc(w->c->arena, sizeof *p);
        if (!folded || !p)
                return -ENOMEM;
        for (size_t i = 0; i < address.n; i++)
                folded[i] = (char)(address.p[i] >= 'A' && address.p[i] <= 'Z' ? address.p[i] + 32 : address.p[i]);
        *p = (struct place_on){ { folded, address.n }, from };
        if (map_put(seen, p->address, p))
                return 0;
        if (w->places++ >= PLACES_MOST)
                return verb_no(w->c, "mail to %.*s would go to more than %d addresses", SLICE_ARGS(w->start),
                               PLACES_MOST);
        w->next = arena_grow(w->c->arena, w->next, &w->cap_next, w->n_next + 1, sizeof(struct place_on *));
        if (!w->next)
                return -ENOMEM;
        w->next[w->n_next++] = p;
        w->back = w->back || slice_eq(p->address, w->start);
        return 0;
}

/* "mailbox" or "alias" and its number; "" where nothing of ours has the address. */
static int who_has(struct ledger *l, struct slice address, const char **kind, int64_t *number)
{
        struct statement *s = db_prepare(l, "SELECT number FROM alias WHERE address = ? AND removed = " SQL_NEVER);
        db_text(s, address);
        int status = db_number(s, number);
        *kind = "alias";
        if (status != -ENOENT)
                return status;
        s = db_prepare(l, "SELECT number FROM mailbox WHERE address = ? AND removed = " SQL_NEVER);
        db_text(s, address);
        status = db_number(s, number);
        *kind = status == 0 ? "mailbox" : "";
        return status == -ENOENT ? 0 : status;
}

int address_known(struct ledger *l, struct slice address, bool *ret)
{
        const char *kind;
        int64_t number;
        int status = who_has(l, address, &kind, &number);
        *ret = status == 0 && *kind;
        return status;
}

static int catch_all_of(struct ledger *l, struct arena *a, struct slice address, struct slice *ret)
{
        struct slice domain;
        *ret = S("");
        slice_cut(address, '@', &domain);
        struct statement *s = db_prepare(l, "SELECT catch_all FROM domain WHERE name = ? AND removed = " SQL_NEVER);
        db_text(s, domain);
        while (db_row(s))
                *ret = db_get_text(s, a);
        return db_done(s);
}

static int places_after(struct walk *w, const struct place_on *p, struct slice **all, size_t *n)
{
        const char *kind;
        int64_t number;
        *n = 0;
        int status = who_has(w->c->ledger, p->address, &kind, &number);
        if (status == 0 && *kind)
                return targets_read(w->c->ledger, w->c->arena, kind, number, all, n);
        *all = arena_alloc(w->c->arena, sizeof **all);
        if (status == 0 && *all)
                status = catch_all_of(w->c->ledger, w->c->arena, p->address, *all);
        *n = *all && (*all)[0].n;
        return status;
}

static int places_before(struct walk *w, const struct place_on *p, struct slice **all, size_t *n)
{
        struct pointer *pointers = NULL;
        int status = ledger_points_to(w->c->ledger, w->c->arena, p->address, &pointers, n);
        if (status < 0)
                return status;
        *all = arena_alloc(w->c->arena, (*n + 1) * sizeof **all);
        for (size_t i = 0; *all && i < *n; i++)
                (*all)[i] = pointers[i].from;
        return *all ? 0 : -ENOMEM;
}

/* How many steps there are until no place is left, ROUTE_STEPS_MOST + 1 at the most; ends early where it comes back. */
static int walk(struct walk *w, int (*neighbours)(struct walk *, const struct place_on *, struct slice **, size_t *),
                size_t *steps)
{
        int status = 0;
        automap first = { .n = 0 };
        status = add_place(w, &first, w->start, NULL);
        w->back = false;
        for (*steps = 0; status == 0 && !w->back && *steps <= ROUTE_STEPS_MOST; (*steps)++) {
                automap seen = { .n = 0 };
                struct place_on **all = w->now;
                size_t cap = w->cap_now;
                w->now = w->next;
                w->n_now = w->n_next;
                w->cap_now = w->cap_next;
                w->next = all;
                w->n_next = 0;
                w->cap_next = cap;
                for (size_t i = 0; status == 0 && i < w->n_now; i++) {
                        struct slice *to = NULL;
                        size_t n = 0;
                        status = neighbours(w, w->now[i], &to, &n);
                        for (size_t k = 0; status == 0 && k < n; k++)
                                status = add_place(w, &seen, to[k], w->now[i]);
                }
                if (w->n_next == 0)
                        break;
        }
        return status;
}

static int say_loop(struct walk *w)
{
        autobuf text;
        const struct place_on *way[ROUTE_STEPS_MOST + 2];
        size_t n = 0;
        buf_init(&text, 4096);
        for (size_t i = 0; i < w->n_next && n == 0; i++)
                if (slice_eq(w->next[i]->address, w->start))
                        for (const struct place_on *p = w->next[i]; p && n < COUNT_OF(way); p = p->from)
                                way[n++] = p;
        while (n--)
                buf_addf(&text, "%.*s%s", SLICE_ARGS(way[n]->address), n ? " -> " : "");
        return verb_no(w->c, "mail would go round and round: %s", buf_cstr(&text));
}

int route_check(struct verb_call *c, struct slice address)
{
        size_t down, up;
        struct walk w = { .c = c, .start = address };
        int status = walk(&w, places_after, &down);
        if (status == 0 && w.back)
                return say_loop(&w);
        w = (struct walk){ .c = c, .start = address };
        if (status == 0)
                status = walk(&w, places_before, &up);
        if (status == 0 && down + up > ROUTE_STEPS_MOST)
                return verb_no(c, "mail to %.*s would be sent on more than %d times", SLICE_ARGS(address),
                               ROUTE_STEPS_MOST);
        return status;
}

int route_check_removed(struct verb_call *c, struct slice address)
{
        int status = route_check(c, address);
        if (status == 1)
                buf_adds(c->why, " (the catch-all of the domain would take its place: change that first,"
                                 " domain set --catch-all)");
        return status;
}

/* --- who points where --- */

int ledger_points_to(struct ledger *l, struct arena *a, struct slice address, struct pointer **ret, size_t *n)
{
        struct rows rows = rows_of(l, a, sizeof **ret);
        struct statement *s = db_prepare(
            l, "SELECT 'alias', x.address FROM target t JOIN alias x ON x.number = t.number AND x.removed = " SQL_NEVER
               " WHERE t.address = ?1 AND t.kind = 'alias'"
               " UNION ALL SELECT 'mailbox', x.address FROM target t JOIN mailbox x ON x.number = t.number"
               " AND x.removed = " SQL_NEVER " WHERE t.address = ?1 AND t.kind = 'mailbox'"
               " UNION ALL SELECT 'domain', name FROM domain WHERE catch_all = ?1 AND catch_all <> '' AND removed "
               "= " SQL_NEVER " ORDER BY 1, 2");
        db_text(s, address);
        while (db_row(s)) {
                struct pointer *p = rows_add(&rows);
                if (!p)
                        break;
                p->kind = db_get_text(s, a);
                p->from = db_get_text(s, a);
        }
        return rows_done(&rows, db_done(s), (void **)ret, n);
}

static void warn(struct verb_call *c, struct slice line)
{
        if (c->why->n)
                buf_addc(c->why, '\n');
        buf_add(c->why, line);
}

int route_warn_pointers(struct verb_call *c, struct slice address)
{
        struct pointer *all = NULL;
        size_t n = 0;
        autobuf text;
        buf_init(&text, 4096);
        int status = ledger_points_to(c->ledger, c->arena, address, &all, &n);
        if (status < 0 || n == 0)
                return status;
        buf_addf(&text, "mail is still sent on to %.*s by ", SLICE_ARGS(address));
        for (size_t i = 0; i < n && i < WARNINGS_MOST; i++)
                buf_addf(&text, "%s%.*s %.*s", i ? ", " : "", SLICE_ARGS(all[i].kind), SLICE_ARGS(all[i].from));
        if (n > WARNINGS_MOST)
                buf_addf(&text, " and %zu more", n - WARNINGS_MOST);
        warn(c, buf_slice(&text));
        return 0;
}

int route_warn_dangling(struct verb_call *c, const struct slice *all, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const char *kind = "";
                int64_t number = 0, domain = 0;
                struct slice catch_all = S(""), name;
                slice_cut(all[i], '@', &name);
                int status = domain_number(c->ledger, name, &domain);
                if (status == -ENOENT)
                        continue;
                if (status == 0)
                        status = who_has(c->ledger, all[i], &kind, &number);
                if (status == 0)
                        status = catch_all_of(c->ledger, c->arena, all[i], &catch_all);
                if (status < 0)
                        return status;
                if (*kind || catch_all.n)
                        continue;
                autobuf text;
                buf_init(&text, 1024);
                buf_addf(&text, "there is no %.*s yet: mail sent on to it will be refused", SLICE_ARGS(all[i]));
                warn(c, buf_slice(&text));
        }
        return 0;
}
