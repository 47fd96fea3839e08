/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words, fields and hosts: what the lines of Exim are made of (specification, chapter "Log files", and what receive.c, deliver.c, acl.c and
 * smtp_in.c of 4.9x write). */
#include "maillog/exim_inside.h"

#include <stddef.h>

static bool is_digit(char c)
{
        return (unsigned)(c - '0') < 10;
}

bool exim_word(struct slice *s, struct slice *ret)
{
        bool quoted = false;
        size_t i = 0;
        for (; i < s->n && (quoted || s->p[i] != ' '); i++) {
                if (s->p[i] == '"')
                        quoted = !quoted;
                else if (s->p[i] == '\\')
                        i++;
        }
        if (quoted || i == 0 || i > s->n)
                return false;
        *ret = (struct slice){ s->p, i };
        *s = slice_from(*s, i);
        return true;
}

void exim_give_colon(struct slice *s, struct slice *word)
{
        if (!s->n || word->n < 2 || word->p[word->n - 1] != ':')
                return;
        word->n--;
        *s = (struct slice){ s->p - 1, s->n + 1 };
}

struct slice exim_bare(struct slice s)
{
        bool both = s.n >= 2 && *s.p == '<' && s.p[s.n - 1] == '>';
        return both ? (struct slice){ s.p + 1, s.n - 2 } : s;
}

/* How many bytes of "KEY=" or "FLAG" stand at the start; 0: none. Keys are short and begin with a capital, but for "id" and "id*". */
static size_t key_of(struct slice s)
{
        enum { LONGEST = 6 };
        size_t i = 0;
        if (slice_starts(s, S("id=")) || slice_starts(s, S("id*=")))
                return s.p[2] == '=' ? 3 : 4;
        while (i < s.n && i <= LONGEST && ((s.p[i] >= 'A' && s.p[i] <= 'Z') || (i && is_digit(s.p[i]))))
                i++;
        if (i == 0 || i > LONGEST)
                return 0;
        if (i < s.n && s.p[i] == '=')
                return i + 1;
        while (i < s.n && (s.p[i] == '.' || s.p[i] == '-' || s.p[i] == '*')) /* "L.-": PIPELINING offered, not used */
                i++;
        return i == s.n || s.p[i] == ' ' || s.p[i] == ':' ? i : 0;
}

bool exim_field(struct slice *s, struct slice *key, struct slice *value, bool *end)
{
        struct slice at = *s;
        *end = false;
        size_t n = scan_take(&at, S(" ")) ? key_of(at) : 0;
        if (!n)
                return false;
        bool flag = at.p[n - 1] != '=';
        *key = (struct slice){ at.p, n - !flag };
        at = slice_from(at, n);
        *value = (struct slice){ at.p, 0 };
        if (!flag && !exim_word(&at, value))
                return false;
        if (flag)
                *end = scan_take(&at, S(":"));
        else if (value->p[value->n - 1] == ':' && at.n) /* " H=mx [192.0.2.1]: text" */
                *end = true, value->n--;
        if (*end && !scan_take(&at, S(" ")))
                return false;
        *s = at;
        return true;
}

/* --- hosts --- */

bool exim_address(struct slice *s, struct mail_peer *ret)
{
        size_t i = 1;
        bool punctuated = false;
        if (s->n < 2 || *s->p != '[')
                return false;
        for (; i < s->n && s->p[i] != ']'; i++) {
                char c = s->p[i];
                if (!is_digit(c) && c != '.' && c != ':' && c != '%' && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
                        return false;
                punctuated = punctuated || c == '.' || c == ':';
        }
        if (i == s->n || !punctuated)
                return false;
        ret->address = (struct slice){ s->p + 1, i - 1 };
        size_t port = ++i;
        if (i + 1 < s->n && s->p[i] == ':' && is_digit(s->p[i + 1]))
                for (port = ++i; i < s->n && is_digit(s->p[i]);)
                        i++;
        ret->port = (struct slice){ s->p + port, i - port };
        *s = slice_from(*s, i);
        return true;
}

/* What stands before the address: "", "name ", "(helo) ", "name (helo) ". */
static bool take_names(struct slice s, struct mail_event *ret)
{
        size_t n = slice_find(s, ' ');
        ret->client.name = ret->helo = (struct slice){ s.p, 0 };
        if (s.n && *s.p != '(') {
                ret->client.name.n = n;
                if (n == s.n || memchr(s.p, '[', n))
                        return false;
                s = slice_from(s, n + 1);
        }
        if (!s.n)
                return true;
        if (*s.p != '(' || s.n < 3 || !slice_ends(s, S(") ")))
                return false;
        ret->helo = (struct slice){ s.p + 1, s.n - 3 };
        return true;
}

/* The next address from *from on that can be the host's, with what stands before it; *rest gets what follows. */
static bool next_host(struct slice s, size_t *from, struct mail_event *ret, struct slice *rest)
{
        while (*from < s.n) {
                const char *p = memchr(s.p + *from, '[', s.n - *from);
                if (!p)
                        return false;
                size_t at = (size_t)(p - s.p);
                *from = at + 1;
                *rest = slice_from(s, at);
                if (take_names((struct slice){ s.p, at }, ret) && exim_address(rest, &ret->client))
                        return true;
        }
        return false;
}

unsigned exim_host(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        const struct mail_event before = *ret;
        struct mail_event found = before;
        struct mail_peer only = { 0 };
        struct slice behind;
        unsigned ways = 0, hosts = 0;
        for (size_t from = 0; hosts <= EXIM_WAYS; hosts++) {
                struct mail_event e = before;
                if (!next_host(s, &from, &e, &behind))
                        break;
                only = e.client;
                if (!rest->read(behind, rest, &e))
                        continue;
                if (ways++ == 0)
                        found = e;
                else if (found.kind != e.kind) /* not even what it is can be told */
                        found.kind = MAIL_NOTE;
        }
        if (hosts > EXIM_WAYS)
                ways = 2;
        if (ways == 1) {
                *ret = found;
                return 1;
        }
        ret->odd = true;
        ret->kind = found.kind;
        ret->stage = found.stage;
        if (hosts == 1)
                ret->client = only;
        return ways;
}

/* --- arrivals --- */

struct known {
        struct slice key;
        size_t at; /* of a slice in struct mail_event */
};

/* "plain:login:sender": the method, and who; the third part (smtp_mailauth) is what the client claims. */
void exim_login(struct slice value, struct mail_event *ret)
{
        struct slice rest;
        ret->method = slice_cut(value, ':', &rest);
        if (rest.p)
                ret->login = slice_cut(rest, ':', &rest);
}

static bool take_arrival_field(struct slice key, struct slice value, struct mail_event *ret)
{
        static const struct known rows[] = { { S("id"), offsetof(struct mail_event, message_id) },
                                             { S("id*"), offsetof(struct mail_event, message_id) },
                                             { S("R"), offsetof(struct mail_event, other_id) } };
        if (slice_eq(key, S("A")))
                exim_login(value, ret);
        if (slice_eq(key, S("S")))
                return slice_u64(value, UINT64_MAX / 2, &ret->size);
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (slice_eq(key, rows[i].key))
                        *(struct slice *)((char *)ret + rows[i].at) = value;
        return !slice_eq(key, S("H"));
}

/* " I=[…] U=… P=esmtpsa X=… A=plain:login S=size id=… T="subject" from <sender> for one two", to the end of the line. */
static bool arrival_rest(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        struct slice key, value;
        bool end, protocol = false, size = false;
        (void)rest;
        while (exim_field(&s, &key, &value, &end)) {
                if (end || !take_arrival_field(key, value, ret))
                        return false;
                protocol = protocol || slice_eq(key, S("P"));
                size = size || slice_eq(key, S("S"));
        }
        if (scan_take(&s, S(" from ")) && (!exim_word(&s, &value) || *value.p != '<'))
                return false;
        if (scan_take(&s, S(" for")))
                for (; scan_take(&s, S(" ")); ret->nrcpt++)
                        if (!exim_word(&s, &value) || !memchr(value.p, '@', value.n))
                                return false;
        return !s.n && protocol && size;
}

void exim_arrival(struct slice s, struct mail_event *ret)
{
        static const struct exim_rest rest = { .read = arrival_rest };
        struct slice sender, reference = { 0 };
        struct mail_event before = *ret;
        bool good = exim_word(&s, &sender) && (!scan_take(&s, S(" R=")) || exim_word(&s, &reference));
        if (good)
                good = scan_take(&s, S(" H=")) ? exim_host(s, &rest, ret) == 1 : arrival_rest(s, &rest, ret);
        if (good) {
                ret->from = exim_bare(sender);
                ret->other_id = reference;
                return;
        }
        before.client = ret->odd ? ret->client : before.client;
        before.odd = true;
        *ret = before;
}
