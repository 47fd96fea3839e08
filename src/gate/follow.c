/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/follow.h"
#include "base/log.h"

#include <errno.h>

enum { GENERATIONS_ARENA = 256 << 20 };

/* What the ledger wants: n == 0 means none. */
struct wanted {
        struct generation in_force, before, prepared;
        bool ever; /* some generation was once in force, or is prepared */
};

/* A verb needs the keeper: the gate's client where one is lent, else one for the moment. */
static struct client *keeper_of(struct gate *g, struct client **own, struct buf *why)
{
        if (g->client)
                return g->client;
        return client_open(g->dir, own, why) == 0 ? *own : NULL;
}

static int none_is_fine(int failed, struct generation *ret)
{
        if (failed == -ENOENT)
                *ret = (struct generation){ 0 };
        return failed == -ENOENT ? 0 : failed;
}

static int read_wanted(struct gate *g, struct arena *a, struct wanted *w, struct buf *why)
{
        struct generation *all;
        size_t n = 0;
        *w = (struct wanted){ 0 };
        int failed = none_is_fine(ledger_generation_in_force(g->ledger, a, TIME_NEVER, &w->in_force), &w->in_force);
        if (!failed && w->in_force.state == GENERATION_TRIAL)
                failed = none_is_fine(ledger_generation_before(g->ledger, a, &w->before), &w->before);
        if (!failed)
                failed = none_is_fine(ledger_generation_prepared(g->ledger, a, &w->prepared), &w->prepared);
        if (!failed)
                failed = ledger_generations(g->ledger, a, &all, &n);
        w->ever = n > 0;
        if (failed)
                buf_addf(why, "the ledger could not be read: %s", ledger_error(g->ledger));
        return failed;
}

/* The kernel has returned to the former rules by itself; the ledger is told. */
static int end_lapsed_trial(struct gate *g, const struct wanted *w, struct buf *why)
{
        autoclient *own = NULL;
        struct client *c = keeper_of(g, &own, why);
        int64_t n;
        if (!c)
                return -ENOTCONN;
        int failed = client_generation_rollback(c, S("the trial ended without a confirmation"), true,
                                                w->in_force.trial_until, &n);
        if (failed)
                buf_addf(why, "%s", client_reason(c));
        else if (!g->client)
                log_event("trial-lapsed", "generation=%lld returned-to=%lld", (long long)w->in_force.n, (long long)n);
        return failed;
}

static int answer(struct gate *g, int64_t n, bool ok, struct slice reason, struct buf *why)
{
        autoclient *own = NULL;
        struct client *c = keeper_of(g, &own, why);
        if (!c)
                return -ENOTCONN;
        int failed = client_generation_loaded(c, n, ok, reason);
        if (failed)
                buf_addf(why, "%s", client_reason(c));
        return failed;
}

/* Loads the prepared generation over the one in force. */
static int load_prepared(struct gate *g, const struct wanted *w, int64_t now, struct buf *why)
{
        static const struct generation none;
        bool on_trial = w->prepared.trial_for > 0;
        autobuf reason;
        buf_init(&reason, 64 << 10);
        int64_t started = time_monotonic();
        int failed = replace_standing(g, on_trial ? &w->in_force : &w->prepared, on_trial ? &w->prepared : &none,
                                      w->prepared.trial_for, now, &reason);
        if (failed)
                buf_add(why, buf_slice(&reason));
        if (!g->client) /* who lent one tells it himself */
                log_event(failed ? "generation-refused" : "generation-loaded", "n=%lld ms=%lld",
                          (long long)w->prepared.n, (long long)((time_monotonic() - started) / 1000));
        int deaf = answer(g, w->prepared.n, !failed, buf_slice(&reason), why);
        g->trial_until = !failed && on_trial ? now + w->prepared.trial_for : TIME_NEVER;
        return deaf ? deaf : failed;
}

static int stand(struct gate *g, const struct wanted *w, int64_t now, struct buf *why)
{
        static const struct generation none;
        bool on_trial = w->in_force.n && w->in_force.state == GENERATION_TRIAL;
        int64_t left = on_trial ? w->in_force.trial_until - now : 0;
        g->trial_until = on_trial ? w->in_force.trial_until : TIME_NEVER;
        return replace_standing(g, on_trial ? &w->before : &w->in_force, on_trial ? &w->in_force : &none, left, now,
                                why);
}

int gate_follow(struct gate *g, int64_t now, struct buf *why)
{
        int failed = gate_ledger(g, why);
        for (int step = 0; !failed && step < 3; step++) {
                autoarena *a = arena_new(GENERATIONS_ARENA);
                struct wanted w;
                int64_t change = 0;
                ledger_last_change(g->ledger, &change);
                failed = read_wanted(g, a, &w, why);
                if (failed)
                        break;
                if (!w.ever)
                        return -ENOENT;
                if (w.in_force.n && w.in_force.state == GENERATION_TRIAL && w.in_force.trial_until <= now) {
                        failed = end_lapsed_trial(g, &w, why);
                        continue;
                }
                if (w.prepared.n) {
                        failed = load_prepared(g, &w, now, why);
                        if (!failed)
                                g->last_change = change;
                        continue;
                }
                failed = stand(g, &w, now, why);
                if (!failed) {
                        g->last_change = change;
                        if (!w.in_force.n)
                                gate_last_good_forget(g);
                        else if (w.in_force.state == GENERATION_CONFIRMED)
                                gate_last_good_write(g, now);
                }
                return failed;
        }
        return failed;
}

/* --- people -------------------------------------------------------------------------------------------------------------------- */

static bool fits(const struct gate_slot *s, const struct deltas *d)
{
        for (size_t i = 0; i < d->n; i++)
                if (!nft_has_set(s->plan, d->v[i].kind, &d->v[i].prefix))
                        return false;
        return true;
}

/* Captive elements stand in sets that exist only with the chain: they are left to it while it does not. */
static size_t without_captive(struct deltas *d)
{
        size_t kept = 0;
        for (size_t i = 0; i < d->n; i++)
                if (d->v[i].kind != KIND_CAPTIVE)
                        d->v[kept++] = d->v[i];
        return kept;
}

static int push(struct gate *g, struct gate_slot *s, struct deltas *d, struct buf *why)
{
        bool had = s->nft.captive;
        int failed = had ? 0 : gate_fix_captive(s, why);
        size_t n = s->nft.captive && had ? d->n : without_captive(d);
        if (!failed)
                failed = netlink_change(g->netlink, s->nft.letter, d->v, n);
        if (failed)
                failed = netlink_fill(g->netlink, &s->nft);
        if (!failed && had)
                failed = gate_fix_captive(s, why);
        if (s->nft.captive != had)
                gate_note_rules(g);
        if (failed)
                buf_addf(why, "the sets of people could not be changed: %s", strerror(-failed));
        return failed;
}

static int change_slot(struct gate *g, struct gate_slot *s, int64_t now, const struct slice *ids, size_t n,
                       struct buf *why)
{
        struct deltas d = { 0 };
        int failed = 0;
        for (size_t i = 0; i < n && !failed; i++)
                if ((failed = gate_slot_refresh(s, g->ledger, ids[i], now, &d)))
                        buf_addf(why, "the ledger could not be read: %s", ledger_error(g->ledger));
        if (!failed && d.n)
                failed = fits(s, &d) ? push(g, s, &d, why) : -EDOM;
        for (size_t i = 0; i < d.n; i++) /* bans are not in it */
                g->last_good_old |= d.v[i].kind != KIND_BAN;
        free(d.v);
        return failed;
}

int gate_changed(struct gate *g, int64_t now, const struct slice *ids, size_t n, struct buf *why)
{
        int failed = g->standing.used ? change_slot(g, &g->standing, now, ids, n, why) : 0;
        if (!failed && g->trial.used)
                failed = change_slot(g, &g->trial, now, ids, n, why);
        if (failed == -EDOM) /* a prefix length or a strategy that the rules do not look for yet */
                failed = gate_replan(g, now, why);
        else if (failed)
                g->drifted = true;
        return failed;
}

int gate_replan(struct gate *g, int64_t now, struct buf *why)
{
        if (g->standing.used)
                g->standing.plan->next_change = now;
        if (g->trial.used)
                g->trial.plan->next_change = now;
        return gate_follow(g, now, why);
}

int64_t gate_next(const struct gate *g)
{
        int64_t next = g->trial_until;
        const struct gate_slot *both[] = { &g->standing, &g->trial };
        for (size_t i = 0; i < COUNT_OF(both); i++) {
                if (!both[i]->used)
                        continue;
                int64_t plan = both[i]->plan->next_change, people = crowd_next_change(&both[i]->crowd);
                next = plan < next ? plan : next;
                next = people < next ? people : next;
        }
        return next;
}

struct due {
        struct slice *ids;
        size_t n, cap;
};

static void collect(void *arg, struct slice id)
{
        struct due *d = arg;
        d->ids = xgrow(d->ids, &d->cap, d->n + 1, sizeof *d->ids);
        d->ids[d->n++] = (struct slice){ slice_dup(id), id.n };
}

int gate_due(struct gate *g, int64_t now, struct buf *why)
{
        struct due d = { 0 };
        bool plan_due = (g->standing.used && g->standing.plan->next_change <= now) ||
                        (g->trial.used && g->trial.plan->next_change <= now);
        if (plan_due || g->trial_until <= now || g->drifted)
                return gate_follow(g, now, why);
        if (g->standing.used)
                crowd_due(&g->standing.crowd, now, collect, &d);
        if (g->trial.used)
                crowd_due(&g->trial.crowd, now, collect, &d);
        int failed = d.n ? gate_changed(g, now, d.ids, d.n, why) : 0;
        for (size_t i = 0; i < d.n; i++)
                free((char *)d.ids[i].p);
        free(d.ids);
        return failed;
}

int gate_check_drift(struct gate *g, bool *ret)
{
        uint32_t number;
        uint64_t fingerprint;
        *ret = g->drifted;
        int failed = netlink_ruleset_number(g->netlink, &number);
        if (failed || number == g->ruleset_number || g->drifted)
                return failed;
        failed = kernel_fingerprint(&fingerprint);
        if (failed)
                return failed;
        g->ruleset_number = number;
        g->drifted = fingerprint != g->fingerprint && (g->standing.used || g->trial.used);
        *ret = g->drifted;
        return 0;
}
