/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/check.h"
#include "policy/options.h"
#include "policy/values.h"

static const struct place nowhere = { 0 };

struct builder {
        const struct draft *draft;
        struct diags *d;
        struct policy *p;
};

static void *alloc(const struct builder *b, size_t n, size_t size)
{
        void *p = arena_alloc(b->p->arena, (n ? n : 1) * size);
        if (!p)
                panic("the arena of a policy is full");
        return p;
}

static struct slice keep(const struct builder *b, struct slice s)
{
        return arena_dup(b->p->arena, s);
}

/* ---- values ---- */

static int64_t time_of(const struct builder *b, const struct word *w, enum time_edge edge)
{
        int64_t at = 0;
        enum time_error e = w->text.n ? time_parse(w->text, edge, &at) : TIME_OK;
        if (e == TIME_BAD_FORM) {
                diag_error(b->d, w->place, "\"%.*s\" is not a date", SLICE_ARGS(w->text));
                diag_note(b->d, nowhere,
                          "dates look like 2026-12-01, \"2026-12-01 14:30\" or 2026-12-01T14:30:00-03:00");
        } else if (e == TIME_NO_SUCH_DAY)
                diag_error(b->d, w->place, "%.*s does not exist in the zone of the network", SLICE_ARGS(w->text));
        return at;
}

static struct prefix *prefixes_of(const struct builder *b, const struct prefixes *list, size_t *n)
{
        struct prefix *v = alloc(b, list->n, sizeof *v);
        for (size_t i = 0; i < list->n; i++)
                v[i] = list->v[i].prefix;
        *n = list->n;
        return v;
}

static struct slice *slices_of(const struct builder *b, const struct words *list, size_t *n)
{
        struct slice *v = alloc(b, list->n, sizeof *v);
        for (size_t i = 0; i < list->n; i++)
                v[i] = keep(b, list->v[i].text);
        *n = list->n;
        return v;
}

static enum strategy strategy_written(const struct number *n)
{
        return n->place.line ? (enum strategy)n->value : STRATEGY_NONE;
}

/* ---- names ---- */

/* Puts the object, which begins with its place, under its name; says both places where the name is taken. */
static void claim_name(struct diags *d, const char *kind, struct slice name, struct place *object, struct map *names)
{
        if (name.n == 0)
                return;
        const struct place *before = map_find(names, name);
        if (!before) {
                map_put(names, name, object);
                return;
        }
        diag_error(d, *object, "%s \"%.*s\" is declared twice", kind, SLICE_ARGS(name));
        diag_note(d, *before, "the first is here");
}

/* The index of the object of that name; n where there is none, which is said. */
static size_t look_up(const struct builder *b, const char *kind, const struct word *w, const struct map *names,
                      const char *first, size_t size, size_t n)
{
        const char *found = map_find(names, w->text);
        if (found)
                return (size_t)(found - first) / size;
        if (w->text.n == 0)
                return n;
        diag_error(b->d, w->place, "no %s \"%.*s\" is declared", kind, SLICE_ARGS(w->text));
        autofree struct slice *candidates = xcalloc(n, sizeof *candidates);
        size_t i = 0, k = 0;
        for (const struct map_entry *e; k < n && (e = map_next(names, &i));)
                candidates[k++] = e->key;
        value_suggest(b->d, w->text, candidates, k);
        return n;
}

static size_t class_of(const struct builder *b, const struct word *w)
{
        return look_up(b, "class", w, &b->p->class_names, (const char *)b->p->classes, sizeof *b->p->classes,
                       b->p->n_classes);
}

static size_t pool_of(const struct builder *b, const struct word *w)
{
        return look_up(b, "pool", w, &b->p->pool_names, (const char *)b->p->pools, sizeof *b->p->pools, b->p->n_pools);
}

static size_t *indexes_of(const struct builder *b, const struct words *list, size_t *n,
                          size_t (*find)(const struct builder *, const struct word *))
{
        size_t *v = alloc(b, list->n, sizeof *v);
        for (size_t i = 0; i < list->n; i++)
                v[i] = find(b, &list->v[i]);
        *n = list->n;
        return v;
}

/* ---- kinds ---- */

static void build_network(struct builder *b)
{
        const struct draft_network *n = b->draft->network.v;
        if (!n->head.place.line) {
                if (!b->draft->unknown_blocks)
                        diag_error(b->d, nowhere,
                                   "no network is declared: network \"NAME\" { timezone ZONE } is required");
                return;
        }
        if (n->timezone.text.n && !time_set_zone(n->timezone.text)) {
                diag_error(b->d, n->timezone.place, "time zone \"%.*s\" is not known to this machine",
                           SLICE_ARGS(n->timezone.text));
                diag_note(b->d, nowhere, "zones look like America/Sao_Paulo; Debian has them in the package tzdata");
        }
        b->p->network = (struct policy_network){ .place = n->head.place,
                                                 .name = keep(b, n->head.name),
                                                 .domain = keep(b, n->domain.text),
                                                 .timezone = keep(b, n->timezone.text),
                                                 .language = n->language.value == LANGUAGE_EN ? S("en") : S("pt-BR"),
                                                 .abuse = keep(b, n->abuse.text) };
}

static void build_servers(struct builder *b)
{
        automap names = { 0 };
        struct policy *p = b->p;
        struct policy_server *to = p->servers = alloc(b, b->draft->server.n, sizeof *to);
        for (EACH(server, s, &b->draft->server)) {
                *to = (struct policy_server){ .place = s->head.place,
                                              .name = keep(b, s->head.name),
                                              .host_name = keep(b, s->host_name.text),
                                              .customers = (enum strategy)s->customers.value,
                                              .customers_place = s->customers.place };
                claim_name(b->d, "server", to->name, &to->place, &names);
                to->addresses = prefixes_of(b, &s->address, &to->n_addresses);
                to->address_places = alloc(b, s->address.n, sizeof *to->address_places);
                for (size_t i = 0; i < s->address.n; i++)
                        to->address_places[i] = s->address.v[i].place;
                to++;
        }
        p->n_servers = b->draft->server.n;
}

static void take_limits(const struct number *from, struct mail_limits *to, struct place *places)
{
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                to->v[i] = from[i].value;
                places[i] = from[i].place;
        }
}

static void build_mail(struct builder *b)
{
        const struct draft_mail *m = b->draft->mail.v;
        b->p->mail = (struct policy_mail){ .place = m->head.place, .reuse_after = m->reuse_after.value };
        take_limits(m->limits, &b->p->mail.limits, b->p->mail.limit_places);
}

static void build_sending(struct builder *b)
{
        const struct draft_sending *d = b->draft->sending.v;
        b->p->sending.place = d->head.place;
        for (size_t whose = 0; whose < SENDING_WHOSE; whose++)
                for (size_t i = 0; i < SENDING_LIMITS; i++)
                        b->p->sending.v[whose][i] = LIMIT_NONE;
        const struct option *options = policy_block(S("sending"))->options;
        for (size_t n = policy_block(S("sending"))->n_options; n-- > 0;) {
                const struct number *value = (const struct number *)((const char *)d + options[n].offset);
                size_t at = (options[n].offset - offsetof(struct draft_sending, v)) / sizeof(struct number);
                b->p->sending.v[at / SENDING_LIMITS][at % SENDING_LIMITS] = value->value;
        }
}

static void build_classes(struct builder *b)
{
        struct policy *p = b->p;
        struct policy_class *to = p->classes = alloc(b, b->draft->class.n, sizeof *to);
        for (EACH(class, c, &b->draft->class)) {
                *to = (struct policy_class){ .place = c->head.place,
                                             .port25_place = c->port25.place,
                                             .promise_place = c->promise.place,
                                             .name = keep(b, c->head.name),
                                             .port25 = (enum strategy)c->port25.value,
                                             .told_first = c->promise.place.line && c->promise.value == 0 };
                take_limits(c->limits, &to->limits, to->limit_places);
                for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                        if (!c->limits[i].place.line)
                                to->limits.v[i] = LIMIT_INHERIT;
                claim_name(b->d, "class", to->name, &to->place, &p->class_names);
                to++;
        }
        p->n_classes = b->draft->class.n;
}

static size_t count_prefixes(const struct draft *draft)
{
        size_t n = 0;
        for (EACH(pool, o, &draft->pool))
                n += o->prefix.n;
        return n;
}

static void add_pool_prefixes(struct builder *b, const struct draft_pool *from, uint32_t pool)
{
        for (size_t i = 0; i < from->prefix.n; i++) {
                struct policy_prefix *to = &b->p->prefixes[b->p->n_prefixes++];
                *to = from->prefix.v[i];
                to->pool = pool;
                if (prefix_is_v4(&to->prefix))
                        to->delegated = 128;
                else if (to->delegated == 0)
                        to->delegated = to->prefix.len > 64 ? 128 : 64;
        }
}

static int by_address(const void *a, const void *b)
{
        const struct policy_prefix *x = a, *y = b;
        return prefix_cmp(&x->prefix, &y->prefix);
}

static void build_pools(struct builder *b)
{
        struct policy *p = b->p;
        struct policy_pool *to = p->pools = alloc(b, b->draft->pool.n, sizeof *to);
        p->prefixes = alloc(b, count_prefixes(b->draft), sizeof *p->prefixes);
        for (EACH(pool, o, &b->draft->pool)) {
                *to = (struct policy_pool){ .place = o->head.place,
                                            .port25_place = o->port25.place,
                                            .name = keep(b, o->head.name),
                                            .class = class_of(b, &o->class),
                                            .interface = keep(b, o->interface.text),
                                            .interface_place = o->interface.place,
                                            .port25 = strategy_written(&o->port25) };
                claim_name(b->d, "pool", to->name, &to->place, &p->pool_names);
                if (!o->prefix.place.line && !o->interface.place.line && !o->head.broken)
                        diag_error(b->d, o->head.place, "pool \"%.*s\" needs a prefix or an interface",
                                   SLICE_ARGS(o->head.name));
                add_pool_prefixes(b, o, (uint32_t)(to - p->pools));
                to++;
        }
        p->n_pools = b->draft->pool.n;
        qsort(p->prefixes, p->n_prefixes, sizeof *p->prefixes, by_address);
        if (p->n_pools == 0 && !b->draft->unknown_blocks)
                diag_error(b->d, nowhere, "no pool is declared: there is nobody to decide for");
}

static bool same_version(const struct policy_cgnat *a, const struct policy_cgnat *b)
{
        return a->name.n && a->from == b->from && slice_eq(a->name, b->name);
}

static int by_name_and_from(const void *a, const void *b)
{
        const struct policy_cgnat *x = *(struct policy_cgnat *const *)a, *y = *(struct policy_cgnat *const *)b;
        int order = slice_cmp(x->name, y->name);
        if (order == 0)
                order = (x->from > y->from) - (x->from < y->from);
        return order ? order : (x > y) - (x < y);
}

static void check_versions(const struct builder *b)
{
        struct policy *p = b->p;
        autofree struct policy_cgnat **v = xcalloc(p->n_cgnats, sizeof *v);
        for (size_t i = 0; i < p->n_cgnats; i++)
                v[i] = &p->cgnats[i];
        qsort(v, p->n_cgnats, sizeof *v, by_name_and_from);
        for (size_t i = 1; i < p->n_cgnats; i++)
                if (same_version(v[i - 1], v[i])) {
                        diag_error(b->d, v[i]->place, "cgnat \"%.*s\" has two versions from the same time",
                                   SLICE_ARGS(v[i]->name));
                        diag_note(b->d, v[i - 1]->place, "the other is here");
                }
}

/* How many addresses; more than any network has stands for all numbers above it. */
static uint64_t count_addresses(const struct prefix *v, size_t n)
{
        uint64_t total = 0;
        for (size_t i = 0; i < n; i++) {
                unsigned bits = 128u - v[i].len;
                if (bits > 47 || total >> 47)
                        return UINT64_C(1) << 47;
                total += UINT64_C(1) << bits;
        }
        return total;
}

static void check_room(struct builder *b, const struct draft_cgnat *c, const struct policy_cgnat *to)
{
        uint64_t inside = count_addresses(to->inside, to->n_inside);
        uint64_t outside = count_addresses(to->outside, to->n_outside);
        uint64_t blocks = (1u + to->port_high - to->port_low) / to->block;
        if (to->logged || c->inside.n == 0 || c->outside.n == 0 || inside <= outside * blocks)
                return;
        diag_warning(b->d, c->outside.place,
                     "only the first %llu inside addresses have ports: %llu outside, %llu block%s each",
                     (unsigned long long)(outside * blocks), (unsigned long long)outside, (unsigned long long)blocks,
                     blocks == 1 ? "" : "s");
        diag_note(b->d, c->inside.place, "inside are %s%llu", inside >> 47 ? "at least " : "",
                  (unsigned long long)inside);
        diag_note(b->d, nowhere, "where blocks are given out on demand: mapping logged");
}

static void build_cgnats(struct builder *b)
{
        struct policy *p = b->p;
        struct policy_cgnat *to = p->cgnats = alloc(b, b->draft->cgnat.n, sizeof *to);
        for (EACH(cgnat, c, &b->draft->cgnat)) {
                *to = (struct policy_cgnat){ .place = c->head.place,
                                             .name = keep(b, c->head.name),
                                             .from = time_of(b, &c->from, TIME_FIRST_INSTANT),
                                             .port_low = c->ports.low,
                                             .port_high = c->ports.high,
                                             .block = (uint32_t)c->block.value,
                                             .logged = c->mapping.value == MAPPING_LOGGED };
                to->inside = prefixes_of(b, &c->inside, &to->n_inside);
                to->outside = prefixes_of(b, &c->outside, &to->n_outside);
                if (!c->head.invalid && to->block > 1u + to->port_high - to->port_low)
                        diag_error(b->d, c->block.place.line ? c->block.place : c->ports.place,
                                   "a block of %u ports does not fit into ports %u-%u", to->block, to->port_low,
                                   to->port_high);
                else if (!c->head.invalid)
                        check_room(b, c, to);
                to++;
        }
        p->n_cgnats = b->draft->cgnat.n;
        check_versions(b);
}

/* What a socket has, a file has not, and the other way round. */
static void check_feed(const struct builder *b, const struct draft_feed *f)
{
        const struct {
                const char *name;
                const struct place *place;
                bool radius;
        } parts[] = { { "nas", &f->nas.place, true },
                      { "secret-file", &f->secret_file.place, true },
                      { "format", &f->format.place, false } };
        bool radius = f->radius.place.line, file = f->file.place.line;
        if (f->head.broken)
                return;
        if (radius == file) {
                diag_error(b->d, f->head.place,
                           radius ? "feed \"%.*s\" is either radius or file, not both"
                                  : "feed \"%.*s\" needs radius or file",
                           SLICE_ARGS(f->head.name));
                return;
        }
        for (size_t i = 0; i < COUNT_OF(parts); i++)
                if (parts[i].radius == radius && !parts[i].place->line)
                        diag_error(b->d, f->head.place, "feed \"%.*s\" needs %s", SLICE_ARGS(f->head.name),
                                   parts[i].name);
                else if (parts[i].radius != radius && parts[i].place->line)
                        diag_error(b->d, *parts[i].place, "%s goes with %s", parts[i].name, radius ? "file" : "radius");
}

static void build_feeds(struct builder *b)
{
        automap names = { 0 };
        struct policy *p = b->p;
        struct policy_feed *to = p->feeds = alloc(b, b->draft->feed.n, sizeof *to);
        for (EACH(feed, f, &b->draft->feed)) {
                *to = (struct policy_feed){ .place = f->head.place,
                                            .radius_place = f->radius.place,
                                            .nas_place = f->nas.place,
                                            .secret_place = f->secret_file.place,
                                            .file_place = f->file.place,
                                            .name = keep(b, f->head.name),
                                            .radius = f->radius.place.line,
                                            .listen = f->radius.addr,
                                            .port = f->radius.port,
                                            .secret_file = keep(b, f->secret_file.text),
                                            .file = keep(b, f->file.text),
                                            .format = (size_t)f->format.value,
                                            .line = (size_t)f->line.value,
                                            .realm = keep(b, f->realm.text),
                                            .tolerance = f->tolerance.value };
                to->nas = prefixes_of(b, &f->nas, &to->n_nas);
                claim_name(b->d, "feed", to->name, &to->place, &names);
                check_feed(b, f);
                to++;
        }
        p->n_feeds = b->draft->feed.n;
}

static void build_waves(struct builder *b)
{
        struct policy *p = b->p;
        struct policy_wave *to = p->waves = alloc(b, b->draft->wave.n, sizeof *to);
        for (EACH(wave, w, &b->draft->wave)) {
                *to = (struct policy_wave){ .place = w->head.place,
                                            .port25_place = w->port25.place,
                                            .name = keep(b, w->head.name),
                                            .from = time_of(b, &w->from, TIME_FIRST_INSTANT),
                                            .port25 = (enum strategy)w->port25.value };
                to->pools = indexes_of(b, &w->pool, &to->n_pools, pool_of);
                to->classes = indexes_of(b, &w->class, &to->n_classes, class_of);
                to->prefixes = prefixes_of(b, &w->prefix, &to->n_prefixes);
                claim_name(b->d, "wave", to->name, &to->place, &p->wave_names);
                to++;
        }
        p->n_waves = b->draft->wave.n;
}

static void build_exemptions(struct builder *b)
{
        automap names = { 0 };
        struct policy *p = b->p;
        struct policy_exemption *to = p->exemptions = alloc(b, b->draft->exempt.n, sizeof *to);
        for (EACH(exempt, e, &b->draft->exempt)) {
                *to = (struct policy_exemption){ .place = e->head.place,
                                                 .name = keep(b, e->head.name),
                                                 .owner = keep(b, e->owner.text),
                                                 .reason = keep(b, e->reason.text),
                                                 .until = time_of(b, &e->until, TIME_LAST_INSTANT) };
                claim_name(b->d, "exempt", to->name, &to->place, &names);
                to->subscribers = slices_of(b, &e->subscriber, &to->n_subscribers);
                to->prefixes = prefixes_of(b, &e->prefix, &to->n_prefixes);
                if (!e->subscriber.place.line && !e->prefix.place.line && !e->head.broken)
                        diag_error(b->d, e->head.place, "exempt \"%.*s\" needs a subscriber or a prefix",
                                   SLICE_ARGS(e->head.name));
                to++;
        }
        p->n_exemptions = b->draft->exempt.n;
}

static int by_bytes(const void *a, const void *b)
{
        return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void build_never_cut(struct builder *b)
{
        struct policy *p = b->p;
        size_t n = 0;
        for (EACH(never_cut, c, &b->draft->never_cut))
                n += c->subscriber.n;
        p->never_cut = alloc(b, n, sizeof *p->never_cut);
        for (EACH(never_cut, c, &b->draft->never_cut))
                for (size_t i = 0; i < c->subscriber.n; i++)
                        p->never_cut[p->n_never_cut++] = keep(b, c->subscriber.v[i].text);
        qsort(p->never_cut, n, sizeof *p->never_cut, by_bytes);
}

static void build_never_ban(struct builder *b)
{
        struct policy *p = b->p;
        struct policy_never_ban *to = p->never_bans = alloc(b, b->draft->never_ban.n, sizeof *to);
        for (EACH(never_ban, n, &b->draft->never_ban)) {
                to->place = n->head.place;
                to->prefixes = prefixes_of(b, &n->prefix, &to->n_prefixes);
                to++;
        }
        p->n_never_bans = b->draft->never_ban.n;
}

static void build_rules(struct builder *b)
{
        const struct draft_tunnels *t = b->draft->tunnels.v;
        const struct draft_suspicion *s = b->draft->suspicion.v;
        const struct draft_quarantine *q = b->draft->quarantine.v;
        const struct draft_keep *k = b->draft->keep.v;
        b->p->tunnels = (struct policy_tunnels){ .place = t->head.place,
                                                 .teredo = t->teredo.value == TUNNEL_BLOCK,
                                                 .six_to_four = t->six_to_four.value == TUNNEL_BLOCK,
                                                 .six_in_four = t->six_in_four.value == TUNNEL_BLOCK };
        b->p->suspicion = (struct policy_suspicion){ .place = s->head.place,
                                                     .half_life = s->half_life.value,
                                                     .points_trap = s->trap.value,
                                                     .points_divert = s->divert.value,
                                                     .points_complaint = s->complaint.value,
                                                     .points_syn = s->syn.value,
                                                     .points_other = s->other.value };
        b->p->keep = (struct policy_keep){ k->head.place, k->leases.value, k->sightings.value };
        b->p->quarantine = (struct policy_quarantine){ .place = q->head.place,
                                                       .by_rule = q->head.place.line != 0,
                                                       .after = q->after.value,
                                                       .level = (enum level)q->level.value,
                                                       .duration = q->duration.value,
                                                       .grace = q->grace.value };
        b->p->quarantine.reach = prefixes_of(b, &q->reach, &b->p->quarantine.n_reach);
}

static void build_gate(struct builder *b)
{
        const struct draft_gate *g = b->draft->gate.v;
        struct place place = g->head.place;
        b->p->gate = (struct policy_gate){ .place = place,
                                           .edge_place = g->edge.place,
                                           .mark = g->mark.value,
                                           .mask = g->mark.mask,
                                           .table = (uint32_t)g->table.value,
                                           .nflog_group = (uint16_t)g->nflog_group.value,
                                           .open_if_edge_down = g->if_edge_down.value == EDGE_DOWN_OPEN,
                                           .edge = g->edge.where,
                                           .edge4 = g->edge.v4,
                                           .edge6 = g->edge.v6,
                                           .edge4_place = g->edge.v4_place,
                                           .edge6_place = g->edge.v6_place,
                                           .has_edge4 = g->edge.has4,
                                           .has_edge6 = g->edge.has6,
                                           .edge_port = g->edge.port ? g->edge.port : (uint16_t)g->divert_port.value,
                                           .divert_port = (uint16_t)g->divert_port.value,
                                           .trap_port = (uint16_t)g->trap_port.value };
        if (g->table.value >= 253 && g->table.value <= 255)
                diag_error(b->d, g->table.place, "tables 253 to 255 belong to the system: default, main and local");
        if (!g->head.invalid && g->divert_port.value == g->trap_port.value) {
                diag_error(b->d, g->trap_port.place.line ? g->trap_port.place : g->divert_port.place,
                           "divert-port and trap-port are the same");
                if (g->trap_port.place.line && g->divert_port.place.line)
                        diag_note(b->d, g->divert_port.place, "divert-port");
        }
}

static void build_certificates(struct builder *b, const struct draft_edge *d, struct policy_edge *e)
{
        e->n_certificates = d->certificate.n;
        e->certificates = alloc(b, d->certificate.n, sizeof *e->certificates);
        for (size_t i = 0; i < d->certificate.n; i++) {
                const struct certificate *c = &d->certificate.v[i];
                e->certificates[i] = (struct policy_certificate){
                        .place = c->place, .name = keep(b, c->name), .chain = keep(b, c->chain), .key = keep(b, c->key)
                };
                for (size_t k = 0; k < i; k++)
                        if (slice_ieq(e->certificates[k].name, c->name)) {
                                diag_error(b->d, c->place, "a certificate of %.*s is written twice",
                                           SLICE_ARGS(c->name));
                                diag_note(b->d, e->certificates[k].place, "the first is here");
                        }
        }
}

static void build_mtas(struct builder *b, const struct next_hop *h, struct policy_edge *e)
{
        e->next_hop_place = h->place;
        e->maildir = keep(b, h->path);
        e->n_mtas = h->n;
        e->mtas = alloc(b, h->n, sizeof *e->mtas);
        for (size_t i = 0; i < h->n; i++) {
                e->mtas[i] = h->mta[i];
                e->mtas[i].path = keep(b, h->mta[i].path);
        }
}

static void build_edge(struct builder *b)
{
        const struct draft_edge *d = b->draft->edge.v;
        struct policy_edge *e = &b->p->edge;
        *e = (struct policy_edge){ .place = d->head.place,
                                   .written = d->head.place.line != 0,
                                   .n_ports = d->submission.n,
                                   .ports_place = d->submission.place,
                                   .name = keep(b, d->name.text),
                                   .help = keep(b, d->help.text),
                                   .identify = (enum edge_identify)d->identify.value,
                                   .next_hop_tls = (enum edge_tls)d->next_hop_tls.value,
                                   .size = d->size.value,
                                   .recipients = d->recipients.value,
                                   .connections = d->connections.value,
                                   .each = d->each.value,
                                   .trap_connections = d->trap_connections.value,
                                   .workers = d->workers.value,
                                   .plain_auth_until = time_of(b, &d->plain_auth_until, TIME_LAST_INSTANT),
                                   .ban_for = d->ban_for.value };
        memcpy(e->ports, d->submission.port, sizeof e->ports);
        e->listen = prefixes_of(b, &d->listen, &e->n_listen);
        build_certificates(b, d, e);
        build_mtas(b, &d->next_hop, e);
        if (e->name.n == 0)
                e->name = e->n_certificates ? e->certificates[0].name : b->p->network.domain;
        if (e->name.n == 0)
                e->name = S("localhost");
        if (e->written && e->n_ports && !e->n_certificates && !d->head.broken && !d->head.invalid) {
                diag_error(b->d, e->ports_place,
                           "submission needs a certificate: passwords are asked for under TLS only");
                diag_note(b->d, nowhere, "certificate NAME chain PATH key PATH");
        }
        if (e->written && e->size == LIMIT_NONE)
                diag_error(b->d, d->size.place, "a message has a largest size");
}

static void build_legacies(struct builder *b)
{
        automap names = { 0 };
        struct policy *p = b->p;
        struct policy_legacy *to = p->legacies = alloc(b, b->draft->legacy.n, sizeof *to);
        for (EACH(legacy, l, &b->draft->legacy)) {
                *to = (struct policy_legacy){ .place = l->head.place,
                                              .name = keep(b, l->head.name),
                                              .owner = keep(b, l->owner.text),
                                              .listen = l->listen.addr,
                                              .port = l->listen.port,
                                              .messages_day = l->messages_day.value,
                                              .until = time_of(b, &l->until, TIME_LAST_INSTANT) };
                to->from = prefixes_of(b, &l->from, &to->n_from);
                to->senders = slices_of(b, &l->sender, &to->n_senders);
                claim_name(b->d, "legacy", to->name, &to->place, &names);
                if (!p->edge.written)
                        diag_error(b->d, to->place, "legacy is a listener of the edge, and there is no edge block");
                to++;
        }
        p->n_legacies = b->draft->legacy.n;
}

static void build_mail_logs(struct builder *b)
{
        automap names = { 0 }, files = { 0 };
        struct policy *p = b->p;
        struct policy_mail_log *to = p->mail_logs = alloc(b, b->draft->mail_log.n, sizeof *to);
        for (EACH(mail_log, l, &b->draft->mail_log)) {
                *to = (struct policy_mail_log){ .place = l->head.place,
                                                .file_place = l->file.place,
                                                .name = keep(b, l->head.name),
                                                .file = keep(b, l->file.text),
                                                .zone = l->zone.text.n ? keep(b, l->zone.text) : p->network.timezone };
                claim_name(b->d, "mail-log", to->name, &to->place, &names);
                claim_name(b->d, "file of a mail-log", to->file, &to->file_place, &files);
                if (l->zone.text.n && !time_zone_known(l->zone.text))
                        diag_error(b->d, l->zone.place, "time zone \"%.*s\" is not known to this machine",
                                   SLICE_ARGS(l->zone.text));
                to++;
        }
        p->n_mail_logs = b->draft->mail_log.n;
}

static void build_mail_rules(struct builder *b)
{
        automap names = { 0 };
        struct policy *p = b->p;
        struct policy_mail_rule *to = p->mail_rules = alloc(b, b->draft->mail_rule.n, sizeof *to);
        for (EACH(mail_rule, r, &b->draft->mail_rule)) {
                *to = (struct policy_mail_rule){ .place = r->head.place,
                                                 .on_place = r->on.place,
                                                 .daemon_place = r->daemon.place,
                                                 .pattern_place = r->pattern.place,
                                                 .category_place = r->category.place,
                                                 .name = keep(b, r->head.name),
                                                 .pattern = keep(b, r->pattern.text),
                                                 .category = keep(b, r->category.text),
                                                 .field = slice_of(
                                                     policy_mail_fields()[r->field.value > 0 ? r->field.value : 0]) };
                to->on = slices_of(b, &r->on, &to->n_on);
                to->daemons = slices_of(b, &r->daemon, &to->n_daemons);
                claim_name(b->d, "mail-rule", to->name, &to->place, &names);
                to++;
        }
        p->n_mail_rules = b->draft->mail_rule.n;
}

/* Below zero: a word that was none, of which that is told already. */
static bool can_be_done(int64_t by, int64_t then)
{
        switch (then) {
        case MAIL_THEN_BAN:
                return by != MAIL_KEY_LOGIN && by != MAIL_KEY_SUBSCRIBER;
        case MAIL_THEN_SUSPEND:
        case MAIL_THEN_LIMIT:
                return by == MAIL_KEY_LOGIN || by < 0;
        case MAIL_THEN_SIGHTING:
                return by != MAIL_KEY_LOGIN && by != MAIL_KEY_NETWORK;
        default:
                return true;
        }
}

static void build_mail_limits(struct builder *b)
{
        automap names = { 0 };
        struct policy *p = b->p;
        struct policy_mail_limit *to = p->mail_limits = alloc(b, b->draft->mail_limit.n, sizeof *to);
        for (EACH(mail_limit, l, &b->draft->mail_limit)) {
                *to = (struct policy_mail_limit){ .place = l->head.place,
                                                  .count_place = l->count.place,
                                                  .name = keep(b, l->head.name),
                                                  .by = (enum mail_limit_key)l->by.value,
                                                  .after = l->after.value,
                                                  .over = l->over.value,
                                                  .then = (enum mail_limit_then)l->then.value,
                                                  .lasts = l->lasts.value,
                                                  .to = l->to.value,
                                                  .side = (enum mail_limit_side)l->side.value };
                to->count = slices_of(b, &l->count, &to->n_count);
                to->except = prefixes_of(b, &l->except, &to->n_except);
                claim_name(b->d, "mail-limit", to->name, &to->place, &names);
                if (!can_be_done(l->by.value, l->then.value)) {
                        diag_error(b->d, to->place, "%s is nothing that can be done by %s",
                                   mail_limit_then_name(to->then), mail_limit_key_name(to->by));
                        diag_note(b->d, nowhere,
                                  "ban goes by client or network, suspend and limit by login, sighting by client or "
                                  "subscriber");
                }
                to++;
        }
        p->n_mail_limits = b->draft->mail_limit.n;
}

static void build_maillog(struct builder *b)
{
        build_mail_logs(b);
        build_mail_rules(b);
        build_mail_limits(b);
}

void policy_build_mail(const struct draft *draft, struct diags *d, struct policy *p)
{
        build_maillog(&(struct builder){ .draft = draft, .d = d, .p = p });
}

void policy_build(const struct draft *draft, struct diags *d, struct policy *p)
{
        struct builder b = { .draft = draft, .d = d, .p = p };
        build_network(&b); /* first: dates are read in its zone */
        build_servers(&b);
        build_classes(&b);
        build_pools(&b);
        build_cgnats(&b);
        build_feeds(&b);
        build_waves(&b);
        build_exemptions(&b);
        build_never_cut(&b);
        build_never_ban(&b);
        build_rules(&b);
        build_mail(&b);
        build_sending(&b);
        build_gate(&b);
        build_edge(&b);
        build_legacies(&b);
        build_maillog(&b);
}
