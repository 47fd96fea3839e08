/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/slot.h"

#include <errno.h>

enum { PEOPLE_ARENA = 512 << 20, PERSON_ARENA = 4 << 20 };

void gate_slot_done(struct gate_slot *s)
{
        crowd_done(&s->crowd);
        plan_free(s->plan);
        policy_free(s->policy);
        *s = (struct gate_slot){ 0 };
}

/* What a slot's crowd keeps of a person; `deltas` gets what changes. */
static void admit(struct gate_slot *s, const struct person *person, int64_t now, struct deltas *deltas)
{
        struct entry entries[PERSON_ENTRIES];
        size_t n = person_entries(s->policy, person, now, entries, &s->shared);
        int64_t next = person->next_change, policy_next = s->policy->n_exemptions || person->class.n
                                                              ? policy_next_change(s->policy, now)
                                                              : TIME_NEVER;
        crowd_set(&s->crowd, person->id, entries, n, next < policy_next ? next : policy_next, deltas);
}

static void admit_ban(struct gate_slot *s, const struct ban *ban, struct slice id, struct deltas *deltas)
{
        struct entry entry;
        bool allowed = ban_entry(s->policy, ban, &entry);
        crowd_set(&s->crowd, id, &entry, allowed, ban->until, deltas);
}

static int refresh_ban(struct gate_slot *s, struct ledger *l, struct slice id, const struct prefix *prefix, int64_t now,
                       struct deltas *deltas)
{
        autoarena *a = arena_new(PERSON_ARENA);
        struct ban ban;
        int failed = ledger_ban_of(l, a, prefix, now, &ban);
        if (failed == -ENOENT)
                crowd_set(&s->crowd, id, NULL, 0, TIME_NEVER, deltas);
        else if (!failed)
                admit_ban(s, &ban, id, deltas);
        return failed == -ENOENT ? 0 : failed;
}

int gate_slot_refresh(struct gate_slot *s, struct ledger *l, struct slice id, int64_t now, struct deltas *deltas)
{
        autoarena *a = arena_new(PERSON_ARENA);
        struct person person = { 0 };
        struct prefix banned;
        if (ban_member_parse(id, &banned))
                return refresh_ban(s, l, id, &banned, now, deltas);
        int failed = ledger_person(l, a, id, now, &person);
        if (!failed) {
                person.id = id;
                admit(s, &person, now, deltas);
        }
        return failed;
}

static bool is_promised(const struct policy *policy, const struct subscriber *s)
{
        for (size_t i = 0; i < s->n_leases; i++) {
                const struct policy_prefix *pp = policy_find_prefix(policy, &s->leases[i].prefix.addr);
                if (pp && policy->classes[policy->pools[pp->pool].class].told_first)
                        return true;
        }
        return false;
}

/* Subscribers of pools whose class was promised something: nothing of their own tells the ledger that they matter. */
static int admit_promised(struct gate_slot *s, struct ledger *l, int64_t now, struct deltas *unused)
{
        bool some = false;
        for (size_t i = 0; i < s->policy->n_classes; i++)
                some |= s->policy->classes[i].told_first;
        if (!some)
                return 0;
        autoarena *a = arena_new(PEOPLE_ARENA);
        struct subscriber *all = NULL;
        size_t n = 0;
        int failed = ledger_subscribers(l, a, &all, &n);
        for (size_t i = 0; i < n && !failed; i++)
                if (is_promised(s->policy, &all[i])) {
                        failed = gate_slot_refresh(s, l, all[i].id, now, unused);
                        unused->n = 0;
                }
        return failed;
}

static int fill_bans(struct gate_slot *s, struct ledger *l, int64_t now, struct deltas *unused)
{
        autoarena *a = arena_new(PEOPLE_ARENA);
        struct ban *bans = NULL;
        size_t n = 0;
        int failed = ledger_bans(l, a, now, true, &bans, &n);
        for (size_t i = 0; i < n && !failed; i++) {
                admit_ban(s, &bans[i], ban_member(&bans[i].prefix, a), unused);
                unused->n = 0;
        }
        return failed;
}

static int fill_crowd(struct gate_slot *s, struct ledger *l, int64_t now)
{
        autoarena *a = arena_new(PEOPLE_ARENA);
        struct deltas unused = { 0 };
        struct person *people = NULL;
        size_t n = 0;
        nft_seed_crowd(s->policy, &s->crowd);
        int failed = ledger_people_whole(l, a, now, &people, &n);
        for (size_t i = 0; i < n && !failed; i++) {
                admit(s, &people[i], now, &unused);
                unused.n = 0;
        }
        for (size_t i = 0; i < s->policy->n_exemptions && !failed; i++)
                for (size_t k = 0; k < s->policy->exemptions[i].n_subscribers && !failed; k++) {
                        failed = gate_slot_refresh(s, l, s->policy->exemptions[i].subscribers[k], now, &unused);
                        unused.n = 0;
                }
        if (!failed)
                failed = admit_promised(s, l, now, &unused);
        if (!failed)
                failed = fill_bans(s, l, now, &unused);
        free(unused.v);
        return failed;
}

/* Prefixes that the ledger exempts at `now`, and when that changes next. */
static int exempt_prefixes(struct ledger *l, struct arena *a, int64_t now, struct prefix **ret, size_t *ret_n,
                           int64_t *next)
{
        struct exemption *all;
        size_t n;
        int failed = ledger_exemptions(l, a, &all, &n);
        if (failed)
                return failed;
        struct prefix *found = arena_alloc(a, (n + 1) * sizeof *found);
        *ret_n = 0;
        for (size_t i = 0; i < n; i++) {
                if (all[i].removed || all[i].subscriber.n || all[i].until <= now)
                        continue;
                int64_t edge = all[i].start > now ? all[i].start : all[i].until;
                if (edge < *next)
                        *next = edge;
                if (all[i].start <= now)
                        found[(*ret_n)++] = all[i].prefix;
        }
        *ret = found;
        return 0;
}

static struct policy *parse(const struct generation *g, struct buf *why)
{
        autodiags *d = diags_new();
        autofree char *name = xasprintf("generation %lld", (long long)g->n);
        struct policy_input in = { .name = slice_of(name), .text = g->text };
        struct policy *p = policy_parse(&in, d);
        if (!p) {
                buf_addf(why, "generation %lld can no longer be read:\n", (long long)g->n);
                diags_print(d, why);
        }
        return p;
}

int gate_slot_plan(struct gate_slot *s, struct ledger *l, int64_t now)
{
        autoarena *a = arena_new(PEOPLE_ARENA);
        struct plan_lengths lengths;
        struct plan_input in = { .policy = s->policy, .at = now, .lengths = &lengths };
        struct prefix *exempt = NULL;
        int64_t next = TIME_NEVER;
        int failed = exempt_prefixes(l, a, now, &exempt, &in.n_exempt, &next);
        if (failed)
                return failed;
        in.exempt = exempt;
        plan_lengths_of(s->policy, &lengths);
        crowd_shape(&s->crowd, &lengths, &in.own);
        plan_free(s->plan);
        s->plan = plan_new(&in);
        if (next < s->plan->next_change)
                s->plan->next_change = next;
        s->nft = (struct nft_slot){
                .plan = s->plan, .crowd = &s->crowd, .generation = s->nft.generation, .hash = nft_hash(s->plan)
        };
        s->nft.hash +=
            crowd_short_hash(&s->crowd, &s->plan->lengths); /* these are changed only as text, with all the rules */
        s->nft.captive = s->crowd.counts[FAMILY4][KIND_CAPTIVE] + s->crowd.counts[FAMILY6][KIND_CAPTIVE] > 0;
        return 0;
}

int gate_slot_build(struct gate_slot *s, struct ledger *l, const struct generation *g, int64_t now, struct buf *why)
{
        *s = (struct gate_slot){ .used = true, .nft.generation = g->n };
        s->policy = parse(g, why);
        if (!s->policy)
                return -EINVAL;
        int failed = fill_crowd(s, l, now);
        if (!failed)
                failed = gate_slot_plan(s, l, now);
        if (failed) {
                buf_addf(why, "the ledger could not be read: %s", ledger_error(l));
                gate_slot_done(s);
        }
        return failed;
}

void gate_slot_move(struct gate_slot *to, struct gate_slot *from)
{
        *to = *from;
        to->nft.plan = to->plan;
        to->nft.crowd = &to->crowd;
        *from = (struct gate_slot){ 0 };
}
