/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/people.h"
#include "policy/ban.h"

static const char *const kind_names[] = {
#define KIND_NAME(id, name) name,
        KINDS(KIND_NAME)
};

const char *kind_name(enum kind k)
{
        return kind_names[k];
}

/* --- one person's facts ------------------------------------------------------------------------------------------------ */

static uint16_t bit(enum kind k)
{
        return (uint16_t)(1u << k);
}

static uint16_t quarantine_kinds(enum level level)
{
        switch (level) {
        case LEVEL_MAIL:
                return bit(KIND_MAIL);
        case LEVEL_SUBMISSION:
                return bit(KIND_MAIL) | bit(KIND_SUBMISSION);
        case LEVEL_CAPTIVE:
                return bit(KIND_MAIL) | bit(KIND_SUBMISSION) | bit(KIND_CAPTIVE);
        default:
                return 0;
        }
}

/* A strategy written at the subscriber is his; else that of his own class. A class that was promised told-first keeps its promise for
 * whom `apply` could not know of, too: who came later and was not told is observed where the policy would take something. */
static uint16_t own_kinds(const struct policy *policy, const struct person *person, const struct addr *addr, int64_t at)
{
        const struct policy_prefix *pp = policy_find_prefix(policy, addr);
        size_t own = person->class.n ? policy_find_class(policy, person->class) : policy->n_classes;
        size_t class = own < policy->n_classes ? own : pp ? policy->pools[pp->pool].class : policy->n_classes;
        enum strategy strategy = person->port25;
        if (strategy == STRATEGY_NONE && class < policy->n_classes) {
                struct decide_query q = {
                        .at = at, .pool = pp ? pp->pool : policy->n_pools, .own_class = own, .addr = addr
                };
                bool promised = policy->classes[class].told_first && person->told > at;
                strategy = policy_decide(policy, &q).strategy;
                if (promised && strategy_restricts(strategy))
                        strategy = STRATEGY_OBSERVE;
                else if (own == policy->n_classes)
                        strategy = STRATEGY_NONE;
        }
        return strategy == STRATEGY_NONE ? 0 : bit((enum kind)(KIND_OWN_OPEN + (int)strategy));
}

size_t person_entries(const struct policy *policy, const struct person *person, int64_t at, struct entry *entries,
                      size_t *shared)
{
        size_t n = 0;
        bool exempt = person->exempt || policy_find_exemption(policy, person->id, NULL, at);
        for (size_t i = 0; i < person->n_leases && n < PERSON_ENTRIES; i++) {
                const struct lease *lease = &person->leases[i];
                if (lease->start > at || lease->end <= at)
                        continue;
                if (lease->port_low || lease->port_high) {
                        ++*shared;
                        continue;
                }
                uint16_t kinds =
                    quarantine_kinds(person->quarantine) | own_kinds(policy, person, &lease->prefix.addr, at);
                if (exempt)
                        kinds |= bit(KIND_EXEMPT);
                if (kinds)
                        entries[n++] = (struct entry){ lease->prefix, kinds | bit(KIND_PEOPLE) };
        }
        return n;
}

/* --- bans ---------------------------------------------------------------------------------------------------------------- */

#define BAN_MARK S("ban\n") /* no subscriber's id has a line end in it */

struct slice ban_member(const struct prefix *p, struct arena *a)
{
        char text[PREFIX_TEXT_MAX + 8];
        memcpy(text, BAN_MARK.p, BAN_MARK.n);
        prefix_print(p, text + BAN_MARK.n);
        return arena_dup(a, slice_of(text));
}

bool ban_member_parse(struct slice id, struct prefix *ret)
{
        return slice_starts(id, BAN_MARK) && prefix_parse(slice_from(id, BAN_MARK.n), ret) == PREFIX_OK;
}

bool ban_entry(const struct policy *policy, const struct ban *ban, struct entry *ret)
{
        *ret = (struct entry){ ban->prefix, bit(KIND_BAN) };
        return ban_allowed(policy, &ban->prefix);
}

/* --- the crowd ------------------------------------------------------------------------------------------------------------ */

struct member {
        char *id;
        int64_t next_change;
        size_t n;
        struct entry entries[];
};

struct claim {
        struct prefix prefix;
        uint16_t holders[KIND_COUNT];
        unsigned all;
};

void crowd_done(struct crowd *c)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&c->members, &i));) {
                free(((struct member *)e->value)->id);
                free(e->value);
        }
        for (size_t i = 0; (e = map_next(&c->claims, &i));)
                free(e->value);
        map_done(&c->members);
        map_done(&c->claims);
        *c = (struct crowd){ 0 };
}

/* Not bans alone. */
static bool has_people(const struct claim *c)
{
        return c->all > c->holders[KIND_BAN];
}

static struct slice key_of(const struct prefix *p)
{
        _Static_assert(sizeof(struct prefix) == 17, "a prefix is its own key");
        return (struct slice){ (const char *)p, sizeof *p };
}

static void note(struct deltas *out, enum kind kind, bool add, const struct prefix *p)
{
        out->v = xgrow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = (struct delta){ kind, add, *p };
}

static void claim_change(struct crowd *c, const struct entry *e, bool add, struct deltas *out)
{
        struct claim *claim = map_find(&c->claims, key_of(&e->prefix));
        if (!claim) {
                claim = xcalloc(1, sizeof *claim);
                claim->prefix = e->prefix;
                map_put(&c->claims, key_of(&claim->prefix), claim);
        }
        for (enum kind k = 0; k < KIND_COUNT; k++) {
                if (!(e->kinds & bit(k)))
                        continue;
                bool was = claim->holders[k] > 0;
                claim->holders[k] = (uint16_t)(claim->holders[k] + (add ? 1 : -1));
                claim->all += add ? 1u : -1u;
                if (was == (claim->holders[k] > 0))
                        continue;
                c->counts[family_of(&e->prefix)][k] += add ? 1u : (size_t)-1;
                note(out, k, add, &e->prefix);
        }
        if (claim->all == 0) {
                map_drop(&c->claims, key_of(&claim->prefix));
                free(claim);
        }
}

static bool same(const struct member *m, const struct entry *entries, size_t n)
{
        if (m->n != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (m->entries[i].kinds != entries[i].kinds ||
                    prefix_cmp(&m->entries[i].prefix, &entries[i].prefix) != 0)
                        return false;
        return true;
}

/* Twin notes (taken away by the old entries, added by the new) cancel out, so that an unchanged element never leaves the kernel. */
static void cancel_twins(struct deltas *out, size_t from)
{
        for (size_t i = from; i < out->n; i++)
                for (size_t k = i + 1; k < out->n; k++)
                        if (out->v[i].kind == out->v[k].kind && out->v[i].add != out->v[k].add &&
                            prefix_cmp(&out->v[i].prefix, &out->v[k].prefix) == 0) {
                                out->v[k] = out->v[--out->n];
                                out->v[i--] = out->v[--out->n];
                                break;
                        }
}

void crowd_set(struct crowd *c, struct slice id, const struct entry *entries, size_t n, int64_t next_change,
               struct deltas *out)
{
        size_t from = out->n;
        struct member *old = map_find(&c->members, id);
        if (old && n && same(old, entries, n)) {
                old->next_change = next_change;
                return;
        }
        if (old)
                map_drop(&c->members, id);
        for (size_t i = 0; old && i < old->n; i++)
                claim_change(c, &old->entries[i], false, out);
        for (size_t i = 0; i < n; i++)
                claim_change(c, &entries[i], true, out);
        if (old && out->n - from <= 64)
                cancel_twins(out, from);
        if (n || next_change != TIME_NEVER) {
                struct member *m = xcalloc(1, sizeof *m + n * sizeof *entries);
                m->id = slice_dup(id);
                m->next_change = next_change;
                m->n = n;
                if (n)
                        memcpy(m->entries, entries, n * sizeof *entries);
                map_put(&c->members, (struct slice){ m->id, id.n }, m);
        }
        if (old)
                free(old->id);
        free(old);
}

int64_t crowd_next_change(const struct crowd *c)
{
        int64_t next = TIME_NEVER;
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&c->members, &i));) {
                const struct member *m = e->value;
                if (m->next_change < next)
                        next = m->next_change;
        }
        return next;
}

void crowd_due(const struct crowd *c, int64_t now, void (*call)(void *arg, struct slice id), void *arg)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&c->members, &i));) {
                const struct member *m = e->value;
                if (m->next_change <= now)
                        call(arg, e->key);
        }
}

void crowd_elements(const struct crowd *c, enum kind kind, void (*call)(void *arg, const struct prefix *p), void *arg)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&c->claims, &i));) {
                const struct claim *claim = e->value;
                if (claim->holders[kind])
                        call(arg, &claim->prefix);
        }
}

uint64_t crowd_short_hash(const struct crowd *c, const struct plan_lengths *lengths)
{
        static const uint8_t key[16] = "porteiro short 1";
        uint64_t sum = 0; /* whatever the order */
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&c->claims, &i));) {
                const struct claim *claim = e->value;
                if (plan_lengths_has(lengths, &claim->prefix) || !has_people(claim))
                        continue;
                char bytes[sizeof claim->prefix + 1];
                memcpy(bytes, &claim->prefix, sizeof claim->prefix);
                for (int k = 0; k < KIND_COUNT; k++) {
                        bytes[sizeof claim->prefix] = (char)k;
                        if (claim->holders[k] && k != KIND_BAN)
                                sum += hash_with_key(key, (struct slice){ bytes, sizeof bytes });
                }
        }
        return sum;
}

void crowd_shape(const struct crowd *c, struct plan_lengths *lengths, unsigned *own)
{
        struct map_entry *e;
        for (size_t i = 0; (e = map_next(&c->claims, &i));)
                if (has_people(e->value))
                        plan_lengths_add(lengths, &((struct claim *)e->value)->prefix);
        for (int s = 0; s < STRATEGY_COUNT; s++)
                if (c->counts[FAMILY4][KIND_OWN_OPEN + s] + c->counts[FAMILY6][KIND_OWN_OPEN + s])
                        *own |= 1u << s;
}
