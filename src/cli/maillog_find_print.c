/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stories, for people and for programs. Each text of a log is a stranger's: people see it escaped. */
#include "cli/maillog.h"

/* --- words --- */

/* Into a mailbox here: whatever goes on of the message, he has it. */
static bool is_here(const struct mail_event *e)
{
        return e->daemon == MAIL_BY_VIRTUAL || e->daemon == MAIL_BY_LOCAL;
}

static const char *fate(const struct story_part *p, const struct story_recipient *r)
{
        static const char *const words[] = {
                [MAIL_NO_STATUS] = "unknown", [MAIL_SENT] = "delivered",         [MAIL_DEFERRED] = "deferred",
                [MAIL_BOUNCED] = "bounced",   [MAIL_STATUS_EXPIRED] = "expired", [MAIL_OTHER_STATUS] = "probed"
        };
        if (r->last.kind != MAIL_DELIVERY)
                return "refused";
        if (r->last.status == MAIL_SENT && slice_starts(r->last.text, S("forwarded as ")))
                return "forwarded";
        return r->last.status == MAIL_SENT && p->handed && !is_here(&r->last) ? "handed" : words[r->last.status];
}

static const char *end_of(const struct story_part *p)
{
        return p->refused.kind ? "refused" : p->removed ? "ended" : "open";
}

/* --- for people --- */

static void shown(struct buf *out, const char *before, struct slice text, const char *after)
{
        buf_adds(out, before);
        buf_add_shown(out, text);
        buf_adds(out, after);
}

static void add_label(struct buf *out, const char *label)
{
        buf_addf(out, "    %-12s", label);
}

static void add_peer(struct buf *out, const struct mail_peer *p)
{
        buf_add_shown(out, p->name);
        shown(out, p->name.n ? " [" : "[", p->address, "]");
        if (p->port.n)
                shown(out, ":", p->port, "");
}

static void add_client(struct buf *out, const struct mail_event *e)
{
        add_label(out, "client");
        if (e->kind == MAIL_PICKUP)
                buf_adds(out, "a program on the server itself");
        else
                add_peer(out, &e->client);
        if (e->login.n)
                shown(out, ", login ", e->login, "");
        if (e->method.n)
                shown(out, " (", e->method, ")");
        buf_addc(out, '\n');
}

static void add_reply(struct buf *out, const struct mail_event *e)
{
        if (e->code) /* of a delivery they stand in the text */
                buf_addf(out, "%u ", e->code);
        if (e->code && e->dsn.n)
                shown(out, "", e->dsn, " ");
        buf_add_shown(out, e->text);
        buf_addc(out, '\n');
}

/* "0.1/0.01/0.3/0.8" as Postfix means it: postconf(5), delay_logging_resolution_limit. */
static void add_delays(struct buf *out, const struct mail_event *e)
{
        static const char *const means[] = { " before the queue", " in the queue", " connecting", " sending" };
        if (!e->delay.n)
                return;
        shown(out, "        after ", e->delay, " s");
        struct slice rest = e->delays;
        for (size_t i = 0; i < COUNT_OF(means) && rest.n; i++)
                shown(out, i ? ", " : ": ", slice_cut(rest, '/', &rest), means[i]);
        buf_addc(out, '\n');
}

static void add_recipient(struct buf *out, const struct story_part *p, const struct story_recipient *r)
{
        char when[TIME_TEXT_MAX];
        const struct mail_event *e = &r->last;
        shown(out, "    ", e->to, "");
        if (e->orig_to.n)
                shown(out, " (written to ", e->orig_to, ")");
        buf_addf(out, ": %s %s", strcmp(fate(p, r), "handed") == 0 ? "handed on" : fate(p, r), time_print(r->at, when));
        if (r->times > 1)
                buf_addf(out, ", try %u", r->times);
        if (e->kind == MAIL_DELIVERY && (e->client.name.n || e->client.address.n)) {
                buf_adds(out, ", ");
                if (e->client.address.n)
                        add_peer(out, &e->client);
                else
                        buf_add_shown(out, e->client.name);
        }
        buf_adds(out, "\n        ");
        add_reply(out, e);
        add_delays(out, e);
}

static void add_lines(struct buf *out, const struct story_line *l)
{
        for (; l; l = l->next)
                shown(out, "    | ", l->text, "\n");
}

static void add_part(struct buf *out, const struct maillog_found *f, const struct story_part *p)
{
        char when[TIME_TEXT_MAX];
        shown(out, "  ", p->id, "");
        shown(out, " on ", p->host, "");
        if (p->instance.n && !slice_eq(p->instance, S("postfix")))
                shown(out, ", ", p->instance, "");
        if (p->removed || p->refused.kind)
                buf_addf(out, ", until %s\n", time_print(p->last, when));
        else
                buf_addf(out, ", still there %s\n", time_print(p->last, when));
        if (p->made)
                buf_adds(out, "    made by the server itself, or its beginning is not in these logs\n");
        if (p->client.kind)
                add_client(out, &p->client);
        for (size_t i = 0; i < p->n_recipients; i++)
                add_recipient(out, p, &p->recipients[i]);
        if (p->refused.kind) {
                buf_adds(out, "    refused: ");
                add_reply(out, &p->refused);
        }
        if (p->expired)
                buf_adds(out, "    given up as too old\n");
        if (p->bounce.n)
                shown(out, "    a notification was sent: ", p->bounce, "\n");
        if (f->lines)
                add_lines(out, p->lines);
}

static void add_message(struct buf *out, const struct maillog_found *f, const struct story *s)
{
        char when[TIME_TEXT_MAX];
        const struct story_part *p = s->parts;
        buf_adds(out, time_print(s->first, when));
        if (p->queued) {
                shown(out, p->from.n ? "  from " : "  from <>", p->from, "");
                buf_addf(out, ", %llu bytes, %llu recipient%s", (unsigned long long)p->size,
                         (unsigned long long)p->nrcpt, p->nrcpt == 1 ? "" : "s");
        } else {
                buf_adds(out, "  never in the queue, or that is not in these logs");
        }
        buf_addc(out, '\n');
        if (p->message_id.n)
                shown(out, "    message-id  ", p->message_id, "\n");
        for (size_t i = 0; i < s->n_parts; i++)
                add_part(out, f, &s->parts[i]);
}

static void add_pair(struct buf *out, const char *label, struct slice text)
{
        if (!text.p)
                return;
        add_label(out, label);
        shown(out, "", text, text.n ? "\n" : "<>\n");
}

static void add_single(struct buf *out, const struct maillog_found *f, const struct story *s)
{
        char when[TIME_TEXT_MAX];
        const struct mail_event *e = &s->only.event;
        buf_adds(out, time_print(s->first, when));
        if (s->kind == STORY_AUTH_FAILED)
                buf_adds(out, "  a login failed");
        else if (slice_ends(e->action, S("reject")))
                shown(out, "  refused at ", e->stage, "");
        else
                shown(out, "  ", e->action, "");
        shown(out, " on ", s->only.host, "");
        if (s->only.times > 1)
                buf_addf(out, ", %llu times", (unsigned long long)s->only.times);
        buf_adds(out, "\n");
        add_client(out, e);
        add_pair(out, "sender", e->from);
        add_pair(out, "recipient", e->to);
        add_pair(out, "HELO", e->helo);
        add_label(out, "reply");
        add_reply(out, e);
        if (e->odd)
                buf_adds(out, "    could be read in two ways: somebody plays tricks\n");
        if (f->lines)
                shown(out, "    | ", s->only.line, "\n");
}

void maillog_find_text(const struct maillog_found *f, struct buf *out)
{
        for (size_t i = 0; i < f->n; i++) {
                const struct story *s = stories_at(f->stories, i);
                if (i)
                        buf_addc(out, '\n');
                if (s->kind == STORY_MESSAGE)
                        add_message(out, f, s);
                else
                        add_single(out, f, s);
        }
        if (f->more)
                buf_addf(out, "\nOlder ones match, too: these are the last %zu (--most, --since, --until).\n", f->n);
}

/* --- for programs --- */

static void text_json(struct json *j, const char *key, struct slice text)
{
        if (text.p)
                json_string(j, key, text);
        else
                json_null(j, key);
}

static void peer_json(struct json *j, const char *key, const struct mail_peer *p)
{
        if (!p->name.n && !p->address.n) {
                json_null(j, key);
                return;
        }
        json_object(j, key);
        const struct slice none = { 0 };
        text_json(j, "name", p->name.n ? p->name : none);
        text_json(j, "address", p->address.n ? p->address : none);
        text_json(j, "port", p->port.n ? p->port : none);
        json_object_end(j);
}

static void reply_json(struct json *j, const struct mail_event *e)
{
        if (e->code)
                json_int(j, "code", e->code);
        else
                json_null(j, "code");
        text_json(j, "dsn", e->dsn);
        text_json(j, "text", e->text);
}

static void recipient_json(struct json *j, const struct story_part *p, const struct story_recipient *r)
{
        const struct mail_event *e = &r->last;
        json_object(j, NULL);
        json_string(j, "to", e->to);
        text_json(j, "orig_to", e->orig_to);
        json_cstr(j, "fate", fate(p, r));
        json_time(j, "at", r->at);
        json_int(j, "tries", r->times);
        static const struct mail_peer none;
        peer_json(j, "relay", e->kind == MAIL_DELIVERY ? &e->client : &none);
        text_json(j, "delay", e->delay);
        text_json(j, "delays", e->delays);
        reply_json(j, e);
        json_object_end(j);
}

static void lines_json(struct json *j, const struct story_line *l)
{
        json_array(j, "lines");
        for (; l; l = l->next)
                json_string(j, NULL, l->text);
        json_array_end(j);
}

static void part_json(struct json *j, const struct maillog_found *f, const struct story_part *p)
{
        json_object(j, NULL);
        json_string(j, "id", p->id);
        json_string(j, "host", p->host);
        json_string(j, "instance", p->instance);
        json_time(j, "first", p->first);
        json_time(j, "last", p->last);
        json_cstr(j, "end", end_of(p));
        peer_json(j, "client", &p->client.client);
        text_json(j, "login", p->client.login);
        text_json(j, "method", p->client.method);
        json_bool(j, "local", p->client.kind == MAIL_PICKUP);
        json_bool(j, "made", p->made);
        json_bool(j, "handed", p->handed);
        json_bool(j, "expired", p->expired);
        text_json(j, "notification", p->bounce);
        json_array(j, "recipients");
        for (size_t i = 0; i < p->n_recipients; i++)
                recipient_json(j, p, &p->recipients[i]);
        json_array_end(j);
        if (p->refused.kind) {
                json_object(j, "refused");
                reply_json(j, &p->refused);
                json_object_end(j);
        } else {
                json_null(j, "refused");
        }
        if (f->lines)
                lines_json(j, p->lines);
        json_object_end(j);
}

static void message_json(struct json *j, const struct maillog_found *f, const struct story *s)
{
        const struct story_part *p = s->parts;
        text_json(j, "sender", p->from);
        text_json(j, "message_id", p->message_id);
        json_int(j, "size", (int64_t)p->size);
        json_int(j, "recipients", (int64_t)p->nrcpt);
        json_array(j, "parts");
        for (size_t i = 0; i < s->n_parts; i++)
                part_json(j, f, &s->parts[i]);
        json_array_end(j);
}

static void single_json(struct json *j, const struct maillog_found *f, const struct story *s)
{
        const struct mail_event *e = &s->only.event;
        json_string(j, "host", s->only.host);
        json_int(j, "times", (int64_t)s->only.times);
        text_json(j, "action", e->action);
        text_json(j, "stage", e->stage);
        peer_json(j, "client", &e->client);
        text_json(j, "login", e->login);
        text_json(j, "method", e->method);
        text_json(j, "sender", e->from);
        text_json(j, "to", e->to);
        text_json(j, "helo", e->helo);
        reply_json(j, e);
        json_bool(j, "odd", e->odd);
        if (f->lines)
                lines_json(j, &(struct story_line){ .text = s->only.line });
}

void maillog_find_json(const struct maillog_found *f, struct buf *out)
{
        static const char *const kinds[] = {
                [STORY_MESSAGE] = "message", [STORY_REFUSED] = "refused", [STORY_AUTH_FAILED] = "auth-failed"
        };
        struct json j;
        json_report(&j, out);
        json_array(&j, "wanted");
        for (size_t i = 0; i < f->wish->n_wanted; i++) {
                json_object(&j, NULL);
                json_cstr(&j, "kind", wanted_kind_name(f->wish->wanted[i].kind));
                json_string(&j, "text", f->wish->wanted[i].text);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_array(&j, "stories");
        for (size_t i = 0; i < f->n; i++) {
                const struct story *s = stories_at(f->stories, i);
                json_object(&j, NULL);
                json_cstr(&j, "kind", kinds[s->kind]);
                json_time(&j, "first", s->first);
                json_time(&j, "last", s->last);
                if (s->kind == STORY_MESSAGE)
                        message_json(&j, f, s);
                else
                        single_json(&j, f, s);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_bool(&j, "more", f->more);
        json_report_end(&j);
}
