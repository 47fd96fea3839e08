/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/csv.h"
#include "cli/whose.h"
#include "ledger/json.h"
#include "ledger/line.h"

enum { LINE_MOST = 1024, NAMED_MOST = 1000 };

/* --- the question and the verdict, in words --- */

static void add_question(const struct whose *w, struct buf *out)
{
        char text[ADDR_TEXT_MAX], time[TIME_TEXT_MAX];
        buf_adds(out, addr_print(&w->q.address, text));
        if (w->q.port)
                buf_addf(out, " port %u", w->q.port);
        if (w->q.proto.n)
                buf_addf(out, " %.*s", SLICE_ARGS(w->q.proto));
        if (w->q.has_realm) {
                buf_adds(out, " in realm ");
                buf_add_shown(out, w->q.realm);
        }
        buf_addf(out, " at %s", time_print(w->q.at, time));
        buf_addf(out, ", give or take %s", duration_print(w->q.tolerance, time));
}

static void add_person(const struct resolve_holder *h, struct buf *out)
{
        const struct line_holder *who = &h->subscriber;
        const struct slice more[] = { who->name, who->class, who->language };
        char time[TIME_TEXT_MAX];
        if (who->number == 0)
                buf_adds(out, "unknown subscriber");
        else
                buf_add_shown(out, who->id);
        for (size_t i = 0, n = 0; i < COUNT_OF(more); i++) {
                if (more[i].n == 0)
                        continue;
                buf_adds(out, n++ ? ", " : "  ");
                buf_add_shown(out, more[i]);
        }
        if (who->number && who->removed != TIME_NEVER)
                buf_addf(out, "  (no subscriber since %s)", time_print(who->removed, time));
        buf_adds(out, "  ");
        buf_add_shown(out, h->line.kind);
        buf_addc(out, ':');
        buf_add_shown(out, h->line.value);
}

static void add_lease(const struct lease *l, struct buf *out)
{
        char prefix[PREFIX_TEXT_MAX], time[TIME_TEXT_MAX];
        const struct slice parts[] = { l->source, l->nas, l->session, l->evidence };
        static const char *const names[] = { " by ", " nas ", " session ", " in " };
        buf_addf(out, "%s", prefix_print(&l->prefix, prefix));
        if (l->port_high)
                buf_addf(out, " ports %u-%u%s%.*s", l->port_low, l->port_high, l->proto.n ? " " : "",
                         SLICE_ARGS(l->proto));
        if (l->realm.n) {
                buf_adds(out, " in realm ");
                buf_add_shown(out, l->realm);
        }
        buf_addc(out, ' ');
        buf_add_shown(out, l->line.kind);
        buf_addc(out, ':');
        buf_add_shown(out, l->line.value);
        buf_addf(out, " from %s", time_print(l->start, time));
        buf_addf(out, " until %s", time_print(l->end, time));
        if (l->why_ended.n) {
                buf_adds(out, " (");
                buf_add_shown(out, l->why_ended);
                buf_addc(out, ')');
        }
        for (size_t i = 0; i < COUNT_OF(parts); i++)
                if (parts[i].n) {
                        buf_adds(out, names[i]);
                        buf_add_shown(out, parts[i]);
                }
}

static void add_computed(const struct resolve_step *s, struct buf *out)
{
        char outside[ADDR_TEXT_MAX], inside[ADDR_TEXT_MAX], time[TIME_TEXT_MAX];
        buf_addf(out, "%s ports %u-%u are %s, by cgnat ", addr_print(&s->share.outside, outside), s->share.port_low,
                 s->share.port_high, addr_print(&s->share.inside, inside));
        buf_add_shown(out, s->realm);
        buf_addf(out, " of %s in ", time_print(s->version, time));
        if (s->generation)
                buf_addf(out, "generation %lld", (long long)s->generation);
        else
                buf_adds(out, "the policy file");
}

static void add_trails(const struct whose *w, size_t holder, struct buf *out)
{
        for (size_t i = 0; i < w->r.n_trails; i++) {
                const struct resolve_trail *t = &w->r.trails[i];
                for (size_t k = 0; t->holder == holder && k < t->n_steps; k++) {
                        buf_adds(out, k ? "      then " : "    ");
                        if (t->steps[k].computed)
                                add_computed(&t->steps[k], out);
                        else
                                add_lease(&t->steps[k].lease, out);
                        buf_addc(out, '\n');
                }
        }
}

void whose_print(const struct whose *w, const struct lookup_policies *p, struct buf *out)
{
        add_question(w, out);
        if (!w->zoned && p->n)
                buf_addf(out, " (in %.*s, the zone of the policy)", SLICE_ARGS(p->loaded[0].policy->network.timezone));
        else if (!w->zoned)
                buf_adds(out, " (in the zone of this machine: there is no policy)");
        buf_addf(out, "\n%s", resolve_verdict_name(w->r.verdict));
        if (w->r.verdict == RESOLVE_AMBIGUOUS)
                buf_addf(out, ": %s%zu in question", w->r.more ? "more than " : "", w->r.n);
        buf_addc(out, '\n');
        for (size_t i = 0; i < w->r.n; i++) {
                buf_adds(out, "  ");
                add_person(&w->r.holders[i], out);
                buf_addc(out, '\n');
                add_trails(w, i, out);
        }
        for (size_t i = 0; i < w->r.n_reasons; i++) {
                buf_adds(out, i ? "         " : "because  ");
                buf_add_shown(out, w->r.reasons[i]);
                buf_addc(out, '\n');
        }
}

/* --- for programs --- */

static void text_or_null(struct json *j, const char *key, struct slice s)
{
        if (s.n)
                json_string(j, key, s);
        else
                json_null(j, key);
}

static void json_address(struct json *j, const char *key, const struct addr *a)
{
        char text[ADDR_TEXT_MAX];
        json_cstr(j, key, addr_print(a, text));
}

static void json_step(struct json *j, const struct resolve_step *s)
{
        json_object(j, NULL);
        if (s->computed) {
                json_object(j, "computed");
                json_string(j, "cgnat", s->realm);
                json_int(j, "generation", s->generation);
                json_time(j, "version", s->version);
                json_address(j, "outside", &s->share.outside);
                json_int(j, "port_low", s->share.port_low);
                json_int(j, "port_high", s->share.port_high);
                json_address(j, "inside", &s->share.inside);
                json_object_end(j);
        } else {
                lease_json(j, "lease", &s->lease);
                text_or_null(j, "nas", s->lease.nas);
                text_or_null(j, "session", s->lease.session);
        }
        json_object_end(j);
}

static void json_holder(struct json *j, const struct whose *w, size_t at)
{
        const struct resolve_holder *h = &w->r.holders[at];
        autobuf line;
        buf_init(&line, LINE_MOST);
        line_print(&h->line, &line);
        json_object(j, NULL);
        text_or_null(j, "subscriber", h->subscriber.number ? h->subscriber.id : S(""));
        text_or_null(j, "name", h->subscriber.name);
        text_or_null(j, "class", h->subscriber.class);
        text_or_null(j, "language", h->subscriber.language);
        json_time(j, "left", h->subscriber.number ? h->subscriber.removed : TIME_NEVER);
        json_string(j, "line", buf_slice(&line));
        json_bool(j, "sure", h->sure);
        json_array(j, "evidence");
        for (size_t i = 0; i < w->r.n_trails; i++) {
                const struct resolve_trail *t = &w->r.trails[i];
                if (t->holder != at)
                        continue;
                json_object(j, NULL);
                text_or_null(j, "doubt", t->doubt);
                json_array(j, "steps");
                for (size_t k = 0; k < t->n_steps; k++)
                        json_step(j, &t->steps[k]);
                json_array_end(j);
                json_object_end(j);
        }
        json_array_end(j);
        json_object_end(j);
}

static void json_question(struct json *j, const struct whose *w)
{
        json_address(j, "address", &w->q.address);
        if (w->q.port)
                json_int(j, "port", w->q.port);
        else
                json_null(j, "port");
        text_or_null(j, "proto", w->q.proto);
        text_or_null(j, "realm", w->q.realm);
        json_time(j, "at", w->q.at);
        json_bool(j, "zone_given", w->zoned);
        json_real(j, "tolerance", (double)w->q.tolerance / (double)SECOND);
}

void whose_json(struct json *j, const struct whose *w)
{
        json_object(j, NULL);
        if (w->row)
                json_int(j, "row", (int64_t)w->row);
        if (w->wrong) {
                json_cstr(j, "verdict", "wrong");
                json_cstr(j, "why", w->wrong);
                json_string(j, "text", w->text);
                json_object_end(j);
                return;
        }
        json_question(j, w);
        json_cstr(j, "verdict", resolve_verdict_name(w->r.verdict));
        json_array(j, "holders");
        for (size_t i = 0; i < w->r.n; i++)
                json_holder(j, w, i);
        json_array_end(j);
        json_bool(j, "more", w->r.more);
        json_array(j, "reasons");
        for (size_t i = 0; i < w->r.n_reasons; i++)
                json_string(j, NULL, w->r.reasons[i]);
        json_array_end(j);
        json_object_end(j);
}

/* --- for a spreadsheet --- */

void whose_csv_head(struct buf *out)
{
        buf_adds(out, "row,address,port,proto,time,verdict,subscribers,lines,why\n");
}

/* One cell, without what harms a terminal. */
static void put(struct buf *out, struct buf *cell)
{
        autobuf shown;
        buf_init(&shown, 1 << 20);
        buf_add_shown(&shown, buf_slice(cell));
        csv_put(out, buf_slice(&shown));
        buf_clear(cell);
}

static void csv_wrong(const struct whose *w, struct buf *cell, struct buf *out)
{
        buf_addf(out, "%zu,,,,,wrong,,,", w->row);
        buf_add(cell, w->text);
        buf_addf(cell, "%s%s", w->text.n ? ": " : "", w->wrong);
        put(out, cell);
        buf_addc(out, '\n');
}

void whose_csv(const struct whose *w, struct buf *out)
{
        char text[ADDR_TEXT_MAX], time[TIME_TEXT_MAX];
        autobuf cell;
        buf_init(&cell, 1 << 20);
        if (w->wrong) {
                csv_wrong(w, &cell, out);
                return;
        }
        buf_addf(out, "%zu,%s,", w->row, addr_print(&w->q.address, text));
        if (w->q.port)
                buf_addf(out, "%u", w->q.port);
        buf_addf(out, ",%.*s,%s,%s,", SLICE_ARGS(w->q.proto), time_print(w->q.at, time),
                 resolve_verdict_name(w->r.verdict));
        for (size_t i = 0, n = 0; i < w->r.n; i++)
                if (w->r.holders[i].subscriber.number)
                        buf_addf(&cell, "%s%.*s", n++ ? " " : "", SLICE_ARGS(w->r.holders[i].subscriber.id));
        put(out, &cell);
        buf_addc(out, ',');
        for (size_t i = 0; i < w->r.n; i++) {
                buf_adds(&cell, i ? " " : "");
                line_print(&w->r.holders[i].line, &cell);
        }
        put(out, &cell);
        buf_addc(out, ',');
        for (size_t i = 0; i < w->r.n_reasons; i++)
                buf_addf(&cell, "%s%.*s", i ? "; " : "", SLICE_ARGS(w->r.reasons[i]));
        put(out, &cell);
        buf_addc(out, '\n');
}

/* --- for the audit trail --- */

struct lookup whose_record(const struct whose *w, struct arena *a)
{
        char text[ADDR_TEXT_MAX];
        autobuf question, answer;
        buf_init(&question, LEDGER_TEXT_MOST);
        buf_init(&answer, LEDGER_TEXT_MOST);
        add_question(w, &question);
        buf_adds(&answer, resolve_verdict_name(w->r.verdict));
        if (w->r.n != 1)
                buf_addf(&answer, ": %s%zu", w->r.more ? "more than " : "", w->r.n);
        struct lookup u = { .what = S("lease whose"),
                            .key = arena_dup(a, slice_of(addr_print(&w->q.address, text))),
                            .question = arena_dup(a, buf_slice(&question)),
                            .answer = arena_dup(a, buf_slice(&answer)),
                            .subscribers = arena_alloc(a, (w->r.n + 1) * sizeof *u.subscribers) };
        for (size_t i = 0; u.subscribers && i < w->r.n && i < NAMED_MOST; i++)
                if (w->r.holders[i].subscriber.number)
                        u.subscribers[u.n_subscribers++] = w->r.holders[i].subscriber.id;
        return u;
}
