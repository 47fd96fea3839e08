/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/dovecot.h"
#include "maillog/scan.h"

#include <stddef.h>

/* --- "imap-login: ", "imap(user)<pid><session>: ", "lmtp(pid, user): " --- */

struct process {
        struct slice name, user;
};

static bool is_name(char c)
{
        return (c >= 'a' && c <= 'z') || c == '-' || c == '3';
}

/* The user is one who is logged in or has a mailbox; a bracket in his name ends at the last ": " that can be the end. */
static bool take_process(struct slice *s, struct process *ret)
{
        size_t n = 0;
        struct slice inside = { 0 };
        while (n < s->n && is_name(s->p[n]))
                n++;
        *ret = (struct process){ .name = { s->p, n } };
        *s = slice_from(*s, n);
        if (!n)
                return false;
        if (scan_take(s, S("(")) && !scan_until(s, S(")"), &inside))
                return false;
        while (slice_starts(*s, S("<"))) {
                struct slice skipped;
                if (!scan_angle(s, &skipped))
                        return false;
        }
        struct slice pid = slice_cut(inside, ',', &ret->user); /* 2.2: "lmtp(4711, joe)" */
        ret->user = ret->user.p ? slice_trim(ret->user) : pid;
        return scan_take(s, S(": "));
}

/* "Info: " is said in files only, the others everywhere. */
static bool take_level(struct slice *s, struct mail_event *ret)
{
        static const struct slice rows[] = { S("Warning: "), S("Error: "), S("Fatal: "), S("Panic: ") };
        scan_take(s, S("Info: "));
        if (slice_starts(*s, S("Debug: "))) {
                ret->kind = MAIL_VERBOSE;
                return true;
        }
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (scan_take(s, rows[i])) {
                        ret->kind = MAIL_WARNING;
                        ret->text = *s;
                        return true;
                }
        return false;
}

/* --- logins --- */

struct element {
        struct slice key;
        size_t at; /* of a slice in struct mail_event */
};

static const struct element elements[] = {
        { S("method"), offsetof(struct mail_event, method) },
        { S("rip"), offsetof(struct mail_event, client.address) },
        { S("rport"), offsetof(struct mail_event, client.port) },
        { S("lip"), 0 },
        { S("lport"), 0 },
        { S("mpid"), 0 },
        { S("session"), 0 },
        { S("user"), 0 },
};

static bool is_address(struct slice s)
{
        static const char digits[] = "0123456789abcdefABCDEF.:";
        bool punctuated = false;
        for (size_t i = 0; i < s.n; i++) {
                if (!memchr(digits, s.p[i], sizeof digits - 1))
                        return false;
                punctuated = punctuated || s.p[i] == '.' || s.p[i] == ':';
        }
        return punctuated;
}

/* ", method=PLAIN, rip=192.0.2.1, lip=…, TLS, session=<…>" to the end of the line. */
static bool take_elements(struct slice s, struct mail_event *ret)
{
        unsigned seen = 0;
        while (scan_take(&s, S(", "))) {
                struct slice one, value;
                if (!scan_until(&s, S(", "), &one)) {
                        one = s;
                        s = slice_from(s, s.n);
                } else {
                        s = (struct slice){ s.p - 2, s.n + 2 };
                }
                struct slice key = slice_cut(one, '=', &value);
                for (size_t i = 0; i < COUNT_OF(elements); i++) {
                        if (!value.p || !slice_eq(key, elements[i].key))
                                continue;
                        if (seen & 1u << i)
                                return false;
                        seen |= 1u << i;
                        if (elements[i].at)
                                *(struct slice *)((char *)ret + elements[i].at) = value;
                }
        }
        return !s.n && is_address(ret->client.address);
}

/* Every way in which the name can end that leaves elements has the same address, the one rip= of the line's end; which name it was is told
 * only by a single one. */
static void take_login(struct slice s, struct mail_event *ret)
{
        enum { MOST = 64 };
        const struct mail_event before = *ret;
        const char *start = s.p;
        unsigned ways = 0, ends = 0;
        for (struct slice name; ends <= MOST && scan_until(&s, S(">"), &name); ends++) {
                struct mail_event e = before;
                if (!take_elements(s, &e))
                        continue;
                e.login = (struct slice){ start, (size_t)(s.p - start) - 1 };
                *ret = e;
                ways++;
        }
        if (ways == 1 && ends <= MOST)
                return;
        if (ends > MOST)
                *ret = before;
        ret->login = (struct slice){ 0 };
        ret->odd = true;
}

/* "(auth failed, 3 attempts in 12 secs)" */
static void take_attempts(struct slice text, struct mail_event *ret)
{
        struct slice skipped;
        uint64_t n = 0;
        if (scan_until(&text, S(" failed, "), &skipped) && scan_number(&text, &n) && n < UINT32_MAX)
                ret->attempts = (uint32_t)n;
}

/* What a login process says, before its elements: Dovecot's own words. */
static void of_login(struct slice s, struct mail_event *ret)
{
        static const struct {
                struct slice starts, holds;
                enum mail_kind kind;
        } rows[] = { { S("Login"), S(""), MAIL_LOGIN },
                     { S("Logged in"), S(""), MAIL_LOGIN },
                     { S(""), S("(auth failed, "), MAIL_AUTH_FAILED },
                     { S(""), S("(authorization failed, "), MAIL_AUTH_FAILED },
                     { S(""), S("(auth service reported temporary failure"), MAIL_WARNING },
                     { S(""), S("(internal failure"), MAIL_WARNING },
                     { S(""), S(""), MAIL_NOTE } };
        struct slice said, whole = s;
        if (slice_starts(s, S("proxy(")) || !scan_until(&s, S(": user=<"), &said)) {
                ret->kind = MAIL_NOTE;
                ret->text = whole;
                return;
        }
        size_t i = 0;
        while (rows[i].holds.n ? !memmem(said.p, said.n, rows[i].holds.p, rows[i].holds.n)
                               : rows[i].starts.n && !slice_eq(said, rows[i].starts))
                i++;
        ret->kind = rows[i].kind;
        ret->text = said;
        if (ret->kind == MAIL_AUTH_FAILED)
                take_attempts(said, ret);
        take_login(s, ret);
}

/* --- deliveries --- */

/* "msgid=<…>: saved mail to INBOX", "sieve: msgid=<…>: stored mail into mailbox 'x'": the last of these words is Dovecot's. */
static bool of_delivery(struct slice s, const struct process *by, struct mail_event *ret)
{
        static const struct {
                struct slice words;
                enum mail_kind kind;
        } rows[] = { { S(": saved mail to "), MAIL_DELIVERY }, { S(": stored mail into mailbox "), MAIL_DELIVERY },
                     { S(": forwarded to "), MAIL_NOTE },      { S(": sent vacation response to "), MAIL_NOTE },
                     { S(": save failed to "), MAIL_WARNING }, { S(": rejected: "), MAIL_NOTE },
                     { S(": discarded "), MAIL_NOTE },         { S(": marked message to be discarded"), MAIL_NOTE } };
        struct slice session, rest = s;
        if (!slice_starts(s, S("msgid=")) && !slice_starts(s, S("sieve: msgid=")) &&
            (!scan_until(&rest, S(": "), &session) || memchr(session.p, ' ', session.n)))
                return false;
        s = slice_starts(s, S("msgid=")) || slice_starts(s, S("sieve: msgid=")) ? s : rest; /* 2.2: "session: msgid=" */
        scan_take(&s, S("sieve: "));
        if (!scan_take(&s, S("msgid=")))
                return false;
        struct slice found = { 0 };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct slice at = s, before;
                while (scan_until(&at, rows[i].words, &before))
                        if (!found.p || at.p > found.p) {
                                found = at;
                                ret->kind = rows[i].kind;
                                ret->message_id = (struct slice){ s.p, (size_t)(at.p - s.p) - rows[i].words.n };
                        }
        }
        if (!found.p)
                return false;
        ret->status = ret->kind == MAIL_DELIVERY ? MAIL_SENT : MAIL_NO_STATUS;
        ret->to = by->user;
        ret->text = slice_from(s, ret->message_id.n + 2);
        return true;
}

void dovecot_parse(struct slice text, struct mail_event *ret)
{
        static const struct slice notes[] = { S("imap"),       S("pop3"),       S("submission"), S("managesieve"),
                                              S("lmtp"),       S("lda"),        S("auth"),       S("auth-worker"),
                                              S("master"),     S("anvil"),      S("config"),     S("log"),
                                              S("stats"),      S("dict"),       S("indexer"),    S("indexer-worker"),
                                              S("ssl-params"), S("replicator"), S("doveadm"),    S("imap-hibernate"),
                                              S("deliver") };
        memset(ret, 0, sizeof *ret);
        ret->daemon = MAIL_BY_DOVECOT;
        ret->text = text;
        struct process by;
        struct slice s = text;
        if (!take_process(&s, &by) || take_level(&s, ret))
                return;
        if (slice_ends(by.name, S("-login"))) {
                of_login(s, ret);
                return;
        }
        bool delivers = slice_eq(by.name, S("lmtp")) || slice_eq(by.name, S("lda")) || slice_eq(by.name, S("deliver"));
        if (delivers && of_delivery(s, &by, ret))
                return;
        for (size_t i = 0; i < COUNT_OF(notes); i++)
                if (slice_eq(by.name, notes[i]))
                        ret->kind = MAIL_NOTE;
        ret->text = s;
}
