/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft_write.h"

#include <stdio.h>

/* --- what happens with a packet ------------------------------------------------------------------------------------------- */

static void write_refuse(struct writer *w)
{
        nft_chain(w, "refuse");
        nft_rule(w, "update @flood4 { ip saddr limit rate over 20/second burst 40 packets } counter name "
                    "\"packets_flood_drop\" drop");
        nft_rule(w, "update @flood6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 20/second burst 40 packets } "
                    "counter name "
                    "\"packets_flood_drop\" drop");
        nft_rule(w, "meta l4proto tcp limit rate 5000/second burst 5000 packets reject with tcp reset");
        nft_rule(
            w, "meta l4proto != tcp limit rate 1000/second burst 1000 packets reject with icmpx type admin-prohibited");
        nft_rule(w, "drop");
        nft_end(w);
        nft_chain(w, "refuse_back");
        nft_rule(w,
                 "fib daddr type local accept"); /* our own box is no customer, though its address may lie in a pool */
        for (int f = 0; f < FAMILIES; f++)       /* what own servers answer */
                if (plan_has_servers(w->plan, f))
                        nft_rule(w, "%s @servers%c_%c accept", nft_going.field[f], family_digit(f), w->letter);
        nft_rule(w, "counter name \"packets_asymmetric_block\"");
        /* it is this reset that ends the half of a conversation somebody else began: a small flood must not use the limit up */
        nft_rule(w, "limit rate 20000/second burst 20000 packets reject with tcp reset");
        nft_rule(w, "drop");
        nft_end(w);
        nft_chain(w, "refuse_tunnel");
        nft_rule(w, "counter name \"packets_tunnel_block\"");
        nft_rule(w,
                 NOT_SPOOFED " counter name \"attempts_tunnel_block\" log prefix \"tunnel block\" group %u snaplen 128 "
                             "queue-threshold 32",
                 w->plan->policy->gate.nflog_group);
        nft_rule(w, "goto refuse_%c", w->letter);
        nft_end(w);
}

/* What comes back from port 25 to a customer who may not call there himself: the answers of the edge on another box, in the name of the host
 * he called, and where nobody listens and the door is then open those of the host itself. Of all others he gets none: somebody
 * elsewhere sends in his name. Answers by routing are those that come in where a packet marked for the edge would go out. */
static void write_way_back(struct writer *w, const char *strategy)
{
        const struct policy_gate *g = &w->plan->policy->gate;
        bool handed = slice_eq(slice_of(strategy), S("divert")) || slice_eq(slice_of(strategy), S("trap"));
        char text[ADDR_TEXT_MAX];
        if (handed && g->open_if_edge_down) {
                nft_rule(w, "tcp dport != 25 accept");
                return;
        }
        if (handed && g->edge == EDGE_ROUTE) {
                nft_rule(w, "tcp dport != 25 meta mark set meta mark & 0x%08x | 0x%08x", ~g->mask, mark_edge(g));
                nft_rule(w, "tcp dport != 25 fib saddr . mark . iif oif != 0 meta mark set meta mark & 0x%08x accept",
                         ~g->mask);
                nft_rule(w, "tcp dport != 25 meta mark set meta mark & 0x%08x", ~g->mask);
        }
        if (handed && g->edge == EDGE_DNAT && g->has_edge4)
                nft_rule(w, "tcp dport != 25 ip saddr %s accept", addr_print(&g->edge4, text));
        if (handed && g->edge == EDGE_DNAT && g->has_edge6)
                nft_rule(w, "tcp dport != 25 ip6 saddr %s accept", addr_print(&g->edge6, text));
        nft_rule(w, "tcp dport != 25 goto refuse_back_%c", w->letter);
}

/* An attempt is a SYN whose source is true: it is counted, and told to `sight`. */
static void write_evidence(struct writer *w, const char *match, const char *group, const char *what, bool logs)
{
        if (logs)
                nft_rule(
                    w,
                    "%s" NOT_SPOOFED
                    " counter name \"attempts_%s_%s\" log prefix \"%s %s\" group %u snaplen 128 queue-threshold 32",
                    match, group, what, group, what, w->plan->policy->gate.nflog_group);
        else
                nft_rule(w, "%s" NOT_SPOOFED " counter name \"attempts_%s_%s\"", match, group, what);
}

/* Where customers may do as they like on every own server, it is looked up only for packets that would not pass anyway, and for SYNs. */
static void spare_servers(struct writer *w, const char *group)
{
        bool may = !slice_eq(slice_of(group), S("server")) && !slice_eq(slice_of(group), S("quarantine"));
        for (int f = 0; may && !w->plan->servers_restrict && f < FAMILIES; f++)
                if (plan_has_servers(w->plan, f))
                        nft_rule(w, "%s @servers%c_%c goto server_open_%c", nft_coming.field[f], family_digit(f),
                                 w->letter, w->letter);
}

/* The head of every chain that restricts: way back first, then own servers, tunnels, the counters and the evidence. */
static void write_restricting_head(struct writer *w, const char *group, const char *what)
{
        nft_rule(w, "counter name \"packets_%s_%s\"", group, what);
        nft_rule(w, "iif 1 accept"); /* the box's own, to itself */
        write_way_back(w, what);
        spare_servers(w, group);
        nft_rule(w, "meta l4proto != tcp goto refuse_tunnel_%c", w->letter);
        write_evidence(w, SYN " ", group, what, true);
}

static void set_mark(struct writer *w, const char *match, uint32_t mark)
{
        const struct policy_gate *g = &w->plan->policy->gate;
        nft_rule(w, "%smeta mark set meta mark & 0x%08x | 0x%08x accept", match, ~g->mask, mark);
}

/* A packet that belongs to no connection is not translated and would pass as it is; so would one of a connection that was
 * opened before it had to be. */
static void refuse_untranslated(struct writer *w, const char *match)
{
        nft_rule(w, "%sct state invalid drop", match);
        nft_rule(w, "%sct state untracked goto refuse_%c", match, w->letter);
        nft_rule(w, "%sct status & (confirmed | dnat) == confirmed goto refuse_%c", match, w->letter);
}

static void hand_to_edge(struct writer *w, enum strategy s)
{
        const struct policy_gate *g = &w->plan->policy->gate;
        unsigned port = s == STRATEGY_TRAP ? g->trap_port : g->divert_port;
        char match[128];
        if (g->edge == EDGE_LOCAL) {
                snprintf(match, sizeof match, "meta nfproto ipv4 meta l4proto tcp tproxy ip to 127.0.0.1:%u ", port);
                set_mark(w, match, mark_edge(g));
                snprintf(match, sizeof match, "meta nfproto ipv6 meta l4proto tcp tproxy ip6 to [::1]:%u ", port);
                set_mark(w, match, mark_edge(g));
        } else {
                uint32_t mark = g->edge == EDGE_DNAT && s == STRATEGY_TRAP ? mark_trap(g) : mark_edge(g);
                for (int f = 0; f < FAMILIES; f++) {
                        const char *family = f == FAMILY4 ? "meta nfproto ipv4 " : "meta nfproto ipv6 ";
                        bool has = f == FAMILY4 ? g->has_edge4 : g->has_edge6;
                        if (has && g->edge == EDGE_DNAT)
                                refuse_untranslated(w, family);
                        if (has)
                                set_mark(w, family, mark);
                }
        }
        if (g->open_if_edge_down)
                nft_rule(w, "accept");
        else
                nft_rule(w, "goto refuse_%c", w->letter);
}

static void act(struct writer *w, enum strategy s)
{
        switch (s) {
        case STRATEGY_SHIFT:
                refuse_untranslated(w, "");
                set_mark(w, "", mark_shift(&w->plan->policy->gate));
                break;
        case STRATEGY_DIVERT:
        case STRATEGY_TRAP:
                hand_to_edge(w, s);
                break;
        case STRATEGY_BLOCK:
                nft_rule(w, "goto refuse_%c", w->letter);
                break;
        default:
                nft_rule(w, "accept");
        }
}

/* `name` is the chain's, `group` what counters and evidence are called by. */
static void write_outcome(struct writer *w, const char *name, const char *group, enum strategy s)
{
        char seen[128];
        if (strategy_restricts(s)) {
                nft_chain(w, name);
                write_restricting_head(w, group, strategy_name(s));
                act(w, s);
                nft_end(w);
                return;
        }
        /* what passes, passes with little ado: only a SYN is looked at more closely */
        snprintf(seen, sizeof seen, "%s_seen", name);
        nft_chain(w, seen);
        spare_servers(w, group);
        write_evidence(w, "", group, strategy_name(s), s != STRATEGY_OPEN);
        nft_rule(w, "accept");
        nft_end(w);
        nft_chain(w, name);
        nft_rule(w, "counter name \"packets_%s_%s\"", group, strategy_name(s));
        nft_rule(w, SYN " goto %s_%c", seen, w->letter);
        nft_rule(w, "accept");
        nft_end(w);
}

void nft_write_outcomes(struct writer *w)
{
        const struct plan *p = w->plan;
        char name[128], group[64];
        write_refuse(w);
        for (size_t i = 0; i < p->n_outcomes; i++) {
                struct slice class = p->policy->classes[p->outcomes[i].class].name;
                enum strategy s = p->outcomes[i].strategy;
                snprintf(group, sizeof group, "class-%.*s", SLICE_ARGS(class));
                snprintf(name, sizeof name, "class_%.*s_%s", SLICE_ARGS(class), strategy_name(s));
                write_outcome(w, name, group, s);
        }
        for (enum strategy s = 0; s < STRATEGY_COUNT; s++) {
                if (!p->own[s])
                        continue;
                snprintf(name, sizeof name, "own_%s", strategy_name(s));
                write_outcome(w, name, "own", s);
        }
        write_outcome(w, "exempt_open", "exempt", STRATEGY_OPEN);
        for (enum level l = 0; l < LEVEL_COUNT; l++) {
                snprintf(name, sizeof name, "quarantine_%s", level_name(l));
                nft_chain(w, name);
                if (l == LEVEL_MAIL)
                        write_restricting_head(w, "quarantine", level_name(l));
                else
                        nft_rule(w, "counter name \"packets_quarantine_%s\"", level_name(l));
                nft_rule(w, "goto refuse_%c", w->letter);
                nft_end(w);
        }
}

/* --- own servers ------------------------------------------------------------------------------------------------------------ */

static bool some_server(const struct plan *p, enum strategy s)
{
        for (size_t i = 0; i < p->policy->n_servers; i++)
                if (p->policy->servers[i].customers == s)
                        return true;
        return false;
}

/* Outsiders deliver to our MX as they like: only packets of customers meet what the server says of customers. */
void nft_write_servers(struct writer *w)
{
        const struct plan *p = w->plan;
        char name[64];
        for (enum strategy s = 0; s < STRATEGY_COUNT; s++) {
                if (!some_server(p, s))
                        continue;
                snprintf(name, sizeof name, "server_%s", strategy_name(s));
                write_outcome(w, name, "server", s);
                if (!p->servers_restrict)
                        continue;
                snprintf(name, sizeof name, "to_server_%s", strategy_name(s));
                nft_chain(w, name);
                if (s != STRATEGY_OPEN) {
                        snprintf(name, sizeof name, "server_%s", strategy_name(s));
                        nft_each_length_goto(w, &nft_going, KIND_PEOPLE, name);
                        for (size_t i = 0; i < p->n_interfaces; i++)
                                nft_rule(w, "iifname \"%.*s\" goto %s_%c", SLICE_ARGS(p->interfaces[i].name), name,
                                         w->letter);
                        for (int f = 0; f < FAMILIES; f++)
                                nft_rule(w, "%s @customers%c_%c goto %s_%c", nft_going.field[f], family_digit(f),
                                         w->letter, name, w->letter);
                }
                nft_rule(w, "jump bans_%c", w->letter);
                nft_rule(w, "accept");
                nft_end(w);
        }
}
