/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/exim_inside.h"

/* --- what stands in front --- */

static bool is_digit(char c)
{
        return (unsigned)(c - '0') < 10;
}

size_t exim_queue_id(struct slice s)
{
        static const uint8_t forms[][3] = { { 6, 6, 2 }, { 6, 11, 4 } };
        for (size_t f = 0; f < COUNT_OF(forms); f++) {
                size_t at = 0, part = 0;
                for (; part < 3; part++) {
                        size_t end = at + forms[f][part];
                        while (at < s.n && at < end &&
                               (is_digit(s.p[at]) || ((s.p[at] | 0x20) >= 'a' && (s.p[at] | 0x20) <= 'z')))
                                at++;
                        if (at != end || at >= s.n || s.p[at] != (part < 2 ? '-' : ' '))
                                break;
                        at += part < 2;
                }
                if (part == 3)
                        return at;
        }
        return 0;
}

/* "[1/3] ", "[2\3] ": which part of a line that was too long for syslog; 0: it is whole. */
static unsigned take_part(struct slice *s)
{
        struct slice at = *s;
        uint64_t part, of;
        if (!scan_take(&at, S("[")) || !scan_number(&at, &part) ||
            !(scan_take(&at, S("/")) || scan_take(&at, S("\\"))) || !scan_number(&at, &of) || !scan_take(&at, S("] ")))
                return 0;
        bool later = part != 1;
        *s = at;
        return later ? 2 : 1;
}

/* "2026-11-28 13:20:02.123 +0100 [4711] ", any of which may be absent. */
static void skip_head(struct slice *s)
{
        static const char form[] = "0000-00-00 00:00:00";
        size_t i = 0;
        uint64_t number;
        while (i < sizeof form - 1 && i < s->n && (form[i] == '0' ? is_digit(s->p[i]) : form[i] == s->p[i]))
                i++;
        if (i == sizeof form - 1) {
                struct slice at = slice_from(*s, i);
                if (scan_take(&at, S(".")))
                        scan_number(&at, &number);
                if (scan_take(&at, S(" +")) || scan_take(&at, S(" -")))
                        scan_number(&at, &number);
                if (scan_take(&at, S(" ")))
                        *s = at;
        }
        struct slice at = *s;
        if (scan_take(&at, S("[")) && scan_number(&at, &number) && scan_take(&at, S("] ")))
                *s = at;
}

/* --- lines about a client that do not begin with it --- */

/* Fields, and then text, behind ": " or not. */
static bool text_rest(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        struct slice key, value;
        bool end = false;
        while (!end && exim_field(&s, &key, &value, &end)) {
                if (slice_eq(key, S("H")))
                        return false;
                if (slice_eq(key, S("A")))
                        exim_login(value, ret);
        }
        if (!end && !scan_take(&s, S(": ")) && s.n && !scan_take(&s, S(" ")))
                return false;
        scan_take(&s, S("refused: "));
        ret->kind = rest->kind;
        ret->stage = rest->stage;
        ret->text = s;
        return true;
}

/* ": message too big: read=35515 max=20480": what stands behind the second colon may be the client's. */
static bool reason_rest(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        struct slice more;
        if (!text_rest(s, rest, ret))
                return false;
        ret->text = slice_cut(ret->text, ':', &more);
        return true;
}

/* What a connection did: "(TCP/IP connection count = 1)", "closed by QUIT", "lost while reading message data". */
static bool connection_rest(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        if (!text_rest(s, rest, ret))
                return false;
        if (slice_starts(ret->text, S("closed ")))
                ret->kind = MAIL_DISCONNECT;
        else if (slice_starts(ret->text, S("lost")))
                ret->kind = MAIL_LOST;
        else if (ret->text.n && !slice_starts(ret->text, S("(TCP/IP ")))
                return false;
        if (ret->kind == MAIL_LOST)
                ret->stage = slice_ends(ret->text, S(")")) ? S("DATA") : S("connection");
        return true;
}

/* "syntactically invalid argument(s): x": what follows the colon is HELO. */
static bool helo_rest(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        if (!text_rest(s, rest, ret))
                return false;
        struct slice text = slice_cut(ret->text, ':', &ret->helo);
        ret->text = text;
        ret->helo = slice_trim(ret->helo);
        return true;
}

/* ": 535 Incorrect authentication data (set_id=who)", ": 435 Unable to authenticate at present (set_id=who): why" */
static bool auth_rest(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        if (!text_rest(s, rest, ret))
                return false;
        struct slice text = ret->text;
        scan_code(&text, &ret->code, &ret->dsn);
        if (!ret->code || (ret->code == 535 && !slice_starts(text, S("Incorrect authentication data"))))
                return false;
        if (ret->code < 500) /* the server's own trouble */
                ret->kind = MAIL_WARNING;
        else if (scan_until(&text, S(" (set_id="), &ret->text) && slice_ends(text, S(")")))
                ret->login = (struct slice){ text.p, text.n - 1 };
        return true;
}

struct client_line {
        struct slice starts;
        struct exim_rest rest;
};

#define ROW(text, reader, what, where)                                                                                 \
        {                                                                                                              \
                S(text),                                                                                               \
                {                                                                                                      \
                        reader, what, S(where)                                                                         \
                }                                                                                                      \
        }

static const struct client_line client_lines[] = {
        ROW("H=", exim_of_client, MAIL_UNKNOWN, ""),
        ROW("SMTP connection from ", connection_rest, MAIL_CONNECT, ""),
        ROW("no MAIL in SMTP connection from ", text_rest, MAIL_NOTE, ""),
        ROW("unexpected disconnection while reading SMTP command from ", text_rest, MAIL_LOST, "command"),
        ROW("SMTP command timeout on connection from ", text_rest, MAIL_LOST, "command"),
        ROW("SMTP command timeout on TLS connection from ", text_rest, MAIL_LOST, "command"),
        ROW("SMTP data timeout (message abandoned) on connection from ", text_rest, MAIL_LOST, "DATA"),
        ROW("SMTP connection lost after final dot H=", text_rest, MAIL_LOST, "END-OF-MESSAGE"),
        ROW("SMTP call from ", text_rest, MAIL_LOST, "command"),
        ROW("TLS error on connection from ", text_rest, MAIL_TLS, ""),
        ROW("rejected EHLO from ", helo_rest, MAIL_REJECT, "HELO"),
        ROW("rejected HELO from ", helo_rest, MAIL_REJECT, "HELO"),
        ROW("refused connection from ", text_rest, MAIL_REJECT, "CONNECT"),
        ROW("Connection from ", text_rest, MAIL_REJECT, "CONNECT"),
        ROW("rejected connection from H=", text_rest, MAIL_REJECT, "CONNECT"),
        ROW("SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from "
            "H=",
            text_rest, MAIL_REJECT, "CONNECT"),
};

/* Lines in which what the client said stands in front of it, up to a " H=". */
static const struct client_line quoting_lines[] = {
        ROW("SMTP protocol synchronization error ", text_rest, MAIL_REJECT, "command"),
        ROW("SMTP protocol violation: synchronization error ", text_rest, MAIL_REJECT, "command"),
        ROW("SMTP syntax error in ", text_rest, MAIL_NOTE, ""),
        ROW("SMTP protocol error in ", text_rest, MAIL_NOTE, ""),
        ROW("unqualified sender rejected: ", text_rest, MAIL_REJECT, "MAIL"),
        ROW("unqualified recipient rejected: ", text_rest, MAIL_REJECT, "RCPT"),
        ROW("unqualified verify rejected: ", text_rest, MAIL_REJECT, "VRFY"),
        ROW("too many recipients: message rejected: ", text_rest, MAIL_REJECT, "RCPT"),
        ROW("rejected from <", reason_rest, MAIL_REJECT, "END-OF-MESSAGE"),
};

/* Of all places where the host can begin and all where it can end, one may hold. */
static void quoting(struct slice s, const struct client_line *line, struct mail_event *ret)
{
        const struct mail_event before = *ret;
        struct mail_event found = before;
        unsigned ways = 0, places = 0;
        struct slice skipped, words = slice_trim((struct slice){ s.p, line->starts.n });
        for (; places <= EXIM_WAYS && scan_until(&s, S(" H="), &skipped); places++) {
                struct mail_event e = before;
                unsigned here = exim_host(s, &line->rest, &e);
                if (here && !ways)
                        found = e;
                ways += here;
        }
        *ret = ways == 1 && places <= EXIM_WAYS ? found : before;
        ret->odd = ways != 1;
        ret->kind = line->rest.kind;
        ret->stage = line->rest.stage;
        if (line->rest.read == text_rest) /* the rest of it is the client's */
                ret->text = words;
}

static bool of_client(struct slice s, struct mail_event *ret)
{
        for (size_t i = 0; i < COUNT_OF(client_lines); i++) {
                struct slice rest = s;
                if (*client_lines[i].starts.p == *s.p && scan_take(&rest, client_lines[i].starts))
                        return exim_host(rest, &client_lines[i].rest, ret) > 0;
        }
        for (size_t i = 0; i < COUNT_OF(quoting_lines); i++)
                if (*quoting_lines[i].starts.p == *s.p && slice_starts(s, quoting_lines[i].starts)) {
                        quoting(s, &quoting_lines[i], ret);
                        return true;
                }
        return false;
}

/* "plain_server authenticator failed for (helo) [192.0.2.1]: 535 …" */
static bool auth_failed(struct slice s, struct mail_event *ret)
{
        static const struct exim_rest rest = { auth_rest, MAIL_AUTH_FAILED, { "", 0 } };
        size_t n = slice_find(s, ' ');
        struct slice method = { s.p, n };
        s = slice_from(s, n);
        if (!scan_take(&s, S(" authenticator failed for ")))
                return false;
        scan_take(&s, S("H="));
        ret->kind = MAIL_AUTH_FAILED;
        ret->method = method;
        exim_host(s, &rest, ret);
        return true;
}

/* --- rows that say no more than that a line is known --- */

static const struct mail_row of_a_message[] = {
        { S("frozen by "), MAIL_NOTE },
        { S("Frozen ("), MAIL_NOTE },
        { S("Message is frozen"), MAIL_NOTE },
        { S("Unfrozen by "), MAIL_NOTE },
        { S("cancelled by "), MAIL_NOTE },
        { S("removed by "), MAIL_NOTE },
        { S("Spool file "), MAIL_NOTE },
        { S("spool file "), MAIL_NOTE },
        { S("no immediate delivery: "), MAIL_NOTE },
        { S("error ignored"), MAIL_NOTE },
        { S("DKIM: "), MAIL_NOTE },
        { S("PDKIM: "), MAIL_NOTE },
        { S("DMARC "), MAIL_NOTE },
        { S("SPF "), MAIL_NOTE },
        { S("original recipients ignored"), MAIL_NOTE },
        { S("retry time not reached"), MAIL_NOTE },
        { S("Warning: "), MAIL_WARNING },
        { S("Process failed "), MAIL_WARNING },
        { S("Failed to connect to "), MAIL_SAID },
        { S("Remote host "), MAIL_SAID },
        { S("SMTP timeout "), MAIL_SAID },
        { S("SMTP error from "), MAIL_SAID },
        { S("TLS session: "), MAIL_TLS },
        { S("TLS error "), MAIL_TLS },
};

static const struct mail_row of_a_daemon[] = {
        { S("Start queue run"), MAIL_NOTE },
        { S("End queue run"), MAIL_NOTE },
        { S("exim "), MAIL_NOTE },
        { S("cwd="), MAIL_NOTE },
        { S("pid "), MAIL_NOTE },
        { S("ETRN "), MAIL_NOTE },
        { S("SMTP connection from "), MAIL_CONNECT }, /* of a local user, without an address */
        { S("no host name found for "), MAIL_NOTE },
        { S("no IP address found for "), MAIL_NOTE },
        { S("list matching forced to fail"), MAIL_NOTE },
        { S("ident connection to "), MAIL_NOTE },
        { S("DNS list lookup "), MAIL_NOTE },
        { S("dnslists "), MAIL_NOTE },
        { S("daemon: "), MAIL_NOTE },
        { S("SIGHUP received"), MAIL_NOTE },
        { S("Warning: "), MAIL_WARNING },
        { S("failed to "), MAIL_WARNING },
        { S("Failed to "), MAIL_WARNING },
        { S("unable to "), MAIL_WARNING },
        { S("TLS error "), MAIL_TLS },
        { S("TLS session: "), MAIL_TLS },
};

/* --- lines that begin with a message id --- */

/* "H=mx.example.org [192.0.2.1]:25 X=…: text": a server on the way, whose name has no blanks. */
static bool said(struct slice s, struct mail_event *ret)
{
        struct mail_event e = *ret;
        if (!scan_take(&s, S("H=")))
                return false;
        size_t name = slice_find(s, ' ');
        e.client.name = (struct slice){ s.p, name };
        s = slice_from(s, name);
        if (!scan_take(&s, S(" ")) || !exim_address(&s, &e.client))
                return false;
        static const struct exim_rest rest = { text_rest, MAIL_SAID, { "", 0 } };
        if (!text_rest(s, &rest, &e))
                return false;
        *ret = e;
        return true;
}

static bool flagged(struct slice s, struct mail_event *ret)
{
        static const struct {
                struct slice flag;
                enum mail_kind kind;
                enum mail_status status;
        } rows[] = { { S("<= "), MAIL_ARRIVAL, MAIL_NO_STATUS }, { S("(= "), MAIL_ARRIVAL, MAIL_NO_STATUS },
                     { S("=> "), MAIL_DELIVERY, MAIL_SENT },     { S("-> "), MAIL_DELIVERY, MAIL_SENT },
                     { S(">> "), MAIL_DELIVERY, MAIL_SENT },     { S("== "), MAIL_DELIVERY, MAIL_DEFERRED },
                     { S("** "), MAIL_DELIVERY, MAIL_BOUNCED },  { S("*> "), MAIL_DELIVERY, MAIL_OTHER_STATUS } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                if (!scan_take(&s, rows[i].flag))
                        continue;
                ret->kind = rows[i].kind;
                ret->status = rows[i].status;
                if (ret->kind == MAIL_ARRIVAL)
                        exim_arrival(s, ret);
                else
                        exim_delivery(s, ret);
                return true;
        }
        return false;
}

static bool of_message(struct slice s, struct mail_event *ret)
{
        if (flagged(s, ret))
                return true;
        if (slice_eq(s, S("Completed")) || slice_starts(s, S("Completed QT="))) {
                ret->kind = MAIL_REMOVED;
                return true;
        }
        struct mail_event before = *ret;
        if (of_client(s, ret))
                return true;
        *ret = before;
        return said(s, ret) || mail_one_of(of_a_message, COUNT_OF(of_a_message), s, ret);
}

static bool of_daemon(struct slice s, struct mail_event *ret)
{
        struct mail_event before = *ret;
        if (of_client(s, ret) || auth_failed(s, ret))
                return true;
        *ret = before;
        return mail_one_of(of_a_daemon, COUNT_OF(of_a_daemon), s, ret);
}

/* What was read in more than one way says no more than what it is. */
static void forget(struct mail_event *e, bool client)
{
        struct mail_event kept = { .kind = e->kind,
                                   .daemon = e->daemon,
                                   .status = e->status,
                                   .odd = true,
                                   .queue_id = e->queue_id,
                                   .stage = e->stage,
                                   .method = e->method };
        if (client)
                kept.client = e->client;
        *e = kept;
}

void exim_parse(struct slice text, struct mail_event *ret)
{
        memset(ret, 0, sizeof *ret);
        ret->daemon = MAIL_BY_EXIM;
        struct slice s = text;
        unsigned part = take_part(&s);
        if (part > 1) {
                ret->kind = MAIL_NOTE;
                ret->text = text;
                return;
        }
        skip_head(&s);
        size_t n = exim_queue_id(s);
        ret->queue_id = (struct slice){ s.p, n };
        s = slice_from(s, n ? n + 1 : 0);
        bool known = s.n && (n ? of_message(s, ret) : of_daemon(s, ret));
        if (!known)
                *ret = (struct mail_event){ .daemon = MAIL_BY_EXIM, .queue_id = ret->queue_id, .text = s };
        else if (ret->odd || part)
                forget(ret, !part);
}
