/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/ban.h"

static const uint8_t lengths4[] = { 128, 120 }, lengths6[] = { 128, 64, 56, 48 };

size_t ban_lengths(bool v4, uint8_t out[BAN_LENGTHS_MOST])
{
        memcpy(out, v4 ? lengths4 : lengths6, v4 ? sizeof lengths4 : sizeof lengths6);
        return v4 ? COUNT_OF(lengths4) : COUNT_OF(lengths6);
}

bool ban_length_right(const struct prefix *p)
{
        uint8_t all[BAN_LENGTHS_MOST];
        for (size_t i = 0, n = ban_lengths(prefix_is_v4(p), all); i < n; i++)
                if (all[i] == p->len)
                        return true;
        return false;
}

static bool overlap(const struct prefix *a, const struct prefix *b)
{
        return prefix_covers(a, b) || prefix_covers(b, a);
}

static bool overlaps_any(const struct prefix *p, const struct prefix *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (overlap(p, &v[i]))
                        return true;
        return false;
}

static bool is_special(const struct prefix *p)
{
        static const char *const texts[] = { "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
                                             "::/128",    "::1/128",     "fe80::/10",      "ff00::/8" };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                struct prefix special;
                if (prefix_parse(slice_of(texts[i]), &special) != PREFIX_OK)
                        panic("%s", texts[i]);
                if (overlap(p, &special))
                        return true;
        }
        return false;
}

/* Pools are sorted and never overlap: the one that holds its first address, or else the first one that begins inside. */
static const struct policy_prefix *pool_of(const struct policy *p, const struct prefix *prefix)
{
        const struct policy_prefix *around = policy_find_prefix(p, &prefix->addr);
        size_t low = 0, high = p->n_prefixes;
        if (around)
                return around;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (addr_cmp(&p->prefixes[middle].prefix.addr, &prefix->addr) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < p->n_prefixes && overlap(&p->prefixes[low].prefix, prefix) ? &p->prefixes[low] : NULL;
}

static struct ban_answer look_lists(const struct policy *p, const struct prefix *prefix)
{
        for (size_t i = 0; i < p->n_servers; i++)
                if (overlaps_any(prefix, p->servers[i].addresses, p->servers[i].n_addresses))
                        return (struct ban_answer){ BAN_SERVER, p->servers[i].name, p->servers[i].place };
        if (overlaps_any(prefix, p->edge.listen, p->edge.n_listen))
                return (struct ban_answer){ BAN_SERVER, p->edge.name, p->edge.place };
        for (size_t i = 0; i < p->n_cgnats; i++) {
                const struct policy_cgnat *c = &p->cgnats[i];
                if (overlaps_any(prefix, c->outside, c->n_outside) || overlaps_any(prefix, c->inside, c->n_inside))
                        return (struct ban_answer){ BAN_CGNAT, c->name, c->place };
        }
        for (size_t i = 0; i < p->n_legacies; i++)
                if (overlaps_any(prefix, p->legacies[i].from, p->legacies[i].n_from))
                        return (struct ban_answer){ BAN_LEGACY, p->legacies[i].name, p->legacies[i].place };
        for (size_t i = 0; i < p->n_never_bans; i++)
                if (overlaps_any(prefix, p->never_bans[i].prefixes, p->never_bans[i].n_prefixes))
                        return (struct ban_answer){ .objection = BAN_SPARED, .place = p->never_bans[i].place };
        return (struct ban_answer){ .objection = BAN_NO_OBJECTION };
}

struct ban_answer ban_look(const struct policy *p, const struct prefix *prefix)
{
        if (!ban_length_right(prefix))
                return (struct ban_answer){ .objection = BAN_LENGTH };
        if (is_special(prefix))
                return (struct ban_answer){ .objection = BAN_SPECIAL };
        const struct policy_prefix *pool = pool_of(p, prefix);
        if (pool)
                return (struct ban_answer){ BAN_POOL, p->pools[pool->pool].name, pool->place };
        return look_lists(p, prefix);
}

bool ban_allowed(const struct policy *p, const struct prefix *prefix)
{
        return ban_look(p, prefix).objection == BAN_NO_OBJECTION;
}

void ban_objection_print(const struct ban_answer *a, struct buf *out)
{
        static const char *const words[] = {
                [BAN_NO_OBJECTION] = "is an outsider's",
                [BAN_LENGTH] = "has no length of bans: " BAN_LENGTHS_TEXT,
                [BAN_SPECIAL] = "is of this machine itself, its links, or nobody's",
                [BAN_POOL] = "is of our own customers: pool %",
                [BAN_SERVER] = "is of our own server %",
                [BAN_CGNAT] = "is of our own customers: cgnat %",
                [BAN_LEGACY] = "may use our listener %",
                [BAN_SPARED] = "is never banned",
        };
        struct slice tail, head = slice_cut(slice_of(words[a->objection]), '%', &tail);
        buf_add(out, head);
        if (tail.p)
                buf_add(out, a->name);
}
