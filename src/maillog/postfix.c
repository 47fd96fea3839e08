/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/postfix_inside.h"

#define NAME(id, name) name,
#define DAEMON_ROW(id, name) S(name),

const char *postfix_kind_name(enum postfix_kind kind)
{
        static const char *const names[] = { POSTFIX_KINDS(NAME) };
        return kind < COUNT_OF(names) ? names[kind] : "unknown";
}

enum postfix_daemon postfix_daemon_of(struct slice program, struct slice *instance)
{
        static const struct slice names[] = { POSTFIX_DAEMONS(DAEMON_ROW) };
        const char *slash = memchr(program.p, '/', program.n), *last = slash;
        if (!slash)
                return POSTFIX_BY_NONE;
        for (const char *p = slash; (p = memchr(p + 1, '/', (size_t)(program.p + program.n - p - 1)));)
                last = p;
        struct slice name = slice_from(program, (size_t)(last - program.p) + 1);
        *instance = (struct slice){ program.p, (size_t)(slash - program.p) };
        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (names[i].n == name.n && *names[i].p == *name.p && memcmp(names[i].p, name.p, name.n) == 0)
                        return (enum postfix_daemon)(i + 1);
        return POSTFIX_BY_NONE;
}

/* Short ids are hexadecimal digits (five or more of time and inode), long ones digits of base 52 without vowels (QUEUE(5) of Postfix 2.9). */
size_t postfix_queue_id(struct slice s)
{
        enum { HEX = 1, BASE52 = 2, SHORTEST = 5, LONG_LEAST = 10, LONGEST = 20 };
        static const uint8_t digits[256] = {
                ['0' ... '9'] = HEX | BASE52,
                ['A'] = HEX,
                ['E'] = HEX,
                ['B' ... 'D'] = HEX | BASE52,
                ['F'] = HEX | BASE52,
                ['G' ... 'H'] = BASE52,
                ['J' ... 'N'] = BASE52,
                ['P' ... 'T'] = BASE52,
                ['V' ... 'Z'] = BASE52,
                ['b' ... 'd'] = BASE52,
                ['f' ... 'h'] = BASE52,
                ['j' ... 'n'] = BASE52,
                ['p' ... 't'] = BASE52,
                ['v' ... 'z'] = BASE52,
        };
        uint8_t all = HEX | BASE52;
        size_t n = 0;
        while (n < s.n && n <= LONGEST && digits[(uint8_t)s.p[n]])
                all &= digits[(uint8_t)s.p[n++]];
        if (n >= s.n || s.p[n] != ':' || n > LONGEST)
                return 0;
        return (all & HEX && n >= SHORTEST) || (all & BASE52 && n >= LONG_LEAST) ? n : 0;
}

/* --- rows that say no more than that a line is known --- */

struct row {
        struct slice starts;
        enum postfix_kind kind;
};

static bool one_of(const struct row *rows, size_t n, struct slice s, struct postfix_event *ret)
{
        for (size_t i = 0; i < n; i++)
                if (*rows[i].starts.p == *s.p && slice_starts(s, rows[i].starts)) {
                        ret->kind = rows[i].kind;
                        ret->text = s;
                        return true;
                }
        return false;
}

static const struct row of_a_message[] = {
        { S("enabling PIX workarounds"), POSTFIX_NOTE },
        { S("lost connection with "), POSTFIX_SAID },
        { S("conversation with "), POSTFIX_SAID },
        { S("Cannot start TLS"), POSTFIX_SAID },
        { S("TLS is required"), POSTFIX_SAID },
        { S("Server certificate "), POSTFIX_NOTE },
        { S("Host offered STARTTLS"), POSTFIX_NOTE },
        { S("breaking line "), POSTFIX_NOTE },
        { S("resent-message-id="), POSTFIX_NOTE },
        { S("skipped, still being delivered"), POSTFIX_NOTE },
        { S("placed on hold"), POSTFIX_NOTE },
        { S("released from hold"), POSTFIX_NOTE },
        { S("requeued"), POSTFIX_NOTE },
        { S("proxy-accept: "), POSTFIX_NOTE },
        { S("replace: "), POSTFIX_CHECK },
        { S("warning: "), POSTFIX_WARNING },
        { S("host "), POSTFIX_SAID },
};

static const struct row of_a_daemon[] = {
        { S("warning: "), POSTFIX_WARNING },
        { S("error: "), POSTFIX_WARNING },
        { S("fatal: "), POSTFIX_WARNING },
        { S("panic: "), POSTFIX_WARNING },
        { S("statistics: "), POSTFIX_ANVIL },
        { S("> "), POSTFIX_VERBOSE },
        { S("< "), POSTFIX_VERBOSE },
        { S("connect to "), POSTFIX_NOTE },
        { S("certificate verification failed for "), POSTFIX_TLS },
        { S("SSL_connect error to "), POSTFIX_TLS },
        { S("SSL_accept error"), POSTFIX_TLS },
        { S("setting up TLS connection "), POSTFIX_TLS },
        { S("initializing the "), POSTFIX_NOTE },
        { S("discarding EHLO keywords"), POSTFIX_NOTE },
        { S("cache "), POSTFIX_NOTE },
        { S("close database "), POSTFIX_NOTE },
        { S("table "), POSTFIX_NOTE },
        { S("using backwards-compatible "), POSTFIX_NOTE },
        { S("To disable backwards compatibility"), POSTFIX_NOTE },
        { S("See http"), POSTFIX_NOTE },
        { S("Postfix is "), POSTFIX_NOTE },
        { S("daemon started"), POSTFIX_NOTE },
        { S("reload "), POSTFIX_NOTE },
        { S("terminating on signal"), POSTFIX_NOTE },
        { S("refreshing the Postfix mail system"), POSTFIX_NOTE },
        { S("starting the Postfix mail system"), POSTFIX_NOTE },
        { S("stopping the Postfix mail system"), POSTFIX_NOTE },
        { S("the Postfix mail system is "), POSTFIX_NOTE },
        { S("Deleted: "), POSTFIX_NOTE },
        { S("Placed on hold: "), POSTFIX_NOTE },
        { S("Released from hold: "), POSTFIX_NOTE },
        { S("Requeued: "), POSTFIX_NOTE },
        { S("entering STRESS mode"), POSTFIX_NOTE },
        { S("leaving STRESS mode"), POSTFIX_NOTE },
        { S("end of session"), POSTFIX_NOTE },
        { S("process generation "), POSTFIX_NOTE },
        { S("DSN support is disabled"), POSTFIX_NOTE },
};

/* --- lines that begin with a queue id --- */

/* "reject: ", "hold: ", "milter-reject: ": the word in front, and what kind of line follows it. */
static bool refusal_or_check(struct slice s, struct postfix_event *ret)
{
        static const struct slice words[] = { S("reject"), S("reject_warning"), S("milter-reject"), S("hold"),
                                              S("filter"), S("discard"),        S("redirect"),      S("prepend"),
                                              S("warn"),   S("info"),           S("bcc"),           S("strip"),
                                              S("delay"),  S("proxy-reject") };
        size_t n = 0, i = 0;
        while (n < s.n && n < 32 && s.p[n] != ':' && s.p[n] != ' ')
                n++;
        struct slice word = { s.p, n }, rest = slice_from(s, n);
        if (!scan_take(&rest, S(": ")))
                return false;
        while (i < COUNT_OF(words) && !slice_eq(words[i], word))
                i++;
        if (i == COUNT_OF(words) && !slice_starts(word, S("milter-")))
                return false;
        bool refused = slice_ends(word, S("reject"));
        ret->action = word;
        ret->text = rest;
        if (slice_starts(rest, S("header ")) || slice_starts(rest, S("body ")) || slice_starts(rest, S("mime "))) {
                ret->kind = POSTFIX_CHECK;
                return true;
        }
        ret->kind = refused ? POSTFIX_REJECT : POSTFIX_ACTION;
        return postfix_refusal(rest, ret) || !refused;
}

/* "client=name[address]:port, sasl_method=LOGIN, sasl_username=who, …" */
static bool client(struct slice s, struct postfix_event *ret)
{
        ret->kind = POSTFIX_CLIENT;
        if (!scan_peer(&s, &ret->client))
                return false;
        if (scan_take(&s, S(", sasl_method="))) {
                size_t n = slice_find(s, ',');
                ret->method = (struct slice){ s.p, n };
                s = slice_from(s, n);
        }
        if (scan_take(&s, S(", sasl_username="))) {
                struct slice before = s;
                if (!scan_until(&s, S(", "), &ret->login))
                        ret->login = before;
        }
        return !s.n || *s.p == ',' || ret->login.p;
}

/* "from=<…>, size=N, nrcpt=N (queue active)" or "from=<…>, status=expired, returned to sender": the last '>' is Postfix's own. */
static bool from(struct slice s, struct postfix_event *ret)
{
        const char *end = memrchr(s.p, '>', s.n);
        if (!end)
                return false;
        ret->from = (struct slice){ s.p, (size_t)(end - s.p) };
        s = slice_from(s, ret->from.n + 1);
        if (scan_take(&s, S(", size="))) {
                ret->kind = POSTFIX_QUEUED;
                return scan_number(&s, &ret->size) && scan_take(&s, S(", nrcpt=")) && scan_number(&s, &ret->nrcpt) &&
                       (!s.n || *s.p == ' ');
        }
        ret->kind = POSTFIX_EXPIRED;
        return scan_take(&s, S(", status=expired, ")) || scan_take(&s, S(", status=force-expired, "));
}

/* "sender non-delivery notification: ID" */
static bool notice(struct slice s, struct postfix_event *ret)
{
        struct slice kind;
        ret->kind = POSTFIX_NOTICE;
        if (!(scan_take(&s, S("sender ")) || scan_take(&s, S("postmaster "))) ||
            !scan_until(&s, S(" notification: "), &kind))
                return false;
        ret->text = kind;
        ret->other_id = s;
        return true;
}

/* "host name[address] said: reply (in reply to RCPT TO command)" */
static bool said(struct slice s, struct postfix_event *ret)
{
        ret->kind = POSTFIX_SAID;
        if (!scan_take(&s, S("host ")) || !scan_peer(&s, &ret->client) ||
            !(scan_take(&s, S(" said: ")) || scan_take(&s, S(" refused to talk to me: "))))
                return false;
        ret->text = s;
        return true;
}

/* "crm=SPAM Sender=… cid=0 rcpts=1": the filter of the seed. */
static bool content(struct slice s, struct postfix_event *ret)
{
        size_t n = slice_find(s, ' ');
        ret->kind = POSTFIX_CONTENT;
        ret->action = (struct slice){ s.p, n };
        return n > 0;
}

static bool delivers(enum postfix_daemon d)
{
        return (d >= POSTFIX_BY_SMTP && d <= POSTFIX_BY_TRACE) || d == POSTFIX_BY_SPAWN;
}

static bool of_message(enum postfix_daemon d, struct slice s, struct postfix_event *ret)
{
        switch (s.n ? *s.p : 0) {
        case 't':
                ret->kind = POSTFIX_DELIVERY;
                return delivers(d) && postfix_delivery(s, ret);
        case 'c':
                if (scan_take(&s, S("client=")))
                        return (d == POSTFIX_BY_SMTPD || d == POSTFIX_BY_QMQPD) && client(s, ret);
                if (d == POSTFIX_BY_VIRUS_FILTER && scan_take(&s, S("crm=")))
                        return content(s, ret);
                break;
        case 'f':
                if (scan_take(&s, S("from=<")))
                        return d >= POSTFIX_BY_QMGR && d <= POSTFIX_BY_NQMGR && from(s, ret);
                break;
        case 'm':
                if (d == POSTFIX_BY_CLEANUP && scan_take(&s, S("message-id="))) {
                        ret->kind = POSTFIX_MESSAGE_ID;
                        ret->message_id = s;
                        return true;
                }
                break;
        case 'r':
                if (slice_eq(s, S("removed"))) {
                        ret->kind = POSTFIX_REMOVED;
                        return true;
                }
                break;
        case 'u':
                ret->kind = POSTFIX_PICKUP;
                return d == POSTFIX_BY_PICKUP && scan_until(&s, S(" from=<"), &ret->action) && s.n &&
                       s.p[s.n - 1] == '>' && (ret->from = (struct slice){ s.p, s.n - 1 }, true);
        case 'h':
                if (said(s, ret))
                        return true;
                break;
        case 's':
        case 'p':
                if (notice(s, ret))
                        return true;
                break;
        default:
                break;
        }
        return refusal_or_check(s, ret) || (s.n && one_of(of_a_message, COUNT_OF(of_a_message), s, ret));
}

/* --- lines without one --- */

/* "lost connection after RCPT from peer", "SSL_accept error from peer: …" */
static bool lost(struct slice s, struct postfix_event *ret)
{
        static const struct slice rows[] = { S("lost connection after "), S("timeout after "),
                                             S("too many errors after "), S("improper command pipelining after "),
                                             S("SSL_accept error") };
        size_t i = 0;
        while (i < COUNT_OF(rows) && !scan_take(&s, rows[i]))
                i++;
        ret->kind = POSTFIX_LOST;
        return i < COUNT_OF(rows) && scan_until(&s, S(" from "), &ret->stage) && scan_peer(&s, &ret->client) &&
               (!s.n || *s.p == ':');
}

/* "Anonymous TLS connection established from peer: …" */
static bool tls(struct slice s, struct postfix_event *ret)
{
        struct slice level;
        ret->kind = POSTFIX_TLS;
        if (!scan_until(&s, S(" TLS connection "), &level) || slice_find(level, ' ') != level.n ||
            !(scan_take(&s, S("established ")) || scan_take(&s, S("reused "))) ||
            !(scan_take(&s, S("from ")) || scan_take(&s, S("to "))))
                return false;
        ret->text = s;
        scan_peer(&s, &ret->client);
        return true;
}

/* Verdicts of postscreen, and the two that tlsproxy shares with it: what stands before the first bracket is Postfix's own. */
static bool screen(struct slice s, struct postfix_event *ret)
{
        static const struct slice rows[] = { S("CONNECT from "),
                                             S("PASS NEW "),
                                             S("PASS OLD "),
                                             S("DISCONNECT "),
                                             S("ALLOWLISTED "),
                                             S("WHITELISTED "),
                                             S("DENYLISTED "),
                                             S("BLACKLISTED "),
                                             S("ALLOWLIST VETO "),
                                             S("WHITELIST VETO "),
                                             S("DNSBL rank "),
                                             S("PREGREET "),
                                             S("HANGUP "),
                                             S("BARE NEWLINE "),
                                             S("NON-SMTP COMMAND "),
                                             S("COMMAND PIPELINING "),
                                             S("COMMAND TIME LIMIT "),
                                             S("COMMAND COUNT LIMIT "),
                                             S("COMMAND LENGTH LIMIT "),
                                             S("CONNECT to ") };
        size_t i = 0;
        while (i < COUNT_OF(rows) && !slice_starts(s, rows[i]))
                i++;
        size_t at = slice_find(s, '[');
        if (i == COUNT_OF(rows) || at == s.n || at > 64)
                return false;
        ret->kind = POSTFIX_SCREEN;
        ret->action = (struct slice){ rows[i].p, rows[i].n - 1 };
        s = slice_from(s, at);
        return scan_peer(&s, &ret->client);
}

/* "addr 192.0.2.1 listed by domain zen.example as 127.0.0.2" */
static bool listed(struct slice s, struct postfix_event *ret)
{
        ret->kind = POSTFIX_LISTED;
        if (!scan_take(&s, S("addr ")) || !scan_until(&s, S(" listed by domain "), &ret->client.address) ||
            !scan_until(&s, S(" as "), &ret->text))
                return false;
        return true;
}

static bool peer_line(enum postfix_kind kind, struct slice s, struct postfix_event *ret)
{
        ret->kind = kind;
        if (!scan_peer(&s, &ret->client))
                return false;
        scan_take(&s, S(" "));
        ret->text = s;
        return true;
}

static bool of_daemon(enum postfix_daemon d, struct slice s, struct postfix_event *ret)
{
        struct slice rest = s;
        if (d == POSTFIX_BY_SMTPD || d == POSTFIX_BY_QMQPD) {
                if (scan_take(&rest, S("connect from ")))
                        return peer_line(POSTFIX_CONNECT, rest, ret);
                if (scan_take(&rest, S("disconnect from ")))
                        return peer_line(POSTFIX_DISCONNECT, rest, ret);
                if (lost(s, ret))
                        return true;
                if (scan_take(&rest, S("warning: ")) && postfix_auth_failed(rest, ret)) {
                        ret->kind = POSTFIX_AUTH_FAILED;
                        return true;
                }
                rest = s;
        }
        if (scan_take(&rest, S("NOQUEUE: ")))
                return refusal_or_check(rest, ret);
        if (slice_starts(s, S("proxy-reject: ")))
                return refusal_or_check(s, ret);
        if (d == POSTFIX_BY_POSTSCREEN || d == POSTFIX_BY_TLSPROXY)
                if (screen(s, ret))
                        return true;
        return (d == POSTFIX_BY_DNSBLOG && listed(s, ret)) || tls(s, ret) ||
               one_of(of_a_daemon, COUNT_OF(of_a_daemon), s, ret);
}

void postfix_parse(enum postfix_daemon daemon, struct slice text, struct postfix_event *ret)
{
        memset(ret, 0, sizeof *ret);
        ret->daemon = daemon;
        size_t n = postfix_queue_id(text);
        bool known = false;
        if (n && n + 1 < text.n && text.p[n + 1] == ' ') {
                ret->queue_id = (struct slice){ text.p, n };
                known = of_message(daemon, slice_from(text, n + 2), ret);
        } else if (text.n) {
                known = of_daemon(daemon, text, ret);
        }
        if (!known) {
                struct slice id = ret->queue_id;
                *ret = (struct postfix_event){ .daemon = daemon, .queue_id = id, .text = text };
        }
}
