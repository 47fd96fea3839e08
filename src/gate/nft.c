/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft_write.h"

#include <stdio.h>

/* --- who it is: people first, then the wide layer --------------------------------------------------------------------------- */

static void lookup_servers(struct writer *w, const struct nft_side *side, int f)
{
        if (side == &nft_going && w->plan->servers_restrict && plan_has_servers(w->plan, f))
                nft_rule(w, "%s vmap @to_servers%c_%c", nft_coming.field[f], family_digit(f), w->letter);
}

static void write_person(struct writer *w, const struct nft_side *side, const struct nft_length *l)
{
        char name[64], text[256];
        snprintf(name, sizeof name, "%sperson%c_%s", side->prefix, family_digit(l->family), l->text);
        nft_chain(w, name);
        if (l->len == 128 && plan_has_servers(w->plan, l->family))
                nft_rule(w, "%s @servers%c_%c accept", side->field[l->family], family_digit(l->family), w->letter);
        nft_rule(w, "%s goto quarantine_mail_%c", nft_in_set(w, side, kind_name(KIND_MAIL), l, text), w->letter);
        lookup_servers(w, side, l->family);
        nft_rule(w, "%s goto exempt_open_%c", nft_in_set(w, side, kind_name(KIND_EXEMPT), l, text), w->letter);
        if (plan_has_exempt(w->plan))
                nft_rule(w, "%s @exempt_wide%c_%c goto exempt_open_%c", side->field[l->family], family_digit(l->family),
                         w->letter, w->letter);
        for (enum strategy s = 0; s < STRATEGY_COUNT; s++)
                if (w->plan->own[s])
                        nft_rule(w, "%s goto own_%s_%c", nft_in_set(w, side, kind_name(KIND_OWN_OPEN + s), l, text),
                                 strategy_name(s), w->letter);
        nft_rule(w, "goto %srest%c_%c", side->prefix, family_digit(l->family), w->letter);
        nft_end(w);
}

static void lookup_interfaces(struct writer *w, const struct nft_side *side)
{
        const struct plan *p = w->plan;
        if (!p->n_interfaces)
                return;
        if (side == &nft_going) {
                nft_rule(w, "iifname vmap @interfaces_%c", w->letter);
                return;
        }
        for (size_t i = 0; i < p->n_interfaces; i++) {
                const struct plan_outcome *o = &p->outcomes[p->interfaces[i].outcome];
                nft_rule(w, "fib daddr oifname \"%.*s\" goto class_%.*s_%s_%c", SLICE_ARGS(p->interfaces[i].name),
                         SLICE_ARGS(p->policy->classes[o->class].name), strategy_name(o->strategy), w->letter);
        }
}

/* Addresses of 6to4 and Teredo out of the packet's own IPv4 address, used without the tunnel: the answers come back through it. What comes
 * in where the answers would go out (mail from outside) is left alone. */
static void refuse_transition_sources(struct writer *w)
{
        const struct policy_tunnels *t = &w->plan->policy->tunnels;
        if (t->six_to_four)
                nft_rule(w, "ip6 saddr 2002::/16 " SPOOFED " goto refuse_tunnel_%c", w->letter);
        if (t->teredo)
                nft_rule(w, "ip6 saddr 2001::/32 " SPOOFED " goto refuse_tunnel_%c", w->letter);
}

static void write_rest(struct writer *w, const struct nft_side *side, int f)
{
        char name[64], text[128];
        snprintf(name, sizeof name, "%srest%c", side->prefix, family_digit(f));
        nft_chain(w, name);
        lookup_servers(w, side, f);
        if (plan_has_exempt(w->plan))
                nft_rule(w, "%s @exempt_wide%c_%c goto exempt_open_%c", side->field[f], family_digit(f), w->letter,
                         w->letter);
        lookup_interfaces(w, side);
        for (size_t i = 0; i < w->plan->n_exact[f]; i++)
                nft_rule(w, "%s vmap @wide%c_%u_%c", nft_masked(side->field[f], f, w->plan->exact[f][i].len, text),
                         family_digit(f), family_len(f, w->plan->exact[f][i].len), w->letter);
        if (w->plan->n_segments[f] || !w->plan->n_exact[f])
                nft_rule(w, "%s vmap @wide%c_%c", side->field[f], family_digit(f), w->letter);
        if (side == &nft_going && f == FAMILY6)
                refuse_transition_sources(w);
        if (side ==
            &nft_going) /* who comes so far is no customer, and customers are never banned: they do not pay for it */
                nft_rule(w, "jump bans_%c", w->letter);
        nft_end(w);
}

/* One family's people, and then everybody else. Own servers stand among the people (nft_seed_crowd): whoever is neither pays one look-up
 * a length for both questions. */
static void find_person(struct writer *w, const struct nft_side *side, int f)
{
        struct nft_length all[FAMILIES * (GATE_LENGTHS + 1)];
        size_t n = nft_lengths_of(w->plan, all);
        char text[256];
        for (size_t i = 0; i < n; i++)
                if (all[i].family == f)
                        nft_rule(w, "%s goto %sperson%c_%s_%c",
                                 nft_in_set(w, side, kind_name(KIND_PEOPLE), &all[i], text), side->prefix,
                                 family_digit(f), all[i].text, w->letter);
        nft_rule(w, "goto %srest%c_%c", side->prefix, family_digit(f), w->letter);
}

static void write_side(struct writer *w, const struct nft_side *side)
{
        struct nft_length all[FAMILIES * (GATE_LENGTHS + 1)];
        size_t n = nft_lengths_of(w->plan, all);
        const char *name = side == &nft_going ? "port25" : "back25";
        char of_six[16];
        for (int f = 0; f < FAMILIES; f++)
                write_rest(w, side, f);
        for (size_t i = 0; i < n; i++)
                write_person(w, side, &all[i]);
        snprintf(of_six, sizeof of_six, "%s_six", name);
        nft_chain(w, of_six);
        find_person(w, side, FAMILY6);
        nft_end(w);
        nft_chain(w, name);
        nft_rule(w, "meta nfproto ipv6 goto %s_%c", of_six, w->letter);
        find_person(w, side, FAMILY4);
        nft_end(w);
}

/* --- the entry --------------------------------------------------------------------------------------------------------------- */

static void write_captive(struct writer *w)
{
        nft_chain(w, "captive_refuse");
        for (int f = 0; f < FAMILIES; f++)
                nft_rule(w, "%s @reach%c_%c return", nft_coming.field[f], family_digit(f), w->letter);
        nft_rule(w, "fib daddr type { local, broadcast, anycast, multicast } return");
        nft_rule(w, "counter name \"packets_quarantine_captive\"");
        nft_rule(w, "goto refuse_%c", w->letter);
        nft_end(w);
        nft_chain(w, "captive");
        nft_each_length_goto(w, &nft_going, KIND_CAPTIVE, "captive_refuse");
        nft_end(w);
}

/* A first fragment (IPv6 only) that ends before the ports is forbidden by RFC 8200 4.5, and hosts that do not know it yet put it together:
 * it goes the way of port 25. */
#define HEADLESS "frag frag-off 0 frag more-fragments 1"

/* Ports whose connections are looked at; between 465 and 587 lies little else, and a range is cheaper to ask for than a set. */
#define SUBMISSION "465-587"

/* Of what comes from port 25 only the answer to a SYN is looked at: without it no session begins, and on a long one nothing is spent.
 * Whoever calls from port 25 himself goes the way of all callers. */
static void write_answers(struct writer *w)
{
        nft_chain(w, "answers");
        nft_rule(w, "tcp dport >= 1024 tcp flags & (syn|ack) != (syn|ack) accept");
        nft_rule(w, "tcp dport 25 goto port25_%c", w->letter);
        nft_rule(w, "tcp dport " SUBMISSION " goto submit_%c", w->letter);
        nft_rule(w, "tcp flags & (syn|ack) == (syn|ack) goto back25_%c", w->letter);
        nft_end(w);
}

/* A banned source is kept from our own servers and from this box; what it has to do with others is none of our business. */
static void write_banned(struct writer *w)
{
        const struct policy_edge *e = &w->plan->policy->edge;
        char text[ADDR_TEXT_MAX];
        nft_chain(w, "banned_drop");
        nft_rule(w, "counter name \"packets_banned_drop\"");
        nft_rule(w, SYN " counter name \"attempts_banned_drop\"");
        nft_rule(w, "drop");
        nft_end(w);
        nft_chain(w, "banned");
        for (int f = 0; f < FAMILIES; f++)
                if (plan_has_servers(w->plan, f))
                        nft_rule(w, "%s @servers%c_%c goto banned_drop_%c", nft_coming.field[f], family_digit(f),
                                 w->letter, w->letter);
        for (size_t i = 0; i < e->n_listen; i++) /* the edge may be another box */
                nft_rule(w, "%s %s goto banned_drop_%c", nft_coming.field[family_of(&e->listen[i])],
                         addr_print(&e->listen[i].addr, text), w->letter);
        nft_rule(w, "fib daddr type local goto banned_drop_%c", w->letter);
        nft_end(w);
}

/* Submission by ports of the operator's own choice. */
static void write_other_ports(struct writer *w)
{
        const struct policy_edge *e = &w->plan->policy->edge;
        for (size_t i = 0; i < e->n_ports; i++)
                if (e->ports[i] != 25 && e->ports[i] != 465 && e->ports[i] != 587)
                        nft_rule(w, "tcp dport %u jump bans_%c", e->ports[i], w->letter);
}

static void write_bans(struct writer *w)
{
        nft_chain(w, "bans");
        for (int f = 0; f < FAMILIES; f++)
                nft_each_ban_jump(w, f);
        nft_end(w);
}

/* What is most on a router leaves first: TCP after three comparisons of ports, none of them a look-up in a set. */
static void write_entry(struct writer *w)
{
        const struct policy_tunnels *t = &w->plan->policy->tunnels;
        bool six = t->six_in_four || t->six_to_four;
        write_answers(w);
        nft_chain(w, "entry");
        if (w->captive)
                nft_rule(w, "jump captive_%c", w->letter);
        write_other_ports(w);
        nft_rule(w, "tcp sport 25 goto answers_%c", w->letter);
        nft_rule(w, "tcp dport 25 goto port25_%c", w->letter);
        nft_rule(w, "tcp dport != " SUBMISSION " accept");
        nft_rule(w, "tcp dport " SUBMISSION " goto submit_%c", w->letter);
        if (t->teredo)
                nft_rule(w, "meta l4proto udp goto udp_%c", w->letter);
        if (six)
                nft_rule(w, "meta l4proto 41 goto six_%c", w->letter);
        nft_rule(w, "meta l4proto != { 6, 255 } accept"); /* all whose headers can be followed to the end */
        nft_rule(w, HEADLESS " goto port25_%c", w->letter);
        nft_end(w);
}

static void write_submit(struct writer *w)
{
        nft_chain(w, "submit");
        nft_rule(w, "tcp dport != { 465, 587 } accept");
        nft_rule(w, "jump bans_%c", w->letter);
        nft_each_length_goto(w, &nft_going, KIND_SUBMISSION, "quarantine_submission");
        nft_end(w);
}

/* What the marks mean where an address or port has to be rewritten: the only chain that turns connection tracking on. */
static void write_nat(struct writer *w)
{
        const struct policy_gate *g = &w->plan->policy->gate;
        char text[ADDR_TEXT_MAX];
        if (!nft_needs_nat(w->plan))
                return;
        nft_chain(w, "nat");
        if (w->plan->used[STRATEGY_SHIFT])
                nft_rule(w, "meta mark & 0x%08x == 0x%08x tcp dport 25 dnat to :587", g->mask, mark_shift(g));
        for (int trap = 0; g->edge == EDGE_DNAT && trap < 2; trap++) {
                unsigned port = trap ? g->trap_port : g->edge_port;
                uint32_t mark = trap ? mark_trap(g) : mark_edge(g);
                if (g->has_edge4)
                        nft_rule(w, "meta nfproto ipv4 meta mark & 0x%08x == 0x%08x tcp dport 25 dnat ip to %s:%u",
                                 g->mask, mark, addr_print(&g->edge4, text), port);
                if (g->has_edge6)
                        nft_rule(w, "meta nfproto ipv6 meta mark & 0x%08x == 0x%08x tcp dport 25 dnat ip6 to [%s]:%u",
                                 g->mask, mark, addr_print(&g->edge6, text), port);
        }
        nft_end(w);
}

static void write_chains(struct writer *w)
{
        nft_write_outcomes(w);
        write_banned(w);
        write_bans(w);
        nft_write_servers(w);
        write_side(w, &nft_going);
        write_side(w, &nft_coming);
        nft_write_tunnels(w);
        if (w->captive)
                write_captive(w);
        write_submit(w);
        write_entry(w);
        write_nat(w);
}

static struct writer writer_of(const struct nft_slot *slot, struct buf *out)
{
        return (struct writer){
                .out = out, .plan = slot->plan, .crowd = slot->crowd, .letter = slot->letter, .captive = slot->captive
        };
}

/* --- whole texts --------------------------------------------------------------------------------------------------------------- */

uint64_t nft_hash(const struct plan *p)
{
        static const uint8_t key[16] = "porteiro plan v1";
        struct nft_slot slot = { .plan = p, .letter = 'x' };
        autobuf text;
        buf_init(&text, NFT_TEXT_MOST);
        struct writer w = writer_of(&slot, &text);
        nft_write_sets(&w);
        write_chains(&w);
        return hash_with_key(key, buf_slice(&text));
}

/* In the set's own definition, not by `add element`: for that nft would first read back every wide map there is. */
static void write_trial(const struct nft_slot *slot, struct buf *out)
{
        long long seconds = (long long)((slot->trial_left + SECOND - 1) / SECOND);
        if (slot->trial_left <= 0)
                return;
        buf_addf(out, "        set trial_%c {\n                typeof meta nfproto\n                flags timeout\n",
                 slot->letter);
        buf_addf(out, "                elements = { ipv4 timeout %llds, ipv6 timeout %llds }\n        }\n", seconds,
                 seconds);
}

void nft_table(const struct nft_slot *slot, struct buf *out)
{
        struct writer w = writer_of(slot, out);
        buf_adds(out, "table " TABLE " {\n");
        write_trial(slot, out);
        nft_write_sets(&w);
        write_chains(&w);
        buf_adds(out, "        chain ");
        nft_marker(slot, out);
        buf_adds(out, " {\n        }\n");
        buf_addf(out,
                 "        chain door {\n                type filter hook prerouting priority %d; policy accept;\n      "
                 "  }\n",
                 DOOR_PRIORITY);
        if (nft_needs_nat(slot->plan))
                buf_adds(out, "        chain nat {\n                type nat hook prerouting priority -100; policy "
                              "accept;\n        }\n");
        buf_adds(out, "}\n");
}

void nft_switch(const struct nft_slot *slot, const struct nft_slot *trial, struct buf *out)
{
        bool nat = slot && nft_needs_nat(slot->plan), trial_nat = trial && nft_needs_nat(trial->plan);
        buf_adds(out, "flush chain " TABLE " door\n");
        if (trial)
                buf_addf(out, "add rule " TABLE " door meta nfproto @trial_%c goto entry_%c\n", trial->letter,
                         trial->letter);
        if (slot)
                buf_addf(out, "add rule " TABLE " door goto entry_%c\n", slot->letter);
        if (!nat && !trial_nat)
                return;
        buf_adds(out, "flush chain " TABLE " nat\n");
        if (trial && trial_nat)
                buf_addf(out, "add rule " TABLE " nat meta nfproto @trial_%c goto nat_%c\n", trial->letter,
                         trial->letter);
        else if (trial)
                buf_addf(out, "add rule " TABLE " nat meta nfproto @trial_%c accept\n", trial->letter);
        if (nat)
                buf_addf(out, "add rule " TABLE " nat goto nat_%c\n", slot->letter);
}

void nft_captive_begin(const struct nft_slot *slot, struct buf *out)
{
        struct writer w = writer_of(slot, out);
        w.captive = true;
        buf_addf(out, "flush chain " TABLE " entry_%c\ntable " TABLE " {\n", slot->letter);
        nft_write_captive_sets(&w);
        write_captive(&w);
        write_entry(&w);
        buf_adds(out, "}\n");
}

void nft_captive_end(const struct nft_slot *slot, struct buf *out)
{
        struct writer w = writer_of(slot, out);
        struct nft_length all[FAMILIES * (GATE_LENGTHS + 1)];
        size_t n = nft_lengths_of(slot->plan, all);
        w.captive = false;
        buf_addf(out, "flush chain " TABLE " entry_%c\ntable " TABLE " {\n", slot->letter);
        write_entry(&w);
        buf_addf(out, "}\nflush chain " TABLE " captive_%c\nflush chain " TABLE " captive_refuse_%c\n", slot->letter,
                 slot->letter);
        buf_addf(out, "delete chain " TABLE " captive_%c\ndelete chain " TABLE " captive_refuse_%c\n", slot->letter,
                 slot->letter);
        for (size_t i = 0; i < n; i++)
                buf_addf(out, "delete set " TABLE " captive%c_%s_%c\n", family_digit(all[i].family), all[i].text,
                         slot->letter);
}
