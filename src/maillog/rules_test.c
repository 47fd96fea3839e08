/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"
#include "maillog/batch.h"
#include "maillog/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct rules *rules_of(const char *text, struct diags *d)
{
        struct policy *p = policy_parse_mail(&(struct policy_input){ .name = S("test"), .text = slice_of(text) }, d);
        struct rules *r = p ? rules_new(p, d) : NULL;
        if (p && !r)
                policy_free(p);
        return r;
}

/* The category of a line "program: text" by these rules. */
static const char *category_by(const struct rules *r, const char *line)
{
        struct batch_common common;
        autofree char *whole = xasprintf("2026-11-28T13:20:02Z mx %s\n", line);
        batch_common_init(&common, r->categories);
        struct batch *b = batch_new(&common);
        batch_take(b, slice_of(whole));
        batch_read(b);
        uint8_t category = b->n ? b->v[0].category : CATEGORY_NONE;
        batch_free(b);
        batch_common_done(&common);
        return categories_name(r->categories, category);
}

struct fact {
        const char *line, *want;
};

static void check(const char *text, const struct fact *facts, size_t n)
{
        autodiags *d = diags_new();
        autorules *r = rules_of(text, d);
        assert_non_null(r);
        for (size_t i = 0; i < n; i++) {
                const char *got = category_by(r, facts[i].line);
                if (strcmp(got, facts[i].want) != 0)
                        print_error("%s: %s, want %s\n", facts[i].line, got, facts[i].want);
                assert_string_equal(got, facts[i].want);
        }
}
#define CHECK(text, facts) check(text, facts, COUNT_OF(facts))

#define RCPT(code, text) "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: " code " " text "; " TAIL
#define TAIL "from=<s@example.org> to=<r@example.net> proto=ESMTP helo=<x.example.org>"
#define MILTER(text)                                                                                                   \
        "postfix/cleanup[1]: ABC123: milter-reject: END-OF-MESSAGE from x[192.0.2.1]: 5.7.1 " text "; " TAIL
#define SAID(reply)                                                                                                    \
        "postfix/smtp[1]: ABC123: to=<r@example.org>, relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=4.7.0, "  \
        "status=deferred (host mx[203.0.113.9] said: " reply " (in reply to end of DATA command))"

/* Each category that is built in, by a text of a real server. */
static const struct fact built_in[] = {
        { RCPT("550 5.1.1", "<r@example.net>: Recipient address rejected: User unknown in local recipient table"),
          "local" },
        { RCPT("450 4.7.1", "<s@example.org>: Sender address rejected: message rate exceeded"), "rate" },
        { RCPT("450 4.7.1", "Error: too many connections from 192.0.2.1"), "rate" },
        { RCPT("450 4.1.8", "<s@example.org>: Sender address rejected: Domain not found"), "domain" },
        { RCPT("553 5.7.1", "<s@example.org>: Sender address rejected: not logged in"), "not_logged" },
        { RCPT("553 5.7.1", "<s@example.org>: Sender address rejected: not owned by user ana"), "not_owned" },
        { RCPT("550 5.7.23",
               "<r@example.net>: Recipient address rejected: Message rejected due to: SPF fail - not authorized"),
          "spf" },
        { RCPT("554 5.7.1", "<s@example.org>: Sender address rejected: Access denied"), "sender_denied" },
        { RCPT("554 5.7.1", "<s@example.org>: Sender address rejected: we know you"), "sender_other" },
        { RCPT("554 5.7.1", "<r@example.net>: Relay access denied"), "relay_denied" },
        { RCPT("554 5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
                            "https://www.spamhaus.org/query/ip/192.0.2.1"),
          "rbl" },
        { RCPT("504 5.5.2", "<x.example.org>: Helo command rejected: need fully-qualified hostname"), "helo" },
        { RCPT("554 5.7.1", "<x[192.0.2.1]>: Client host rejected: Access denied"), "client" },
        { RCPT("450 4.2.0",
               "<r@example.net>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help"),
          "greylist" },
        { MILTER("Virus Eicar-Test-Signature detected"), "virus" },
        { MILTER("Spam message rejected"), "spam" },
        { RCPT("554 5.7.1", "<r@example.net>: Recipient address rejected: no thanks"), "recipient" },
        { "postfix/smtpd[1]: NOQUEUE: reject: MAIL from x[192.0.2.1]: 552 5.3.4 Message size exceeds fixed limit; "
          "proto=ESMTP helo=<x>",
          "size" },
        { "postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.1]:4444: 550 5.5.1 Protocol error; "
          "from=<s@example.org>, to=<r@example.net>, proto=SMTP, helo=<x>",
          "protocol" },
        { RCPT("450 4.3.2", "Something of another kind"), "other" },
        { SAID("421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred due to user complaints"),
          "remote_spam" },
        { SAID("421-4.7.28 Our system has detected an unusual rate of unsolicited mail"), "remote_rate" },
        { SAID("550 5.7.1 Service unavailable; client [192.0.2.9] blocked using bl.example.org"), "remote_listed" },
};

static void each_built_in_category_has_a_text(void **state)
{
        (void)state;
        bool seen[CATEGORIES_ALL] = { [CATEGORY_NONE] = true };
        autodiags *d = diags_new();
        autorules *r = rules_new(NULL, d);
        CHECK("", built_in);
        for (size_t i = 0; i < COUNT_OF(built_in); i++)
                seen[categories_find(r->categories, slice_of(built_in[i].want))] = true;
        for (size_t i = 0; i < CATEGORIES_ALL; i++) {
                if (!seen[i])
                        print_error("no text for %s\n", categories_name(r->categories, i));
                assert_true(seen[i]);
        }
}

/* What a stranger chooses decides nothing: addresses, his name, his HELO, and what a reply echoes of them. */
static void a_stranger_chooses_no_category(void **state)
{
        (void)state;
        static const struct fact facts[] = {
                { "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 <r@example.com>: Relay access "
                  "denied; "
                  "from=<not.owned.by@example.org> to=<\"Sender address rejected: not owned by user ana\"@example.com> "
                  "proto=ESMTP helo=<not logged in>",
                  "relay_denied" },
                { "postfix/smtpd[1]: NOQUEUE: reject: RCPT from virus.spam.example[192.0.2.1]: 554 5.7.1 "
                  "<r@example.com>: Relay access denied; "
                  "from=<s@b> to=<r@example.com> proto=ESMTP helo=<spam> sasl_username=<ana@example.net>>",
                  "other" /* odd */ },
                { RCPT("554 5.7.1",
                       "<\"Recipient address rejected: User unknown in x\"@example.com>: Relay access denied"),
                  "relay_denied" },
                { RCPT("554 5.7.1",
                       "<r@example.net>: Recipient address rejected: no thanks, <spam greylist quota spf>"),
                  "other" },
                { "postfix/smtp[1]: ABC123: to=<spam@example.org>, relay=spam.example.org[203.0.113.9]:25, delay=1, "
                  "dsn=5.1.1, "
                  "status=bounced (host spam.example.org[203.0.113.9] said: 550 5.1.1 <spam.blacklist@example.org>: no "
                  "such user (in reply to RCPT TO command))",
                  "none" },
                /* taken is no complaint, whatever is said of it */
                { "postfix/smtp[1]: ABC123: to=<r@example.org>, relay=mx[203.0.113.9]:25, delay=1, dsn=2.0.0, "
                  "status=sent (250 2.0.0 spam blacklist 4.7.28)",
                  "none" },
                /* we say it ourselves: of nobody's reply */
                { "postfix/smtp[1]: ABC123: to=<r@example.org>, relay=none, delay=1, dsn=4.4.1, status=deferred "
                  "(connect to spam.example.org[203.0.113.9]:25: Connection timed out)",
                  "none" },
                { "postfix/smtpd[1]: warning: x[192.0.2.1]: SASL LOGIN authentication failed: spam virus, "
                  "sasl_username=spam",
                  "none" },
                { "postfix/smtpd[1]: lost connection after RCPT from spam[192.0.2.1]", "none" },
        };
        CHECK("", facts);
}

static void rules_of_the_policy_come_first(void **state)
{
        (void)state;
        static const struct fact facts[] = {
                { RCPT("554 5.7.1", "<r@example.net>: Recipient address rejected: User unknown in our books"), "own" },
                { RCPT("554 5.7.1", "<r@example.net>: Recipient address rejected: User unknown in their books"),
                  "local" },
                { RCPT("554 5.7.1", "<r@example.net>: Relay access denied"), "rate" },
                { MILTER("our BOOKS, too"), "by_cleanup" },
                { "postfix/smtpd[1]: warning: x[192.0.2.1]: SASL LOGIN authentication failed: no, sasl_username=ana",
                  "guess" },
        };
        CHECK("mail-rule a { on reject  daemon cleanup  pattern \"books\"  category by_cleanup }"
              "mail-rule b { on reject  pattern \"our books\"  category own }"
              "mail-rule c { on reject  pattern \"relay access\"  category rate }"
              "mail-rule d { on reject  pattern \"our\"  category never }"
              "mail-rule e { on auth-failed  field login  pattern \"^ana$\"  category guess }",
              facts);
}

/* --- mistakes --- */

static void mistakes_are_all_told_with_their_place(void **state)
{
        (void)state;
        static const struct {
                const char *text, *want;
        } facts[] = {
                { "mail-rule a { on rejct  pattern x  category y }",
                  "test:1:15: error: \"rejct\" is no kind of event" },
                { "mail-rule a { on reject  daemon smptd  pattern x  category y }", "error: \"smptd\" is no program" },
                { "mail-rule a { on reject  pattern x  category Bad-Name }",
                  "test:1:46: error: a category is written in small letters" },
                { "mail-rule a { on reject  pattern x  category none }",
                  "error: a category is written in small letters" },
                { "mail-rule a { on reject  pattern x  category bounced }",
                  "error: \"bounced\" is what a limit counts of itself" },
                { "mail-rule a { on reject  pattern \"((\"  category x }",
                  "test:1:34: error: Missing close parenthesis" },
                { "mail-rule a { on reject  pattern \"(?=x)\"  category x }",
                  "error: Zero-width assertions are not supported" },
                { "mail-limit a { count lokal  by client  after 1 }", "test:1:16: error: \"lokal\" is no category" },
                { "mail-limit a { count none  by client  after 1 }", "error: \"none\" is no category" },
                { "mail-limit a { count auth_failed  by login  after 1  then suspend }",
                  "test:1:16: error: failed logins suspend nobody" },
                { "mail-rule g { on auth-failed  pattern x  category guess }\n"
                  "mail-limit a { count spam, guess  by login  after 1  then suspend }",
                  "test:2:16: error: failed logins suspend nobody" },
        };
        for (size_t i = 0; i < COUNT_OF(facts); i++) {
                autodiags *d = diags_new();
                autobuf told;
                buf_init(&told, 1 << 16);
                autorules *r = rules_of(facts[i].text, d);
                diags_print(d, &told);
                if (r || !strstr(buf_cstr(&told), facts[i].want))
                        print_error("%s:\n%s\nwant %s\n", facts[i].text, buf_cstr(&told), facts[i].want);
                assert_true(!r && strstr(buf_cstr(&told), facts[i].want));
        }
        autodiags *d = diags_new();
        assert_null(rules_of("mail-rule a { on rejct, delivry  daemon smptd  pattern x  category B }\n"
                             "mail-rule b { on rejct  pattern x  category y }",
                             d));
        assert_int_equal(diags_errors(d), 5);
}

static void ceilings(void **state)
{
        (void)state;
        static const struct {
                const char *one, *want;
                int n;
        } facts[] = {
                { "mail-rule a%d { on reject  pattern x%d  category c%d }\n", "65:", CATEGORY_NAMES_MOST },
                { "mail-rule a%d { on reject  pattern x%d  category c }\n", "257:", CATEGORY_RULES_MOST },
                { "mail-limit a%d { count spam  by client  after %d }\n", "65:", LIMITS_MOST },
        };
        for (size_t i = 0; i < COUNT_OF(facts); i++)
                for (int more = 0; more <= 1; more++) {
                        autodiags *d = diags_new();
                        autobuf text, told;
                        buf_init(&text, 1 << 20);
                        buf_init(&told, 1 << 20);
                        for (int k = 1; k <= facts[i].n + more; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                                buf_addf(&text, facts[i].one, k, k, k);
#pragma GCC diagnostic pop
                        }
                        autorules *r = rules_of(buf_cstr(&text), d);
                        diags_print(d, &told);
                        assert_true(more ? !r : r != NULL);
                        assert_true(!more ||
                                    (strstr(buf_cstr(&told), facts[i].want) && strstr(buf_cstr(&told), "at the most")));
                }
}

static void what_is_built_in_stands_where_the_policy_has_none(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        autorules *none = rules_new(NULL, d), *some = rules_of("mail-limit a { count spam  by client  after 1 }", d),
                  *rule = rules_of("mail-rule a { on reject  pattern x  category y }", d);
        assert_int_equal(none->n_limits, 8);
        assert_int_equal(rule->n_limits, 8);
        assert_int_equal(some->n_limits, 1);
        for (size_t i = 0; i < none->n_limits; i++) {
                const struct rule_limit *l = &none->limits[i];
                assert_int_equal(l->policy->then, MAIL_THEN_REPORT);
                assert_true(l->words || l->categories[0] || l->categories[1]);
        }
        assert_int_equal(none->limits[2].words, 1u << LIMIT_RECIPIENT); /* and not the category `recipient` */
        assert_true(rules_check(some->policy, d));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_built_in_category_has_a_text),
                cmocka_unit_test(a_stranger_chooses_no_category),
                cmocka_unit_test(rules_of_the_policy_come_first),
                cmocka_unit_test(mistakes_are_all_told_with_their_place),
                cmocka_unit_test(ceilings),
                cmocka_unit_test(what_is_built_in_stands_where_the_policy_has_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
