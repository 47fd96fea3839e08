/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/command.h"

#include "smtp/xtext.h"

#define VERB_ROW(verb, needs) [SMTP_VERB_##verb] = { S(#verb), needs },
static const struct {
        struct slice name;
        unsigned needs;
} verbs[SMTP_VERB_COUNT] = {
        SMTP_VERBS(VERB_ROW)[SMTP_VERB_HTTP] = { .needs = SMTP_NOT_HERE }, [SMTP_VERB_OTHER] = { .needs =
                                                                                                     SMTP_NOT_HERE }
};

/* First words of HTTP requests, and of the lines that follow where the first was taken for a command. */
static bool is_http(struct slice word)
{
        static const struct slice words[] = { S("GET"),     S("POST"),   S("PUT"),     S("HEAD"),
                                              S("OPTIONS"), S("DELETE"), S("CONNECT"), S("PATCH"),
                                              S("TRACE"),   S("Host:"),  S("PRI"),     S("User-Agent:") };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (slice_ieq(word, words[i]))
                        return true;
        return false;
}

static struct slice blanks_off(struct slice s)
{
        while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
                s = slice_from(s, 1);
        while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
                s.n--;
        return s;
}

enum smtp_verb smtp_command_parse(struct slice line, struct slice *args)
{
        struct slice word = slice_cut(line, ' ', args);
        *args = blanks_off(*args);
        for (enum smtp_verb v = 0; v < SMTP_VERB_HTTP; v++)
                if (slice_ieq(word, verbs[v].name))
                        return v;
        return is_http(word) ? SMTP_VERB_HTTP : SMTP_VERB_OTHER;
}

unsigned smtp_verb_needs(enum smtp_verb verb)
{
        return verbs[verb].needs;
}

/* ---- parameters: KEYWORD or KEYWORD=value (RFC 5321 4.1.2) ---- */

/* The next one; false at the end. *value has p NULL where there is no "=". */
static bool next_parameter(struct slice *s, struct slice *key, struct slice *value)
{
        *s = blanks_off(*s);
        if (s->n == 0)
                return false;
        struct slice word = slice_cut(*s, ' ', s);
        *key = slice_cut(word, '=', value);
        return true;
}

enum { IS_SIZE, IS_BODY, IS_UTF8, IS_RET, IS_ENVID, IS_AUTH, IS_NOTIFY, IS_ORCPT, PARAMETERS };

static const struct parameter {
        struct slice key;
        unsigned extension;
        bool of_rcpt;
} parameters[PARAMETERS] = {
        [IS_SIZE] = { S("SIZE"), SMTP_EXT_SIZE, false },         [IS_BODY] = { S("BODY"), SMTP_EXT_8BITMIME, false },
        [IS_UTF8] = { S("SMTPUTF8"), SMTP_EXT_SMTPUTF8, false }, [IS_RET] = { S("RET"), SMTP_EXT_DSN, false },
        [IS_ENVID] = { S("ENVID"), SMTP_EXT_DSN, false },        [IS_AUTH] = { S("AUTH"), SMTP_EXT_AUTH, false },
        [IS_NOTIFY] = { S("NOTIFY"), SMTP_EXT_DSN, true },       [IS_ORCPT] = { S("ORCPT"), SMTP_EXT_DSN, true },
};

/* Which parameter it is, each at most once. */
static enum smtp_args find_parameter(struct slice key, bool of_rcpt, unsigned offered, unsigned *seen, size_t *which)
{
        for (size_t i = 0; i < PARAMETERS; i++) {
                const struct parameter *p = &parameters[i];
                if (p->of_rcpt != of_rcpt || !slice_ieq(key, p->key))
                        continue;
                if (!(offered & p->extension))
                        return SMTP_ARGS_UNKNOWN;
                if (*seen & 1u << i)
                        return SMTP_ARGS_SYNTAX;
                *seen |= 1u << i;
                *which = i;
                return SMTP_ARGS_OK;
        }
        return SMTP_ARGS_UNKNOWN;
}

/* xtext of a mailbox, or "<>" (RFC 4954 5). Unquoted mailboxes come from programs that have not read it; they do no harm. */
static bool read_auth(struct slice value, struct slice *ret)
{
        *ret = value;
        return slice_eq(value, S("<>")) || (value.n && value.n <= SMTP_ORCPT_MOST && smtp_xtext_valid(value));
}

static bool read_of_mail(size_t which, struct slice value, struct smtp_mail *m)
{
        switch (which) {
        case IS_SIZE: /* RFC 1870 6: 20 digits */
                return value.n <= 20 && slice_u64(value, UINT64_MAX, &m->size);
        case IS_BODY:
                m->body = slice_ieq(value, S("8BITMIME")) ? SMTP_BODY_8BITMIME
                          : slice_ieq(value, S("7BIT"))   ? SMTP_BODY_7BIT
                                                          : SMTP_BODY_UNSAID;
                return m->body != SMTP_BODY_UNSAID;
        case IS_UTF8:
                m->utf8 = true;
                return value.p == NULL;
        case IS_RET:
                m->ret = slice_ieq(value, S("FULL"))   ? SMTP_RET_FULL
                         : slice_ieq(value, S("HDRS")) ? SMTP_RET_HDRS
                                                       : SMTP_RET_UNSAID;
                return m->ret != SMTP_RET_UNSAID;
        case IS_ENVID:
                m->envid = value;
                return value.n && value.n <= SMTP_ENVID_MOST && smtp_xtext_valid(value);
        default:
                return read_auth(value, &m->auth);
        }
}

/* "FROM:" or "TO:", a path, and what follows it. */
static enum smtp_args read_path(struct slice *args, struct slice keyword, struct smtp_path *ret)
{
        if (args->n < keyword.n || !slice_ieq((struct slice){ args->p, keyword.n }, keyword))
                return SMTP_ARGS_SYNTAX;
        *args = blanks_off(slice_from(*args, keyword.n));
        if (!smtp_path_parse(args, ret))
                return SMTP_ARGS_ADDRESS;
        return args->n && args->p[0] != ' ' ? SMTP_ARGS_SYNTAX : SMTP_ARGS_OK;
}

enum smtp_args smtp_mail_parse(struct slice args, unsigned offered, struct smtp_mail *ret)
{
        struct smtp_mail m = { .size = 0 };
        struct slice key, value;
        unsigned seen = 0;
        enum smtp_args wrong = read_path(&args, S("FROM:"), &m.from);
        while (!wrong && next_parameter(&args, &key, &value)) {
                size_t which;
                wrong = find_parameter(key, false, offered, &seen, &which);
                if (!wrong && !read_of_mail(which, value, &m))
                        wrong = SMTP_ARGS_SYNTAX;
        }
        if (!wrong && !m.from.null && m.from.domain.n == 0)
                wrong = SMTP_ARGS_ADDRESS; /* <Postmaster> is a recipient only */
        if (!wrong && m.from.utf8 && !m.utf8)
                wrong = SMTP_ARGS_UTF8;
        if (!wrong)
                *ret = m;
        return wrong;
}

static bool read_notify(struct slice value, unsigned *ret)
{
        static const struct slice names[] = { S("NEVER"), S("SUCCESS"), S("FAILURE"), S("DELAY") };
        unsigned bits = 0;
        while (value.p) {
                struct slice word = slice_cut(value, ',', &value);
                unsigned bit = 0;
                for (size_t i = 0; i < COUNT_OF(names); i++)
                        if (slice_ieq(word, names[i]))
                                bit = 1u << i;
                if (!bit || bits & bit)
                        return false;
                bits |= bit;
        }
        *ret = bits;
        return bits && (!(bits & SMTP_NOTIFY_NEVER) || bits == SMTP_NOTIFY_NEVER);
}

/* addr-type ";" xtext (RFC 3461 4.2) */
static bool read_orcpt(struct slice value, struct slice *ret)
{
        struct slice text, type = slice_cut(value, ';', &text);
        *ret = value;
        return type.n && text.n && value.n <= SMTP_ORCPT_MOST && smtp_xtext_valid(type) && smtp_xtext_valid(text);
}

enum smtp_args smtp_rcpt_parse(struct slice args, unsigned offered, bool utf8, struct smtp_rcpt *ret)
{
        struct smtp_rcpt r = { .notify = 0 };
        struct slice key, value;
        unsigned seen = 0;
        enum smtp_args wrong = read_path(&args, S("TO:"), &r.to);
        while (!wrong && next_parameter(&args, &key, &value)) {
                size_t which;
                wrong = find_parameter(key, true, offered, &seen, &which);
                if (!wrong && !(which == IS_NOTIFY ? read_notify(value, &r.notify) : read_orcpt(value, &r.orcpt)))
                        wrong = SMTP_ARGS_SYNTAX;
        }
        if (!wrong && r.to.null)
                wrong = SMTP_ARGS_ADDRESS;
        if (!wrong && r.to.utf8 && !utf8)
                wrong = SMTP_ARGS_UTF8;
        if (!wrong)
                *ret = r;
        return wrong;
}

#define XCLIENT_NAME(name) #name,
const char *smtp_xclient_name(enum smtp_xclient_attribute a)
{
        static const char *const names[] = { SMTP_XCLIENT(XCLIENT_NAME) };
        return names[a];
}

enum smtp_args smtp_xclient_parse(struct slice args, struct smtp_xclient *ret)
{
        struct smtp_xclient x = { .value = { { NULL, 0 } } };
        struct slice key, value;
        while (next_parameter(&args, &key, &value)) {
                size_t a = 0;
                while (a < SMTP_XCLIENT_COUNT && !slice_ieq(key, slice_of(smtp_xclient_name(a))))
                        a++;
                if (a == SMTP_XCLIENT_COUNT || x.value[a].p || !value.n || value.n > SMTP_HELO_MOST ||
                    !smtp_xtext_valid(value))
                        return SMTP_ARGS_SYNTAX;
                x.value[a] = value;
        }
        *ret = x;
        return SMTP_ARGS_OK;
}

/* ---- copies ---- */

static struct slice put_copy(char **at, struct slice s)
{
        if (!s.p)
                return s;
        memcpy(*at, s.p, s.n);
        struct slice copy = { *at, s.n };
        *at += s.n;
        return copy;
}

char *smtp_mail_copy(const struct smtp_mail *m, struct smtp_mail *ret)
{
        char *all = xmalloc(m->from.local.n + m->from.domain.n + m->envid.n + m->auth.n + 1), *at = all;
        *ret = *m;
        ret->from.local = put_copy(&at, m->from.local);
        ret->from.domain = put_copy(&at, m->from.domain);
        ret->envid = put_copy(&at, m->envid);
        ret->auth = put_copy(&at, m->auth);
        return all;
}

char *smtp_rcpt_copy(const struct smtp_rcpt *r, struct smtp_rcpt *ret)
{
        char *all = xmalloc(r->to.local.n + r->to.domain.n + r->orcpt.n + 1), *at = all;
        *ret = *r;
        ret->to.local = put_copy(&at, r->to.local);
        ret->to.domain = put_copy(&at, r->to.domain);
        ret->orcpt = put_copy(&at, r->orcpt);
        return all;
}
