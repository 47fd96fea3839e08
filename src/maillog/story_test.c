/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"
#include "base/time.h"
#include "maillog/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { MOST = 10 };

/* Each story: its parts as "id:first client sender handed", and its recipients as "to=status*tries"; a single as its kind. */
static void print(const struct stories *s, struct buf *out)
{
        for (size_t i = 0; i < stories_count(s); i++) {
                const struct story *story = stories_at(s, i);
                if (story->kind != STORY_MESSAGE)
                        buf_addf(out, "%s %.*s", story->kind == STORY_REFUSED ? "refused" : "auth",
                                 SLICE_ARGS(story->only.event.client.address));
                for (size_t k = 0; k < story->n_parts; k++) {
                        const struct story_part *p = &story->parts[k];
                        buf_addf(out, "%s%.*s %.*s <%.*s>%s", k ? " + " : "", SLICE_ARGS(p->id),
                                 SLICE_ARGS(p->client.client.address), SLICE_ARGS(p->from), p->handed ? " handed" : "");
                        for (size_t r = 0; r < p->n_recipients; r++)
                                buf_addf(out, " %.*s=%d*%u", SLICE_ARGS(p->recipients[r].last.to),
                                         p->recipients[r].last.kind == MAIL_DELIVERY ? (int)p->recipients[r].last.status
                                                                                     : -1,
                                         p->recipients[r].times);
                }
                buf_addc(out, '\n');
        }
}

/* Lines as "second host program: text". */
static void check(const char *const *lines, size_t n, const char *const *wanted, const char *want)
{
        struct wanted w[WANTED_MOST];
        struct story_wish wish = { .wanted = w, .until = TIME_NEVER, .most = MOST };
        for (; wanted[wish.n_wanted]; wish.n_wanted++)
                assert_true(wanted_parse(slice_of(wanted[wish.n_wanted]), &w[wish.n_wanted]));
        struct stories *s = stories_new(&wish);
        for (int again = 0; again < 2; again++) { /* what was forgotten leaves nothing behind */
                stories_again(s);
                for (size_t i = 0; i < n; i++) {
                        struct syslog_clock c;
                        struct record e;
                        char *text;
                        long second = strtol(lines[i], &text, 10);
                        autofree char *whole =
                            xasprintf("2026-11-28T13:%02ld:%02ldZ%s", second / 60, second % 60, text);
                        syslog_clock_init(&c, (struct syslog_zone){ 0 }, 0);
                        assert_true(record_read(&c, slice_of(whole), &e));
                        if (e.event.queue_id.n)
                                stories_add(s, &e);
                        else if (again)
                                stories_add_single(s, &e);
                }
        }
        autobuf got;
        buf_init(&got, 1 << 20);
        stories_end(s);
        print(s, &got);
        if (strcmp(buf_cstr(&got), want) != 0)
                fail_msg("wanted %s: got\n%swant\n%s", wanted[0], buf_cstr(&got), want);
        stories_free(s);
}

#define CHECK(lines, want, ...) check(lines, COUNT_OF(lines), (const char *const[]){ __VA_ARGS__, NULL }, want)

static const char *const filtered[] = {
        "1 mx postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.1]",
        "1 mx postfix/cleanup[1]: AAAAAAAAA1: message-id=<m@x>",
        "2 mx postfix/qmgr[1]: AAAAAAAAA1: from=<s@x>, size=10, nrcpt=2 (queue active)",
        "3 mx postfix/smtpd[1]: BBBBBBBBB1: client=localhost[127.0.0.1]",
        "3 mx postfix/cleanup[1]: BBBBBBBBB1: message-id=<m@x>",
        "3 mx postfix/smtp[1]: AAAAAAAAA1: to=<r@y>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, status=sent (250 "
        "queued "
        "as BBBBBBBBB1)",
        "4 mx postfix/qmgr[1]: AAAAAAAAA1: removed",
        "4 mx postfix/qmgr[1]: BBBBBBBBB1: from=<s@x>, size=20, nrcpt=1 (queue active)",
        "5 mx postfix/smtp[1]: BBBBBBBBB1: to=<r@y>, relay=m[203.0.113.1]:25, delay=1, status=deferred (later)",
        "6 mx postfix/smtp[1]: BBBBBBBBB1: to=<R2@y>, orig_to=<alias@y>, relay=m[203.0.113.1]:25, delay=1, "
        "status=bounced "
        "(no)",
        "65 mx postfix/smtp[1]: BBBBBBBBB1: to=<r@y>, relay=m[203.0.113.1]:25, delay=60, status=sent (250 ok)",
        "66 mx postfix/qmgr[1]: BBBBBBBBB1: removed",
        /* somebody outside writes the same message-id and sender; nobody handed it to him */
        "7 mx postfix/smtpd[1]: CCCCCCCCC1: client=evil[198.51.100.6]",
        "7 mx postfix/cleanup[1]: CCCCCCCCC1: message-id=<m@x>",
        "7 mx postfix/qmgr[1]: CCCCCCCCC1: from=<s@x>, size=20, nrcpt=1 (queue active)",
        /* and this goes over another host, which says so */
        "20 mx postfix/smtpd[1]: DDDDDDDDD1: client=c[192.0.2.4]",
        "20 mx postfix/cleanup[1]: DDDDDDDDD1: message-id=<n@x>",
        "20 mx postfix/qmgr[1]: DDDDDDDDD1: from=<t@x>, size=20, nrcpt=1 (queue active)",
        "21 mx postfix/smtp[1]: DDDDDDDDD1: to=<r@y>, relay=out[192.0.2.5]:25, delay=1, status=sent (250 Ok: queued as "
        "4WyJ3k0ZzGz1t)",
        "20 out postfix/smtpd[1]: 4WyJ3k0ZzGz1t: client=mx[192.0.2.3]",
        "20 out postfix/cleanup[1]: 4WyJ3k0ZzGz1t: message-id=<n@x>",
        "20 out postfix/qmgr[1]: 4WyJ3k0ZzGz1t: from=<t@x>, size=20, nrcpt=1 (queue active)",
};
#define FILTERED "AAAAAAAAA1 192.0.2.1 <s@x> handed r@y=1*1 + BBBBBBBBB1 127.0.0.1 <s@x> r@y=1*2 R2@y=3*1\n"
#define RELAYED "DDDDDDDDD1 192.0.2.4 <t@x> handed r@y=1*1 + 4WyJ3k0ZzGz1t 192.0.2.3 <t@x>\n"
#define OUTSIDE "CCCCCCCCC1 198.51.100.6 <s@x>\n"

static void what_a_filter_gives_back_is_one_story(void **state)
{
        (void)state;
        CHECK(filtered, FILTERED, "192.0.2.1");
        CHECK(filtered, FILTERED, "BBBBBBBBB1");
        CHECK(filtered, FILTERED, "r2@Y");
        CHECK(filtered, FILTERED, "alias@y", "192.0.2.1", "AAAAAAAAA1");
        CHECK(filtered, FILTERED OUTSIDE, "<m@x>");
        CHECK(filtered, FILTERED RELAYED, "r@y");
        CHECK(filtered, RELAYED, "t@x");
        CHECK(filtered, "", "alias@y", "198.51.100.6");
}

static void who_was_put_off_to_the_end_is_expired(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "1 mx postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.1]",
                "1 mx postfix/qmgr[1]: AAAAAAAAA1: from=<s@x>, size=10, nrcpt=2 (queue active)",
                "2 mx postfix/smtp[1]: AAAAAAAAA1: to=<a@y>, relay=m[203.0.113.1]:25, delay=1, status=deferred (later)",
                "2 mx postfix/smtp[1]: AAAAAAAAA1: to=<b@y>, relay=m[203.0.113.1]:25, delay=1, status=sent (250 ok)",
                "9 mx postfix/smtp[1]: AAAAAAAAA1: to=<a@y>, relay=m[203.0.113.1]:25, delay=8, status=deferred (later)",
                "9 mx postfix/qmgr[1]: AAAAAAAAA1: from=<s@x>, status=expired, returned to sender",
                "9 mx postfix/qmgr[1]: AAAAAAAAA1: removed",
        };
        CHECK(lines, "AAAAAAAAA1 192.0.2.1 <s@x> a@y=4*2 b@y=1*1\n", "s@x");
}

static void a_queue_id_has_several_lives(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "1 mx postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.1]",
                "1 mx postfix/qmgr[1]: AAAAAAAAA1: from=<one@x>, size=10, nrcpt=1 (queue active)",
                "2 mx postfix/qmgr[1]: AAAAAAAAA1: removed",
                "3 mx postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.2]",
                "3 mx postfix/qmgr[1]: AAAAAAAAA1: from=<two@x>, size=10, nrcpt=1 (queue active)",
                "4 mx postfix/qmgr[1]: AAAAAAAAA1: removed",
                "3 other postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.3]",
                "3 other postfix-out/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.4]",
                "4 mx postfix/pickup[1]: AAAAAAAAA1: uid=0 from=<three@x>",
        };
        CHECK(lines, "AAAAAAAAA1 192.0.2.1 <one@x>\n", "one@x");
        CHECK(lines, "AAAAAAAAA1 192.0.2.2 <two@x>\n", "two@x");
        CHECK(lines, "AAAAAAAAA1 192.0.2.2 <two@x>\n", "192.0.2.2", "AAAAAAAAA1");
        CHECK(lines, "AAAAAAAAA1  <>\n", "three@x");
        CHECK(lines,
              "AAAAAAAAA1 192.0.2.1 <one@x>\nAAAAAAAAA1 192.0.2.3 <>\nAAAAAAAAA1 192.0.2.4 <>\nAAAAAAAAA1 192.0.2.2 "
              "<two@x>\nAAAAAAAAA1  <>\n",
              "AAAAAAAAA1");
}

static void what_strangers_write_is_no_hit(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "1 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <b@x>: Relay access denied; "
                "from=<a@x> to=<b@x> proto=ESMTP helo=<victim@x>",
                "2 mx postfix/smtpd[1]: warning: e[192.0.2.9]: SASL LOGIN authentication failed: x, "
                "sasl_username=joe@x",
                "3 mx postfix/smtpd[1]: AAAAAAAAA1: client=e[192.0.2.9]",
                "3 mx postfix/cleanup[1]: AAAAAAAAA1: warning: header Subject: to=<victim@x>, status=sent from "
                "e[192.0.2.9]; "
                "from=<victim@x> to=<victim@x> proto=SMTP helo=<x>",
                "4 mx postfix/smtp[1]: AAAAAAAAA1: to=<c@x>, relay=m[192.0.2.8]:25, delay=1, status=bounced (host m "
                "said: "
                "550 victim@x BBBBBBBBB1: from=<victim@x> client=[192.0.2.7] (in reply to RCPT))",
        };
        CHECK(lines, "", "victim@x");
        CHECK(lines, "", "BBBBBBBBB1");
        CHECK(lines, "", "192.0.2.7");
        CHECK(lines, "", "192.0.2.8"); /* the relay, no client */
        CHECK(lines, "refused 192.0.2.9\nauth 192.0.2.9\nAAAAAAAAA1 192.0.2.9 <> c@x=3*1\n", "::ffff:192.0.2.9");
        CHECK(lines, "refused 192.0.2.9\n", "192.0.2.9", "B@x");
        CHECK(lines, "auth 192.0.2.9\n", "JOE@x");
        CHECK(lines, "auth 192.0.2.9\n", "login:joe@x");
        CHECK(lines, "", "login:a@x");
}

static void the_last_that_match_are_told(void **state)
{
        (void)state;
        struct wanted w;
        assert_true(wanted_parse(S("192.0.2.9"), &w));
        struct story_wish wish = { .wanted = &w, .n_wanted = 1, .since = 0, .until = 700 * SECOND, .most = 3 };
        struct stories *s = stories_new(&wish);
        for (int i = 0; i < 1000; i++) {
                struct syslog_clock c;
                struct record e;
                autofree char *line =
                    xasprintf("1970-01-01T00:00:00Z mx postfix/smtpd[1]: %s%05X: %s",
                              i % 2 ? "AAAAA" : "NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 <x>: no; to=<a@x>, ", i,
                              i % 2 ? "client=e[192.0.2.9]" : "");
                syslog_clock_init(&c, (struct syslog_zone){ 0 }, 0);
                assert_true(record_read(&c, slice_of(line), &e));
                e.at = i * SECOND;
                if (e.event.queue_id.n)
                        stories_add(s, &e);
                else
                        assert_int_equal(stories_add_single(s, &e), i <= 700);
        }
        assert_int_equal(stories_end(s), 3);
        assert_true(stories_more(s));
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(stories_at(s, i)->first, (int64_t)(698 + i) * SECOND);
        stories_free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_filter_gives_back_is_one_story),
                cmocka_unit_test(who_was_put_off_to_the_end_is_expired),
                cmocka_unit_test(a_queue_id_has_several_lives),
                cmocka_unit_test(what_strangers_write_is_no_hit),
                cmocka_unit_test(the_last_that_match_are_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
