/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"
#include "ledger/ledger.h"
#include "policy/ban.h"
#include "policy/decide.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA = 256 << 20 };

static const char *at_text;
static const struct cli_option options[] = {
        { .name = "at",
          .argument = "TIME",
          .help = "at this time, by the generation then in force (default: now)",
          .value = &at_text },
};
static const struct cli_shape shape = { .usage = "explain ADDRESS|SUBSCRIBER [--at TIME] [-c FILE]",
                                        .options = options,
                                        .n_options = COUNT_OF(options),
                                        .words_least = 1,
                                        .words_most = 1 };

/* One answer: the verdict, and the steps that were looked at in the gate's order, the deciding one marked. */
struct step {
        const char *what;
        char *text;
        struct place place; /* line 0: not from the policy */
        bool decided;
};

struct answer {
        const struct policy *policy;
        struct ledger *ledger; /* NULL: the policy alone */
        struct arena *arena;
        int64_t at;
        struct step steps[64];
        size_t n;
        const char *verdict; /* strategy, or what a quarantine does */
};

PRINTF_LIKE(4, 5)
static void step(struct answer *a, const char *what, struct place place, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        char *text = NULL;
        if (vasprintf(&text, fmt, ap) == -1)
                panic("out of memory");
        va_end(ap);
        if (a->n == COUNT_OF(a->steps)) {
                free(text);
                return;
        }
        a->steps[a->n++] = (struct step){ .what = what, .text = text, .place = place };
}

/* The step added last decides; what was decided before stays. */
static void decide(struct answer *a, const char *verdict)
{
        if (a->verdict || !a->n)
                return;
        a->verdict = verdict;
        a->steps[a->n - 1].decided = true;
}

static const struct place nowhere = { 0 };

/* --- the gate's order ----------------------------------------------------------------------------------------------------------- */

static void look_servers(struct answer *a, const struct addr *addr)
{
        for (size_t i = 0; i < a->policy->n_servers; i++)
                for (size_t k = 0; k < a->policy->servers[i].n_addresses; k++)
                        if (addr_cmp(&a->policy->servers[i].addresses[k].addr, addr) == 0) {
                                step(a, "own server", a->policy->servers[i].place,
                                     "this is server %.*s: its own mail always passes",
                                     SLICE_ARGS(a->policy->servers[i].name));
                                decide(a, "open");
                        }
}

static void look_bans(struct answer *a, const struct addr *addr)
{
        struct ban *all;
        size_t n = 0;
        char prefix[PREFIX_TEXT_MAX], until[TIME_TEXT_MAX];
        if (!a->ledger || ledger_bans_over(a->ledger, a->arena, addr, a->at, &all, &n) != 0)
                return;
        for (size_t i = 0; i < n; i++) {
                struct ban_answer spared = ban_look(a->policy, &all[i].prefix);
                autobuf words = { 0 };
                buf_init(&words, 1024);
                if (spared.objection != BAN_NO_OBJECTION) {
                        buf_adds(&words, ", not enforced: it ");
                        ban_objection_print(&spared, &words);
                }
                step(a, "ban", spared.place, "number %lld of %s, until %s: %.*s (by %.*s)%s", (long long)all[i].id,
                     prefix_print(&all[i].prefix, prefix), time_print(all[i].until, until), SLICE_ARGS(all[i].reason),
                     SLICE_ARGS(all[i].by_rule ? S("rule") : all[i].author), words.n ? buf_cstr(&words) : "");
                if (spared.objection == BAN_NO_OBJECTION)
                        decide(a, "banned: mail ports of own servers dropped");
        }
}

static void look_quarantine(struct answer *a, const struct person *p)
{
        struct quarantine *all;
        size_t n;
        char until[TIME_TEXT_MAX];
        if (p->quarantine == LEVEL_NONE || ledger_quarantines(a->ledger, a->arena, p->id, a->at, true, &all, &n) != 0)
                return;
        for (size_t i = 0; i < n; i++) {
                step(a, "quarantine", nowhere, "number %lld, level %s, until %s: %.*s (by %.*s)", (long long)all[i].id,
                     level_name(all[i].level), time_print(all[i].until, until), SLICE_ARGS(all[i].reason),
                     SLICE_ARGS(all[i].by_rule ? S("rule") : all[i].author));
                if (all[i].level == p->quarantine)
                        decide(a, p->quarantine == LEVEL_MAIL         ? "quarantine: port 25 refused"
                                  : p->quarantine == LEVEL_SUBMISSION ? "quarantine: ports 25, 465 and 587 refused"
                                                                      : "quarantine: captive");
        }
}

static void look_exemption(struct answer *a, const struct person *p, const struct addr *addr)
{
        const struct policy_exemption *e = policy_find_exemption(a->policy, p ? p->id : S(""), addr, a->at);
        struct exemption *all;
        size_t n = 0;
        char until[TIME_TEXT_MAX];
        if (e) {
                step(a, "exemption", e->place, "%.*s, until %s, owner %.*s: %.*s", SLICE_ARGS(e->name),
                     time_print(e->until, until), SLICE_ARGS(e->owner), SLICE_ARGS(e->reason));
                decide(a, "open");
        }
        if (!a->ledger || ledger_exemptions(a->ledger, a->arena, &all, &n) != 0)
                return;
        for (size_t i = 0; i < n; i++) {
                bool his =
                    all[i].subscriber.n ? p && slice_eq(all[i].subscriber, p->id) : prefix_has(&all[i].prefix, addr);
                if (!his || all[i].removed || all[i].start > a->at || all[i].until <= a->at)
                        continue;
                step(a, "exemption", nowhere, "number %lld of the ledger, until %s, owner %.*s: %.*s",
                     (long long)all[i].id, time_print(all[i].until, until), SLICE_ARGS(all[i].owner),
                     SLICE_ARGS(all[i].reason));
                decide(a, "open");
        }
}

static void look_own(struct answer *a, const struct person *p)
{
        if (p->port25 == STRATEGY_NONE)
                return;
        step(a, "own strategy", nowhere, "port25 %s, written at subscriber %.*s in the ledger",
             strategy_name(p->port25), SLICE_ARGS(p->id));
        decide(a, strategy_name(p->port25));
}

static void look_waves(struct answer *a, const struct decide_query *q, const struct decision *d)
{
        char from[TIME_TEXT_MAX];
        for (size_t i = 0; i < a->policy->n_waves; i++) {
                const struct policy_wave *w = &a->policy->waves[i];
                struct decide_query then = *q;
                then.at = w->from > q->at ? w->from : q->at;
                if (!wave_covers(a->policy, w, &then))
                        continue;
                bool won = d->by == DECIDED_BY_WAVE && d->wave == i;
                step(a, "wave", w->place, "%.*s, from %s: port25 %s%s", SLICE_ARGS(w->name), time_print(w->from, from),
                     strategy_name(w->port25),
                     w->from > q->at ? ", not yet"
                     : won           ? ""
                                     : ", yields");
                if (won)
                        decide(a, strategy_name(d->strategy));
        }
}

static void look_policy(struct answer *a, const struct person *p, const struct addr *addr)
{
        const struct policy *policy = a->policy;
        const struct policy_prefix *pp = policy_find_prefix(policy, addr);
        size_t own = p && p->class.n ? policy_find_class(policy, p->class) : policy->n_classes;
        struct decide_query q = {
                .at = a->at, .pool = pp ? pp->pool : policy->n_pools, .own_class = own, .addr = addr
        };
        struct decision d = policy_decide(policy, &q);
        char text[PREFIX_TEXT_MAX];
        if (p && p->class.n && own == policy->n_classes)
                step(a, "class", nowhere, "%.*s, written at the subscriber, is not in the policy: ignored",
                     SLICE_ARGS(p->class));
        size_t class = own < policy->n_classes ? own : pp ? policy->pools[pp->pool].class : policy->n_classes;
        if (p && class < policy->n_classes && policy->classes[class].told_first && p->told > a->at &&
            strategy_restricts(d.strategy)) {
                step(a, "promise", policy->classes[class].promise_place,
                     "class %.*s was promised told-first, and nobody noted that he was told: not yet %s",
                     SLICE_ARGS(policy->classes[class].name), strategy_name(d.strategy));
                decide(a, "observe");
        }
        look_waves(a, &q, &d);
        if (pp) {
                const struct policy_pool *pool = &policy->pools[pp->pool];
                step(a, "pool", pp->place, "%.*s (%s)%s%s", SLICE_ARGS(pool->name), prefix_print(&pp->prefix, text),
                     pool->port25 == STRATEGY_NONE ? "" : ", port25 ",
                     pool->port25 == STRATEGY_NONE ? "" : strategy_name(pool->port25));
                if (d.by == DECIDED_BY_POOL)
                        decide(a, strategy_name(d.strategy));
        } else {
                step(a, "pool", nowhere, "none has this address");
        }
        if (class < policy->n_classes) {
                const struct policy_class *c = &policy->classes[class];
                step(a, "class", c->port25_place.line ? c->port25_place : c->place, "%.*s, %s, port25 %s",
                     SLICE_ARGS(c->name), own < policy->n_classes ? "the subscriber's own" : "the pool's",
                     strategy_name(c->port25));
                if (d.by == DECIDED_BY_CLASS)
                        decide(a, strategy_name(d.strategy));
        }
        decide(a, "open (no customer of this policy)");
}

static void look_interfaces(struct answer *a)
{
        for (size_t i = 0; i < a->policy->n_pools; i++) {
                struct decide_query q = { .at = a->at, .pool = i, .own_class = a->policy->n_classes };
                const struct policy_pool *p = &a->policy->pools[i];
                if (p->interface.n)
                        step(a, "but", p->interface_place, "whatever comes in by interface %.*s is of pool %.*s: %s",
                             SLICE_ARGS(p->interface), SLICE_ARGS(p->name),
                             strategy_name(policy_decide(a->policy, &q).strategy));
        }
}

static void explain_one(struct answer *a, const struct addr *addr, const struct person *p, const struct lease *lease)
{
        char start[TIME_TEXT_MAX], text[PREFIX_TEXT_MAX];
        if (lease)
                step(a, "lease", nowhere, "%s of subscriber %.*s, line %.*s:%.*s (%.*s), since %s",
                     prefix_print(&lease->prefix, text), SLICE_ARGS(lease->subscriber), SLICE_ARGS(lease->line.kind),
                     SLICE_ARGS(lease->line.value), SLICE_ARGS(lease->source), time_print(lease->start, start));
        if (lease && (lease->port_low || lease->port_high)) {
                step(a, "lease", nowhere,
                     "of ports %u to %u only: others share the address, so the gate leaves this person out; place the "
                     "gate inside the CGNAT",
                     lease->port_low, lease->port_high);
                p = NULL;
        }
        look_bans(a, addr);
        look_servers(a, addr);
        if (p)
                look_quarantine(a, p);
        look_exemption(a, p, addr);
        if (p)
                look_own(a, p);
        look_policy(a, p, addr);
        look_interfaces(a);
}

/* --- printing -------------------------------------------------------------------------------------------------------------------- */

/* Generations keep the operator's own file names and lines. */
static void print_place(struct place place, const struct diags *sources, struct buf *out)
{
        if (place.line && sources)
                place_print(sources, place, out);
        else if (place.line)
                buf_addf(out, "line %u", place.line);
}

static void print_answer(const struct answer *a, const struct diags *sources, const char *title, struct buf *out)
{
        char at[TIME_TEXT_MAX];
        buf_addf(out, "%s at %s: %s\n", title, time_print(a->at, at), a->verdict);
        for (size_t i = 0; i < a->n; i++) {
                const struct step *s = &a->steps[i];
                buf_addf(out, "  %s %-13s", s->decided ? "►" : " ", s->what);
                buf_add_escaped(out, slice_of(s->text));
                if (s->place.line)
                        buf_adds(out, "   ");
                print_place(s->place, sources, out);
                buf_addc(out, '\n');
        }
}

static void json_answer(const struct answer *a, const struct diags *sources, const char *title, struct json *j)
{
        json_object(j, NULL);
        json_cstr(j, "address", title);
        json_time(j, "at", a->at);
        json_cstr(j, "strategy", a->verdict);
        json_array(j, "steps");
        for (size_t i = 0; i < a->n; i++) {
                autobuf place;
                buf_init(&place, 4096);
                print_place(a->steps[i].place, sources, &place);
                json_object(j, NULL);
                json_cstr(j, "what", a->steps[i].what);
                json_cstr(j, "text", a->steps[i].text);
                json_cstr(j, "place", place.n ? buf_cstr(&place) : NULL);
                json_bool(j, "decided", a->steps[i].decided);
                json_object_end(j);
        }
        json_array_end(j);
        json_object_end(j);
}

static void answer_done(struct answer *a)
{
        for (size_t i = 0; i < a->n; i++)
                free(a->steps[i].text);
        a->n = 0;
        a->verdict = NULL;
}

struct printer {
        const struct cli *cli;
        const struct diags *sources;
        struct json json;
        struct buf *out;
        size_t n;
};

static void emit(struct printer *to, struct answer *a, const char *title)
{
        if (to->cli->json)
                json_answer(a, to->sources, title, &to->json);
        else
                print_answer(a, to->sources, title, to->out);
        to->n++;
        answer_done(a);
}

/* --- the command ----------------------------------------------------------------------------------------------------------------- */

static void explain_address(struct answer *a, const struct addr *addr, struct printer *to)
{
        struct lease *holders = NULL;
        size_t n = 0;
        char title[ADDR_TEXT_MAX];
        addr_print(addr, title);
        if (a->ledger)
                ledger_holders(a->ledger, a->arena, addr, a->at, &holders, &n);
        size_t known = 0;
        for (size_t i = 0; i < n; i++) {
                struct person p;
                if (!holders[i].subscriber.n ||
                    ledger_person(a->ledger, a->arena, holders[i].subscriber, a->at, &p) != 0)
                        continue;
                known++;
                explain_one(a, addr, &p, &holders[i]);
                emit(to, a, title);
        }
        if (!known) {
                if (a->ledger)
                        step(a, "holder", nowhere, "unknown: no lease of a subscriber covers this address");
                explain_one(a, addr, NULL, NULL);
                emit(to, a, title);
        }
}

static int explain_subscriber(struct answer *a, struct slice id, struct printer *to)
{
        struct subscriber s;
        struct person p;
        char title[PREFIX_TEXT_MAX];
        if (!a->ledger)
                return cli_fail(EXIT_NO, "explain: %.*s: no address, and there is no ledger to look a subscriber up in",
                                SLICE_ARGS(id));
        int failed = ledger_subscriber(a->ledger, a->arena, id, &s);
        if (failed == -ENOENT)
                return cli_fail(EXIT_NO, "explain: %.*s: neither an address nor a subscriber", SLICE_ARGS(id));
        if (!failed)
                failed = ledger_person(a->ledger, a->arena, id, a->at, &p);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "explain: the ledger could not be read: %s", ledger_error(a->ledger));
        for (size_t i = 0; i < p.n_leases; i++) {
                p.leases[i].subscriber = id;
                explain_one(a, &p.leases[i].prefix.addr, &p, &p.leases[i]);
                emit(to, a, prefix_print(&p.leases[i].prefix, title));
        }
        if (!p.n_leases)
                return cli_fail(EXIT_NO, "explain: subscriber %.*s holds no address then", SLICE_ARGS(id));
        return EXIT_DONE;
}

static int explain(const struct cli *cli, struct answer *a, struct printer *to)
{
        struct addr addr;
        struct slice what = slice_of(cli->words[0]);
        int status = EXIT_DONE;
        if (cli->json) {
                json_init(&to->json, to->out);
                json_object(&to->json, NULL);
                json_int(&to->json, "version", 1);
                json_array(&to->json, "answers");
        }
        if (addr_parse(what, &addr))
                explain_address(a, &addr, to);
        else
                status = explain_subscriber(a, what, to);
        if (cli->json) {
                json_array_end(&to->json);
                json_object_end(&to->json);
                json_done(&to->json);
        }
        return status;
}

int cmd_explain(int argc, char **argv)
{
        struct cli cli;
        int status;
        autobuf out, why;
        autoledger *ledger = NULL;
        autoarena *arena = arena_new(ARENA);
        struct answer a = { .at = time_now(), .arena = arena };
        buf_init(&out, 16 << 20);
        buf_init(&why, 8192);
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        if (at_text && !cli_time("--at", at_text, TIME_FIRST_INSTANT, &a.at))
                return EXIT_USAGE;
        autodiags *sources = diags_new();
        autopolicy *policy = cli_policy_at(&cli, at_text ? a.at : TIME_NEVER, sources, &status);
        if (!policy)
                return status;
        /* the zone of the policy is known only now */
        if (at_text && !cli_time("--at", at_text, TIME_FIRST_INSTANT, &a.at))
                return EXIT_USAGE;
        a.policy = policy;
        int failed = ledger_open_why(cli.state, &ledger, &why);
        if (failed && failed != -ENOENT)
                return cli_fail(EXIT_SYSTEM, "explain: %s", buf_cstr(&why));
        a.ledger = ledger;
        struct printer to = { .cli = &cli, .sources = sources, .out = &out };
        status = explain(&cli, &a, &to);
        return status ? status : cli_print(&out);
}
