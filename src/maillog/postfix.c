/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/postfix_inside.h"

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
        uint8_t all = HEX | BASE52, is;
        size_t n = 0, most = s.n < LONGEST + 1 ? s.n : LONGEST + 1;
        for (; n < most && (is = digits[(uint8_t)s.p[n]]); n++)
                all &= is;
        if (n >= s.n || s.p[n] != ':' || n > LONGEST)
                return 0;
        return (all & HEX && n >= SHORTEST) || (all & BASE52 && n >= LONG_LEAST) ? n : 0;
}

/* --- rows that say no more than that a line is known --- */

static const struct mail_row of_a_message[] = {
        { S("enabling PIX workarounds"), MAIL_NOTE },
        { S("lost connection with "), MAIL_SAID },
        { S("conversation with "), MAIL_SAID },
        { S("Cannot start TLS"), MAIL_SAID },
        { S("TLS is required"), MAIL_SAID },
        { S("Server certificate "), MAIL_NOTE },
        { S("Host offered STARTTLS"), MAIL_NOTE },
        { S("breaking line "), MAIL_NOTE },
        { S("resent-message-id="), MAIL_NOTE },
        { S("skipped, still being delivered"), MAIL_NOTE },
        { S("placed on hold"), MAIL_NOTE },
        { S("released from hold"), MAIL_NOTE },
        { S("requeued"), MAIL_NOTE },
        { S("proxy-accept: "), MAIL_NOTE },
        { S("replace: "), MAIL_CHECK },
        { S("warning: "), MAIL_WARNING },
        { S("host "), MAIL_SAID },
};

static const struct mail_row of_a_daemon[] = {
        { S("warning: "), MAIL_WARNING },
        { S("error: "), MAIL_WARNING },
        { S("fatal: "), MAIL_WARNING },
        { S("panic: "), MAIL_WARNING },
        { S("statistics: "), MAIL_ANVIL },
        { S("> "), MAIL_VERBOSE },
        { S("< "), MAIL_VERBOSE },
        { S("connect to "), MAIL_NOTE },
        { S("certificate verification failed for "), MAIL_TLS },
        { S("SSL_connect error to "), MAIL_TLS },
        { S("SSL_accept error"), MAIL_TLS },
        { S("setting up TLS connection "), MAIL_TLS },
        { S("initializing the "), MAIL_NOTE },
        { S("discarding EHLO keywords"), MAIL_NOTE },
        { S("cache "), MAIL_NOTE },
        { S("close database "), MAIL_NOTE },
        { S("table "), MAIL_NOTE },
        { S("using backwards-compatible "), MAIL_NOTE },
        { S("To disable backwards compatibility"), MAIL_NOTE },
        { S("See http"), MAIL_NOTE },
        { S("Postfix is "), MAIL_NOTE },
        { S("daemon started"), MAIL_NOTE },
        { S("reload "), MAIL_NOTE },
        { S("terminating on signal"), MAIL_NOTE },
        { S("refreshing the Postfix mail system"), MAIL_NOTE },
        { S("starting the Postfix mail system"), MAIL_NOTE },
        { S("stopping the Postfix mail system"), MAIL_NOTE },
        { S("the Postfix mail system is "), MAIL_NOTE },
        { S("Deleted: "), MAIL_NOTE },
        { S("Placed on hold: "), MAIL_NOTE },
        { S("Released from hold: "), MAIL_NOTE },
        { S("Requeued: "), MAIL_NOTE },
        { S("entering STRESS mode"), MAIL_NOTE },
        { S("leaving STRESS mode"), MAIL_NOTE },
        { S("end of session"), MAIL_NOTE },
        { S("process generation "), MAIL_NOTE },
        { S("DSN support is disabled"), MAIL_NOTE },
        { S("proxy-accept: "), MAIL_NOTE },
};

/* --- lines that begin with a queue id --- */

/* "reject: ", "hold: ", "milter-reject: ": the word in front, and what kind of line follows it. */
static bool refusal_or_check(struct slice s, struct mail_event *ret)
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
                ret->kind = MAIL_CHECK;
                return true;
        }
        ret->kind = refused ? MAIL_REJECT : MAIL_ACTION;
        return postfix_refusal(rest, ret) || !refused;
}

/* "client=name[address]:port, sasl_method=LOGIN, sasl_username=who, …" */
static bool client(struct slice s, struct mail_event *ret)
{
        ret->kind = MAIL_CLIENT;
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
static bool from(struct slice s, struct mail_event *ret)
{
        const char *end = memrchr(s.p, '>', s.n);
        if (!end)
                return false;
        ret->from = (struct slice){ s.p, (size_t)(end - s.p) };
        s = slice_from(s, ret->from.n + 1);
        if (scan_take(&s, S(", size="))) {
                ret->kind = MAIL_QUEUED;
                return scan_number(&s, &ret->size) && scan_take(&s, S(", nrcpt=")) && scan_number(&s, &ret->nrcpt) &&
                       (!s.n || *s.p == ' ');
        }
        ret->kind = MAIL_EXPIRED;
        return scan_take(&s, S(", status=expired, ")) || scan_take(&s, S(", status=force-expired, "));
}

/* "sender non-delivery notification: ID" */
static bool notice(struct slice s, struct mail_event *ret)
{
        struct slice kind;
        ret->kind = MAIL_NOTICE;
        if (!(scan_take(&s, S("sender ")) || scan_take(&s, S("postmaster "))) ||
            !scan_until(&s, S(" notification: "), &kind))
                return false;
        ret->text = kind;
        ret->other_id = s;
        return true;
}

/* "host name[address] said: reply (in reply to RCPT TO command)" */
static bool said(struct slice s, struct mail_event *ret)
{
        ret->kind = MAIL_SAID;
        if (!scan_take(&s, S("host ")) || !scan_peer(&s, &ret->client) ||
            !(scan_take(&s, S(" said: ")) || scan_take(&s, S(" refused to talk to me: "))))
                return false;
        ret->text = s;
        return true;
}

/* "crm=SPAM Sender=… cid=0 rcpts=1": the filter of the seed. */
static bool content(struct slice s, struct mail_event *ret)
{
        size_t n = slice_find(s, ' ');
        ret->kind = MAIL_CONTENT;
        ret->action = (struct slice){ s.p, n };
        return n > 0;
}

static bool delivers(enum mail_daemon d)
{
        return (d >= MAIL_BY_SMTP && d <= MAIL_BY_TRACE) || d == MAIL_BY_SPAWN;
}

static bool of_message(enum mail_daemon d, struct slice s, struct mail_event *ret)
{
        switch (s.n ? *s.p : 0) {
        case 't':
                ret->kind = MAIL_DELIVERY;
                return delivers(d) && postfix_delivery(s, ret);
        case 'c':
                if (scan_take(&s, S("client=")))
                        return (d == MAIL_BY_SMTPD || d == MAIL_BY_QMQPD) && client(s, ret);
                if (d == MAIL_BY_VIRUS_FILTER && scan_take(&s, S("crm=")))
                        return content(s, ret);
                break;
        case 'f':
                if (scan_take(&s, S("from=<")))
                        return d >= MAIL_BY_QMGR && d <= MAIL_BY_NQMGR && from(s, ret);
                break;
        case 'm':
                if (d == MAIL_BY_CLEANUP && scan_take(&s, S("message-id="))) {
                        ret->kind = MAIL_MESSAGE_ID;
                        ret->message_id = s;
                        return true;
                }
                break;
        case 'r':
                if (slice_eq(s, S("removed"))) {
                        ret->kind = MAIL_REMOVED;
                        return true;
                }
                break;
        case 'u':
                ret->kind = MAIL_PICKUP;
                return d == MAIL_BY_PICKUP && scan_until(&s, S(" from=<"), &ret->action) && s.n &&
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
        return refusal_or_check(s, ret) || (s.n && mail_one_of(of_a_message, COUNT_OF(of_a_message), s, ret));
}

/* --- lines without one --- */

/* "lost connection after RCPT from peer", "SSL_accept error from peer: …" */
static bool lost(struct slice s, struct mail_event *ret)
{
        static const struct slice rows[] = { S("lost connection after "), S("timeout after "),
                                             S("too many errors after "), S("improper command pipelining after "),
                                             S("SSL_accept error") };
        size_t i = 0;
        while (i < COUNT_OF(rows) && !scan_take(&s, rows[i]))
                i++;
        ret->kind = MAIL_LOST;
        return i < COUNT_OF(rows) && scan_until(&s, S(" from "), &ret->stage) && scan_peer(&s, &ret->client) &&
               (!s.n || *s.p == ':');
}

/* "Anonymous TLS connection established from peer: …" */
static bool tls(struct slice s, struct mail_event *ret)
{
        size_t level = slice_find(s, ' ');
        ret->kind = MAIL_TLS;
        s = slice_from(s, level);
        if (!level || !scan_take(&s, S(" TLS connection ")) ||
            !(scan_take(&s, S("established ")) || scan_take(&s, S("reused "))) ||
            !(scan_take(&s, S("from ")) || scan_take(&s, S("to "))))
                return false;
        ret->text = s;
        scan_peer(&s, &ret->client);
        return true;
}

/* Verdicts of postscreen, and the two that tlsproxy shares with it: what stands before the first bracket is Postfix's own. */
static bool screen(struct slice s, struct mail_event *ret)
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
        ret->kind = MAIL_SCREEN;
        ret->action = (struct slice){ rows[i].p, rows[i].n - 1 };
        s = slice_from(s, at);
        return scan_peer(&s, &ret->client);
}

/* "addr 192.0.2.1 listed by domain zen.example as 127.0.0.2" */
static bool listed(struct slice s, struct mail_event *ret)
{
        ret->kind = MAIL_LISTED;
        if (!scan_take(&s, S("addr ")) || !scan_until(&s, S(" listed by domain "), &ret->client.address) ||
            !scan_until(&s, S(" as "), &ret->text))
                return false;
        return true;
}

static bool peer_line(enum mail_kind kind, struct slice s, struct mail_event *ret)
{
        ret->kind = kind;
        if (!scan_peer(&s, &ret->client))
                return false;
        scan_take(&s, S(" "));
        ret->text = s;
        return true;
}

static bool of_daemon(enum mail_daemon d, struct slice s, struct mail_event *ret)
{
        struct slice rest = s;
        if (d == MAIL_BY_SMTPD || d == MAIL_BY_QMQPD) {
                if (scan_take(&rest, S("connect from ")))
                        return peer_line(MAIL_CONNECT, rest, ret);
                if (scan_take(&rest, S("disconnect from ")))
                        return peer_line(MAIL_DISCONNECT, rest, ret);
                if (lost(s, ret))
                        return true;
                if (scan_take(&rest, S("warning: ")) && postfix_auth_failed(rest, ret)) {
                        ret->kind = MAIL_AUTH_FAILED;
                        return true;
                }
                rest = s;
        }
        if (scan_take(&rest, S("NOQUEUE: "))) {
                if (d == MAIL_BY_SMTPD &&
                    scan_take(&rest, S("client="))) /* a filter before the queue will give it an id */
                        return client(rest, ret);
                return refusal_or_check(rest, ret);
        }
        if (slice_starts(s, S("proxy-reject: ")))
                return refusal_or_check(s, ret);
        if (d == MAIL_BY_POSTSCREEN || d == MAIL_BY_TLSPROXY)
                if (screen(s, ret))
                        return true;
        return (d == MAIL_BY_DNSBLOG && listed(s, ret)) || tls(s, ret) ||
               mail_one_of(of_a_daemon, COUNT_OF(of_a_daemon), s, ret);
}

void postfix_parse(enum mail_daemon daemon, struct slice text, struct mail_event *ret)
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
                *ret = (struct mail_event){ .daemon = daemon, .queue_id = id, .text = text };
        }
}
