/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mail log of so many bytes, as a busy relay of Debian 12 writes it: thousands of conversations at once, their lines interleaved, 30,000
 * clients, most of them under TLS, every tenth message through a content filter, long replies of large providers. With "rfc3339", which rsyslog
 * writes there, a line has about 220 bytes. Standard output gets the log, standard error what is in it, as JSON.
 *
 *     maillog BYTES [rfc3339] */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST "mail1.example.net"
enum { AT_ONCE = 3000, CLIENTS = 30000, LOGINS = 5000, PEAK = 2500 /* lines a second */ };

struct talk {
        int kind, step;
        uint32_t client, login, number;
        unsigned size;
        char id[24], second[24];
};

static uint64_t seed = 1;
static uint64_t written, lines;
static bool rfc3339;
static struct {
        uint64_t messages, delivered, deferred, bounced, handed, refused, not_owned, local, rbl, greylist, relay_denied,
            auth_failed;
} sum;

static uint32_t pick(uint32_t below)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (uint32_t)((seed >> 16) % below);
}

static void stamp(char *out, size_t n)
{
        static time_t last = -1;
        static char text[64];
        time_t at = 1795824000 + (time_t)(lines / PEAK);
        if (at != last) {
                struct tm tm;
                gmtime_r(&at, &tm);
                strftime(text, sizeof text, rfc3339 ? "%Y-%m-%dT%H:%M:%S.123456+00:00" : "%b %e %H:%M:%S", &tm);
                last = at;
        }
        snprintf(out, n, "%s", text);
}

static void say(const char *daemon, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const char *daemon, const char *fmt, ...)
{
        char when[64], text[1024];
        va_list ap;
        stamp(when, sizeof when);
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        int n = printf("%s %s postfix/%s[%u]: %s\n", when, HOST, daemon, 1000 + pick(60000), text);
        written += (uint64_t)n;
        lines++;
}

static const char *client(const struct talk *t)
{
        static char text[120];
        uint32_t c = t->client;
        snprintf(text, sizeof text, "198-%u-%u-%u.dynamic.city.isp.example.net[198.%u.%u.%u]", 18 + (c >> 16),
                 c >> 8 & 255, c & 255, 18 + (c >> 16), c >> 8 & 255, c & 255);
        return text;
}

static void new_id(char out[24])
{
        static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
        if (pick(2)) {
                snprintf(out, 24, "%05X%07X", pick(1 << 20), pick(1 << 28));
                return;
        }
        for (int i = 0; i < 15; i++)
                out[i] = digits[pick(52)];
        out[15] = 0;
}

static void begin(struct talk *t)
{
        static uint32_t numbers;
        uint32_t c = pick(CLIENTS);
        *t = (struct talk){
                .kind = (int)pick(20), .client = c * (uint64_t)c % CLIENTS, .login = pick(LOGINS), .number = numbers++
        };
        t->size = 800 + pick(60000);
        new_id(t->id);
        new_id(t->second);
}

static void reject(const struct talk *t)
{
        char to[64], from[64];
        snprintf(to, sizeof to, "user%u@example.org", t->number % 9000);
        snprintf(from, sizeof from, "sender%u@example.com", t->number % 70000);
        sum.refused++;
        switch (t->number % 5) {
        case 0:
                sum.local++;
                say("smtpd",
                    "NOQUEUE: reject: RCPT from %s: 550 5.1.1 <%s>: Recipient address rejected: User unknown in local "
                    "recipient table; from=<%s> to=<%s> proto=ESMTP helo=<host%u.example.net>",
                    client(t), to, from, to, t->client);
                break;
        case 1:
                sum.rbl++;
                say("smtpd",
                    "NOQUEUE: reject: RCPT from %s: 554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked "
                    "using zen.example.org; https://www.example.org/query/ip/198.51.100.7; from=<%s> to=<%s> "
                    "proto=ESMTP helo=<not owned by user joe>",
                    client(t), from, to);
                break;
        case 2:
                sum.greylist++;
                say("smtpd",
                    "NOQUEUE: reject: RCPT from %s: 450 4.2.0 <%s>: Recipient address rejected: Greylisted, see "
                    "http://example.org/help/%u; from=<%s> to=<%s> proto=ESMTP helo=<x>",
                    client(t), to, t->number, from, to);
                break;
        case 3:
                sum.relay_denied++;
                say("smtpd",
                    "NOQUEUE: reject: RCPT from %s: 454 4.7.1 <%s>: Relay access denied; from=<%s> to=<%s> proto=SMTP "
                    "helo=<x>",
                    client(t), to, from, to);
                break;
        default:
                sum.not_owned++;
                say("submission/smtpd",
                    "NOQUEUE: reject: RCPT from %s: 553 5.7.1 <%s>: Sender address rejected: not owned by user "
                    "u%u@example.net; from=<%s> to=<%s> proto=ESMTP helo=<[192.168.0.2]>",
                    client(t), from, t->login, from, to);
                break;
        }
}

static void deliver(const struct talk *t, const char *id)
{
        uint32_t fate = t->number % 20;
        if (fate < 12) {
                sum.delivered++;
                say("smtp",
                    "%s: to=<user%u@example.org>, relay=mx%u.mail.protection.example.org[203.0.113.%u]:25, delay=1.2, "
                    "delays=0.09/0.01/0.35/0.75, dsn=2.6.0, status=sent (250 2.6.0 "
                    "<CAF%08X.%u@frontend.mail.example.net> "
                    "[InternalId=%u, Hostname=AM0PR%u.eurprd.prod.example.org] %u bytes in 0.213, 243.911 KB/sec "
                    "Queued mail "
                    "for delivery)",
                    id, t->number % 9000, t->number % 30, t->number % 250, t->number * 2654435761u, t->number,
                    t->number * 40503u, t->number % 99, t->size);
        } else if (fate < 17) {
                sum.delivered++;
                say("virtual",
                    "%s: to=<user%u@example.net>, relay=virtual, delay=0.5, delays=0.4/0.01/0/0.1, dsn=2.0.0, "
                    "status=sent (delivered to maildir)",
                    id, t->number % 9000);
        } else if (fate < 19) {
                sum.deferred++;
                say("smtp",
                    "%s: to=<user%u@example.com>, relay=mx.example.com[203.0.113.9]:25, delay=3, delays=0.1/0/1/1.9, "
                    "dsn=4.7.28, status=deferred (host mx.example.com[203.0.113.9] said: 421-4.7.28 Our system has "
                    "detected an unusual rate of mail originating from your IP address. To protect our users from "
                    "spam, mail sent from your "
                    "IP address has been temporarily rate limited. (in reply to end of DATA command))",
                    id, t->number % 9000);
        } else {
                sum.bounced++;
                say("smtp",
                    "%s: to=<user%u@example.com>, relay=mx.example.com[203.0.113.9]:25, delay=3, delays=0.1/0/1/1.9, "
                    "dsn=5.1.1, status=bounced (host mx.example.com[203.0.113.9] said: 550 5.1.1 No such user (in "
                    "reply to RCPT TO command))",
                    id, t->number % 9000);
        }
}

/* A message, from client to removed; where a filter stands in its way, that gives it back under its second id. */
static bool message(struct talk *t)
{
        enum { CONNECT, SECURED, CLIENT, ID, QUEUED, DISCONNECT, BACK, BACK_ID, HANDED, GONE, AGAIN, DELIVERED, END };
        bool login = t->kind < 7, filter = t->number % 10 == 0;
        const char *id = filter && t->step >= BACK && t->step != HANDED && t->step != GONE ? t->second : t->id;
        int now = t->step;
        t->step = now == DISCONNECT && !filter ? DELIVERED : now + 1;
        switch (now) {
        case CONNECT:
                say(login ? "submission/smtpd" : "smtpd", "connect from %s", client(t));
                break;
        case SECURED:
                say(login ? "submission/smtpd" : "smtpd",
                    "Anonymous TLS connection established from %s: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
                    "bits) "
                    "key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256",
                    client(t));
                break;
        case CLIENT:
                sum.messages++;
                if (login)
                        say("submission/smtpd", "%s: client=%s, sasl_method=LOGIN, sasl_username=u%u@example.net", id,
                            client(t), t->login);
                else
                        say("smtpd", "%s: client=%s", id, client(t));
                break;
        case BACK:
                say("smtpd", "%s: client=localhost[127.0.0.1]", id);
                break;
        case ID:
        case BACK_ID:
                say("cleanup",
                    "%s: message-id=<CAF%08X+dT%08x%08u=8fQ20261128.JavaMail.webmail@frontend%u.mail.example.net>", id,
                    t->number * 2654435761u, t->number * 40503u, t->number, t->client % 12);
                break;
        case QUEUED:
        case AGAIN:
                say("qmgr", "%s: from=<sender%u@example.com>, size=%u, nrcpt=1 (queue active)", id, t->number % 70000,
                    t->size);
                break;
        case DISCONNECT:
                say("smtpd", "disconnect from %s ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8",
                    client(t));
                break;
        case HANDED:
                sum.handed++;
                say("smtp",
                    "%s: to=<user%u@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, "
                    "dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as %s)",
                    id, t->number % 9000, t->second);
                break;
        case DELIVERED:
                deliver(t, id);
                break;
        default:
                say("qmgr", "%s: removed", id);
                break;
        }
        return now != END;
}

static bool step(struct talk *t)
{
        if (t->kind < 13)
                return message(t);
        if (t->kind < 17) {
                reject(t);
                return false;
        }
        switch (t->kind) {
        case 17:
                sum.auth_failed++;
                say("submission/smtpd",
                    "warning: %s: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=u%u@example.net",
                    client(t), t->login);
                return false;
        case 18:
                say("smtp",
                    "Trusted TLS connection established to mx%u.example.org[203.0.113.7]:25: TLSv1.3 with cipher "
                    "TLS_AES_256_GCM_SHA384 (256/256 bits)",
                    t->number % 30);
                return false;
        default:
                say(t->number & 1 ? "postscreen" : "anvil",
                    t->number & 1
                        ? "PASS OLD [198.51.100.%u]:4711"
                        : "statistics: max connection rate 1/60s for (smtpd:198.51.100.%u) at Oct 26 18:13:50",
                    t->number % 250);
                return false;
        }
}

int main(int argc, char **argv)
{
        static struct talk talks[AT_ONCE];
        static char buffer[1 << 20];
        uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 1 << 20;
        rfc3339 = argc > 2;
        setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
        for (size_t i = 0; i < AT_ONCE; i++)
                begin(&talks[i]);
        while (written < wanted) {
                struct talk *t = &talks[pick(AT_ONCE)];
                if (!step(t))
                        begin(t);
        }
        for (size_t i = 0; i < AT_ONCE; i++) /* nobody is left half way */
                while (talks[i].step && step(&talks[i]))
                        ;
        fprintf(stderr,
                "{ \"lines\": %llu, \"messages\": %llu, \"delivered\": %llu, \"deferred\": %llu, \"bounced\": %llu, "
                "\"handed\": %llu, \"refused\": %llu, "
                "\"auth_failed\": %llu, \"local\": %llu, \"rbl\": %llu, \"greylist\": %llu, \"relay_denied\": %llu, "
                "\"not_owned\": %llu }\n",
                (unsigned long long)lines, (unsigned long long)sum.messages, (unsigned long long)sum.delivered,
                (unsigned long long)sum.deferred, (unsigned long long)sum.bounced, (unsigned long long)sum.handed,
                (unsigned long long)sum.refused, (unsigned long long)sum.auth_failed, (unsigned long long)sum.local,
                (unsigned long long)sum.rbl, (unsigned long long)sum.greylist, (unsigned long long)sum.relay_denied,
                (unsigned long long)sum.not_owned);
        return 0;
}
