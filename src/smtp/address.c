/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/address.h"

#include "base/prefix.h"

static bool is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322 3.2.3 */
static bool is_atext(char c)
{
        return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Bytes of one letter of an atom here; 0 where there is none. */
static size_t atom_letter(struct slice s, bool *utf8)
{
        size_t n = s.n == 0 ? 0 : is_atext(s.p[0]) ? 1 : slice_utf8(s);
        *utf8 |= n > 1;
        return n;
}

/* U+3002, U+FF0E, U+FF61: other programs take these for dots (RFC 3490 3.1). */
static bool is_foreign_dot(struct slice s)
{
        return slice_starts(s, S("\xE3\x80\x82")) || slice_starts(s, S("\xEF\xBC\x8E")) ||
               slice_starts(s, S("\xEF\xBD\xA1"));
}

static size_t label_letter(struct slice s, bool *utf8)
{
        if (s.n == 0 || is_foreign_dot(s))
                return 0;
        size_t n = is_alnum(s.p[0]) || s.p[0] == '-' || s.p[0] == '_' ? 1 : slice_utf8(s);
        *utf8 |= n > 1;
        return n;
}

/* How many bytes of words with single dots between them stand here; 0 where none or a dot is astray. */
static size_t dotted(struct slice s, size_t (*letter)(struct slice, bool *), bool *utf8)
{
        size_t at = 0, word = 0;
        for (size_t n; at < s.n; at += n) {
                n = letter(slice_from(s, at), utf8);
                word += n;
                if (n)
                        continue;
                if (s.p[at] != '.')
                        break;
                if (word == 0)
                        return 0;
                word = 0;
                n = 1;
        }
        return word ? at : 0;
}

/* A quoted string with its quotes (RFC 5321 4.1.2); 0 where none. */
static size_t quoted(struct slice s, bool *utf8)
{
        if (s.n == 0 || s.p[0] != '"')
                return 0;
        for (size_t at = 1, n; at < s.n; at += n) {
                unsigned char c = (unsigned char)s.p[at];
                if (c == '"')
                        return at + 1;
                unsigned char next = c == '\\' && at + 1 < s.n ? (unsigned char)s.p[at + 1] : 0x20;
                n = c == '\\' ? 2 : c < 0x80 ? 1 : slice_utf8(slice_from(s, at));
                if (n == 0 || at + n > s.n || c < 0x20 || c == 0x7F || next < 0x20 || next >= 0x7F)
                        return 0;
                *utf8 |= c >= 0x80;
        }
        return 0;
}

static bool labels_fit(struct slice domain)
{
        struct slice rest = domain;
        while (rest.p) {
                struct slice label = slice_cut(rest, '.', &rest);
                if (label.n > SMTP_LABEL_MOST || label.p[0] == '-' || label.p[label.n - 1] == '-')
                        return false;
        }
        return true;
}

/* [ret's] length of a domain here; 0 where none. */
static size_t domain_length(struct slice s, bool *utf8)
{
        size_t n = dotted(s, label_letter, utf8);
        return n <= SMTP_DOMAIN_MOST && n && labels_fit((struct slice){ s.p, n }) ? n : 0;
}

bool smtp_domain_valid(struct slice s)
{
        bool utf8 = false;
        return s.n && domain_length(s, &utf8) == s.n;
}

static bool literal_address(struct slice s, struct addr *ret)
{
        if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
                return false;
        struct slice inside = { s.p + 1, s.n - 2 };
        if (inside.n > 5 && slice_ieq((struct slice){ inside.p, 5 }, S("IPv6:"))) {
                inside = slice_from(inside, 5);
                return slice_find(inside, ':') < inside.n && addr_parse(inside, ret);
        }
        return slice_find(inside, ':') == inside.n && addr_parse(inside, ret);
}

bool smtp_literal_valid(struct slice s)
{
        struct addr a;
        return literal_address(s, &a);
}

bool smtp_mailbox_parse(struct slice *in, struct smtp_path *ret)
{
        struct smtp_path p = { .null = false };
        size_t n = quoted(*in, &p.utf8);
        p.quoted = n > 0;
        if (!p.quoted)
                n = dotted(*in, atom_letter, &p.utf8);
        if (n == 0 || n > SMTP_LOCAL_MOST || n == in->n || in->p[n] != '@')
                return false;
        p.local = (struct slice){ in->p, n };
        struct slice rest = slice_from(*in, n + 1);
        p.literal = rest.n && rest.p[0] == '[';
        size_t m;
        if (p.literal) {
                m = slice_find(rest, ']') + 1;
                if (m > rest.n || !smtp_literal_valid((struct slice){ rest.p, m }))
                        return false;
        } else {
                m = domain_length(rest, &p.utf8);
        }
        if (m == 0 || n + 1 + m > SMTP_ADDRESS_MOST)
                return false;
        p.domain = (struct slice){ rest.p, m };
        *ret = p;
        *in = slice_from(rest, m);
        return true;
}

bool smtp_address_parse(struct slice s, struct smtp_path *ret)
{
        struct smtp_path p;
        if (!smtp_mailbox_parse(&s, &p) || s.n)
                return false;
        *ret = p;
        return true;
}

/* "@one,@two:" before the mailbox (RFC 5321 4.1.2 A-d-l). */
static bool skip_route(struct slice *in)
{
        struct slice s = *in;
        bool utf8 = false;
        if (s.n == 0 || s.p[0] != '@')
                return true;
        while (s.n && s.p[0] == '@') {
                s = slice_from(s, 1);
                size_t n = domain_length(s, &utf8);
                if (n == 0 || n == s.n || (s.p[n] != ',' && s.p[n] != ':'))
                        return false;
                bool last = s.p[n] == ':';
                s = slice_from(s, n + 1);
                if (last) {
                        *in = s;
                        return true;
                }
        }
        return false;
}

static bool is_postmaster(struct slice s)
{
        size_t n = S("postmaster").n;
        return s.n > n && s.p[n] == '>' && slice_ieq((struct slice){ s.p, n }, S("postmaster"));
}

bool smtp_path_parse(struct slice *in, struct smtp_path *ret)
{
        struct smtp_path p = { .null = true };
        struct slice s = *in;
        if (s.n == 0 || s.p[0] != '<') {
                if (!smtp_mailbox_parse(&s, &p) || (s.n && s.p[0] != ' '))
                        return false;
        } else if (slice_starts(s, S("<>"))) {
                s = slice_from(s, 2);
        } else {
                s = slice_from(s, 1);
                if (is_postmaster(s)) {
                        p = (struct smtp_path){ .local = { s.p, S("postmaster").n } };
                        s = slice_from(s, p.local.n);
                } else if (!skip_route(&s) || !smtp_mailbox_parse(&s, &p)) {
                        return false;
                }
                if (s.n == 0 || s.p[0] != '>')
                        return false;
                s = slice_from(s, 1);
        }
        *in = s;
        *ret = p;
        return true;
}

void smtp_path_print(const struct smtp_path *p, struct buf *out)
{
        buf_add(out, p->local);
        if (p->domain.n) {
                buf_addc(out, '@');
                buf_add(out, p->domain);
        }
}

static void add_small(struct buf *out, struct slice s)
{
        for (size_t i = 0; i < s.n; i++)
                buf_addc(out, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
}

/* The local part without quotes where it can do without, else with no more than it needs. */
static void add_local(struct buf *out, const struct smtp_path *p)
{
        char text[SMTP_LOCAL_MOST];
        size_t n = 0;
        bool utf8 = false;
        if (!p->quoted) {
                add_small(out, p->local);
                return;
        }
        for (size_t i = 1; i < p->local.n - 1; i++) {
                if (p->local.p[i] == '\\')
                        i++;
                text[n++] = p->local.p[i];
        }
        struct slice plain = { text, n };
        if (n && dotted(plain, atom_letter, &utf8) == n) {
                add_small(out, plain);
                return;
        }
        buf_addc(out, '"');
        for (size_t i = 0; i < n; i++) {
                if (text[i] == '"' || text[i] == '\\')
                        buf_addc(out, '\\');
                add_small(out, (struct slice){ text + i, 1 });
        }
        buf_addc(out, '"');
}

void smtp_path_canonical(const struct smtp_path *p, struct buf *out)
{
        struct addr a;
        char text[ADDR_TEXT_MAX];
        if (p->null)
                return;
        add_local(out, p);
        if (!p->domain.n)
                return;
        buf_addc(out, '@');
        if (p->literal && literal_address(p->domain, &a))
                buf_addf(out, "[%s%s]", addr_is_v4(&a) ? "" : "ipv6:", addr_print(&a, text));
        else
                add_small(out, p->domain);
}
