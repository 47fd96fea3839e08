/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/json.h"
#include "ledger/line.h"

static void text(struct json *j, const char *key, struct slice s)
{
        if (s.n)
                json_string(j, key, s);
        else
                json_null(j, key);
}

static void prefix(struct json *j, const char *key, const struct prefix *p)
{
        char out[PREFIX_TEXT_MAX];
        json_cstr(j, key, prefix_print(p, out));
}

static void line(struct json *j, const char *key, const struct line *l)
{
        autobuf out;
        buf_init(&out, 1024);
        line_print(l, &out);
        json_string(j, key, buf_slice(&out));
}

void lease_json(struct json *j, const char *key, const struct lease *l)
{
        json_object(j, key);
        text(j, "realm", l->realm);
        prefix(j, "prefix", &l->prefix);
        if (l->port_high) {
                json_int(j, "port_low", l->port_low);
                json_int(j, "port_high", l->port_high);
                text(j, "proto", l->proto);
        }
        json_time(j, "start", l->start);
        json_time(j, "end", l->end);
        line(j, "line", &l->line);
        text(j, "source", l->source);
        text(j, "subscriber", l->subscriber);
        text(j, "why_ended", l->why_ended);
        text(j, "evidence", l->evidence);
        json_object_end(j);
}

void subscriber_json(struct json *j, const char *key, const struct subscriber *s)
{
        json_object(j, key);
        json_string(j, "id", s->id);
        text(j, "name", s->name);
        text(j, "class", s->class);
        json_cstr(j, "port25", s->port25 == STRATEGY_NONE ? NULL : strategy_name(s->port25));
        text(j, "language", s->language);
        text(j, "email", s->email);
        text(j, "phone", s->phone);
        text(j, "post", s->post);
        json_bool(j, "never_cut", s->never_cut);
        json_time(j, "created", s->created);
        limits_json(j, "limits", &s->limits);
        suspension_json(j, "suspended", &s->suspension);
        json_array(j, "lines");
        for (size_t i = 0; i < s->n_lines; i++)
                line(j, NULL, &s->lines[i]);
        json_array_end(j);
        json_array(j, "leases");
        for (size_t i = 0; i < s->n_leases; i++)
                lease_json(j, NULL, &s->leases[i]);
        json_array_end(j);
        json_object_end(j);
}

void exemption_json(struct json *j, const char *key, const struct exemption *e)
{
        json_object(j, key);
        json_int(j, "number", e->id);
        text(j, "subscriber", e->subscriber);
        if (e->subscriber.n)
                json_null(j, "prefix");
        else
                prefix(j, "prefix", &e->prefix);
        json_time(j, "start", e->start);
        json_time(j, "until", e->until);
        text(j, "owner", e->owner);
        text(j, "reason", e->reason);
        text(j, "author", e->author);
        json_bool(j, "removed", e->removed);
        json_object_end(j);
}

void quarantine_json(struct json *j, const char *key, const struct quarantine *q)
{
        json_object(j, key);
        json_int(j, "number", q->id);
        json_string(j, "subscriber", q->subscriber);
        json_cstr(j, "level", level_name(q->level));
        json_time(j, "start", q->start);
        json_time(j, "until", q->until);
        if (q->released)
                json_time(j, "released", q->released);
        else
                json_null(j, "released");
        text(j, "reason", q->reason);
        text(j, "author", q->author);
        text(j, "approved_by", q->approved_by);
        text(j, "evidence", q->evidence);
        text(j, "released_by", q->released_by);
        text(j, "release_reason", q->release_reason);
        json_bool(j, "by_rule", q->by_rule);
        json_bool(j, "proposed", q->proposed);
        json_object_end(j);
}

void ban_json(struct json *j, const char *key, const struct ban *b)
{
        json_object(j, key);
        json_int(j, "number", b->id);
        prefix(j, "prefix", &b->prefix);
        json_time(j, "start", b->start);
        json_time(j, "until", b->until);
        if (b->released)
                json_time(j, "released", b->released);
        else
                json_null(j, "released");
        text(j, "reason", b->reason);
        text(j, "author", b->author);
        text(j, "evidence", b->evidence);
        text(j, "released_by", b->released_by);
        text(j, "release_reason", b->release_reason);
        json_bool(j, "by_rule", b->by_rule);
        json_object_end(j);
}
