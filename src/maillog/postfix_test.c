/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/postfix.h"
#include "maillog/test_support.h"
#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct mail_event parse(const char *program, const char *text)
{
        struct mail_event e;
        struct slice instance;
        enum mail_daemon d = mail_daemon_of(slice_of(program), &instance);
        assert_int_not_equal(d, MAIL_BY_NONE);
        postfix_parse(d, slice_of(text), &e);
        return e;
}

/* An event as one line: kind, then its fields that are there. */
static void show(const struct mail_event *e, struct buf *out)
{
        const struct {
                const char *name;
                struct slice value;
        } rows[] = { { "id", e->queue_id },
                     { "host", e->client.name },
                     { "addr", e->client.address },
                     { "port", e->client.port },
                     { "login", e->login },
                     { "method", e->method },
                     { "stage", e->stage },
                     { "dsn", e->dsn },
                     { "echo", e->echo },
                     { "from", e->from },
                     { "to", e->to },
                     { "orig", e->orig_to },
                     { "helo", e->helo },
                     { "mid", e->message_id },
                     { "delay", e->delay },
                     { "other", e->other_id },
                     { "action", e->action } };
        buf_addf(out, "%s", mail_kind_name(e->kind));
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (rows[i].value.n)
                        buf_addf(out, " %s=%.*s", rows[i].name, SLICE_ARGS(rows[i].value));
        if (e->code)
                buf_addf(out, " code=%u", e->code);
        if (e->size || e->nrcpt)
                buf_addf(out, " size=%llu nrcpt=%llu", (unsigned long long)e->size, (unsigned long long)e->nrcpt);
        if (e->status)
                buf_addf(out, " status=%d", (int)e->status);
        if (test_category(e))
                buf_addf(out, " (%s)", test_category_name(test_category(e)));
        if (e->odd)
                buf_adds(out, " odd");
}

struct fact {
        const char *program, *text, *want;
};

static void check(const struct fact *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                size_t length = strlen(rows[i].text);
                autofree char *exact = xmalloc(length + 1);
                autobuf got;
                buf_init(&got, 65536);
                memcpy(exact, rows[i].text, length + 1);
                struct mail_event e = parse(rows[i].program, exact);
                show(&e, &got);
                if (strcmp(buf_cstr(&got), rows[i].want) != 0)
                        fail_msg("%s\n  got  %s\n  want %s", rows[i].text, buf_cstr(&got), rows[i].want);
        }
}

static void facts(void **state)
{
        (void)state;
        static const struct fact rows[] = {
                { "postfix/submission/smtpd",
                  "3ZxY7Q0XyzJkLmN: client=unknown[200.206.214.11]:4711, sasl_method=LOGIN, "
                  "sasl_username=calei70@click21.com.br",
                  "client id=3ZxY7Q0XyzJkLmN host=unknown addr=200.206.214.11 port=4711 login=calei70@click21.com.br "
                  "method=LOGIN" },
                { "postfix/smtpd",
                  "7409CAC637: client=unknown[200.206.214.11], sasl_method=LOGIN, sasl_username=c@d, status=sent (d) "
                  "(queue active)",
                  "client id=7409CAC637 host=unknown addr=200.206.214.11 login=c@d method=LOGIN" },
                { "postfix/virus-filter", "46E0BAB8E5: crm=SPAM Sender=i@a.com.br cid=0 rcpts=1",
                  "content id=46E0BAB8E5 action=SPAM" },
                { "postfix/pipe", "46E0BAB8E5: to=<l@click21.com.br>, relay=clamav, delay=2, status=sent (dummy)",
                  "delivery id=46E0BAB8E5 host=clamav to=l@click21.com.br delay=2 status=1" },
                { "postfix/qmgr", "46E0BAB8E5: from=<>, size=10127, nrcpt=1 (queue active)",
                  "queued id=46E0BAB8E5 size=10127 nrcpt=1" },
                { "postfix/qmgr", "46E0BAB8E5: removed", "removed id=46E0BAB8E5" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from a.b[192.0.2.1]: 550 5.1.1 <x@y.z>: Recipient address rejected: User "
                  "unknown in local recipient table; from=<q@w> to=<x@y.z> proto=ESMTP helo=<me>",
                  "reject host=a.b addr=192.0.2.1 stage=RCPT dsn=5.1.1 echo=x@y.z from=q@w to=x@y.z helo=me "
                  "action=reject code=550 (local)" },
                { "postfix-in/postscreen",
                  "NOQUEUE: reject: RCPT from [192.0.2.1]:999: 550 5.7.1 Service unavailable; client [192.0.2.1] "
                  "blocked using zen.spamhaus.org; from=<a@b>, to=<c@d>, proto=ESMTP, helo=<h>",
                  "reject addr=192.0.2.1 port=999 stage=RCPT dsn=5.7.1 from=a@b to=c@d helo=h action=reject code=550 "
                  "(rbl)" },
                { "postfix/cleanup",
                  "4104E3D: milter-reject: END-OF-MESSAGE from a[192.0.2.1]: 5.7.1 Spam message rejected; from=<a@b> "
                  "to=<c@d> proto=ESMTP helo=<h>",
                  "reject id=4104E3D host=a addr=192.0.2.1 stage=END-OF-MESSAGE dsn=5.7.1 from=a@b to=c@d helo=h "
                  "action=milter-reject (spam)" },
                { "postfix/smtpd",
                  "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, "
                  "sasl_username=bob@example.net",
                  "auth-failed host=unknown addr=192.0.2.1 login=bob@example.net method=LOGIN" },
                { "postfix/smtp",
                  "3D7A2: to=<a@gmail.com>, relay=g[74.125.1.1]:25, delay=1, delays=0/0/0/1, dsn=4.7.28, "
                  "status=deferred (host g[74.125.1.1] said: 421-4.7.28 [192.0.2.1] Our filter (in reply to end of "
                  "DATA command))",
                  "delivery id=3D7A2 host=g addr=74.125.1.1 port=25 dsn=4.7.28 to=a@gmail.com delay=1 status=2 "
                  "(remote_rate)" },
                { "postfix/smtp",
                  "3D7A2: host mta5[1.2.3.4] refused to talk to me: 421 4.7.0 [TSS04] Messages from 192.0.2.1 "
                  "temporarily deferred",
                  "said id=3D7A2 host=mta5 addr=1.2.3.4 (remote_spam)" },
                { "postfix/smtpd", "a thing nobody ever heard of", "unknown" },
                { "postfix/smtpd", "46E0BAB8E5: to=<l@click21.com.br>, relay=clamav, delay=2, status=sent (dummy)",
                  "unknown id=46E0BAB8E5" },
                { "postfix/smtpd", "> unknown[192.0.2.1]: 250 46E0BAB8E5: removed", "verbose" },
        };
        check(rows, COUNT_OF(rows));
}

/* A filter before the queue, and restrictions that end a conversation. */
static void before_the_queue(void **state)
{
        (void)state;
        static const struct fact rows[] = {
                { "postfix/smtpd", "NOQUEUE: client=home.example.com[198.51.100.21]",
                  "client host=home.example.com addr=198.51.100.21" },
                { "postfix/smtpd",
                  "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 929F110C1C7; from=<a@b> to=<c@d> proto=ESMTP "
                  "helo=<h>",
                  "note" },
                { "postfix/smtpd",
                  "51DEB10C4E3: reject: DATA from e[192.0.2.26]: 503 5.5.0 <DATA>: Data command rejected: Improper use "
                  "of SMTP command pipelining; from=<a@b> to=<c@d> proto=ESMTP helo=<h>",
                  "reject id=51DEB10C4E3 host=e addr=192.0.2.26 stage=DATA dsn=5.5.0 echo=DATA from=a@b to=c@d helo=h "
                  "action=reject code=503 (protocol)" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: CONNECT from e[192.0.2.26]: 503 5.5.0 <e[192.0.2.26]>: Client host rejected: "
                  "Improper use of SMTP command pipelining; proto=SMTP",
                  "reject host=e addr=192.0.2.26 stage=CONNECT dsn=5.5.0 echo=e[192.0.2.26] action=reject code=503 "
                  "(protocol)" },
        };
        check(rows, COUNT_OF(rows));
}

/* What a stranger writes into HELO, sender, recipient or Subject becomes nothing but the value of that field. */
static void injections(void **state)
{
        (void)state;
        static const struct fact rows[] = {
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <t@x>: Relay access denied; from=<e@e> to=<t@x> "
                  "proto=ESMTP helo=<not owned by user victim>",
                  "reject host=e addr=192.0.2.9 stage=RCPT dsn=5.7.1 echo=t@x from=e@e to=t@x helo=not owned by user "
                  "victim action=reject code=554 (relay_denied)" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from e[192.0.2.9]: 504 5.5.2 <a>: Sender address rejected: not owned by user "
                  "victim>: Helo command rejected: need fully-qualified hostname; from=<a> to=<t@x> proto=SMTP "
                  "helo=<a>: Sender address rejected: not owned by user victim>",
                  "reject host=e addr=192.0.2.9 stage=RCPT dsn=5.5.2 action=reject code=504 (other) odd" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from e[192.0.2.9]: 504 5.5.2 <a>: Sender address rejected: not logged in>: "
                  "Helo command rejected: Host not found; from=<b@c> to=<t@x> proto=SMTP helo=<a>: Sender address "
                  "rejected: not logged in>",
                  "reject host=e addr=192.0.2.9 stage=RCPT dsn=5.5.2 action=reject code=504 (other) odd" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <t@x>: Relay access denied; from=<x> "
                  "to=<victim@v> proto=SMTP helo=<h> to=<t@x> proto=ESMTP helo=<real>",
                  "reject host=e addr=192.0.2.9 stage=RCPT dsn=5.7.1 action=reject code=554 (other) odd" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <t@x>: Relay access denied; from=<\"; from=<a> "
                  "to=<v@v>\"@e> to=<t@x> proto=ESMTP helo=<r>",
                  "reject host=e addr=192.0.2.9 stage=RCPT dsn=5.7.1 echo=t@x from=\"; from=<a> to=<v@v>\"@e to=t@x "
                  "helo=r action=reject code=554 (relay_denied)" },
                { "postfix/smtpd",
                  "NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <t@x>: Relay access denied; from=<e@e> to=<t@x> "
                  "proto=ESMTP helo=<x> sasl_username=<victim>",
                  "reject host=e addr=192.0.2.9 stage=RCPT dsn=5.7.1 echo=t@x from=e@e to=t@x helo=x action=reject "
                  "code=554 (relay_denied)" },
                { "postfix/qmgr",
                  "46E0BAB8E5: from=<x>, size=999999, nrcpt=5000 (queue active)@e>, size=7, nrcpt=1 (queue active)",
                  "queued id=46E0BAB8E5 from=x>, size=999999, nrcpt=5000 (queue active)@e size=7 nrcpt=1" },
                { "postfix/cleanup", "46E0BAB8E5: message-id=<a> 46E0BAB8E6: removed",
                  "message-id id=46E0BAB8E5 mid=<a> 46E0BAB8E6: removed" },
                { "postfix/cleanup",
                  "46E0BAB8E5: reject: header Subject: x from victim[198.51.100.1]; from=<v@v> to=<t@t> from "
                  "e[192.0.2.9]; from=<e@e> to=<t@x> proto=SMTP helo=<h>: no",
                  "check id=46E0BAB8E5 action=reject (other)" },
                { "postfix/smtpd",
                  "warning: e[192.0.2.9]: SASL PLAIN authentication failed: no, sasl_username=x, sasl_username=victim",
                  "auth-failed host=e addr=192.0.2.9 login=x, sasl_username=victim method=PLAIN" },
                { "postfix/smtpd",
                  "improper command pipelining after EHLO from e[192.0.2.9]: QUIT from victim[198.51.100.1]: x",
                  "lost host=e addr=192.0.2.9 stage=EHLO" },
                { "postfix/postscreen", "PREGREET 14 after 0.1 from [192.0.2.9]:99: EHLO [198.51.100.1]:1",
                  "screen addr=192.0.2.9 port=99 action=PREGREET" },
                { "postfix/smtp",
                  "3D7A2: to=<a@b>, relay=g[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host "
                  "g[203.0.113.1] said: 550 5.1.1 <blocked using spam 4.7.28@b>: no such user (in reply to RCPT TO "
                  "command))",
                  "delivery id=3D7A2 host=g addr=203.0.113.1 port=25 dsn=5.1.1 to=a@b delay=1 status=3" },
                { "postfix/smtpd", "< e[192.0.2.9]: HELO 46E0BAB8E5: client=victim[198.51.100.1]", "verbose" },
        };
        check(rows, COUNT_OF(rows));
}

/* --- the vectors that others wrote --- */

/* A scalar of the few kinds that stand in these files. */
static struct slice scalar(struct slice s, char *out)
{
        size_t n = 0;
        s = slice_trim(s);
        if (!s.n || *s.p != '"')
                return s;
        for (size_t i = 1; i + 1 < s.n; i++) {
                char c = s.p[i];
                if (c == '\\')
                        c = s.p[++i] == 'n' ? '\n' : s.p[i] == 'r' ? '\r' : s.p[i];
                out[n++] = c;
        }
        return (struct slice){ out, n };
}

static const char *file_now;

static void same(const char *name, struct slice got, struct slice want)
{
        if (!slice_eq(got, want))
                fail_msg("%s: %s: got %.*s, want %.*s", file_now, name, SLICE_ARGS(got), SLICE_ARGS(want));
}

static void expect(const struct mail_event *e, struct slice key, struct slice want)
{
        static const char *const statuses[] = { "", "sent", "deferred", "bounced", "expired" };
        char number[16];
        snprintf(number, sizeof number, "%u", e->code);
        const struct {
                struct slice key, got;
        } rows[] = { { S("postfix_queueid"), e->queue_id.n ? e->queue_id : S("NOQUEUE") },
                     { S("postfix_client_hostname"), e->client.name },
                     { S("postfix_client_ip"), e->client.address },
                     { S("postfix_client_port"), e->client.port },
                     { S("postfix_action"), e->action },
                     { S("postfix_status_code"), slice_of(number) },
                     { S("postfix_status_code_enhanced"), e->dsn },
                     { S("postfix_bounce_queueid"), e->other_id },
                     { S("postfix_status"), slice_of(e->kind == MAIL_EXPIRED ? "expired" : statuses[e->status]) },
                     { S("postfix_from"), e->from },
                     { S("postfix_dnsbl_domain"), e->text } };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (slice_eq(rows[i].key, key) && e->kind != MAIL_ANVIL)
                        same(rows[i].key.p, rows[i].got, want);
        if (slice_eq(key, S("postfix_smtp_response")) && !slice_starts(e->text, want))
                same("response", e->text, want);
        if (slice_eq(key, S("postfix_message-id")) && !memmem(e->message_id.p, e->message_id.n, want.p, want.n))
                same("message-id", e->message_id, want);
        if (slice_eq(key, S("postfix_status_data")) && e->echo.n)
                same("echo", e->echo, want);
        if (slice_eq(key, S("postfix_message_level")) && e->kind != MAIL_CHECK)
                assert_int_equal(e->kind, MAIL_WARNING);
}

/* Whether the vector is a line of a daemon, and not a part of one. */
static bool vector(struct slice text)
{
        static const char *const parts[] = { "COMMAND_COUNTER_DATA", "DELAYS", "TLS_FEATURES", "RELAY" };
        char program[64] = "postfix/", data[8192], value[8192];
        struct mail_event e = { 0 };
        bool results = false;
        for (struct slice line; text.n;) {
                line = slice_cut(text, '\n', &text);
                struct slice rest, key = slice_trim(slice_cut(line, ':', &rest));
                if (slice_eq(key, S("pattern"))) {
                        const char *name = strstr(rest.p, "POSTFIX_") + 8;
                        size_t n = strcspn(name, "}");
                        for (size_t i = 0; i < COUNT_OF(parts); i++)
                                if (strlen(parts[i]) == n && memcmp(parts[i], name, n) == 0)
                                        return false;
                        for (size_t i = 0; i < n; i++)
                                program[8 + i] = (char)(name[i] == '_' ? '-' : name[i] | 0x20);
                        program[8 + n] = 0;
                        if (strcmp(program, "postfix/script") == 0)
                                snprintf(program, sizeof program, "postfix/postfix-script");
                } else if (slice_eq(key, S("data"))) {
                        struct slice instance;
                        postfix_parse(mail_daemon_of(slice_of(program), &instance), scalar(rest, data), &e);
                        if (e.kind == MAIL_UNKNOWN)
                                fail_msg("%s: not understood: %.*s", file_now, SLICE_ARGS(rest));
                } else if (slice_eq(key, S("results"))) {
                        results = true;
                } else if (results && rest.n) {
                        expect(&e, key, scalar(rest, value));
                }
        }
        return true;
}

static void vectors(void **state)
{
        (void)state;
        const char *data = getenv("PORTEIRO_DATA");
        char folder[4096];
        snprintf(folder, sizeof folder, "%s/postfix-grok-patterns", data ? data : ""); /* skip() frees nothing */
        DIR *d = data && *data ? opendir(folder) : NULL;
        if (!d) {
                print_message("skipped: PORTEIRO_DATA is not set, or has no postfix-grok-patterns\n");
                skip();
        }
        size_t whole = 0, parts = 0;
        for (struct dirent *each; (each = readdir(d));) {
                if (!slice_ends(slice_of(each->d_name), S(".yaml")))
                        continue;
                autofree char *path = xasprintf("%s/%s", folder, each->d_name);
                autobuf text;
                buf_init(&text, 65536);
                assert_int_equal(file_read(path, &text), 0);
                buf_addc(&text, '\n');
                file_now = each->d_name;
                *(vector(buf_slice(&text)) ? &whole : &parts) += 1;
        }
        closedir(d);
        print_message("%zu lines, %zu parts of lines\n", whole, parts);
        assert_true(whole >= 90);
}

static void queue_ids(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                size_t n;
        } rows[] = { { "46E0BAB8E5: x", 10 },
                     { "0F5383D: x", 7 },
                     { "48rT2v1hQrz1J0N: x", 15 },
                     { "NOQUEUE: x", 0 },
                     { "statistics: x", 0 },
                     { "46E0BAB8E5", 0 },
                     { "46e0b: x", 0 },
                     { "", 0 },
                     { "123456789012345678901:", 0 },
                     { "warning: x", 0 } };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_int_equal(postfix_queue_id(slice_of(rows[i].text)), rows[i].n);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(facts), cmocka_unit_test(before_the_queue),
                                            cmocka_unit_test(injections), cmocka_unit_test(vectors),
                                            cmocka_unit_test(queue_ids) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
