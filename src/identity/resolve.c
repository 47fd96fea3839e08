/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/resolve.h"
#include "identity/resolve_rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const char *resolve_verdict_name(enum resolve_verdict v)
{
#define VERDICT_NAME(id, name) name,
        static const char *const names[] = { RESOLVE_VERDICTS(VERDICT_NAME) };
        return names[v];
}

struct spot;

struct search {
        struct ledger *l;
        struct arena *a;
        const struct resolve_question *q;
        struct resolve_answer *out;
        size_t cap, cap_trails;
        size_t empty;            /* addresses behind the one asked for that no lease covers */
        struct spot *last_empty; /* the last of them */
        bool shared;             /* by a translation, and no port was given */
};

/* One address to be asked for: that of the question, or one behind it. */
struct spot {
        struct addr address;
        uint16_t port;
        struct slice proto, realm;
        bool any_realm;
        bool or_none; /* a lease without a realm can only be of this one */
        struct span span;
        const struct resolve_step *via; /* how it was come to; NULL: it is the one of the question */
        struct slice doubt;
};

/* --- words --- */

static void say(struct search *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct search *s, const char *fmt, ...)
{
        char text[1024];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        struct slice words = slice_of(text);
        for (size_t i = 0; i < s->out->n_reasons; i++)
                if (slice_eq(s->out->reasons[i], words))
                        return;
        if (s->out->n_reasons < RESOLVE_REASONS_MOST)
                s->out->reasons[s->out->n_reasons++] = arena_dup(s->a, words);
}

static const char *policy_words(const struct resolve_policy *p, char out[40])
{
        snprintf(out, 40, p->generation ? "generation %lld" : "the policy file", (long long)p->generation);
        return out;
}

/* --- holders --- */

static bool same_holder(const struct resolve_holder *h, const struct line_holder *who, const struct line *line)
{
        if (h->subscriber.number || who->number)
                return h->subscriber.number == who->number;
        return slice_eq(h->line.kind, line->kind) && slice_eq(h->line.value, line->value);
}

static size_t holder_of(struct search *s, const struct line_holder *who, const struct line *line)
{
        struct resolve_answer *out = s->out;
        for (size_t i = 0; i < out->n; i++)
                if (same_holder(&out->holders[i], who, line))
                        return i;
        out->holders = arena_grow(s->a, out->holders, &s->cap, out->n + 1, sizeof *out->holders);
        if (out->holders)
                out->holders[out->n] = (struct resolve_holder){ .subscriber = *who, .line = *line };
        return out->n++;
}

static bool add_trail(struct search *s, const struct spot *spot, const struct lease *lease,
                      const struct line_holder *who, struct slice doubt)
{
        struct resolve_answer *out = s->out;
        struct resolve_trail t = { .doubt = doubt.n ? doubt : spot->doubt };
        if (out->n_trails == RESOLVE_MOST) {
                out->more = true;
                return false;
        }
        if (spot->via)
                t.steps[t.n_steps++] = *spot->via;
        t.steps[t.n_steps++] = (struct resolve_step){ .lease = *lease };
        t.holder = holder_of(s, who, &lease->line);
        out->trails = arena_grow(s->a, out->trails, &s->cap_trails, out->n_trails + 1, sizeof *out->trails);
        if (!out->trails || !out->holders)
                return false;
        out->trails[out->n_trails++] = t;
        out->holders[t.holder].sure |= t.doubt.n == 0;
        return true;
}

static struct slice doubt_of(struct search *s, const struct lease *lease)
{
        char age[TIME_TEXT_MAX], text[200];
        if (!rules_stale_ports(lease, s->q->at))
                return (struct slice){ NULL, 0 };
        snprintf(text, sizeof text, "the ports were given out %s before and no release of them was seen",
                 duration_print(s->q->at - lease->start, age));
        return arena_dup(s->a, slice_of(text));
}

/* Everybody who had the line while the lease and the span lasted. */
static int add_lease(struct search *s, const struct spot *spot, const struct lease *lease, struct slice doubt)
{
        static const struct line_holder nobody;
        struct line_holder *all;
        size_t n;
        int64_t from = lease->start > spot->span.since ? lease->start : spot->span.since;
        int64_t until = lease->end <= spot->span.until ? lease->end : spot->span.until + 1;
        if (until <= from) { /* a lease of before or later, which is in question all the same */
                from = lease->end - 1;
                until = lease->end;
        }
        int status = ledger_line_holders(s->l, s->a, &lease->line, from, until, &all, &n);
        if (status < 0)
                return status;
        if (n == 0)
                add_trail(s, spot, lease, &nobody, doubt);
        for (size_t i = 0; i < n; i++)
                add_trail(s, spot, lease, &all[i], doubt);
        if (n > 1)
                say(s, "the line %.*s:%.*s passed from one subscriber to another in that time",
                    SLICE_ARGS(lease->line.kind), SLICE_ARGS(lease->line.value));
        return 0;
}

/* --- leases of an address --- */

static bool realm_fits(const struct spot *spot, const struct lease *l)
{
        return spot->any_realm || slice_eq(l->realm, spot->realm) || (spot->or_none && l->realm.n == 0);
}

static bool same_lease(const struct lease *x, const struct lease *y)
{
        return x->start == y->start && x->end == y->end && prefix_cmp(&x->prefix, &y->prefix) == 0 &&
               x->port_low == y->port_low && slice_eq(x->proto, y->proto) && slice_eq(x->line.kind, y->line.kind) &&
               slice_eq(x->line.value, y->line.value) && slice_eq(x->session, y->session) && slice_eq(x->nas, y->nas) &&
               slice_eq(x->source, y->source);
}

/* Those of the spot's realm in the span; a lease that stands once for each of its subscribers, once. */
static int read_leases(struct search *s, const struct spot *spot, const struct span *span, struct lease **ret,
                       size_t *n)
{
        size_t all = 0, kept = 0;
        int64_t from = span->since > 0 ? span->since : 0;
        int status = ledger_holders_between(s->l, s->a, &spot->address, spot->port, spot->proto, from, span->until + 1,
                                            ret, &all);
        for (size_t i = 0; status == 0 && i < all; i++)
                if (realm_fits(spot, &(*ret)[i]) && (*ret)[i].end > (*ret)[i].start &&
                    (kept == 0 || !same_lease(&(*ret)[kept - 1], &(*ret)[i])))
                        (*ret)[kept++] = (*ret)[i];
        *n = kept;
        return status;
}

static int ask(struct search *s, const struct spot *spot);

/* The realm of an address behind a translation: where a policy has it inside, else any. */
static void find_realm(const struct search *s, struct spot *spot)
{
        spot->any_realm = true;
        for (size_t i = 0; i < s->q->n_policies && spot->any_realm; i++)
                if (cgnat_realm(s->q->policies[i].cgnat, &spot->address, &spot->realm))
                        spot->any_realm = false;
        spot->or_none = !spot->any_realm && rules_private(&spot->address);
}

static bool is_block(const struct lease *l)
{
        return slice_eq(l->line.kind, S("inside"));
}

static int follow_block(struct search *s, const struct spot *outside, const struct lease *block)
{
        struct line_holder *all;
        size_t n;
        struct resolve_step step = { .lease = *block };
        struct spot inside = { .span = outside->span, .via = &step, .doubt = doubt_of(s, block) };
        int status = ledger_line_holders(s->l, s->a, &block->line, block->start, block->end, &all, &n);
        if (status < 0 || n) /* somebody has the inside address itself as his line */
                return status < 0 ? status : add_lease(s, outside, block, inside.doubt);
        if (!addr_parse(block->line.value, &inside.address))
                return add_lease(s, outside, block, inside.doubt);
        if (block->start > inside.span.since)
                inside.span.since = block->start;
        if (block->end - 1 < inside.span.until)
                inside.span.until = block->end - 1;
        find_realm(s, &inside);
        return ask(s, &inside);
}

static int add_leases(struct search *s, const struct spot *spot, const struct lease *all, size_t n)
{
        int status = 0;
        for (size_t i = 0; status == 0 && i < n && s->out->n_trails < RESOLVE_MOST; i++)
                status = is_block(&all[i]) && !spot->via ? follow_block(s, spot, &all[i])
                                                         : add_lease(s, spot, &all[i], doubt_of(s, &all[i]));
        return status;
}

/* --- arithmetic --- */

struct shares {
        struct resolve_step *all;
        size_t n, cap;
        size_t of_newest; /* so many come from the first policy that knows the address */
        bool outside;     /* some policy has it outside then */
        bool logged, no_port;
};

static bool share_known(const struct shares *x, const struct resolve_step *step)
{
        for (size_t i = 0; i < x->n; i++)
                if (addr_cmp(&x->all[i].share.inside, &step->share.inside) == 0 &&
                    slice_eq(x->all[i].realm, step->realm))
                        return true;
        return false;
}

static void add_share(struct search *s, struct shares *x, const struct resolve_step *step)
{
        if (share_known(x, step))
                return;
        x->all = arena_grow(s->a, x->all, &x->cap, x->n + 1, sizeof *x->all);
        if (x->all)
                x->all[x->n++] = *step;
}

static void shares_of_version(struct search *s, const struct resolve_policy *p, const struct cgnat_version *v,
                              bool another, struct shares *x)
{
        const struct addr *outside = &s->q->address;
        const struct policy_cgnat *b = cgnat_block(v);
        struct resolve_step step = {
                .computed = true, .realm = b->name, .generation = p->generation, .version = b->from
        };
        char text[40];
        x->outside = true;
        if (another)
                say(s, "a version of cgnat %.*s began within the tolerance", SLICE_ARGS(b->name));
        if (b->logged) {
                x->logged = true;
                say(s, "cgnat %.*s is known by its log alone (%s)", SLICE_ARGS(b->name), policy_words(p, text));
                return;
        }
        if (s->q->port) {
                if (cgnat_inward(v, outside, s->q->port, &step.share))
                        add_share(s, x, &step);
                else
                        x->no_port = true;
                return;
        }
        size_t n = cgnat_sharers(v, outside);
        for (size_t i = 0; i < n && i < RESOLVE_MOST; i++) {
                step.share = cgnat_sharer(v, outside, i);
                add_share(s, x, &step);
        }
        s->out->more |= n > RESOLVE_MOST;
}

/* What each policy makes of the address within the tolerance, the newest first. */
static void find_shares(struct search *s, struct shares *x)
{
        const struct resolve_question *q = s->q;
        char newest[40], then[40];
        for (size_t i = 0; i < q->n_policies; i++) {
                const struct cgnat_version *v;
                size_t at = 0, before = x->n, versions = 0;
                bool known = x->outside;
                while ((v = cgnat_next(q->policies[i].cgnat, CGNAT_OUTSIDE, &q->address, q->at - q->tolerance,
                                       q->at + q->tolerance, &at)))
                        shares_of_version(s, &q->policies[i], v, versions++ > 0, x);
                if (i == 0)
                        x->of_newest = x->n;
                else if (known && x->n > before)
                        say(s, "%s, in force then, gives the ports to another inside address than %s does",
                            policy_words(&q->policies[i], then), policy_words(&q->policies[0], newest));
                else if (x->n > before)
                        say(s, "by %s, in force then: the newest policy does not know this address",
                            policy_words(&q->policies[i], then));
        }
        if (x->no_port && x->n == 0)
                say(s, "port %u is not among the ports that the policy gives to customers on this address", q->port);
}

static int follow_shares(struct search *s, const struct shares *x)
{
        int status = 0;
        size_t i = 0;
        for (; status == 0 && i < x->n && s->out->n_trails < RESOLVE_MOST; i++) {
                struct spot inside = { .address = x->all[i].share.inside,
                                       .realm = x->all[i].realm,
                                       .or_none = rules_private(&x->all[i].share.inside),
                                       .span = { s->q->at - s->q->tolerance, s->q->at + s->q->tolerance },
                                       .via = &x->all[i] };
                status = ask(s, &inside);
        }
        s->out->more |= i < x->n;
        return status;
}

/* --- one address --- */

/* The translation's own prefix is not who is behind one of its addresses: only a lease of the whole address disputes that. */
static size_t drop_around(struct search *s, struct lease *all, size_t n)
{
        size_t kept = 0;
        char text[PREFIX_TEXT_MAX];
        for (size_t i = 0; i < n; i++)
                if (all[i].prefix.len == 128)
                        all[kept++] = all[i];
                else
                        say(s, "%s, leased to %.*s:%.*s, is shared by a translation",
                            prefix_print(&all[i].prefix, text), SLICE_ARGS(all[i].line.kind),
                            SLICE_ARGS(all[i].line.value));
        return kept;
}

static void note_empty(struct search *s, const struct spot *spot)
{
        struct resolve_step *via = arena_alloc(s->a, sizeof *via);
        s->last_empty = s->last_empty ? s->last_empty : arena_alloc(s->a, sizeof *s->last_empty);
        s->empty++;
        if (!via || !s->last_empty)
                return;
        *via = *spot->via;
        *s->last_empty = *spot;
        s->last_empty->via = via;
}

static int ask(struct search *s, const struct spot *spot)
{
        struct lease *all;
        const struct lease *hidden;
        struct shares x = { .n = 0 };
        size_t n;
        char text[PREFIX_TEXT_MAX];
        bool blocks = false;
        int status = read_leases(s, spot, &spot->span, &all, &n);
        if (status < 0)
                return status;
        if (!spot->via && (!s->q->has_realm || s->q->realm.n == 0))
                find_shares(s, &x);
        if (x.outside)
                n = drop_around(s, all, n);
        n = rules_most_specific(all, n, &spot->span, spot->port != 0, spot->proto.n != 0, s->a, &hidden);
        if (hidden)
                say(s, "%s, leased to %.*s:%.*s, lies around it: the more specific lease holds",
                    prefix_print(&hidden->prefix, text), SLICE_ARGS(hidden->line.kind), SLICE_ARGS(hidden->line.value));
        for (size_t i = 0; i < n; i++)
                blocks = blocks || is_block(&all[i]);
        if (n == 0 && spot->via)
                note_empty(s, spot);
        status = add_leases(s, spot, all, n);
        if (blocks && x.n)
                say(s, "by the log of the translation, not by arithmetic");
        if (status == 0 && !blocks)
                status = follow_shares(s, &x);
        s->shared = s->shared || (x.outside && s->q->port == 0);
        if (x.outside && s->q->port == 0)
                say(s, "the address is shared, and no port was given: all who shared it then are in question");
        return status;
}

/* --- nobody --- */

struct nearest {
        const struct lease *before, *after;
};

static struct nearest find_nearest(const struct lease *all, size_t n, const struct span *span)
{
        struct nearest r = { NULL, NULL };
        for (size_t i = 0; i < n; i++) {
                const struct lease *l = &all[i];
                if (l->end <= span->since && (!r.before || l->end > r.before->end))
                        r.before = l;
                if (l->start > span->until && (!r.after || l->start < r.after->start))
                        r.after = l;
        }
        return r;
}

static void say_nearest(struct search *s, const struct spot *spot, const struct nearest *near)
{
        char text[ADDR_TEXT_MAX], how[TIME_TEXT_MAX];
        addr_print(&spot->address, text);
        if (near->before)
                say(s, "a lease of %s ended %s before%s%.*s%s", text, duration_print(s->q->at - near->before->end, how),
                    near->before->why_ended.n ? " (" : "", SLICE_ARGS(near->before->why_ended),
                    near->before->why_ended.n ? ")" : "");
        if (near->after)
                say(s, "the next lease of %s began %s after", text, duration_print(near->after->start - s->q->at, how));
        if (!near->before && !near->after)
                say(s, "no lease of %s is known of the seven days before or after", text);
}

/* Whoever was the last: where nobody saw him leave, and nobody came since, it may have been him. */
static int look_around(struct search *s, const struct spot *spot)
{
        struct span wide = { spot->span.since - RESOLVE_NEAR, spot->span.until + RESOLVE_NEAR };
        struct lease *all;
        size_t n;
        char text[300], how[TIME_TEXT_MAX];
        int status = read_leases(s, spot, &wide, &all, &n);
        if (status < 0)
                return status;
        struct nearest near = find_nearest(all, n, &spot->span);
        const struct lease *b = near.before;
        if (!b || !rules_presumed(b) || s->q->at - b->end > RESOLVE_PRESUMED_MOST || is_block(b)) {
                say_nearest(s, spot, &near);
                return 0;
        }
        snprintf(text, sizeof text, "the lease is taken to have ended %s before (%.*s), and nobody saw it end",
                 duration_print(s->q->at - b->end, how), SLICE_ARGS(b->why_ended));
        return add_lease(s, spot, b, arena_dup(s->a, slice_of(text)));
}

static int look_at_other_ports(struct search *s, struct spot spot)
{
        struct lease *all;
        size_t n;
        char text[ADDR_TEXT_MAX];
        spot.port = 0;
        spot.proto = S("");
        int status = read_leases(s, &spot, &spot.span, &all, &n);
        if (status == 0 && n)
                say(s, "other ports of %s were leased then, and not port %u%s%.*s", addr_print(&spot.address, text),
                    s->q->port, s->q->proto.n ? " of " : "", SLICE_ARGS(s->q->proto));
        return status;
}

static void say_pool(struct search *s)
{
        const struct policy *p = s->q->n_policies ? s->q->policies[0].policy : NULL;
        const struct policy_prefix *in = p ? policy_find_prefix(p, &s->q->address) : NULL;
        if (in)
                say(s, "it is of pool %.*s", SLICE_ARGS(p->pools[in->pool].name));
        else if (p)
                say(s, "no pool of the policy has it: is it an address of this network?");
}

static int nobody(struct search *s, const struct spot *spot)
{
        char text[ADDR_TEXT_MAX];
        const struct spot *where = s->empty == 1 ? s->last_empty : spot;
        if (s->empty == 1 && where)
                say(s, "behind it is %s of %.*s, which no lease covers then", addr_print(&where->address, text),
                    SLICE_ARGS(where->via->computed || where->realm.n ? where->realm : S("an unknown realm")));
        int status = spot->port ? look_at_other_ports(s, *spot) : 0;
        if (status == 0 && where && s->empty < 2)
                status = look_around(s, where);
        if (s->out->n == 0 && s->empty == 0)
                say_pool(s);
        return status;
}

/* --- the answer --- */

static bool covers(const struct resolve_trail *t, int64_t at)
{
        for (size_t i = 0; i < t->n_steps; i++)
                if (!t->steps[i].computed && (t->steps[i].lease.start > at || t->steps[i].lease.end <= at))
                        return false;
        return true;
}

static unsigned length_of(const struct resolve_trail *t)
{
        return t->steps[0].computed ? 128 : t->steps[0].lease.prefix.len;
}

/* Whether several holders have it at the very instant, none of them more specifically than another. */
static bool several_at(const struct resolve_answer *out, int64_t at)
{
        const struct resolve_trail *first = NULL;
        bool several = false;
        for (size_t i = 0; i < out->n_trails; i++) {
                const struct resolve_trail *t = &out->trails[i];
                if (!covers(t, at) || (first && length_of(t) < length_of(first)))
                        continue;
                if (first && length_of(t) == length_of(first))
                        several = several || t->holder != first->holder;
                else {
                        first = t;
                        several = false;
                }
        }
        return several;
}

static void say_why(struct search *s)
{
        const struct resolve_answer *out = s->out;
        char text[TIME_TEXT_MAX];
        for (size_t i = 0; i < out->n_trails; i++)
                for (size_t k = 0; k < out->trails[i].n_steps; k++) {
                        const struct lease *l = &out->trails[i].steps[k].lease;
                        if (!out->trails[i].steps[k].computed && rules_presumed(l) && l->end > s->q->at)
                                say(s, "the end of a lease is presumed (%.*s): nobody saw it stop",
                                    SLICE_ARGS(l->why_ended));
                }
        for (size_t i = 0; i < out->n_trails; i++)
                if (out->trails[i].doubt.n)
                        say(s, "%.*s", SLICE_ARGS(out->trails[i].doubt));
        if (out->n > 1 && !s->shared && !several_at(out, s->q->at))
                say(s, "it changed hands within the tolerance of %s", duration_print(s->q->tolerance, text));
        else if (out->n > 1 && !s->shared)
                say(s, "more than one held it at the same time");
        if (out->n && s->empty)
                say(s, "%zu more addresses behind it have no lease then", s->empty);
        if (out->more)
                say(s, "only the first %d are looked at", RESOLVE_MOST);
        if (out->n == 1 && out->holders[0].subscriber.number == 0)
                say(s, "the line is nobody's: give it to its subscriber");
}

static void name_realm(struct search *s, struct spot *spot)
{
        const struct resolve_question *q = s->q;
        spot->realm = q->realm;
        struct spot found = *spot;
        find_realm(s, &found);
        if (q->has_realm) {
                spot->or_none = found.or_none && slice_eq(found.realm, q->realm);
                return;
        }
        if (!found.any_realm) {
                *spot = found;
                say(s, "the address is inside cgnat %.*s", SLICE_ARGS(found.realm));
        } else if (rules_private(&q->address)) {
                spot->any_realm = true;
                say(s, "the address is private, and no realm was given: leases of every realm are in question");
        }
}

int resolve(struct ledger *l, struct arena *a, const struct resolve_question *q, struct resolve_answer *ret)
{
        struct search s = { .l = l, .a = a, .q = q, .out = ret };
        *ret = (struct resolve_answer){ .verdict = RESOLVE_UNKNOWN };
        struct spot spot = { .address = q->address,
                             .port = q->port,
                             .proto = q->proto,
                             .span = { q->at - q->tolerance, q->at + q->tolerance } };
        name_realm(&s, &spot);
        int status = ask(&s, &spot);
        if (status == 0 && ret->n == 0 && !ret->more)
                status = nobody(&s, &spot);
        if (status == 0 && arena_full(a))
                status = -ENOMEM;
        if (status < 0)
                return status;
        say_why(&s);
        if (ret->n == 1 && !ret->more && !s.shared && ret->holders[0].sure)
                ret->verdict = RESOLVE_EXACT;
        else if (ret->n || ret->more)
                ret->verdict = RESOLVE_AMBIGUOUS;
        return 0;
}
