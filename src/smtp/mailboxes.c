/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/mailboxes.h"

static bool at(struct slice s, char c)
{
        return s.n && s.p[0] == c;
}

static void advance(struct slice *s, size_t n)
{
        *s = slice_from(*s, n);
}

/* One comment; false where it has no end or is nested too deep. */
static bool skip_comment(struct slice *s)
{
        size_t depth = 0;
        while (s->n) {
                char c = s->p[0];
                if (c == '\\' && s->n < 2)
                        return false;
                advance(s, c == '\\' ? 2 : 1);
                if (c == '(' && ++depth > SMTP_COMMENTS_MOST)
                        return false;
                if (c == ')' && --depth == 0)
                        return true;
        }
        return false;
}

/* Blanks and comments. */
static bool skip_blank(struct slice *s)
{
        while (s->n) {
                if (at(*s, ' ') || at(*s, '\t'))
                        advance(s, 1);
                else if (!at(*s, '('))
                        return true;
                else if (!skip_comment(s))
                        return false;
        }
        return true;
}

static bool skip_quoted(struct slice *s)
{
        advance(s, 1);
        while (s->n) {
                char c = s->p[0];
                if (c == '\\' && s->n < 2)
                        return false;
                advance(s, c == '\\' ? 2 : 1);
                if (c == '"')
                        return true;
        }
        return false;
}

static bool is_word_byte(char c)
{
        unsigned char u = (unsigned char)c;
        return u >= 0x80 || (u > 0x20 && u < 0x7F && !strchr("()<>@,;:\\\"[]", c));
}

/* A name: atoms (dots too, as everybody writes them), quoted strings, comments. *words says whether there was any. */
static bool skip_name(struct slice *s, bool *words)
{
        *words = false;
        for (;;) {
                if (!skip_blank(s))
                        return false;
                if (at(*s, '"')) {
                        if (!skip_quoted(s))
                                return false;
                } else if (s->n && is_word_byte(s->p[0])) {
                        while (s->n && is_word_byte(s->p[0]))
                                advance(s, 1);
                } else {
                        return true;
                }
                *words = true;
        }
}

static bool add(struct smtp_mailboxes *m, const struct smtp_path *p)
{
        if (m->n == SMTP_MAILBOXES_MOST)
                return false;
        m->path[m->n++] = *p;
        return true;
}

/* What may stand behind a mailbox. */
static bool is_end(struct slice s, bool in_group)
{
        return s.n == 0 || at(s, ',') || (in_group && at(s, ';'));
}

static bool read_angle(struct slice *s, struct smtp_mailboxes *m)
{
        struct smtp_path p;
        advance(s, 1);
        if (!skip_blank(s) || !smtp_mailbox_parse(s, &p) || !skip_blank(s) || !at(*s, '>'))
                return false;
        advance(s, 1);
        return skip_blank(s) && add(m, &p);
}

/* A mailbox; or the name of a group with its colon, then *group is set. */
static bool read_one(struct slice *s, bool in_group, bool *group, struct smtp_mailboxes *m)
{
        struct slice ahead = *s;
        struct smtp_path p;
        bool words;
        *group = false;
        if (smtp_mailbox_parse(&ahead, &p)) {
                if (!skip_blank(&ahead))
                        return false;
                bool name = at(ahead, '<');
                if (name || is_end(ahead, in_group)) {
                        *s = ahead;
                        return add(m, &p) && (!name || (read_angle(s, m) && is_end(*s, in_group)));
                }
                return false;
        }
        if (!skip_name(s, &words))
                return false;
        if (at(*s, '<'))
                return read_angle(s, m) && is_end(*s, in_group);
        *group = words && !in_group && at(*s, ':');
        return *group;
}

bool smtp_mailboxes_parse(struct slice value, struct smtp_mailboxes *ret)
{
        bool in_group = false;
        ret->n = 0;
        for (;;) {
                bool group = false;
                if (!skip_blank(&value))
                        return false;
                if (in_group && at(value, ';')) {
                        in_group = false;
                        advance(&value, 1);
                        if (!skip_blank(&value) || !is_end(value, false))
                                return false;
                } else if (!read_one(&value, in_group, &group, ret)) {
                        return false;
                }
                if (group) {
                        in_group = true;
                        advance(&value, 1);
                } else if (at(value, ',')) {
                        advance(&value, 1);
                } else if (value.n == 0) {
                        return !in_group;
                }
        }
}
