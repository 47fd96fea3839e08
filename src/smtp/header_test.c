/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"
#include "smtp/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* A value of From, and the addresses in it; NULL where it is unclear. */
static const struct {
        const char *value, *want;
} lists[] = {
        { "maria@example.com", "maria@example.com" },
        { " Maria <maria@example.com>", "maria@example.com" },
        { "\"Maria, of the shop\" <maria@example.com>", "maria@example.com" },
        { "maria@example.com (Maria (the (first)))", "maria@example.com" },
        { "(a comment) maria@example.com", "maria@example.com" },
        { "<maria@example.com>", "maria@example.com" },
        { "Maria J. Silva <maria@example.com>, jose@example.org", "maria@example.com jose@example.org" },
        { "=?UTF-8?Q?Jos=C3=A9?= <jose@example.org>", "jose@example.org" },
        { "Jos\xC3\xA9 <jose@example.org>", "jose@example.org" },
        { "Jos\xE9 <jose@example.org>", "jose@example.org" },
        { "Staff: maria@example.com, Jose <jose@example.org>;", "maria@example.com jose@example.org" },
        { "Staff:;", "" },
        { "a: b@example.com;, c@example.com", "b@example.com c@example.com" },
        { "owner@example.com <evil@example.org>", "owner@example.com evil@example.org" },
        { "\"owner@example.com\" <evil@example.org>", "evil@example.org" },
        { "\"a b\"@example.com", "\"a b\"@example.com" },
        { "maria@[192.0.2.1]", "maria@[192.0.2.1]" },
        { "", NULL },
        { "  ", NULL },
        { "Maria", NULL },
        { "Maria maria@example.com", NULL },
        { "maria@example.com jose@example.org", NULL },
        { "maria@example.com,", NULL },
        { ",maria@example.com", NULL },
        { "maria@example.com,,jose@example.org", NULL },
        { "maria@example.com;", NULL },
        { "Maria <maria@example.com", NULL },
        { "Maria maria@example.com>", NULL },
        { "<>", NULL },
        { "Maria <>", NULL },
        { "Maria <maria@example.com> x", NULL },
        { "Maria <maria@example.com> <evil@example.org>", NULL },
        { "<maria@example.com><evil@example.org>", NULL },
        { "Maria <@route.example:maria@example.com>", NULL },
        { "maria@example.com(.evil.example", NULL },
        { "maria@(c)example.com", NULL },
        { "maria @example.com", NULL },
        { "maria@example.com\\", NULL },
        { "\"open <maria@example.com>", NULL },
        { "a: b: c@example.com;;", NULL },
        { "a: b@example.com", NULL },
        { ": b@example.com;", NULL },
        { "((((((((( x ))))))))) a@example.com", NULL },
        { "Maria [x] <maria@example.com>", NULL },
        { "=?utf-8?Q?a,_b?= <maria@example.com>", NULL },
        { "a@b@example.com", NULL },
};

static void test_mailboxes(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(lists); i++) {
                struct smtp_mailboxes m;
                autobuf got;
                autofree char *exact = slice_dup(slice_of(lists[i].value));
                size_t n = strlen(exact);
                exact = xrealloc(exact, n ? n : 1);
                buf_init(&got, 1024);
                bool good = smtp_mailboxes_parse((struct slice){ exact, n }, &m);
                for (size_t k = 0; good && k < m.n; k++) {
                        if (k)
                                buf_addc(&got, ' ');
                        smtp_path_print(&m.path[k], &got);
                }
                if (good != !!lists[i].want || (good && strcmp(buf_cstr(&got), lists[i].want)))
                        fail_msg("%s: %s", lists[i].value, good ? buf_cstr(&got) : "refused");
        }
}

static void test_too_many_mailboxes(void **state)
{
        (void)state;
        for (size_t n = SMTP_MAILBOXES_MOST; n <= SMTP_MAILBOXES_MOST + 1; n++) {
                static struct smtp_mailboxes m;
                autobuf text;
                buf_init(&text, 4096);
                for (size_t i = 0; i < n; i++)
                        buf_adds(&text, i ? ",a@example.com" : "a@example.com");
                assert_int_equal(smtp_mailboxes_parse(buf_slice(&text), &m), n <= SMTP_MAILBOXES_MOST);
        }
}

#define BODY "\r\nFrom: body@example.com\r\n"
static const struct {
        const char *name, *text;
        enum smtp_author author;
        const char *first;
        unsigned froms, received, date, message_id;
        bool broken, endless;
} heads[] = {
        { "usual", "From: a@example.com\r\nDate: x\r\nMessage-ID: <y>\r\nSubject: z\r\n" BODY, SMTP_AUTHOR_CLEAR,
          "a@example.com", .froms = 1, .date = 1, .message_id = 1 },
        { "folded", "FROM:\r\n Maria\r\n\t<a@example.com>\r\n" BODY, SMTP_AUTHOR_CLEAR, "a@example.com", .froms = 1 },
        { "a blank before the colon", "From \t: a@example.com\r\n" BODY, SMTP_AUTHOR_CLEAR, "a@example.com",
          .froms = 1 },
        { "two", "From: a@example.com\r\nX: y\r\nfrom: b@example.com\r\n" BODY, SMTP_AUTHOR_UNCLEAR, .froms = 2 },
        { "none", "Subject: z\r\n" BODY, SMTP_AUTHOR_MISSING, .froms = 0 },
        { "nothing at all", BODY, SMTP_AUTHOR_MISSING, .froms = 0 },
        { "hops", "Received: a\r\nReceived: b\r\n c\r\nRECEIVED : d\r\nFrom: a@example.com\r\n" BODY, SMTP_AUTHOR_CLEAR,
          "a@example.com", .froms = 1, .received = 3 },
        { "names alike", "Fro: b@example.com\r\nFromm: b@example.com\r\nX-From: b@example.com\r\n" BODY,
          SMTP_AUTHOR_MISSING, .froms = 0 },
        { "a mailbox file's line", "From maria Tue Nov 24\r\nFrom: a@example.com\r\n" BODY, SMTP_AUTHOR_UNCLEAR,
          .froms = 1, .broken = true },
        { "a line that is no field", "From: a@example.com\r\nhello\r\nFrom: b@example.com\r\n" BODY,
          SMTP_AUTHOR_UNCLEAR, .froms = 2, .broken = true },
        { "folded at first", " x\r\nFrom: a@example.com\r\n" BODY, SMTP_AUTHOR_UNCLEAR, .froms = 1, .broken = true },
        { "no name", ": x\r\nFrom: a@example.com\r\n" BODY, SMTP_AUTHOR_UNCLEAR, .froms = 1, .broken = true },
        { "a name in Latin-1", "Fr\xF3m: x\r\nFrom: a@example.com\r\n" BODY, SMTP_AUTHOR_UNCLEAR, .froms = 1,
          .broken = true },
        { "a line of blanks", "From: a@example.com\r\n \r\n" BODY, SMTP_AUTHOR_CLEAR, "a@example.com", .froms = 1 },
        { "no body", "From: a@example.com\r\nDate: x\r\n", SMTP_AUTHOR_CLEAR, "a@example.com", .froms = 1, .date = 1,
          .endless = true },
        { "a comma between two fields", "From: a@example.com\r\nFrom:\r\n" BODY, SMTP_AUTHOR_UNCLEAR, .froms = 2 },
};

/* Cut in two at every place. */
static void test_heads(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT_OF(heads); i++)
                for (size_t at = 0; at <= strlen(heads[i].text); at++) {
                        struct slice text = slice_of(heads[i].text), one = { text.p, at }, two = slice_from(text, at);
                        struct smtp_header h;
                        struct smtp_mailboxes m;
                        smtp_header_init(&h);
                        enum smtp_header_found found = smtp_header_next(&h, &one);
                        if (found == SMTP_HEADER_MORE)
                                found = smtp_header_next(&h, &two);
                        else
                                two.n += one.n;
                        if (found == SMTP_HEADER_MORE)
                                smtp_header_end(&h);
                        enum smtp_author author = smtp_header_author(&h, &m);
                        bool good = (found == SMTP_HEADER_MORE) == heads[i].endless && author == heads[i].author &&
                                    (heads[i].endless || two.n == strlen(BODY)) && h.broken == heads[i].broken &&
                                    h.count[SMTP_FIELD_FROM] == heads[i].froms &&
                                    h.count[SMTP_FIELD_DATE] == heads[i].date &&
                                    h.count[SMTP_FIELD_RECEIVED] == heads[i].received &&
                                    h.count[SMTP_FIELD_MESSAGE_ID] == heads[i].message_id;
                        if (!good)
                                fail_msg("%s, cut at %zu: found %d author %d left %zu broken %d from %u", heads[i].name,
                                         at, found, author, two.n, h.broken, h.count[SMTP_FIELD_FROM]);
                        if (heads[i].first) {
                                autobuf path;
                                buf_init(&path, 512);
                                smtp_path_print(&m.path[0], &path);
                                assert_string_equal(buf_cstr(&path), heads[i].first);
                        }
                        smtp_header_done(&h);
                }
}

static void test_limits(void **state)
{
        (void)state;
        struct smtp_header h;
        struct smtp_mailboxes m;
        enum smtp_header_found found = SMTP_HEADER_MORE;
        size_t fed = 0;
        smtp_header_init(&h);
        while (found == SMTP_HEADER_MORE && fed < 2 * SMTP_HEADER_MOST) {
                struct slice line = S("From: 0123456789012345678901234567890123456789@example.com,\r\n");
                fed += line.n;
                found = smtp_header_next(&h, &line);
        }
        assert_int_equal(found, SMTP_HEADER_TOO_BIG);
        assert_true(fed > SMTP_HEADER_MOST && fed < SMTP_HEADER_MOST + 100);
        assert_true(h.from.n <= SMTP_FIELD_MOST);
        assert_int_equal(smtp_header_author(&h, &m), SMTP_AUTHOR_UNCLEAR);
        smtp_header_done(&h);
        for (size_t n = 996; n < 1002; n++) {
                autobuf text;
                buf_init(&text, 4096);
                buf_adds(&text, "X:");
                while (text.n < n)
                        buf_addc(&text, 'y');
                buf_adds(&text, "\r\n");
                struct slice in = buf_slice(&text);
                smtp_header_init(&h);
                smtp_header_next(&h, &in);
                assert_int_equal(h.long_line, n > 998);
                smtp_header_done(&h);
        }
}

static void test_what_is_added(void **state)
{
        (void)state;
        static const struct {
                int64_t seconds;
                int zone;
                const char *want;
        } dates[] = {
                { 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
                { 1795523623, -180, "Tue, 24 Nov 2026 09:33:43 -0300" },
                { 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
                { 951868799, 0, "Tue, 29 Feb 2000 23:59:59 +0000" },
                { 4107542400, 0, "Mon, 1 Mar 2100 00:00:00 +0000" },
                { 1767225599, 90, "Thu, 1 Jan 2026 01:29:59 +0130" },
        };
        autobuf out;
        buf_init(&out, 4096);
        for (size_t i = 0; i < COUNT_OF(dates); i++) {
                buf_clear(&out);
                smtp_date_put(&out, dates[i].seconds * SECOND, dates[i].zone);
                assert_string_equal(buf_cstr(&out), dates[i].want);
        }
        struct smtp_trace t = { .host = S("smtps.example.net.br"),
                                .token = S("k3-Xz_9)\r\nFrom: x"),
                                .id = 77,
                                .esmtp = true,
                                .tls = true,
                                .authenticated = true,
                                .now = 1795523623 * SECOND,
                                .zone_minutes = -180 };
        buf_clear(&out);
        smtp_put_received(&out, &t);
        assert_string_equal(buf_cstr(&out),
                            "Received: from customer (k3-Xz_9???From??x)\r\n\tby smtps.example.net.br with ESMTPSA "
                            "id 0000002D;\r\n\tTue, 24 Nov 2026 09:33:43 -0300\r\n");
        buf_clear(&out);
        smtp_put_message_id(&out, 255, 16, S("smtps.example.net.br"));
        smtp_put_date(&out, 0, 0);
        assert_string_equal(buf_cstr(&out),
                            "Message-ID: <ff.10@smtps.example.net.br>\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mailboxes),     cmocka_unit_test(test_too_many_mailboxes),
                cmocka_unit_test(test_heads),         cmocka_unit_test(test_limits),
                cmocka_unit_test(test_what_is_added),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
