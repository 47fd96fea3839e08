/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deliveries and refusals. In both, what strangers write is a word that is closed (an address, a string in quotes) or stands at the end. */
#include "maillog/exim_inside.h"

/* --- deliveries --- */

/* "joe <alias@example.net>", "ana@example.org", "|/usr/bin/filter -x <joe@example.net>", "joe (between@x) <first@x>": with a domain, the first
 * is where it goes; without, it is a mailbox, and the address behind it is the one that says whose. */
static bool take_recipient(struct slice *s, struct mail_event *ret)
{
        struct slice first, original = { 0 }, skipped;
        bool command = s->n && memchr("|/>", *s->p, 3);
        if (command) { /* a command, a file, an answer: the operator's or the mailbox's owner's text */
                const char *p = memmem(s->p, s->n, " <", 2);
                size_t n = p ? (size_t)(p - s->p) : slice_find(*s, ' ');
                first = (struct slice){ s->p, n };
                *s = slice_from(*s, n);
        } else if (!exim_word(s, &first)) {
                return false;
        }
        if (*first.p != ':') /* ":blackhole:" is a whole word */
                exim_give_colon(s, &first);
        if (scan_take(s, S(" (")) && !scan_until(s, S(")"), &skipped))
                return false;
        if (slice_starts(*s, S(" <"))) {
                *s = slice_from(*s, 1);
                if (!scan_angle(s, &original))
                        return false;
        }
        bool whole = !original.n || (!command && memchr(first.p, '@', first.n));
        ret->to = whole ? first : original;
        ret->orig_to = whole ? original : (struct slice){ 0 };
        return true;
}

/* "SMTP error from remote mail server after RCPT TO:<…>: 550 5.1.1 no": the reply becomes the text, and what stands before it goes. */
static void take_reply(struct mail_event *ret)
{
        static const struct slice rows[] = { S("SMTP error from remote mail server after "),
                                             S("SMTP error from remote mailer after "),
                                             S("LMTP error from remote mail server after "), S("LMTP error after ") };
        struct slice s = ret->text, skipped;
        size_t i = 0;
        while (i < COUNT_OF(rows) && !scan_take(&s, rows[i]))
                i++;
        if (i == COUNT_OF(rows))
                return;
        scan_take(&s, S("pipelined "));
        if ((scan_take(&s, S("RCPT TO:")) || scan_take(&s, S("MAIL FROM:"))) && !scan_angle(&s, &skipped))
                return;
        if (!scan_until(&s, S(": "), &skipped))
                return;
        if (scan_take(&s, S("host ")) && !scan_until(&s, S("]: "), &skipped)) /* before 4.80 */
                return;
        uint32_t code = 0;
        struct slice reply = s, dsn = { 0 };
        scan_code(&s, &code, &dsn);
        if (!code)
                return;
        ret->code = code;
        ret->dsn = dsn;
        ret->text = reply;
}

static void take_delivery_field(struct slice key, struct slice value, struct mail_event *ret)
{
        if (slice_eq(key, S("H")))
                ret->client.name = value;
        else if (slice_eq(key, S("QT")))
                ret->delay = value;
        else if (slice_eq(key, S("C")) && value.n >= 2 && *value.p == '"')
                ret->text = (struct slice){ value.p + 1, value.n - 2 };
}

/* " R=router T=transport H=name [address]:port C="250 Ok" QT=1s" and then nothing, or ": text". */
static bool take_delivery(struct slice s, struct mail_event *ret)
{
        struct slice key, value;
        for (bool end;;) {
                if (scan_take(&s, S(" defer (")) && !scan_until(&s, S(")"), &value))
                        return false;
                scan_take(&s, S(" routing"));
                struct slice at = s;
                if (ret->client.name.n && !ret->client.address.n && scan_take(&at, S(" ")) &&
                    exim_address(&at, &ret->client)) {
                        s = at;
                        scan_take(&s, S("*")); /* on a connection that was used before */
                }
                if (scan_take(&s, S(": "))) {
                        ret->text = s;
                        return true;
                }
                if (slice_starts(s, S(" defer (")))
                        continue;
                if (!exim_field(&s, &key, &value, &end))
                        return !s.n || (ret->status == MAIL_SENT && slice_starts(s, S(" ("))); /* of ST= */
                take_delivery_field(key, value, ret);
                if (end) {
                        ret->text = s;
                        return true;
                }
        }
}

void exim_delivery(struct slice s, struct mail_event *ret)
{
        const struct mail_event before = *ret;
        if (take_recipient(&s, ret) && take_delivery(s, ret)) {
                struct slice text = ret->text;
                if (ret->status == MAIL_SENT)
                        scan_code(&text, &ret->code, &ret->dsn);
                else
                        take_reply(ret);
                return;
        }
        *ret = before;
        ret->odd = true;
}

/* --- refusals --- */

enum place { NOTHING, ADDRESS, HELO, WORD, ANYTHING };

struct stage {
        struct slice starts, name;
        enum place place;
};

/* The names that acl.c gives its places, and what smtp_in.c puts behind each. */
static const struct stage stages[] = {
        { S("RCPT "), S("RCPT"), ADDRESS },
        { S("MAIL "), S("MAIL"), ADDRESS },
        { S("DATA"), S("DATA"), NOTHING },
        { S("after DATA PRDR"), S("END-OF-MESSAGE"), NOTHING },
        { S("after DATA"), S("END-OF-MESSAGE"), NOTHING },
        { S("during MIME ACL checks"), S("END-OF-MESSAGE"), NOTHING },
        { S("by local_scan()"), S("END-OF-MESSAGE"), NOTHING },
        { S("by DMARC"), S("END-OF-MESSAGE"), NOTHING },
        { S("EHLO or HELO "), S("HELO"), HELO },
        { S("connection in \"connect\" ACL"), S("CONNECT"), NOTHING },
        { S("connection"), S("CONNECT"), NOTHING },
        { S("AUTH "), S("AUTH"), WORD },
        { S("STARTTLS"), S("STARTTLS"), NOTHING },
        { S("VRFY "), S("VRFY"), ANYTHING },
        { S("EXPN "), S("EXPN"), ANYTHING },
        { S("ETRN "), S("ETRN"), ANYTHING },
        { S("QUIT"), S("QUIT"), ANYTHING },
        { S("non-SMTP"), S("non-SMTP"), NOTHING },
};

/* What the client said, of which no more than 100 bytes are shown. */
static bool take_place_address(struct slice *s, struct slice *ret)
{
        enum { MOST = 100 };
        struct slice at = *s, word;
        if (scan_angle(&at, &word) && word.n + 2 <= MOST) {
                *ret = word;
                *s = at;
                return true;
        }
        if (s->n > MOST && *s->p == '<') { /* cut: where it ends, and what the reason is, cannot be told */
                *s = slice_from(*s, s->n);
                return true;
        }
        if (!exim_word(s, ret))
                return false;
        exim_give_colon(s, ret);
        return true;
}

static bool take_place(struct slice *s, enum place place, struct mail_event *ret)
{
        struct slice said, name = ret->helo.n ? ret->helo : ret->client.name;
        switch (place) {
        case ADDRESS:
                return take_place_address(s, *ret->stage.p == 'R' ? &ret->to : &ret->from);
        case HELO: /* it stands in the line already; else it could be taken for the reason */
                return name.n && scan_take(s, name);
        case WORD:
                if (!exim_word(s, &said))
                        return false;
                exim_give_colon(s, &said);
                return true;
        case ANYTHING:
                *s = slice_from(*s, s->n);
                return true;
        default:
                return true;
        }
}

static bool take_refusal(struct slice s, struct mail_event *ret)
{
        size_t i = 0;
        while (i < COUNT_OF(stages) && !scan_take(&s, stages[i].starts))
                i++;
        ret->kind = MAIL_REJECT;
        if (i == COUNT_OF(stages))
                return false;
        ret->stage = stages[i].name;
        if (!take_place(&s, stages[i].place, ret))
                return false;
        struct slice parameters;
        if (stages[i].place == ADDRESS && slice_starts(s, S(" "))) {
                if (!scan_until(&s, S(": "), &parameters))
                        return true;
        } else if (s.n && !scan_take(&s, S(": "))) {
                return false;
        }
        ret->text = s;
        return true;
}

bool exim_of_client(struct slice s, const struct exim_rest *rest, struct mail_event *ret)
{
        static const struct {
                struct slice starts;
                enum mail_kind kind;
        } rows[] = { { S(" Warning: "), MAIL_WARNING },
                     { S(" sender verify fail for <"), MAIL_NOTE },
                     { S(" sender verify defer for <"), MAIL_NOTE },
                     { S(" incomplete transaction"), MAIL_NOTE } };
        struct slice key, value;
        bool end;
        (void)rest;
        while (exim_field(&s, &key, &value, &end)) {
                if (end || slice_eq(key, S("H")))
                        return false;
                if (slice_eq(key, S("F")))
                        ret->from = exim_bare(value);
                else if (slice_eq(key, S("A")))
                        exim_login(value, ret);
        }
        struct slice words = slice_from(s, s.n > 0);
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (scan_take(&s, rows[i].starts)) {
                        ret->kind = rows[i].kind;
                        ret->text = ret->kind == MAIL_NOTE ? words : s;
                        return true;
                }
        if (!scan_take(&s, S(" temporarily rejected ")) && !scan_take(&s, S(" rejected ")))
                return false;
        ret->action = (struct slice){ words.p, (size_t)(s.p - words.p) - 1 };
        return take_refusal(s, ret);
}
