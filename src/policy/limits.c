/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/limits.h"
#include "base/size.h"

#include <stdio.h>

static const struct row {
        const char *name;
        bool size;
        int64_t low, high;
} rows[] = {
        [MAIL_LIMIT_QUOTA] = { "quota", true, MAIL_QUOTA_LEAST, SIZE_BYTES_MOST },
        [MAIL_LIMIT_MESSAGES_HOUR] = { "messages-hour", false, 0, LIMIT_COUNT_MOST },
        [MAIL_LIMIT_MESSAGES_DAY] = { "messages-day", false, 0, LIMIT_COUNT_MOST },
        [MAIL_LIMIT_RECIPIENTS_HOUR] = { "recipients-hour", false, 0, LIMIT_COUNT_MOST },
        [MAIL_LIMIT_RECIPIENTS_DAY] = { "recipients-day", false, 0, LIMIT_COUNT_MOST },
};

_Static_assert(COUNT_OF(rows) == MAIL_LIMIT_COUNT, "a row for each limit");

const struct mail_limits mail_limits_inherit = { { LIMIT_INHERIT, LIMIT_INHERIT, LIMIT_INHERIT, LIMIT_INHERIT,
                                                   LIMIT_INHERIT } };

const char *mail_limit_name(enum mail_limit which)
{
        return rows[which].name;
}

enum mail_limit mail_limit_of(struct slice name)
{
        size_t i = 0;
        while (i < MAIL_LIMIT_COUNT && !slice_eq(name, slice_of(rows[i].name)))
                i++;
        return (enum mail_limit)i;
}

bool mail_limit_right(enum mail_limit which, int64_t value)
{
        return value == LIMIT_NONE || value == LIMIT_INHERIT || (value >= rows[which].low && value <= rows[which].high);
}

const char *mail_limit_parse(enum mail_limit which, struct slice text, int64_t *ret)
{
        uint64_t n;
        int64_t value = 0;
        const struct row *row = &rows[which];
        if (slice_eq(text, S("none")))
                value = LIMIT_NONE;
        else if (slice_eq(text, S("inherit")))
                value = LIMIT_INHERIT;
        else if (row->size ? !size_parse(text, &value) : !slice_u64(text, (uint64_t)row->high, &n))
                value = INT64_MIN;
        else if (!row->size)
                value = (int64_t)n;
        if (!mail_limit_right(which, value))
                return row->size ? "is a size such as 500M or 2G (1M at least), none or inherit"
                                 : "is a number up to 1000000000, none or inherit";
        *ret = value;
        return NULL;
}

const char *mail_limit_print(enum mail_limit which, int64_t value, char out[LIMIT_TEXT_MAX])
{
        if (value == LIMIT_NONE)
                return "none";
        if (value == LIMIT_INHERIT)
                return "inherit";
        if (rows[which].size)
                return size_print(value, out);
        snprintf(out, LIMIT_TEXT_MAX, "%lld", (long long)value);
        return out;
}

bool mail_limits_said(const struct mail_limits *l)
{
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                if (l->v[i] != LIMIT_INHERIT)
                        return true;
        return false;
}

void mail_limits_print(const struct mail_limits *l, struct buf *out)
{
        char text[LIMIT_TEXT_MAX];
        const char *blank = "";
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++) {
                if (l->v[i] == LIMIT_INHERIT)
                        continue;
                buf_addf(out, "%s%s=%s", blank, rows[i].name, mail_limit_print((enum mail_limit)i, l->v[i], text));
                blank = " ";
        }
}

const char *mail_limits_parse_word(struct slice word, struct mail_limits *ret, enum mail_limit *which)
{
        struct slice value;
        struct slice name = slice_cut(word, '=', &value);
        *which = mail_limit_of(name);
        if (!value.p || *which == MAIL_LIMIT_COUNT)
                return "is NAME=VALUE; the names are quota, messages-hour, messages-day, recipients-hour and "
                       "recipients-day";
        return mail_limit_parse(*which, value, &ret->v[*which]);
}

const char *limit_source_name(enum limit_source s)
{
#define SOURCE_NAME(id, name) name,
        static const char *const names[] = { LIMIT_SOURCES(SOURCE_NAME) };
        return names[s];
}

struct limit_found mail_limit_find(enum mail_limit which, const struct mail_limits *mailbox,
                                   const struct mail_limits *subscriber, struct slice class, const struct policy *p)
{
        struct limit_found found = { .value = mailbox->v[which], .source = LIMIT_SOURCE_MAILBOX };
        if (found.value != LIMIT_INHERIT)
                return found;
        found = (struct limit_found){ .value = subscriber->v[which], .source = LIMIT_SOURCE_SUBSCRIBER };
        if (found.value != LIMIT_INHERIT)
                return found;
        size_t at = p ? policy_find_class(p, class) : 0;
        if (p && at < p->n_classes && p->classes[at].limits.v[which] != LIMIT_INHERIT)
                return (struct limit_found){ p->classes[at].limits.v[which], LIMIT_SOURCE_CLASS,
                                             p->classes[at].limit_places[which] };
        if (p)
                return (struct limit_found){ p->mail.limits.v[which], LIMIT_SOURCE_POLICY,
                                             p->mail.limit_places[which] };
        return (struct limit_found){ .value = LIMIT_NONE, .source = LIMIT_SOURCE_NOWHERE };
}
