/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"
#include "maillog/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static const int64_t START = INT64_C(1795651200) * SECOND; /* 2026-11-26 00:00:00 UTC */

/* What was told: "series from-to n" and "series ~at n" (late), seconds from START; zeros of the time that was watched are summed. */
struct a_live {
        struct rules *rules;
        struct live *l;
        struct buf told;
        uint64_t sum[LIVE_SERIES];
        int64_t known; /* µs, of "received" */
        int64_t until; /* where that ended */
};

static void count(void *arg, size_t series, int64_t from, int64_t to, uint64_t n)
{
        struct a_live *t = arg;
        if (series == LIVE_RECEIVED && from < to) {
                assert_true(!t->known || from == t->until); /* no gap, and nothing twice */
                t->known += to - from;
                t->until = to;
        }
        t->sum[series] += n;
        if (!n)
                return;
        buf_addf(&t->told, "%s ", live_series(t->l, series));
        if (from < to)
                buf_addf(&t->told, "%lld-%lld", (long long)((from - START) / SECOND),
                         (long long)((to - START) / SECOND));
        else
                buf_addf(&t->told, "~%lld", (long long)((from - START) / SECOND));
        buf_addf(&t->told, " %llu\n", (unsigned long long)n);
}

static void begin(struct a_live *t)
{
        autodiags *d = diags_new();
        *t = (struct a_live){ .rules = rules_new(NULL, d) };
        buf_init(&t->told, 1 << 20);
        t->l = live_new(&(struct live_options){ .rules = t->rules, .count = count, .arg = t });
}

static void told(struct a_live *t, const char *want)
{
        if (strcmp(buf_cstr(&t->told), want) != 0)
                print_error("got\n%swant\n%s", buf_cstr(&t->told), want);
        assert_string_equal(buf_cstr(&t->told), want);
        buf_clear(&t->told);
}

static void end(struct a_live *t)
{
        live_free(t->l);
        rules_free(t->rules);
        buf_done(&t->told);
}

static void add_line(struct buf *out, int64_t second, const char *program, const char *text)
{
        char at[64];
        time_t s = (time_t)(START / SECOND + second);
        struct tm tm;
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
        buf_addf(out, "%s mx postfix/%s[1]: %s\n", at, program, text);
}

static const char refused[] =
    "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 <n@example.net>: Relay access denied; "
    "from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>";

/* Refusals at these seconds, read at `now`. */
static void refuse(struct a_live *t, int64_t now, const int64_t *seconds, size_t n)
{
        autobuf out;
        buf_init(&out, 1 << 20);
        for (size_t i = 0; i < n; i++)
                add_line(&out, seconds[i], "smtpd", refused);
        live_take(t->l, 0, (struct syslog_zone){ 0 }, buf_slice(&out), START + now * SECOND);
}
#define REFUSE(t, now, ...)                                                                                            \
        refuse(t, now, (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void each_count_is_told_once(void **state)
{
        (void)state;
        struct a_live t;
        begin(&t);
        REFUSE(&t, 34, 5, 6, 12, 33);
        live_tell(t.l, START + 35 * SECOND);
        told(&t, "rejected 0-10 2\ncategory/relay_denied 0-10 2\nrejected 10-20 1\ncategory/relay_denied 10-20 1\n"
                 "rejected 30-35 1\ncategory/relay_denied 30-35 1\n");
        live_tell(t.l, START + 35 * SECOND);
        live_tell(t.l, START + 40 * SECOND);
        told(&t, "");
        assert_int_equal(t.known, 40 * SECOND); /* steps without a line are zero */
        end(&t);
}

static void what_comes_late_is_late(void **state)
{
        (void)state;
        struct a_live t;
        begin(&t);
        REFUSE(&t, 30, 25);
        live_tell(t.l, START + 30 * SECOND);
        told(&t, "rejected 20-30 1\ncategory/relay_denied 20-30 1\n");
        REFUSE(&t, 33, 3, 27, 31);
        live_tell(t.l, START + 35 * SECOND);
        told(&t, "rejected 0-10 1\ncategory/relay_denied 0-10 1\nrejected 20-30 1\ncategory/relay_denied 20-30 1\n"
                 "rejected 30-35 1\ncategory/relay_denied 30-35 1\n");
        REFUSE(&t, 36, 32, 36); /* of a step of which a part is told */
        live_tell(t.l, START + 41 * SECOND);
        told(&t, "rejected 35-40 2\ncategory/relay_denied 35-40 2\n");
        assert_int_equal(t.until, START + 41 * SECOND);
        end(&t);
}

static void nothing_is_known_before_the_first(void **state)
{
        (void)state;
        struct a_live t;
        begin(&t);
        live_tell_read(t.l);
        assert_int_equal(t.known, 0);
        live_tell(t.l, START);
        assert_int_equal(t.known, 0);
        live_tell(t.l, START - 100 * SECOND); /* the clock goes back */
        assert_int_equal(t.known, 0);
        live_tell(t.l, START + 10 * SECOND);
        assert_int_equal(t.known, 10 * SECOND);
        end(&t);
}

/* Whose clock is a year ahead does not have all that comes until then told as late, nor lost. */
static void the_future_is_now(void **state)
{
        (void)state;
        struct a_live t;
        begin(&t);
        REFUSE(&t, 12, 5, 365 * 86400);
        live_tell_read(t.l);
        assert_true(t.until <= START + 12 * SECOND);
        REFUSE(&t, 25, 22);
        live_tell(t.l, START + 30 * SECOND);
        told(&t, "rejected 0-10 1\ncategory/relay_denied 0-10 1\nrejected 10-20 1\ncategory/relay_denied 10-20 1\n"
                 "rejected 20-30 1\ncategory/relay_denied 20-30 1\n");
        end(&t);
}

/* More steps than wait: none is lost, and what is old is told first. */
static void a_backlog(void **state)
{
        (void)state;
        struct a_live t;
        enum { STEPS = 3 * LIVE_SLOTS };
        begin(&t);
        for (int64_t i = 0; i < STEPS; i++)
                REFUSE(&t, STEPS * 10, i * 10);
        live_tell_read(t.l);
        live_tell(t.l, START + STEPS * 10 * SECOND);
        assert_int_equal(t.sum[LIVE_REJECTED], STEPS);
        assert_int_equal(t.known, STEPS * 10 * SECOND);
        end(&t);
}

static void messages(void **state)
{
        (void)state;
        struct a_live t;
        autobuf out;
        buf_init(&out, 1 << 16);
        begin(&t);
        add_line(&out, 1, "smtpd", "ABC001: client=x[192.0.2.1]");
        add_line(&out, 1, "cleanup", "ABC001: message-id=<1@x>");
        add_line(&out, 1, "qmgr", "ABC001: from=<s@example.net>, size=100, nrcpt=2 (queue active)");
        add_line(&out, 2, "smtp",
                 "ABC001: to=<r@example.org>, relay=mx[203.0.113.9]:25, delay=1, dsn=2.0.0, status=sent (ok)");
        add_line(&out, 2, "smtp",
                 "ABC001: to=<q@example.org>, relay=mx[203.0.113.9]:25, delay=1, dsn=5.1.1, status=bounced (host "
                 "mx[203.0.113.9] said: 550 5.1.1 no)");
        add_line(&out, 3, "qmgr", "ABC001: removed");
        add_line(&out, 40, "smtpd", "ABC001: client=x[192.0.2.1]"); /* its id again: it is told */
        live_take(t.l, 0, (struct syslog_zone){ 0 }, buf_slice(&out), START + 41 * SECOND);
        live_tell(t.l, START + 45 * SECOND);
        told(&t, "received 0-10 1\nsent 0-10 1\nbounced 0-10 1\n");
        end(&t);
}

/* More clients than there is room for, of which the last is still counted under his own name. */
static void names_are_renewed(void **state)
{
        (void)state;
        struct a_live t;
        autobuf out;
        buf_init(&out, 256 << 20);
        begin(&t);
        for (int i = 0; i < LIVE_NAMES / 4 * 3 + 1000; i++) {
                char text[128];
                snprintf(text, sizeof text, "%X: client=x[2001:db8::%x:%x]", 0x100000 + i, i >> 16, i & 0xffff);
                add_line(&out, 1, "smtpd", text);
                if (i % 10000 == 0) {
                        live_take(t.l, 0, (struct syslog_zone){ 0 }, buf_slice(&out), START + 2 * SECOND);
                        buf_clear(&out);
                }
        }
        live_take(t.l, 0, (struct syslog_zone){ 0 }, buf_slice(&out), START + 2 * SECOND);
        buf_clear(&out);
        for (int i = 0; i < 10; i++) {
                char text[256];
                snprintf(text, sizeof text, "%X: from=<s@example.net>, size=100, nrcpt=1 (queue active)", 0x100000 + i);
                add_line(&out, 3, "qmgr", text);
        }
        live_take(t.l, 0, (struct syslog_zone){ 0 }, buf_slice(&out), START + 4 * SECOND);
        live_tell(t.l, START + 10 * SECOND);
        told(&t, "received 0-10 10\n");
        end(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_count_is_told_once),
                cmocka_unit_test(what_comes_late_is_late),
                cmocka_unit_test(nothing_is_known_before_the_first),
                cmocka_unit_test(the_future_is_now),
                cmocka_unit_test(a_backlog),
                cmocka_unit_test(messages),
                cmocka_unit_test(names_are_renewed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
