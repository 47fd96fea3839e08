/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/check.h"

static const struct place nowhere = { 0 };

static bool place_before(struct place a, struct place b)
{
        if (a.source != b.source)
                return a.source < b.source;
        return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* ---- overlaps ---- */

struct overlaps {
        const struct policy *p;
        struct diags *d;
        void (*found)(const struct overlaps *o, const struct policy_prefix *later, const struct policy_prefix *earlier);
        const char *what; /* of a cgnat: inside or outside */
};

/* Prefixes nest or are apart. So in the order of prefix_cmp() one overlaps another exactly if it lies in one of those
 * that are open at its place, and the innermost of these is enough to know. `v` is sorted. */
static void find_overlaps(const struct overlaps *o, const struct policy_prefix *v, size_t n)
{
        const struct policy_prefix *open[130]; /* one for each length, since those that overlap are not opened twice */
        size_t depth = 0;
        for (size_t i = 0; i < n; i++) {
                while (depth && !prefix_covers(&open[depth - 1]->prefix, &v[i].prefix))
                        depth--;
                if (depth) {
                        bool later = place_before(open[depth - 1]->place, v[i].place);
                        o->found(o, later ? &v[i] : open[depth - 1], later ? open[depth - 1] : &v[i]);
                        if (open[depth - 1]->prefix.len == v[i].prefix.len)
                                depth--;
                }
                open[depth++] = &v[i];
        }
}

static void pools_overlap(const struct overlaps *o, const struct policy_prefix *later,
                          const struct policy_prefix *earlier)
{
        char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];
        const struct policy_pool *pool = &o->p->pools[later->pool], *other = &o->p->pools[earlier->pool];
        if (pool == other)
                diag_error(o->d, later->place, "prefix %s overlaps %s of the same pool",
                           prefix_print(&later->prefix, a), prefix_print(&earlier->prefix, b));
        else
                diag_error(o->d, later->place, "prefix %s of pool \"%.*s\" overlaps %s of pool \"%.*s\"",
                           prefix_print(&later->prefix, a), SLICE_ARGS(pool->name), prefix_print(&earlier->prefix, b),
                           SLICE_ARGS(other->name));
        diag_note(o->d, earlier->place, "declared here");
}

static void version_overlaps(const struct overlaps *o, const struct policy_prefix *later,
                             const struct policy_prefix *earlier)
{
        char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];
        diag_error(o->d, later->place, "%s %s overlaps %s of the same cgnat", o->what, prefix_print(&later->prefix, a),
                   prefix_print(&earlier->prefix, b));
        diag_note(o->d, earlier->place, "declared here");
}

static void realms_overlap(const struct overlaps *o, const struct policy_prefix *later,
                           const struct policy_prefix *earlier)
{
        char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];
        const struct policy_cgnat *one = &o->p->cgnats[later->pool], *other = &o->p->cgnats[earlier->pool];
        if (slice_eq(one->name, other->name))
                return;
        diag_error(o->d, later->place, "%s %s of cgnat \"%.*s\" overlaps %s of cgnat \"%.*s\"", o->what,
                   prefix_print(&later->prefix, a), SLICE_ARGS(one->name), prefix_print(&earlier->prefix, b),
                   SLICE_ARGS(other->name));
        diag_note(o->d, earlier->place, "declared here");
}

static int by_address(const void *a, const void *b)
{
        const struct policy_prefix *x = a, *y = b;
        return prefix_cmp(&x->prefix, &y->prefix);
}

static const struct prefixes *side_of(const struct draft_cgnat *c, bool outside)
{
        return outside ? &c->outside : &c->inside;
}

/* Versions of one name may overlap: each version is looked at alone, then each name against the others. */
static void check_realms(const struct policy *p, const struct draft *draft, bool outside, struct diags *d)
{
        struct overlaps o = { .p = p, .d = d, .found = version_overlaps, .what = outside ? "outside" : "inside" };
        const struct draft_cgnat *from = draft->cgnat.v;
        size_t n = 0, at = 0;
        for (size_t i = 0; i < draft->cgnat.n; i++)
                n += side_of(&from[i], outside)->n;
        autofree struct policy_prefix *all = xcalloc(n, sizeof *all);
        for (size_t i = 0; i < draft->cgnat.n; i++) {
                const struct prefixes *list = side_of(&from[i], outside);
                for (size_t k = 0; k < list->n; k++) {
                        all[at + k] = list->v[k];
                        all[at + k].pool = (uint32_t)i;
                }
                qsort(all + at, list->n, sizeof *all, by_address);
                find_overlaps(&o, all + at, list->n);
                at += list->n;
        }
        qsort(all, n, sizeof *all, by_address);
        o.found = realms_overlap;
        find_overlaps(&o, all, n);
}

/* ---- promises ---- */

static void check_promises(const struct policy *p, struct diags *d)
{
        for (const struct policy_class *c = p->classes; c != p->classes + p->n_classes; c++)
                if (c->told_first && strategy_restricts(c->port25)) {
                        diag_error(d, c->port25_place, "%s breaks the promise of class \"%.*s\"",
                                   strategy_name(c->port25), SLICE_ARGS(c->name));
                        diag_note(d, c->promise_place, "promised here");
                }
        for (const struct policy_pool *o = p->pools; o != p->pools + p->n_pools; o++) {
                const struct policy_class *c = o->class < p->n_classes ? &p->classes[o->class] : NULL;
                if (c && c->told_first && strategy_restricts(o->port25)) {
                        diag_error(d, o->port25_place, "%s in pool \"%.*s\" breaks the promise of its class \"%.*s\"",
                                   strategy_name(o->port25), SLICE_ARGS(o->name), SLICE_ARGS(c->name));
                        diag_note(d, c->promise_place, "promised here");
                }
        }
}

/* ---- connection tracking ---- */

static void note_first(enum strategy s, struct place place, struct place *first)
{
        if (s == STRATEGY_SHIFT && place.line && (!first->line || place_before(place, *first)))
                *first = place;
}

static void check_tracking(const struct policy *p, struct diags *d)
{
        struct place first = nowhere;
        for (size_t i = 0; i < p->n_servers; i++)
                note_first(p->servers[i].customers, p->servers[i].customers_place, &first);
        for (size_t i = 0; i < p->n_classes; i++)
                note_first(p->classes[i].port25, p->classes[i].port25_place, &first);
        for (size_t i = 0; i < p->n_pools; i++)
                note_first(p->pools[i].port25, p->pools[i].port25_place, &first);
        for (size_t i = 0; i < p->n_waves; i++)
                note_first(p->waves[i].port25, p->waves[i].port25_place, &first);
        bool dnat = p->gate.edge == EDGE_DNAT;
        if (dnat && (!first.line || place_before(p->gate.edge_place, first)))
                first = p->gate.edge_place;
        if (!first.line)
                return;
        diag_warning(d, first, "%s turns connection tracking on for every flow of this router",
                     dnat && !place_before(first, p->gate.edge_place) ? "edge dnat" : "shift");
        diag_note(d, nowhere, "a full table of connections drops everybody: give net.netfilter.nf_conntrack_max room");
}

/* ---- servers and the edge ---- */

static int by_host(const void *a, const void *b)
{
        const struct policy_prefix *x = a, *y = b;
        int order = prefix_cmp(&x->prefix, &y->prefix);
        return order ? order : place_before(y->place, x->place) - place_before(x->place, y->place);
}

static void check_server_addresses(const struct policy *p, struct diags *d)
{
        size_t n = 0, at = 0;
        char text[PREFIX_TEXT_MAX];
        for (size_t i = 0; i < p->n_servers; i++)
                n += p->servers[i].n_addresses;
        autofree struct policy_prefix *all = xcalloc(n, sizeof *all);
        for (size_t i = 0; i < p->n_servers; i++)
                for (size_t k = 0; k < p->servers[i].n_addresses; k++)
                        all[at++] = (struct policy_prefix){ .prefix = p->servers[i].addresses[k],
                                                            .place = p->servers[i].address_places[k],
                                                            .pool = (uint32_t)i };
        qsort(all, n, sizeof *all, by_host);
        for (size_t i = 1; i < n; i++)
                if (prefix_cmp(&all[i - 1].prefix, &all[i].prefix) == 0) {
                        diag_error(d, all[i].place, "address %s is declared twice", prefix_print(&all[i].prefix, text));
                        diag_note(d, all[i - 1].place, "the first is here, in server \"%.*s\"",
                                  SLICE_ARGS(p->servers[all[i - 1].pool].name));
                }
}

static void check_servers_apart(const struct policy *p, struct diags *d)
{
        char text[PREFIX_TEXT_MAX];
        for (const struct policy_server *s = p->servers; s != p->servers + p->n_servers; s++)
                for (size_t k = 0; k < s->n_addresses && s->customers != STRATEGY_OPEN; k++) {
                        const struct policy_prefix *in = policy_find_prefix(p, &s->addresses[k].addr);
                        if (!in)
                                continue;
                        diag_warning(d, s->address_places[k],
                                     "server \"%.*s\" stands among the customers of pool \"%.*s\"", SLICE_ARGS(s->name),
                                     SLICE_ARGS(p->pools[in->pool].name));
                        diag_note(d, in->place, "%s is declared here", prefix_print(&in->prefix, text));
                        diag_note(d, nowhere,
                                  "connections between it and them do not pass the router, so \"customers %s\" cannot "
                                  "hold there",
                                  strategy_name(s->customers));
                }
}

/* In one subnet the server answers the customer directly, from an address he never called. */
static void check_hairpin(const struct policy *p, const struct addr *edge, struct place place, struct diags *d)
{
        char a[ADDR_TEXT_MAX], text[PREFIX_TEXT_MAX];
        const struct policy_prefix *in = policy_find_prefix(p, edge);
        if (!in)
                return;
        diag_error(d, place, "edge dnat cannot work: %s is in the same subnet as customers of pool \"%.*s\"",
                   addr_print(edge, a), SLICE_ARGS(p->pools[in->pool].name));
        diag_note(d, in->place, "%s is declared here", prefix_print(&in->prefix, text));
        diag_note(d, nowhere,
                  "the server would answer the customer directly (hairpin), from an address he never called: "
                  "use edge local or edge route");
}

/* Which families customers use; behind an interface alone it may be both. */
static void families_of(const struct policy *p, bool *v4, bool *v6)
{
        *v4 = *v6 = p->n_prefixes == 0;
        for (size_t i = 0; i < p->n_prefixes; i++)
                *(prefix_is_v4(&p->prefixes[i].prefix) ? v4 : v6) = true;
}

static void check_edge(const struct policy *p, struct diags *d)
{
        const struct policy_gate *g = &p->gate;
        bool v4, v6;
        if (g->edge == EDGE_LOCAL)
                return;
        const char *way = g->edge == EDGE_DNAT ? "dnat" : "route";
        families_of(p, &v4, &v6);
        if ((v4 && !g->has_edge4 && g->has_edge6) || (v6 && !g->has_edge6 && g->has_edge4)) {
                diag_warning(d, g->edge_place, "edge %s has no IPv%d address, and pools do", way, g->has_edge4 ? 6 : 4);
                diag_note(d, nowhere, "there if-edge-down decides: %s", g->open_if_edge_down ? "open" : "reset");
        }
        if (g->edge != EDGE_DNAT)
                return;
        diag_warning(d, g->edge_place,
                     "with dnat the edge cannot know where its visitors wanted to go, and logs it so");
        if (g->has_edge4)
                check_hairpin(p, &g->edge4, g->edge4_place, d);
        if (g->has_edge6)
                check_hairpin(p, &g->edge6, g->edge6_place, d);
}

/* ---- interfaces ---- */

static int by_interface(const void *a, const void *b)
{
        const struct policy_pool *x = *(struct policy_pool *const *)a, *y = *(struct policy_pool *const *)b;
        int order = slice_cmp(x->interface, y->interface);
        return order ? order : (x > y) - (x < y);
}

static void check_interfaces(const struct policy *p, struct diags *d)
{
        autofree struct policy_pool **v = xcalloc(p->n_pools, sizeof *v);
        for (size_t i = 0; i < p->n_pools; i++)
                v[i] = &p->pools[i];
        qsort(v, p->n_pools, sizeof *v, by_interface);
        for (size_t i = 1; i < p->n_pools; i++)
                if (v[i]->interface.n && slice_eq(v[i - 1]->interface, v[i]->interface)) {
                        diag_error(d, v[i]->interface_place, "interface %.*s has two pools",
                                   SLICE_ARGS(v[i]->interface));
                        diag_note(d, v[i - 1]->interface_place, "the other is pool \"%.*s\"",
                                  SLICE_ARGS(v[i - 1]->name));
                }
}

/* ---- feeds ---- */

static int by_file(const void *a, const void *b)
{
        const struct policy_feed *x = *(struct policy_feed *const *)a, *y = *(struct policy_feed *const *)b;
        int order = slice_cmp(x->file, y->file);
        return order ? order : (x > y) - (x < y);
}

static int by_socket(const void *a, const void *b)
{
        const struct policy_feed *x = *(struct policy_feed *const *)a, *y = *(struct policy_feed *const *)b;
        int order = addr_cmp(&x->listen, &y->listen);
        order = order ? order : (x->port > y->port) - (x->port < y->port);
        return order ? order : (x > y) - (x < y);
}

static void same_nas(const struct overlaps *o, const struct policy_prefix *later, const struct policy_prefix *earlier)
{
        char a[PREFIX_TEXT_MAX];
        const struct policy_feed *feed = &o->p->feeds[later->pool], *other = &o->p->feeds[earlier->pool];
        if (feed == other)
                return;
        diag_error(o->d, later->place, "nas %s of feed \"%.*s\" is of feed \"%.*s\" at the same address and port, too",
                   prefix_print(&later->prefix, a), SLICE_ARGS(feed->name), SLICE_ARGS(other->name));
        diag_note(o->d, earlier->place, "declared here");
}

/* The feeds that share one socket: a packet must be of one of them. */
static void check_socket(const struct overlaps *o, struct policy_feed *const *feeds, size_t n)
{
        size_t all = 0, k = 0;
        for (size_t i = 0; i < n; i++)
                all += feeds[i]->n_nas;
        autofree struct policy_prefix *v = xcalloc(all, sizeof *v);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < feeds[i]->n_nas; j++)
                        v[k++] = (struct policy_prefix){ .prefix = feeds[i]->nas[j],
                                                         .pool = (uint32_t)(feeds[i] - o->p->feeds),
                                                         .place = feeds[i]->nas_place };
        qsort(v, k, sizeof *v, by_address);
        find_overlaps(o, v, k);
}

static void check_feeds(const struct policy *p, struct diags *d)
{
        const struct overlaps o = { .p = p, .d = d, .found = same_nas };
        autofree struct policy_feed **v = xcalloc(p->n_feeds, sizeof *v);
        size_t files = 0, n = 0, begin = 0;
        for (size_t i = 0; i < p->n_feeds; i++)
                if (p->feeds[i].file.n)
                        v[files++] = &p->feeds[i];
        qsort(v, files, sizeof *v, by_file);
        for (size_t i = 1; i < files; i++)
                if (slice_eq(v[i - 1]->file, v[i]->file)) {
                        diag_error(d, v[i]->file_place, "feeds \"%.*s\" and \"%.*s\" follow the same file",
                                   SLICE_ARGS(v[i]->name), SLICE_ARGS(v[i - 1]->name));
                        diag_note(d, v[i - 1]->file_place, "the other is here");
                }
        for (size_t i = 0; i < p->n_feeds; i++)
                if (p->feeds[i].radius && p->feeds[i].port)
                        v[n++] = &p->feeds[i];
        qsort(v, n, sizeof *v, by_socket);
        for (size_t i = 1; i <= n; i++)
                if (i == n || addr_cmp(&v[i]->listen, &v[begin]->listen) != 0 || v[i]->port != v[begin]->port) {
                        check_socket(&o, v + begin, i - begin);
                        begin = i;
                }
}

void policy_check_conflicts(const struct draft *draft, const struct policy *p, struct diags *d)
{
        const struct overlaps pools = { .p = p, .d = d, .found = pools_overlap };
        find_overlaps(&pools, p->prefixes, p->n_prefixes);
        check_realms(p, draft, false, d);
        check_realms(p, draft, true, d);
        check_interfaces(p, d);
        check_promises(p, d);
        check_tracking(p, d);
        check_server_addresses(p, d);
        check_servers_apart(p, d);
        check_edge(p, d);
        check_feeds(p, d);
        policy_check_waves(draft, p, d);
}
