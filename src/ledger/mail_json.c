/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mailboxes, aliases and domains as JSON. */
#include "ledger/json.h"

/* "messages-hour" is "messages_hour" in JSON, like all keys there. */
static const char *const limit_keys[] = { "quota", "messages_hour", "messages_day", "recipients_hour",
                                          "recipients_day" };
_Static_assert(COUNT_OF(limit_keys) == MAIL_LIMIT_COUNT, "a key for each limit");

const char *limit_key(enum mail_limit which)
{
        return limit_keys[which];
}

void limits_json(struct json *j, const char *key, const struct mail_limits *l)
{
        json_object(j, key);
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                const char *name = limit_keys[i];
                if (l->v[i] == LIMIT_NONE || l->v[i] == LIMIT_INHERIT)
                        json_cstr(j, name, l->v[i] == LIMIT_NONE ? "none" : "inherit");
                else
                        json_int(j, name, l->v[i]);
        }
        json_object_end(j);
}

void suspension_json(struct json *j, const char *key, const struct suspension *s)
{
        if (!s->since) {
                json_null(j, key);
                return;
        }
        json_object(j, key);
        json_time(j, "since", s->since);
        json_time(j, "until", s->until);
        json_int(j, "recipients_hour", s->recipients);
        json_string(j, "reason", s->reason);
        json_string(j, "author", s->author);
        json_object_end(j);
}

static void addresses(struct json *j, const char *key, const struct slice *all, size_t n)
{
        json_array(j, key);
        for (size_t i = 0; i < n; i++)
                json_string(j, NULL, all[i]);
        json_array_end(j);
}

void mailbox_json(struct json *j, const char *key, const struct mailbox *m)
{
        json_object(j, key);
        json_int(j, "number", m->number);
        json_string(j, "address", m->address);
        json_string(j, "subscriber", m->subscriber);
        json_string(j, "name", m->name);
        json_bool(j, "principal", m->principal);
        addresses(j, "forwards", m->forwards, m->n_forwards);
        json_bool(j, "keep", m->keep);
        addresses(j, "senders", m->senders, m->n_senders);
        limits_json(j, "limits", &m->limits);
        suspension_json(j, "suspended", &m->suspension);
        json_time(j, "created", m->created);
        json_object_end(j);
}

void alias_json(struct json *j, const char *key, const struct alias *v)
{
        json_object(j, key);
        json_string(j, "address", v->address);
        addresses(j, "targets", v->targets, v->n_targets);
        json_bool(j, "role", v->role);
        json_time(j, "created", v->created);
        json_object_end(j);
}

void domain_json(struct json *j, const char *key, const struct domain *d)
{
        json_object(j, key);
        json_string(j, "name", d->name);
        if (d->catch_all.n)
                json_string(j, "catch_all", d->catch_all);
        else
                json_null(j, "catch_all");
        json_int(j, "mailboxes", d->mailboxes);
        json_int(j, "aliases", d->aliases);
        json_time(j, "created", d->created);
        json_object_end(j);
}
