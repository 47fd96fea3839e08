/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/others.h"
#include "base/child.h"
#include "base/file.h"
#include "gate/nft.h"

#include <jansson.h>

/* Whether a rule's matches leave room for a customer's packet to TCP port 25. */
enum may { MAY_NOT, MAY, SURELY_25 };

static const char *text(const json_t *o, const char *key)
{
        const char *s = json_string_value(json_object_get(o, key));
        return s ? s : "";
}

static bool is(const json_t *o, const char *key, const char *value)
{
        return strcmp(text(o, key), value) == 0;
}

/* Whether a value, set or range of a match holds the number 25. */
static bool holds_25(const json_t *right)
{
        const json_t *list = json_object_get(right, "set"), *range = json_object_get(right, "range"), *one;
        size_t i;
        if (json_is_integer(right))
                return json_integer_value(right) == 25;
        if (json_is_string(right)) /* "smtp", or a named set whose elements are not listed */
                return strcmp(json_string_value(right), "smtp") == 0 || json_string_value(right)[0] == '@';
        if (range)
                return json_integer_value(json_array_get(range, 0)) <= 25 &&
                       json_integer_value(json_array_get(range, 1)) >= 25;
        json_array_foreach(list, i, one) if (holds_25(one)) return true;
        return false;
}

static enum may match_may(const json_t *match)
{
        const json_t *left = json_object_get(match, "left"), *right = json_object_get(match, "right");
        const json_t *payload = json_object_get(left, "payload"), *meta = json_object_get(left, "meta");
        bool negated = is(match, "op", "!=");
        if (payload && is(payload, "field", "dport")) {
                if (is(payload, "protocol", "udp"))
                        return MAY_NOT;
                return holds_25(right) != negated ? SURELY_25 : MAY_NOT;
        }
        if (payload && is(payload, "field", "sport"))
                return holds_25(right) && !negated ? MAY_NOT : MAY;
        if (meta && (is(meta, "key", "l4proto")) && json_is_string(right))
                return (strcmp(json_string_value(right), "tcp") == 0) != negated ? MAY : MAY_NOT;
        if (payload && (is(payload, "field", "protocol") || is(payload, "field", "nexthdr")) && json_is_string(right))
                return (strcmp(json_string_value(right), "tcp") == 0) != negated ? MAY : MAY_NOT;
        return MAY;
}

static enum may rule_may(const json_t *expressions)
{
        enum may all = MAY;
        size_t i;
        const json_t *e;
        json_array_foreach(expressions, i, e)
        {
                const json_t *match = json_object_get(e, "match");
                enum may one = match ? match_may(match) : MAY;
                if (one == MAY_NOT)
                        return MAY_NOT;
                all = one == SURELY_25 ? SURELY_25 : all;
        }
        return all;
}

static const json_t *statement(const json_t *expressions, const char *name)
{
        size_t i;
        const json_t *e;
        json_array_foreach(expressions, i, e) if (json_object_get(e, name)) return e;
        return NULL;
}

struct chain {
        const json_t *json;
        char *name; /* "inet filter input" */
};

struct ruleset {
        const json_t *list;
        struct chain *chains; /* those with a hook, not ours */
        size_t n, cap;
};

static bool ours(const json_t *o)
{
        return is(o, "family", "inet") && (is(o, "table", "porteiro") || is(o, "name", "porteiro"));
}

static void find_chains(struct ruleset *r)
{
        size_t i;
        const json_t *item;
        json_array_foreach(r->list, i, item)
        {
                const json_t *c = json_object_get(item, "chain");
                if (!c || ours(c) || !json_object_get(c, "hook") || is(c, "family", "bridge") || is(c, "family", "arp"))
                        continue;
                r->chains = xgrow(r->chains, &r->cap, r->n + 1, sizeof *r->chains);
                r->chains[r->n++] =
                    (struct chain){ c, xasprintf("%s %s %s", text(c, "family"), text(c, "table"), text(c, "name")) };
        }
}

/* Rules of the chain, and of those it jumps to, in order; `call` returns false to stop. */
static bool each_rule(const struct ruleset *r, const json_t *chain, const char *name, unsigned depth,
                      bool (*call)(void *arg, const json_t *expressions), void *arg)
{
        size_t i;
        const json_t *item;
        json_array_foreach(r->list, i, item)
        {
                const json_t *rule = json_object_get(item, "rule"), *expressions = json_object_get(rule, "expr");
                if (!rule || !is(rule, "chain", name) || !is(rule, "table", text(chain, "table")) ||
                    !is(rule, "family", text(chain, "family")))
                        continue;
                if (!call(arg, expressions))
                        return false;
                const json_t *jump = json_object_get(statement(expressions, "jump"), "jump");
                jump = jump ? jump : json_object_get(statement(expressions, "goto"), "goto");
                if (jump && depth < 8 && rule_may(expressions) != MAY_NOT &&
                    !each_rule(r, chain, text(jump, "target"), depth + 1, call, arg))
                        return false;
        }
        return true;
}

/* A target of iptables that nft shows by its name only. */
static bool target(const json_t *expressions, const char *name)
{
        size_t i;
        const json_t *e, *xt;
        json_array_foreach(expressions, i, e) if ((xt = json_object_get(e, "xt")) && is(xt, "type", "target") &&
                                                  is(xt, "name", name)) return true;
        return false;
}

/* "tcp dport vmap { 25 : drop, … }" */
static bool maps_25_to_drop(const json_t *expressions)
{
        const json_t *vmap = json_object_get(statement(expressions, "vmap"), "vmap"), *pair;
        const json_t *payload = json_object_get(json_object_get(vmap, "key"), "payload");
        size_t i;
        if (!payload || !is(payload, "field", "dport") || is(payload, "protocol", "udp"))
                return false;
        json_array_foreach(json_object_get(json_object_get(vmap, "data"), "set"), i,
                           pair) if (holds_25(json_array_get(pair, 0)) &&
                                     json_object_get(json_array_get(pair, 1), "drop")) return true;
        return false;
}

/* No condition at all: every packet that comes to the rule. */
static bool is_plain(const json_t *expressions)
{
        static const char *const conditions[] = { "match", "vmap", "limit", "set", "ct count", "quota" };
        size_t i;
        const json_t *e;
        json_array_foreach(expressions, i, e)
        {
                if (is(json_object_get(e, "xt"), "type", "match"))
                        return false;
                for (size_t k = 0; k < COUNT_OF(conditions); k++)
                        if (json_object_get(e, conditions[k]))
                                return false;
        }
        return true;
}

struct finding {
        bool drops, rewrites, tproxies, untracks, accepts_25;
};

static bool look(void *arg, const json_t *e)
{
        struct finding *f = arg;
        enum may may = rule_may(e);
        if (may == MAY_NOT)
                return true;
        /* a drop of everything else, or of some sources, is that firewall's business: only what names 25 or has no match at all */
        bool plain = is_plain(e);
        bool drops = statement(e, "drop") || statement(e, "reject");
        f->drops |= (drops && (may == SURELY_25 || plain)) || maps_25_to_drop(e);
        bool rewrites = statement(e, "dnat") || statement(e, "redirect") || target(e, "DNAT") || target(e, "REDIRECT");
        f->rewrites |= rewrites && (may == SURELY_25 || plain);
        f->tproxies |= (statement(e, "tproxy") || target(e, "TPROXY")) && (may == SURELY_25 || plain);
        f->untracks |= statement(e, "notrack") || target(e, "NOTRACK") || target(e, "CT");
        f->accepts_25 |= statement(e, "accept") && (may == SURELY_25 || plain || statement(e, "socket"));
        return true;
}

static bool is_early(const json_t *chain)
{
        return (is(chain, "hook", "prerouting") &&
                json_integer_value(json_object_get(chain, "prio")) < DOOR_PRIORITY) ||
               is(chain, "hook", "ingress");
}

static void judge_chain(const struct ruleset *r, const struct plan *p, const struct chain *c, struct diags *d)
{
        const struct place nowhere = { 0 };
        struct finding f = { 0 };
        long long priority = (long long)json_integer_value(json_object_get(c->json, "prio"));
        bool closed = is(c->json, "policy", "drop"), prerouting = is(c->json, "hook", "prerouting");
        each_rule(r, c->json, text(c->json, "name"), 0, look, &f);
        if (is_early(c->json) && (f.drops || (closed && !f.accepts_25)))
                diag_warning(d, nowhere,
                             "chain %s (priority %lld) drops port 25 before the door sees it: its customers are "
                             "neither counted nor let out",
                             c->name, priority);
        if (prerouting && f.rewrites)
                diag_warning(
                    d, nowhere,
                    "chain %s rewrites the destination of port 25: what it catches does not go where the policy says",
                    c->name);
        if (prerouting && f.tproxies && priority <= DOOR_PRIORITY)
                diag_warning(d, nowhere, "chain %s hands port 25 to a socket before the door sees it", c->name);
        if (f.untracks && nft_needs_nat(p))
                diag_warning(d, nowhere,
                             "chain %s turns connection tracking off (notrack): shift and edge dnat need it", c->name);
        if (is(c->json, "hook", "input") && nft_needs_tproxy(p) && ((closed && !f.accepts_25) || f.drops))
                diag_warning(d, nowhere,
                             "chain %s (hook input) drops diverted connections: accept `tcp dport 25 socket "
                             "transparent 1` there",
                             c->name);
}

static void check_flowtables(const struct ruleset *r, struct diags *d)
{
        size_t i;
        const json_t *item;
        json_array_foreach(r->list, i, item)
        {
                const json_t *f = json_object_get(item, "flowtable");
                if (f)
                        diag_warning(d, (struct place){ 0 },
                                     "flowtable %s %s %s: its flows pass no rule, so a new block does not touch open "
                                     "ones; keep port 25 out of it",
                                     text(f, "family"), text(f, "table"), text(f, "name"));
        }
}

void others_check_ruleset(const struct plan *p, struct slice json, struct diags *d)
{
        json_t *root = json_loadb(json.p, json.n, 0, NULL);
        struct ruleset r = { .list = json_object_get(root, "nftables") };
        find_chains(&r);
        for (size_t i = 0; i < r.n; i++)
                judge_chain(&r, p, &r.chains[i], d);
        check_flowtables(&r, d);
        for (size_t i = 0; i < r.n; i++)
                free(r.chains[i].name);
        free(r.chains);
        json_decref(root);
}

/* Rules of the old kind stand beside nftables, and nft cannot see them. */
static void check_legacy(const char *path, const char *save, struct diags *d)
{
        autobuf names;
        buf_init(&names, 4096);
        if (file_read(path, &names) == 0 && names.n)
                diag_warning(d, (struct place){ 0 },
                             "%s holds rules that cannot be read here: look with %s whether they touch port 25", path,
                             save);
}

void others_check(const struct plan *p, struct diags *d)
{
        static const char *const argv[] = { "/usr/sbin/nft", "-j", "-t", "list", "ruleset", NULL };
        autobuf output;
        int status;
        buf_init(&output, CHILD_OUTPUT_MOST);
        struct child c = { .argv = argv, .deadline_us = 20 * SECOND, .output = &output };
        if (child_run(&c, &status) == 0 && status == 0)
                others_check_ruleset(p, buf_slice(&output), d);
        check_legacy("/proc/net/ip_tables_names", "iptables-legacy-save", d);
        check_legacy("/proc/net/ip6_tables_names", "ip6tables-legacy-save", d);
}
