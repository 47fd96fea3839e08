/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The forms with many fields.
 *
 * A refusal, whose every part but the first a stranger may have chosen:
 *
 *     RCPT from name[address]: 553 5.7.1 <echo>: reason; from=<…> to=<…> proto=ESMTP helo=<…>
 *
 * The client stands before all of it. The first place that can be the end is taken for each part, and then what was read must agree
 * with itself: the echo is the sender, the recipient or HELO; reason and HELO hold no angle bracket. Who writes one into his address or his
 * HELO to look like another line gets an odd one. */
#include "maillog/postfix_inside.h"

/* What stands before "; from=<", "; to=<" or "; proto=", the first of them; s is behind the "; ". */
static bool take_reason(struct slice *s, struct slice *reason)
{
        const char *p = s->p, *end = s->p + s->n;
        while (p < end && (p = memchr(p, ';', (size_t)(end - p)))) {
                struct slice at = { p, (size_t)(end - p) };
                if (scan_take(&at, S("; ")) &&
                    (slice_starts(at, S("from=<")) || slice_starts(at, S("to=<")) || slice_starts(at, S("proto=")))) {
                        *reason = (struct slice){ s->p, (size_t)(p - s->p) };
                        *s = at;
                        return true;
                }
                p++;
        }
        return false;
}

static bool has_angle(struct slice s)
{
        return s.n && (memchr(s.p, '<', s.n) || memchr(s.p, '>', s.n));
}

static void take_separator(struct slice *s)
{
        scan_take(s, S(","));
        scan_take(s, S(" "));
}

/* "from=<…> to=<…> proto=ESMTP helo=<…>", each of which may be absent, in this order, to the end of the line (rejects by cleanup go on
 * with ": " and what was asked for). False: it is not that. */
static bool take_tail(struct slice s, struct mail_event *ret)
{
        struct slice login;
        if (scan_take(&s, S("from=")) && !scan_angle(&s, &ret->from))
                return false;
        take_separator(&s);
        if (scan_take(&s, S("to=")) && !scan_angle(&s, &ret->to))
                return false;
        take_separator(&s);
        if (scan_take(&s, S("proto=")))
                while (s.n && *s.p != ' ' && *s.p != ',')
                        s = slice_from(s, 1);
        take_separator(&s);
        if (scan_take(&s, S("helo=")) && !scan_angle(&s, &ret->helo))
                return false;
        if (scan_take(&s, S(" sasl_username=")) && !scan_angle(&s, &login))
                return false;
        return !s.n || (*s.p == ':' && !has_angle(s));
}

/* What a reply echoes is what was said; which of them, its first words tell. */
static bool agrees(const struct mail_event *e)
{
        struct slice of = slice_starts(e->text, S("Sender address ")) ? e->from
                          : slice_starts(e->text, S("Recipient address ")) || slice_starts(e->text, S("Relay access "))
                              ? e->to
                          : slice_starts(e->text, S("Helo command ")) ? e->helo
                                                                      : e->echo;
        return !e->echo.p || !of.p || slice_eq(of, e->echo) || *e->echo.p == '"' || (of.n && *of.p == '"');
}

static void forget_fields(struct mail_event *e)
{
        e->odd = true;
        e->from = e->to = e->helo = e->echo = (struct slice){ 0 };
}

bool postfix_refusal(struct slice s, struct mail_event *ret)
{
        size_t stage = slice_find(s, ' ');
        if (stage == s.n) /* "END-OF-MESSAGE: ; from=<…>" of a proxy says " " later */
                return false;
        ret->stage = (struct slice){ s.p, stage };
        s = slice_from(s, stage);
        if (scan_take(&s, S(" from "))) {
                if (!scan_peer(&s, &ret->client) || !scan_take(&s, S(": ")))
                        return false;
        } else if (stage && ret->stage.p[stage - 1] == ':') {
                ret->stage.n--;
                scan_take(&s, S(" "));
        } else {
                return false;
        }
        scan_code(&s, &ret->code, &ret->dsn);
        struct slice at = s, all = s;
        if (scan_angle(&at, &ret->echo) && scan_take(&at, S(": ")))
                s = at;
        else
                ret->echo = (struct slice){ 0 };
        ret->text = s;
        if (take_reason(&s, &ret->text) && !take_tail(s, ret))
                forget_fields(ret);
        if (!ret->odd && (has_angle(ret->text) || has_angle(ret->helo) || !agrees(ret)))
                forget_fields(ret);
        if (ret->odd)
                ret->text = all;
        return true;
}

/* --- deliveries --- */

static enum mail_status status_of(struct slice s)
{
        static const struct {
                struct slice name;
                enum mail_status status;
        } rows[] = { { S("sent"), MAIL_SENT },
                     { S("deferred"), MAIL_DEFERRED },
                     { S("bounced"), MAIL_BOUNCED },
                     { S("expired"), MAIL_STATUS_EXPIRED },
                     { S("deliverable"), MAIL_OTHER_STATUS },
                     { S("undeliverable"), MAIL_OTHER_STATUS } };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (slice_eq(s, rows[i].name))
                        return rows[i].status;
        return MAIL_NO_STATUS;
}

/* An address, with angle brackets or (of old releases) without. */
static bool take_address(struct slice *s, struct slice *ret)
{
        if (s->n && *s->p == '<')
                return scan_angle(s, ret);
        size_t n = slice_find(*s, ',');
        *ret = (struct slice){ s->p, n };
        *s = slice_from(*s, n);
        return true;
}

static void take_relay(struct slice value, struct mail_event *ret)
{
        struct slice at = value;
        if (!scan_peer(&at, &ret->client))
                ret->client.name = value;
}

/* "sent (250 2.0.0 Ok)" to the end of the line */
static bool take_status(struct slice s, struct mail_event *ret)
{
        size_t n = slice_find(s, ' ');
        ret->status = status_of((struct slice){ s.p, n });
        s = slice_from(s, n);
        if (scan_take(&s, S(" ("))) {
                s.n -= s.n && s.p[s.n - 1] == ')';
                ret->text = s;
        }
        return ret->status != MAIL_NO_STATUS;
}

bool postfix_delivery(struct slice s, struct mail_event *ret)
{
        struct slice skipped;
        const struct {
                struct slice key, *value;
        } rows[] = { { S("relay="), &skipped }, { S("delay="), &ret->delay }, { S("delays="), &ret->delays },
                     { S("dsn="), &ret->dsn },  { S("conn_use="), &skipped }, { S("tls="), &skipped },
                     { S("nullmx="), &skipped } };
        if (!scan_take(&s, S("to=")) || !take_address(&s, &ret->to))
                return false;
        if (scan_take(&s, S(", orig_to=")) && !take_address(&s, &ret->orig_to))
                return false;
        while (scan_take(&s, S(", "))) {
                size_t i = 0;
                if (scan_take(&s, S("status=")))
                        return take_status(s, ret);
                while (i < COUNT_OF(rows) && !scan_take(&s, rows[i].key))
                        i++;
                if (i == COUNT_OF(rows))
                        return false;
                size_t n = slice_find(s, ',');
                *rows[i].value = (struct slice){ s.p, n };
                if (i == 0)
                        take_relay(*rows[i].value, ret);
                s = slice_from(s, n);
        }
        return false;
}

/* --- logins that failed --- */

bool postfix_auth_failed(struct slice s, struct mail_event *ret)
{
        struct mail_peer client;
        struct slice method;
        if (!scan_peer(&s, &client) || !scan_take(&s, S(": SASL ")) || !scan_until(&s, S(" "), &method) ||
            !(scan_take(&s, S("authentication failed")) || scan_take(&s, S("authentication aborted"))))
                return false;
        ret->client = client;
        ret->method = method;
        scan_take(&s, S(": "));
        ret->text = s;
        if (scan_until(&s, S(", sasl_username="), &ret->text) || scan_take(&s, S("sasl_username=")))
                ret->login = s;
        if (slice_eq(ret->login, S("(unavailable)")))
                ret->login = (struct slice){ 0 };
        return true;
}
