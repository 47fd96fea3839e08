/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/sessions.h"

#include "base/map.h"

/* --- hashing ------------------------------------------------------------------------------------------------------------ */

enum { KEY_MOST = 3 * SESSION_TEXT_MOST + 64 };

static struct slice cut(struct slice s)
{
        return (struct slice){ s.p, s.n < SESSION_TEXT_MOST ? s.n : SESSION_TEXT_MOST };
}

struct key {
        size_t n;
        char b[KEY_MOST];
};

static void key_add(struct key *k, const void *p, size_t n)
{
        uint16_t length = (uint16_t)n;
        memcpy(k->b + k->n, &length, sizeof length);
        if (n)
                memcpy(k->b + k->n + sizeof length, p, n);
        k->n += sizeof length + n;
}

static uint64_t key_hash(const struct key *k)
{
        return hash_bytes((struct slice){ k->b, k->n });
}

static uint64_t hash_session(const struct nas *nas, struct slice session, struct slice user)
{
        struct key k;
        k.n = 0;
        key_add(&k, &nas, sizeof nas);
        key_add(&k, session.p, session.n);
        key_add(&k, user.p, user.n);
        return key_hash(&k);
}

static uint32_t hash_held(struct slice source, struct slice realm, const struct prefix *p, const char proto[8],
                          const uint16_t ports[2])
{
        struct key k;
        k.n = 0;
        key_add(&k, source.p, source.n);
        key_add(&k, realm.p, realm.n);
        key_add(&k, p->addr.b, sizeof p->addr.b);
        key_add(&k, &p->len, 1);
        key_add(&k, proto, 8);
        key_add(&k, ports, 2 * sizeof *ports);
        return (uint32_t)key_hash(&k);
}

/* --- buckets: one list each, twice as many when they are full ------------------------------------------------------------ */

static void session_link(struct sessions *t, struct session *s)
{
        struct session **head = &t->by_key[s->hash & (t->key_cap - 1)];
        s->next = *head;
        s->link = head;
        if (s->next)
                s->next->link = &s->next;
        *head = s;
}

static void binding_link(struct sessions *t, struct binding *b)
{
        struct binding **head = &t->by_held[b->hash & (t->held_cap - 1)];
        b->next = *head;
        b->link = head;
        if (b->next)
                b->next->link = &b->next;
        *head = b;
}

static void binding_unlink(struct binding *b)
{
        *b->link = b->next;
        if (b->next)
                b->next->link = b->link;
}

/* Newest first must stay so: the lists are turned around before their members move, which puts each in front. */
static void key_grow(struct sessions *t)
{
        struct session **former = t->by_key;
        size_t n = t->key_cap;
        t->key_cap = n ? n * 2 : 1024;
        t->by_key = xcalloc(t->key_cap, sizeof *t->by_key);
        for (size_t i = 0; i < n; i++) {
                struct session *turned = NULL, *next;
                for (struct session *s = former[i]; s; s = next) {
                        next = s->next;
                        s->next = turned;
                        turned = s;
                }
                for (; turned; turned = next) {
                        next = turned->next;
                        session_link(t, turned);
                }
        }
        free(former);
}

static void held_grow(struct sessions *t)
{
        struct binding **former = t->by_held;
        size_t n = t->held_cap;
        t->held_cap = n ? n * 2 : 1024;
        t->by_held = xcalloc(t->held_cap, sizeof *t->by_held);
        for (size_t i = 0; i < n; i++) {
                struct binding *turned = NULL, *next;
                for (struct binding *b = former[i]; b; b = next) {
                        next = b->next;
                        b->next = turned;
                        turned = b;
                }
                for (; turned; turned = next) {
                        next = turned->next;
                        binding_link(t, turned);
                }
        }
        free(former);
}

/* --- NAS ------------------------------------------------------------------------------------------------------------------ */

static struct slice nas_source(const struct nas *n)
{
        return (struct slice){ n->text, n->n_source };
}

static struct slice nas_name(const struct nas *n)
{
        return (struct slice){ n->text + n->n_source, n->n_name };
}

static void nas_grow(struct sessions *t)
{
        struct nas **former = t->by_nas, *next;
        size_t n = t->nas_cap;
        t->nas_cap = n ? n * 2 : 64;
        t->by_nas = xcalloc(t->nas_cap, sizeof *t->by_nas);
        for (size_t i = 0; i < n; i++)
                for (struct nas *nas = former[i]; nas; nas = next) {
                        next = nas->next;
                        nas->next = t->by_nas[nas->hash & (t->nas_cap - 1)];
                        t->by_nas[nas->hash & (t->nas_cap - 1)] = nas;
                }
        free(former);
}

static struct nas *nas_add(struct sessions *t, struct slice source, struct slice name, uint64_t hash)
{
        if (t->n_nas >= t->nas_cap)
                nas_grow(t);
        struct nas *nas = xcalloc(1, sizeof *nas + source.n + name.n + 1);
        nas->hash = hash;
        nas->n_source = (uint16_t)source.n;
        nas->n_name = (uint16_t)name.n;
        if (source.n)
                memcpy(nas->text, source.p, source.n);
        if (name.n)
                memcpy(nas->text + source.n, name.p, name.n);
        nas->next = t->by_nas[hash & (t->nas_cap - 1)];
        t->by_nas[hash & (t->nas_cap - 1)] = nas;
        t->n_nas++;
        return nas;
}

struct nas *sessions_nas(struct sessions *t, struct slice source, struct slice name, bool make)
{
        struct key k;
        source = cut(source);
        name = cut(name);
        if (t->recent && slice_eq(nas_name(t->recent), name) && slice_eq(nas_source(t->recent), source))
                return t->recent;
        k.n = 0;
        key_add(&k, source.p, source.n);
        key_add(&k, name.p, name.n);
        uint64_t hash = key_hash(&k);
        struct nas *nas = t->nas_cap ? t->by_nas[hash & (t->nas_cap - 1)] : NULL;
        while (nas && !(nas->hash == hash && slice_eq(nas_name(nas), name) && slice_eq(nas_source(nas), source)))
                nas = nas->next;
        if (!nas && make)
                nas = nas_add(t, source, name, hash);
        if (nas)
                t->recent = nas;
        return nas;
}

static void nas_drop(struct sessions *t, struct nas *nas)
{
        struct nas **at = &t->by_nas[nas->hash & (t->nas_cap - 1)];
        while (*at != nas)
                at = &(*at)->next;
        *at = nas->next;
        if (t->recent == nas)
                t->recent = NULL;
        t->n_nas--;
        free(nas);
}

/* --- texts of a session: realm, session, user, kind, value, evidence, one behind the other -------------------------------- */

static struct slice realm_of(const struct session *s)
{
        return (struct slice){ s->text, s->n_realm };
}

struct slice session_id(const struct session *s)
{
        return (struct slice){ s->text + s->n_realm, s->n_session };
}

struct slice session_user(const struct session *s)
{
        return (struct slice){ s->text + s->n_realm + s->n_session, s->n_user };
}

static const char *line_text(const struct session *s)
{
        return s->learned ? s->learned : s->text + s->n_realm + s->n_session + s->n_user;
}

static struct slice evidence_of(const struct session *s)
{
        size_t line = s->learned ? 0 : (size_t)s->n_kind + s->n_value;
        return (struct slice){ s->text + s->n_realm + s->n_session + s->n_user + line, s->n_evidence };
}

static char *put(char *at, struct slice s, uint16_t *n)
{
        if (s.n)
                memcpy(at, s.p, s.n);
        *n = (uint16_t)s.n;
        return at + s.n;
}

struct slice session_source(const struct session *s)
{
        return nas_source(s->nas);
}

bool session_has_line(const struct session *s)
{
        return s->n_kind != 0;
}

void session_learn(struct session *s, const struct line *line)
{
        struct slice kind = cut(line->kind), value = cut(line->value);
        if (s->n_kind || kind.n == 0)
                return;
        s->learned = xmalloc(kind.n + value.n + 1);
        put(put(s->learned, kind, &s->n_kind), value, &s->n_value);
}

void session_lease(const struct session *s, const struct binding *b, struct buf *evidence, struct lease *ret)
{
        struct slice closing = { s->closing ? s->closing + s->n_why : NULL, s->n_closing };
        const char *line = line_text(s);
        buf_clear(evidence);
        buf_add(evidence, evidence_of(s));
        if (closing.n && !slice_eq(closing, evidence_of(s))) {
                if (evidence->n)
                        buf_adds(evidence, ", ");
                buf_add(evidence, closing);
        }
        *ret = (struct lease){ .id = b->id,
                               .realm = realm_of(s),
                               .prefix = b->prefix,
                               .port_low = b->port_low,
                               .port_high = b->port_high,
                               .proto = slice_of(b->proto),
                               .start = b->start,
                               .end = s->end < b->end ? s->end : b->end,
                               .line = { { line, s->n_kind }, { line + s->n_kind, s->n_value } },
                               .source = nas_source(s->nas),
                               .why_ended = { s->closing ? s->closing : "", s->n_why },
                               .evidence = buf_slice(evidence),
                               .nas = nas_name(s->nas),
                               .session = session_id(s),
                               .user = session_user(s) };
}

/* --- deadlines: a heap, the nearest on top ---------------------------------------------------------------------------------- */

static void heap_set(struct sessions *t, size_t at, struct deadline d)
{
        t->heap[at] = d;
        d.s->place = (uint32_t)at;
}

static void heap_up(struct sessions *t, size_t at, struct deadline d)
{
        for (; at > 0 && t->heap[(at - 1) / 2].at > d.at; at = (at - 1) / 2)
                heap_set(t, at, t->heap[(at - 1) / 2]);
        heap_set(t, at, d);
}

static void heap_down(struct sessions *t, size_t at, struct deadline d)
{
        for (size_t child; (child = 2 * at + 1) < t->n; at = child) {
                if (child + 1 < t->n && t->heap[child + 1].at < t->heap[child].at)
                        child++;
                if (t->heap[child].at >= d.at)
                        break;
                heap_set(t, at, t->heap[child]);
        }
        heap_set(t, at, d);
}

void sessions_due(struct sessions *t, struct session *s, int64_t due)
{
        int64_t kept = t->heap[s->place].at;
        if (due < kept)
                heap_up(t, s->place, (struct deadline){ due, s });
        else if (due > kept)
                heap_down(t, s->place, (struct deadline){ due, s });
}

/* --- sessions and what they hold -------------------------------------------------------------------------------------------- */

void sessions_init(struct sessions *t)
{
        *t = (struct sessions){ 0 };
        key_grow(t);
        held_grow(t);
}

static void session_free(struct session *s)
{
        for (struct binding *b = s->held, *next; b; b = next) {
                next = b->sibling;
                free(b);
        }
        free(s->closing);
        free(s->learned);
        free(s);
}

void sessions_done(struct sessions *t)
{
        for (size_t i = 0; i < t->n; i++)
                session_free(t->heap[i].s);
        for (size_t i = 0; i < t->nas_cap; i++)
                for (struct nas *nas = t->by_nas[i], *next; nas; nas = next) {
                        next = nas->next;
                        free(nas);
                }
        free(t->by_key);
        free(t->by_held);
        free(t->by_nas);
        free(t->heap);
        *t = (struct sessions){ 0 };
}

static bool is_of(const struct session *s, uint64_t hash, const struct nas *nas, struct slice session,
                  struct slice user)
{
        return s->hash == hash && s->nas == nas && slice_eq(session_id(s), session) && slice_eq(session_user(s), user);
}

struct session *sessions_find(const struct sessions *t, const struct nas *nas, struct slice session, struct slice user)
{
        session = cut(session);
        user = cut(user);
        uint64_t hash = hash_session(nas, session, user);
        for (struct session *s = t->by_key[hash & (t->key_cap - 1)]; s; s = s->next)
                if (is_of(s, hash, nas, session, user))
                        return s;
        return NULL;
}

struct session *sessions_kin(const struct sessions *t, const struct session *s)
{
        for (struct session *o = t->by_key[s->hash & (t->key_cap - 1)];; o = o->next)
                if (o == s || is_of(o, s->hash, s->nas, session_id(s), session_user(s)))
                        return o;
}

struct session *sessions_next(const struct session *s)
{
        for (struct session *o = s->next; o; o = o->next)
                if (is_of(o, s->hash, s->nas, session_id(s), session_user(s)))
                        return o;
        return NULL;
}

static void proto_of(struct slice proto, char ret[8])
{
        memset(ret, 0, 8);
        if (proto.n)
                memcpy(ret, proto.p, proto.n < 7 ? proto.n : 7);
}

static bool holds(const struct binding *b, uint32_t hash, const struct prefix *p, const char proto[8],
                  const uint16_t ports[2])
{
        return b->hash == hash && prefix_cmp(&b->prefix, p) == 0 && memcmp(b->proto, proto, 8) == 0 &&
               b->port_low == ports[0] && b->port_high == ports[1];
}

struct binding *sessions_holder(const struct sessions *t, struct slice source, struct slice realm, const struct held *h)
{
        const uint16_t ports[2] = { h->port_low, h->port_high };
        char proto[8];
        proto_of(h->proto, proto);
        source = cut(source);
        realm = cut(realm);
        uint32_t hash = hash_held(source, realm, &h->prefix, proto, ports);
        for (struct binding *b = t->by_held[hash & (t->held_cap - 1)]; b; b = b->next)
                if (holds(b, hash, &h->prefix, proto, ports) && slice_eq(nas_source(b->of->nas), source) &&
                    slice_eq(realm_of(b->of), realm))
                        return b;
        return NULL;
}

struct binding *sessions_next_holder(const struct binding *b, int64_t since)
{
        const uint16_t ports[2] = { b->port_low, b->port_high };
        unsigned over = 0;
        for (struct binding *o = b->next; o && over < SESSION_OVER_MOST; o = o->next)
                if (o->session_end <= since)
                        over++;
                else if (holds(o, b->hash, &b->prefix, b->proto, ports) &&
                         slice_eq(nas_source(o->of->nas), nas_source(b->of->nas)) &&
                         slice_eq(realm_of(o->of), realm_of(b->of)))
                        return o;
        return NULL;
}

static void list_open(struct session *s)
{
        s->open_next = s->nas->open;
        s->open_link = &s->nas->open;
        if (s->open_next)
                s->open_next->open_link = &s->open_next;
        s->nas->open = s;
}

struct session *sessions_add(struct sessions *t, struct nas *nas, const struct event *e, int64_t due)
{
        struct slice realm = cut(e->realm), session = cut(e->session), user = cut(e->user);
        struct slice kind = cut(e->line.kind), value = cut(e->line.value), evidence = cut(e->evidence);
        if (t->n >= t->key_cap)
                key_grow(t);
        struct session *s = xmalloc(sizeof *s + realm.n + session.n + user.n + kind.n + value.n + evidence.n + 1);
        *s = (struct session){ .nas = nas, .expires = TIME_NEVER, .end = TIME_NEVER, .state = SESSION_OPEN };
        char *at = put(put(put(s->text, realm, &s->n_realm), session, &s->n_session), user, &s->n_user);
        put(put(put(at, kind, &s->n_kind), value, &s->n_value), evidence, &s->n_evidence);
        s->hash = hash_session(nas, session, user);
        session_link(t, s);
        list_open(s);
        nas->n++;
        t->n_open++;
        t->heap = xgrow(t->heap, &t->heap_cap, t->n + 1, sizeof *t->heap);
        t->n++;
        heap_up(t, t->n - 1, (struct deadline){ due, s });
        return s;
}

struct binding *sessions_hold(struct sessions *t, struct session *s, const struct held *h, int64_t start)
{
        const uint16_t ports[2] = { h->port_low, h->port_high };
        if (t->n_held >= t->held_cap)
                held_grow(t);
        struct binding *b = xmalloc(sizeof *b);
        *b = (struct binding){ .of = s, .sibling = s->held, .start = start, .end = TIME_NEVER, .prefix = h->prefix };
        proto_of(h->proto, b->proto);
        b->session_end = s->end;
        b->port_low = ports[0];
        b->port_high = ports[1];
        b->changed = true;
        b->hash = hash_held(nas_source(s->nas), realm_of(s), &b->prefix, b->proto, ports);
        s->held = b;
        binding_link(t, b);
        t->n_held++;
        return b;
}

void sessions_leave(struct sessions *t, struct binding *b)
{
        struct binding **at = &b->of->held;
        while (*at != b)
                at = &(*at)->sibling;
        *at = b->sibling;
        binding_unlink(b);
        t->n_held--;
        free(b);
}

static void list_close(struct session *s)
{
        if (!s->open_link)
                return;
        *s->open_link = s->open_next;
        if (s->open_next)
                s->open_next->open_link = s->open_link;
        s->open_link = NULL;
}

/* What it holds knows it too: who looks for holders need not look at the sessions of all that ever held an address. */
void session_ends(struct session *s, int64_t end)
{
        s->end = end;
        for (struct binding *b = s->held; b; b = b->sibling)
                b->session_end = end;
}

void session_expires(struct session *s, int64_t expires)
{
        s->expires = expires;
        if (s->state == SESSION_OPEN)
                session_ends(s, expires);
}

void sessions_open(struct sessions *t, struct session *s)
{
        t->n_open += s->state != SESSION_OPEN;
        if (!s->open_link)
                list_open(s);
        s->state = SESSION_OPEN;
        session_ends(s, s->expires);
        s->n_why = s->n_closing = 0;
        for (struct binding *b = s->held; b; b = b->sibling) { /* to the front: among the over it would not be found */
                binding_unlink(b);
                binding_link(t, b);
        }
}

void sessions_close(struct sessions *t, struct session *s, enum session_state state, int64_t end, struct slice why,
                    struct slice evidence)
{
        why = cut(why);
        evidence = cut(evidence);
        t->n_open -= s->state == SESSION_OPEN;
        list_close(s);
        s->state = state;
        session_ends(s, end);
        if (why.n + evidence.n > s->room) {
                s->room = (uint16_t)(why.n + evidence.n);
                s->closing = xrealloc(s->closing, s->room);
        }
        if (why.n + evidence.n)
                put(put(s->closing, why, &s->n_why), evidence, &s->n_closing);
        s->n_why = (uint16_t)why.n;
        s->n_closing = (uint16_t)evidence.n;
}

void sessions_drop(struct sessions *t, struct session *s)
{
        struct deadline last = t->heap[--t->n];
        if (last.s != s) {
                size_t place = s->place;
                if (place > 0 && t->heap[(place - 1) / 2].at > last.at)
                        heap_up(t, place, last);
                else
                        heap_down(t, place, last);
        }
        t->n_open -= s->state == SESSION_OPEN;
        list_close(s);
        *s->link = s->next;
        if (s->next)
                s->next->link = s->link;
        for (struct binding *b = s->held; b; b = b->sibling) {
                binding_unlink(b);
                t->n_held--;
        }
        if (--s->nas->n == 0)
                nas_drop(t, s->nas);
        session_free(s);
}
