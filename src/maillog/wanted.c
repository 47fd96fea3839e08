/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/wanted.h"

#include "base/map.h"
#include "maillog/postfix.h"

#include <stdio.h>

enum { HASHED_MOST = 1024, ID_MOST = 20 };

#define NAME(id, name) S(name),
static const struct slice names[] = { WANTED_KINDS(NAME) };

const char *wanted_kind_name(enum wanted_kind kind)
{
        return names[kind].p;
}

/* --- what was asked for --- */

static bool is_id(struct slice s)
{
        char text[ID_MOST + 1];
        if (s.n > ID_MOST)
                return false;
        memcpy(text, s.p, s.n);
        text[s.n] = ':';
        return s.n && postfix_queue_id((struct slice){ text, s.n + 1 }) == s.n;
}

static bool form_fits(struct wanted *w)
{
        struct slice s = w->text;
        bool brackets = s.n > 2 && *s.p == '<' && s.p[s.n - 1] == '>';
        switch (w->kind) {
        case WANTED_ADDRESS:
                return s.n > 2 && !brackets && memchr(s.p, '@', s.n);
        case WANTED_ID:
                return is_id(s);
        case WANTED_MESSAGE_ID:
                return brackets;
        case WANTED_CLIENT:
                return addr_parse(s, &w->client);
        default:
                return s.n > 0;
        }
}

bool wanted_parse(struct slice given, struct wanted *ret)
{
        struct slice rest, word = slice_cut(given, ':', &rest);
        for (size_t i = 0; i < WANTED_KINDS_ALL; i++) {
                *ret = (struct wanted){ .kind = (enum wanted_kind)i, .text = rest };
                if (rest.p && slice_eq(word, names[i]))
                        return form_fits(ret);
        }
        for (size_t i = 0; i < WANTED_LOGIN; i++) { /* any word could be a login: it must be said */
                *ret = (struct wanted){ .kind = (enum wanted_kind)i, .text = given };
                if (form_fits(ret))
                        return true;
        }
        return false;
}

struct slice wanted_literal(const struct wanted *w, char room[ADDR_TEXT_MAX])
{
        return w->kind == WANTED_CLIENT ? slice_of(addr_print(&w->client, room)) : w->text;
}

/* --- what an event has --- */

/* Of all others, the peer is the server that mail is handed to, or one of which no message comes. */
static bool says_client(enum mail_kind kind)
{
        return kind == MAIL_CLIENT || kind == MAIL_REJECT || kind == MAIL_ACTION || kind == MAIL_AUTH_FAILED;
}

size_t wanted_fields(const struct mail_event *e, struct wanted ret[WANTED_FIELDS])
{
        const struct wanted all[] = {
                { .kind = WANTED_ID, .text = e->queue_id }, { .kind = WANTED_ADDRESS, .text = e->from },
                { .kind = WANTED_ADDRESS, .text = e->to },  { .kind = WANTED_ADDRESS, .text = e->orig_to },
                { .kind = WANTED_LOGIN, .text = e->login }, { .kind = WANTED_MESSAGE_ID, .text = e->message_id }
        };
        size_t n = 0;
        for (size_t i = 0; i < COUNT_OF(all); i++)
                if (all[i].text.n)
                        ret[n++] = all[i];
        ret[n] = (struct wanted){ .kind = WANTED_CLIENT };
        if (says_client(e->kind) && addr_parse(e->client.address, &ret[n].client))
                n++;
        return n;
}

static bool is_who(enum wanted_kind kind)
{
        return kind == WANTED_ADDRESS || kind == WANTED_LOGIN;
}

static bool holds(const struct wanted *w, const struct wanted *field)
{
        if (w->kind == WANTED_CLIENT)
                return field->kind == WANTED_CLIENT && addr_cmp(&w->client, &field->client) == 0;
        if (is_who(w->kind))
                return (w->kind == field->kind || field->kind == WANTED_LOGIN) && slice_ieq(w->text, field->text);
        return w->kind == field->kind && slice_eq(w->text, field->text);
}

uint32_t wanted_in(const struct wanted *w, size_t n, const struct mail_event *e)
{
        struct wanted fields[WANTED_FIELDS];
        size_t there = wanted_fields(e, fields);
        uint32_t mask = 0;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < there; k++)
                        mask |= holds(&w[i], &fields[k]) ? UINT32_C(1) << i : 0;
        return mask;
}

uint64_t wanted_hash(const uint8_t key[16], const struct wanted *w)
{
        char bytes[HASHED_MOST];
        size_t n = 1;
        struct slice s =
            w->kind == WANTED_CLIENT ? (struct slice){ (const char *)w->client.b, sizeof w->client.b } : w->text;
        bytes[0] = (char)(is_who(w->kind) ? WANTED_ADDRESS : w->kind);
        for (size_t i = 0; i < s.n && n < sizeof bytes; i++, n++)
                bytes[n] = is_who(w->kind) && s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
        uint64_t hash = hash_with_key(key, (struct slice){ bytes, n });
        return hash ? hash : 1; /* 0 is none */
}
